"""A session with token counts, for tests of what it cost."""

from __future__ import annotations

from typing import Any

from tests.made_recording import MadeRecording
from tests.scripted_session import USAGE as WORKED

__all__ = ["WORKED", "WORKED_USD", "ZEROS", "begun", "two_turns"]

WORKED_USD = 0.0106136
"""What its responses cost, by the tokens of the worked example."""

ZEROS = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}


def begun(
    model: str | None = "gpt-realtime", transcription: str = "gpt-transcribe", **fields: Any
) -> MadeRecording:
    rec = MadeRecording(**fields)
    audio = {"input": {"transcription": {"model": transcription}}}
    rec.got(0.1, "session.created", session={"model": model, "audio": audio})
    return rec


def two_turns(**fields: Any) -> MadeRecording:
    """One answer that is heard, one of which 3/4 are not; each user message is 6 s long."""
    rec = begun(duration_s=30.0, **fields)
    usage = {"type": "duration", "seconds": 6}
    rec.user(1.0, "user_1", "Hello.", usage=usage)
    rec.answer(2.0, "resp_1", 4_000, "Hello to you.", usage=WORKED)
    rec.played("resp_1_item", 4_000, "finished", 6.5)
    rec.user(8.0, "user_2", "Go on.", usage=usage)
    rec.answer(9.0, "resp_2", 4_000, "I go on.", usage=WORKED)
    rec.played("resp_2_item", 1_000, "flushed", 10.5)
    return rec
