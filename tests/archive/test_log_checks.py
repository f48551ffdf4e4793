"""What can't be shows that events are missing; the whole is in ``test_logs_doubted``."""

from __future__ import annotations

from typing import Any

from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.archive.log_checks import check
from realtime_nb.protocol.conversation import Conversation

CREATED = {"type": "session.created", "session": {}}


def lines(*events: dict[str, Any]) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            number,
            float(number),
            "sent" if event["type"].endswith((".append", ".update", ".create")) else "received",
            event,
        )
        for number, event in enumerate(events)
    ]


def append(ms: int) -> dict[str, Any]:
    reference = {"file": "input.wav", "start": 0, "samples": ms * 24}
    return {"type": "input_audio_buffer.append", "audio": reference}


def started(ms: int) -> dict[str, Any]:
    return {"type": "input_audio_buffer.speech_started", "audio_start_ms": ms, "item_id": "u"}


def test_speech_beyond_what_was_sent() -> None:
    heard = Conversation()

    found = check(lines(CREATED, append(1_000), started(1_500)), heard, {})

    assert found.speech == {0: "the log lost some of the audio that was sent"}
    assert any("500 ms beyond" in problem for problem in found.problems)
    assert check(lines(CREATED, append(1_000), started(990)), heard, {}).speech.keys() <= {0}


def test_settings_that_were_never_confirmed() -> None:
    update = {"type": "session.update", "session": {"turn_detection": None}}
    updated = {"type": "session.updated", "session": {}}

    doubted = check(lines(CREATED, update, started(0)), Conversation(), {"input": "left out"})
    assert doubted.speech == {0: "the log does not tell which settings were in force"}
    sound = check(lines(CREATED, update, updated, started(0)), Conversation(), {"input": "x"})
    assert sound.speech == {}


def test_a_log_that_begins_late() -> None:
    found = check(lines(started(0)), Conversation(), {"input": "left out"})

    assert found.problems[0].startswith("The log does not begin with session.created")
