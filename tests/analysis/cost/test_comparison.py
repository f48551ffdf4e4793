from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from realtime_nb.analysis.cost.comparison import PipelineAssumptions, compare_costs
from realtime_nb.analysis.cost.prices import DurationPrice, Price
from realtime_nb.errors import ConfigurationError
from tests.analysis.cost.priced_session import two_turns
from tests.analysis.test_talk_time import Listened, pushed
from tests.made_recording import MadeRecording
from tests.spoken_recording import begun, voiced

PLAIN = PipelineAssumptions(
    words_per_minute=60,
    tokens_per_word=1,
    instructions_tokens=100,
    cached_share=0.5,
    llm=Price(text_in=1.0, text_cached=0.5, text_out=2.0),
    tts_usd_per_minute=0.03,
    stt_usd_per_minute=0.006,
    realtime_transcription_usd_per_minute=0.012,
)


def parts(table: pd.DataFrame, variant: str) -> dict[str, float]:
    rows = table[table.variant == variant]
    return dict(zip(rows.part, rows.usd_per_conversation, strict=True))


def basis(table: pd.DataFrame, variant: str) -> dict[str, str]:
    rows = table[table.variant == variant]
    return dict(zip(rows.part, rows.basis, strict=True))


def test_two_minutes_in_two_exchanges_by_hand() -> None:
    """Each exchange: 30 s of the user (300 tokens), 30 s of the agent (600), 30 words each."""
    table = compare_costs(2.0, exchanges=2, models=("gpt-realtime",), assumptions=PLAIN)

    realtime = parts(table, "gpt-realtime")
    assert realtime["user's input"] == pytest.approx(600 * 32e-6)
    assert realtime["agent's audio"] == pytest.approx(1_200 * 64e-6)
    assert realtime["agent's transcript"] == pytest.approx(60 * 16e-6)
    # First 100 of text; then these, 30 of the agent's text and 900 of audio.
    text_again = (100 + 130) * (0.5 * 0.4 + 0.5 * 4)
    assert realtime["context read again"] == pytest.approx(
        (text_again + 900 * (0.5 * 0.4 + 0.5 * 32)) / 1e6
    )
    assert realtime["user's transcript"] == pytest.approx(0.012)
    assert realtime.pop("total") == pytest.approx(sum(realtime.values()))

    pipeline = parts(table, "stt + llm + tts")
    assert pipeline["stt"] == pytest.approx(0.006)
    assert pipeline["llm"] == pytest.approx((60 * 1 + 60 * 2) / 1e6)
    assert pipeline["context read again"] == pytest.approx((100 + 160) * 0.75 / 1e6)
    assert pipeline["tts"] == pytest.approx(0.03)
    assert pipeline.pop("total") == pytest.approx(sum(pipeline.values()))

    assert table.usd_per_minute.tolist() == pytest.approx((table.usd_per_conversation / 2).tolist())
    assert "cached_share=0.5" in table.attrs["assumptions"]


def test_a_minute_of_speech_costs_what_the_service_says() -> None:
    table = compare_costs(1.0, user_share=1.0, models=("gpt-realtime", "gpt-realtime-mini"))
    assert parts(table, "gpt-realtime")["user's input"] == pytest.approx(0.0192)
    assert parts(table, "gpt-realtime-mini")["user's input"] == pytest.approx(0.006)

    table = compare_costs(1.0, user_share=0.0, models=("gpt-realtime", "gpt-realtime-mini"))
    assert parts(table, "gpt-realtime")["agent's audio"] == pytest.approx(0.0768)
    assert parts(table, "gpt-realtime-mini")["agent's audio"] == pytest.approx(0.024)


def test_a_long_conversation_costs_more_by_the_minute() -> None:
    def by_minute(minutes: float) -> float:
        table = compare_costs(minutes, models=("gpt-realtime-2.1",))
        return float(table[table.part == "total"].usd_per_minute.iloc[0])

    assert by_minute(20) > 1.5 * by_minute(2)


def test_a_recording_gives_its_own_durations_and_words() -> None:
    """Push-to-talk: 2 and 1 s of the user's voice, 4 s of the agent's each time."""
    table = compare_costs(pushed(), models=("gpt-realtime",), assumptions=PLAIN)

    realtime = parts(table, "gpt-realtime")
    assert realtime["user's input"] == pytest.approx(30 * 32e-6)
    assert realtime["user's transcript"] == pytest.approx(3 / 60 * 0.012)
    assert realtime["agent's audio"] == pytest.approx(160 * 64e-6)
    assert realtime["agent's transcript"] == pytest.approx(6 * 16e-6)  # 3 words each
    assert table.basis[0] == "3.0 s of audio, 10 tokens/s"
    pipeline = parts(table, "stt + llm + tts")
    assert pipeline["llm"] == pytest.approx((4 * 1 + 6 * 2) / 1e6)
    assert pipeline["stt"] == pytest.approx(3 / 60 * 0.006)
    assert table.usd_per_minute.tolist() == pytest.approx(table.usd_per_conversation.tolist())


def test_semantic_vads_wait_is_not_speech() -> None:
    rec = Listened(**vars(begun({"type": "semantic_vad"})))
    where = {"item_id": "user_1"}
    rec.got(3.2, "input_audio_buffer.speech_started", audio_start_ms=1_700, **where)
    rec.got(8.2, "input_audio_buffer.speech_stopped", audio_end_ms=7_000, **where)
    rec.user(8.3, "user_1", "Tell me.")
    voiced(rec, (2_000, 3_000))

    table = compare_costs(rec, models=("gpt-realtime",), assumptions=PLAIN)

    assert parts(table, "gpt-realtime")["user's input"] == pytest.approx(10 * 32e-6)
    assert parts(table, "stt + llm + tts")["stt"] == pytest.approx(1 / 60 * 0.006)


def test_what_a_log_does_not_tell_has_no_price() -> None:
    rec = two_turns()
    rec.duration_s = math.nan

    table = compare_costs(rec, models=("gpt-realtime",))

    usd, why = parts(table, "gpt-realtime"), basis(table, "gpt-realtime")
    for part in ("user's input", "user's transcript", "total"):
        assert math.isnan(usd[part])
        assert "how long the user spoke is not known in 2 of 2 turns" in why[part]
    assert why["context read again"] == "how long the user spoke is not known in 1 of 1 turns"
    assert usd["agent's audio"] > 0
    assert math.isnan(parts(table, "stt + llm + tts")["stt"])
    assert table.usd_per_minute.isna().all()
    assert "how long the session was is not known" in why["total"]

    rec.conversation.items["resp_1_item"].audio_ms = math.nan
    table = compare_costs(rec, models=("gpt-realtime",))
    assert math.isnan(parts(table, "stt + llm + tts")["tts"])
    assert basis(table, "gpt-realtime")["agent's audio"] == (
        "how long the agent's audio is is not known in 1 of 2 turns"
    )


def test_what_was_typed_is_read_as_text() -> None:
    rec = MadeRecording()
    content = [{"type": "input_text", "text": "one two three"}]
    item = {"id": "user_1", "type": "message", "role": "user", "content": content}
    rec.got(1.0, "conversation.item.added", item=item)
    rec.answer(2.0, "resp_1", 4_000, "Hello.")

    realtime = parts(
        compare_costs(rec, models=("gpt-realtime",), assumptions=PLAIN), "gpt-realtime"
    )

    assert realtime["user's input"] == pytest.approx(3 * 4e-6)
    assert realtime["user's transcript"] == 0


@pytest.mark.parametrize("model", ["unheard-of", "gpt-transcribe"])
def test_no_price_no_figure(model: str) -> None:
    table = compare_costs(1.0, models=(model,))

    assert math.isnan(parts(table, model)["total"])
    assert set(table.basis[table.variant == model]) == {f"no price by tokens is known for {model}"}
    assert not math.isnan(parts(table, "stt + llm + tts")["total"])
    own = compare_costs(1.0, models=(model,), prices={model: Price(1, 1, 1, 1, 1, 1)})
    assert parts(own, model)["total"] > 0
    by_duration = compare_costs(1.0, models=(model,), prices={model: DurationPrice(1)})
    assert math.isnan(parts(by_duration, model)["total"])


def test_nothing_to_compare() -> None:
    for talk in (0, -1.0, math.nan, math.inf, MadeRecording()):
        with pytest.raises(ConfigurationError, match="no talk"):
            compare_costs(talk)
    with pytest.raises(ConfigurationError, match="user_share is 2"):
        compare_costs(1, user_share=2)
    for exchanges in (0, 2.5):
        with pytest.raises(ConfigurationError, match=f"exchanges is {exchanges}"):
            compare_costs(1, exchanges=exchanges)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="cached_share is 80"):
        PipelineAssumptions(cached_share=80)


def test_the_figures_that_articles_quote_of_the_first_preview() -> None:
    """$0.06 a minute of the user's audio and $0.24 of the agent's, by its prices of October 2024:
    600 tokens at $100 a million, 1,200 at $200."""
    table = compare_costs(
        2.0,
        models=["gpt-4o-realtime-preview-2024-10-01", "gpt-realtime-2.1", "gpt-realtime-2.1-mini"],
    )
    first = parts(table, "gpt-4o-realtime-preview-2024-10-01")

    assert first["user's input"] == pytest.approx(0.06)
    assert first["agent's audio"] == pytest.approx(0.24)
    today = parts(table, "gpt-realtime-2.1")
    assert today["user's input"] == pytest.approx(600 * 32 / 1e6)
    assert today["agent's audio"] == pytest.approx(1_200 * 64 / 1e6)


def test_several_pipelines_stand_beside_the_realtime_models() -> None:
    dear = PipelineAssumptions(tts_usd_per_minute=0.3)
    table = compare_costs(
        4.0, models=[], pipelines={"here": PipelineAssumptions.here(), "dear voice": dear}
    )

    assert list(dict.fromkeys(table.variant)) == ["here", "dear voice"]
    assert parts(table, "here") == dict.fromkeys(
        ["stt", "llm", "context read again", "tts", "total"], 0.0
    )
    assert parts(table, "dear voice")["tts"] == pytest.approx(2 * 0.3)  # half of it is the agent's
    assert table.attrs["pipelines"]["dear voice"] == repr(dear)
    bases = table[table.variant == "here"].basis
    assert not bases.str.contains("example").any()


def test_a_price_out_of_a_table_is_as_good_as_one_that_was_typed() -> None:
    """Cells of tables are numpy's numbers, and so is what comparing them gives."""
    typed = PipelineAssumptions(tts_usd_per_minute=0.5, stt_usd_per_minute=0.25)
    of_a_table = PipelineAssumptions(
        tts_usd_per_minute=np.float64(0.5), stt_usd_per_minute=np.float64(0.25)
    )

    pipelines = {"typed": typed, "of a table": of_a_table}
    table = compare_costs(2.0, exchanges=2, pipelines=pipelines)

    assert parts(table, "of a table") == parts(table, "typed")
    assert parts(table, "typed")["tts"] == pytest.approx(0.5)  # a minute of the agent's


@pytest.mark.parametrize("given", [[PLAIN], {"mine": 0.3}])
def test_pipelines_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="pipelines"):
        compare_costs(1.0, pipelines=given)  # type: ignore[arg-type]
