"""A language model behind any OpenAI-compatible ``/chat/completions`` endpoint.

Ollama, llama.cpp, vLLM, LM Studio and the hosted services all have one::

    rt.serve(llm=rt.ChatLLM("http://localhost:11434/v1", "qwen3:4b"))
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import RealtimeError
from realtime_nb.local.chat_messages import COUNTED, chat_body, checked_options
from realtime_nb.local.chat_stream import ChatStream
from realtime_nb.local.http_service import HttpService, RefusedByService, is_page
from realtime_nb.local.llm import Call, Request, Text, Usage

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatLLM"]

LONGEST_LINE = 4 * 1024 * 1024
_PATH = "/chat/completions"
_OF_EVENTS = re.compile(r"\s*$|:|(?:event|id|retry):")


class ChatLLM:
    """Streams answers and function calls from a chat-completions endpoint.

    Closing the stream of an answer closes its HTTP request at once, so that the endpoint stops. It
    is asked to count its tokens, unless it refuses to.

    Args:
        base_url: Up to and including the version: ``https://api.openai.com/v1``.
        model: The model's name there.
        api_key: Sent as a bearer token; never shown.
        timeout_s: How long the endpoint may be silent before the reply fails.
        options: Further fields of each request: ``{"temperature": 0.7}``.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: a value can't be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._service = HttpService(base_url, _PATH, model, api_key, timeout_s)
        self.base_url, self.timeout_s = self._service.base_url, timeout_s
        self.name = self.model = self._service.model
        self._options = checked_options(options)
        self._limit = "max_tokens"
        self._counts = "stream_options" not in self._options

    def __repr__(self) -> str:
        return f"ChatLLM({self._service.shown_url!r}, {self.model!r})"

    async def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        """Streams the answer; function calls and tokens come out when it is over.

        Raises:
            RealtimeError: The endpoint can't be reached, refuses, or breaks off.
        """
        while True:
            asking = self._service.streamed(self._parts, json=self._body(request))
            try:
                async with aclosing(asking) as parts:
                    async for part in parts:
                        yield part
                return
            except RefusedByService as refused:
                if not self._does_without(refused):
                    raise

    def _body(self, request: Request) -> dict[str, Any]:
        counted = COUNTED if self._counts else {}
        body = {"model": self.model, **counted, **self._options, **chat_body(request)}
        if "max_tokens" in body and self._limit != "max_tokens":
            body[self._limit] = body.pop("max_tokens")
        return body

    def _does_without(self, refused: RefusedByService) -> bool:
        """Tells whether a refusal is of a field that endpoints differ in; from now on another
        stands for it, or none."""
        if refused.status not in (400, 422):
            return False
        if self._counts and re.search("stream_options|include_usage", refused.said):
            self._counts = False
            return True
        if self._limit == "max_tokens" and "max_completion_tokens" in refused.said:
            self._limit = "max_completion_tokens"
            return True
        return False

    # --- answers ---

    async def _parts(self, response: httpx.Response) -> AsyncGenerator[Text | Call | Usage, None]:
        """Yields what server-sent events tell, or one JSON text where the endpoint doesn't
        stream."""
        stream, others = ChatStream(), list[str]()
        async with aclosing(_lines(response.aiter_bytes())) as lines:
            async for line in lines:
                if not line.startswith("data:"):
                    others += [] if _OF_EVENTS.match(line) else [line]
                    continue
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    stream.ended = True
                    break
                for text in stream.take(self._decoded(data)) if data else ():
                    yield text
        if others and not stream.ended:
            for text in stream.take(self._decoded("\n".join(others))):
                yield text
        if not stream.ended:
            raise RealtimeError(
                f"{self._service.shown_url} broke off in the middle of its answer. Try again."
            )
        for part in stream.rest():
            yield part

    def _decoded(self, data: str) -> object:
        data = self._service.without_key(data)
        if is_page(data):
            raise RealtimeError(
                f"{self._service.shown_url} answered with a web page, not with a chat completion. "
                "Check base_url: it mostly ends in /v1."
            )
        try:
            return json.loads(data)
        except ValueError:
            raise RealtimeError(f"{self._service.shown_url} sent no JSON: {data[:80]!r}.") from None


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """Yields lines. Only line feeds end them: JSON may hold whatever else Unicode has for it."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if b"\n" not in piece:
            if len(held) > LONGEST_LINE:
                raise RealtimeError(f"The chat endpoint sent a line of over {LONGEST_LINE} bytes.")
            continue
        *whole, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if held:
        yield held.decode(errors="replace").rstrip("\r")
