"""Interruptions by hand: the sample at ``ms`` of the input is captured at ``1 + ms / 1000`` s."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.interruptions import (
    interruptions,
    playback_spans,
)
from realtime_nb.audio.files import load_audio
from tests.analysis.untimed_log import untimed
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.spoken_recording import begun, voiced

AGENT = load_audio(DATA / "austen_0880.wav")


def speaking(rec: MadeRecording) -> None:
    """The user asks, and 4 s of answer are played from 10.2 s on."""
    rec.user(9.5, "user_1", "Tell me.")
    rec.answer(10.0, "resp_1", 4_000, "A long answer it is.")
    rec.played("resp_1_item", 0.0, "started", 10.2)


def spoken_over(rec: MadeRecording, text: str | None, length_ms: int = 800) -> None:
    """From 11.5 s on; the agent is stopped at 11.8."""
    # Onset 10,500; two frames less than the reported end are silence of the window: 7 × 32 = 224.
    rec.got(11.7, "input_audio_buffer.speech_started", audio_start_ms=10_200, item_id="user_2")
    rec.played("resp_1_item", 1_600.0, "flushed", 11.8)
    end_ms = 10_500 + length_ms + 224
    rec.got(13.0, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id="user_2")
    if text is None:
        rec.got(13.0, "input_audio_buffer.committed", item_id="user_2")
    else:
        rec.user(13.0, "user_2", text)


def truncated(rec: MadeRecording, audio_end_ms: int) -> None:
    where = {"item_id": "resp_1_item", "content_index": 0, "audio_end_ms": audio_end_ms}
    rec.got(11.9, "conversation.item.truncated", **where)


def only_row(rec: MadeRecording, **options: float) -> dict[str, Any]:
    table = interruptions(rec, **options)
    (row,) = records(table.round(6))
    return row


def test_barge_in_by_hand() -> None:
    rec = begun()
    speaking(rec)
    spoken_over(rec, "No, the other one.")
    truncated(rec, 1_700)

    assert only_row(rec) == {
        "kind": "interruption",
        "turn": 1,
        "item_id": "resp_1_item",
        "user_item": "user_2",
        "onset_s": 11.5,
        "detected_s": 11.7,
        "stopped_s": 11.8,
        "response_ms": 300,
        "detection_ms": 200,
        "flush_ms": 100,
        "played_ms": 1_600,
        "received_ms": 4_000,
        "unheard_ms": 2_400,
        "remembered_ms": 1_700,
        "over_remembered_ms": 100,
        "cause": "user",
        "false": False,
        "echo_score": 0,
        "user_text": "No, the other one.",
        "source": "server",
        "note": None,
    }


def test_without_a_truncation_the_model_remembers_all() -> None:
    rec = begun()
    speaking(rec)
    spoken_over(rec, "No.")

    row = only_row(rec)

    assert (row["remembered_ms"], row["over_remembered_ms"]) == (4_000, 2_400)


@pytest.mark.parametrize(
    ("text", "length_ms", "voiced_ms", "cause"),
    [
        ("Stop.", 800, 600, "user"),
        ("", 800, 600, "empty"),
        (" [noise] … (coughing) ♪ la ♪ ", 800, 600, "empty"),
        ("Thanks for watching!", 800, 600, "phantom_phrase"),
        ("Thank you.", 800, 200, "phantom_phrase"),
        ("Thank you.", 800, 600, "user"),
        ("Uh-huh.", 800, 600, "backchannel"),
        ("Okay, okay. Yeah.", 800, 600, "backchannel"),
        ("Okay, stop.", 800, 600, "user"),
        ("Okay.", 200, 200, "backchannel"),
        ("Stop.", 249, 200, "short"),
        ("Stop.", 250, 200, "user"),
    ],
)
def test_causes(text: str, length_ms: int, voiced_ms: int, cause: str) -> None:
    rec = begun()
    speaking(rec)
    spoken_over(rec, text, length_ms)
    voiced(rec, (10_500, 10_500 + voiced_ms))

    row = only_row(rec)

    assert (row["cause"], row["false"]) == (cause, cause != "user")
    assert row["user_text"] == text.strip()
    assert row["note"] is None


def test_the_agent_that_hears_itself() -> None:
    rec = begun()
    speaking(rec)
    spoken_over(rec, "A long answer.")
    rec.output[round(10.2 * 24_000) :][: len(AGENT)] = AGENT
    echo = rec.output[round(11.38 * 24_000) : round(12.3 * 24_000)]  # 120 ms ago, at 11.5 s
    rec.input[10_500 * 24 :][: len(echo)] = 0.1 * echo

    row = only_row(rec)

    assert row["echo_score"] == pytest.approx(1.0, abs=0.02)
    assert (row["cause"], row["false"]) == ("echo", True)
    assert only_row(rec, echo_threshold=1.1)["cause"] == "user"


def test_speech_that_nobody_wrote_down_is_judged_by_its_length() -> None:
    rec = begun()
    speaking(rec)
    spoken_over(rec, None)

    row = only_row(rec)

    assert row["cause"] == "user"
    assert row["note"] == "the user's speech was not transcribed"
    assert only_row(rec, min_ms=900)["cause"] == "short"


def test_the_program_interrupts() -> None:
    rec = begun()
    speaking(rec)
    rec.played("resp_1_item", 1_600.0, "flushed", 11.8)
    voiced(rec, (9_000, 9_100), (12_000, 12_500))  # before and after it

    row = only_row(rec)

    assert (row["cause"], row["false"]) == ("program", False)
    assert math.isnan(row["onset_s"]) and math.isnan(row["response_ms"])
    assert row["user_item"] is None and row["source"] is None
    assert row["note"] == "the server reported no speech"
    assert row["unheard_ms"] == 2_400


def test_speech_that_only_the_offline_detector_heard() -> None:
    """As when the program's own detector interrupts."""
    rec = begun(None)
    speaking(rec)
    rec.played("resp_1_item", 1_600.0, "flushed", 11.8)
    voiced(rec, (10_600, 11_600))

    row = only_row(rec)

    assert (row["cause"], row["source"]) == ("user", "offline_vad")
    assert (row["onset_s"], row["response_ms"]) == (11.6, 200)
    assert math.isnan(row["detection_ms"])


def test_semantic_vad_has_its_onset_from_the_offline_detector() -> None:
    rec = begun({"type": "semantic_vad"})
    speaking(rec)
    spoken_over(rec, "No, the other one.")
    voiced(rec, (10_400, 11_000))

    row = only_row(rec)

    assert (row["onset_s"], row["source"], row["detection_ms"]) == (11.4, "offline_vad", 300)

    voiced(rec)

    row = only_row(rec)

    assert math.isnan(row["onset_s"]) and math.isnan(row["echo_score"])
    assert (row["cause"], row["source"]) == ("user", None)
    assert row["note"] == "when the user's speech began is unknown"


def cancelled(rec: MadeRecording, item_audio_ms: float = 4_000) -> None:
    rec.user(9.5, "user_1", "Tell me.")
    details = {"type": "cancelled", "reason": "turn_detected"}
    ended = {"status": "cancelled", "status_details": details}
    rec.answer(10.0, "resp_1", item_audio_ms, "A long answer it is.", **ended)


def test_without_playback_reports_the_server_tells_of_an_interruption() -> None:
    rec = begun()
    cancelled(rec)
    rec.got(11.7, "input_audio_buffer.speech_started", audio_start_ms=10_200, item_id="user_2")

    row = only_row(rec)

    assert (row["onset_s"], row["detected_s"]) == (11.5, 11.7)
    for name in ("stopped_s", "response_ms", "flush_ms", "played_ms", "unheard_ms"):
        assert math.isnan(row[name])
    assert math.isnan(row["over_remembered_ms"])
    assert row["remembered_ms"] == 4_000
    assert row["note"] == ("playback was not reported; the user's speech was not transcribed")


def test_a_cancelled_response_that_was_played_to_its_end_counts_when_it_was_spoken_over() -> None:
    rec = begun()
    cancelled(rec)
    rec.played("resp_1_item", 0.0, "started", 10.2)
    rec.played("resp_1_item", 4_000.0, "finished", 14.2)
    assert interruptions(rec).empty

    rec.got(11.7, "input_audio_buffer.speech_started", audio_start_ms=10_200, item_id="user_2")
    assert only_row(rec)["unheard_ms"] == 0


def test_what_was_not_cut_is_no_interruption() -> None:
    rec = begun()
    speaking(rec)
    rec.answer(12.0, "resp_2", 1_000, "And more.")
    rec.played("resp_1_item", 3_980.0, "flushed", 14.2)  # but for a rest of 20 ms
    rec.played("resp_2_item", 0.0, "flushed", 14.2)  # nobody heard any of it
    truncated(rec, 3_980)

    assert interruptions(rec).empty


# --- missed barge-ins ---


def finished(rec: MadeRecording) -> None:
    rec.played("resp_1_item", 4_000.0, "finished", 14.2)


def test_missed_barge_in_by_hand() -> None:
    rec = begun()
    speaking(rec)
    finished(rec)
    voiced(rec, (10_000, 10_300), (12_000, 12_299), (12_900, 14_000))  # the last until 15

    table = interruptions(rec)

    assert list(table.kind) == ["missed", "missed"]
    first, last = table.round(6).to_dict("records")
    assert (first["onset_s"], last["onset_s"]) == (11.0, 13.9)
    assert (last["turn"], last["item_id"]) == (1, "resp_1_item")
    assert (last["cause"], last["false"], last["source"]) == ("user", False, "offline_vad")
    assert last["note"] == "the server reported no speech"
    assert math.isnan(last["response_ms"]) and math.isnan(last["played_ms"])


def test_speech_that_the_server_heard_in_time_was_not_missed() -> None:
    rec = begun()
    speaking(rec)
    finished(rec)
    voiced(rec, (11_000, 12_000))
    rec.got(12.5, "input_audio_buffer.speech_started", audio_start_ms=10_700, item_id="user_2")
    assert interruptions(rec).empty

    voiced(rec, (10_999, 12_000))  # a millisecond too late
    assert list(interruptions(rec).onset_s) == [pytest.approx(11.999)]


def test_speech_that_began_before_the_agent_was_heard_before() -> None:
    rec = begun()
    rec.got(9.0, "input_audio_buffer.speech_started", audio_start_ms=7_700, item_id="user_0")
    speaking(rec)
    finished(rec)
    voiced(rec, (8_000, 10_500))
    assert interruptions(rec).empty

    rec.got(10.1, "input_audio_buffer.speech_stopped", audio_end_ms=9_000, item_id="user_0")
    assert list(interruptions(rec).onset_s) == [10.2]  # where the agent began


def test_echo_is_no_missed_barge_in() -> None:
    rec = begun()
    speaking(rec)
    finished(rec)
    voiced(rec, (10_500, 11_500))
    rec.output[round(10.2 * 24_000) :][: len(AGENT)] = AGENT
    echo = rec.output[round(11.38 * 24_000) : round(12.38 * 24_000)]
    rec.input[10_500 * 24 :][: len(echo)] = 0.1 * echo

    assert interruptions(rec).empty
    assert len(interruptions(rec, echo_threshold=1.1)) == 1


def test_without_turn_detection_nothing_can_be_missed() -> None:
    rec = begun(None)
    speaking(rec)
    finished(rec)
    voiced(rec, (10_500, 11_500))

    assert interruptions(rec).empty


def test_nothing_happened() -> None:
    assert interruptions(MadeRecording()).empty


def test_what_is_still_being_played_lasts_to_the_end() -> None:
    rec = begun()
    speaking(rec)

    assert [(span, item.id) for span, item in playback_spans(rec.conversation, 60.0)] == [
        ((10.2, 60.0), "resp_1_item")
    ]


def test_speech_that_the_server_heard_late_was_heard() -> None:
    """The user spoke over the agent from 12.0 s on; the server said so at 12.9 s."""
    rec = begun()
    speaking(rec)
    finished(rec)
    voiced(rec, (11_000, 13_000))
    rec.got(12.9, "input_audio_buffer.speech_started", audio_start_ms=11_500, item_id="user_2")

    (row,) = interruptions(rec).round(6).to_dict("records")

    assert (row["kind"], row["user_item"], row["item_id"]) == ("late", "user_2", "resp_1_item")
    assert (row["onset_s"], row["detected_s"], row["detection_ms"]) == (12.0, 12.9, 900)
    assert row["note"] == "the server reported it after 0.9 s"
    value = rec.metrics().value
    assert (value.missed_barge_ins, value.late_barge_ins, value.interruptions) == (0, 1, 0)
    assert value.barge_in_success_share == 0


def test_what_was_reported_of_other_words_does_not_count() -> None:
    """The report is of what was said two seconds later."""
    rec = begun()
    speaking(rec)
    finished(rec)
    voiced(rec, (10_500, 11_500))
    rec.got(14.0, "input_audio_buffer.speech_started", audio_start_ms=13_000, item_id="user_2")

    assert list(interruptions(rec).kind) == ["missed"]


SAID = st.sampled_from(["mhm", "Yeah.", "Can I speak with a person?", "Um..."])


@settings(max_examples=30)  # each writes a log and reads it
@given(
    turns=st.lists(st.tuples(SAID, st.booleans()), min_size=1, max_size=8),
    silent=st.frozensets(st.integers(0, 7)),
)
def test_counting_needs_no_clock(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[str, bool]], silent: frozenset[int]
) -> None:
    rec = untimed(tmp_path_factory.mktemp("log"), turns, silent=silent)

    table, figures = rec.interruptions(), rec.metrics()

    expected = [number for number, (_, cancelled) in enumerate(turns) if cancelled]
    assert sorted(table.turn) == [number + 1 for number in expected]
    assert figures.value.interruptions == len(expected)
    following = [turns[number + 1][0] for number in expected if number + 1 < len(turns)]
    false = sum(text in ("mhm", "Yeah.", "Um...") for text in following)
    assert figures.value.false_interruptions == false
    assert figures.reason.missed_barge_ins == "the log has no times"
