"""The client that tutorials of the beta leave their readers with, against the local server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

import realtime_nb as rt
from realtime_nb.audio.pcm import (
    Resampler,
    level_dbfs,
    pcm_from_samples,
    samples_from_pcm,
    ulaw_decode,
    ulaw_encode,
)
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from tests.conformance.sdk_client import assert_in_order
from tests.conformance.tutorial_client import (
    MODEL,
    SESSION,
    ULAW_BYTES_PER_MS,
    TutorialClient,
    assert_published,
    assert_speech,
    client_of,
    recorded,
    speak_and_listen,
    spoken,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[LocalServer]:
    async with rt.serve(port=0, speed=20, dialect="auto") as running:
        yield running


# --- Sessions -------------------------------------------------------------------------------------


@pytest.mark.feature("beta", "server")
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
async def test_a_typed_question_is_answered_in_text(
    server: LocalServer, with_header: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(server, beta_header=with_header) as client:
        await client.listen("session.created")
        await client.configure(modalities=["text"], tools=[])
        client.events.clear()
        await client.type("Hello!")
        await client.send({"type": "response.create", "response": {"modalities": ["text"]}})
        done = await client.listen("response.done")

    told = [record.message for record in caplog.records if "beta dialect" in record.message]
    assert len(told) == (0 if with_header else 1)
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


@pytest.mark.feature("beta", "server")
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
