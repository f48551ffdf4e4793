from __future__ import annotations

import math
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.analysis.stages import AMOUNTS, COSTS, STAGE_PARTS, stages
from tests.analysis.stage_talk import MOMENTS, answered, heard, talked
from tests.made_recording import MadeRecording

TIMES = (*STAGE_PARTS, "stt_ms", "llm_ms", "head_start_ms")


def one_row(rec: MadeRecording, **prices: rt.Price | rt.DurationPrice) -> Any:
    (row,) = stages(rec, prices).to_dict("records")
    return row


def test_the_stages_are_differences_on_one_clock_each_and_add_up() -> None:
    row = one_row(talked(MOMENTS))

    assert row["latency_ms"] == pytest.approx(700)  # 3.0 s to 3.7 s on the session's clock
    assert row["vad_ms"] == pytest.approx(224)  # seven frames of 32 ms on the audio's
    assert row["stt_wait_ms"] == pytest.approx(60)  # the rest is the server's
    assert row["stt_ms"] == pytest.approx(150)
    assert row["calls_ms"] == 0
    assert row["llm_first_token_ms"] == pytest.approx(140)
    assert row["llm_sentence_ms"] == pytest.approx(60)
    assert row["llm_ms"] == pytest.approx(700)
    assert row["tts_first_audio_ms"] == pytest.approx(80)
    assert row["head_start_ms"] == pytest.approx(90_060 + 700 - 90_340)
    assert row["transport_ms"] == pytest.approx(700 - 224 - 60 - 140 - 60 - 80)
    assert sum(row[part] for part in STAGE_PARTS) == pytest.approx(row["latency_ms"])
    assert math.isnan(row["llm_usd"])
    assert "no price is known for brain" in row["cost_note"]


def test_amounts_are_priced_by_the_engines_names_and_cached_tokens_as_such() -> None:
    row = one_row(
        talked(MOMENTS),
        ears=rt.DurationPrice(0.006),
        brain=rt.Price(text_in=10.0, text_cached=1.0, text_out=100.0),
        mouth=rt.DurationPrice(0.03),
    )

    assert row["stt_usd"] == pytest.approx(3 / 60 * 0.006)
    assert row["llm_usd"] == pytest.approx((60 * 10 + 40 * 1 + 30 * 100) / 1e6)
    assert row["tts_usd"] == pytest.approx(6 / 60 * 0.03)
    assert row["tts_characters"] == 80


def test_a_hosted_service_tells_no_stages() -> None:
    table = stages(talked())
    row = table.to_dict("records")[0]

    assert (row["latency_ms"], row["vad_ms"]) == (pytest.approx(700), pytest.approx(224))
    for name in (*TIMES[1:], *AMOUNTS, *COSTS):
        assert table[name].isna().all(), name
        assert name in row["stages_note"] + row["cost_note"], name
    assert "the server tells no stages" in row["stages_note"]
    assert table.attrs["columns"]["vad_ms"]["source"] == "the input-sample clock"


def test_of_a_turn_with_calls_both_requests_are_seen() -> None:
    silent = ("sentence_ms", "sent_ms", "tts_characters", "tts_audio_ms", "tts")
    first = {name: value for name, value in MOMENTS.items() if name not in silent}
    rec = heard()
    response = {"id": "resp_0", "conversation_id": "conv"}
    rec.got(3.3, "response.created", response=response)
    call = {"id": "call_item", "type": "function_call", "call_id": "call_1", "name": "look"}
    rec.got(3.4, "response.output_item.added", response_id="resp_0", item=call)
    rec.got(3.4, "realtime_nb.stages", response_id="resp_0", **first)
    rec.got(3.4, "response.done", response={**response, "status": "completed"})
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    rec.sent(4.4, "conversation.item.create", item=output)
    second: dict[str, Any] = {"asked_ms": 91_160.0}
    second |= {"first_token_ms": 91_180.0, "thinking_ms": 30.0}
    second |= {"sentence_ms": 91_190.0, "sent_ms": 91_250.0, "llm": "brain", "tts": "mouth"}
    second |= {"input_tokens": 120, "output_tokens": 5}
    second |= {"tts_characters": 9, "tts_audio_ms": 500.0}
    answered(rec, "1", 4.5, second)

    row = one_row(rec)

    assert row["calls_ms"] == pytest.approx(1_100)  # 90,060 to 91,160
    assert row["llm_first_token_ms"] == pytest.approx(20)
    assert row["stt_wait_ms"] == pytest.approx(60)
    assert (row["input_tokens"], row["output_tokens"]) == (220, 35)
    assert row["tts_audio_s"] == pytest.approx(0.5)
    assert sum(row[part] for part in STAGE_PARTS) == pytest.approx(row["latency_ms"])


@pytest.mark.parametrize(
    ("left_out", "unknown", "why"),
    [
        ("sent_ms", "tts_first_audio_ms", "it did not come to that"),
        ("first_token_ms", "llm_first_token_ms", "it did not come to that"),
        (
            *("thinking_ms", "llm_ms"),
            "the answer was cut off before the model had said all of it",
        ),
        ("committed_ms", "stt_wait_ms", "it was not heard by the server's recognition"),
        ("output_tokens", "output_tokens", "the engine does not count its tokens"),
        ("stt_audio_ms", "stt_audio_s", "it was not heard by the server's recognition"),
    ],
)
def test_what_is_missing_has_its_reason(left_out: str, unknown: str, why: str) -> None:
    told = {name: value for name, value in MOMENTS.items() if name != left_out}

    row = one_row(talked(told))

    assert row[unknown] != row[unknown] or row[unknown] is None or str(row[unknown]) == "<NA>"
    assert any(
        unknown in names.split(", ") and reason == why
        for names, _, reason in (one.partition(": ") for one in row["stages_note"].split("; "))
    )


def test_stages_that_are_longer_than_the_whole_are_no_measure_of_the_way() -> None:
    row = one_row(talked({**MOMENTS, "sent_ms": 95_000.0}))

    assert math.isnan(row["transport_ms"])
    assert "transport_ms: the other stages are longer than the whole" in row["stages_note"]


def test_sessions_without_turns_have_the_same_columns() -> None:
    empty = stages(MadeRecording())

    assert len(empty) == 0
    assert list(empty.columns) == list(stages(talked(MOMENTS)).columns)
