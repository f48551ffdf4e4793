"""At each pause the model hears the turn so far, and nothing else."""

from __future__ import annotations

import pytest

from realtime_nb.analysis.vad_lab.pauses import Pauses
from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.protocol.audio_formats import PCM
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import PCM_PER_MS, Served, talk


class Model:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[bytes, str]] = []

    def __call__(self, audio: bytes, format_type: str) -> float:
        self.asked.append((audio, format_type))
        return self.answers.pop(0)


@pytest.mark.parametrize("chunk_ms", [7, 20, 100, 5_000])
def test_it_is_asked_with_the_turn_so_far(chunk_ms: int) -> None:
    model = Model(0.2, 0.9)
    track = SpeechTrack(LoudnessDetector)
    pauses = Pauses(track, model)
    pcm = talk(700, 900, 500, 400, 1_000)
    for start in range(0, len(pcm), chunk_ms * PCM_PER_MS):
        piece = pcm[start : start + chunk_ms * PCM_PER_MS]
        track.push(piece)
        pauses.push(piece)
    # From 300 ms before the first loud frame, at 672, until 160 ms of silence after 1600 and 2528.
    spans = [(372, 1_760), (372, 2_688)]
    expected = [pcm[start * PCM_PER_MS : end * PCM_PER_MS] for start, end in spans]
    assert [audio for audio, _ in model.asked] == expected
    assert {name for _, name in model.asked} == {"audio/pcm"}
    found = [(one.at_ms, one.probability) for one in pauses.since(0)]
    assert found == [(1_824, 0.2), (2_752, 0.9)]
    assert len(pauses.since(2_000)) == 1


def test_it_hears_eight_seconds_at_most() -> None:
    model = Model(0.9)
    track = SpeechTrack(LoudnessDetector)
    pauses = Pauses(track, model)
    pcm = talk(0, 12_000, 500)
    for start in range(0, len(pcm), 960):
        track.push(pcm[start : start + 960])
        pauses.push(pcm[start : start + 960])
    ((audio, _),) = model.asked
    assert audio == pcm[(12_160 - 8_000) * PCM_PER_MS : 12_160 * PCM_PER_MS]


def test_a_connection_that_comes_back_is_another_stretch() -> None:
    model = Model(0.9, 0.9)
    track = SpeechTrack(LoudnessDetector)
    pauses = Pauses(track, model)
    for origin_ms in (0.0, 2_000.0):
        if origin_ms:
            track.restart(1, PCM, origin_ms)
        pcm = talk(400, 640, 960)
        track.push(pcm)
        pauses.push(pcm)
    assert [one.at_ms for one in pauses.since(0)] == [1_056 + 224, 3_056 + 224]
    assert model.asked[0] == model.asked[1]


def test_a_lab_without_a_model_has_none() -> None:
    served = Served()
    served.say(talk(300, 600, 600))
    assert served.lab.completions() == []
