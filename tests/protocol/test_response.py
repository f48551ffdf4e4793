"""What limits a response, and what it costs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.testing import tone
from tests.protocol.orders import SPOKEN, first
from tests.protocol.peer import Peer

TOLD = "response.output_audio_transcript.delta"


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


def _limited(
    limit: int | str, sentences: list[str], ms_per_letter: float
) -> tuple[str, float, Any]:
    """Returns the words that are told, the ms of audio that come, and the ``response.done`` of an
    answer whose voice takes so long for each letter."""
    peer = Peer()
    peer.send("response.create", response={"max_output_tokens": limit})
    job = peer.responding()
    for sentence in sentences:
        letters = sum(character.isalpha() for character in sentence)
        sound = tone(max(100, round(letters * ms_per_letter / 100) * 100))
        for start in range(0, len(sound), 9_600):
            chunk = sound[start : start + 9_600]
            peer.core.receive_speech(job.response_id, "" if start else sentence, chunk)
    peer.core.receive_response_end(job.response_id)
    events = peer.collect()
    told = "".join(e["delta"] for e in events if e["type"] == TOLD)
    sent = sum(len(base64.b64decode(e["delta"])) for e in events if e["type"] == SPOKEN[4])
    return told, sent / 48, first(events, "response.done")["response"]


@settings(max_examples=30, deadline=None)
@given(
    limit=st.integers(1, 120),
    sentences=st.lists(
        st.sampled_from(
            ["Let me see. ", "You can ask me for the date. ", "No. ", "Of course, Ann! "]
        ),
        min_size=1,
        max_size=5,
    ),
    ms_per_letter=st.sampled_from([30.0, 60.0, 120.0]),
)
def test_words_are_told_with_their_sound(
    limit: int, sentences: list[str], ms_per_letter: float
) -> None:
    told, audio_ms, done = _limited(limit, sentences, ms_per_letter)
    whole, whole_ms, unlimited = _limited("inf", sentences, ms_per_letter)
    assert (whole, unlimited["status"]) == ("".join(sentences), "completed")
    assert whole.startswith(told)
    assert not told or whole[len(told) :][:1] in ("", " ") or told.endswith(" ")  # whole words
    assert audio_ms > 0  # whatever is told sounds
    if done["status"] == "completed":
        assert (told.strip(), audio_ms) == (whole.strip(), whole_ms)
        assert done["usage"]["output_tokens"] <= limit
    else:
        assert done["usage"]["output_tokens"] <= limit
        # Twice as many words as sound, at the most, and a word more, for a voice of twice the pace
        # that is expected; never all the words before the first sound.
        letters = sum(character.isalpha() for character in told)
        assert letters * ms_per_letter <= 2.2 * audio_ms + 600
