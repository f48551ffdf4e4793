"""Services of other machines that engines ask over HTTP, as OpenAI's API has them."""

from __future__ import annotations

import json
import math
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.errors.secret_shapes import note_keys

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpService", "RefusedByService", "complaint", "is_page", "usable_name"]

LONGEST_COMPLAINT = 300
LONGEST_CONNECTING_S = 10.0
LONGEST_REFUSAL = 64 * 1024
MAX_TEXT_BYTES = 1_000_000
"""Of an answer that is text."""
_KEY_CHARS = 6  # fewer are a word, which services that want no key are given

T = TypeVar("T")


class RefusedByService(RealtimeError):
    """A service answered with another status than 200.

    Attributes:
        status, said: what it answered with, without the key.
    """

    def __init__(self, told: str, status: int, said: str) -> None:
        super().__init__(told)
        self.status, self.said = status, said


class HttpService:
    """One route of a service, with its key.

    Args:
        base_url: up to and including the version: ``https://api.openai.com/v1``.
        path: of the route, behind the base URL; one that ends in it will do as well.
        model: the model's name there.
        api_key: sent as a bearer token; never shown.
        timeout_s: how long it may be silent before the request fails.

    Attributes:
        shown_url: without what may be secret in it.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: something of it can't be used.
    """

    def __init__(
        self, base_url: str, path: str, model: str, api_key: str | None, timeout_s: float
    ) -> None:
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("httpx", "chat") from error
        self._path = path
        self._key = _usable_key(api_key)
        self.base_url = _usable_url(base_url).removesuffix(path)
        self.shown_url = re.sub(r"//[^/@]*@", "//", self.base_url)
        self.model = usable_name("model", model)
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
            raise ConfigurationError(f"timeout_s is {timeout_s!r}; give seconds above 0.")
        if not 0 < timeout_s < math.inf:
            raise ConfigurationError(f"timeout_s is {timeout_s!r}; give seconds above 0.")
        self.timeout_s = timeout_s
        # Reading the system's certificates is slow: once, not with every request.
        secure = self.base_url.startswith("https://")
        self._certificates = ssl.create_default_context() if secure else None

    async def streamed(
        self, read: Callable[[httpx.Response], AsyncGenerator[T, None]], **body: Any
    ) -> AsyncGenerator[T, None]:
        """Yields what ``read`` makes of the answer to a POST. Closing it ends the request at once.

        Args:
            read: of an answer of status 200.
            body: ``json=``, or ``data=`` and ``files=``.

        Raises:
            RefusedByService: the service answers with another status.
            RealtimeError: the service can't be reached, or breaks off.
        """
        import httpx

        connecting_s = min(LONGEST_CONNECTING_S, self.timeout_s)
        client = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeout_s, connect=connecting_s),
            verify=self._certificates if self._certificates else False,
        )
        request = client.stream(
            "POST", f"{self.base_url}{self._path}", headers=self.headers(), **body
        )
        try:
            async with client, request as response:
                if response.status_code != 200:
                    raise await self._refused(response)
                async with aclosing(read(response)) as parts:
                    async for part in parts:
                        yield part
            return
        except httpx.HTTPError as error:
            problem = self._told(error, connecting_s)
        # Here, where it doesn't carry the request along, whose headers have the key.
        raise RealtimeError(problem)

    async def text(self, **body: Any) -> str:
        """Returns the text of the answer to a POST; raises as :meth:`streamed`."""
        async with aclosing(self.streamed(self._whole, **body)) as answers:
            return await anext(answers)

    def headers(self) -> dict[str, str]:
        """Returns what each request says besides its body."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def without_key(self, text: str) -> str:
        """Returns a text of the service's own without the key."""
        key = self._key
        return text.replace(key, "…") if key and len(key) >= _KEY_CHARS else text

    async def _whole(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        content = await _content(response, MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise RealtimeError(f"{self.shown_url} answered with more than text. Check base_url.")
        yield content.decode(errors="replace")

    # --- what goes wrong ---

    async def _refused(self, response: httpx.Response) -> RefusedByService:
        content = await _content(response, LONGEST_REFUSAL)
        text, status = self.without_key(content.decode(errors="replace")), response.status_code
        said = "It sent a web page." if is_page(text) else complaint(text)
        advice = self._advice(status, text, response.headers)
        return RefusedByService(
            f"{self.shown_url} answered {status}: {said} {advice}", status, text
        )

    def _advice(self, status: int, text: str, headers: Mapping[str, str]) -> str:
        if status in (401, 403):
            return "Check api_key." if self._key else "Give it an api_key."
        if status == 404 and "model" in text.lower() and not is_page(text):
            return f"Check model: is {self.model!r} there? GET {self.shown_url}/models lists them."
        if status in (404, 405):
            return "Check base_url: it mostly ends in /v1."
        if status == 429:
            after = headers.get("retry-after", "").strip()
            soon = f" in {after} s" if after.isdigit() else f" after {after}" if after else " later"
            return f"Too much was asked of it, or a quota is used up: try again{soon}."
        if 300 <= status < 400:
            target = self.without_key(headers.get("location", "")) or "another address"
            return f"It points to {target}: give that as base_url, without {self._path}."
        if status >= 500:
            return "That is its own fault: look at its log, or try again later."
        return "Check base_url, model and api_key."

    def _told(self, error: httpx.HTTPError, connecting_s: float) -> str:
        import httpx

        if isinstance(error, httpx.ConnectTimeout):
            return (
                f"{self.shown_url} took no connection within {connecting_s:g} s. "
                "Is the model server running?"
            )
        if isinstance(error, httpx.TimeoutException):
            return f"{self.shown_url} gave nothing for {self.timeout_s:g} s. Is it overloaded?"
        problem = self.without_key(str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectError):
            return f"No answer from {self.shown_url} ({problem}). Is the model server running?"
        return f"{self.shown_url} broke off in the middle of its answer ({problem}). Try again."


async def _content(response: httpx.Response, most: int) -> bytes:
    """Returns what came, but no more than that many bytes."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece[: most - len(content)]
        if len(content) == most:
            break
    return bytes(content)


def complaint(body: object) -> str:
    """Returns the message of an error body, whatever its form, as a sentence."""
    if isinstance(body, str):
        with suppress(ValueError):
            body = json.loads(body)
    error = body.get("error", body.get("detail", body)) if isinstance(body, Mapping) else body
    if isinstance(error, list) and error:
        error = error[0]
        error = error.get("error", error) if isinstance(error, Mapping) else error
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("detail") or error.get("msg") or error
    said = " ".join(str(error or "").split())[:LONGEST_COMPLAINT] or "no reason given"
    return said if said.endswith(".") else f"{said}."


def is_page(text: str) -> bool:
    """Tells whether a text is one of a web page."""
    return bool(re.match(r"\s*<(?:!doctype|html|\?xml|head|body)\b", text, re.I))


def usable_name(option: str, value: object) -> str:
    """Returns a name that a service is given, such as a model's, without space around it.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ConfigurationError(f"{option} is {value!r}; give the name that the service has for it.")


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
    return given.rstrip("/")
