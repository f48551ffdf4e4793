"""What limits a response, and what it costs."""

from __future__ import annotations

import base64

import pytest

from realtime_nb.testing import tone
from tests.protocol.orders import SPOKEN, first
from tests.protocol.peer import Peer


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 100])
def test_max_output_tokens_cuts_speech(peer: Peer, limit: int) -> None:
    peer.send("response.create", response={"max_output_tokens": limit})
    job = peer.responding()
    for _ in range(12):
        peer.core.receive_speech(job.response_id, "word " * 4, tone(300))
    events = peer.collect()
    response = first(events, "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == limit
    assert peer.cancelled() == [job.response_id]
    sent = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == SPOKEN[4])
    audio_tokens = response["usage"]["output_token_details"]["audio_tokens"]
    assert len(sent) / 48 == audio_tokens * 50
    item_id = response["output"][0]["id"]
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(retrieved["item"]["content"][0].get("audio", "")) == sent


def test_max_output_tokens_cuts_text_and_calls(peer: Peer) -> None:
    peer.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 2})
    job = peer.responding()
    peer.core.receive_text(job.response_id, "0123456789")
    response = first(peer.collect(), "response.done")["response"]
    assert response["output"][0]["content"][0]["text"] == "01234567"

    peer.send("response.create", response={"max_output_tokens": 3})
    job = peer.responding()
    peer.core.receive_call(job.response_id, "func", '{"a": 123456789}')
    events = peer.collect()
    response = first(events, "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["arguments"] == '{"a": 12'


def test_an_answer_that_just_fits_is_complete(peer: Peer) -> None:
    peer.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 2})
    job = peer.responding()
    peer.core.receive_text(job.response_id, "01234567")
    assert peer.finish(job.response_id)[-2]["response"]["status"] == "completed"


def test_the_context_grows_and_is_cached_in_blocks(peer: Peer) -> None:
    peer.update(instructions="x" * 1_000)
    usages = []
    for _ in range(3):
        peer.write("y" * 200)
        peer.send("response.create")
        job = peer.responding()
        peer.speak(job.response_id, audio_ms=3_000)
        usages.append(first(peer.finish(job.response_id), "response.done")["response"]["usage"])
    inputs = [usage["input_tokens"] for usage in usages]
    cached = [usage["input_token_details"]["cached_tokens"] for usage in usages]
    assert inputs == sorted(set(inputs))
    assert cached[0] == 0
    assert all(0 < c <= i and c % 64 == 0 for c, i in zip(cached[1:], inputs, strict=False))
