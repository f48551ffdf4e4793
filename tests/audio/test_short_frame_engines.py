from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

from realtime_nb.audio import pcm as audio
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.short_frame_engines import EarshotVAD, WebRtcVAD
from realtime_nb.audio.speech_engines import (
    FRAME_SAMPLES,
    SpeechEngine,
    speech_engine,
    vad_engine_names,
)
from tests.audio.clips import CLIPS, load, noise, whole_frames

NAMES = ["earshot", "webrtc"]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    if request.param not in vad_engine_names():
        intel_mac = sys.platform == "darwin" and platform.machine() != "arm64"
        assert request.param == "earshot" and intel_mac, "Run: pip install 'realtime_nb[vad]'"
        pytest.skip("earshot has no wheel for this platform")
    return str(request.param)


def test_they_hear_speech_and_no_silence(name: str) -> None:
    # The level of the clip jumps by 13 dB at 0.26 s; frame 12 ends at 0.416 s.
    clip = next(path for path in CLIPS if path.stem == "austen_0880")
    heard = speech_probabilities(load(clip, 16_000), 16_000, name)
    assert np.mean(heard[12:40] >= 0.5) > 0.8
    assert np.mean(speech_probabilities(np.zeros(32_000, np.float32), 16_000, name) >= 0.5) < 0.1


def test_the_cut_of_the_stream_changes_nothing(name: str) -> None:
    samples = whole_frames(load(CLIPS[1], 16_000))
    at_once = speech_engine(name).probabilities(samples).tolist()
    engine = speech_engine(name)
    frames = samples.reshape(-1, FRAME_SAMPLES)
    assert [float(engine.probabilities(frame)[0]) for frame in frames] == at_once
    engine.reset()
    assert engine.probabilities(samples).tolist() == at_once


def test_streaming_and_whole_recordings_agree(name: str) -> None:
    pcm = audio.pcm_from_samples(load(CLIPS[0], 24_000)[:72_000])
    detector = FrameDetector(engine=speech_engine(name))
    pieces = [detector.push(pcm[at : at + 1_001]) for at in range(0, len(pcm), 1_001)]
    offline = speech_probabilities(audio.samples_from_pcm(pcm), 24_000, name)
    assert [p for piece in pieces for p in piece] == offline.tolist()


def test_the_small_network_is_asked_twice_a_frame(name: str) -> None:
    if name != "earshot":
        return
    import earshot

    samples = whole_frames(np.clip(3 * noise(0.5), -2, 2))
    detector = earshot.Detector()
    within = np.clip(samples, -1, 1).reshape(-1, 256)
    alone = np.array([detector.predict_f32(frame) for frame in within])
    ours = EarshotVAD().probabilities(samples)
    np.testing.assert_allclose(ours, alone.reshape(-1, 2).mean(axis=1), atol=1e-6)


def test_the_classic_counts_its_modes() -> None:
    import webrtcvad

    samples = load(CLIPS[0], 16_000)[: 5 * FRAME_SAMPLES * 5]
    ours = WebRtcVAD().probabilities(samples)
    yes: list[float] = []
    detectors = [webrtcvad.Vad(mode) for mode in range(4)]
    for at in range(0, len(samples), 160):
        ten_ms = audio.pcm_from_samples(samples[at : at + 160])
        yes.append(sum(one.is_speech(ten_ms, 16_000) for one in detectors) / 4)
    # Five frames of 32 ms hold 3, 3, 3, 3 and 4 frames of 10 ms that end in them.
    means = [
        float(np.mean(yes[first : first + count]))
        for start in range(0, len(yes), 16)
        for first, count in zip(start + np.array([0, 3, 6, 9, 12]), (3, 3, 3, 3, 4), strict=True)
    ]
    np.testing.assert_allclose(ours, means, atol=1e-6)
    assert 0 < np.mean(ours) < 1


def stream(engine: SpeechEngine, samples: Samples) -> list[float]:
    return [float(probability) for probability in engine.probabilities(samples)]


def test_two_streams_do_not_meet(name: str) -> None:
    one, other = speech_engine(name), speech_engine(name)
    speech, rest = whole_frames(load(CLIPS[0], 16_000))[:51_200], noise(0.1, 51_200)
    mixed = [stream(one, speech[:25_600]), stream(other, rest), stream(one, speech[25_600:])]
    assert mixed[0] + mixed[2] == stream(speech_engine(name), speech)
