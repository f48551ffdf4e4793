"""Fakes for tests of voice agents: servers in memory, a clock that jumps, plain signals.

Nothing here needs a model, a socket or the passing of time, so what a test sees is the same every
time::

    async def conversation():
        async with MemoryServer(ScriptedLLM(["Good morning."])) as server:
            async with rt.connect(transport=server.transport) as session:
                await session.speak(tone(800))
                assert await session.settled()

    run_on_virtual_clock(conversation())       # some seconds of talk in a few milliseconds

    ids = CountingIds()
    ids("item"), ids("item"), ids("resp")      # item_1, item_2, resp_1

    turn = silence(500) + tone(800) + silence(600)
    probabilities = LoudnessDetector().push(turn)
"""

from __future__ import annotations

import asyncio
import base64
import selectors
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any, Literal, Self, TypeVar, cast

import msgspec
import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError

from realtime_nb.audio.pcm import (
    SAMPLE_RATE,
    decode,
    level_dbfs,
    samples_from_pcm,
)
from realtime_nb.errors import SessionClosedError
from realtime_nb.local.connection import Connection
from realtime_nb.local.engines import Engines
from realtime_nb.local.llm import LLM, ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.audio_formats import PCM, wire_format
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turns import FRAME_MS
from realtime_nb.session.transport import MemoryTransport, memory_pair

__all__ = [
    "CountingIds",
    "FakeSTT",
    "FakeTTS",
    "LoudnessDetector",
    "MemoryServer",
    "ScriptedServer",
    "VirtualClockLoop",
    "appends",
    "fake_engines",
    "run_on_virtual_clock",
    "silence",
    "tone",
]

T = TypeVar("T")

_PATIENCE_S = 5.0


class CountingIds:
    """Ids that count up by prefix: ``item_1``, ``item_2``, ``resp_1``, …"""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, prefix: str) -> str:
        """Returns the next id of that prefix."""
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]}"


class LoudnessDetector:
    """A speech detector that takes every loud 32-ms frame for speech: probability 1, else 0.

    Args:
        audio_format: a session's ``format`` object; 24-kHz PCM without one.
        threshold_dbfs: RMS level from which a frame is loud.
    """

    def __init__(
        self, audio_format: Mapping[str, object] | None = None, threshold_dbfs: float = -40.0
    ) -> None:
        self._format = wire_format(str((audio_format or {}).get("type", PCM.type)))
        self._threshold_dbfs = threshold_dbfs
        self._frame_bytes = FRAME_MS * self._format.bytes_per_ms
        self._rest = b""

    def push(self, payload: bytes) -> list[float]:
        """Takes audio, cut anywhere; returns the probabilities of the frames it completes."""
        audio = self._rest + payload
        end = len(audio) - len(audio) % self._frame_bytes
        self._rest = audio[end:]
        return [
            self._probability(audio[start : start + self._frame_bytes])
            for start in range(0, end, self._frame_bytes)
        ]

    def reset(self) -> None:
        """Forgets the unfinished frame."""
        self._rest = b""

    def _probability(self, frame: bytes) -> float:
        level = level_dbfs(samples_from_pcm(decode(self._format.type, frame)))
        return 1.0 if level >= self._threshold_dbfs else 0.0


def tone(
    duration_ms: float, *, hz: float = 440.0, level: float = 0.3, sample_rate: int = SAMPLE_RATE
) -> bytes:
    """Returns a sine as PCM16 mono; ``level`` is its peak, from 0 to 1."""
    t_s = np.arange(round(duration_ms * sample_rate / 1000)) / sample_rate
    samples = np.round(level * 32_767 * np.sin(2 * np.pi * hz * t_s))
    return samples.astype("<i2").tobytes()


def silence(duration_ms: float, *, sample_rate: int = SAMPLE_RATE) -> bytes:
    """Returns digital silence as PCM16 mono."""
    return bytes(2 * round(duration_ms * sample_rate / 1000))


def appends(audio: bytes, piece_bytes: int = 960) -> Iterator[JsonObject]:
    """Yields the audio as ``input_audio_buffer.append`` events; 960 bytes are 20 ms of 24-kHz
    PCM."""
    for start in range(0, len(audio), piece_bytes):
        piece = base64.b64encode(audio[start : start + piece_bytes]).decode("ascii")
        yield {"type": "input_audio_buffer.append", "audio": piece}


# --- time ---


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Blocking work (``asyncio.to_thread``, ``run_in_executor``) runs at once and takes no time.
    Sockets and threads of one's own live in real time and don't belong on this loop.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_JumpingSelector(self._skip))

    def time(self) -> float:
        """Returns the seconds since the loop was made, in the loop's own time."""
        return self._now_s

    def _skip(self, seconds: float) -> None:
        self._now_s += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Runs the function now, in this thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(_PATIENCE_S)
            if not events:
                raise RuntimeError("Everybody waits for something that can't happen any more.")
            return events
        events = super().select(0)
        if not events and timeout > 0:
            self._skip(timeout)
        return events


def run_on_virtual_clock(main: Coroutine[Any, Any, T]) -> T:
    """Runs as ``asyncio.run`` does, on a :class:`VirtualClockLoop`."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)


# --- engines ---


class FakeSTT:
    """Hears what it is told to: the texts in turn, the last one again and again."""

    name = "fake"

    def __init__(self, *texts: str) -> None:
        self._texts = deque(texts or ("hello",))

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the next text, whatever the audio."""
        return self._texts.popleft() if len(self._texts) > 1 else self._texts[0]


class FakeTTS:
    """Hums instead of speaking, for as long as the words would take."""

    name = "fake"
    sample_rate = SAMPLE_RATE

    def __init__(self, word_ms: float = 250.0) -> None:
        self._word_ms = word_ms

    def speak(self, text: str, voice: str, speed: float = 1.0) -> bytes:
        """Returns ``word_ms`` of humming for every word."""
        return tone(len(text.split()) * self._word_ms / speed, hz=220.0)


def fake_engines(
    llm: LLM | None = None,
    *,
    stt: STT | None = None,
    tts: TTS | None = None,
    timeout_s: float = 90.0,
) -> Engines:
    """Returns engines for a :class:`~realtime_nb.local.server.LocalServer` that need no models."""
    return Engines(
        stt=stt or FakeSTT(),
        llm=llm or ScriptedLLM([]),
        tts=tts or FakeTTS(),
        detector_for=LoudnessDetector,
        timeout_s=timeout_s,
    )


# --- servers ---


class MemoryServer:
    """The local server for one client, without a socket and without models.

    ::

        async with MemoryServer(ScriptedLLM(["Hi."])) as server:
            async with rt.connect(transport=server.transport) as session: ...

    Args:
        llm: says fixed sentences, unless it is given.
        stt, tts: None: a :class:`FakeSTT`, a :class:`FakeTTS`.
        pace: of spoken answers.
        session_s: maximum duration.
        dialect: what the server speaks.
    """

    def __init__(
        self,
        llm: LLM | None = None,
        *,
        stt: STT | None = None,
        tts: TTS | None = None,
        pace: SpeechPace | None = None,
        session_s: float = 3_600.0,
        dialect: Literal["ga", "beta"] = "ga",
    ) -> None:
        self.transport, self._end = memory_pair()
        self._engines = fake_engines(llm, stt=stt, tts=tts)
        self._pace = pace or SpeechPace()
        self._session_s = session_s
        self._dialect: Literal["ga", "beta"] = dialect
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        connection = Connection(
            cast("ServerConnection", _MemorySocket(self._end)),
            self._engines,
            self._pace,
            model="local",
            session_s=self._session_s,
            dialect=self._dialect,
            session_type="realtime",
        )
        self._task = asyncio.create_task(connection.serve())
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._task is not None
        await self.vanish(1001)
        await self._task
        self._engines.hearing.shutdown()
        self._engines.voicing.shutdown()

    async def vanish(self, code: int = 1006) -> None:
        """Ends the connection, by default as a lost network does."""
        await self._end.close(code)


class _MemorySocket:
    """What the local server uses of a WebSocket."""

    def __init__(self, end: MemoryTransport) -> None:
        self._end = end

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            try:
                event = await self._end.receive()
            except SessionClosedError:
                return
            yield msgspec.json.encode(event).decode()

    async def send(self, frame: bytes, text: bool) -> None:
        try:
            await self._end.send(msgspec.json.decode(frame))
        except SessionClosedError:
            raise ConnectionClosedError(None, None) from None

    async def close(self, code: int, reason: str) -> None:
        await self._end.close(code, reason)


class ScriptedServer:
    """A server whose every word is in the test: expect this, then emit that.

    It is strict: an event of the client that the script did not expect fails the test at the end.

    ::

        async with ScriptedServer() as server:
            opening = asyncio.create_task(open_session(server.transport))
            await server.greet()
            session = await opening
            await session.say("Hello")
            await server.expect("conversation.item.create")
            await server.expect("response.create")
            await server.emit({"type": "error", "error": {"message": "No."}})
    """

    def __init__(self) -> None:
        self.transport, self._end = memory_pair()
        self.session: JsonObject = {
            "type": "realtime",
            "id": "sess_1",
            "output_modalities": ["audio"],
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
        }
        self._events: asyncio.Queue[JsonObject] = asyncio.Queue()
        self._forgiven: set[str] = set()

    def attach(self, transport: MemoryTransport) -> None:
        """Puts another transport in the client's hands, for instance one that is slow."""
        transport.join(self._end)
        self._end.join(transport)
        self.transport = transport

    def forgive(self, *event_types: str) -> None:
        """Lets the client have sent any number of events of these types at the end."""
        self._forgiven.update(event_types)

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await self._end.close()
        await self._reader
        if error is None:
            left = [self._events.get_nowait() for _ in range(self._events.qsize())]
            left = [event for event in left if event.get("type") not in self._forgiven]
            assert not left, f"The script did not expect {left}"

    async def _read(self) -> None:
        while True:
            try:
                self._events.put_nowait(await self._end.receive())
            except SessionClosedError:
                return

    async def expect(self, event_type: str, **fields: object) -> JsonObject:
        """Returns the client's next event, which must be of that type and have those fields."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                event = await self._events.get()
        except TimeoutError:
            raise AssertionError(f"The client sent no {event_type}.") from None
        assert event.get("type") == event_type, f"Expected {event_type}, got {event}"
        different = {name: event.get(name) for name in fields if event.get(name) != fields[name]}
        assert not different, f"Expected {event_type} with {fields}, got {event}"
        return event

    async def emit(self, *events: JsonObject) -> None:
        """Sends events to the client, as they are."""
        for event in events:
            await self._end.send(event)

    async def greet(self) -> JsonObject:
        """Greets the client and grants the settings that it asks for, which are returned."""
        await self.emit({"type": "session.created", "session": self.session})
        return await self.grant()

    async def grant(self) -> JsonObject:
        """Expects a ``session.update``, confirms it and returns what it asks for."""
        patch: JsonObject = (await self.expect("session.update"))["session"]
        self.session = merge_session(self.session, patch)
        await self.emit({"type": "session.updated", "session": self.session})
        return patch

    async def vanish(self, code: int = 1006, reason: str = "") -> None:
        """Ends the connection, by default as a lost network does."""
        await self._end.close(code, reason)
