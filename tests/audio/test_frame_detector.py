from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import frame_detector
from realtime_nb.audio import pcm as audio
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.pcm import Samples
from realtime_nb.protocol.audio_formats import wire_format
from tests.audio.clips import CLIPS, load


def wire_bytes(format_type: str) -> bytes:
    samples = load(CLIPS[1], wire_format(format_type).sample_rate)
    return audio.encode(format_type, audio.pcm_from_samples(samples))


WIRE = {name: wire_bytes(name) for name in ("audio/pcm", "audio/pcmu", "audio/pcma")}
AT_ONCE = {name: FrameDetector(name).push(payload) for name, payload in WIRE.items()}


@pytest.mark.parametrize("format_type", WIRE)
@given(cuts=st.lists(st.integers(0, 30_000), max_size=30))
@settings(max_examples=15, deadline=None)
def test_the_cut_of_the_bytes_changes_nothing(format_type: str, cuts: list[int]) -> None:
    payload, detector = WIRE[format_type], FrameDetector(format_type)
    probabilities: list[float] = []
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(payload)], strict=True):
        probabilities += detector.push(payload[start:stop])
    assert probabilities == AT_ONCE[format_type]


def test_bytes_one_by_one() -> None:
    detector = FrameDetector()
    payload = WIRE["audio/pcm"][: 4 * 1_536]
    pushed = [(i, p) for i in range(len(payload)) for p in detector.push(payload[i : i + 1])]
    assert pushed == list(zip([1_535, 3_071, 4_607, 6_143], AT_ONCE["audio/pcm"], strict=False))


@pytest.mark.parametrize("format_type", WIRE)
def test_offline_probabilities_are_those_of_the_stream(format_type: str) -> None:
    samples = audio.samples_from_pcm(audio.decode(format_type, WIRE[format_type]))
    sample_rate = wire_format(format_type).sample_rate
    assert speech_probabilities(samples, sample_rate).tolist() == AT_ONCE[format_type]
    assert len(AT_ONCE[format_type]) == len(samples) * 1_000 // (32 * sample_rate)


def test_offline_probabilities_of_long_audio_are_those_of_the_stream() -> None:
    pcm = WIRE["audio/pcm"][:100_000] * 8
    offline = speech_probabilities(audio.samples_from_pcm(pcm))
    assert len(offline) > 400
    assert offline.tolist() == FrameDetector().push(pcm)


def test_reset_forgets_the_incomplete_frame_as_well() -> None:
    detector = FrameDetector()
    detector.push(WIRE["audio/pcm"][:50_001])
    detector.reset()
    assert detector.push(WIRE["audio/pcm"]) == AT_ONCE["audio/pcm"]


def test_phone_audio_leads_to_nearly_the_same_decisions() -> None:
    wide, narrow = (np.array(AT_ONCE[name]) >= 0.5 for name in ("audio/pcm", "audio/pcmu"))
    assert np.mean(wide != narrow) < 0.05


@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_other_sample_rates(sample_rate: int) -> None:
    probabilities = speech_probabilities(load(CLIPS[1], sample_rate), sample_rate)
    n = min(len(probabilities), len(AT_ONCE["audio/pcm"]))
    differing = (probabilities[:n] >= 0.5) != (np.array(AT_ONCE["audio/pcm"][:n]) >= 0.5)
    assert abs(len(probabilities) - len(AT_ONCE["audio/pcm"])) <= 1
    assert np.count_nonzero(differing) <= 2


def test_less_than_a_frame_gives_nothing() -> None:
    assert speech_probabilities(np.zeros(767, np.float32)).tolist() == []
    assert FrameDetector().push(bytes(1_535)) == []
    assert FrameDetector().push(b"") == []


def tone(frequency: float, sample_rate: int, delay_s: float = 0) -> Samples:
    time = np.arange(sample_rate * 48 // 100) / sample_rate - delay_s
    return np.sin(2 * np.pi * frequency * time).astype(np.float32)


@pytest.mark.parametrize(
    ("sample_rate", "frequency"), [(24_000, 300), (24_000, 3_400), (24_000, 6_800), (8_000, 3_000)]
)
def test_the_resampler_keeps_speech_and_delays_it_by_a_millisecond(
    sample_rate: int, frequency: float
) -> None:
    resampled = frame_detector._FrameResampler(sample_rate).process(tone(frequency, sample_rate))
    expected = tone(frequency, 16_000, delay_s=0.001)
    np.testing.assert_allclose(resampled[100:], expected[100:], atol=5e-3)


@pytest.mark.parametrize(("sample_rate", "frequency"), [(24_000, 9_200), (24_000, 11_500)])
def test_the_resampler_lets_nothing_alias(sample_rate: int, frequency: float) -> None:
    resampled = frame_detector._FrameResampler(sample_rate).process(tone(frequency, sample_rate))
    assert audio.level_dbfs(resampled[100:]) < -55
