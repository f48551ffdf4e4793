"""``semantic_vad`` with a turn model that is asked at pauses, and answers when it likes."""

from __future__ import annotations

import math
import random

import pytest

from realtime_nb.protocol.semantic_turns import (
    TurnQuestion,
    find_semantic_spans,
    semantic_settings,
)
from realtime_nb.protocol.server import JudgeTurn, ServerProtocol
from realtime_nb.testing import CountingIds, LoudnessDetector, silence, tone
from tests.protocol.orders import NO_VAD, TURN, vad
from tests.protocol.peer import Event, Peer, encoded, types


def semantic(eagerness: str = "auto") -> Event:
    return {"turn_detection": {"type": "semantic_vad", "eagerness": eagerness}}


def waits(peer: Peer) -> bool:
    """Whether it holds back audio."""
    return peer.core.waits_for_turn_model


@pytest.fixture
def peer() -> Peer:
    made = Peer(turn_model=True)
    made.update_input(**semantic())
    return made


def test_the_model_hears_the_turn_and_ends_it(peer: Peer) -> None:
    peer.append(silence(640) + tone(640) + silence(160))
    (job,) = peer.take(JudgeTurn)
    assert job.question == TurnQuestion(340, 1_280 + 160)
    assert job.audio == silence(300) + tone(640) + silence(160)
    assert job.audio_format == {"type": "audio/pcm", "rate": 24_000}
    peer.core.receive_completeness(job.question, 0.5)
    assert peer.collect() == []  # not before 224 ms
    said = peer.append(silence(64))
    assert types(said) == [*TURN[1:], "response.created"]
    assert said[0]["audio_end_ms"] == 1_280 + 224


@pytest.mark.parametrize(
    ("eagerness", "probability", "waited_ms"),
    [
        *(("high", 0.4, 224), ("auto", 0.4, 4_000), ("medium", 0.55, 224)),
        *(
            ("low", 0.55, 8_000),
            ("low", 0.75, 224),
            ("high", 0.1, 2_016),
            ("high", math.nan, 2_016),
        ),
    ],
)
def test_the_eagerness_says_how_sure_is_sure_and_how_long_is_too_long(
    eagerness: str, probability: float, waited_ms: int
) -> None:
    peer = Peer(turn_model=True)
    peer.update_input(**semantic(eagerness))
    said = peer.append(tone(640) + silence(160)) + peer.judge(probability)
    said += peer.append(silence(8_000))
    (stopped,) = [e for e in said if e["type"].endswith("speech_stopped")]
    assert stopped["audio_end_ms"] == 640 + waited_ms


def test_words_don_t_matter_where_there_is_a_model(peer: Peer) -> None:
    peer.append(tone(640) + silence(160))
    peer.hear("I would like to book a table.")
    peer.judge(0.1)
    assert peer.append(silence(3_000)) == []


def test_audio_behind_a_decision_waits_for_it(peer: Peer) -> None:
    started = peer.append(tone(640) + silence(320) + tone(640), piece_bytes=100_000)
    assert types(started) == TURN[:1]
    assert waits(peer)
    said = peer.judge(0.9)
    assert types(said)[:4] == TURN[1:]
    assert said[0]["audio_end_ms"] == 640 + 224
    began = next(e for e in said if e["type"].endswith("speech_started"))
    assert began["audio_start_ms"] == 864
    assert "response.created" in types(said)
    assert not waits(peer)


def test_speech_supersedes_a_question(peer: Peer) -> None:
    peer.append(tone(640) + silence(160))
    (job,) = peer.take(JudgeTurn)
    assert peer.core.question == job.question
    peer.append(tone(320))
    assert peer.core.question is None
    peer.core.receive_completeness(job.question, 1.0)
    assert peer.collect() == []
    peer.append(silence(320))
    peer.core.receive_completeness(job.question, 1.0)  # nor for the next pause
    assert peer.collect() == []
    assert types(peer.judge(1.0))[:4] == TURN[1:]


@pytest.mark.parametrize("what", ["commit", "clear", "off", "server_vad", "format"])
def test_a_client_that_doesn_t_wait_goes_on_as_if_the_speaker_did(peer: Peer, what: str) -> None:
    peer.append(tone(640) + silence(320))
    assert waits(peer)
    (job,) = peer.take(JudgeTurn)
    match what:
        case "commit":
            assert types(peer.send("input_audio_buffer.commit")) == TURN[2:]
        case "clear":
            assert types(peer.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
        case "off":
            peer.update_input(**NO_VAD)
        case "server_vad":
            peer.update_input(**vad(silence_duration_ms=500))
        case "format":
            peer.update_input(format={"type": "audio/pcmu"})
    assert not waits(peer)
    peer.core.receive_completeness(job.question, 1.0)
    assert peer.collect() == []
    if what == "server_vad":  # the open turn goes on under the new settings
        assert types(peer.append(silence(224)))[:4] == TURN[1:]


def test_semantic_vad_turned_on_in_a_pause_asks_at_once() -> None:
    peer = Peer(turn_model=True)
    peer.update_input(**vad(silence_duration_ms=2_000))
    peer.append(tone(640) + silence(640))
    peer.update_input(**semantic("low"))
    assert peer.take(JudgeTurn) == []
    assert peer.append(silence(32)) == []
    said = peer.judge(0.9)
    assert types(said)[:4] == TURN[1:]
    assert said[0]["audio_end_ms"] == 640 + 640 + 32


def test_an_eagerness_changed_between_question_and_decision_counts(peer: Peer) -> None:
    peer.append(tone(640) + silence(160))
    peer.update_input(**semantic("low"))
    assert peer.judge(0.6) == []
    assert peer.append(silence(3_000)) == []


def test_without_a_model_nobody_is_asked() -> None:
    peer = Peer()
    peer.update_input(**semantic())
    peer.append(tone(640) + silence(1_000))
    assert peer.take(JudgeTurn) == []
    assert peer.core.question is None


# --- any cutting, any delay ---


def completeness(question: TurnQuestion) -> float:
    """A model, the same answer each time."""
    return (question.start_ms * 3 + question.end_ms) // 32 % 7 / 7


def heard(
    audio: bytes, cuts: list[int], chance: random.Random, eagerness: str
) -> tuple[list[Event], list[str]]:
    """Events and items for one cutting of the audio, with answers after any number of appends."""
    core = ServerProtocol(
        model="local",
        new_id=CountingIds(),
        detector_for=LoudnessDetector,
        expires_at=0,
        turn_model=True,
    )
    session = {"type": "realtime", "audio": {"input": semantic(eagerness)}}
    core.receive({"type": "session.update", "session": session})
    asked: list[TurnQuestion] = []
    for start, end in zip([0, *cuts], [*cuts, len(audio)], strict=True):
        core.receive({"type": "input_audio_buffer.append", "audio": encoded(audio[start:end])})
        last = end == len(audio)
        while True:
            jobs = core.jobs_to_run()
            asked += [job.question for job in jobs if isinstance(job, JudgeTurn)]
            if not asked or not (last or chance.random() < 0.4):
                break
            question = asked.pop(chance.randrange(len(asked)))
            core.receive_completeness(question, completeness(question))
    events = [e for e in core.events_to_send() if not e["type"].startswith("session.")]
    return events, core.conversation.order


def test_a_hundred_cuttings_and_delays_are_heard_as_the_machine_alone_hears() -> None:
    chance = random.Random(11)
    for eagerness in ("low", "high"):
        for _ in range(3):
            parts = [
                (chance.choice([70, 300, 900]), chance.choice([90, 190, 230, 500, 2_100]))
                for _ in range(6)
            ]
            audio = silence(330) + b"".join(tone(t) + silence(s) for t, s in parts) + b"\1"
            whole = heard(audio, [], chance, eagerness)
            probabilities = LoudnessDetector().push(audio)
            spans, _ = find_semantic_spans(
                probabilities, semantic_settings(eagerness), completeness
            )
            assert [
                (e["type"].rpartition("_")[2], e.get("audio_start_ms", e.get("audio_end_ms")))
                for e in whole[0]
                if "speech_st" in e["type"]
            ] == [
                edge
                for span in spans
                for edge in (
                    ("started", span.audio_start_ms),
                    *([] if span.cut else [("stopped", span.audio_end_ms)]),
                )
            ]
            for _ in range(17):
                cuts = sorted(
                    chance.randrange(len(audio) + 1) for _ in range(chance.choice([1, 9, 60]))
                )
                assert heard(audio, cuts, chance, eagerness) == whole
