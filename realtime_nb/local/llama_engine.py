"""A GGUF model in this process, by ``xllamacpp``: loaded once, asked by several at a time.

Each question runs in a thread of its own, at most as many as the model has slots; whoever comes
later waits in line. What is taken back stops with the next piece of the prompt or of the answer.
"""

from __future__ import annotations

import asyncio
import atexit
import secrets
import threading
import time
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime_nb.errors import RealtimeError
from realtime_nb.local.threads import WorkThreads

__all__ = ["LlamaEngine", "LlamaSettings", "shared_engine"]

ENDING_S = 5.0
"""How long the process waits, at its end, for models to leave off."""
KEPT_PROMPTS_MIB = 256
HTTP_THREADS = 1


@dataclass(frozen=True, slots=True)
class LlamaSettings:
    """What a loaded model is: engines of the same settings are one.

    Attributes:
        context_tokens: of one conversation.
        slots: how many conversations are answered at once.
        threads: that work for all of them together.
        batch_tokens: of a prompt that are read between two looks at whether to stop.
        chat_template: in the place of the model's own; "": that.
    """

    path: Path
    context_tokens: int
    slots: int
    threads: int
    batch_tokens: int
    chat_template: str = ""


@dataclass(eq=False)
class _Question:
    """One request: what it got so far waits in ``chunks``, which no more enter than the model
    makes."""

    loop: asyncio.AbstractEventLoop
    chunks: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    given_up: bool = False

    def hand_over(self, chunk: dict[str, Any] | None) -> bool:
        """Takes a chunk, in the model's thread; tells whether it may stop."""
        try:
            self.loop.call_soon_threadsafe(self.chunks.put_nowait, chunk)
        except RuntimeError:  # the loop is over, and who asked with it
            self.given_up = True
        return self.given_up


class LlamaEngine:
    """A model and the threads that ask it; see :func:`shared_engine`."""

    def __init__(self, settings: LlamaSettings) -> None:
        self.settings = settings
        self._threads = WorkThreads(settings.slots, "llama")
        weakref.finalize(self, self._threads.shutdown, wait=False)
        self._loading = threading.Lock()
        self._server: Any = None
        self._running: set[_Question] = set()
        self._ending = False

    @property
    def running(self) -> int:
        """How many questions the model works on."""
        return len(self._running)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._server is not None

    def load(self) -> None:
        """Reads the file, unless that is done. Blocks.

        Raises:
            RealtimeError: llama.cpp can't use the file.
        """
        with self._loading:
            if self._server is None:
                self._server = _started(self.settings)

    async def ask(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Yields the chunks of a streamed chat completion; closing it stops the model.

        Raises:
            RealtimeError: the model can't be loaded.
        """
        question = _Question(asyncio.get_running_loop())
        future = self._threads.submit(self._answer, question, body)
        future.add_done_callback(lambda _: question.hand_over(None))
        try:
            while (chunk := await question.chunks.get()) is not None:
                yield chunk
            if not future.cancelled():
                future.result()
        finally:
            question.given_up = True
            future.cancel()  # if it still waits in line

    def end(self) -> None:
        """Makes the model leave off whatever it works on."""
        self._ending = True
        for question in [*self._running]:
            question.given_up = True

    def _answer(self, question: _Question, body: dict[str, Any]) -> None:
        self._running.add(question)
        try:
            if not (question.given_up or self._ending):
                self.load()
                # Progress of the prompt, so that it can be given up in the middle, too.
                asked = {**body, "return_progress": True}
                self._server.handle_chat_completions(asked, question.hand_over)
        finally:
            self._running.discard(question)


def _started(settings: LlamaSettings) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    params.n_batch = params.n_ubatch = settings.batch_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.cache_ram_mib = KEPT_PROMPTS_MIB
    params.chat_template = settings.chat_template
    params.verbosity = -1
    # It listens for HTTP, too, whether that is wanted or not: nobody else is let in.
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.n_threads_http = [secrets.token_urlsafe(24)], HTTP_THREADS
    params.ui = False
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise RealtimeError(
            f"llama.cpp can't load {settings.path} ({error}) Is it a whole GGUF file of a chat "
            "model, and is there memory enough for it? Try a smaller context_tokens, too."
        ) from None


_ENGINES: weakref.WeakValueDictionary[LlamaSettings, LlamaEngine] = weakref.WeakValueDictionary()
_MAKING = threading.Lock()


def shared_engine(settings: LlamaSettings) -> LlamaEngine:
    """Returns the process's engine of these settings, which is there as long as somebody has it."""
    with _MAKING:
        engine = _ENGINES.get(settings)
        if engine is None:
            engine = _ENGINES[settings] = LlamaEngine(settings)
        return engine


@atexit.register
def _end_all() -> None:
    """Stops what still runs: a thread that is ended inside llama.cpp takes the process down."""
    engines = [*_ENGINES.values()]
    for engine in engines:
        engine.end()
    until_s = time.monotonic() + ENDING_S
    while any(engine.running for engine in engines) and time.monotonic() < until_s:
        time.sleep(0.01)
