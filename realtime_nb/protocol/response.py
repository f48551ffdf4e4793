"""The life of one response on the server's side, from ``response.created`` to ``response.done``.

Whatever happens to a response, the client gets the whole chain: every open part and item is closed
(``incomplete`` when it was cut off), and exactly one ``response.done`` follows.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.usage import (
    InputTokens,
    audio_output_tokens,
    text_tokens,
    usage_object,
)

__all__ = ["ResponseRun", "ResponseSettings"]

Status = Literal["completed", "cancelled", "failed", "incomplete"]

_WORDS = re.compile(r"\s*\S+\s*")


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


@dataclass(slots=True)
class _OpenItem:
    wire: JsonObject
    output_index: int
    text: str = ""
    has_audio: bool = False


@dataclass(slots=True)
class ResponseRun:
    """Turns what a model produces into the protocol's events.

    Attributes:
        emit: takes every event; the caller numbers and folds it.
        new_id: makes ids: ``new_id("item")``.
        last_item_id: the id that a new item of the conversation follows.
        audio_ms: audio sent so far.
        audio_began_ms: position of the input-sample clock at its first audio.
    """

    id: str
    settings: ResponseSettings
    emit: Callable[[JsonObject], None]
    new_id: Callable[[str], str]
    last_item_id: Callable[[], str | None]
    bytes_per_ms: int
    input_tokens: InputTokens = field(default_factory=InputTokens)
    cached_tokens: InputTokens = field(default_factory=InputTokens)
    output: list[JsonObject] = field(default_factory=list)
    previous_ids: list[str | None] = field(default_factory=list)
    audio_ms: float = 0.0
    audio_began_ms: float | None = None
    usage: JsonObject | None = None
    _text_tokens: int = 0
    _open: _OpenItem | None = None

    @property
    def in_conversation(self) -> bool:
        """Whether its items enter the default conversation."""
        return self.settings.conversation_id is not None

    def start(self) -> None:
        """Announces the response."""
        self.emit({"type": "response.created", "response": self._object("in_progress", None)})

    def add_text(self, delta: str) -> None:
        """A piece of a text answer."""
        if not delta or self._over_budget():
            return
        item = self._message()
        item.text += delta
        self._text_tokens += text_tokens(delta)
        self.emit({"type": "response.output_text.delta", **self._ids(item), "delta": delta})

    def add_speech(self, text: str, audio: bytes) -> None:
        """A stretch of speech in the output format, and the words that it begins to say."""
        if not (text or audio) or self._over_budget():
            return
        item = self._message()
        for words in _WORDS.findall(text) or ([text] if text else []):
            item.text += words
            self.emit(
                {
                    "type": "response.output_audio_transcript.delta",
                    **self._ids(item),
                    "delta": words,
                }
            )
        self._text_tokens += text_tokens(text)
        if audio:
            item.has_audio = True
            self.audio_ms += len(audio) / self.bytes_per_ms
            payload = base64.b64encode(audio).decode("ascii")
            self.emit({"type": "response.output_audio.delta", **self._ids(item), "delta": payload})

    def add_call(self, name: str, arguments: str, call_id: str | None) -> None:
        """A whole function call."""
        if self._over_budget():
            return
        self._close("completed")
        call_id = call_id or self.new_id("call")
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
        for start in range(0, len(arguments), 24):
            self.emit(
                {
                    "type": "response.function_call_arguments.delta",
                    **ids,
                    "delta": arguments[start : start + 24],
                }
            )
        self._text_tokens += text_tokens(name) + text_tokens(arguments)
        self.emit(
            {
                "type": "response.function_call_arguments.done",
                **ids,
                "name": name,
                "arguments": arguments,
            }
        )
        self._finish_item({**item, "status": "completed", "arguments": arguments})

    @property
    def cut_off(self) -> bool:
        """Whether the output budget is used up."""
        return self._over_budget()

    def finish(
        self, status: Status, reason: str | None = None, error: JsonObject | None = None
    ) -> None:
        """Closes what is open and ends the response."""
        if status == "completed" and self._over_budget():
            status, reason = "incomplete", "max_output_tokens"
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

    def _usage(self, status: Status) -> JsonObject:
        if status in ("cancelled", "failed") and not self.output:
            # Nothing was generated: the hosted server reports zeros for these.
            return usage_object(InputTokens(), InputTokens(), 0, 0)
        return usage_object(
            self.input_tokens,
            self.cached_tokens,
            self._text_tokens,
            audio_output_tokens(self.audio_ms),
        )

    def _over_budget(self) -> bool:
        limit = self.settings.max_output_tokens
        used = self._text_tokens + audio_output_tokens(self.audio_ms)
        return isinstance(limit, int) and used >= limit

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
            "audio": {"output": {"format": settings.output_format, "voice": settings.voice}},
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
        previous = self.last_item_id()
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
        if self.in_conversation:
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
