from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.analysis.voices import (
    Voices,
    audible_spans,
    common_spans,
    find_voices,
    frame_levels_dbfs,
    spans_length,
)
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.vad import find_speech
from tests.made_recording import MadeRecording
from tests.paths import DATA

SPEECH = load_audio(DATA / "austen_0880.wav")
SPOKEN_MS = 2_795
"""Where its last word fades into the noise of the room, by the curve of its level."""


def quiet(ms: int) -> Samples:
    return np.zeros(24 * ms, np.float32)


def hum(ms: int, amplitude: float = 0.5) -> Samples:
    return np.full(24 * ms, amplitude, np.float32)


def test_user_and_agent_on_the_wall_clock() -> None:
    samples = np.concatenate([quiet(1_000), SPEECH, quiet(1_000)])
    rec = MadeRecording(input=samples, output=np.concatenate([quiet(300), hum(400)]))
    for number in range(len(samples) // 480):
        rec.input_clock.add(5 + (number + 1) * 0.02, (number + 1) * 20.0)

    voices = find_voices(rec)

    ((onset_ms, offset_ms),) = voices.user_ms
    assert onset_ms == find_speech(samples)[0].onset_ms
    assert offset_ms == pytest.approx(1_000 + SPOKEN_MS, abs=30)
    assert voices.user == [pytest.approx((5 + onset_ms / 1000, 5 + offset_ms / 1000))]
    assert voices.heard_ms == pytest.approx(len(samples) / 24)
    assert voices.agent == [(0.3, 0.7)]
    assert voices.source == "offline_vad"


def test_speech_on_both_sides_of_a_pause_of_the_microphone_is_cut_there() -> None:
    samples = np.concatenate([quiet(1_000), SPEECH, quiet(1_000)])
    rec = MadeRecording(input=samples)
    for number in range(len(samples) // 480):
        paused_s = 10.0 if number >= 100 else 0.0  # from 2000 ms on
        rec.input_clock.add((number + 1) * 0.02 + paused_s, (number + 1) * 20.0)

    voices = find_voices(rec)

    ((onset_ms, offset_ms),) = voices.user_ms
    assert onset_ms < 2_000 < offset_ms
    assert voices.user == [
        pytest.approx((onset_ms / 1000, 2.0)),
        pytest.approx((12.0, 10 + offset_ms / 1000)),
    ]
    assert voices.agent == []


def test_a_bare_file_is_on_its_own_time() -> None:
    samples = np.concatenate([quiet(1_000), SPEECH])

    (span_s,) = find_voices(MadeRecording(input=samples)).user

    assert span_s == pytest.approx((1.28, 1 + SPOKEN_MS / 1000), abs=0.03)


def test_nothing_was_recorded() -> None:
    assert find_voices(MadeRecording()) == Voices([], [], heard_ms=0.0)


def test_gaps_under_200_ms_belong_to_the_speech() -> None:
    samples = np.concatenate(
        [quiet(100), hum(100), quiet(180), hum(100), quiet(200), hum(100), quiet(50)]
    )

    assert audible_spans(samples) == [(0.1, 0.48), (0.68, 0.78)]


def test_the_gate_is_relative_to_the_level() -> None:
    loud, soft, softer = hum(1_000, 0.1), hum(100, 0.1 * 10 ** (-34 / 20)), hum(100, 0.1 / 100)

    assert audible_spans(np.concatenate([loud, quiet(400), soft])) == [(0, 1), (1.4, 1.5)]
    assert audible_spans(np.concatenate([loud, quiet(400), softer])) == [(0, 1)]
    assert audible_spans(hum(1_000, 0.0009)) == []  # below -60 dBFS


def test_levels_are_those_of_frames_however_many() -> None:
    samples = np.concatenate([hum(20, 1.0), hum(20, 0.1), quiet(20), hum(10, 1.0)])

    assert frame_levels_dbfs(samples) == pytest.approx([0, -20, -120, 10 * np.log10(0.5)], abs=1e-5)
    assert len(frame_levels_dbfs(quiet(0))) == 0
    assert len(frame_levels_dbfs(quiet(20 * 100_001))) == 100_001


def test_common_spans() -> None:
    some, others = [(0.0, 2.0), (3.0, 5.0), (7.0, 8.0)], [(1.0, 4.0), (4.5, 4.75), (8.0, 9.0)]

    assert common_spans(some, others) == [(1, 2), (3, 4), (4.5, 4.75)]
    assert common_spans(others, some) == common_spans(some, others)
    assert common_spans(some, []) == []
    assert spans_length(some) == 5
