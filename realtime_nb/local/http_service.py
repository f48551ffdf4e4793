"""Services of other machines that engines ask over HTTP, as OpenAI's API has them."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.errors.secret_shapes import note_keys

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpService", "complaint", "usable_name"]

LONGEST_COMPLAINT = 300
MAX_TEXT_BYTES = 1_000_000
"""Of an answer that is text, or an error."""

T = TypeVar("T")


class HttpService:
    """One service at its base URL, with its key.

    Args:
        base_url: up to and including the version: ``https://api.openai.com/v1``.
        api_key: sent as a bearer token; never shown.
        timeout_s: how long it may be silent before the request fails.

    Attributes:
        shown_url: without what may be secret in it.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: something of it can't be used.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float) -> None:
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("httpx", "chat") from error
        if not isinstance(base_url, str) or not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"base_url must start with http:// or https://, not {base_url!r}."
            )
        if (
            isinstance(timeout_s, bool)
            or not isinstance(timeout_s, int | float)
            or not timeout_s > 0
        ):
            raise ConfigurationError(f"timeout_s is {timeout_s!r}; give seconds, more than 0.")
        self.base_url = base_url.rstrip("/")
        self.shown_url = re.sub(r"//[^/@]*@", "//", self.base_url)
        self.timeout_s = timeout_s
        self._key = _usable_key(api_key)
        if self._key:
            note_keys([self._key])
        # Reading the system's certificates is slow: once, not with every request.
        secure = base_url.startswith("https://")
        self._certificates = ssl.create_default_context() if secure else None

    async def streamed(
        self, path: str, read: Callable[[httpx.Response], AsyncGenerator[T, None]], **body: Any
    ) -> AsyncGenerator[T, None]:
        """Yields what ``read`` makes of the answer to a POST. Closing it ends the request at once.

        Args:
            path: behind the base URL.
            body: ``json=``, or ``data=`` and ``files=``.

        Raises:
            RealtimeError: the service can't be reached, refuses, or breaks off.
        """
        import httpx

        client = httpx.AsyncClient(
            timeout=self.timeout_s, verify=self._certificates if self._certificates else False
        )
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        request = client.stream("POST", f"{self.base_url}{path}", headers=headers, **body)
        try:
            async with client, request as response:
                await self._refuse_errors(response)
                async with aclosing(read(response)) as parts:
                    async for part in parts:
                        yield part
            return
        except httpx.TimeoutException:
            problem = f"nothing came for {self.timeout_s:g} s"
        except httpx.HTTPError as error:
            problem = self.without_key(str(error)) or type(error).__name__
        # Here, where it doesn't carry the request along, whose headers have the key.
        raise RealtimeError(
            f"No answer from {self.shown_url} ({problem}). Is the model server running?"
        )

    async def text(self, path: str, **body: Any) -> str:
        """Returns the text of the answer to a POST; raises as :meth:`streamed`."""
        async with aclosing(self.streamed(path, self._whole, **body)) as answers:
            return await anext(answers)

    def without_key(self, text: str) -> str:
        """Returns a text of the service's own without the key."""
        return text.replace(self._key, "…") if self._key else text

    async def _whole(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        content = await _content(response)
        if len(content) > MAX_TEXT_BYTES:
            raise RealtimeError(f"{self.shown_url} answered with more than text. Check base_url.")
        yield content.decode(errors="replace")

    async def _refuse_errors(self, response: httpx.Response) -> None:
        if response.status_code == 200:
            return
        said = complaint(self.without_key((await _content(response)).decode(errors="replace")))
        target = response.headers.get("Location")
        if response.is_redirect and target:
            said = f"it is at {self.without_key(target)} now. {said}".rstrip(" .") + "."
        raise RealtimeError(
            f"{self.shown_url} answered {response.status_code}: "
            f"{said} Check base_url, model and api_key."
        )


async def _content(response: httpx.Response) -> bytes:
    """Returns what came, but not much more than a text has."""
    content = b""
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MAX_TEXT_BYTES:
            break
    return content


def complaint(text: str) -> str:
    """Returns the message of an error body, whatever its form."""
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    error = body.get("error", body.get("detail", body)) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    said = " ".join(str(message).split())[:LONGEST_COMPLAINT] or "nothing else"
    return said if said.endswith(".") else f"{said}."


def usable_name(option: str, value: object) -> str:
    """Returns a name that a service is given, such as a model's.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(value, str) and value.strip():
        return value
    raise ConfigurationError(f"{option} is {value!r}; give the name that the service has for it.")


def _usable_key(key: str | None) -> str | None:
    """Returns a key without space around it, which is of the file that it was read from.

    Raises:
        ConfigurationError: it can't be sent. Nothing of it is told.
    """
    key = None if key is None else key.strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "api_key holds a line break or another character that no key has. Copy it again; of a "
            "file, take one line only."
        )
    return key
