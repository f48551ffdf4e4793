"""The ``openai`` package's own client against the local server: answers side by side or cut."""

from __future__ import annotations

import base64

import pytest

from realtime_nb.local.server import LocalServer
from tests.conformance import sdk_client
from tests.conformance.sdk_client import Replies, client_of, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")

replies, server, slow_server = sdk_client.replies, sdk_client.server, sdk_client.slow_server

LONG = " ".join(f"This is sentence number {number} of a rather long story." for number in range(20))


@pytest.mark.feature("out-of-band", "server")
@pytest.mark.holds("openai-async", "out_of_band")
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


@pytest.mark.feature("cancel", "server")
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


@pytest.mark.feature("one response", "server")
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


@pytest.mark.feature("truncation", "server")
@pytest.mark.feature("interruption", "server")
@pytest.mark.holds("openai-async", "interruption")
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
