"""Metrics of how long things took, as paper has them."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.metrics.latency import latency_figures
from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from tests.analysis.metrics.made_calls import called, reasons, response, returned, why
from tests.made_recording import MadeRecording
from tests.spoken_recording import begun, spoken


def test_turns_with_calls_are_in_no_percentile_with_others() -> None:
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "Book ten.")
    response(rec, 4.5, "in_progress")
    called(rec, 4.6)
    returned(rec, 4.7, "done")
    rec.answer(5.0, "resp_3", 1_000, "Booked.")
    rec.played("resp_3_item", 0.0, "started", 5.5)

    found = latency_figures(rec)

    assert found["latency_with_calls_ms"].value == pytest.approx(1_500)
    for name in ("latency_ms", "latency_first_turn_ms", *LATENCY_PARTS):
        assert found[name].reason == "there are no such turns"


def test_a_call_that_nothing_followed() -> None:
    rec = begun()
    rec.user(1.0, "user_1", "Book it.")
    called(rec, 1.5)

    found = reasons(rec)

    assert found["tool_run_ms"] == "no call has an output"
    assert found["tool_queue_ms"] == "when the function began to run is not recorded"
    assert found["tool_resume_ms"] == found["silent_tool_gap_ms"] == "no answer followed a call"
    assert found["tool_decide_ms"] == "the responses are unknown"
    assert metrics(rec).value["tool_orphans"] == 1


def test_a_log_whose_time_begins_with_its_first_event_does_not_tell_when_it_was_opened() -> None:
    rec = MadeRecording()
    rec.got(0.0, "session.created", session={})
    rec.got(0.2, "session.updated", session={})
    rec.answer(1.0, "resp_1", 1_000, "Hello.")
    rec.played("resp_1_item", 0.0, "started", 1.3)

    found = reasons(rec)

    assert found["session_created_ms"] == "when the connection opened is not in the log"
    assert found["first_audio_ms"] == "when the connection opened is not in the log"
    assert metrics(rec).value["session_updated_ms"] == pytest.approx(200)


def test_latency_by_kinds_of_turns() -> None:
    """Answers after 1, 2 and 3 s; the second is interrupted."""
    rec = begun()
    for number in range(3):
        offset_s = 4.0 + 15 * number
        onset_ms = round((offset_s - 1) * 1000) - 1_000
        spoken(rec, f"user_{number}", onset_ms, onset_ms + 1_000, stopped_s=offset_s + 0.3)
        rec.user(offset_s + 0.35, f"user_{number}", "What is free?")
        rec.answer(offset_s + 0.5, f"resp_{number}", 2_000, "All of it.")
        begun_s = offset_s + 1 + number
        rec.played(f"resp_{number}_item", 0.0, "started", begun_s)
        heard_ms, kind = (500.0, "flushed") if number == 1 else (2_000.0, "finished")
        rec.played(f"resp_{number}_item", heard_ms, kind, begun_s + heard_ms / 1000)

    found = latency_figures(rec)

    assert list(found["latency_interrupted_ms"].values) == pytest.approx([2_000])
    assert list(found["latency_undisturbed_ms"].values) == pytest.approx([3_000])
    assert found["latency_undisturbed_ms"].source == "server"
    assert why(latency_figures(begun())["latency_undisturbed_ms"]) == "there are no such turns"


def greeted(**header: Any) -> MadeRecording:
    rec = MadeRecording(header=header)
    rec.got(0.1, "session.created", session={})
    rec.got(0.3, "session.updated", session={})
    rec.got(0.4, "session.updated", session={})
    rec.answer(1.0, "resp_1", 1_000, "Hello.")
    return rec


def test_from_the_update_to_the_first_audio() -> None:
    figure = latency_figures(greeted())["update_to_first_audio_ms"]
    assert figure.value == pytest.approx(800)
    assert (figure.unit, figure.source) == ("ms", "server")

    def reason(rec: MadeRecording) -> str | None:
        return why(latency_figures(rec)["update_to_first_audio_ms"])

    assert reason(MadeRecording()) == "the agent did not speak"
    assert "4 times" in (reason(greeted(speed=4)) or "")
    rec = MadeRecording()
    rec.answer(1.0, "resp_1", 1_000, "Hello.")
    assert reason(rec) == "the session was not configured"
    rec.got(2.0, "session.updated", session={})
    assert reason(rec) == "the session was configured after the agent began"
    rec.conversation.items["resp_1_item"].first_audio_s = None
    assert reason(rec) == "its time is not known"


def test_the_metric_of_contradictory_waits_says_why_there_is_none() -> None:
    rec = begun()
    spoken(rec, "u", 1_000, 2_000, 2.5)  # reported half a second before it was sent
    rec.user(2.5, "u", "Hello.")
    rec.answer(3.4, "r", 500, "Yes.")
    rec.played("r_item", 0.0, "started", 3.6)
    figure = latency_figures(rec)["endpoint_wait_ms"]
    assert figure.value != figure.value
    assert "came before its sending" in str(figure.reason)
