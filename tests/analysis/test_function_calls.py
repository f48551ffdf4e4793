"""Calls by hand: what they waited for, how long they ran, and how they ended."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis import tables
from realtime_nb.protocol.conversation import ToolReport
from realtime_nb.protocol.records import RunOutcome
from tests.scripted_session import LiveSession, three_turns

SILENCE = np.zeros(24_000, np.float32)
CANCELLED = (
    '{"error": "book was cancelled before it was done. It may have had an effect: check before you '
    'call it again."}'
)
UNKNOWN = pytest.approx(math.nan, nan_ok=True)


def test_calls_by_hand() -> None:
    live = LiveSession()
    three_turns(live)

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert call == {
        "turn": 2,
        "call_id": "call_1",
        "name": "book",
        "arguments": '{"time": "10:00"}',
        "output": '{"ok": true}',
        "status": "completed",
        "outcome": "ok",
        "response_id": "resp_2",
        "item_id": "call_item",
        "started_s": 7.4,
        "done_s": 7.5,
        "output_s": 8.3,
        "run_started_s": UNKNOWN,
        "run_ended_s": UNKNOWN,
        "run_outcome": None,
        "decide_ms": 400,
        "queue_ms": UNKNOWN,
        "queue_note": "when the function began to run is not recorded",
        "run_ms": 800,
        "run_note": "from whole arguments to the output",
        "send_ms": UNKNOWN,
        "others_ms": 0,
        "resume_ms": 500,
        "resume_note": None,
    }


def called(live: LiveSession, call_id: str, t_s: float) -> None:
    item = {"id": f"item_{call_id}", "type": "function_call", "name": "book", "call_id": call_id}
    live.received(t_s, "response.output_item.done", item=item, response_id="resp_1")


def returned(live: LiveSession, call_id: str, t_s: float, output: str) -> None:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    live.sent(t_s, "conversation.item.create", item=item)


def test_outcomes_of_calls() -> None:
    outputs = {
        "fine": '{"ok": true}',
        "with_note": '{"error": null, "ok": true}',
        "not_json": '{"error": ',
        "failed": '{"error": "ValueError: no such day"}',
        "slow": '{"error": "book took over 0.5 s."}',
        "cancelled": CANCELLED,
        "about_it": '{"error": "The booking was cancelled before it was done. Ask again."}',
    }
    live = LiveSession()
    live.user_item(1.0, "user_1", "Book it.")
    live.response_begins(1.1, "resp_1")
    for call_id, output in outputs.items():
        called(live, call_id, 1.2)
        returned(live, call_id, 1.3, output)
    for call_id in ("spoken_over", "failed_late", "typed_over", "forgotten"):
        called(live, call_id, 2.0)
    live.received(2.5, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="user_2")
    returned(live, "spoken_over", 2.6, "done")
    returned(live, "failed_late", 2.6, outputs["failed"])
    called(live, "between", 2.7)
    returned(live, "between", 2.8, "done")
    live.user_item(3.0, "user_3", "Stop.")
    returned(live, "typed_over", 3.1, "done")

    table = tables.calls(live.conversation).set_index("call_id")

    assert table.outcome.to_dict() == {
        "fine": "ok",
        "with_note": "ok",
        "not_json": "ok",
        "failed": "error",
        "slow": "timeout",
        "cancelled": "cancelled",
        "about_it": "error",
        "spoken_over": "late",
        "failed_late": "error",
        "typed_over": "late",
        "forgotten": "orphan",
        "between": "ok",
    }
    assert table.resume_ms.isna().all()


def test_resuming_is_the_earliest_audio_of_what_began_after_the_output() -> None:
    live = LiveSession()
    live.response_begins(1.1, "resp_1")
    called(live, "call_1", 1.2)
    returned(live, "call_1", 1.5, "done")
    live.response_begins(1.4, "before")
    live.response_begins(1.6, "later")
    live.response_begins(1.7, "sooner")
    live.spoken_answer(1.8, "before", "agent_1", "One.", SILENCE[:2_400])
    live.spoken_answer(1.9, "sooner", "agent_2", "Two.", SILENCE[:2_400])
    live.spoken_answer(2.0, "later", "agent_3", "Three.", SILENCE[:2_400])
    live.response_begins(2.1, "silent")

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert call["resume_ms"] == 400


def test_the_answer_to_the_next_turn_does_not_resume_a_call() -> None:
    live = LiveSession()
    live.user_item(0.5, "user_1", "Book it.")
    live.response_begins(1.1, "resp_1")
    called(live, "call_1", 1.2)
    returned(live, "call_1", 1.5, "done")
    live.user_item(30.0, "user_2", "Are you there?")
    live.response_begins(31.0, "resp_2")
    live.spoken_answer(31.5, "resp_2", "agent", "Yes.", SILENCE[:2_400])

    (call,) = tables.calls(live.conversation).to_dict("records")

    assert math.isnan(call["resume_ms"])


def ran(live: LiveSession, call_id: str, from_s: float, to_s: float, outcome: RunOutcome) -> None:
    live.tool(ToolReport(call_id, "started", from_s))
    live.tool(ToolReport(call_id, "ended", to_s, outcome))


def test_times_of_a_reported_run() -> None:
    live = LiveSession()
    live.response_begins(1.0, "resp_1")
    called(live, "call_1", 1.4)
    ran(live, "call_1", 1.5, 2.3, "ok")
    returned(live, "call_1", 2.35, "done")

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert (call["run_started_s"], call["run_ended_s"], call["run_outcome"]) == (1.5, 2.3, "ok")
    parts = ("decide_ms", "queue_ms", "run_ms", "send_ms")
    assert [call[part] for part in parts] == [400, 100, 800, 50]
    assert call["queue_note"] is None
    assert call["run_note"] == "from the beginning of its run to the end"


@pytest.mark.parametrize(
    ("reported", "output", "outcome"),
    [
        ("ok", '{"error": "no free slot"}', "ok"),
        ("error", "done", "error"),
        ("timeout", '{"error": "ValueError"}', "timeout"),
        ("invalid", "{}", "error"),
        ("cancelled", '{"error": "book took over 3 s."}', "cancelled"),
    ],
)
def test_a_reported_outcome_is_not_guessed(reported: RunOutcome, output: str, outcome: str) -> None:
    live = LiveSession()
    called(live, "call_1", 1.4)
    ran(live, "call_1", 1.5, 2.3, reported)
    returned(live, "call_1", 2.35, output)

    assert list(tables.calls(live.conversation).outcome) == [outcome]


def test_a_run_that_the_end_of_the_session_cut_short() -> None:
    live = LiveSession()
    called(live, "call_1", 1.4)
    ran(live, "call_1", 1.5, 2.3, "cancelled")

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert (call["outcome"], call["run_outcome"], call["run_ms"]) == ("orphan", "cancelled", 800)
    assert call["send_ms"] == UNKNOWN


def test_a_call_that_was_not_run() -> None:
    live = LiveSession()
    called(live, "call_1", 1.4)
    live.tool(ToolReport("call_1", "ended", 1.5, "invalid"))
    returned(live, "call_1", 1.5, "{}")

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert call["queue_ms"] == UNKNOWN
    assert call["queue_note"] == "it was not run: its arguments don't fit"
    assert math.isnan(call["run_ms"])
    assert call["run_note"] == "it was not run: its arguments don't fit"


def test_a_filler_is_not_what_the_agent_says_to_the_output() -> None:
    live = LiveSession()
    live.user_item(1.0, "user_1", "Book it.")
    live.response_begins(1.1, "resp_1")
    called(live, "call_1", 1.2)
    returned(live, "call_1", 2.2, "done")
    for response_id, began_s, metadata in (
        ("filler", 2.25, {"realtime_nb": "filler"}),
        ("answer", 3.0, {"of": "somebody"}),
    ):
        response = {"id": response_id, "status": "in_progress", "conversation_id": "c"}
        live.received(began_s, "response.created", response={**response, "metadata": metadata})
        item = {"id": f"item_{response_id}", "type": "message", "role": "assistant"}
        ids: dict[str, Any] = {"response_id": response_id, "output_index": 0}
        live.received(began_s, "response.output_item.added", item={**item, "content": []}, **ids)
        audio: dict[str, Any] = {"item_id": item["id"], "content_index": 0, "delta": "AAAA", **ids}
        live.received(began_s + 0.1, "response.output_audio.delta", **audio)
        live.response_ends(began_s + 0.5, response_id)

    (call,) = tables.calls(live.conversation).round(6).to_dict("records")

    assert call["resume_ms"] == 900
