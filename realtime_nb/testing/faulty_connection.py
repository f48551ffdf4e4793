"""One connection through a faulty network: two pairs of streams, and what passes between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from dataclasses import dataclass

from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing.faults import Direction, Drop, Fault, FaultPlan, HalfOpen, Throttle
from realtime_nb.testing.frames import WireMessage, close_frame, read_message
from realtime_nb.testing.line import Line
from realtime_nb.testing.passed import Passed

__all__ = ["FaultyConnection", "Streams", "abort"]

_FAREWELL_S = 1.0
_GONE = (asyncio.IncompleteReadError, ConnectionError, OSError)
_OTHER: dict[Direction, Direction] = {"sent": "received", "received": "sent"}


@dataclass(frozen=True, slots=True)
class Streams:
    """One end of a TCP connection."""

    reader: StreamReader
    writer: StreamWriter


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes that pass, and the event that is whole with them."""

    raw: bytes
    event: JsonObject | None
    ends: bool = False


class FaultyConnection:
    """What passes between a client and a server once they have shaken hands.

    Args:
        client, server: the streams to either.
        faults: what goes wrong.
        seed: decides what is left to chance.

    Attributes:
        passed: what really crossed.
        struck: the faults that ended it or made it deaf, in their order.
        over: whether it has ended.
    """

    def __init__(
        self, client: Streams, server: Streams, faults: Sequence[Fault], seed: int
    ) -> None:
        self.passed = Passed()
        self.struck: list[Fault] = []
        self.over = False
        self._streams: dict[Direction, Streams] = {"sent": client, "received": server}  # by source
        self._plan = FaultPlan(faults, seed)
        self._lines: dict[Direction, Line[_Piece]] = {
            "sent": Line(lambda piece: self._deliver("sent", piece)),
            "received": Line(lambda piece: self._deliver("received", piece)),
        }
        self._deaf: set[Direction] = set()
        self._ended_ways: set[Direction] = set()
        self._end = asyncio.Event()
        self._drop: Drop | None = None
        self._began_s = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Passes on what comes until one of the two ends it, or a fault does; then all is closed.

        Raises:
            Exception: what a function that says when a fault strikes raised.
        """
        works = [
            *(self._relay(direction) for direction in self._streams),
            *(line.run() for line in self._lines.values()),
            *(self._later(seconds, fault) for seconds, fault in self._plan.timed()),
        ]
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            task.add_done_callback(lambda task: self._work_ended(task))
        try:
            await self._end.wait()
            await self._farewell(tasks[:2])
        finally:
            self.over = True
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for streams in self._streams.values():
                await abort(streams.writer)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, _GONE):
                raise result

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._end.set()

    async def inflict(self, fault: Fault) -> None:
        """Lets a fault strike now, or at the next event."""
        due = self._plan.now(fault)
        if due is not None:
            self._strike(due)

    # --- what passes ---

    async def _relay(self, direction: Direction) -> None:
        try:
            while True:
                for message in await read_message(self._streams[direction].reader):
                    await self._take(direction, message)
        except _GONE:
            if direction in self._deaf:
                self._way_ended(direction)
            else:
                await self._lines[direction].put(_Piece(b"", None, ends=True))

    async def _take(self, direction: Direction, message: WireMessage) -> None:
        event = message.event()
        if direction in self._deaf:
            self.passed.lose(direction, event)
            return
        t_s = asyncio.get_running_loop().time() - self._began_s
        size = len(message.raw)
        crossing = self._plan.crossing(direction, event, size, t_s)
        line, raw = self._lines[direction], message.raw
        if crossing.corrupt is not None:
            raw, event = message.broken(crossing.corrupt.what, self._plan.random), None
        if crossing.cut is not None:
            raw, event, crossing.copies = raw[: crossing.cut], None, 1
        if event is None or crossing.copies == 0:
            self.passed.lose(direction, message.event())
        for _ in range(crossing.copies):
            await line.put(_Piece(raw, event), len(raw), crossing.delay_ms)
        if crossing.copies and crossing.strikes:
            await line.emptied()
        for fault in crossing.strikes:
            self._strike(fault)

    async def _deliver(self, direction: Direction, piece: _Piece) -> None:
        writer = self._streams[_OTHER[direction]].writer
        try:
            if piece.ends:
                self._way_ended(direction)
                if writer.can_write_eof():
                    writer.write_eof()
                else:  # TLS knows no half
                    self._end.set()
                return
            writer.write(piece.raw)
            await writer.drain()
        except _GONE:  # the other one is gone; its own way says so
            self.passed.lose(direction, piece.event)
            return
        self.passed.take(direction, piece.event, len(piece.raw))

    def _way_ended(self, direction: Direction) -> None:
        self._ended_ways.add(direction)
        if len(self._ended_ways) == 2:
            self._end.set()

    # --- what strikes ---

    async def _later(self, seconds: float, fault: Drop | HalfOpen | Throttle) -> None:
        await asyncio.sleep(seconds)
        self._strike(fault)

    def _strike(self, fault: Drop | HalfOpen | Throttle) -> None:
        self.struck.append(fault)
        match fault:
            case Drop():
                self.over = True
                self._drop = self._drop or fault
                self._deaf |= {"sent", "received"}
                self._end.set()
            case HalfOpen(direction=direction):
                self._deaf |= {"sent", "received"} if direction is None else {direction}
            case Throttle(bytes_per_s=bytes_per_s, direction=direction):
                for name, line in self._lines.items():
                    if direction in (None, name):
                        line.bytes_per_s = bytes_per_s

    async def _farewell(self, relays: Sequence[asyncio.Task[None]]) -> None:
        """Ends both sides as the fault says; what the client still sends meanwhile is lost."""
        drop = self._drop
        if drop is None:
            return
        client, server = self._streams["sent"].writer, self._streams["received"].writer
        with contextlib.suppress(*_GONE):
            if drop.tcp == "rst" and drop.code == 1006:
                reset = struct.pack("ii", 1, 0)
                client.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, reset
                )
                client.transport.abort()
            elif drop.code != 1006:
                client.write(close_frame(drop.code, drop.reason))
        # In order towards the server, so that what passed has passed.
        for writer in (server, client):
            with contextlib.suppress(*_GONE, NotImplementedError):
                writer.write_eof()
        await asyncio.wait(relays, timeout=_FAREWELL_S)


async def abort(writer: StreamWriter) -> None:
    """Closes a stream without waiting for its other end."""
    writer.transport.abort()
    with contextlib.suppress(*_GONE):
        await writer.wait_closed()
