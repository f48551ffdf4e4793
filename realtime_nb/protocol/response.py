"""The life of one response on the server's side, from ``response.created`` to ``response.done``.

Whatever happens to a response, the client gets the whole chain: every open part and item is closed
(``incomplete`` when it was cut off), and exactly one ``response.done`` follows.

Where output tokens are limited, the words and their sound are paid for together: told is what will
be spoken with what is left, by the pace of the voice, and its audio takes the rest.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Literal

from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.spoken_length import pause_lengths, spoken_lengths, words_of
from realtime_nb.protocol.usage import (
    CHARS_PER_TOKEN,
    MS_PER_AUDIO_TOKEN,
    InputTokens,
    audio_output_tokens,
    text_tokens,
    usage_object,
)
from realtime_nb.protocol.word_times import DEFAULT_PACE, Voiced

__all__ = ["RUN_STEPS", "ResponseRun", "ResponseSettings", "RunState", "RunStep"]

RunState = Literal["waiting", "running", "completed", "cancelled", "failed", "incomplete"]
RunStep = Literal["start", "end", "cancel", "fail", "run out"]

RUN_STEPS: dict[tuple[RunState, RunStep], RunState] = {
    ("waiting", "start"): "running",
    ("waiting", "cancel"): "cancelled",
    ("running", "end"): "completed",
    ("running", "cancel"): "cancelled",
    ("running", "fail"): "failed",
    ("running", "run out"): "incomplete",
}
"""What becomes of a response that is announced: it ``waits`` for the words of the items before it
and runs once they are known. Where it has ended it stays, so that it ends once."""

_WORDS = re.compile(r"\s*\S+\s*")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ARGUMENT_CHARS = 24
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What a response runs with: the session's settings and those of its ``response.create``."""

    instructions: str
    tools: list[JsonObject]
    tool_choice: str | JsonObject
    output_modalities: list[str]
    output_format: JsonObject
    voice: str | JsonObject
    max_output_tokens: int | str
    metadata: JsonObject | None = None
    conversation_id: str | None = None
    input_items: list[JsonObject] | None = None

    @property
    def speaks(self) -> bool:
        """Whether the answer is spoken (else it is text)."""
        return "audio" in self.output_modalities

    @property
    def voice_name(self) -> str:
        """The voice by its name; one of the client's own by its id, as responses tell of it."""
        return self.voice if isinstance(self.voice, str) else str(self.voice["id"])


@dataclass(slots=True)
class _OpenItem:
    wire: JsonObject
    output_index: int
    text: str = ""


@dataclass(slots=True)
class ResponseRun:
    """Turns what a model produces into the protocol's events.

    Attributes:
        emit: takes every event; the caller numbers and folds it.
        new_id: makes ids: ``new_id("item")``.
        order: ids of the conversation's items, as they are at any time.
        call_ids: ids of calls that exist already.
        audio_ms: audio sent so far.
        audio_began_ms: position of the input-sample clock at its first audio.
        cut_off: whether something had to be left out for want of output tokens.
        state: what it is in ``RUN_STEPS``.
    """

    id: str
    settings: ResponseSettings
    emit: Callable[[JsonObject], None]
    new_id: Callable[[str], str]
    order: Sequence[str]
    bytes_per_ms: int
    call_ids: Container[str] = ()
    input_tokens: InputTokens = field(default_factory=InputTokens)
    cached_tokens: InputTokens = field(default_factory=InputTokens)
    output: list[JsonObject] = field(default_factory=list)
    previous_ids: list[str | None] = field(default_factory=list)
    audio_ms: float = 0.0
    audio_began_ms: float | None = None
    usage: JsonObject | None = None
    cut_off: bool = False
    state: RunState = "waiting"
    _text_tokens: int = 0
    _spoken: Voiced = field(default_factory=Voiced)  # before the sentence that is being spoken
    _letters: float = 0.0  # of that sentence
    _untold: str = ""  # what is being spoken, and may be more than can be paid for
    _open: _OpenItem | None = None
    _answers: str | None = None  # the last item that it knows of

    def __post_init__(self) -> None:
        """Notes where it is in the conversation."""
        self._answers = self.order[-1] if self.order else None

    @property
    def in_conversation(self) -> bool:
        """Whether its items enter the default conversation."""
        return self.settings.conversation_id is not None

    def announce(self) -> None:
        """Tells the client of the response."""
        self.emit({"type": "response.created", "response": self._object("in_progress", None)})

    def start(self) -> None:
        """Notes that what it answers is known, and its job handed out."""
        self.state = RUN_STEPS[self.state, "start"]

    def add_text(self, delta: str) -> None:
        """Takes a piece of a text answer."""
        delta = self._affordable(delta)
        if not delta:
            return
        item = self._message()
        item.text += delta
        self.emit({"type": "response.output_text.delta", **self._ids(item), "delta": delta})

    def add_speech(self, text: str, audio: bytes) -> str | None:
        """Returns a stretch of speech in the output format, and the words that it begins to say.

        Returns:
            Id of the item that speaks; None when nothing could be added.
        """
        text, audio = self._affordable_words(text), self._affordable_audio(audio)
        if not (text or audio):
            return None
        item = self._message()
        self._tell(item, text)
        if audio:
            self.audio_ms += len(audio) / self.bytes_per_ms
            payload = base64.b64encode(audio).decode("ascii")
            self.emit({"type": "response.output_audio.delta", **self._ids(item), "delta": payload})
        return str(item.wire["id"])

    def _tell(self, item: _OpenItem, text: str) -> None:
        """Tells the client words that are being spoken, one by one."""
        for words in _WORDS.findall(text) or ([text] if text else []):
            item.text += words
            self.emit(
                {
                    "type": "response.output_audio_transcript.delta",
                    **self._ids(item),
                    "delta": words,
                }
            )

    def settle(self) -> None:
        """Tells what is spoken to its end and was held back, as far as it can be paid for."""
        rest, self._untold = self._untold, ""
        if not rest:
            return
        left = self._tokens_left()
        ends = [w.end for w in words_of(rest) if text_tokens(rest[: w.end]) <= left]
        told = rest[: max(ends, default=0)]
        self.cut_off = self.cut_off or len(told) < len(rest.rstrip())
        if told:
            self._text_tokens += text_tokens(told)
            self._tell(self._message(), told)

    def add_call(self, name: str, arguments: str, call_id: str | None) -> None:
        """Takes a whole function call."""
        self.settle()
        if self._tokens_left() < text_tokens(name):
            self.cut_off = True
            return
        self._close("completed")
        self._text_tokens += text_tokens(name)
        arguments = self._affordable(arguments)
        if call_id is None or not _CALL_ID.fullmatch(call_id) or call_id in self.call_ids:
            # The client could not answer an id that items can't have, or that is there twice.
            call_id = self.new_id("call")
        item: JsonObject = {
            "id": self.new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "call_id": call_id,
            "arguments": "",
        }
        self._add_item(item)
        ids = {
            "response_id": self.id,
            "item_id": item["id"],
            "output_index": len(self.output) - 1,
            "call_id": call_id,
        }
        for start in range(0, len(arguments), _ARGUMENT_CHARS):
            piece = arguments[start : start + _ARGUMENT_CHARS]
            self.emit({"type": "response.function_call_arguments.delta", **ids, "delta": piece})
        self.emit(
            {
                "type": "response.function_call_arguments.done",
                **ids,
                "name": name,
                "arguments": arguments,
            }
        )
        status = "incomplete" if self.cut_off else "completed"
        self._finish_item({**item, "status": status, "arguments": arguments})

    def finish(
        self, step: RunStep, reason: str | None = None, error: JsonObject | None = None
    ) -> None:
        """Closes what is open and ends the response."""
        status = self.state = RUN_STEPS[self.state, step]
        self._close("completed" if status == "completed" else "incomplete")
        details: JsonObject | None = None
        if status != "completed":
            details = {"type": status}
            if reason:
                details["reason"] = reason
            if error:
                details["error"] = error
        self.usage = self._usage(status)
        self.emit({"type": "response.done", "response": self._object(status, details)})

    # --- parts ---

    def _usage(self, status: RunState) -> JsonObject:
        if status in ("cancelled", "failed") and not self.output:
            # Nothing was generated: the hosted server reports zeros for these.
            return usage_object(InputTokens(), InputTokens(), 0, 0)
        return usage_object(
            self.input_tokens,
            self.cached_tokens,
            self._text_tokens,
            audio_output_tokens(self.audio_ms),
        )

    def _tokens_left(self) -> int:
        limit = self.settings.max_output_tokens
        if not isinstance(limit, int):
            return _NO_LIMIT
        return limit - self._text_tokens - audio_output_tokens(self.audio_ms)

    def _affordable(self, text: str) -> str:
        """Pays for as much of a text as the output budget still allows; returns that."""
        kept = text[: max(0, self._tokens_left()) * CHARS_PER_TOKEN]
        self.cut_off = self.cut_off or len(kept) < len(text)
        self._text_tokens += text_tokens(kept)
        return kept

    def _affordable_words(self, text: str) -> str:
        """Pays for as many words as can be spoken, too, with what is left; returns those.

        The rest waits for what comes of their voice: one that is quicker leaves room for more.
        """
        if text and isinstance(self.settings.max_output_tokens, int):
            text = self._sayable_of(text)
        self._text_tokens += text_tokens(text)
        return text

    def _sayable_of(self, text: str) -> str:
        self._spoken = Voiced(self._spoken.letters + self._letters, self.audio_ms)
        words = words_of(text)
        self._letters = sum(spoken_lengths(words)) + sum(pause_lengths(words))
        text = self._untold + text
        end = self._sayable(text)
        self._untold = text[end:]
        return text[:end]

    def _sayable(self, text: str) -> int:
        """Returns how much of a text can be told and spoken, by its end."""
        pace = DEFAULT_PACE.with_more(self._spoken).ms_per_letter
        words, left, letters, end = words_of(text), self._tokens_left(), 0.0, 0
        lengths = zip(words, spoken_lengths(words), pause_lengths(words), strict=True)
        for word, length, pause in lengths:
            sound = math.ceil((letters + length) * pace / MS_PER_AUDIO_TOKEN)
            if text_tokens(text[: word.end]) + sound > left:
                return end
            end, letters = word.end, letters + length + pause
        return len(text)

    def _affordable_audio(self, audio: bytes) -> bytes:
        limit = self.settings.max_output_tokens
        if not isinstance(limit, int):
            return audio
        left_ms = (limit - self._text_tokens) * MS_PER_AUDIO_TOKEN - self.audio_ms
        count = max(0, int(left_ms * self.bytes_per_ms))
        kept = audio[: count - count % 2]
        self.cut_off = self.cut_off or len(kept) < len(audio)
        return kept

    def _object(self, status: str, details: JsonObject | None) -> JsonObject:
        settings = self.settings
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [dict(item) for item in self.output] if status != "in_progress" else [],
            "conversation_id": settings.conversation_id,
            "output_modalities": settings.output_modalities,
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": {"format": settings.output_format, "voice": settings.voice_name}},
            "usage": self.usage,
            "metadata": settings.metadata,
        }

    def _ids(self, item: _OpenItem) -> JsonObject:
        return {
            "response_id": self.id,
            "item_id": item.wire["id"],
            "output_index": item.output_index,
            "content_index": 0,
        }

    def _message(self) -> _OpenItem:
        if self._open is not None:
            return self._open
        wire: JsonObject = {
            "id": self.new_id("item"),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self._add_item(wire)
        self._open = _OpenItem(wire, len(self.output) - 1)
        self.emit(
            {
                "type": "response.content_part.added",
                **self._ids(self._open),
                "part": self._part("", speaking=self.settings.speaks),
            }
        )
        return self._open

    @staticmethod
    def _part(text: str, *, speaking: bool) -> JsonObject:
        # Parts in these events are "audio" and "text"; items say "output_audio" and "output_text".
        if speaking:
            return {"type": "audio", "transcript": text}
        return {"type": "text", "text": text}

    def _add_item(self, wire: JsonObject) -> None:
        # Behind what it answers: what was added meanwhile is answered after it.
        known = [self._answers, *(item["id"] for item in self.output)]
        previous = next((item_id for item_id in reversed(known) if item_id in self.order), None)
        if previous is None and self._answers is not None and self.order:
            previous = self.order[-1]  # what it answers was deleted
        self.output.append(wire)
        self.previous_ids.append(previous)
        self.emit(
            {
                "type": "response.output_item.added",
                "response_id": self.id,
                "output_index": len(self.output) - 1,
                "item": wire,
            }
        )
        if self.in_conversation:
            self.emit(
                {"type": "conversation.item.added", "previous_item_id": previous, "item": wire}
            )

    def _close(self, status: Literal["completed", "incomplete"]) -> None:
        item, self._open = self._open, None
        if item is None:
            return
        ids, speaking = self._ids(item), self.settings.speaks
        if speaking:
            self.emit({"type": "response.output_audio.done", **ids})
            self.emit(
                {
                    "type": "response.output_audio_transcript.done",
                    **ids,
                    "transcript": item.text,
                }
            )
            content = {"type": "output_audio", "transcript": item.text}
        else:
            self.emit({"type": "response.output_text.done", **ids, "text": item.text})
            content = {"type": "output_text", "text": item.text}
        self.emit(
            {
                "type": "response.content_part.done",
                **ids,
                "part": self._part(item.text, speaking=speaking),
            }
        )
        self._finish_item({**item.wire, "status": status, "content": [content]})

    def _finish_item(self, wire: JsonObject) -> None:
        index = len(self.output) - 1
        self.output[index] = wire
        if self.in_conversation and wire["id"] in self.order:  # the client may have deleted it
            self.emit(
                {
                    "type": "conversation.item.done",
                    "previous_item_id": self.previous_ids[index],
                    "item": wire,
                }
            )
        self.emit(
            {
                "type": "response.output_item.done",
                "response_id": self.id,
                "output_index": index,
                "item": wire,
            }
        )
