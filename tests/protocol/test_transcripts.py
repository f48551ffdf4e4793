"""Transcripts: before and after the answer, ahead of the turn, failed and stale."""

from __future__ import annotations

import pytest

from realtime_nb.protocol.server import Respond, Transcribe
from realtime_nb.testing import silence, tone
from tests.protocol.orders import TRANSCRIBED, TRANSCRIPT, TURN, vad
from tests.protocol.peer import Peer, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_the_answer_waits_for_the_words_and_the_client_gets_them(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.say()
    assert peer.take(Respond) == []
    heard = peer.hear("hello")
    assert types(heard) == [f"{TRANSCRIPT}.delta", f"{TRANSCRIPT}.completed"]
    assert heard[0]["delta"] == heard[1]["transcript"] == "hello"
    assert peer.responding().items[0]["content"][0]["transcript"] == "hello"


def test_a_transcript_may_come_after_the_answer_to_its_item_was_cancelled(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.say()
    peer.send("response.cancel")
    assert types(peer.hear("hello")) == [f"{TRANSCRIPT}.delta", f"{TRANSCRIPT}.completed"]
    assert peer.take(Respond) == []


def test_without_transcription_in_the_session_no_transcript_is_sent(peer: Peer) -> None:
    peer.say()
    assert peer.hear("hello") == []
    assert peer.responding().items[0]["content"][0]["transcript"] == "hello"


def test_nothing_understood_is_an_empty_transcript_without_a_delta(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.say()
    assert types(peer.hear("")) == [f"{TRANSCRIPT}.completed"]


def test_a_failed_transcript_is_told_and_the_answer_goes_on_without_it(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.say()
    (job,) = peer.take(Transcribe)
    peer.core.receive_transcript_failure(job.item_id, job.attempt, "No words in it.")
    (failed,) = peer.collect()
    assert failed["type"] == f"{TRANSCRIPT}.failed"
    assert failed["error"]["code"] == "audio_unintelligible"
    assert peer.responding().items[0]["content"][0]["transcript"] == ""
    peer.core.receive_transcript(job.item_id, job.attempt, "a second result of one job")
    assert peer.collect() == []


def test_a_turn_is_transcribed_ahead_of_its_end(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.append(tone(640) + silence(96))
    (ahead,) = peer.take(Transcribe)
    assert len(ahead.audio) / 48 == 640 + 96
    assert peer.core.conversation.order == []
    peer.core.receive_transcript(ahead.item_id, ahead.attempt, "hello")
    assert peer.collect() == []
    said = peer.append(silence(160))
    assert types(said) == [
        *TURN[1:],
        f"{TRANSCRIPT}.delta",
        f"{TRANSCRIPT}.completed",
        "response.created",
    ]
    assert peer.take(Transcribe) == []
    assert peer.responding().items[0]["content"][0]["transcript"] == "hello"


def test_an_early_result_that_arrives_after_the_end_still_counts(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.say()
    (ahead,) = peer.take(Transcribe)
    peer.core.receive_transcript(ahead.item_id, ahead.attempt, "hello")
    assert types(peer.collect()) == [f"{TRANSCRIPT}.delta", f"{TRANSCRIPT}.completed"]


def test_an_early_transcript_is_void_when_speech_goes_on(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    peer.append(tone(640) + silence(128))
    (early,) = peer.take(Transcribe)
    peer.append(tone(320))
    peer.core.receive_transcript(early.item_id, early.attempt, "half of it")
    assert peer.collect() == []
    assert types(peer.append(silence(256)))[:4] == TURN[1:]
    (whole,) = peer.take(Transcribe)
    assert len(whole.audio) > len(early.audio)
    peer.core.receive_transcript(early.item_id, early.attempt, "half of it")
    assert peer.collect() == []
    peer.core.receive_transcript(whole.item_id, whole.attempt, "all of it")
    assert peer.collect()[1]["transcript"] == "all of it"


def test_an_early_failure_is_no_failure_of_the_turn(peer: Peer) -> None:
    peer.append(tone(640) + silence(128))
    (early,) = peer.take(Transcribe)
    peer.append(tone(320))
    peer.core.receive_transcript_failure(early.item_id, early.attempt, "no")
    peer.append(silence(256))
    assert peer.take(Respond) == []  # the answer still waits for the words
    peer.hear("all of it")
    assert peer.responding().items[0]["content"][0]["transcript"] == "all of it"


def test_a_failure_ahead_of_the_end_is_tried_again_at_the_end(peer: Peer) -> None:
    peer.append(tone(640) + silence(128))
    (early,) = peer.take(Transcribe)
    peer.core.receive_transcript_failure(early.item_id, early.attempt, "no")
    peer.append(silence(128))
    (whole,) = peer.take(Transcribe)
    assert whole.item_id == early.item_id
    peer.core.receive_transcript(whole.item_id, whole.attempt, "hello")
    peer.collect()
    assert peer.responding().items[0]["content"][0]["transcript"] == "hello"


def test_an_early_transcript_is_void_even_if_the_turn_then_ends_at_once(peer: Peer) -> None:
    peer.append(tone(640) + silence(128))
    peer.hear("half of it")
    peer.update_input(**vad(silence_duration_ms=64))
    peer.append(tone(320) + silence(64))
    assert peer.take(Respond) == []
    peer.hear("all of it")
    assert peer.responding().items[0]["content"][0]["transcript"] == "all of it"


@pytest.mark.parametrize(
    ("asked", "usage"),
    [
        ({"model": "whisper-1"}, "duration"),
        ({"model": "gpt-transcribe"}, "duration"),
        ({"model": "gpt-realtime-whisper"}, "duration"),
        ({"model": "deployment"}, "duration"),
        ({}, "duration"),
        ({"model": "gpt-4o-transcribe"}, "tokens"),
        ({"model": "gpt-4o-mini-transcribe"}, "tokens"),
        ({"model": "gpt-4o-mini-transcribe-2025-12-15"}, "tokens"),
        ({"model": "gpt-4o-transcribe-diarize"}, "tokens"),
    ],
)
def test_usage_is_of_the_kind_by_which_the_transcriber_is_billed(
    peer: Peer, asked: dict[str, str], usage: str
) -> None:
    peer.update_input(turn_detection=None, transcription=asked)
    peer.append(tone(1_200))
    peer.send("input_audio_buffer.commit")
    told = peer.hear("twelve chars")[-1]["usage"]
    if usage == "duration":
        assert told == {"type": "duration", "seconds": 1.2}
    else:
        assert told == {
            "type": "tokens",
            "total_tokens": 15,
            "input_tokens": 12,  # one per 100 ms
            "input_token_details": {"text_tokens": 0, "audio_tokens": 12},
            "output_tokens": 3,  # four characters each
        }


def test_a_transcriber_reads_its_prompt_each_time(peer: Peer) -> None:
    asked = {"model": "gpt-4o-transcribe", "prompt": "names of our doctors"}
    peer.update_input(turn_detection=None, transcription=asked)
    peer.append(tone(1_000))
    peer.send("input_audio_buffer.commit")
    told = peer.hear("")[-1]["usage"]
    assert told["input_token_details"] == {"text_tokens": 5, "audio_tokens": 10}
    assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == (15, 0, 15)


def test_probabilities_are_taken_note_of_and_never_made_up(peer: Peer) -> None:
    asked = ["item.input_audio_transcription.logprobs"]
    peer.update_input(**TRANSCRIBED)
    (updated,) = peer.update(instructions="x", include=asked)
    assert updated["session"]["include"] == asked
    assert updated["session"]["instructions"] == "x"
    peer.say()
    assert [event["logprobs"] for event in peer.hear("hello")] == [None, None]
    nothing: tuple[None, list[str]] = (None, [])
    for over in nothing:
        peer.update(include=asked)
        peer.update(include=over)
        peer.send("response.cancel")
        peer.say()
        assert all("logprobs" not in event for event in peer.hear("hello"))


def test_a_transcription_session_may_ask_for_them_too() -> None:
    peer = Peer(session_type="transcription")
    peer.update(include=["item.input_audio_transcription.logprobs"])
    peer.update_input(**TRANSCRIBED)
    peer.say()
    assert peer.hear("hello")[-1]["logprobs"] is None
