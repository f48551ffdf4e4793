"""What is read from a recording, and in which order it is done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.replay_reading import read_script, session_options
from realtime_nb.recordings.replay_script import (
    Ask,
    Commit,
    Interrupt,
    Send,
    Settings,
    SpokenPiece,
)
from tests.recordings.replayed import TYPED, Record, kinds, push_to_talk
from tests.scripted_session import SERVER_VAD, LiveSession, session, three_turns


def test_a_session_of_all_kinds(tmp_path: Path) -> None:
    live = LiveSession(Recorder(tmp_path, {"dialect": "ga"}))
    three_turns(live)
    assert live.recorder is not None
    live.recorder.close()

    script = read_script(rt.load(live.recorder.path))

    # Spoken; typed, its function's output left to the session; asked for; cut by speech; spoken.
    assert [type(action) for action in script.actions] == [
        *(Commit, Send, Ask, Ask, Interrupt, Commit),
    ]
    assert [action.due_s for action in script.actions[1:4]] == [7.0, 7.0, 11.0]
    assert script.actions[4] == Interrupt(13.2, by_speaking=True)
    assert kinds(script, SERVER_VAD) == ["conversation.item.create", "Ask", "Ask"]
    commit = "input_audio_buffer.commit"
    assert kinds(script, None) == [
        *(commit, "Ask", "conversation.item.create", "Ask", "Ask", "Interrupt", commit, "Ask"),
    ]


def test_what_was_refused_is_not_repeated(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.sent(1.0, "conversation.item.create", item=TYPED, event_id="a")
        for name in ("b", "c"):
            live.sent(1.1, "response.create", event_id=name)
        busy = {"code": "conversation_already_has_active_response", "event_id": "c"}
        live.received(1.2, "error", error={"message": "Busy.", **busy})
        live.sent(2.0, "input_audio_buffer.commit", event_id="d")
        empty = {"code": "input_audio_buffer_commit_empty", "event_id": "d"}
        live.received(2.1, "error", error={"message": "Empty.", **empty})

    assert [type(a) for a in read_script(record(act)).actions] == [Send, Ask]


def test_conversations_that_were_put_in_are_put_in_again(
    record: Record,
) -> None:
    call = {"type": "function_call", "name": "book", "call_id": "c1", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "done"}
    other = {"type": "function_call_output", "call_id": "c2", "output": "run by the client"}
    audio = {"type": "input_audio", "audio": "AAABAAIAAwA="}
    spoken = {"type": "message", "role": "user", "content": [audio]}

    def act(live: LiveSession) -> None:
        for item in (call, output, other, spoken):
            live.sent(1.0, "conversation.item.create", item=item)
        live.sent(1.1, "conversation.item.create", item=TYPED, previous_item_id="root")
        live.sent(1.2, "conversation.item.create", item=TYPED, previous_item_id="item_gone")

    sent = [a.event for a in read_script(record(act)).actions if isinstance(a, Send)]

    assert [event["item"] for event in sent] == [call, output, spoken, TYPED, TYPED]
    assert [event.get("previous_item_id") for event in sent[3:]] == ["root", None]


def test_a_stop_that_nobody_spoke_is_one_of_its_own(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.sent(1.0, "conversation.item.create", item=TYPED)
        live.sent(5.0, "response.cancel")
        live.sent(5.0, "conversation.item.truncate", item_id="x", audio_end_ms=1, content_index=0)

    assert read_script(record(act)).actions[1:] == [Interrupt(5.0, False)] * 2


def test_settings_that_changed(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.received(0.5, "session.updated", session={**session(), "instructions": "Be kind."})
        live.sent(1.0, "input_audio_buffer.clear")
        live.received(2.0, "session.updated", session=push_to_talk())
        live.sent(3.0, "input_audio_buffer.commit")

    script = read_script(record(act))

    assert script.options["instructions"] == "Be kind."
    assert script.actions[1] == Settings(2.0, {"turn_detection": None})
    # From the change on, turns are committed by hand, unless the setting was overridden.
    names = ["input_audio_buffer.clear", "session.update", "input_audio_buffer.commit"]
    assert kinds(script, SERVER_VAD) == names
    steps = script.steps(SERVER_VAD, 20.0, ["turn_detection"])
    assert [s.event["type"] for s in steps if isinstance(s, Send)] == names[:1]


def test_settings_as_options_say_no_more_than_can_be_asked_for() -> None:
    strange = {**session(), "tool_choice": {"type": "oracle"}, "object": "realtime.session"}
    strange["audio"]["input"]["noise_reduction"] = None

    assert session_options(strange) == {
        "turn_detection": SERVER_VAD,
        "noise_reduction": None,
        "input_format": {"type": "audio/pcm", "rate": 24_000},
        "output_format": {"type": "audio/pcm", "rate": 24_000},
    }


def test_what_could_not_be_taken_over_is_noted(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.sent(1.0, "conversation.item.create", item=TYPED)

    script = read_script(record(act, {**session(), "tool_choice": 5}))

    assert script.notes == ["tool_choice can't be asked for as it was recorded; left out."]


def test_a_log_without_times_is_replayed_without_pauses(tmp_path: Path) -> None:
    pcm = "AAAA" * 320  # 20 ms
    events: list[dict[str, Any]] = [{"type": "session.created", "session": push_to_talk()}]
    events += [{"type": "input_audio_buffer.append", "audio": pcm}] * 50
    events += [{"type": "input_audio_buffer.commit"}, {"type": "response.create"}]
    events += [{"type": "input_audio_buffer.append", "audio": pcm}] * 50
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(event) for event in events))

    script = read_script(rt.load(path))

    assert "No times are known from 0.00 s" in script.notes[0]
    steps = list(script.steps(None, 20.0))
    assert [type(step) for step in steps] == [*[SpokenPiece] * 50, Send, Ask, *[SpokenPiece] * 50]


def test_audio_that_is_gone_is_silence_and_noted(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.microphone(np.full(24 * 2_000, 0.1, np.float32), 2_000)

    path = record(act).path
    wav = path / "input.wav"
    wav.write_bytes(wav.read_bytes()[: 44 + 48 * 1_500])

    script = read_script(rt.load(path))

    assert script.notes == ["The last 0.50 s of the user's audio are missing: silence."]
    steps = script.steps(SERVER_VAD, 20.0)
    assert sum(len(step.pcm) for step in steps if isinstance(step, SpokenPiece)) == 48 * 2_000


def test_a_transcription_session_is_no_conversation(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.microphone(np.full(24 * 2_000, 0.1, np.float32), 100)

    settings = {"type": "transcription", "audio": {"input": {}}}
    with pytest.raises(ConfigurationError, match="only conversations are replayed"):
        read_script(record(act, settings))
