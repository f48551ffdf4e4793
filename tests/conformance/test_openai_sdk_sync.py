"""The ``openai`` package's blocking client, unmodified, in whole conversations.

It talks in a thread of its own, for the server runs in the test's loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from openai import OpenAI
from openai.resources.realtime.realtime import RealtimeConnection

import realtime_nb as rt
from realtime_nb.audio.pcm import level_dbfs, samples_from_pcm
from realtime_nb.local.llm import Call
from realtime_nb.local.server import LocalServer
from tests.conformance import sdk_client
from tests.conformance.ledger import Ledger
from tests.conformance.sdk_client import COMPLETED, MODEL, Event, Replies, alike, plain, recorded
from tests.conformance.validate import validate

pytestmark = pytest.mark.asyncio(loop_scope="module")

replies, server = sdk_client.replies, sdk_client.server

LONG = " ".join(f"This is sentence number {number} of a rather long story." for number in range(20))
SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 500}
TRANSCRIPTION = {"model": "gpt-4o-mini-transcribe"}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class Talk:
    """What the package gives, read frame by frame."""

    def __init__(self, connection: RealtimeConnection) -> None:
        self.connection = connection
        self.ledger = Ledger()
        self.events: list[Event] = []

    def until(self, kind: str) -> Any:
        while True:
            frame = self.connection.recv_bytes()
            event: Event = json.loads(frame)
            validate(event)
            self.ledger.check(event)
            self.events.append(event)
            parsed = self.connection.parse_event(frame)
            if parsed.type == kind:
                return parsed

    def configure(self, **session: Any) -> None:
        self.connection.session.update(session={"type": "realtime", **session})  # type: ignore[arg-type]
        self.until("session.updated")

    def ask(self, text: str) -> Any:
        content: Any = [{"type": "input_text", "text": text}]
        item: Any = {"type": "message", "role": "user", "content": content}
        self.connection.conversation.item.create(item=item)
        self.connection.response.create()
        return self.until("response.done").response

    def say(self, audio: bytes) -> None:
        for start in range(0, len(audio), 4_800):
            piece = base64.b64encode(audio[start : start + 4_800]).decode()
            self.connection.input_audio_buffer.append(audio=piece)

    def transcript(self) -> str:
        """What was heard, whether it has come already or not."""
        while not self.of(COMPLETED):
            self.until(COMPLETED)
        text: str = self.of(COMPLETED)[-1]["transcript"]
        return text

    def audio_of(self, item_id: str) -> bytes:
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(d["delta"]) for d in deltas if d["item_id"] == item_id)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]


@contextmanager
def talking(server: LocalServer, **target: Any) -> Iterator[Talk]:
    # docs
    base = server.url.removesuffix("/realtime")
    openai = OpenAI(api_key=server.token, websocket_base_url=base)
    # docs: end
    with openai, openai.realtime.connect(**(target or {"model": MODEL})) as connection:
        talk = Talk(connection)
        talk.until("session.created")
        yield talk
        talk.ledger.check_settled()


async def in_a_thread(talked: Callable[[], None]) -> None:
    async with asyncio.timeout(60):
        await asyncio.to_thread(talked)


@pytest.mark.holds("openai-sync", "text")
async def test_text(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Good morning.", "It is nine.")

    def talked() -> None:
        with talking(server) as talk:
            talk.configure(output_modalities=["text"])
            answers = [talk.ask(words) for words in ("Hello.", "What time is it?")]
        assert [answer.output[0].content[0].text for answer in answers] == [
            "Good morning.",
            "It is nine.",
        ]

    await in_a_thread(talked)
    assert [len(request.items) for request in replies.requests] == [1, 3]


@pytest.mark.holds("openai-sync", "audio")
async def test_audio(server: LocalServer, replies: Replies) -> None:
    replies.will_say("I heard every word of it.")

    def talked() -> None:
        with talking(server) as talk:
            listening = {"turn_detection": SERVER_VAD, "transcription": TRANSCRIPTION}
            talk.configure(audio={"input": listening})
            talk.say(recorded("austen_0880.wav"))
            (item,) = talk.until("response.done").response.output
            audio = talk.audio_of(item.id)
            assert alike(talk.transcript(), "he was not an ill disposed young man")
        assert item.content[0].transcript == "I heard every word of it."
        assert len(audio) > 48 * 800
        assert level_dbfs(samples_from_pcm(audio)) > -40

    await in_a_thread(talked)


@pytest.mark.holds("openai-sync", "push_to_talk")
async def test_push_to_talk(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Understood.")

    def talked() -> None:
        with talking(server) as talk:
            talk.configure(audio={"input": {"turn_detection": None}})
            talk.say(recorded("cards_001.wav"))
            talk.connection.input_audio_buffer.commit()
            talk.connection.response.create()
            assert talk.until("response.done").response.status == "completed"
        assert not any("speech" in event["type"] for event in talk.events)

    await in_a_thread(talked)
    assert plain(replies.requests[0].items[-1]["content"][0]["transcript"]) == "ten of clubs"


@pytest.mark.holds("openai-sync", "tool")
async def test_a_tool(server: LocalServer, replies: Replies) -> None:
    replies.will_say(Call("get_weather", '{"city": "Rome"}'), "It is sunny in Rome.")

    def talked() -> None:
        with talking(server) as talk:
            talk.configure(tools=[WEATHER], output_modalities=["text"])
            (call,) = talk.ask("How is the weather in Rome?").output
            assert (call.name, call.arguments) == ("get_weather", '{"city": "Rome"}')
            talk.connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
            )
            talk.connection.response.create()
            done = talk.until("response.done")
        assert done.response.output[0].content[0].text == "It is sunny in Rome."

    await in_a_thread(talked)
    assert replies.requests[1].items[-1]["output"] == "sunny"


@pytest.mark.holds("openai-sync", "interruption")
@pytest.mark.parametrize("options", [{}, {"lead_ms": 300}], ids=["as it comes", "paced"])
async def test_an_interruption(replies: Replies, options: dict[str, Any]) -> None:
    """Whether the answer is still being sent or has long come, what was not heard is forgotten."""
    replies.will_say(LONG, "Yes?")

    def talked(own: LocalServer) -> None:
        with talking(own) as talk:
            talk.connection.response.create()
            item_id = talk.until("response.output_audio.delta").item_id
            talk.say(recorded("cards_001.wav"))
            talk.until("input_audio_buffer.speech_started")
            truncate = talk.connection.conversation.item.truncate
            truncate(item_id=item_id, content_index=0, audio_end_ms=20)
            truncated = talk.until("conversation.item.truncated")
            assert (truncated.item_id, truncated.audio_end_ms) == (item_id, 20)
            talk.connection.conversation.item.retrieve(item_id=item_id)
            kept = talk.until("conversation.item.retrieved").item
            assert len(base64.b64decode(kept.content[0].audio)) == 20 * 48
            while len(talk.of("response.done")) < 2:
                talk.until("response.done")
        first, second = (event["response"] for event in talk.of("response.done"))
        assert first["status"] in ("cancelled", "completed")
        assert second["output"][0]["content"][0]["transcript"] == "Yes?"

    async with rt.serve(llm=replies, **options) as own:
        await in_a_thread(partial(talked, own))
    said = replies.requests[1].items[-2]["content"][0]["transcript"]
    assert len(said or "") < len(LONG) / 4


@pytest.mark.holds("openai-sync", "out_of_band")
async def test_out_of_band(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Hello, Ada.", "billing", "You are Ada.")

    def talked() -> None:
        with talking(server) as talk:
            talk.configure(output_modalities=["text"])
            talk.ask("I am Ada.")
            content: Any = [{"type": "input_text", "text": "charged twice"}]
            talk.connection.response.create(
                response={
                    "conversation": "none",
                    "metadata": {"topic": "aside"},
                    "input": [{"type": "message", "role": "user", "content": content}],
                }
            )
            aside = talk.until("response.done").response
            assert (aside.metadata, aside.conversation_id) == ({"topic": "aside"}, None)
            assert aside.output[0].content[0].text == "billing"
            assert talk.ask("Who am I?").output[0].content[0].text == "You are Ada."

    await in_a_thread(talked)
    assert [len(request.items) for request in replies.requests] == [1, 1, 3]


@pytest.mark.holds("openai-sync", "transcription")
async def test_transcription(server: LocalServer) -> None:
    def talked() -> None:
        with talking(server, extra_query={"intent": "transcription"}) as talk:
            listening: Any = {"input": {"transcription": {"model": "whisper-1"}}}
            talk.connection.session.update(session={"type": "transcription", "audio": listening})
            talk.until("session.updated")
            talk.say(recorded("austen_0930.wav"))
            assert "have been made amiable" in plain(talk.transcript())
        assert not any(event["type"].startswith("response.") for event in talk.events)

    await in_a_thread(talked)
