"""Any frames in any order, huge ones, floods: the server goes on and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import random
from collections import Counter
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.local.llm import Call, Reply, Request, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.protocol.server import (
    CancelResponse,
    Job,
    JudgeTurn,
    Respond,
    ServerProtocol,
    Transcribe,
)
from realtime_nb.testing import CountingIds, LoudnessDetector, silence, tone
from tests.conformance.hostile import HostileClient
from tests.conformance.ledger import Ledger
from tests.conformance.validate import validate
from tests.local.fake_engines import WatchedTTS, fake_server
from tests.local.raw_client import Event, RawClient, joined

MIB = 1024 * 1024


def ids_in(event: Event) -> list[str]:
    """Ids that a client could come back to."""
    found = [event.get(key) for key in ("item_id", "call_id", "response_id")]
    item = event.get("item", {})
    found += [item.get("id"), item.get("call_id")]
    return [value for value in found if isinstance(value, str)]


class Engines:
    """Answers the core's jobs at random times, sometimes wrongly, sometimes never."""

    def __init__(self, core: ServerProtocol, rng: random.Random) -> None:
        self.core = core
        self.random = rng
        self.jobs: list[Job] = []

    def work(self) -> None:
        self.jobs += self.core.jobs_to_run()
        if not self.jobs or self.random.random() < 0.4:
            return
        job = self.random.choice(self.jobs)
        if isinstance(job, Respond) and self.random.random() < 0.7:
            self._produce(job)
            return
        self.jobs.remove(job)
        match job:
            case Transcribe(item_id, attempt):
                if self.random.random() < 0.8:
                    self.core.receive_transcript(item_id, attempt, self.random.choice(["", "yes."]))
                else:
                    self.core.receive_transcript_failure(item_id, attempt, "no")
            case Respond(response_id):
                if self.random.random() < 0.8:
                    self.core.receive_response_end(response_id)
                else:
                    self.core.receive_response_failure(response_id, "server_error", "no")
            case JudgeTurn(question):
                self.core.receive_completeness(question, self.random.choice([0.1, 0.9, math.nan]))
            case CancelResponse():
                pass  # late, as engines are: what they still say must not matter

    def _produce(self, job: Respond) -> None:
        if self.random.random() < 0.2:
            self.core.receive_call(job.response_id, "f", '{"a": 1}')
        elif job.settings.speaks:
            self.core.receive_speech(job.response_id, "some words ", tone(100))
        else:
            self.core.receive_text(job.response_id, "text ")


def hostile_session(seed: int, frames: int) -> Counter[str]:
    """A session with the core alone; returns how often it said what."""
    core = ServerProtocol(
        model="local",
        new_id=CountingIds(),
        detector_for=LoudnessDetector,
        expires_at=0,
        turn_model=bool(seed % 2),
    )
    core.start()
    ids: list[str] = []
    client = HostileClient(seed, ids)
    engines = Engines(core, random.Random(seed))
    ledger = Ledger()
    said: Counter[str] = Counter()
    for _ in range(frames):
        core.receive_frame(client.frame())
        engines.work()
        for event in core.events_to_send():
            validate(event)
            ledger.check(event)
            said[event.get("error", {}).get("code") or event["type"]] += 1
            ids.extend(ids_in(event))
        assert core.conversation.order == ledger.order
    assert len(json.dumps(core.session)) < 20_000
    return said


def test_any_frames_in_any_order() -> None:
    """Twenty thousand frames; what comes back is in order and of the published types."""
    said: Counter[str] = Counter()
    for seed in range(50):
        said += hostile_session(seed, 400)
    # It was no wall of errors: most of what a server can say was said.
    assert len(said) > 45
    assert min(said[kind] for kind in COMMON) > 20


COMMON = [
    "response.done",
    "session.updated",
    "input_audio_buffer.committed",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.completed",
    "response.function_call_arguments.done",
    "invalid_json",
    "invalid_value",
    "missing_required_parameter",
    "conversation_already_has_active_response",
]


def obliging(request: Request) -> Reply:
    if request.tools:
        return ["Well. ", Call(request.tools[0]["name"], "{}"), "That was it."]
    return "An answer of several words. And another one."


async def one_hostile_session(server: LocalServer, seed: int, frames: int) -> list[Event]:
    """Sends hostile frames and reads what comes; fails if the server ends the session."""
    ids: list[str] = []
    hostile = HostileClient(seed, ids)
    async with joined(server) as client:
        received: list[Event] = []

        async def read() -> None:
            while not (received and received[-1].get("item", {}).get("id") == f"last-{seed}"):
                event = json.loads(await client.socket.recv())
                received.append(event)
                ids.extend(ids_in(event))

        reading = asyncio.create_task(read())
        for _ in range(frames):
            await client.socket.send(hostile.frame())
        item = {
            "type": "message",
            "role": "user",
            "id": f"last-{seed}",
            "content": [{"type": "input_text", "text": "the end"}],
        }
        await client.send("conversation.item.create", item=item)
        await asyncio.wait_for(reading, 60)
        return received


async def test_hostile_sessions_beside_a_good_one() -> None:
    llm = ScriptedLLM([obliging] * 10_000)
    async with fake_server(llm=llm, tts=WatchedTTS(300)) as server, joined(server) as good:
        sessions = [
            asyncio.create_task(one_hostile_session(server, 1_000 + seed, 250)) for seed in range(8)
        ]
        rounds = 0
        while not all(session.done() for session in sessions):
            assert (await good.ask())["status"] == "completed"
            rounds += 1
        logs = await asyncio.gather(*sessions)
        assert (await good.ask())["status"] == "completed"
    assert rounds >= 3
    assert good.of("error") == []
    for log in logs:
        ledger = Ledger()
        kinds = {event["type"] for event in log}
        assert {"error", "response.done", "conversation.item.added"} <= kinds
        for event in log:
            validate(event)
            ledger.check(event)


async def answer_times(client: RawClient, until: asyncio.Task[Any]) -> list[float]:
    """How long typed questions take meanwhile."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    await client.update(output_modalities=["text"])
    while not until.done() or len(times) < 3:
        began = loop.time()
        assert (await client.ask())["status"] == "completed"
        times.append(loop.time() - began)
        await asyncio.sleep(0.005)
    return times


@pytest.mark.feature("long appends", "server")
async def test_the_longest_appends_beside_a_quick_session() -> None:
    """Five and a half minutes at once, four times: whoever talks meanwhile hardly waits."""
    server = fake_server()
    server.engines = replace(server.engines, detector_for=lambda form: FrameDetector(form["type"]))
    payload = base64.b64encode(silence(15 * MIB / 48)).decode()
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": payload})
    assert len(frame) > 20 * MIB
    async with server, joined(server) as greedy, joined(server) as quick:

        async def send() -> None:
            for _ in range(4):
                await greedy.socket.send(frame)
            await greedy.send("input_audio_buffer.clear")
            await greedy.until("input_audio_buffer.cleared")

        sending = asyncio.create_task(send())
        times = await answer_times(quick, sending)
        await sending
    assert "error" not in greedy.kinds
    assert len(times) >= 5
    assert median(times) < 0.1
    assert max(times) < 1.0


async def test_an_append_beyond_the_limit_is_refused() -> None:
    payload = base64.b64encode(bytes(15 * MIB + 3)).decode()
    async with fake_server() as server, joined(server) as client:
        await client.send("input_audio_buffer.append", audio=payload, event_id="too-long")
        error = (await client.until("error"))["error"]
        assert error["event_id"] == "too-long"
        assert "15 MiB" in error["message"]
        await client.send("input_audio_buffer.commit")
        assert "0.00ms" in (await client.until("error"))["error"]["message"]


@pytest.mark.parametrize("first", ["audio", "event_id"])
@pytest.mark.parametrize("audio", [base64.b64encode(bytes(15 * MIB + 3)).decode(), "?" * MIB])
async def test_a_long_append_is_refused_by_its_id_wherever_that_stands(
    first: str, audio: str
) -> None:
    fields = {"event_id": "mine", "audio": audio}
    order = sorted(fields, key=lambda name: name != first)
    event = {"type": "input_audio_buffer.append", **{name: fields[name] for name in order}}
    async with fake_server() as server, joined(server) as client:
        await client.socket.send(json.dumps(event))
        error = (await client.until("error"))["error"]
        assert error["event_id"] == "mine"
        await client.send("input_audio_buffer.commit")
        assert "0.00ms" in (await client.until("error"))["error"]["message"]


async def test_a_frame_beyond_the_limit_ends_its_session_only() -> None:
    async with fake_server() as server, joined(server) as greedy, joined(server) as other:
        # The head of a text frame, which is enough.
        greedy.socket.transport.write(b"\x81\xff" + (25 * MIB).to_bytes(8, "big") + b"mask")
        assert (await greedy.close_code())[0] == 1009
        assert (await other.ask())["status"] == "completed"


@pytest.mark.parametrize("data", [b"", b"\0", b'{"type": "response.create"}', bytes(1_000_000)])
async def test_binary_frames_are_errors_and_nothing_more(data: bytes) -> None:
    async with fake_server() as server, joined(server) as client:
        await client.socket.send(data)
        error = (await client.until("error"))["error"]
        assert error["code"] == "invalid_event"
        assert (await client.ask())["status"] == "completed"


@pytest.mark.parametrize(
    "frame",
    [
        "[" * 1_000_000,
        '{"a":' * 300_000,
        '{"type": "' + "\\u0000" * 200_000 + '"}',
        '{"type": "response.create", "response": {"metadata": ' + '{"a":' * 100_000 + "}}}",
        json.dumps({"type": "session.update", "session": {f"k{n}": n for n in range(50_000)}}),
        json.dumps({"type": "session.update", "session": {"type": "realtime", "x" * 100_000: 1}}),
    ],
)
async def test_monstrous_json(frame: str) -> None:
    async with fake_server() as server, joined(server) as client:
        await client.socket.send(frame)
        error = await client.until("error")
        assert len(json.dumps(error)) < 10_000
        assert (await client.ask())["status"] == "completed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 1_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # how TLS begins
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /v1/realtime " + b"x" * 100_000,
        b"\r\n" * 10_000,
    ],
)
async def test_no_web_socket_at_all(data: bytes) -> None:
    async with fake_server() as server, joined(server) as other:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert (await other.ask())["status"] == "completed"


async def test_clients_that_vanish() -> None:
    """Connections cut in the middle of an answer, a turn, a frame."""
    async with fake_server(llm=ScriptedLLM([obliging] * 100)) as server, joined(server) as other:
        for number in range(20):
            async with joined(server) as client:
                if number % 2:
                    await client.send("response.create")
                await client.append(silence(50) + tone(500))
                if number % 3:
                    await client.receive()
                client.socket.transport.abort()
            assert (await other.ask())["status"] == "completed"
        assert server.connections <= 2
    assert server.connections == 0


async def test_invalid_utf8_ends_its_session_only() -> None:
    async with fake_server() as server, joined(server) as other:
        headers = {"Authorization": f"Bearer {server.token}"}
        async with connect(f"{server.url}?model=m", additional_headers=headers) as bad:
            await bad.recv()
            await bad.send(b"\xff\xfe{}", text=True)
            with pytest.raises(ConnectionClosed):
                await bad.recv()
            assert bad.close_code == 1007
        assert (await other.ask())["status"] == "completed"
