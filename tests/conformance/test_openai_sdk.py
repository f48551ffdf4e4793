"""The ``openai`` package's own Realtime client against the local server: turns, tools, refusals."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from realtime_nb.local.llm import Call
from realtime_nb.local.server import LocalServer
from realtime_nb.local.stt import load_stt
from realtime_nb.local.tts import load_tts
from realtime_nb.testing import silence
from tests.conformance import sdk_client
from tests.conformance.sdk_client import (
    COMPLETED,
    MODEL,
    Client,
    Event,
    Replies,
    alike,
    assert_in_order,
    client_of,
    openai_of,
    plain,
    recorded,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

replies, server = sdk_client.replies, sdk_client.server

# --- Turns ---


@pytest.mark.feature("text turn", "server")
@pytest.mark.holds("openai-async", "text")
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


@pytest.mark.feature("transcription", "server")
@pytest.mark.feature("spoken turn", "server")
@pytest.mark.holds("openai-async", "audio")
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


@pytest.mark.feature("push-to-talk", "server")
@pytest.mark.holds("openai-async", "push_to_talk")
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


@pytest.mark.feature("functions", "server")
@pytest.mark.holds("openai-async", "tool")
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


# --- Items, sessions and refusals ---


@pytest.mark.feature("deleting", "server")
@pytest.mark.feature("retrieving", "server")
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


@pytest.mark.feature("refusals", "server")
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


@pytest.mark.feature("wrong key", "server")
async def test_a_wrong_key_opens_no_connection(server: LocalServer) -> None:
    async with openai_of(server, api_key="sk-wrong") as openai:
        with pytest.raises(InvalidStatus) as refused:
            await openai.realtime.connect(model=MODEL).enter()
    assert refused.value.response.status_code == 401


@pytest.mark.feature("transcription session", "server")
@pytest.mark.holds("openai-async", "transcription")
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
