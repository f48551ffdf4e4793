"""Rules for whatever has to be right, a language model for small talk."""

from __future__ import annotations

import datetime
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import LLM, Call, Request, Text, Usage, word_deltas
from realtime_nb.local.rules import RuleLLM

__all__ = ["RulesFirst"]

MOST_MESSAGES = 12
"""Of the conversation, what the other model is told: small talk has a short memory, and a small
model is slow to read."""


class RulesFirst:
    """Lets the rules answer what they understand, and another model the rest.

    The rules call functions, ask for what a call lacks, tell results, and know the time, names and
    what was said. A text that they would answer with mere politeness, or with its echo, is small
    talk: the other model answers. In the middle of a booking the rules then go on asking. The other
    model is offered no functions, and sees no calls.

    Args:
        other: What makes small talk.
        clock: As :class:`RuleLLM` takes it.

    Example:
        >>> rt.serve(llm=RulesFirst(rt.LlamaLLM("model.gguf")))
    """

    def __init__(
        self, other: LLM, clock: Callable[[], datetime.date] = datetime.datetime.now
    ) -> None:
        if not callable(getattr(other, "reply", None)):
            raise ConfigurationError(
                f"The model for small talk is {other!r}, which has no reply(request); give an LLM, "
                "such as rt.ChatLLM(…) or rt.LlamaLLM(…)."
            )
        self.other = other
        self.name = f"rules+{other.name}"
        nature = f"Functions are called by fixed rules; small talk is made by {other.name}."
        self._rules = RuleLLM(clock, nature)

    def __repr__(self) -> str:
        return f"RulesFirst({self.other!r})"

    def warm_up(self) -> None:
        """Loads the other model, where that takes time. Blocks."""
        if callable(load := getattr(self.other, "warm_up", None)):
            load()

    def close(self) -> None:
        """Ends the thread in which the rules think."""
        self._rules.close()

    async def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        """Streams the answer: what the rules know, then small talk, then what they ask for; the
        tokens are those of the small talk.

        Raises:
            RealtimeError: of the other model.
        """
        answer = await self._rules.answer(request)
        if answer.call is not None:
            yield answer.call
            return
        if not answer.chat:
            for delta in word_deltas(answer.text):
                yield Text(delta)
            return
        for delta in word_deltas(f"{answer.known} " if answer.known else ""):
            yield Text(delta)
        said, usage = "", None
        stream = self.other.reply(_small_talk(request))
        try:
            async for part in stream:
                if isinstance(part, Text):
                    said += part.delta
                    yield part
                elif isinstance(part, Usage):
                    usage = part
        finally:
            if callable(close := getattr(stream, "aclose", None)):
                await close()
        rest = answer.asking if re.search(r"\w", said) else f"{answer.chat} {answer.asking}".strip()
        pause = ". " if said.rstrip()[-1:].isalnum() else " "
        for delta in word_deltas(f"{pause}{rest}" if rest else ""):
            yield Text(delta)
        if usage is not None:
            yield usage


def _small_talk(request: Request) -> Request:
    """Returns a request without functions and without what they were asked and said."""
    messages = [item for item in request.items if _is_message(item)]
    told = [item for item in messages if item.get("role") == "system"]
    said = [item for item in messages if item.get("role") != "system"][-MOST_MESSAGES:]
    return replace(request, items=[*told, *said], tools=[], tool_choice="none")


def _is_message(item: Mapping[str, Any]) -> bool:
    return item.get("role") is not None and item.get("type", "message") == "message"
