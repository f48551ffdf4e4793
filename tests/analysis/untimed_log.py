"""A log without times in which short turns get answers that the next words cancel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtime_nb.recordings.recording import Recording, load

__all__ = ["untimed"]

DETECTION = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300}
CANCELLED = {"type": "cancelled", "reason": "turn_detected"}


def untimed(
    folder: Path,
    turns: list[tuple[str, bool]],
    silence_duration_ms: int = 200,
    silent: frozenset[int] = frozenset(),
) -> Recording:
    """Returns a recording of such a log.

    Args:
        folder: where the log is written.
        turns: what the user said, and whether the answer to it was cancelled.
        silence_duration_ms: the window that ended the turns.
        silent: indexes of turns whose answer was cancelled before it had a word.
    """
    detection = {**DETECTION, "silence_duration_ms": silence_duration_ms}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    events: list[dict[str, Any]] = [{"type": "session.created", "session": session}]
    for number, (text, cancelled) in enumerate(turns):
        events += _turn(number, text, cancelled, number not in silent)
    path = folder / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, events)))
    return load(path)


def _turn(number: int, text: str, cancelled: bool, begun: bool) -> list[dict[str, Any]]:
    user, response, item = f"user_{number}", f"resp_{number}", f"item_{number}"
    at_ms = number * 4_000
    audio = "input_audio_buffer"
    message = {"id": user, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    answer = {"id": item, "type": "message", "role": "assistant", "content": []}
    said = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    done: dict[str, Any] = {"id": response, "status": "completed"}
    if cancelled:
        done = {"id": response, "status": "cancelled", "status_details": CANCELLED}
    words = [
        {"type": "response.output_item.added", "response_id": response, "item": answer},
        {"type": "conversation.item.added", "item": answer},
        {"type": "response.output_audio_transcript.delta", **said, "delta": "Let me see"},
    ]
    return [
        {"type": f"{audio}.speech_started", "item_id": user, "audio_start_ms": at_ms},
        {"type": f"{audio}.speech_stopped", "item_id": user, "audio_end_ms": at_ms + 900},
        {"type": f"{audio}.committed", "item_id": user},
        {"type": "conversation.item.added", "item": message},
        {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
        *(words if begun else ()),
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": user,
            "content_index": 0,
            "transcript": text,
        },
        {"type": "response.done", "response": done},
    ]
