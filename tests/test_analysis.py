from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb import analysis
from realtime_nb.analysis import LATENCY_PARTS, InputClock
from realtime_nb.protocol.conversation import Conversation
from tests.scripted_session import SERVER_VAD, LiveSession, session, three_turns

SILENCE = np.zeros(24_000, np.float32)


@pytest.fixture(scope="module")
def live() -> LiveSession:
    live = LiveSession()
    three_turns(live)
    return live


def row(table: pd.DataFrame, index: int) -> dict[str, Any]:
    return {str(key): value for key, value in table.round(6).iloc[index].items()}


def missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def test_spoken_turn_by_hand(live: LiveSession) -> None:
    first = row(analysis.turns(live.conversation, live.clock), 0)

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
    # E = 1 + 1.976; STOP = 3.25; RC = 3.3; A1 = 3.7; P1 = 3.78.
    assert first["endpoint_wait_ms"] == 274
    assert first["commit_wait_ms"] == 50
    assert first["model_first_audio_ms"] == 400
    assert first["playout_ms"] == 80
    assert first["latency_ms"] == 804
    assert missing(first["latency_note"])


def test_typed_turn_with_a_call_and_a_barge_in_by_hand(live: LiveSession) -> None:
    second = row(analysis.turns(live.conversation, live.clock), 1)

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
    third = row(analysis.turns(live.conversation, live.clock), 2)

    assert (third["status"], third["reason"]) == ("cancelled", "client_cancelled")
    assert third["latency_note"] == "no spoken answer"
    assert third["endpoint_wait_ms"] == 284  # E = 1 + 14.016, STOP = 15.3
    assert missing(third["latency_ms"])
    assert third["agent_items"] == []


def test_latency_table_by_hand(live: LiveSession) -> None:
    table = analysis.latency(live.conversation, live.clock)

    first = row(table, 0)
    moments = ("speech_end_s", "stop_s", "commit_s", "response_s", "first_audio_s", "played_s")
    assert [first[name] for name in moments] == [2.976, 3.25, 3.251, 3.3, 3.7, 3.78]
    assert (first["transcript_ms"], first["answer_ms"]) == (300, 450)
    assert list(table.had_calls) == [False, True, False]
    assert list(table.interrupted) == [False, True, False]
    assert row(table, 1)["answer_ms"] == 4400  # RC = 7.1 of the first, done at 11.5 the last


def test_calls_by_hand(live: LiveSession) -> None:
    (call,) = analysis.calls(live.conversation).round(6).to_dict("records")

    assert call == {
        "turn": 2,
        "call_id": "call_1",
        "name": "book",
        "arguments": '{"time": "10:00"}',
        "output": '{"ok": true}',
        "status": "completed",
        "response_id": "resp_2",
        "item_id": "call_item",
        "started_s": 7.4,
        "done_s": 7.5,
        "output_s": 8.3,
        "decide_ms": 400,
        "run_ms": 800,
        "resume_ms": 500,
    }


def test_speech_by_hand(live: LiveSession) -> None:
    table = analysis.speech(live.conversation, live.clock)

    assert row(table, 1) == {
        "item_id": "user_3",
        "audio_start_ms": 11_700,
        "audio_end_ms": 14_240,
        "onset_ms": 12_000,
        "offset_ms": 14_016,
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
    table = analysis.usage(live.conversation)

    assert list(table.response_id) == [
        "resp_1",
        "resp_2",
        "resp_3",
        "resp_side",
        "resp_4",
        "resp_5",
    ]
    assert [None if math.isnan(turn) else turn for turn in table.turn] == [1, 2, 2, None, 2, 3]
    assert row(table, 0) == {
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


def test_tables_of_nothing_have_their_columns() -> None:
    empty, clock = Conversation(), InputClock()

    assert "latency_note" in analysis.turns(empty, clock).columns
    assert set(LATENCY_PARTS) <= set(analysis.latency(empty, clock).columns)
    assert "resume_ms" in analysis.calls(empty).columns
    assert "offset_s" in analysis.speech(empty, clock).columns
    assert "cached_tokens" in analysis.usage(empty).columns


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

    turns = analysis.turns(live.conversation, live.clock)

    assert list(turns.response_ids) == [["resp_1", "resp_3"], ["resp_2", "resp_4"]]


def test_greeting_belongs_to_no_turn() -> None:
    live = LiveSession()
    live.response_begins(0.5, "resp_0")
    live.spoken_answer(0.6, "resp_0", "agent_0", "Welcome.", SILENCE)
    live.user_item(2.0, "user_1", "Thanks.")

    assert list(analysis.turns(live.conversation, live.clock).response_ids) == [[]]
    assert analysis.usage(live.conversation).turn.isna().all()


def spoken(live: LiveSession, played_s: float | None = 2.0) -> dict[str, Any]:
    """The row of a turn whose speech ends at 800 ms of the input, answered from 1.7 s on."""
    live.received(1.3, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="user_1")
    live.received(1.5, "input_audio_buffer.speech_stopped", audio_end_ms=1_024, item_id="user_1")
    live.user_item(1.5, "user_1", "Hello.")
    live.response_begins(1.6, "resp_1")
    live.spoken_answer(1.7, "resp_1", "agent_1", "Hi.", SILENCE)
    if played_s is not None:
        live.playback("agent_1", 0.0, "started", played_s)
    return row(analysis.turns(live.conversation, live.clock), 0)


def append(live: LiveSession, t_s: float, ms: int) -> None:
    audio = base64.b64encode(bytes(48 * ms)).decode()
    live.sent(t_s, "input_audio_buffer.append", audio=audio)


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


def test_push_to_talk_has_no_reported_end_of_speech() -> None:
    live = LiveSession()
    live.user_item(1.0, "user_1", "Hello.")

    values = row(analysis.turns(live.conversation, live.clock), 0)

    assert (values["source"], values["latency_note"]) == ("speech", "no end of speech was reported")


def test_answer_that_was_flushed_without_a_truncation_is_interrupted() -> None:
    live = LiveSession()
    live.user_item(1.0, "user_1", "Hello.")
    live.response_begins(1.1, "resp_1")
    live.spoken_answer(1.2, "resp_1", "agent_1", "Hi.", SILENCE)
    live.playback("agent_1", 0.0, "started", 1.3)
    live.playback("agent_1", 400.0, "flushed", 1.7)

    values = row(analysis.turns(live.conversation, live.clock), 0)

    assert values["interrupted"]
    assert (values["played_ms"], values["unheard_ms"]) == (400, 600)


# --- the input clock ---


def test_clock_maps_the_end_of_each_chunk_to_when_it_was_sent() -> None:
    clock = InputClock()
    for t_s, total_ms in ((1.0, 40.0), (1.04, 80.0), (5.0, 120.0), (5.0, 160.0)):
        clock.add(t_s, total_ms)

    assert clock.wall(40) == 1.0
    assert clock.wall(20) == pytest.approx(0.98)
    assert clock.wall(60) == pytest.approx(1.02)
    assert clock.wall(100) == pytest.approx(4.98)  # after the pause, not somewhere in it
    assert clock.wall(140) == 5.0  # a burst: never before the chunk that came first
    assert math.isnan(clock.wall(161))
    assert math.isnan(clock.wall(-1))
    assert math.isnan(clock.wall(math.nan))
    assert clock.stretches() == [(0.96, 0.0, 80.0), (4.96, 80.0, 160.0)]


chunks = st.lists(
    st.tuples(st.floats(0, 2, allow_nan=False), st.integers(1, 200)), min_size=1, max_size=50
)


@given(chunks, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_clock_never_runs_backwards(steps: list[tuple[float, int]], shares: list[float]) -> None:
    clock = InputClock()
    t_s = total_ms = 0.0
    for wait_s, length_ms in steps:
        t_s, total_ms = t_s + wait_s, total_ms + length_ms
        clock.add(t_s, total_ms)

    walls = [clock.wall(share * total_ms) for share in sorted(shares)]

    assert walls == sorted(walls)
    assert walls[-1] <= t_s


gaps_s = st.floats(0.0, 5.0, allow_nan=False)


@given(
    start_ms=st.integers(0, 3_000),
    length_ms=st.integers(33, 4_000),
    waits_s=st.tuples(gaps_s, gaps_s, gaps_s, gaps_s),
    silence_ms=st.integers(0, 1_500),
    chunk_ms=st.integers(10, 200),
    jitter_s=st.floats(0, 0.05),
)
def test_parts_add_up_to_what_was_heard(
    start_ms: int,
    length_ms: int,
    waits_s: tuple[float, float, float, float],
    silence_ms: int,
    chunk_ms: int,
    jitter_s: float,
) -> None:
    live = LiveSession()
    effective = session()
    detection = {**SERVER_VAD, "silence_duration_ms": silence_ms, "prefix_padding_ms": 0}
    effective["audio"]["input"]["turn_detection"] = detection
    live.received(0.0, "session.created", session=effective)
    window_ms = -(-silence_ms // 32) * 32
    end_ms = start_ms + length_ms + window_ms
    sent_ms = 0
    while sent_ms < end_ms:
        sent_ms += chunk_ms
        append(live, sent_ms / 1000 + jitter_s * (sent_ms % 3), chunk_ms)
    stop_s, created_s, audio_s, played_s = np.cumsum(waits_s) + sent_ms / 1000 + 0.2
    live.received(0.0, "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id="u")
    live.received(stop_s, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id="u")
    live.user_item(stop_s, "u", "Hello.")
    live.response_begins(created_s, "r")
    live.spoken_answer(audio_s, "r", "a", "Hi.", SILENCE[:2_400])
    live.playback("a", 0.0, "started", played_s)

    turns = analysis.turns(live.conversation, live.clock)

    (turn,) = turns.to_dict("records")
    assert missing(turn["latency_note"])
    spoken_until_s = live.clock.wall(start_ms + length_ms)
    assert turn["latency_ms"] == pytest.approx((played_s - spoken_until_s) * 1000, abs=0.01)
    assert sum(turn[part] for part in LATENCY_PARTS) == pytest.approx(turn["latency_ms"], abs=1e-6)
    assert all(turn[part] >= -1e-3 for part in LATENCY_PARTS)
