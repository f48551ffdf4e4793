"""WebSocket messages as they are on the wire: read whole, and made anew to be broken."""

from __future__ import annotations

import random
from asyncio import StreamReader
from dataclasses import dataclass
from typing import Literal

import msgspec

from realtime_nb.protocol.events import JsonObject

__all__ = ["CLOSE", "WireMessage", "close_frame", "frame", "read_message"]

TEXT, CLOSE = 1, 8
_FIN, _RESERVED, _MASKED = 0x80, 0x40, 0x80
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message, or a frame that controls the connection.

    Attributes:
        opcode: of its first frame.
        payload: unmasked.
        raw: all its frames, as they came.
        masked: whether it is a client's.
    """

    opcode: int
    payload: bytes
    raw: bytes
    masked: bool

    def event(self) -> JsonObject | None:
        """Returns the event in it; None where it is none that can be read."""
        if self.opcode >= CLOSE:
            return None
        try:
            event = msgspec.json.decode(self.payload)
        except (msgspec.DecodeError, RecursionError):
            return None
        return event if isinstance(event, dict) else None

    def broken(self, what: Literal["json", "utf8", "frame"], chance: random.Random) -> bytes:
        """Returns what it looks like when it was broken on its way."""
        if what == "frame":
            return bytes([self.raw[0] | _RESERVED]) + self.raw[1:]
        payload = bytearray(self.payload)
        places = [i for i, byte in enumerate(payload[:4_096]) if byte < 0x80]
        if places:  # no control character may stand anywhere in JSON, and no 0xff in UTF-8
            payload[chance.choice(places)] = 0x01 if what == "json" else 0xFF
        mask = chance.randbytes(4) if self.masked else None
        return frame(self.opcode, bytes(payload), mask)


def frame(opcode: int, payload: bytes, mask: bytes | None = None) -> bytes:
    """Returns a whole message in one frame; a client's has a mask."""
    size = len(payload)
    masked = 0 if mask is None else _MASKED
    if size < 126:
        head = bytes([_FIN | opcode, masked | size])
    elif size < 65_536:
        head = bytes([_FIN | opcode, masked | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([_FIN | opcode, masked | 127]) + size.to_bytes(8, "big")
    return head + payload if mask is None else head + mask + _masked(payload, mask)


def close_frame(code: int, reason: str) -> bytes:
    """Returns a server's CLOSE."""
    words = reason.encode()[:123].decode(errors="ignore")  # a control frame holds no more
    return frame(CLOSE, code.to_bytes(2, "big") + words.encode())


async def read_message(reader: StreamReader) -> list[WireMessage]:
    """Returns the next message, after the control frames that came between its own.

    Raises:
        IncompleteReadError: the stream ends before.
        ConnectionError: it was reset, or is no WebSocket's.
    """
    found: list[WireMessage] = []
    opcode, payload, raw, masked = 0, b"", b"", False
    while True:
        first, piece, piece_raw, masked = await _read_frame(reader)
        if first & 0x0F >= CLOSE:
            found.append(WireMessage(first & 0x0F, piece, piece_raw, masked))
            if not raw:
                return found
            continue
        opcode = first & 0x0F or opcode
        payload, raw = payload + piece, raw + piece_raw
        if len(raw) > _MAX_MESSAGE_BYTES:
            raise ConnectionError("A message is larger than 64 MiB.")
        if first & _FIN:
            return [*found, WireMessage(opcode, payload, raw, masked)]


async def _read_frame(reader: StreamReader) -> tuple[int, bytes, bytes, bool]:
    head = await reader.readexactly(2)
    size, masked = head[1] & 0x7F, bool(head[1] & _MASKED)
    extra = {126: 2, 127: 8}.get(size, 0)
    if extra:
        length = await reader.readexactly(extra)
        head, size = head + length, int.from_bytes(length, "big")
    if size > _MAX_MESSAGE_BYTES:
        raise ConnectionError("A frame is larger than 64 MiB.")
    mask = await reader.readexactly(4) if masked else b""
    body = await reader.readexactly(size)
    return head[0], _masked(body, mask) if masked else body, head + mask + body, masked


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Returns the payload with its mask put on, or taken off."""
    size = len(payload)
    spread = (mask * (size // 4 + 1))[:size]
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(spread, "big")
    return whole.to_bytes(size, "big")
