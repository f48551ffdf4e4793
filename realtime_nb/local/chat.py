"""A language model behind any OpenAI-compatible ``/chat/completions`` endpoint.

Ollama, llama.cpp, vLLM, LM Studio and the hosted services all have one::

    rt.serve(llm=rt.ChatLLM("http://localhost:11434/v1", "qwen3:4b"))
"""

from __future__ import annotations

import json
import math
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.errors.secret_shapes import note_keys
from realtime_nb.local.chat_messages import chat_body, checked_options
from realtime_nb.local.chat_stream import ChatStream, complaint
from realtime_nb.local.llm import Call, Request, Text

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatLLM"]

LONGEST_LINE = 4 * 1024 * 1024
LONGEST_REFUSAL = 64 * 1024
LONGEST_CONNECTING_S = 10.0
_PATH = "/chat/completions"
_OF_EVENTS = re.compile(r"\s*$|:|(?:event|id|retry):")
_KEY_CHARS = 6  # fewer are a word, which endpoints that want no key are given


class ChatLLM:
    """Streams answers and function calls from a chat-completions endpoint.

    Closing the stream of an answer closes its HTTP request at once, so that the endpoint stops.

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
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("httpx", "chat") from error
        self._api_key = _usable_key(api_key)
        self.base_url = _usable_url(base_url)
        self._shown_url = re.sub(r"//[^/@]*@", "//", self.base_url)
        if not isinstance(model, str) or not model.strip():
            raise ConfigurationError(
                f"model is {model!r}; give the name that the endpoint has for it, "
                "such as 'qwen3:4b'."
            )
        self.name = self.model = model.strip()
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
            raise ConfigurationError(f"timeout_s is {timeout_s!r}; give seconds above 0.")
        if not 0 < timeout_s < math.inf:
            raise ConfigurationError(f"timeout_s is {timeout_s!r}; give seconds above 0.")
        self.timeout_s = timeout_s
        self._options = checked_options(options)
        self._limit = "max_tokens"
        # Reading the system's certificates is slow: once, not with every reply.
        secure = self.base_url.startswith("https://")
        self._certificates = ssl.create_default_context() if secure else None

    def __repr__(self) -> str:
        return f"ChatLLM({self._shown_url!r}, {self.model!r})"

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the answer; function calls come out when it is over.

        Raises:
            RealtimeError: The endpoint can't be reached, refuses, or breaks off.
        """
        import httpx

        connecting_s = min(LONGEST_CONNECTING_S, self.timeout_s)
        client = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeout_s, connect=connecting_s),
            verify=self._certificates if self._certificates else False,
        )
        try:
            async with client:
                for retried in (False, True):
                    async with client.stream(**self._http_request(request)) as response:
                        if response.status_code != 200:
                            refusal = await self._refusal(response)
                            if self._takes_newer_limit(response.status_code, refusal, retried):
                                continue
                            raise self._refused(response, refusal)
                        async with aclosing(self._parts(response)) as parts:
                            async for part in parts:
                                yield part
                        return
        except httpx.HTTPError as error:
            problem = self._told(error, connecting_s)
        # Here, where it doesn't carry the request along, whose headers have the key.
        raise RealtimeError(problem)

    def _http_request(self, request: Request) -> dict[str, Any]:
        body = {"model": self.model, **self._options, **chat_body(request)}
        if "max_tokens" in body and self._limit != "max_tokens":
            body[self._limit] = body.pop("max_tokens")
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        return {
            "method": "POST",
            "url": f"{self.base_url}{_PATH}",
            "json": body,
            "headers": headers,
        }

    # --- answers ---

    async def _parts(self, response: httpx.Response) -> AsyncGenerator[Text | Call, None]:
        """Yields texts and calls of server-sent events, or of one JSON text where the endpoint
        doesn't stream."""
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
                f"{self._shown_url} broke off in the middle of its answer. Try again."
            )
        for part in stream.rest():
            yield part

    def _decoded(self, data: str) -> object:
        data = self._without_key(data)
        if _is_page(data):
            raise RealtimeError(
                f"{self._shown_url} answered with a web page, not with a chat completion. "
                "Check base_url: it mostly ends in /v1."
            )
        try:
            return json.loads(data)
        except ValueError:
            raise RealtimeError(f"{self._shown_url} sent no JSON: {data[:80]!r}.") from None

    # --- refusals ---

    async def _refusal(self, response: httpx.Response) -> str:
        """Returns what an endpoint says that refuses; no more of it than that much."""
        said = bytearray()
        async for piece in response.aiter_bytes():
            said += piece[: LONGEST_REFUSAL - len(said)]
            if len(said) == LONGEST_REFUSAL:
                break
        return self._without_key(said.decode(errors="replace"))

    def _refused(self, response: httpx.Response, text: str) -> RealtimeError:
        said = "It sent a web page." if _is_page(text) else complaint(text)
        advice = self._advice(response.status_code, text, response.headers)
        return RealtimeError(
            f"{self._shown_url} answered {response.status_code}: "
            f"{'no reason given.' if said == '.' else said} {advice}"
        )

    def _takes_newer_limit(self, status: int, refusal: str, retried: bool) -> bool:
        """Tells whether the limit of tokens has its newer name there, which is used from now on."""
        if status != 400 or retried or "max_completion_tokens" not in refusal:
            return False
        self._limit = "max_completion_tokens"
        return True

    def _advice(self, status: int, text: str, headers: Mapping[str, str]) -> str:
        if status in (401, 403):
            return "Check api_key." if self._api_key else "Give it an api_key."
        if status == 404 and "model" in text.lower() and not _is_page(text):
            return f"Check model: is {self.model!r} there? GET {self._shown_url}/models lists them."
        if status in (404, 405):
            return "Check base_url: it mostly ends in /v1."
        if status == 429:
            after = headers.get("retry-after", "").strip()
            soon = f" in {after} s" if after.isdigit() else f" after {after}" if after else " later"
            return f"Too much was asked of it, or a quota is used up: try again{soon}."
        if 300 <= status < 400:
            target = self._without_key(headers.get("location", "")) or "another address"
            return f"It points to {target}: give that as base_url, without {_PATH}."
        if status >= 500:
            return "That is its own fault: look at its log, or try again later."
        return "Check base_url, model and api_key."

    def _told(self, error: httpx.HTTPError, connecting_s: float) -> str:
        import httpx

        if isinstance(error, httpx.ConnectTimeout):
            return (
                f"{self._shown_url} took no connection within {connecting_s:g} s. "
                "Is the model server running?"
            )
        if isinstance(error, httpx.TimeoutException):
            return f"{self._shown_url} gave nothing for {self.timeout_s:g} s. Is it overloaded?"
        problem = self._without_key(str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectError):
            return f"No answer from {self._shown_url} ({problem}). Is the model server running?"
        return f"{self._shown_url} broke off in the middle of its answer ({problem}). Try again."

    def _without_key(self, text: str) -> str:
        key = self._api_key
        return text.replace(key, "…") if key and len(key) >= _KEY_CHARS else text


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


def _is_page(text: str) -> bool:
    return bool(re.match(r"\s*<(?:!doctype|html|\?xml|head|body)\b", text, re.I))


def _usable_key(key: str | None) -> str | None:
    """Returns a key without space around it, which is of the file that it was read from.

    Raises:
        ConfigurationError: it can't be sent. Nothing of it is told.
    """
    if key is not None and not isinstance(key, str):
        raise ConfigurationError(f"api_key is a {type(key).__name__}; give text, or None.")
    key = key.strip() if key else None
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "api_key holds a line break or another character that no key has. Copy it again; of a "
            "file, take one line only."
        )
    if key:
        note_keys([key])
    return key or None


def _usable_url(url: str) -> str:
    given = url.strip() if isinstance(url, str) else ""
    if not re.match(r"https?://[^/\s]", given):
        raise ConfigurationError(
            f"base_url must start with http:// or https://, not {url!r}; "
            "for example 'http://localhost:11434/v1'."
        )
    if re.search(r"[?#\s]", given):
        raise ConfigurationError(
            "base_url holds a query, a fragment or a space; give the address up to /v1 only."
        )
    return given.rstrip("/").removesuffix(_PATH)
