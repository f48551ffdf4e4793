from __future__ import annotations

import math

import pandas as pd
import pytest

from realtime_nb.analysis.cost_comparison import PipelineAssumptions, compare_costs
from realtime_nb.analysis.prices import DurationPrice, Price
from realtime_nb.errors import ConfigurationError
from tests.analysis.test_costs import two_turns
from tests.made_recording import MadeRecording

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
    rec = two_turns()
    for item_id in ("user_1", "user_2"):
        rec.conversation.items[item_id].audio_ms = 6_000.0

    table = compare_costs(rec, models=("gpt-realtime",), assumptions=PLAIN)

    realtime = parts(table, "gpt-realtime")
    assert realtime["user's input"] == pytest.approx(120 * 32e-6)
    assert realtime["agent's audio"] == pytest.approx(160 * 64e-6)
    assert realtime["agent's transcript"] == pytest.approx(6 * 16e-6)  # 3 words each
    assert parts(table, "stt + llm + tts")["llm"] == pytest.approx((3 * 1 + 6 * 2) / 1e6)
    assert table.usd_per_minute.tolist() == pytest.approx((table.usd_per_conversation * 2).tolist())


@pytest.mark.parametrize("model", ["unheard-of", "gpt-transcribe"])
def test_no_price_no_figure(model: str) -> None:
    table = compare_costs(1.0, models=(model,))

    assert math.isnan(parts(table, model)["total"])
    assert not math.isnan(parts(table, "stt + llm + tts")["total"])
    own = compare_costs(1.0, models=(model,), prices={model: Price(1, 1, 1, 1, 1, 1)})
    assert parts(own, model)["total"] > 0
    by_duration = compare_costs(1.0, models=(model,), prices={model: DurationPrice(1)})
    assert math.isnan(parts(by_duration, model)["total"])


def test_nothing_to_compare() -> None:
    for talk in (0, -1.0, MadeRecording()):
        with pytest.raises(ConfigurationError, match="no talk"):
            compare_costs(talk)
    with pytest.raises(ConfigurationError, match="user_share is 2"):
        compare_costs(1, user_share=2)
    with pytest.raises(ConfigurationError, match="cached_share is 80"):
        PipelineAssumptions(cached_share=80)
