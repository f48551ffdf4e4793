"""HTTP requests that are no WebSocket's: read whole, within bounds, and answered in JSON."""

from __future__ import annotations

import http
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from realtime_nb.protocol.wire import JsonObject

__all__ = ["MAX_BODY_BYTES", "PlainRequest", "PlainResponse", "RequestReader", "refusal"]

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 256 * 1024

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request: its headers' names are in lower case, each with all that was given."""

    method: str
    target: str
    headers: Mapping[str, list[str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """An answer; the connection ends with it."""

    status: http.HTTPStatus
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def encoded(self) -> bytes:
        """Returns it as it travels."""
        fields = [*self.headers, ("Content-Length", str(len(self.body))), ("Connection", "close")]
        head = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines = head + [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def as_json(value: object, status: http.HTTPStatus = http.HTTPStatus.OK) -> PlainResponse:
    """Returns an answer of that value."""
    return PlainResponse(status, msgspec.json.encode(value), [("Content-Type", "application/json")])


def refusal(
    status: http.HTTPStatus,
    message: str,
    code: str | None = None,
    param: str | None = None,
) -> PlainResponse:
    """Returns an error as the hosted service gives it."""
    error: JsonObject = {"message": message, "type": "invalid_request_error"}
    return as_json({"error": {**error, "param": param, "code": code}}, status)


def _any(head: PlainRequest) -> int:
    return MAX_BODY_BYTES


class RequestReader:
    """One request, as it comes in.

    Args:
        admitted: returns how long the body of a request may be, by its head, or why it is not
            taken at all.
    """

    def __init__(self, admitted: Callable[[PlainRequest], int | PlainResponse] = _any) -> None:
        self._admitted = admitted
        self._came = bytearray()
        self._head: PlainRequest | None = None
        self._length = 0
        self.took_bytes = 0
        """How much of it came."""

    def take(self, data: bytes) -> PlainRequest | PlainResponse | None:
        """Takes what came; returns the request once it is whole, or what is wrong with it."""
        self.took_bytes += len(data)
        self._came += data
        if self._head is None:
            end = self._came.find(_HEAD_END, 0, MAX_HEAD_BYTES + len(_HEAD_END))
            if end < 0:
                too_long = len(self._came) > MAX_HEAD_BYTES
                status = http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                return refusal(status, "The headers are too long.") if too_long else None
            parsed = _parsed(bytes(self._came[:end]))
            if isinstance(parsed, PlainResponse):
                return parsed
            self._head, self._length = parsed
            del self._came[: end + len(_HEAD_END)]
            most = self._admitted(self._head)
            if isinstance(most, PlainResponse):
                return most
            if self._length > most:
                message = f"The body is longer than {most} bytes."
                return refusal(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        if len(self._came) < self._length:
            return None
        return replace(self._head, body=bytes(self._came[: self._length]))


def _parsed(head: bytes) -> tuple[PlainRequest, int] | PlainResponse:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[0].isalpha() or not words[2].startswith("HTTP/1."):
        return refusal(http.HTTPStatus.BAD_REQUEST, "This is no HTTP/1.1 request.")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            return refusal(http.HTTPStatus.BAD_REQUEST, "A header can't be understood.")
        headers.setdefault(name.lower(), []).append(value.strip())
    if "transfer-encoding" in headers:
        message = "Give the body's Content-Length; it is not taken in chunks."
        return refusal(http.HTTPStatus.LENGTH_REQUIRED, message)
    lengths = set(headers.get("content-length", ["0"]))
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()) or len(length) > 12:
        return refusal(http.HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
    return PlainRequest(words[0], words[1], headers), int(length)
