"""What a server may send a client beside messages: so little that it delays nobody."""

from __future__ import annotations

from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

__all__ = ["MOST_FRAGMENTS", "MOST_SMALL_FRAMES", "BoundedConnection"]

MOST_SMALL_FRAMES = 500
"""Pings, pongs and short fragments in one second. Servers ping every few seconds, and send events
whole or in long pieces."""

MOST_FRAGMENTS = 10_000
"""Fragments of one message, which are kept until it is whole."""

_SHORT_BYTES = 1_024
_PIECE_BYTES = 4_096
"""Parsed at once: two thousand frames at most, which takes some ten milliseconds."""


class BoundedConnection(ClientConnection):
    """A connection that ends where a server floods it with frames that carry nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._second = 0.0
        self._small = 0
        self._fragments = 0
        self._flooded = False

    def data_received(self, data: bytes) -> None:
        """Parses what came, in pieces, until it is too much."""
        for at in range(0, len(data), _PIECE_BYTES):
            if self._flooded:
                return
            super().data_received(data[at : at + _PIECE_BYTES])

    def process_event(self, event: Event) -> None:
        """Counts a frame before it goes on."""
        if self._flooded:
            return
        if isinstance(event, Frame) and self._is_too_much(event):
            self._flooded = True
            self.protocol.fail(1002, "a flood of small frames")
            self.transport.abort()
            return
        super().process_event(event)

    def _is_too_much(self, frame: Frame) -> bool:
        now_s = self.loop.time()
        if now_s - self._second >= 1:
            self._second, self._small = now_s, 0
        is_text = frame.opcode in (Opcode.TEXT, Opcode.BINARY)
        is_part = frame.opcode is Opcode.CONT or (is_text and not frame.fin)
        if is_part:
            self._fragments = 0 if frame.fin else self._fragments + 1
        if not is_text and len(frame.data) < _SHORT_BYTES:
            self._small += 1
        return self._small > MOST_SMALL_FRAMES or self._fragments > MOST_FRAGMENTS
