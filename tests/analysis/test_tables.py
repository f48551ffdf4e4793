from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.analysis import tables
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.voices import Voices
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.input_clock import InputClock
from tests.analysis.table_rows import missing, row
from tests.made_recording import MadeRecording
from tests.scripted_session import SERVER_VAD, LiveSession, session, three_turns

BUFFER = "input_audio_buffer"
SILENCE = np.zeros(24_000, np.float32)


@pytest.fixture(scope="module")
def live() -> LiveSession:
    live = LiveSession()
    three_turns(live)
    return live


def test_spoken_turn_by_hand(live: LiveSession) -> None:
    first = row(tables.turns(live.conversation, live.clock), 0)

    assert first["turn"] == 1
    assert (first["user_item"], first["source"]) == ("user_1", "speech")
    assert first["user_text"] == "Which slots are free?"
    # Reported 700 to 2200 ms, with 300 ms of padding and a window of 200 ms: 7 frames of 32.
    assert (first["audio_start_ms"], first["audio_end_ms"]) == (700, 2200)
    assert (first["onset_ms"], first["offset_ms"]) == (1000, 1976)
    assert first["response_ids"] == ["resp_1"]
    assert first["agent_items"] == ["agent_1"]
    assert first["agent_text"] == first["heard_text"] == "All of Tuesday."
    assert not first["interrupted"]
    assert first["status"] == "completed"
    assert missing(first["reason"])
    assert first["calls"] == []
    assert (first["audio_ms"], first["played_ms"], first["unheard_ms"]) == (2000, 2000, 0)
    # E = 1 + 1.976, sent with the chunk that ends at 1980; STOP = 3.25; RC = 3.3; A1 = 3.7;
    # P1 = 3.78.
    assert first["speech_end_source"] == first["onset_source"] == first["offset_source"] == "server"
    assert first["uplink_ms"] == 4
    assert first["endpoint_wait_ms"] == 270
    assert first["commit_wait_ms"] == 50
    assert first["model_first_audio_ms"] == 400
    assert first["playout_ms"] == 80
    assert first["latency_ms"] == 804
    assert missing(first["latency_note"])


def test_typed_turn_with_a_call_and_a_barge_in_by_hand(live: LiveSession) -> None:
    second = row(tables.turns(live.conversation, live.clock), 1)

    assert (second["source"], second["user_text"]) == ("typed", "Book ten o'clock.")
    assert second["response_ids"] == ["resp_2", "resp_3", "resp_4"]
    assert second["agent_items"] == ["agent_2", "agent_3"]
    assert second["calls"] == ["book"]
    # 1.2 of 4 s is 30 % of 51 letters, 15: the last whole word before that is "there".
    assert second["heard_text"] == "Booked for ten. Is there"
    assert second["interrupted"]
    assert (second["audio_ms"], second["played_ms"], second["unheard_ms"]) == (5500, 2700, 2800)
    assert missing(second["latency_ms"])
    assert missing(second["onset_ms"])
    assert second["latency_note"] == "typed"
    # RC = 7.1 of the response that called; A1 = 8.8, P1 = 8.9 of the one that went on.
    assert (second["model_first_audio_ms"], second["playout_ms"]) == (1700, 100)


def test_turn_whose_answer_was_cancelled(live: LiveSession) -> None:
    third = row(tables.turns(live.conversation, live.clock), 2)

    assert (third["status"], third["reason"]) == ("cancelled", "client_cancelled")
    assert third["latency_note"] == "no spoken answer"
    # E = 1 + 14.016, sent with the chunk that ends at 14,020; STOP = 15.3
    assert (third["uplink_ms"], third["endpoint_wait_ms"]) == (4, 280)
    assert missing(third["latency_ms"])
    assert third["agent_items"] == []


def test_latency_table_by_hand(live: LiveSession) -> None:
    table = tables.latency(live.conversation, live.clock)

    first = row(table, 0)
    moments = ("speech_end_s", "sent_s", "stop_s", "commit_s", "response_s", "first_audio_s")
    assert [first[name] for name in moments] == [2.976, 2.98, 3.25, 3.251, 3.3, 3.7]
    assert first["played_s"] == 3.78
    assert (first["transcript_ms"], first["answer_ms"]) == (300, 450)
    assert list(table.had_calls) == [False, True, False]
    assert list(table.interrupted) == [False, True, False]
    assert row(table, 1)["answer_ms"] == 4400  # RC = 7.1 of the first, done at 11.5 the last


def test_speech_by_hand(live: LiveSession) -> None:
    table = tables.speech(live.conversation, live.clock)

    assert row(table, 1) == {
        "note": None,
        "item_id": "user_3",
        "source": "server",
        "audio_start_ms": 11_700,
        "audio_end_ms": 14_240,
        "onset_ms": 12_000,
        "offset_ms": 14_016,
        "onset_source": "server",
        "offset_source": "server",
        "duration_ms": 2_016,
        "onset_s": 13.0,
        "offset_s": 15.016,
        "started_s": 13.19,
        "stopped_s": 15.3,
        "detection": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    }


def test_usage_by_hand(live: LiveSession) -> None:
    table = tables.usage(live.conversation)

    assert list(table.response_id) == [
        "resp_1",
        "resp_2",
        "resp_3",
        "resp_side",
        "resp_4",
        "resp_5",
    ]
    assert [None if missing(turn) else turn for turn in table.turn] == [1, 2, 2, None, 2, 3]
    assert row(table, 0) == {
        "note": None,
        "turn": 1,
        "response_id": "resp_1",
        "status": "completed",
        "input_tokens": 132,
        "cached_tokens": 64,
        "output_tokens": 188,
        "total_tokens": 320,
        "input_text_tokens": 59,
        "input_audio_tokens": 73,
        "cached_text_tokens": 0,
        "cached_audio_tokens": 64,
        "output_text_tokens": 41,
        "output_audio_tokens": 147,
    }


def test_counts_of_tokens_however_they_are_written() -> None:
    conversation = Conversation()
    usage = {
        "input_tokens": "1,203",
        "output_tokens": 121.0,
        "total_tokens": "many",
        "input_tokens_details": {"text_tokens": "1190", "audio_tokens": True},
        "output_token_details": None,
    }
    done = {"id": "r", "status": "completed", "usage": usage}
    conversation.apply(ev.ResponseDone(response=done), 1.0)

    counts = tables.usage(conversation).iloc[0]

    assert (counts.input_tokens, counts.output_tokens, counts.input_text_tokens) == (
        1203,
        121,
        1190,
    )
    for unknown in ("total_tokens", "input_audio_tokens", "cached_tokens", "output_text_tokens"):
        assert missing(counts[unknown])
    assert conversation.usage == {
        "input_tokens": 1_203,
        "cached_tokens": 0,
        "output_tokens": 121,
        "total_tokens": 0,
    }


def test_tables_of_nothing_have_their_columns() -> None:
    empty, clock = Conversation(), InputClock()

    assert "latency_note" in tables.turns(empty, clock).columns
    assert set(LATENCY_PARTS) <= set(tables.latency(empty, clock).columns)
    assert "resume_ms" in tables.calls(empty).columns
    assert "offset_s" in tables.speech(empty, clock).columns
    assert "cached_tokens" in tables.usage(empty).columns


# --- what belongs to a turn ---


def test_call_output_that_comes_after_the_next_turn_belongs_to_its_own() -> None:
    live = LiveSession()
    live.received(0.1, "session.created", session=session())
    live.user_item(1.0, "user_1", "Book it.")
    live.response_begins(1.1, "resp_1")
    call = {"id": "c", "type": "function_call", "name": "book", "call_id": "call_1"}
    live.received(1.2, "response.output_item.done", item=call, response_id="resp_1")
    live.response_ends(1.3, "resp_1")
    live.user_item(2.0, "user_2", "What's the time?")
    live.response_begins(2.1, "resp_2")
    live.response_ends(2.2, "resp_2")
    output = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
    live.sent(3.0, "conversation.item.create", item=output)
    live.response_begins(3.1, "resp_3")
    live.response_ends(3.2, "resp_3")
    live.response_begins(4.1, "resp_4")

    turns = tables.turns(live.conversation, live.clock)

    assert list(turns.response_ids) == [["resp_1", "resp_3"], ["resp_2", "resp_4"]]


def test_greeting_belongs_to_no_turn() -> None:
    live = LiveSession()
    live.response_begins(0.5, "resp_0")
    live.spoken_answer(0.6, "resp_0", "agent_0", "Welcome.", SILENCE)
    live.user_item(2.0, "user_1", "Thanks.")

    assert list(tables.turns(live.conversation, live.clock).response_ids) == [[]]
    assert tables.usage(live.conversation).turn.isna().all()


def spoken(live: LiveSession, played_s: float | None = 2.0) -> dict[str, Any]:
    """The row of a turn whose speech ends at 800 ms of the input, answered from 1.7 s on."""
    live.received(1.3, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="user_1")
    live.received(1.5, "input_audio_buffer.speech_stopped", audio_end_ms=1_024, item_id="user_1")
    live.user_item(1.5, "user_1", "Hello.")
    live.response_begins(1.6, "resp_1")
    live.spoken_answer(1.7, "resp_1", "agent_1", "Hi.", SILENCE)
    if played_s is not None:
        live.playback("agent_1", 0.0, "started", played_s)
    return row(tables.turns(live.conversation, live.clock), 0)


def append(live: LiveSession, t_s: float, ms: int, captured_s: float | None = None) -> None:
    audio = base64.b64encode(bytes(48 * ms)).decode()
    live.sent(t_s, "input_audio_buffer.append", captured_s=captured_s, audio=audio)


def test_input_that_was_pushed_in_has_no_latency() -> None:
    live = LiveSession()
    live.received(0.1, "session.created", session=session())
    append(live, 1.0, 1_100)

    values = spoken(live)

    assert values["latency_note"] == "input was not sent in real time"
    assert missing(values["latency_ms"])
    assert missing(values["endpoint_wait_ms"])
    assert values["playout_ms"] == 300


def test_playback_that_nobody_reports_is_unknown() -> None:
    live = LiveSession()
    live.received(0.1, "session.created", session=session())
    for chunk in range(11):
        append(live, 0.2 + 0.1 * chunk, 100)

    values = spoken(live, played_s=None)

    assert values["latency_note"] == "playback was not reported"
    assert missing(values["played_ms"])
    assert missing(values["unheard_ms"])
    assert missing(values["latency_ms"])
    assert values["endpoint_wait_ms"] == 600  # E: the chunk that brought it to 800 ms left at 0.9
    assert values["model_first_audio_ms"] == 100


def test_semantic_vad_does_not_tell_when_speech_ended() -> None:
    live = LiveSession()
    effective = session()
    effective["audio"]["input"]["turn_detection"] = {"type": "semantic_vad", "eagerness": "auto"}
    live.received(0.1, "session.created", session=effective)
    for chunk in range(11):
        append(live, 0.2 + 0.1 * chunk, 100)

    assert spoken(live)["latency_note"] == "semantic_vad does not tell when speech ended"


def chunked(live: LiveSession, detection: dict[str, Any] | None) -> None:
    """1100 ms of audio in real time, the sample at ``ms`` from ``0.1 + ms / 1000`` s."""
    effective = session()
    effective["audio"]["input"]["turn_detection"] = detection
    live.received(0.1, "session.created", session=effective)
    for chunk in range(11):
        append(live, 0.2 + 0.1 * chunk, 100)


def heard(*spans_ms: tuple[float, float]) -> Voices:
    return Voices([], [], list(spans_ms))


SEMANTIC = {"type": "semantic_vad", "eagerness": "auto"}


def test_with_semantic_vad_speech_ends_where_the_offline_detector_hears_it() -> None:
    live = LiveSession()
    chunked(live, SEMANTIC)
    spoken(live)
    voices = heard((96.0, 300.0), (400.0, 640.0), (1_060.0, 1_090.0))  # the last came too late

    assert tables.needs_voices(live.conversation)
    (turn,) = tables.turns(live.conversation, live.clock, voices).round(6).to_dict("records")
    (heard_one,) = tables.speech(live.conversation, live.clock, voices).to_dict("records")

    assert (turn["onset_ms"], turn["offset_ms"]) == (96, 640)
    assert turn["onset_source"] == turn["offset_source"] == "offline_vad"
    assert turn["speech_end_source"] == "offline_vad"
    assert missing(turn["latency_note"])
    # E = 0.74, sent at 0.8; STOP = 1.5; P1 = 2.
    assert (turn["uplink_ms"], turn["endpoint_wait_ms"], turn["latency_ms"]) == (60, 700, 1_260)
    assert (heard_one["source"], heard_one["offset_source"]) == ("server", "offline_vad")
    assert (heard_one["onset_ms"], heard_one["offset_ms"]) == (96, 640)


def test_semantic_vad_that_heard_no_voice() -> None:
    live = LiveSession()
    chunked(live, SEMANTIC)
    spoken(live)

    turn = row(tables.turns(live.conversation, live.clock, heard((1_060, 1_090))), 0)
    (one,) = tables.speech(live.conversation, live.clock).to_dict("records")

    assert turn["latency_note"] == "no voice in its audio"
    assert missing(turn["speech_end_source"]) and missing(turn["uplink_ms"])
    assert missing(one["onset_ms"]) and missing(one["offset_source"])  # without voices


def test_push_to_talk_is_measured_from_the_end_of_the_voice() -> None:
    live = LiveSession()
    chunked(live, None)
    live.user_item(0.75, "user_1", "First.")
    live.user_item(1.5, "user_2", "Hello.")
    live.response_begins(1.6, "resp_1")
    live.spoken_answer(1.7, "resp_1", "agent_1", "Hi.", SILENCE)
    live.playback("agent_1", 0.0, "started", 2.0)

    table = tables.latency(live.conversation, live.clock, heard((100, 350), (700, 850)))
    (first, second) = table.round(6).to_dict("records")

    assert needs_no_voices(live) is False
    assert first["latency_note"] == "no spoken answer"
    assert first["speech_end_s"] == 0.45
    # E = 0.95, sent at 1; the commit stands for STOP.
    assert (second["speech_end_s"], second["sent_s"], second["stop_s"]) == (0.95, 1.0, 1.5)
    assert second["speech_end_source"] == "offline_vad"
    assert [second[part] for part in LATENCY_PARTS] == [50, 500, 100, 100, 300]
    assert second["latency_ms"] == 1_050


def needs_no_voices(live: LiveSession) -> bool:
    return not tables.needs_voices(live.conversation)


def test_speech_that_was_committed_by_hand_ends_with_the_voice() -> None:
    live = LiveSession()
    chunked(live, SERVER_VAD)
    live.received(0.6, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="user_1")
    live.user_item(1.5, "user_1", "Hello.")

    turn = row(tables.turns(live.conversation, live.clock, heard((96, 600))), 0)

    assert (turn["onset_ms"], turn["onset_source"]) == (96, "offline_vad")  # no room for padding
    assert (turn["offset_ms"], turn["offset_source"]) == (600, "offline_vad")
    assert not needs_no_voices(live)


def test_a_label_says_where_speech_ended() -> None:
    live = LiveSession()
    chunked(live, SERVER_VAD)
    spoken(live)
    marks = pd.DataFrame(
        [(0.5, "speech end"), (0.83, "speech end"), (0.9, "cough"), (2.5, "speech end")],
        columns=["t_s", "text"],
    )

    turn = row(tables.turns(live.conversation, live.clock, labels=marks), 0)
    late = marks[marks.t_s == 0.83].assign(t_s=1.9)

    assert missing(turn["onset_source"])
    assert (turn["speech_end_source"], turn["offset_source"]) == ("label", "server")
    # E = 0.83, captured in the chunk that left at 0.9; STOP = 1.5; P1 = 2.
    assert (turn["uplink_ms"], turn["endpoint_wait_ms"], turn["latency_ms"]) == (70, 600, 1_170)
    turn = row(tables.turns(live.conversation, live.clock, labels=late), 0)
    assert turn["latency_note"] == "the label lies after the audio"
    assert missing(turn["latency_ms"]) and missing(turn["speech_end_source"])


def test_push_to_talk_has_no_reported_end_of_speech() -> None:
    live = LiveSession()
    live.user_item(1.0, "user_1", "Hello.")

    values = row(tables.turns(live.conversation, live.clock), 0)

    assert (values["source"], values["latency_note"]) == ("speech", "no end of speech was reported")


def test_answer_that_was_flushed_without_a_truncation_is_interrupted() -> None:
    live = LiveSession()
    live.user_item(1.0, "user_1", "Hello.")
    live.response_begins(1.1, "resp_1")
    live.spoken_answer(1.2, "resp_1", "agent_1", "Hi.", SILENCE)
    live.playback("agent_1", 0.0, "started", 1.3)
    live.playback("agent_1", 400.0, "flushed", 1.7)

    values = row(tables.turns(live.conversation, live.clock), 0)

    assert values["interrupted"]
    assert (values["played_ms"], values["unheard_ms"]) == (400, 600)


STARTED = (0.0, "started", 2.0)


@pytest.mark.parametrize(
    ("reports", "status", "heard", "source"),
    [
        ([], "completed", None, None),
        ([STARTED, (1_000.0, "finished", 3.0)], "completed", "One two three four.", "whole"),
        ([STARTED, (500.0, "flushed", 2.5)], "completed", "One two", "length"),
        ([STARTED, (500.0, "flushed", 2.5)], "cancelled", "One two", "interleaved"),
        ([STARTED, (1_000.0, "flushed", 3.0)], "cancelled", "One two three four.", "interleaved"),
        ([STARTED, (500.0, "flushed", 2.5)], "in_progress", "One two", "interleaved"),
        ([STARTED, (math.nan, "flushed", 2.5)], "completed", None, None),
    ],
)
def test_what_was_heard_of_an_answer(
    reports: list[tuple[float, Any, float]], status: str, heard: str | None, source: str | None
) -> None:
    """Of 17 letters, six are over after 353 ms of a second, eleven after 647. The text comes behind
    the audio, so that it is in it also where the answer was cut on the way."""
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Count.")
    rec.answer(1.5, "resp_1", 1_000, "One two three four.", status=status)
    for report in reports:
        rec.played("resp_1_item", *report)

    (found,), (known_by,) = rec.turns.heard_text, rec.turns.heard_source
    assert (None if missing(found) else found) == heard
    assert (None if missing(known_by) else known_by) == source


def test_words_without_a_sound_were_not_heard() -> None:
    """Of a spoken answer that was cut off before its first audio nothing was heard, whatever its
    transcript says; a written one is read."""
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Count.")
    rec.answer(1.5, "resp_1", 1_000, "One.")
    rec.played("resp_1_item", 0.0, "started", 1.6)
    rec.played("resp_1_item", 1_000.0, "finished", 2.6)
    rec.user(3.0, "user_2", "And on.")
    rec.answer(3.5, "resp_2", 0, "Two three.", status="incomplete")

    turns = rec.turns

    assert turns.agent_text.tolist() == ["One.", "Two three."]
    assert turns.heard_text.tolist() == ["One.", ""]
    assert turns.audio_ms.tolist() == [1_000.0, 0.0]
