"""A log that is whole, with which others are compared that are damaged in known ways.

Two spoken turns and a typed one with a function call; audio comes in chunks of 40 ms, no two alike.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pandas as pd

from realtime_nb.audio.files import load_audio
from tests.archive.wire_logs import BEGAN, Kept
from tests.paths import DATA
from tests.scripted_session import session

__all__ = ["good_lines", "numbers"]

CHUNK_MS = 40
VOICE = (load_audio(DATA / "cards_001.wav")[: 976 * 24] * 32_767).astype(np.int16)
Line = dict[str, Any]


class _Session(Kept):
    """One whose microphone never rests, and whose server numbers its events."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)
        self._sent_ms = 0
        self._voice = np.zeros(12_000 * 24, np.int16)
        for start_ms in (1_000, 6_800):  # of 976 ms, as it is reported
            self._voice[start_ms * 24 :][: len(VOICE)] = VOICE

    def until(self, t_s: float) -> None:
        """Sends what the microphone took up to then."""
        while 0.5 + (self._sent_ms + CHUNK_MS) / 1000 <= t_s + 1e-9:
            self._sent_ms += CHUNK_MS
            noise = self._random.integers(-30, 30, CHUNK_MS * 24, np.int16)
            start = (self._sent_ms - CHUNK_MS) * 24
            pcm = (noise + self._voice[start : start + len(noise)]).astype(np.int16).tobytes()
            self.sent(
                0.5 + self._sent_ms / 1000,
                "input_audio_buffer.append",
                audio=base64.b64encode(pcm).decode(),
            )

    def speech(self, start_ms: int, end_ms: int, item_id: str, text: str, mark: str) -> float:
        """A stretch of speech, padding and window in its positions; returns when it was over."""
        began_s, over_s = 0.5 + (start_ms + 420) / 1000, 0.5 + (end_ms + 90) / 1000
        self.until(began_s)
        self.received(
            began_s, "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=item_id
        )
        self.until(over_s)
        self.received(
            over_s, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=item_id
        )
        self.user_item(over_s + 0.002, item_id, text)
        return over_s

    def answer(self, t_s: float, response_id: str, item_id: str, text: str, ms: int) -> None:
        """A spoken answer of that length."""
        self.response_begins(t_s, response_id, f"conv{response_id[4:6]}")
        noise = self._random.uniform(-0.3, 0.3, ms * 24).astype(np.float32)
        self.spoken_answer(t_s + 0.31, response_id, item_id, text, noise)
        self.response_ends(t_s + 0.36, response_id)


def good_lines(mark: str = "_1", seed: int = 1, began_s: float = 0.0) -> list[Line]:
    """Returns the lines of a session, whose ids and audio are its own."""
    live = _Session(seed)
    created = {**session(), "id": f"sess{mark}", "model": "gpt-realtime"}
    live.received(0.1, "session.created", session=created)
    live.sent(0.2, "session.update", session={"type": "realtime", "instructions": "Be brief."})
    live.received(0.3, "session.updated", session=created)
    over_s = live.speech(700, 2_200, f"user{mark}a", "Which slots are free?", mark)
    live.answer(over_s + 0.05, f"resp{mark}a", f"agent{mark}a", "All of Tuesday.", 1_000)
    live.until(4.5)
    _typed(live, mark)
    over_s = live.speech(6_500, 8_000, f"user{mark}c", "Thank you very much.", mark)
    live.answer(over_s + 0.05, f"resp{mark}d", f"agent{mark}c", "You're welcome.", 800)
    live.until(9.6)
    wire = sorted(live.wire, key=lambda sent: sent[2])
    lines = []
    for number, (way, raw, t_s) in enumerate(wire):
        event = dict(raw)
        if way == "received":
            event["event_id"] = f"event{mark}_{number}"
        # A time of its own for each line: no two share one.
        at_s = round(BEGAN + began_s + t_s + number * 1e-5, 6)
        lines.append({"time": at_s, "direction": way, "event": event})
    return lines


def _typed(live: _Session, mark: str) -> None:
    item: dict[str, Any] = {"id": f"user{mark}b", "type": "message", "role": "user"}
    item["content"] = [{"type": "input_text", "text": "Book ten o'clock."}]
    live.sent(4.5, "conversation.item.create", item=item)
    live.sent(4.5, "response.create")
    live.received(4.55, "conversation.item.added", item=item)
    live.response_begins(4.6, f"resp{mark}b", f"conv{mark}")
    call = {"id": f"call{mark}", "type": "function_call", "name": "book", "call_id": f"c{mark}"}
    in_response: dict[str, Any] = {"response_id": f"resp{mark}b", "output_index": 0}
    begun = {**call, "arguments": "", "status": "in_progress"}
    ended = {**call, "arguments": "{}", "status": "completed"}
    live.received(4.8, "response.output_item.added", item=begun, **in_response)
    live.received(4.9, "response.output_item.done", item=ended, **in_response)
    live.response_ends(4.95, f"resp{mark}b")
    output = {"type": "function_call_output", "call_id": f"c{mark}", "output": '{"ok": true}'}
    live.until(5.4)
    live.sent(5.4, "conversation.item.create", item=output)
    live.sent(5.4, "response.create")
    live.answer(5.5, f"resp{mark}c", f"agent{mark}b", "Booked for ten.", 600)


def numbers(recording: Any) -> dict[tuple[str, str, str], float]:
    """Returns every duration, length and count of the tables, by table, what it is of, and
    column.

    A turn of whose answer nothing is in the log has no answer, and neither has one whose function
    call has not been followed by any: these are no numbers of it. Where speech begins and ends is
    told by whoever knows it, which is then a number of its own.
    """
    keys = {
        "turns": "user_item",
        "latency": None,
        "speech": "item_id",
        "usage": "response_id",
        "calls": "call_id",
    }
    found: dict[tuple[str, str, str], float] = {}
    turns = recording.turns
    answered = {
        row["user_item"]
        for row in turns.to_dict("records")
        if row["response_ids"] and (row["agent_items"] or not row["calls"])
    }
    for table, key in keys.items():
        frame = getattr(recording, table)
        names = turns.user_item if key is None else frame[key]
        for name, row in zip(names, frame.to_dict("records"), strict=True):
            if table in ("turns", "latency") and name not in answered:
                continue
            for column, value in row.items():
                whose = row.get(column.replace("_ms", "_source"))
                if column in ("onset_ms", "offset_ms") and isinstance(whose, str):
                    column = f"{column} ({whose})"
                    found[table, str(name), column] = float(value)
                if column.endswith(("_ms", "_tokens")) and column != "duration_ms":
                    found[table, str(name), column] = math.nan if pd.isna(value) else float(value)
    for item_id, item in recording.conversation.items.items():
        if item.role == "assistant" and item.type == "message":
            found["items", item_id, "audio_ms"] = float(item.audio_ms)
    return found
