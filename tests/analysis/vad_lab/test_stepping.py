"""Whatever happens in which order, the emulator and a ghost that is set alike are the server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import ConfigurationError
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import PCM_PER_MS, Served, talk

DETECTIONS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "type": st.just("server_vad"),
            "threshold": st.sampled_from([0.3, 0.5, 0.9]),
            "silence_duration_ms": st.sampled_from([0, 64, 200, 500]),
            "prefix_padding_ms": st.sampled_from([0, 100, 300]),
        }
    ),
    st.just({"type": "semantic_vad", "eagerness": "high"}),
    st.just({"type": "server_vad", "threshold": 7}),  # is refused
)
AUDIO = st.tuples(st.just("audio"), st.booleans(), st.integers(1, 900), st.integers(1, 400))
MOVES = st.one_of(
    AUDIO,
    AUDIO,
    AUDIO,
    st.tuples(st.just("set"), DETECTIONS),
    st.tuples(st.just("receive"), st.integers(1, 4)),
    st.tuples(st.just("commit")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("ghost"), st.sampled_from("ab"), st.sampled_from([0, 200, 700])),
    st.tuples(st.just("remove"), st.sampled_from("ab")),
    st.tuples(st.just("label"), st.sampled_from(["not_finished", "not_me"])),
)


def server_spans(served: Served) -> list[tuple[float, float | None]]:
    return [(one.audio_start_ms, one.audio_end_ms) for one in served.conversation.speech]


def emulated(spans: list[Any]) -> list[tuple[float, float | None]]:
    return [(one.start_ms, one.end_ms if one.how in ("stopped", "told") else None) for one in spans]


def move(served: Served, move: tuple[Any, ...], number: int) -> None:
    lab = served.lab
    match move:
        case ("audio", loud, length_ms, chunk_ms):
            pcm = talk(0, length_ms) if loud else talk(length_ms)
            for start in range(0, len(pcm), chunk_ms * PCM_PER_MS):
                served.append(pcm[start : start + chunk_ms * PCM_PER_MS])
        case ("set", detection):
            served.set(detection, event_id=f"update_{number}")
        case ("receive", count):
            served.receive(count)
        case ("commit" | "clear" as verb,):
            served.send(f"input_audio_buffer.{verb}", event_id=f"cut_{number}")
        case ("ghost", name, silence_ms):
            lab.set_ghost(name, {"type": "server_vad", "silence_duration_ms": silence_ms})
        case ("remove", name) if name in lab.ghosts:
            lab.remove_ghost(name)
        case ("label", kind):
            try:
                lab.label_last(kind, served.t_s)
            except ConfigurationError:
                done = [one for one in served.conversation.speech if one.audio_end_ms is not None]
                assert not (done if kind == "not_finished" else served.conversation.speech)


def certainty(audio: bytes, format_type: str) -> float:
    """Whatever, but the same for the same audio."""
    return len(audio) // 96 % 11 / 10


@settings(max_examples=120, deadline=None)
@given(st.lists(MOVES, min_size=1, max_size=25), st.booleans())
def test_in_any_order_the_emulator_is_the_server(moves: list[tuple[Any, ...]], model: bool) -> None:
    served = Served(completeness=certainty if model else None)
    for number, each in enumerate(moves):
        move(served, each, number)
        served.lab.live_spans()  # looked at in between, or only at the end: the same
    served.receive()
    assert emulated(served.lab.live_spans()) == server_spans(served)
    assert not served.lab.settings.is_pending
    told, ours = served.conversation.turn_detection, served.lab.detection
    assert (told is None) == (ours is None)
    assert {**(told or {}), **(ours or {})} == (told or {})
    for name, ghost in served.lab.ghosts.items():
        before = served.lab.ghost_spans(name)
        served.lab.set_ghost(name, ghost.settings)  # runs anew over the whole stretch
        assert served.lab.ghost_spans(name) == before


def test_off_and_on_again_before_either_is_confirmed() -> None:
    served = Served()
    served.append(talk(0, 1))
    served.set(None)  # within the first frame, which nobody hears any more
    served.append(talk(31))
    served.set({"type": "server_vad"})
    served.append(talk(0, 64))
    served.receive()
    assert emulated(served.lab.live_spans()) == server_spans(served) == [(32, None)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(AUDIO, st.sampled_from([("commit",), ("clear",)])), max_size=12))
def test_a_ghost_set_alike_is_the_server_whenever_it_is_added(moves: list[Any]) -> None:
    served = Served()
    served.lab.set_ghost("first", {})
    for number, each in enumerate(moves):
        move(served, each, number)
        served.receive()
    served.lab.set_ghost("last", {})
    for name in ("first", "last"):
        assert emulated(served.lab.ghost_spans(name)) == server_spans(served)


def test_a_commit_that_is_refused_cuts_nothing() -> None:
    served = Served()
    served.say(talk(300, 500))
    served.send("input_audio_buffer.clear")
    served.append(talk(0, 40))
    served.send("input_audio_buffer.commit", event_id="mine")  # less than 100 ms
    assert served.held[-1]["error"]["code"] == "input_audio_buffer_commit_empty"
    served.append(talk(0, 500))
    served.append(talk(500))
    served.receive()
    assert emulated(served.lab.live_spans()) == server_spans(served)
    assert served.conversation.speech[-1].audio_start_ms == 800


def test_a_connection_that_comes_back_counts_from_its_beginning() -> None:
    served = Served()
    served.lab.set_ghost("same", {})
    served.say(talk(300, 500, 500))
    first = served.lab.live_spans()
    served.report("lost")
    served.server = Served().server
    served.server.start()
    served.receive()
    served.report("resumed")
    served.say(talk(300, 500, 500))
    second = served.lab.live_spans()[len(first) :]
    assert [(one.start_ms, one.end_ms) for one in second] == [
        (one.start_ms + 1300, one.end_ms + 1300) for one in first
    ]
    assert served.lab.agreement().share == 1.0
    assert served.lab.ghost_spans("same") == served.lab.live_spans()
    assert served.lab.settings.marks == []


def test_a_lab_that_comes_late_hears_what_comes_from_then_on() -> None:
    served = Served()
    served.say(talk(300, 500, 510))  # no whole number of frames
    served.lab = served.new_lab()
    served.say(talk(400, 500, 510))
    assert emulated(served.lab.live_spans()) == server_spans(served)[1:]
    assert served.lab.agreement().matched == 1


def test_audio_in_another_format_is_heard_from_where_that_began() -> None:
    served = Served()
    session = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    served.send("session.update", session=session)
    served.receive()
    loud, still = b"\x80", b"\xff"
    for sound in (still * 3200, loud * 4000, still * 4000):
        served.append(sound)
        served.receive()
    assert emulated(served.lab.live_spans()) == server_spans(served)
    assert len(server_spans(served)) == 1


@pytest.mark.parametrize("chunk_ms", [1, 7, 20, 32, 333])
def test_the_cut_of_the_audio_changes_nothing(chunk_ms: int) -> None:
    served = Served(LoudnessDetector)
    served.say(talk(311, 501, 717, 100, 999), chunk_ms)
    assert [(one.start_ms, one.end_ms) for one in served.lab.live_spans()] == [
        (0, 1056),
        (1204, 1856),
    ]
