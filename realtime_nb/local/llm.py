"""What a language model is to the local server, and one that plays a script.

A model gets a :class:`Request` (the conversation so far, in the items of the protocol) and hands
back an asynchronous stream of :class:`Text` and :class:`Call`. Whoever reads the stream may stop
at any point; closing it ends the work.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["LLM", "Call", "Reply", "Request", "ScriptedLLM", "Text", "Usage", "word_deltas"]

_WORD = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_SCRIPT_ENDED = "The script has no further reply."


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what the model says; the pieces in order make the message."""

    delta: str


@dataclass(frozen=True, slots=True)
class Call:
    """A whole function call; ``arguments`` is JSON. Without a ``call_id`` the server makes one."""

    name: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a whole answer, of an engine that counts them; its last word.

    Attributes:
        input_tokens, output_tokens: None where it doesn't tell.
        cached_tokens: those of the input that came from a cache.
    """

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked to answer.

    Attributes:
        items: Conversation items of the protocol (GA form) in order; audio of the user comes with
            its transcript: ``{"type": "input_audio", "transcript": "…"}``.
        instructions: The system prompt, "" if there is none.
        tools: Function tools in flat form: ``{"type": "function", "name": …, "parameters": …}``.
        tool_choice: "auto", "none", "required" or ``{"type": "function", "name": …}``.
        max_output_tokens: An upper bound for the answer, or "inf".
    """

    items: list[dict[str, Any]]
    instructions: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: str | dict[str, Any] = "auto"
    max_output_tokens: int | str = "inf"


class LLM(Protocol):
    """Anything that answers a :class:`Request`.

    ``reply`` is called once per response, from the server's loop; it must not block.
    """

    name: str

    def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        """Streams the answer, and at its end, where that is known, its tokens."""
        ...


Reply = str | Call | Sequence[str | Call]


class ScriptedLLM:
    """Plays prepared replies, one per request, whatever it is asked.

    Args:
        replies: Each a text, a :class:`Call`, a list of both, or a function that makes one of these
            from the request.

    Example:
        >>> llm = ScriptedLLM(["Hello.", Call("now", "{}"), lambda request: "It is noon."])
    """

    def __init__(self, replies: Sequence[Reply | Callable[[Request], Reply]]) -> None:
        self.name = "scripted"
        self._replies = iter(tuple(replies))

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the next reply of the script, or a fixed sentence once it has ended."""
        reply = next(self._replies, _SCRIPT_ENDED)
        return _play(reply(request) if callable(reply) else reply)


async def _play(reply: Reply) -> AsyncIterator[Text | Call]:
    steps = [reply] if isinstance(reply, str | Call) else reply
    for step in steps:
        if isinstance(step, Call):
            yield step
        else:
            for delta in word_deltas(step):
                yield Text(delta)


def word_deltas(text: str) -> Iterator[str]:
    """Cuts text into pieces of one word each, as a streaming model sends it; joined, they are
    it."""
    return (match.group() for match in _WORD.finditer(text))
