"""A client's bytes as WebSocket frames: long ones are cut into short ones, all are counted.

The sockets library takes a frame as a whole, so that one of 20 MB stops everybody for as long as it
takes to copy and unmask it, and takes as many empty frames as fit into a read. Here frames are told
apart by their headers alone, before they are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator

from realtime_nb.protocol.checking import MAX_APPEND_BYTES

__all__ = ["MAX_MESSAGE_BYTES", "Flood", "FrameCutter"]

MAX_MESSAGE_BYTES = MAX_APPEND_BYTES * 8 // 5
"""The longest append in base64, and the JSON around it."""

PIECE_BYTES = 64 * 1024
"""The longest frame that is handed on; a multiple of the mask's length."""

FREE_FRAGMENTS = 256
BYTES_PER_FRAGMENT = 1024
"""A message may come in so many fragments, and in one more for each so many bytes of it."""

CONTROL_BURST = 64
CONTROL_PER_S = 8.0
"""So many pings, pongs and the like are taken at once, and so many a second."""

_CONTROL = 0x8
_CONTINUATION = 0x0
_FIN = 0x80


class Flood(Exception):
    """A client sends more frames than anybody needs.

    Attributes:
        code: to close with.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class FrameCutter:
    """Cuts what one client sends, as it comes."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._mask = b""
        self._first = 0  # byte of the next piece: flags and opcode
        self._last = False  # whether the frame ends its message
        self._left = 0  # of the frame's payload, still to be announced
        self._piece_left = 0  # of the piece's payload, still to come
        self._fragments = 0
        self._message_bytes = 0
        self._control = float(CONTROL_BURST)
        self._counted_s: float | None = None

    def pieces(self, data: bytes, now_s: float) -> Iterator[bytes]:
        """Yields the same frames in pieces, each of one frame at most.

        Raises:
            Flood: there are too many of them.
        """
        position = 0
        while position < len(data):
            if self._piece_left:
                part = data[position : position + self._piece_left]
                position += len(part)
                self._piece_left -= len(part)
                yield part
            elif self._left:
                yield self._next_piece()
            else:
                wanted = self._header_bytes() - len(self._header)
                self._header += data[position : position + wanted]
                position += min(wanted, len(data) - position)
                if len(self._header) == self._header_bytes():
                    yield self._begin(now_s)

    def _header_bytes(self) -> int:
        if len(self._header) < 2:
            return 2
        length = self._header[1] & 0x7F
        masked = 4 if self._header[1] & 0x80 else 0
        return 2 + {126: 2, 127: 8}.get(length, 0) + masked

    def _begin(self, now_s: float) -> bytes:
        """Returns the header of a frame, or of its first piece."""
        header, self._header = bytes(self._header), bytearray()
        length = header[1] & 0x7F
        masked = bool(header[1] & 0x80)
        if length >= 126:
            length = int.from_bytes(header[2 : len(header) - (4 if masked else 0)])
        if header[0] & _CONTROL:
            self._count_control(now_s)
        else:
            self._count_fragment(header[0], length)
        if header[0] & _CONTROL or not masked or length <= PIECE_BYTES:
            self._piece_left = length
            return header
        self._first, self._last = header[0] & ~_FIN, bool(header[0] & _FIN)
        self._mask, self._left = header[-4:], length
        return self._next_piece()

    def _next_piece(self) -> bytes:
        self._piece_left = min(self._left, PIECE_BYTES)
        self._left -= self._piece_left
        first = self._first | (_FIN if self._last and not self._left else 0)
        self._first &= ~0x0F  # what follows continues it
        return bytes((first, 0xFF)) + self._piece_left.to_bytes(8) + self._mask

    def _count_control(self, now_s: float) -> None:
        since_s = 0.0 if self._counted_s is None else now_s - self._counted_s
        self._counted_s = now_s
        self._control = min(CONTROL_BURST, self._control + since_s * CONTROL_PER_S) - 1
        if self._control < 0:
            raise Flood(1008, f"More than {CONTROL_PER_S:g} pings a second.")

    def _count_fragment(self, first: int, length: int) -> None:
        if first & 0x0F != _CONTINUATION:
            self._fragments = self._message_bytes = 0
        self._fragments += 1
        self._message_bytes += length
        if self._message_bytes > MAX_MESSAGE_BYTES:
            raise Flood(1009, "A message that is too long.")
        if self._fragments > FREE_FRAGMENTS + self._message_bytes // BYTES_PER_FRAGMENT:
            raise Flood(1009, "One message in too many fragments.")
