"""A transport on which things go wrong, on any clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any

import msgspec

from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import Transport, closed_with
from realtime_nb.testing.faults import (
    Corrupt,
    Crossing,
    Direction,
    Drop,
    Fault,
    FaultPlan,
    HalfOpen,
    Throttle,
)
from realtime_nb.testing.line import Line
from realtime_nb.testing.passed import Passed

__all__ = ["FaultyTransport"]

_FAREWELL_S = 3.0
_Carried = JsonObject | SessionClosedError


class FaultyTransport:
    """A transport behind which things go wrong.

    ::

        async with MemoryServer(ScriptedLLM(["Good morning."])) as server:
            faulty = FaultyTransport(server.transport, [Drop(received("response.done"))])
            async with rt.connect(transport=faulty) as session: ...

    Faults of the handshake have nothing to strike here. An event that is broken on its way to the
    server arrives there as one that no server knows, ``{"type": "malformed"}``.

    Args:
        inner: what carries the events; it is closed with this one.
        faults: what goes wrong.
        seed: decides what is left to chance.

    Attributes:
        passed: what really crossed.
    """

    def __init__(self, inner: Transport, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.passed = Passed()
        self._inner = inner
        self._plan = FaultPlan(faults, seed)
        self._lines: dict[Direction, Line[_Carried]] = {
            "sent": Line(self._to_server),
            "received": Line(self._to_client),
        }
        self._deaf: set[Direction] = set()
        # None: it is over. Unbounded as that of the transport inside, from which it is filled.
        self._inbox: asyncio.Queue[JsonObject | None] = asyncio.Queue()
        self._ended: SessionClosedError | None = None
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._began_s: float | None = None

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        self._begin()
        if self._ended is not None:
            raise self._ended
        await self._cross("sent", event)

    async def receive(self) -> JsonObject:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        self._begin()
        event = await self._inbox.get()
        if event is None:
            self._inbox.put_nowait(None)  # for whoever asks again
            raise self._failure or self._ended or closed_with(1006, "")
        return event

    async def close(self) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        if self._ended is None and "sent" not in self._deaf and self._began_s is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._lines["sent"].emptied()
        await self._end(closed_with(1000, ""))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._inner.close()

    async def inflict(self, fault: Fault) -> None:
        """Lets a fault strike now, or at the next event, whatever its ``at`` says."""
        self._begin()
        due = self._plan.now(fault)
        if due is not None:
            await self._strike(due)

    # --- the way ---

    def _begin(self) -> None:
        """Starts what needs a running loop."""
        if self._began_s is not None:
            return
        self._began_s = asyncio.get_running_loop().time()
        for work in (self._pump(), *(line.run() for line in self._lines.values())):
            self._start(work)
        for seconds, fault in self._plan.timed():
            self._start(self._later(seconds, fault))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure  # as of a function that says when
            self._inbox.put_nowait(None)

    async def _pump(self) -> None:
        while self._ended is None:
            try:
                event = await self._inner.receive()
            except SessionClosedError as ended:
                if "received" not in self._deaf:
                    await self._lines["received"].put(ended)
                return
            await self._cross("received", event)

    async def _later(self, seconds: float, fault: Drop | HalfOpen | Throttle) -> None:
        await asyncio.sleep(seconds)
        await self._strike(fault)

    async def _cross(self, direction: Direction, event: JsonObject) -> None:
        if direction in self._deaf:
            self.passed.lose(direction, event)
            return
        assert self._began_s is not None
        size = len(msgspec.json.encode(event))
        t_s = asyncio.get_running_loop().time() - self._began_s
        crossing = self._plan.crossing(direction, event, size, t_s)
        broken = crossing.corrupt
        if broken is not None and broken.what == "frame":
            crossing.copies = 0
            there = direction == "sent"  # the server says so, or it is found here
            words = "reserved bits must be 0"
            crossing.strikes.append(
                Drop(code=1002, reason=words)
                if there
                else Drop(reason=f"broken on its way: {words}")
            )
        if crossing.cut is not None:
            crossing.copies = 0  # a part of an event is none
        if crossing.copies == 0:
            self.passed.lose(direction, event)
        await self._pass(direction, event if broken is None else _broken(event, broken), crossing)

    async def _pass(self, direction: Direction, event: JsonObject, crossing: Crossing) -> None:
        line, size = self._lines[direction], len(msgspec.json.encode(event))
        for _ in range(crossing.copies):
            await line.put(event, size, crossing.delay_ms)
        for fault in crossing.strikes:
            if crossing.copies:
                await line.emptied()
            await self._strike(fault)

    async def _to_server(self, carried: _Carried) -> None:
        assert isinstance(carried, dict)
        try:
            await self._inner.send(carried)
        except SessionClosedError:  # whoever reads is told
            self.passed.lose("sent", carried)
        else:
            self.passed.take("sent", carried, len(msgspec.json.encode(carried)))

    async def _to_client(self, carried: _Carried) -> None:
        if isinstance(carried, SessionClosedError):
            await self._end(carried)
            return
        if self._ended is None:
            self.passed.take("received", carried, len(msgspec.json.encode(carried)))
            self._inbox.put_nowait(carried)

    # --- what strikes ---

    async def _strike(self, fault: Drop | HalfOpen | Throttle) -> None:
        match fault:
            case Drop(code=code, reason=reason):
                await self._end(closed_with(code, reason))
            case HalfOpen(direction=direction):
                self._deaf |= {"sent", "received"} if direction is None else {direction}
            case Throttle(bytes_per_s=bytes_per_s, direction=direction):
                for name, line in self._lines.items():
                    if direction in (None, name):
                        line.bytes_per_s = bytes_per_s

    async def _end(self, ended: SessionClosedError) -> None:
        if self._ended is not None:
            return
        self._ended = ended
        self._inbox.put_nowait(None)
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        await self._inner.close()


def _broken(event: JsonObject, fault: Corrupt) -> JsonObject:
    """Returns what a WebSocket's transport makes of a text that is none."""
    size = len(msgspec.json.encode(event))
    return {"type": "malformed", "problem": f"{fault.what} was broken on its way", "bytes": size}
