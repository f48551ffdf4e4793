"""Speech that the server did not hear, by frames that are written down here."""

from __future__ import annotations

import math

import pytest

from realtime_nb.analysis.vad_lab.deafness import deaf_stretches
from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import Served, talk

ALWAYS: list[TimeSpan] = [(0, math.inf)]


class Steady:
    """Hears 0.72 in every byte, a frame each."""

    def __init__(self, audio_format: JsonObject) -> None:
        pass

    def push(self, payload: bytes) -> list[float]:
        return [0.72] * len(payload)

    def reset(self) -> None:
        pass


@pytest.fixture
def track() -> SpeechTrack:
    made = SpeechTrack(Steady)
    made.push(bytes(400))
    return made


def test_a_second_of_speech_that_opened_no_turn_is_said(track: SpeechTrack) -> None:
    (found,) = deaf_stretches(track, [(320, 1_728)], [], ALWAYS)
    assert (found.start_ms, found.end_ms, found.speech_ms) == (320, 1_728, 1_408)
    assert found.probability == pytest.approx(0.72)
    assert found.words == "The server did not hear 1.4 s of speech at 0.72."


@pytest.mark.parametrize(
    ("voiced", "turns", "listening"),
    [
        ([(320, 1_300)], [], ALWAYS),  # less than a second
        ([(320, 1_728)], [(0, 2_000)], ALWAYS),  # heard
        ([(320, 1_728)], [(900, 2_000)], ALWAYS),  # heard late, but heard
        ([(320, 1_728)], [], []),  # nobody was to listen
        ([(320, 1_728)], [], [(0, 1_000)]),  # for all of the second
        ([(320, 900), (2_500, 3_080)], [], ALWAYS),  # too far apart to be one
        ([(320, 900), (1_600, 2_180)], [(1_000, 1_500)], ALWAYS),  # a turn in between
        ([], [], ALWAYS),
    ],
)
def test_what_was_heard_or_need_not_be_is_no_deafness(
    track: SpeechTrack, voiced: list[TimeSpan], turns: list[TimeSpan], listening: list[TimeSpan]
) -> None:
    assert deaf_stretches(track, voiced, turns, listening) == []


def test_words_with_short_pauses_add_up(track: SpeechTrack) -> None:
    (found,) = deaf_stretches(track, [(320, 960), (1_600, 2_240)], [], ALWAYS)
    assert (found.start_ms, found.end_ms, found.speech_ms) == (320, 2_240, 1_280)


class Quiet(LoudnessDetector):
    """A server's detector that is not sure: 0.72 for what is loud."""

    def push(self, payload: bytes) -> list[float]:
        return [0.72 * one for one in super().push(payload)]


def test_a_lab_says_so_while_it_lasts() -> None:
    served = Served(Quiet, voiced_ms=[(512, 2_000), (9_000, 9_500)])
    served.set({"type": "server_vad", "threshold": 0.9})
    served.receive()
    served.say(talk(500, 1_000))
    assert served.lab.deafness() is None
    served.say(talk(0, 500))
    deaf = served.lab.deafness()
    assert deaf is not None
    assert "speech at 0.72" in deaf.words
    served.lab.muted = True
    assert served.lab.deafness() is None
    served.lab.muted = False
    served.say(talk(1_500))
    assert served.lab.deafness() is None
    assert len(served.lab.deaf_spans()) == 1


def test_while_detection_is_off_nobody_is_deaf() -> None:
    served = Served(Quiet, voiced_ms=[(512, 2_000)])
    served.set(None)
    served.receive()
    served.say(talk(500, 1_500))
    assert served.lab.deafness() is None
    assert served.lab.deaf_spans() == []
