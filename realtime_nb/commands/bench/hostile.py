"""A well-behaved session beside hostile clients of the local server: what it notices of them.

The server, the hostile clients and the session have a process each. The server has no models, so
that what is measured is what one client can do to the others by way of the wire. On few processors
they are also in each other's way: the same session with a second server, which nobody attacks, runs
in the same seconds and shows how much of a delay is that.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.commands.bench.hostile_clients import KINDS, Address, attack
from realtime_nb.commands.samples import AUSTEN
from realtime_nb.commands.serve import keep_what_is_loaded
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.engines import Engines
from realtime_nb.local.rules import RuleLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.testing import CountingIds, FakeSTT, FakeTTS

__all__ = ["MOST_MB", "MOST_MS", "HostileRow", "run"]

MOST_MS = 100.0
"""The longest that anybody may be held up."""

MOST_MB = 200.0
"""The most memory that the server may take beyond what it takes when it is idle."""

_CHUNK_MS = 100
_LAG_S = 0.01
_SPEECH_MS, _PAUSE_MS = 800, 600
_TURN_EVENTS = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")
_UPDATE = {
    "type": "realtime",
    "audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}},
}


@dataclass(frozen=True, slots=True)
class HostileRow:
    """What was measured beside one kind of client.

    Attributes:
        kind: what the clients do.
        token: whether they have the server's.
        vad_ms: the largest delay of what turn detection says, after the chunk that decides it was
            sent; NaN where nothing came.
        round_trip_ms: the longest that an answer took.
        memory_mb: the server's most, beyond that of the idle server; NaN where the system does
            not tell.
        stall_ms: the longest that its loop stood still.
        work_ms: the most that its loop computed meanwhile; a longer stall waited for a processor.
        elsewhere_ms: the largest delay of both kinds, of the session with the other server.
        alive: whether the session went on to the end.
    """

    kind: str
    token: bool
    vad_ms: float
    round_trip_ms: float
    memory_mb: float
    stall_ms: float
    work_ms: float
    elsewhere_ms: float
    alive: bool

    @property
    def largest_ms(self) -> float:
        """The largest delay of both kinds; NaN where nothing came."""
        return self.vad_ms if math.isnan(self.vad_ms) else max(self.vad_ms, self.round_trip_ms)

    @property
    def reached(self) -> bool:
        """Whether all bounds held."""
        in_time = self.largest_ms <= MOST_MS  # NaN is not
        return self.alive and in_time and not self.memory_mb > MOST_MB


def run(
    seconds: float = 2.5, kinds: Sequence[str] | None = None
) -> dict[str, list[HostileRow] | float]:
    """Measures, prints a table and returns its rows and how many of them reached the bounds.

    Args:
        seconds: of each kind of client, with the token and without.
        kinds: None: all.
    """
    names = list(kinds or KINDS)
    for name in names:
        if name not in KINDS:
            raise ConfigurationError(f"Unknown client {name!r}. Choose from {', '.join(KINDS)}.")
    with ExitStack() as processes:
        server, other, clients = [
            processes.enter_context(_process(work)) for work in (_serve, _serve, _attack)
        ]
        rows = asyncio.run(_rows(names, seconds, server, other, clients))
    _print(rows)
    return {"rows": rows, "reached": sum(row.reached for row in rows), "of": len(rows)}


# --- the processes beside this one ----------------------------------------------------------------


@contextmanager
def _process(work: Callable[[Pipe], None]) -> Iterator[Pipe]:
    """Gives this end of a pipe to a process; it ends when it is told None."""
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=work, args=(far,), daemon=True)
    process.start()
    try:
        yield near
    finally:
        with suppress(OSError):
            near.send(None)
        process.join(10)
        process.kill()


def _serve(pipe: Pipe) -> None:
    asyncio.run(_server(pipe))


async def _server(pipe: Pipe) -> None:
    """Serves until it is told to end; tells the longest stall, the most work in one and the most
    memory since it was asked."""
    engines = Engines(
        stt=FakeSTT(),
        llm=RuleLLM(),
        tts=FakeTTS(),
        detector_for=lambda audio_format: FrameDetector(audio_format["type"]),
    )
    server = LocalServer(
        engines, port=0, token="t", pace=SpeechPace(), session_s=3_600.0, max_connections=200
    )
    async with server:
        keep_what_is_loaded()  # as `realtime-nb serve` does
        pipe.send((server.port, server.token, _memory_mb()))
        stall_s = work_s = memory_mb = 0.0
        while True:
            began_s, worked_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(_LAG_S)
            stall_s = max(stall_s, time.monotonic() - began_s - _LAG_S)
            work_s = max(work_s, time.thread_time() - worked_s - _LAG_S)
            memory_mb = max(memory_mb, _memory_mb())
            if pipe.poll():
                if pipe.recv() is None:
                    return
                pipe.send((stall_s * 1000, work_s * 1000, memory_mb))
                stall_s = work_s = memory_mb = 0.0


def _memory_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return math.nan
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _attack(pipe: Pipe) -> None:
    """Runs clients as asked; they leave the processor to the others, as if they were elsewhere."""
    if hasattr(os, "nice"):
        os.nice(10)
    while (asked := pipe.recv()) is not None:
        name, address, seconds = asked
        asyncio.run(attack(name, address, seconds))
        pipe.send(name)


# --- the session ----------------------------------------------------------------------------------


async def _rows(
    names: Sequence[str], seconds: float, server: Pipe, other: Pipe, clients: Pipe
) -> list[HostileRow]:
    port, token, idle_mb = await asyncio.to_thread(server.recv)
    elsewhere, _, _ = await asyncio.to_thread(other.recv)
    rows = []
    for name in names:
        for key in ("", token):
            async with _neighbour(port, token) as neighbour, _neighbour(elsewhere, token) as apart:
                server.send("begin")
                await asyncio.to_thread(server.recv)
                clients.send((name, Address(port, key), seconds))
                alive, _ = await asyncio.gather(neighbour.live(seconds), apart.live(seconds))
                await asyncio.to_thread(clients.recv)
                server.send("end")
                stall_ms, work_ms, memory_mb = await asyncio.to_thread(server.recv)
            rows.append(
                HostileRow(
                    name,
                    bool(key),
                    vad_ms=max(neighbour.vad_ms, default=math.nan),
                    round_trip_ms=max(neighbour.round_trips_ms, default=math.nan),
                    memory_mb=memory_mb - idle_mb,
                    stall_ms=stall_ms,
                    work_ms=work_ms,
                    elsewhere_ms=max([*apart.vad_ms, *apart.round_trips_ms], default=math.nan),
                    alive=alive,
                )
            )
    return rows


@asynccontextmanager
async def _neighbour(port: int, token: str) -> AsyncIterator[_Neighbour]:
    async with connect(
        f"ws://127.0.0.1:{port}/v1/realtime?model=m",
        additional_headers={"Authorization": f"Bearer {token}"},
        max_size=None,
        proxy=None,
    ) as socket:
        neighbour = _Neighbour(socket)
        await neighbour.begin()
        yield neighbour


class _Neighbour:
    """Speaks at the pace of life, and notes how late it is answered."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._chunks = _chunks()
        self._sent_s: list[float] = []
        self._asked_s: dict[str, float] = {}
        self._due = _due(self._chunks)
        self.vad_ms: list[float] = []
        self.round_trips_ms: list[float] = []

    async def begin(self) -> None:
        await self._send("session.update", session=_UPDATE)
        async with asyncio.timeout(10):
            while json.loads(await self._socket.recv())["type"] != "session.updated":
                pass

    async def live(self, seconds: float) -> bool:
        """Tells whether the session was open all the time."""
        reading = asyncio.create_task(self._read())
        began_s = time.perf_counter()
        try:
            for number in range(round(seconds * 1000 / _CHUNK_MS)):
                await asyncio.sleep(began_s + number * _CHUNK_MS / 1000 - time.perf_counter())
                self._sent_s.append(time.perf_counter())
                chunk = self._chunks[number % len(self._chunks)]
                await self._send("input_audio_buffer.append", audio=chunk)
                self._asked_s[str(number)] = time.perf_counter()
                await self._send("response.cancel", event_id=str(number))
            await asyncio.sleep(2 * MOST_MS / 1000)
            now_s = time.perf_counter()  # what has not come by now is at least so late
            self.round_trips_ms += [(now_s - asked_s) * 1000 for asked_s in self._asked_s.values()]
            return not reading.done()
        except OSError:
            return False
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        async for text in self._socket:
            now_s = time.perf_counter()
            event = json.loads(text)
            if event["type"] in _TURN_EVENTS:
                self.vad_ms.append((now_s - self._sent_s[self._due.pop(0)]) * 1000)
            elif event["type"] == "error":
                asked_s = self._asked_s.pop(event["error"]["event_id"] or "", now_s)
                self.round_trips_ms.append((now_s - asked_s) * 1000)

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))


def _chunks() -> list[str]:
    """Returns words and a pause between them, in base64."""
    words = load_audio(AUSTEN)[SAMPLE_RATE // 2 :][: SAMPLE_RATE * _SPEECH_MS // 1000]
    silence = np.zeros(SAMPLE_RATE * _PAUSE_MS // 1000, np.float32)
    pcm = pcm_from_samples(np.concatenate([words, silence]))
    size = 2 * SAMPLE_RATE * _CHUNK_MS // 1000
    return [base64.b64encode(pcm[at : at + size]).decode() for at in range(0, len(pcm), size)]


def _due(chunks: Sequence[str], rounds: int = 10) -> list[int]:
    """Returns after which chunk each of the events of turn detection is due: the server's own
    core tells, which decides the same however late the audio comes."""
    core = ServerProtocol(
        model="m",
        new_id=CountingIds(),
        detector_for=lambda audio_format: FrameDetector(audio_format["type"]),
        expires_at=0,
    )
    core.receive({"type": "session.update", "session": _UPDATE})
    due = []
    for number in range(rounds * len(chunks)):
        core.receive({"type": "input_audio_buffer.append", "audio": chunks[number % len(chunks)]})
        events = core.events_to_send()
        due += [number for event in events if event["type"] in _TURN_EVENTS]
    return due


def _print(rows: Sequence[HostileRow]) -> None:
    print("Beside hostile clients: the largest delays of a session, and what the server takes")
    print(f"  {_load()}; elsewhere: the same session with a server that nobody attacks")
    print(f"{'':44}{'VAD':>6}{'answer':>8}{'elsewhere':>11}{'ratio':>7}", end="")
    print(f"{'stall':>7}{'work':>6}  ms{'memory':>8}  MB")
    for row in rows:
        who = f"{row.kind}{'' if row.token else ', no token'}"
        print(f"  {who:<42}{row.vad_ms:>6.0f}{row.round_trip_ms:>8.0f}", end="")
        print(f"{row.elsewhere_ms:>11.0f}{row.largest_ms / row.elsewhere_ms:>7.1f}", end="")
        print(f"{row.stall_ms:>7.0f}{row.work_ms:>6.0f}", end="")
        print(f"{row.memory_mb:>12.0f}  {'' if row.reached else '←'}")
    reached = sum(row.reached for row in rows)
    print(f"  at most {MOST_MS:.0f} ms and {MOST_MB:.0f} MB: {reached} of {len(rows)} rows")


def _load() -> str:
    """Returns how busy the machine is."""
    if not hasattr(os, "getloadavg"):
        return f"{os.cpu_count()} processors"
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
