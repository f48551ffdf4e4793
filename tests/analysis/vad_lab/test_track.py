"""What is kept of audio, and where it lies."""

from __future__ import annotations

import numpy as np

from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step
from realtime_nb.protocol.audio_formats import PCM
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import talk


def test_frames_are_told_from_any_of_them_on() -> None:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(64, 64, 10))
    assert track.count == 4
    assert (track.position_ms, track.now_ms) == (138, 138)
    frames = track.frames(1)
    assert frames.first == 1
    assert frames.start_ms.tolist() == [32, 64, 96]
    assert frames.probabilities.tolist() == [0, 1, 1]
    assert frames.probabilities.dtype == np.float32
    assert len(track.frames(4).start_ms) == len(track.frames(99).start_ms) == 0
    assert track.frames(-5).first == 0


def test_frames_begin_anew_with_a_connection_and_with_a_format() -> None:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(70))
    track.restart(1, PCM)
    track.push(talk(0, 40))
    track.restart(2, PCM, origin_ms=110.0)
    track.push(talk(40))
    frames = track.frames()
    assert frames.start_ms.tolist() == [0, 32, 70, 110]
    assert frames.probabilities.tolist() == [0, 0, 1, 0]
    assert (track.position_ms, track.now_ms) == (40, 150)


def test_a_position_tells_the_frame() -> None:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(70))
    track.restart(1, PCM)
    track.push(talk(100))
    starts = track.frames().start_ms
    for at_ms in range(-5, 180):
        assert track.frame_of(at_ms) == int(np.searchsorted(starts, at_ms)) or at_ms in range(
            65, 71
        )
    assert track.frame_at(0) == 2  # of the stretch in force
    assert track.frame_at(134) == 4
    assert track.frame_at(10_000) == track.count


def test_steps_stand_by_frame_then_by_order() -> None:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(320))
    late = Step(8, 5, "cut", 256)
    assert track.place(late) == 1
    assert track.place(Step(3, 9, "cut", 96)) == 1
    assert track.place(Step(8, 4, "cut", 256)) == 2
    assert [step.frame for step in track.steps] == [0, 3, 8, 8]
    assert track.steps[-1] is late


def test_an_hour_takes_four_bytes_a_frame() -> None:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(60_000))
    held = track.frames().probabilities.nbytes
    assert held == 4 * 1875
