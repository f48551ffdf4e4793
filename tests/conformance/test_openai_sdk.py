"""The ``openai`` package's own Realtime client, unmodified, against the local server.

Every frame that the server sends is validated, strictly, against the types that the package
publishes.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from websockets.exceptions import ConnectionClosedError

import realtime_nb as rt
from realtime_nb.audio import load_audio, pcm_from_samples
from realtime_nb.local.llm import Call, Request, Script, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.stt import load_stt
from realtime_nb.local.tts import load_tts
from realtime_nb.testing import silence
from tests.conformance.ledger import Ledger
from tests.conformance.validate import validate

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parent.parent / "data"
MODEL = "gpt-realtime-2.1"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAST = 20.0

Event = dict[str, Any]


class Replies:
    """A model whose next replies each test writes."""

    name = "replies"

    def __init__(self) -> None:
        self.script: ScriptedLLM = ScriptedLLM([])
        self.requests: list[Request] = []

    def will_say(self, *replies: Script) -> None:
        self.script = ScriptedLLM(replies)
        self.requests.clear()

    def reply(self, request: Request) -> Any:
        self.requests.append(request)
        return self.script.reply(request)


class Client:
    """What the package gives, read frame by frame."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.ledger = Ledger()
        self.events: list[Event] = []

    async def receive(self) -> RealtimeServerEvent:
        frame = await self.connection.recv_bytes()
        event: Event = json.loads(frame)
        validate(event)
        self.ledger.check(event)
        self.events.append(event)
        parsed = self.connection.parse_event(frame)
        assert parsed.type == event["type"]
        return parsed

    async def until(self, kind: str, times: int = 1) -> Any:
        async with asyncio.timeout(40):
            while True:
                event = await self.receive()
                times -= event.type == kind
                if not times:
                    return event

    async def say(self, audio: bytes, piece_ms: int = 100) -> None:
        for start in range(0, len(audio), 48 * piece_ms):
            piece = base64.b64encode(audio[start : start + 48 * piece_ms]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def write(self, text: str) -> None:
        await self.connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
            }
        )

    async def configure(self, **session: Any) -> Any:
        await self.connection.session.update(session={"type": "realtime", **session})  # type: ignore[arg-type]
        return (await self.until("session.updated")).session

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def audio_of(self, item_id: str) -> bytes:
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(d["delta"]) for d in deltas if d["item_id"] == item_id)


@pytest.fixture(scope="module")
def replies() -> Replies:
    return Replies()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(replies: Replies) -> AsyncIterator[LocalServer]:
    async with rt.serve(llm=replies, speed=FAST) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow_server(replies: Replies) -> AsyncIterator[LocalServer]:
    """Speaks at the pace of life, so that answers can be interrupted."""
    async with rt.serve(llm=replies, lead_ms=300) as running:
        yield running


def openai_of(server: LocalServer, api_key: str | None = None) -> AsyncOpenAI:
    base = server.url.removesuffix("/realtime")
    return AsyncOpenAI(api_key=api_key or server.token, websocket_base_url=base)


@asynccontextmanager
async def client_of(server: LocalServer) -> AsyncIterator[Client]:
    async with openai_of(server) as openai, openai.realtime.connect(model=MODEL) as connection:
        client = Client(connection)
        created = await client.receive()
        assert created.type == "session.created"
        yield client
        client.ledger.check_settled()


def recorded(name: str) -> bytes:
    return silence(300) + pcm_from_samples(load_audio(DATA / name)) + silence(1_000)


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").strip()


def alike(heard: str, said: str) -> bool:
    """The same but for a syllable, which a tiny model may mishear."""
    return SequenceMatcher(None, plain(heard), plain(said)).ratio() > 0.9


def assert_in_order(expected: list[str], kinds: list[str]) -> None:
    rest = iter(kinds)
    missing = [kind for kind in expected if kind not in rest]
    assert not missing, f"{missing[0]} is missing or out of order in {kinds}"


# --- Turns ---


async def test_a_text_turn(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Four, of course.")
    async with client_of(server) as client:
        session = await client.configure(output_modalities=["text"], instructions="Be brief.")
        assert session.output_modalities == ["text"]
        await client.write("What is two and two?")
        await client.connection.response.create()
        done = await client.until("response.done")
        limits = await client.until("rate_limits.updated")
    assert done.response.status == "completed"
    (item,) = done.response.output
    assert item.content[0].text == "Four, of course."
    assert item.content[0].type == "output_text"
    assert done.response.usage.output_tokens > 0
    assert limits.rate_limits[0].name == "tokens"
    assert (
        "".join(e["delta"] for e in client.of("response.output_text.delta")) == "Four, of course."
    )
    assert client.kinds[2:] == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    (request,) = replies.requests
    assert request.instructions == "Be brief."
    assert request.items[-1]["content"][0]["text"] == "What is two and two?"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("austen_0880.wav", "he was not an ill disposed young man"),
        ("cards_003.wav", "seven of clubs"),
    ],
)
async def test_a_spoken_turn(server: LocalServer, replies: Replies, name: str, words: str) -> None:
    answer = "I heard every word of it. The weather is fine today."
    replies.will_say(answer)
    async with client_of(server) as client:
        await client.configure(
            audio={
                "input": {
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                }
            }
        )
        await client.say(recorded(name))
        done = await client.until("response.done")
        await client.until("rate_limits.updated")
        while not client.of(COMPLETED):
            await client.receive()
        (item,) = done.response.output
        audio = client.audio_of(item.id)
    heard = client.of(COMPLETED)[0]["transcript"]
    assert alike(heard, words)
    assert replies.requests[0].items[-1]["content"][0]["transcript"] == heard
    assert done.response.status == "completed"
    assert item.content[0].transcript == answer
    assert len(audio) > 48 * 1_000
    spoken = await asyncio.to_thread(load_stt().transcribe, audio, 24_000)
    assert alike(spoken, answer)
    tail = [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    end = client.kinds.index("response.done")
    assert client.kinds[end - 5 : end + 1] == tail
    assert_in_order(
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.done",
            "rate_limits.updated",
        ],
        client.kinds,
    )
    (user_id,) = {e["item_id"] for e in client.events if e["type"].startswith("input_audio")}
    assert client.of("conversation.item.added")[1]["previous_item_id"] == user_id


async def test_push_to_talk(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Understood.")
    async with client_of(server) as client:
        session = await client.configure(audio={"input": {"turn_detection": None}})
        assert session.audio.input.turn_detection is None
        await client.connection.input_audio_buffer.clear()
        await client.until("input_audio_buffer.cleared")
        await client.say(recorded("cards_001.wav"))
        await client.connection.input_audio_buffer.commit()
        await client.connection.response.create()
        done = await client.until("response.done")
        await client.connection.input_audio_buffer.commit()
        refused = await client.until("error")
    assert done.response.status == "completed"
    assert plain(replies.requests[0].items[-1]["content"][0]["transcript"]) == "ten of clubs"
    assert not any("speech" in kind for kind in client.kinds)
    assert refused.error.code == "input_audio_buffer_commit_empty"
    # The session asked for no transcripts.
    assert client.of(COMPLETED) == []


async def test_a_function_call_and_its_result(server: LocalServer, replies: Replies) -> None:
    arguments = '{"city": "Rome", "unit": "celsius"}'
    replies.will_say(["One moment.", Call("get_weather", arguments)], "It is sunny in Rome.")
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    async with client_of(server) as client:
        session = await client.configure(tools=[tool], output_modalities=["text"])
        assert session.tools[0].name == "get_weather"
        await client.write("How is the weather in Rome?")
        await client.connection.response.create()
        called = await client.until("response.function_call_arguments.done")
        assert (called.name, called.arguments) == ("get_weather", arguments)
        done = await client.until("response.done")
        message, call = done.response.output
        assert (message.type, call.type, call.call_id) == (
            "message",
            "function_call",
            called.call_id,
        )
        await client.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        )
        await client.connection.response.create()
        final = await client.until("response.done")
    assert final.response.output[0].content[0].text == "It is sunny in Rome."
    deltas = client.of("response.function_call_arguments.delta")
    assert "".join(event["delta"] for event in deltas) == arguments
    first, second = replies.requests
    assert [t["name"] for t in first.tools] == ["get_weather"]
    assert [item["type"] for item in second.items] == [
        "message",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert second.items[-1]["output"] == "sunny"


async def test_out_of_band_beside_the_conversation(
    slow_server: LocalServer, replies: Replies
) -> None:
    replies.will_say("This is the long spoken answer of the conversation itself.", "billing")
    async with client_of(slow_server) as client:
        await client.write("I was charged twice.")
        await client.connection.response.create()
        await client.until("response.output_audio.delta")
        await client.connection.response.create(
            response={
                "conversation": "none",
                "metadata": {"topic": "classification"},
                "output_modalities": ["text"],
                "instructions": "Classify.",
                "input": [
                    {
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "charged twice"}],
                    }
                ],
            }
        )
        aside = await client.until("response.done")
        main = await client.until("response.done")
    assert aside.response.metadata == {"topic": "classification"}
    assert aside.response.conversation_id is None
    assert aside.response.output[0].content[0].text == "billing"
    assert main.response.status == "completed"
    assert main.response.conversation_id is not None
    assert [len(request.items) for request in replies.requests] == [1, 1]
    assert replies.requests[1].instructions == "Classify."
    added = [event["item"]["id"] for event in client.of("conversation.item.added")]
    assert aside.response.output[0].id not in added


# --- Cancelling and interrupting ---

LONG = " ".join(f"This is sentence number {number} of a rather long story." for number in range(20))


async def test_cancelling_at_once(server: LocalServer, replies: Replies) -> None:
    replies.will_say(LONG, "Fine.")
    async with client_of(server) as client:
        await client.write("Tell me a story.")
        await client.connection.response.create()
        await client.connection.response.cancel()
        done = await client.until("response.done")
        assert done.response.status == "cancelled"
        assert done.response.status_details.type == "cancelled"
        assert done.response.status_details.reason == "client_cancelled"
        assert done.response.output == []
        assert done.response.usage.total_tokens == 0
        await client.connection.response.cancel(event_id="late-cancel")
        error = (await client.until("error")).error
        assert error.code == "response_cancel_not_active"
        assert error.event_id == "late-cancel"
        await client.connection.response.create()
        assert (await client.until("response.done")).response.status == "completed"


async def test_cancelling_while_it_speaks(slow_server: LocalServer, replies: Replies) -> None:
    replies.will_say(LONG, "Fine.")
    async with client_of(slow_server) as client:
        await client.write("Tell me a story.")
        await client.connection.response.create()
        delta = await client.until("response.output_audio.delta", times=3)
        await client.connection.response.cancel(response_id=delta.response_id)
        done = await client.until("response.done")
        (item,) = done.response.output
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "client_cancelled"
        assert item.status == "incomplete"
        end = client.kinds.index("response.done")
        assert client.kinds[end - 5 : end] == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
        ]
        assert client.events[end - 2]["item"]["status"] == "incomplete"
        await client.connection.response.create()
        assert (await client.until("response.done")).response.status == "completed"
        late = [e for e in client.of("response.output_audio.delta") if e["item_id"] == item.id]
        assert client.events.index(late[-1]) < end


async def test_a_second_response_must_wait(slow_server: LocalServer, replies: Replies) -> None:
    replies.will_say(LONG)
    async with client_of(slow_server) as client:
        await client.connection.response.create()
        created = await client.until("response.created")
        await client.connection.response.create(event_id="too-soon")
        error = (await client.until("error")).error
        await client.connection.response.cancel()
        await client.until("response.done")
    assert error.code == "conversation_already_has_active_response"
    assert created.response.id in error.message
    assert error.event_id == "too-soon"


async def test_barging_in_and_truncating(slow_server: LocalServer, replies: Replies) -> None:
    replies.will_say(LONG, "Yes?")
    async with client_of(slow_server) as client:
        await client.write("Tell me a story.")
        await client.connection.response.create()
        await client.until("response.output_audio.delta", times=5)
        await client.say(recorded("cards_001.wav"))
        await client.until("input_audio_buffer.speech_started")
        done = await client.until("response.done")
        (item,) = done.response.output
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "turn_detected"
        assert item.status == "incomplete"
        received_ms = len(client.audio_of(item.id)) // 48

        truncate = client.connection.conversation.item.truncate
        await truncate(item_id=item.id, content_index=0, audio_end_ms=received_ms + 1)
        error = (await client.until("error")).error
        assert error.message.startswith(f"Audio content of {received_ms}ms is already shorter")
        await truncate(item_id=item.id, content_index=0, audio_end_ms=250)
        truncated = await client.until("conversation.item.truncated")
        assert (truncated.item_id, truncated.audio_end_ms) == (item.id, 250)
        await client.connection.conversation.item.retrieve(item_id=item.id)
        kept = (await client.until("conversation.item.retrieved")).item
        assert kept.content[0].transcript is None
        assert len(base64.b64decode(kept.content[0].audio)) == 250 * 48
        # The turn that interrupted is answered; what was heard of the story is known.
        while len(client.of("response.done")) < 2:
            await client.receive()
    assert client.events[-1]["response"]["status"] == "completed"
    said = replies.requests[1].items[-2]["content"][0]["transcript"]
    assert len(said) < len(LONG) / 4
    started, cancelled = "input_audio_buffer.speech_started", "response.done"
    assert client.kinds.index(started) < client.kinds.index(cancelled)


async def test_items_come_and_go(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Noted, thank you.")
    async with client_of(server) as client:
        items = client.connection.conversation.item
        await client.say(recorded("cards_002.wav"))
        done = await client.until("response.done")
        answer_id = done.response.output[0].id
        user_id = client.of("input_audio_buffer.committed")[0]["item_id"]

        await items.retrieve(item_id=user_id)
        user = (await client.until("conversation.item.retrieved")).item
        assert "four queen of" in plain(user.content[0].transcript)
        samples = base64.b64decode(user.content[0].audio)
        stopped = client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
        started = client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"]
        assert len(samples) == (stopped - started) * 48

        await items.retrieve(item_id=answer_id)
        answer = (await client.until("conversation.item.retrieved")).item
        assert base64.b64decode(answer.content[0].audio) == client.audio_of(answer_id)
        assert answer.content[0].transcript == "Noted, thank you."

        await items.delete(item_id=answer_id)
        assert (await client.until("conversation.item.deleted")).item_id == answer_id
        for call in (items.delete, items.retrieve):
            await call(item_id=answer_id)
            assert answer_id in (await client.until("error")).error.message


async def test_refusals_name_what_is_wrong(server: LocalServer, replies: Replies) -> None:
    async with client_of(server) as client:
        before = await client.configure()
        bad: list[tuple[Event, str, str]] = [
            ({"audio": {"output": {"voice": 7}}}, "invalid_type", "session.audio.output.voice"),
            ({"voice": "alloy"}, "unknown_parameter", "session.voice"),
            (
                {"output_modalities": ["audio", "text"]},
                "invalid_value",
                "session.output_modalities",
            ),
            (
                {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
                "decimal_above_max_value",
                "session.audio.input.turn_detection.threshold",
            ),
        ]
        for number, (session, code, param) in enumerate(bad):
            await client.connection.send(
                {  # type: ignore[arg-type]
                    "type": "session.update",
                    "event_id": f"bad-{number}",
                    "session": {"type": "realtime", **session},
                }
            )
            error = (await client.until("error")).error
            assert (error.code, error.param, error.event_id) == (code, param, f"bad-{number}")
        assert await client.configure() == before


async def test_a_wrong_key_ends_the_connection(server: LocalServer) -> None:
    async with (
        openai_of(server, api_key="sk-wrong") as openai,
        openai.realtime.connect(model=MODEL) as connection,
    ):
        event = await connection.recv()
        assert event.type == "error"
        assert event.error.code == "invalid_api_key"
        with pytest.raises(ConnectionClosedError) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 3000


async def test_a_transcription_session(server: LocalServer) -> None:
    query = {"intent": "transcription"}
    async with (
        openai_of(server) as openai,
        openai.realtime.connect(extra_query=query) as connection,
    ):
        client = Client(connection)
        transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
        await connection.session.update(session={"type": "transcription", "audio": transcription})
        await client.until("session.updated")
        await client.say(recorded("austen_0930.wav"))
        heard = await client.until(COMPLETED)
    assert "have been made amiable" in plain(heard.transcript)
    assert heard.usage.type == "duration"
    assert not any(kind.startswith("response.") for kind in client.kinds)


async def test_speech_of_the_voice_is_understood(server: LocalServer, replies: Replies) -> None:
    """A conversation of two machines: what the voice says is a turn like any other."""
    replies.will_say("At ten on Tuesday.")
    said = "I would like to book an appointment for Tuesday."
    async with client_of(server) as client:
        await client.configure(audio={"input": {"transcription": {"model": "whisper-1"}}})
        await client.say(silence(300) + load_tts().speak(said, "marin") + silence(900))
        await client.until("response.done")
        while not client.of(COMPLETED):
            await client.receive()
    assert alike(client.of(COMPLETED)[0]["transcript"], said)
