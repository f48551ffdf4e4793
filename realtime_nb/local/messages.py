"""A client's messages as they come in pieces: short ones whole, a long append piece by piece.

Nothing here is ever decoded as a whole that is long: an append of 15 MiB would stop everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from realtime_nb.protocol.checking import MAX_APPEND_BYTES
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.items import decode_audio
from realtime_nb.protocol.problems import Problem, Refused

__all__ = ["LONG_CHARS", "MAX_MESSAGE_CHARS", "PIECE_CHARS", "LongAppend", "MessageReader"]

MAX_MESSAGE_CHARS = 1024 * 1024
"""Of a message that is no append."""

MAX_VALUES = 20_000
"""Of objects, lists and what is in them, in one message."""

PIECE_CHARS = 64_000
"""Base64 of one second; a long append is taken in pieces, so that others are served between."""

LONG_CHARS = 2 * PIECE_CHARS
"""An append that is longer is taken in pieces."""

_MAX_APPEND_CHARS = MAX_APPEND_BYTES * 4 // 3
_HEAD_CHARS = 4_096
_AUDIO = re.compile(r'"audio"\s*:\s*"')
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""One that is not closed goes to the end: nothing is looked at twice, whatever a client sends."""

_ESCAPE_CHARS = 6


@dataclass(slots=True)
class LongAppend:
    """An append that was checked already.

    Attributes:
        event: without its audio.
        audio: in base64 that can be decoded piece by piece.
    """

    event: JsonObject
    audio: list[str] = field(default_factory=list)


class MessageReader:
    """One text message, while it comes."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._chars = 0
        self._append: _AppendReader | None = None
        self._problem: Problem | None = None

    @property
    def long(self) -> bool:
        """Whether it is kept beyond what every client may send at any time."""
        refused = self._problem or (self._append and self._append.problem)
        return refused is None and self._chars > LONG_CHARS

    def push(self, text: str) -> None:
        """Takes the next of it; what is wrong with it is told in the end."""
        self._chars += len(text)
        if self._problem is not None:
            return
        try:
            if self._append is not None:
                self._append.push(text)
                return
            self._parts.append(text)
            if self._chars > LONG_CHARS:
                self._look()
        except Refused as refused:
            self._problem = refused.problem
            self._parts, self._append = [], None

    def _look(self) -> None:
        """Finds out whether it is an append."""
        head = self._parts[0]
        if len(head) < _HEAD_CHARS:
            head = "".join(self._parts)
            self._parts = [head]
        begin = _AUDIO.search(head, 0, _HEAD_CHARS)
        if begin is not None and _is_flat(head[: begin.start()]):
            self._append = _AppendReader(head[: begin.end()])
            rest, self._parts = [head[begin.end() :], *self._parts[1:]], []
            for text in rest:
                self._append.push(text)
        elif self._chars > MAX_MESSAGE_CHARS:
            raise Refused(_too_long())

    def end(self) -> str | LongAppend:
        """Returns what came.

        Raises:
            Refused: it is too long, has too much in it, or is an append whose audio is none.
        """
        if self._problem is not None:
            raise Refused(self._problem)
        if self._append is not None:
            return self._append.end()
        text = "".join(self._parts)
        _check_values(text)
        return text


class _AppendReader:
    """A long append after the quote that opens its audio.

    Attributes:
        problem: what is wrong with its audio; what comes of that then is only passed over, for the
            ``event_id`` that may stand behind.
    """

    def __init__(self, head: str) -> None:
        self.problem: Problem | None = None
        self._head = head
        self._tail: str | None = None
        self._carried = ""
        self._chars = 0
        self._audio: list[str] = []

    def push(self, text: str) -> None:
        if self._tail is None:
            text, self._carried = self._carried + text, ""
            audio, quote, tail = text.partition('"')
            if quote:
                self._tail, text = "", tail
            if self.problem is None:
                self._try(audio, last=bool(quote))
        if self._tail is not None:
            self._tail += text
            if len(self._tail) > _HEAD_CHARS:
                raise Refused(_no_append())

    def _try(self, audio: str, *, last: bool) -> None:
        try:
            self._take(audio, last=last)
        except Refused as refused:
            self.problem = refused.problem
            self._audio.clear()
            self._carried = ""

    def _take(self, audio: str, *, last: bool) -> None:
        if "\\" in audio:
            audio, self._carried = _unescaped(audio, last=last)
        if not last:
            whole = len(audio) - len(audio) % PIECE_CHARS
            audio, self._carried = audio[:whole], audio[whole:] + self._carried
        self._chars += len(audio)
        if self._chars > _MAX_APPEND_CHARS:
            message = "Invalid 'audio': one event can carry 15 MiB of audio at most."
            raise Refused(Problem("string_above_max_length", message, "audio"))
        for start in range(0, len(audio), PIECE_CHARS):
            piece = audio[start : start + PIECE_CHARS]
            if self._audio and self._audio[-1].endswith("="):
                decode_audio("=", "audio")  # nothing may follow the padding
            decode_audio(piece, "audio")
            self._audio.append(piece)

    def end(self) -> LongAppend:
        text = f'{self._head}"{self._tail or ""}' if self._tail is not None else self._head
        try:
            event = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            message = f"Invalid event: failed to parse JSON value. {str(error)[:200]}"
            raise Refused(self.problem or Problem("invalid_json", message)) from None
        cause = event.get("event_id") if isinstance(event, dict) else None
        if self.problem is not None:
            raise Refused(self.problem, cause if isinstance(cause, str) else None)
        shape = isinstance(event, dict) and set(event) - {"event_id"} == {"type", "audio"}
        if not shape or event["type"] != "input_audio_buffer.append" or event["audio"] != "":
            raise Refused(_no_append(), cause if isinstance(cause, str) else None)
        del event["audio"]
        return LongAppend(event, self._audio)


def _unescaped(audio: str, *, last: bool) -> tuple[str, str]:
    """Returns text of JSON as it is meant, and what at its end may be half an escape."""
    cut = len(audio)
    if not last and (at := audio.rfind("\\", -_ESCAPE_CHARS)) >= 0:
        cut = at
    try:
        return msgspec.json.decode(f'"{audio[:cut]}"', type=str), audio[cut:]
    except (msgspec.DecodeError, UnicodeError):
        decode_audio("=", "audio")
        raise


def _too_long() -> Problem:
    message = (
        "This message is too long: only the audio of an append may have more than "
        f"{MAX_MESSAGE_CHARS // 1024 // 1024} MiB. Nothing of it was taken."
    )
    return Problem("string_above_max_length", message)


def _no_append() -> Problem:
    message = "A long message with audio must be an 'input_audio_buffer.append' and nothing else."
    return Problem("invalid_event", message)


def _is_flat(head: str) -> bool:
    """Tells whether what follows belongs to the message itself, and not to something in it."""
    outside = _TEXT.sub("", head)
    return outside.count("{") == 1 and "[" not in outside


def _check_values(text: str) -> None:
    if sum(map(text.count, "[{,")) <= MAX_VALUES:
        return
    if sum(map(_TEXT.sub("", text).count, "[{,")) > MAX_VALUES:
        message = f"Invalid event: it holds more than {MAX_VALUES:,} values."
        raise Refused(Problem("invalid_event", message))
