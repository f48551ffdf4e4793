"""The ``openai`` package's client with the local server: sessions and their settings."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed

from realtime_nb.audio.files import load_audio
from realtime_nb.local.llm import Call
from realtime_nb.local.server import LocalServer
from realtime_nb.local.stt import load_stt
from realtime_nb.testing import silence
from tests.conformance import sdk_client
from tests.conformance.sdk_client import (
    COMPLETED,
    MODEL,
    Client,
    Replies,
    alike,
    client_of,
    openai_of,
    plain,
    recorded,
)
from tests.local.fake_engines import fake_server
from tests.paths import DATA

pytestmark = pytest.mark.asyncio(loop_scope="module")
replies = sdk_client.replies
server = sdk_client.server

MODES = ["text", "audio"]


def message(text: str, **fields: Any) -> Any:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


# --- output ---


@pytest.mark.feature("text and audio output", "server")
async def test_text_and_audio_by_session_and_by_response(
    server: LocalServer, replies: Replies
) -> None:
    replies.will_say("One.", "Two.", "Three.", "Four.")
    sounded = []
    async with client_of(server) as client:
        for of_session, of_response in (
            (None, None),
            (None, "text"),
            ("text", None),
            ("text", "audio"),
        ):
            if of_session:
                session = await client.configure(output_modalities=[of_session])
                assert session.output_modalities == [of_session]
            asked: Any = {"output_modalities": [of_response]} if of_response else {}
            await client.connection.response.create(response=asked)
            done = await client.until("response.done")
            (item,) = done.response.output
            used = of_response or of_session or "audio"
            assert done.response.output_modalities == [used]
            assert item.content[0].type == f"output_{used}"
            sounded.append(bool(client.audio_of(item.id)))
            await client.until("rate_limits.updated")
    assert sounded == [True, False, False, True]


@pytest.mark.feature("voice lock", "server")
async def test_the_voice_is_locked_by_the_first_sound(
    server: LocalServer, replies: Replies
) -> None:
    replies.will_say("Text only.", "Aloud.")
    async with client_of(server) as client:
        voice: Any = {"output": {"voice": "ash"}}
        await client.connection.response.create(response={"output_modalities": ["text"]})
        await client.until("response.done")
        assert (await client.configure(audio=voice)).audio.output.voice == "ash"  # nothing sounded
        await client.connection.response.create()
        await client.until("response.done")

        other: Any = {"output": {"voice": "cedar"}}
        session: Any = {"type": "realtime", "audio": other, "instructions": "lost"}
        await client.connection.session.update(session=session)
        error = (await client.until("error")).error
        assert error.code == "cannot_update_voice"
        assert error.param is None
        assert error.message == (
            "Cannot update a conversation's voice if assistant audio is present."
        )
        await client.connection.response.create(response={"audio": other})
        assert (await client.until("error")).error.code == "cannot_update_voice"
        same = await client.configure(audio=voice)
        assert same.audio.output.voice == "ash"
        assert same.instructions != "lost"


@pytest.mark.feature("output budget", "server")
@pytest.mark.parametrize("mode", MODES)
async def test_a_budget_ends_an_answer_as_incomplete(
    server: LocalServer, replies: Replies, mode: str
) -> None:
    long = "All the words of this sentence cost tokens. " * 6
    replies.will_say(long, "Short.")
    async with client_of(server) as client:
        limited: Any = {"output_modalities": [mode], "max_output_tokens": 20}
        await client.connection.response.create(response=limited)
        response = (await client.until("response.done")).response
        assert response.status == "incomplete"
        assert response.status_details.type == "incomplete"
        assert response.status_details.reason == "max_output_tokens"
        (item,) = response.output
        assert item.status == "incomplete"
        said = item.content[0].text if mode == "text" else item.content[0].transcript
        assert said and long.startswith(said) and len(said) < len(long)
        assert 0 < response.usage.output_tokens <= 20
        assert response.max_output_tokens == 20
        await client.connection.response.create(response={"output_modalities": ["text"]})
        assert (await client.until("response.done")).response.status == "completed"


# --- G.711, by arithmetic of its own ---


def ulaw_levels() -> NDArray[np.int32]:
    """What each of the 256 codes of µ-law stands for (ITU-T G.711)."""
    codes = ~np.arange(256) & 0xFF
    sign, exponent, mantissa = codes & 0x80, codes >> 4 & 7, codes & 15
    size = ((mantissa << 3) + 0x84 << exponent) - 0x84
    return np.where(sign, -size, size).astype(np.int32)


def alaw_levels() -> NDArray[np.int32]:
    """What each of the 256 codes of A-law stands for."""
    codes = np.arange(256) ^ 0x55
    sign, exponent, mantissa = codes & 0x80, codes >> 4 & 7, codes & 15
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 0x108 << np.maximum(exponent - 1, 0)
    )
    return np.where(sign, size, -size).astype(np.int32)


def coded(levels: NDArray[np.int32], samples: NDArray[Any]) -> bytes:
    """Returns the code of the nearest level for each sample."""
    order = np.argsort(levels, kind="stable")
    ranked = levels[order]
    wanted = samples * 32768
    right = np.clip(np.searchsorted(ranked, wanted), 1, 255)
    nearest = right - (wanted - ranked[right - 1] < ranked[right] - wanted)
    return bytes(order[nearest].astype(np.uint8))


@pytest.mark.feature("µ-law and A-law", "server")
@pytest.mark.parametrize(
    ("form", "levels"), [("audio/pcmu", ulaw_levels()), ("audio/pcma", alaw_levels())]
)
async def test_the_telephone_both_ways(
    server: LocalServer, replies: Replies, form: str, levels: NDArray[np.int32]
) -> None:
    answer = "I heard every word of it. The weather is fine today."
    replies.will_say(answer)
    quiet = coded(levels, np.zeros(8 * 800))
    line = quiet + coded(levels, load_audio(DATA / "cards_003.wav", 8_000)) + quiet
    async with client_of(server) as client:
        side = {"format": {"type": form}}
        session = await client.configure(
            audio={"input": {**side, "transcription": {"model": "whisper-1"}}, "output": side}
        )
        assert session.audio.input.format.type == session.audio.output.format.type == form
        await client.say(line, piece_ms=20)
        done = await client.until("response.done")
        while not client.of(COMPLETED):
            await client.receive()
        (item,) = done.response.output
        spoken = levels[np.frombuffer(client.audio_of(item.id), np.uint8)].astype("<i2").tobytes()

        user_id = client.of("input_audio_buffer.committed")[0]["item_id"]
        await client.connection.conversation.item.retrieve(item_id=user_id)
        kept = (await client.until("conversation.item.retrieved")).item.content[0].audio
    started = client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"]
    stopped = client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
    assert base64.b64decode(kept) == line[8 * started : 8 * stopped]  # byte for byte
    assert plain(client.of(COMPLETED)[0]["transcript"]) == "seven of clubs"
    heard = await asyncio.to_thread(load_stt().transcribe, spoken, 8_000)
    assert alike(heard, answer)


# --- turns ---


@pytest.mark.feature("semantic VAD", "server")
async def test_semantic_vad_by_its_own_fields(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Noted.")
    async with client_of(server) as client:
        session = await client.configure(
            audio={"input": {"turn_detection": {"type": "semantic_vad"}}}
        )
        detection = session.audio.input.turn_detection
        assert detection.to_dict() == {
            "type": "semantic_vad",
            "eagerness": "auto",
            "create_response": True,
            "interrupt_response": True,
        }
        wrong: Any = {"type": "semantic_vad", "threshold": 0.5}
        await client.connection.session.update(
            session={"type": "realtime", "audio": {"input": {"turn_detection": wrong}}}
        )
        error = (await client.until("error")).error
        assert (error.code, error.param) == (
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        )
        await client.say(recorded("cards_001.wav") + silence(9_000))
        assert (await client.until("response.done")).response.status == "completed"
    assert len(client.of("input_audio_buffer.committed")) == 1


@pytest.mark.feature("idle timeout", "server")
async def test_silence_after_an_answer_is_a_turn(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Are you there?", "Hello?", "Bye.")
    async with client_of(server) as client:
        detection: Any = {"type": "server_vad", "idle_timeout_ms": 5_000}
        await client.configure(audio={"input": {"turn_detection": detection}})
        await client.write("Hi.")
        await client.connection.response.create()
        first = await client.until("response.done")
        await client.until("rate_limits.updated")
        await client.say(silence(12_000))
        triggered = await client.until("input_audio_buffer.timeout_triggered")
        assert 4_900 <= triggered.audio_end_ms - triggered.audio_start_ms <= 5_200
        done = await client.until("response.done")
        assert done.response.id != first.response.id
        assert done.response.output[0].content[0].transcript == "Hello?"
        committed = client.of("input_audio_buffer.committed")
        assert [event["item_id"] for event in committed] == [triggered.item_id]
        item = client.of("conversation.item.added")[2]["item"]
        assert (item["id"], item["role"]) == (triggered.item_id, "user")
        order = client.kinds[client.kinds.index("input_audio_buffer.timeout_triggered") :]
        assert order[1:5] == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]


# --- items ---


@pytest.mark.feature("insertion", "server")
async def test_items_go_where_they_are_put(server: LocalServer, replies: Replies) -> None:
    replies.will_say("Yes.")
    async with client_of(server) as client:
        create = client.connection.conversation.item.create
        await create(item=message("b", id="b"))
        await create(item=message("d", id="d"))
        await create(item=message("a", id="a"), previous_item_id="root")
        await create(item=message("c", id="c"), previous_item_id="b")
        await create(item=message("e", id="e"))
        await create(item=message("x", id="x"), previous_item_id="gone", event_id="lost")
        error = (await client.until("error")).error
        assert (error.param, error.event_id) == ("previous_item_id", "lost")
        assert "'gone'" in error.message
        added = client.of("conversation.item.added")
        assert [(e["previous_item_id"], e["item"]["id"]) for e in added] == [
            (None, "b"),
            ("b", "d"),
            (None, "a"),
            ("b", "c"),
            ("d", "e"),
        ]
        await client.connection.response.create(response={"output_modalities": ["text"]})
        await client.until("response.done")
    asked = [item["content"][0]["text"] for item in replies.requests[0].items]
    assert asked == ["a", "b", "c", "d", "e"]


@pytest.mark.feature("images", "server")
async def test_pictures_are_kept_beside_the_words(server: LocalServer, replies: Replies) -> None:
    replies.will_say("A dot.")
    dot = "data:image/png;base64,iVBORw0KGgo="
    parts: Any = [
        {"type": "input_image", "image_url": dot, "detail": "low"},
        {"type": "input_text", "text": "What is it?"},
    ]
    async with client_of(server) as client:
        item: Any = {"type": "message", "role": "user", "content": parts}
        await client.connection.conversation.item.create(item=item)
        done = await client.until("conversation.item.done")
        assert [part.type for part in done.item.content] == ["input_image", "input_text"]
        await client.connection.response.create(response={"output_modalities": ["text"]})
        await client.until("response.done")
    assert replies.requests[0].items[0]["content"][0]["image_url"] == dot


# --- what is added to a transcript ---


@pytest.mark.feature("transcription usage", "server")
@pytest.mark.feature("logprobs", "server")
async def test_usage_and_probabilities_of_transcripts(
    server: LocalServer, replies: Replies
) -> None:
    replies.will_say("One.", "Two.")
    async with client_of(server) as client:
        for transcriber in ("gpt-4o-transcribe", "whisper-1"):
            session = await client.configure(
                include=["item.input_audio_transcription.logprobs"],
                audio={"input": {"turn_detection": None, "transcription": {"model": transcriber}}},
            )
            assert session.include == ["item.input_audio_transcription.logprobs"]
            await client.say(recorded("cards_001.wav"))
            await client.connection.input_audio_buffer.commit()
            completed = await client.until(COMPLETED)
            assert completed.logprobs is None  # the engine tells none, and none are made up
    by_tokens, by_time = (event["usage"] for event in client.of(COMPLETED))
    seconds = len(recorded("cards_001.wav")) / 48_000
    assert by_time == {"type": "duration", "seconds": pytest.approx(seconds, abs=0.001)}
    assert by_tokens["type"] == "tokens"
    assert by_tokens["input_token_details"]["audio_tokens"] == pytest.approx(10 * seconds, abs=1)
    assert by_tokens["output_tokens"] == pytest.approx(len("Ten of clubs.") / 4, abs=1)


@pytest.mark.feature("MCP tools", "server")
async def test_a_server_of_tools_that_can_not_be_reached(
    server: LocalServer, replies: Replies
) -> None:
    replies.will_say(Call("look_up", "{}"), "Found.")
    async with client_of(server) as client:
        tools: Any = [
            {"type": "mcp", "server_label": "docs", "server_url": "https://x.example/mcp"},
            {"type": "function", "name": "look_up"},
        ]
        await client.configure(tools=tools, output_modalities=["text"])
        begun = await client.until("mcp_list_tools.in_progress")
        failed = await client.until("mcp_list_tools.failed")
        listed = await client.until("conversation.item.done")
        assert begun.item_id == failed.item_id == listed.item.id
        assert (listed.item.type, listed.item.server_label) == ("mcp_list_tools", "docs")
        assert "calls no MCP servers" in client.of("mcp_list_tools.failed")[0]["error"]["message"]

        answer: Any = {
            "type": "mcp_approval_response",
            "id": "yes",
            "approval_request_id": "mcpr_1",
            "approve": True,
        }
        await client.connection.conversation.item.create(item=answer)
        assert (await client.until("conversation.item.done")).item.approve is True
        await client.connection.response.create()
        done = await client.until("response.done")
        assert done.response.output[0].name == "look_up"
    assert [item["type"] for item in replies.requests[0].items] == []


# --- the end ---


@pytest.mark.feature("expiry", "server")
async def test_a_session_ends_after_its_longest_time() -> None:
    async with (
        fake_server(session_s=1.2) as server,
        openai_of(server) as openai,
        openai.realtime.connect(model=MODEL) as connection,
    ):
        client = Client(connection)
        created: Any = await client.receive()
        assert created.session.expires_at - time.time() == pytest.approx(1.2, abs=1.1)
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(10):
                while True:
                    await client.receive()
    frame = closed.value.rcvd
    assert frame is not None and frame.code == 1001
    assert frame.reason.startswith("Your session hit the maximum duration of")


@pytest.mark.feature("missing model", "server")
async def test_a_missing_model_is_told_before_the_end() -> None:
    async with (
        fake_server() as server,
        openai_of(server) as openai,
        openai.realtime.connect(model="") as connection,
    ):
        client = Client(connection)
        error: Any = await client.receive()
        assert error.error.code == "missing_model"
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4000
    assert closed.value.rcvd.reason == "invalid_request_error.missing_model"
