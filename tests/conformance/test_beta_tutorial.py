"""The client that tutorials of the beta leave their readers with, against the local server.

Flat sessions, the beta header, the beta's event names, a chain of ifs over raw frames. What it
receives must also be of the beta's published types.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

import realtime_nb as rt
from realtime_nb.audio import (
    Resampler,
    level_dbfs,
    load_audio,
    pcm_from_samples,
    samples_from_pcm,
    ulaw_decode,
    ulaw_encode,
)
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.tts import load_tts

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parent.parent / "data"
MODEL = "gpt-4o-realtime-preview-2024-10-01"
PCM_BYTES_PER_MS = 48
ULAW_BYTES_PER_MS = 8
PUBLISHED: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

Event = dict[str, Any]

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["London", "Paris"]}},
        "required": ["city"],
    },
}
SESSION: Event = {
    "modalities": ["text", "audio"],
    "instructions": "You are a helpful assistant. Be brief.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    },
    "tools": [WEATHER],
    "tool_choice": "auto",
    "temperature": 0.8,
}


class TutorialClient:
    """One socket, one loop, and what the loop has gathered so far."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []
        self.audio = b""
        self.reply = ""
        self.user_said: list[str] = []
        self.calls: list[tuple[str, Event]] = []
        self.playing: str | None = None  # id of the item whose audio came last
        self.function_names: dict[str, str] = {}

    async def send(self, event: Event) -> None:
        await self.socket.send(json.dumps(event))

    async def configure(self, **changes: object) -> Event:
        await self.send({"type": "session.update", "session": {**SESSION, **changes}})
        updated = await self.listen("session.updated")
        session: Event = updated["session"]
        return session

    async def speak(self, audio: bytes, bytes_per_ms: int = PCM_BYTES_PER_MS) -> None:
        step = 100 * bytes_per_ms
        for start in range(0, len(audio), step):
            encoded = base64.b64encode(audio[start : start + step]).decode()
            await self.send({"type": "input_audio_buffer.append", "audio": encoded})

    async def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send({"type": "conversation.item.create", "item": item})

    async def listen(self, until: str, times: int = 1) -> Event:
        """Handle what comes until an event of this type has come that many more times."""
        async with asyncio.timeout(60):
            async for frame in self.socket:
                event: Event = json.loads(frame)
                self.events.append(event)
                await self._handle(event)
                times -= event["type"] == until
                if not times:
                    return event
        raise AssertionError(f"The server closed the connection before {until}.")

    async def _handle(self, event: Event) -> None:
        kind = event["type"]
        if kind == "error":
            raise AssertionError(event["error"])
        if kind == "response.audio.delta":
            self.playing = event["item_id"]
            self.audio += base64.b64decode(event["delta"], validate=True)
        elif kind in ("response.audio_transcript.delta", "response.text.delta"):
            self.reply += event["delta"]
        elif kind == "conversation.item.input_audio_transcription.completed":
            self.user_said.append(event["transcript"].strip())
        elif kind == "response.output_item.added" and event["item"]["type"] == "function_call":
            self.function_names[event["item"]["call_id"]] = event["item"]["name"]
        elif kind == "response.function_call_arguments.done":
            await self._call(event["call_id"], json.loads(event["arguments"]))

    async def _call(self, call_id: str, arguments: Event) -> None:
        """Answer at once, as the tutorials do, without a wait for ``response.done``."""
        self.calls.append((self.function_names[call_id], arguments))
        output = json.dumps({"city": arguments["city"], "sky": "cloudy", "celsius": 12})
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    @property
    def names(self) -> list[str]:
        return [event["type"] for event in self.events]


# --- Helpers --------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[LocalServer]:
    async with rt.serve(port=0, speed=20) as running:
        yield running


@asynccontextmanager
async def client_of(
    server: LocalServer, query: str = f"model={MODEL}", beta_header: bool = True
) -> AsyncIterator[TutorialClient]:
    headers = {"Authorization": f"Bearer {server.token}"}
    if beta_header:
        headers["OpenAI-Beta"] = "realtime=v1"
    async with connect(f"{server.url}?{query}", additional_headers=headers) as socket:
        yield TutorialClient(socket)


def silence(duration_ms: int) -> bytes:
    return bytes(duration_ms * PCM_BYTES_PER_MS)


def spoken(text: str) -> bytes:
    """Speech between silences, 24 kHz PCM16, as a microphone would go on delivering it."""
    return silence(400) + load_tts().speak(text, "alloy") + silence(1_200)


def recorded(name: str) -> bytes:
    return silence(400) + pcm_from_samples(load_audio(DATA / name, 24_000)) + silence(1_200)


async def speak_and_listen(
    client: TutorialClient, audio: bytes, until: str = "response.done", times: int = 1
) -> Event:
    speaking = asyncio.create_task(client.speak(audio))
    event = await client.listen(until, times)
    await speaking
    return event


def assert_in_order(expected: list[str], names: list[str]) -> None:
    rest = iter(names)
    missing = [name for name in expected if name not in rest]
    assert not missing, f"{missing[0]} is missing or out of order in {names}"


def assert_speech(pcm: bytes, at_least_ms: int) -> None:
    assert len(pcm) >= at_least_ms * PCM_BYTES_PER_MS
    assert len(pcm) % 2 == 0
    assert level_dbfs(samples_from_pcm(pcm)) > -40


def assert_published(events: list[Event]) -> None:
    """Every event is one that the beta's published types describe, by name and by fields."""
    for event in events:
        model = PUBLISHED.validate_python(event)
        assert event["type"] == model.type
        ids = event.get("event_id")
        assert isinstance(ids, str) and ids
    assert len(events) == len({event["event_id"] for event in events})


# --- Sessions -------------------------------------------------------------------------------------


async def test_the_session_is_flat(server: LocalServer) -> None:
    async with client_of(server) as client:
        created = await client.listen("session.created")
        updated = await client.configure()

    for session in (created["session"], updated):
        assert session["object"] == "realtime.session"
        assert session["model"] == MODEL
        assert set(session["modalities"]) == {"audio", "text"}
        assert session["temperature"] == 0.8
        assert session["max_response_output_tokens"] == "inf"
        assert "audio" not in session
        assert "type" not in session
    flat = {key: value for key, value in SESSION.items() if key not in ("modalities",)}
    flat["turn_detection"] = {
        **SESSION["turn_detection"],
        "create_response": True,
        "interrupt_response": True,
    }
    echoed = {key: updated[key] for key in flat}
    echoed["turn_detection"] = {
        key: updated["turn_detection"][key] for key in flat["turn_detection"]
    }
    echoed["input_audio_transcription"] = {
        "model": updated["input_audio_transcription"]["model"],
    }
    assert flat == echoed
    assert "conversation.created" in client.names
    assert_published(client.events)


@pytest.mark.parametrize("with_header", [True, False])
async def test_a_typed_question_is_answered_in_text(server: LocalServer, with_header: bool) -> None:
    async with client_of(server, beta_header=with_header) as client:
        await client.listen("session.created")
        await client.configure(modalities=["text"], tools=[])
        client.events.clear()
        await client.type("Hello!")
        await client.send({"type": "response.create", "response": {"modalities": ["text"]}})
        done = await client.listen("response.done")

    assert done["response"]["status"] == "completed"
    assert done["response"]["modalities"] == ["text"]
    (item,) = done["response"]["output"]
    assert [{"type": "text", "text": client.reply}] == item["content"]
    assert client.reply
    assert_in_order(
        [
            "conversation.item.created",
            "response.created",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "response.text.delta",
            "response.text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ],
        client.names,
    )
    assert client.names.count("conversation.item.created") == 2
    assert_published(client.events)


async def test_a_browser_asks_for_the_beta_by_subprotocol(server: LocalServer) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{server.token}", "openai-beta.realtime-v1"]
    protocols = [Subprotocol(name) for name in offered]
    async with connect(f"{server.url}?model={MODEL}", subprotocols=protocols) as socket:
        assert socket.subprotocol == "realtime"
        created = await TutorialClient(socket).listen("session.created")
    assert "modalities" in created["session"]


async def test_a_refused_field_is_an_error_and_nothing_more(server: LocalServer) -> None:
    async with client_of(server) as client:
        await client.listen("session.created")
        update = {"type": "session.update", "event_id": "mine", "session": {"voice": 7}}
        await client.send(update)
        with pytest.raises(AssertionError, match="voice"):
            await client.listen("session.updated")
        refusal = client.events[-1]["error"]
        assert (await client.configure())["voice"] == "alloy"
    assert refusal["event_id"] == "mine"
    assert refusal["type"] == "invalid_request_error"


# --- Speech ---------------------------------------------------------------------------------------

SPOKEN_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.created",
    "response.created",
    "response.output_item.added",
    "conversation.item.created",
    "response.content_part.added",
    "response.audio_transcript.delta",
    "response.audio.delta",
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


@pytest.mark.parametrize(
    ("audio", "heard"),
    [
        pytest.param(lambda: spoken("Hello, how are you?"), "how are you", id="synthetic"),
        pytest.param(lambda: recorded("austen_0880.wav"), "young man", id="recorded"),
    ],
)
async def test_a_spoken_turn(server: LocalServer, audio: Any, heard: str) -> None:
    async with client_of(server) as client:
        await client.configure(tools=[])
        done = await speak_and_listen(client, audio())
        while not client.user_said:
            await client.listen("conversation.item.input_audio_transcription.completed")

    assert heard in " ".join(client.user_said).lower()
    assert_in_order(SPOKEN_TURN, client.names)
    assert client.names.count("response.created") == 1
    assert_speech(client.audio, 300)
    response = done["response"]
    assert response["status"] == "completed"
    assert (response["voice"], response["output_audio_format"]) == ("alloy", "pcm16")
    assert response["usage"]["output_tokens"] > 0
    (item,) = response["output"]
    assert [{"type": "audio", "transcript": client.reply}] == item["content"]
    started = client.events[client.names.index("input_audio_buffer.speech_started")]
    stopped = client.events[client.names.index("input_audio_buffer.speech_stopped")]
    assert 0 <= started["audio_start_ms"] < stopped["audio_end_ms"]
    assert started["item_id"] == stopped["item_id"]
    assert_published(client.events)


async def test_a_function_is_called_and_its_result_spoken(server: LocalServer) -> None:
    async with client_of(server) as client:
        await client.configure()
        done = await speak_and_listen(client, spoken("What is the weather in London?"), times=2)

    assert client.calls == [("get_weather", {"city": "London"})]
    assert done["response"]["status"] == "completed"
    assert "cloudy" in client.reply.lower()
    assert_speech(client.audio, 300)
    assert_in_order(
        [
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.done",
            "response.created",
            "response.audio.delta",
            "response.done",
        ],
        client.names,
    )
    assert_published(client.events)


async def test_push_to_talk(server: LocalServer) -> None:
    async with client_of(server) as client:
        session = await client.configure(turn_detection=None, tools=[])
        assert session["turn_detection"] is None
        await client.speak(spoken("Hello, how are you?"))
        await client.send({"type": "input_audio_buffer.commit"})
        await client.send({"type": "response.create"})
        done = await client.listen("response.done")

    assert done["response"]["status"] == "completed"
    assert_speech(client.audio, 300)
    assert "input_audio_buffer.speech_started" not in client.names
    assert_published(client.events)


async def test_talking_over_the_reply() -> None:
    """The telephone tutorials' handling: on ``speech_started``, truncate what was playing."""
    story = "Once upon a time there was a very long story, and it went on. " * 10
    async with (
        rt.serve(port=0, llm=ScriptedLLM([story, "Yes?"])) as server,
        client_of(server) as client,
    ):
        await client.configure(tools=[])
        await client.type("Tell me a story.")
        await client.send({"type": "response.create"})
        await client.listen("response.audio.delta")
        speaking = asyncio.create_task(client.speak(recorded("cards_003.wav")))
        await client.listen("input_audio_buffer.speech_started")
        cut = {"item_id": client.playing, "content_index": 0, "audio_end_ms": 20}
        await client.send({"type": "conversation.item.truncate", **cut})
        truncated = await client.listen("conversation.item.truncated")
        await speaking
        while client.names.count("response.done") < 2:
            await client.listen("response.done")

    assert cut == {key: truncated[key] for key in cut}
    first, second = (
        event["response"] for event in client.events if event["type"] == "response.done"
    )
    assert first["status"] == "cancelled"
    assert first["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert first["output"][0]["status"] == "incomplete"
    assert second["status"] == "completed"
    assert second["output"][0]["content"] == [{"type": "audio", "transcript": "Yes?"}]
    assert_in_order(
        [
            "response.audio.delta",
            "input_audio_buffer.speech_started",
            "response.done",
            "input_audio_buffer.speech_stopped",
            "response.created",
            "response.done",
        ],
        client.names,
    )
    assert_published(client.events)


async def test_a_telephone_line(server: LocalServer) -> None:
    """G.711 μ-law both ways, and the assistant speaks first."""
    samples = samples_from_pcm(spoken("Hello, how are you?"))
    line = ulaw_encode(pcm_from_samples(Resampler(24_000, 8_000).process(samples, last=True)))
    async with client_of(server) as client:
        formats = {"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}
        session = await client.configure(**formats, tools=[])
        assert formats == {key: session[key] for key in formats}
        await client.type("Greet the user.")
        await client.send({"type": "response.create"})
        await client.listen("response.done")
        greeting, client.audio = client.audio, b""
        await client.speak(line, ULAW_BYTES_PER_MS)
        await client.listen("response.done")
        while not client.user_said:
            await client.listen("conversation.item.input_audio_transcription.completed")

    for payload in (greeting, client.audio):
        line_samples = samples_from_pcm(ulaw_decode(payload))
        assert line_samples.size >= 0.3 * 8_000
        assert level_dbfs(line_samples) > -40
        assert np.abs(line_samples).max() < 1
    assert "how are you" in client.user_said[0].lower()
    assert_published(client.events)


async def test_a_transcription_session(server: LocalServer) -> None:
    async with client_of(server, query="intent=transcription") as client:
        await client.listen("transcription_session.created")
        session = {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        }
        await client.send({"type": "transcription_session.update", "session": session})
        updated = await client.listen("transcription_session.updated")
        await speak_and_listen(
            client,
            recorded("cards_003.wav"),
            "conversation.item.input_audio_transcription.completed",
        )

    assert updated["session"]["input_audio_format"] == "pcm16"
    assert updated["session"]["input_audio_transcription"]["model"] == "gpt-4o-transcribe"
    assert updated["session"]["turn_detection"]["silence_duration_ms"] == 500
    assert "clubs" in client.user_said[0].lower()
    assert not any(name.startswith("response.") for name in client.names)


async def test_the_library_s_own_beta_client(server: LocalServer) -> None:
    openai = AsyncOpenAI(
        api_key=server.token, websocket_base_url=server.url.removesuffix("/realtime")
    )
    async with openai, openai.beta.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session={"modalities": ["text"]})
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hello!"}],
            }
        )
        await connection.response.create()
        reply = ""
        async for event in connection:
            assert event.type != "error"
            if event.type == "response.text.delta":
                reply += event.delta
            elif event.type == "response.done":
                break
    assert event.type == "response.done"
    assert event.response.status == "completed"
    assert reply
