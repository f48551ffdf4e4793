"""From the chunks of a streamed chat completion to texts and whole function calls.

Servers differ in how they send calls: one after the other or interleaved, numbered from 0, all
numbered 0 or not at all, with ids or without, arguments in pieces, whole, or as an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realtime_nb.errors import RealtimeError
from realtime_nb.local.http_service import complaint
from realtime_nb.local.llm import Call, Text, Usage

__all__ = ["ChatStream"]

MOST_CALLS = 128
_THINKS, _THOUGHT = "<think>", "</think>"


@dataclass
class _OpenCall:
    index: object
    call_id: str | None = None
    name: str = ""
    arguments: str = ""

    @property
    def whole(self) -> bool:
        return _is_json(self.arguments)

    def finished(self) -> Call:
        return Call(self.name, self.arguments.strip() or "{}", self.call_id)


class ChatStream:
    """Takes the chunks of one answer; texts come out at once, calls when the answer is over.

    Attributes:
        ended: Whether a chunk said that the answer is over.
    """

    def __init__(self) -> None:
        self.ended = False
        self._calls: list[_OpenCall] = []
        self._finish = ""
        self._spoke = False
        self._usage: Usage | None = None
        self._thoughts = _Thoughts()

    def take(self, chunk: object) -> Iterator[Text]:
        """Yields what a chunk adds to the text.

        Raises:
            RealtimeError: the chunk tells of an error, or is none.
        """
        if not isinstance(chunk, Mapping) or _is_error(chunk):
            raise RealtimeError(f"The chat endpoint stopped: {complaint(chunk)}")
        self._usage = _usage(chunk.get("usage")) or self._usage  # the last counts all
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping):
                continue
            if reason := choice.get("finish_reason"):
                self.ended, self._finish = True, str(reason)
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, Mapping):
                yield from self._take_delta(delta)

    def rest(self) -> Iterator[Text | Call | Usage]:
        """Yields what was held back until the end: the calls, in the order in which they began,
        and the tokens, if they were told.

        Raises:
            RealtimeError: the answer broke off in a call, or a filter left nothing of it.
        """
        yield from self._said(self._thoughts.close())
        if self._finish == "content_filter" and not (self._spoke or self._calls):
            raise RealtimeError(
                "The chat endpoint's content filter held the whole answer back. Say it otherwise."
            )
        for call in self._calls:
            if self._finish == "length" and call.arguments and not call.whole:
                raise RealtimeError(
                    f"The answer was cut off in the middle of the call of {call.name!r}. "
                    "Allow more output tokens."
                )
            yield call.finished()
        if self._usage is not None:
            yield self._usage

    def _take_delta(self, delta: Mapping[str, Any]) -> Iterator[Text]:
        yield from self._said(self._thoughts.push(_text_of(delta.get("content"))))
        pieces = delta.get("tool_calls")
        if not pieces and delta.get("function_call"):  # as it was before there were several
            pieces = [{"function": delta["function_call"]}]
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, Mapping):
                self._take_piece(piece)

    def _said(self, text: str) -> Iterator[Text]:
        if text:
            self._spoke = True
            yield Text(text)

    def _take_piece(self, piece: Mapping[str, Any]) -> None:
        function = piece.get("function")
        function = function if isinstance(function, Mapping) else {}
        name, given = str(function.get("name") or ""), _arguments(function.get("arguments"))
        call = self._meant(piece, name)
        if call is None:
            if len(self._calls) == MOST_CALLS:
                raise RealtimeError(f"The chat endpoint made more than {MOST_CALLS} calls at once.")
            call = _OpenCall(piece.get("index"))
            self._calls.append(call)
        call.call_id = call.call_id or (str(piece["id"]) if piece.get("id") else None)
        if name and not call.name.endswith(name):  # some say it again with every piece
            call.name = name if name.startswith(call.name) else call.name + name
        if not (call.whole and given == call.arguments):  # some say all of it again at the end
            call.arguments += given

    def _meant(self, piece: Mapping[str, Any], name: str) -> _OpenCall | None:
        """Returns the call that a piece goes on with; None: it begins one."""
        call_id, index = piece.get("id"), piece.get("index")
        if call_id:
            for call in self._calls:
                if call.call_id == call_id:
                    return call
        numbered = [call for call in self._calls if call.index == index]
        if not numbered:
            return None
        latest = numbered[-1]
        # Some servers number every call 0, or none; then ids tell them apart, or that one is whole.
        if call_id and latest.call_id:
            return None
        return None if name and latest.whole else latest


class _Thoughts:
    """Leaves out what a model thinks aloud before its answer, between <think> and </think>."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking: bool | None = None  # None: it is too early to tell
        self._thought = False

    def push(self, text: str) -> str:
        if self._thinking is False:
            return text
        self._held += text
        if self._thinking is None:
            begin = self._held.lstrip()
            if not begin or (len(begin) < len(_THINKS) and _THINKS.startswith(begin)):
                return ""
            self._thinking = begin.startswith(_THINKS)
        if self._thinking and _THOUGHT not in self._held:
            self._held = _THINKS + self._held[-len(_THOUGHT) :]
            return ""
        said, self._held = self._held, ""
        if self._thinking:
            said, self._thought = said.split(_THOUGHT, 1)[1], True
        said = said.lstrip() if self._thought else said
        self._thinking = None if self._thought and not said else False
        return said

    def close(self) -> str:
        """Returns what was held back for nothing."""
        return "" if self._thinking or self._thought else self._held


def _usage(told: object) -> Usage | None:
    """Returns the tokens of a chunk; None where it tells none."""
    if not isinstance(told, Mapping):
        return None
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    counts = (told.get("prompt_tokens"), told.get("completion_tokens"))
    read, written, cached = (_count(value) for value in (*counts, cached))
    return None if read is None and written is None else Usage(read, written, cached)


def _count(value: object) -> int | None:
    known = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if known else None  # type: ignore[return-value]


def _is_error(chunk: Mapping[str, Any]) -> bool:
    return bool(chunk.get("error")) or chunk.get("object") == "error"


def _text_of(content: object) -> str:
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        return "".join(str(part.get("text") or "") for part in parts)
    return content if isinstance(content, str) else ""


def _arguments(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
