from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings import heard_probabilities
from realtime_nb.recordings.heard_probabilities import forget, probabilities_of, voice_ends_of
from tests.paths import DATA


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many frames the network was asked for, a number each time."""
    asked: list[int] = []
    whole = SileroVAD._features

    def counted(self: SileroVAD, frames: np.ndarray) -> np.ndarray:
        asked.append(len(frames))
        return whole(self, frames)

    monkeypatch.setattr(SileroVAD, "_features", counted)
    forget()
    yield asked
    forget()


def test_they_are_the_detectors_own_and_made_once(passes: list[int]) -> None:
    sound = load_audio(DATA / "cards_001.wav")
    expected = speech_probabilities(samples_from_pcm(pcm_from_samples(sound)))
    passes.clear()

    first = probabilities_of(sound)
    once = sum(passes)
    second = probabilities_of(sound.copy())

    np.testing.assert_allclose(first, expected, atol=1e-6)
    np.testing.assert_array_equal(first, second)
    assert once == sum(passes) == len(first)


def test_other_audio_and_another_engine_are_heard_anew(passes: list[int]) -> None:
    sound = load_audio(DATA / "cards_001.wav")
    probabilities_of(sound)
    asked = sum(passes)

    changed = sound.copy()
    changed[5000] += 0.25
    probabilities_of(changed)
    energy = probabilities_of(sound, "energy")

    assert sum(passes) == 2 * asked
    assert not np.array_equal(energy, probabilities_of(sound))


def test_what_is_kept_is_bounded(passes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_probabilities, "MOST_FRAMES", 100)
    noise = np.random.default_rng(0).normal(0, 0.1, (5, 40 * 768)).astype(np.float32)
    for sound in noise:
        probabilities_of(sound)
    asked = sum(passes)

    probabilities_of(noise[4])
    probabilities_of(noise[3])
    assert sum(passes) == asked
    probabilities_of(noise[0])
    assert sum(passes) == asked + 40


def test_nobody_can_change_what_is_kept() -> None:
    found = probabilities_of(load_audio(DATA / "cards_001.wav"))

    with pytest.raises(ValueError, match=r"read-only"):
        found[0] = 1


def test_voices_end_where_the_reference_says(passes: list[int]) -> None:
    sound = load_audio(DATA / "cards_001.wav")

    (end_ms,) = voice_ends_of(sound)
    asked = sum(passes)

    assert 900 < end_ms < 1095
    assert voice_ends_of(sound) == end_ms and sum(passes) == asked


def test_an_engine_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown engine 'x'.*silero"):
        probabilities_of(np.zeros(768, np.float32), "x")


def test_less_than_a_frame() -> None:
    assert len(probabilities_of(np.zeros(767, np.float32))) == 0
    assert len(voice_ends_of(np.zeros(0, np.float32))) == 0
