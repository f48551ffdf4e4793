"""Recorded sessions of a few steps, and what is done of them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime_nb.recordings.recording import Recording
from realtime_nb.recordings.replay_script import ReplayScript, Send, SpokenPiece
from tests.scripted_session import session

__all__ = ["TYPED", "Record", "kinds", "push_to_talk"]

Record = Callable[..., Recording]


TYPED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}


def push_to_talk() -> dict[str, Any]:
    without = session()
    without["audio"]["input"]["turn_detection"] = None
    return without


def kinds(script: ReplayScript, detection: dict[str, Any] | None) -> list[str]:
    """The steps but for audio, in a word each."""
    steps = script.steps(detection, 20.0)
    return [
        step.event["type"] if isinstance(step, Send) else type(step).__name__
        for step in steps
        if not isinstance(step, SpokenPiece)
    ]
