"""A client's WebSocket, as far as a server trusts it: nothing it sends is taken in without bound.

What came is parsed piece by piece, in rounds of the loop, and only while the pieces before it are
taken: a client that is faster than its session waits in its own buffers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, Protocol, cast

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

from realtime_nb.local.frames import Flood, FrameCutter
from realtime_nb.local.messages import LongAppend, MessageReader
from realtime_nb.local.plain_http import PlainRequest, PlainResponse, RequestReader
from realtime_nb.local.sharing import Sharing
from realtime_nb.protocol.problems import Refused

__all__ = ["CLOSE_S", "ClientSocket", "Received"]

CLOSE_S = 5.0
"""How long a client may take to answer a CLOSE; then its connection is cut."""

LINGER_S = 1.0
"""How long a client that broke the rules may take to read why; what it sends is not looked at."""

LONG_MESSAGE_S = 10.0
"""How long a long message may take, once it is its turn."""

PING_S = 6.0
MISSED_PINGS = 2
"""A client that says nothing to so many pings is gone: it is noticed within 18 s, and has 12 s to
answer. What else it sends counts as well."""

_MOST_EARLY = 4
"""Pieces, as they come from the network, kept of what comes before the handshake is over."""

_SLOWEST_BYTES_PER_S = 2_000_000  # at which a long answer is read
_PIECES_PER_ROUND = 16
_GET = b"GET "
_END_OF_REQUEST = b"\r\n\r\n"
_TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 24\r\n\r\nToo many new connections"
)


class PlainAnswers(Protocol):
    """What answers requests that open no WebSocket."""

    def admitted(self, head: PlainRequest) -> int | PlainResponse:
        """Returns how long the body may be, or why the request is not taken."""
        ...

    def answer(self, request: PlainRequest) -> PlainResponse:
        """Returns the answer to a request that asks for no work."""
        ...

    def work(self, request: PlainRequest) -> Coroutine[Any, Any, PlainResponse] | None:
        """Returns what has to be done for an answer; None where there is nothing."""
        ...


Received = str | bytes | LongAppend | Refused
"""A message, or what is wrong with it."""


class ClientSocket(ServerConnection):
    """One client of the local server. Iterating gives its messages.

    Args:
        sharing: with the other clients.
        plain: what answers requests of other methods than GET, which a WebSocket is opened by.
    """

    def __init__(
        self,
        *args: Any,
        sharing: Sharing,
        plain: PlainAnswers,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._plain = plain
        self._reader: RequestReader | None = None
        self._answering: asyncio.Task[None] | None = None
        self._is_first = True
        self._sharing = sharing
        self._cutter = FrameCutter()
        self._request_end: bytes | None = b""  # the last bytes of a request that is not whole yet
        self._received = deque[bytes]()
        self._pieces: Iterator[bytes] = iter(())
        self._round: asyncio.Handle | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._dropping = False
        self._turned_away = False
        self._wait_s = 0.0  # at the door
        self._missed_pings = 0
        self._plays_until_s = 0.0  # of the loop's time

    # --- bytes in ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection; implements :class:`asyncio.Protocol`."""
        address = str((transport.get_extra_info("peername") or [""])[0])
        wait_s = self._sharing.door.wait_s(address, self.loop.time())
        if wait_s is None:
            self._turn_away(transport)
            return
        self._wait_s = wait_s
        super().connection_made(transport)
        self.recv_messages.pause = self.transport.pause_reading
        self.recv_messages.resume = self._go_on

    def connection_lost(self, exc: Exception | None) -> None:
        """Takes the end of the connection; implements :class:`asyncio.Protocol`."""
        if self._turned_away:
            return
        self._sharing.memory.forget(self._hold_less)
        self._received.clear()
        self._pieces = iter(())
        for handle in (self._round, self._cut, self._answering):
            if handle is not None:
                handle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes; implements :class:`asyncio.Protocol`."""
        self._missed_pings = 0
        if self._cut is not None or self._turned_away:
            return  # it only waits for the client to leave
        if self._is_first and data:
            self._is_first = False
            if not data.startswith(_GET[: len(data)]):
                self._reader = RequestReader(self._plain.admitted)
        if self._reader is not None:
            self._take_plain(self._reader, data)
            return
        self._received.append(data)
        if self._round is None:
            self._parse()

    def _take_plain(self, reader: RequestReader, data: bytes) -> None:
        if self._answering is not None:
            return  # one request is all that is taken
        came = reader.take(data)
        self._sharing.memory.note(self._hold_less, reader.took_bytes)
        if came is None:
            return
        if isinstance(came, PlainRequest) and (work := self._plain.work(came)) is not None:
            self._answering = self.loop.create_task(self._answer_later(work))
            return
        self._answer_plain(self._plain.answer(came) if isinstance(came, PlainRequest) else came)

    def _hold_less(self) -> None:
        self.transport.abort()

    async def _answer_later(self, work: Awaitable[PlainResponse]) -> None:
        self._answer_plain(await work)

    def _answer_plain(self, response: PlainResponse) -> None:
        reading_s = len(response.body) / _SLOWEST_BYTES_PER_S
        self._leave(self._wait_s + LINGER_S + reading_s)
        self.loop.call_later(self._wait_s, self._send_plain, response.encoded())

    def _send_plain(self, response: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(response)
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:  # TLS has no half of an end
                self.transport.close()

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Does the opening handshake when it is its turn; frames that came before its end wait."""
        if self._wait_s:
            await asyncio.sleep(self._wait_s)
        await super().handshake(*args, **kwargs)
        self._go_on()

    def process_event(self, event: Event) -> None:
        """Takes what was parsed; implements the library's own."""
        if not (self._dropping and isinstance(event, Frame) and event.opcode in DATA_OPCODES):
            super().process_event(event)

    def _go_on(self) -> None:
        if self._round is None and not self.transport.is_closing():
            self._round = self.loop.call_soon(self._parse)

    def _parse(self) -> None:
        """Parses what came, as far as it may in this round."""
        self._round = None
        try:
            for _ in range(_PIECES_PER_ROUND):
                if self._waits():
                    return
                piece = next(self._pieces, None)
                if piece is None:
                    if not self._received:
                        self.transport.resume_reading()
                        return
                    self._pieces = self._cut_up(self._received.popleft())
                    continue
                super().data_received(piece)
                if self.protocol.eof_sent:  # by a CLOSE of the client, or by what it did wrong
                    self._leave(LINGER_S)
                    return
        except Flood as flood:
            self.refuse(flood.code, str(flood))
            return
        self.transport.pause_reading()
        self._go_on()

    def _waits(self) -> bool:
        if self._request_end is None and self.protocol.state is State.CONNECTING:
            # Not paused at once: who is refused and goes is only noticed by reading.
            if len(self._received) > _MOST_EARLY:
                self.transport.pause_reading()
            return True
        if self.recv_messages.paused and not self._dropping:
            self.transport.pause_reading()
            return True
        return False

    def _cut_up(self, data: bytes) -> Iterator[bytes]:
        if self._request_end is not None:
            known = len(self._request_end)
            end = (self._request_end + data).find(_END_OF_REQUEST)
            if end < 0:
                self._request_end = (self._request_end + data)[-len(_END_OF_REQUEST) + 1 :]
                yield data
                return
            self._request_end = None
            length = end + len(_END_OF_REQUEST) - known
            yield data[:length]
            data = data[length:]
        yield from self._cutter.pieces(data, self.loop.time())

    def plays_until(self, until_s: float) -> None:
        """Takes note until when, of the loop's time, the client plays what it was sent."""
        self._plays_until_s = max(self._plays_until_s, until_s)

    async def keepalive(self) -> None:
        """Ends the connection once the client has vanished, whatever is still to be sent; the
        library's own waits until its ping is taken, which may be never.

        Pings are counted, not seconds: a server that stood still itself blames nobody. Nor is it a
        client's fault to read an answer as it plays it: the ping is behind that.
        """
        assert self.ping_interval is not None
        while True:
            await asyncio.sleep(self.ping_interval)
            if self.protocol.state is not State.OPEN:
                return
            if not self.transport.is_reading() or self.loop.time() < self._plays_until_s:
                # Nothing is taken from it, so it can't be heard; or it may be busy with us.
                self._missed_pings = 0
            elif self._missed_pings >= MISSED_PINGS:
                self.transport.abort()
                return
            self._missed_pings += 1
            self.protocol.send_ping(b"")
            self.send_data()

    # --- the end ---

    def _turn_away(self, transport: asyncio.BaseTransport) -> None:
        """Answers and closes at the least cost: the server never gets to know of it."""
        self._turned_away = True
        self.protocol.state = State.CLOSED  # for who keeps a list of those at the door
        cast("asyncio.Transport", transport).write(_TOO_MANY)
        transport.close()

    def refuse(self, code: int, reason: str) -> None:
        """Closes without looking at anything else that the client sends."""
        if self.protocol.state is State.OPEN:
            self.protocol.fail(code, reason)
            self.send_data()
        self._leave(LINGER_S)

    def drop_input(self) -> None:
        """Looks for nothing but the answer to a CLOSE from now on."""
        self._dropping = True
        self._go_on()

    def _leave(self, within_s: float) -> None:
        """Waits for the client to end the connection, but not for long."""
        if self._cut is None:
            self._received.clear()
            self._pieces = iter(())
            self._cut = self.loop.call_later(within_s, self.transport.abort)
            self.transport.resume_reading()

    # --- messages ---

    async def __aiter__(self) -> AsyncIterator[Received]:  # type: ignore[override]
        while True:
            async with AsyncExitStack() as held:
                try:
                    message = await self._message(held)
                except ConnectionClosedOK:
                    return
                yield message

    async def _message(self, held: AsyncExitStack) -> Received:
        """Returns the next message; a long one once it is its turn."""
        message, binary = MessageReader(), False
        waiting: asyncio.TimerHandle | None = None
        async with aclosing(self.recv_streaming()) as parts:  # type: ignore[type-var]
            async for part in parts:
                if isinstance(part, bytes):
                    binary = True
                    continue
                message.push(part)
                if message.long and waiting is None:
                    await held.enter_async_context(self._sharing.long_messages)
                    waiting = self.loop.call_later(
                        LONG_MESSAGE_S, self.refuse, 1008, "A long message took too long."
                    )
                    held.callback(waiting.cancel)
        if waiting is not None:
            waiting.cancel()
        if binary:
            return b""
        try:
            return message.end()
        except Refused as refused:
            return refused
