"""Scenes in which it is known when each word begins and ends, to measure what finds that.

Words are cut out of recorded speech and laid at known places into silence; noise is added
afterwards. A word ends, by the clean recording alone, with the last sample around which the power
of 10 ms is above -30 dB of the word's loudest 10 ms; so it begins with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.commands.samples import SAMPLES

__all__ = ["NOISES", "Scene", "babble", "cut_words", "pink_noise", "scene", "white_noise"]

_CUTS_MS = (
    # "he was not an ill disposed young man"
    ((210, 540), (540, 900), (1_080, 1_710), (1_710, 2_070), (210, 900), (1_080, 2_070)),
    # "eight of spades four of clubs seven of hearts"
    (
        *((0, 390), (390, 700), (700, 970), (1_150, 1_670), (1_670, 1_980), (2_410, 2_790)),
        *((2_410, 3_400), (0, 970), (1_150, 1_980)),
    ),
)
"""Where in the recordings of the package words begin, and where others have begun after them."""

_FADE = SAMPLE_RATE * 3 // 1000
_SMOOTHED = SAMPLE_RATE // 100
_ENDS_DB = -30.0
_ACTIVE_DB = -35.0
_PAUSE_S = (0.7, 1.4)
_LOUDNESS = (0.025, 0.1)
_TALKERS = 6
_TEMPOS = (0.8, 1.25)


@dataclass(frozen=True, slots=True)
class Scene:
    """Audio, and when each word in it lies and ends, in ms.

    Attributes:
        onsets_ms: when each word begins to sound; it lies there a little longer.
    """

    samples: Samples
    words_ms: list[tuple[float, float]]
    onsets_ms: list[float]


def cut_words() -> list[Samples]:
    """Returns words of the package's recordings, each up to its end and not further."""
    words = []
    for path, cuts_ms in zip(SAMPLES, _CUTS_MS, strict=True):
        recorded = load_audio(path)
        for start_ms, end_ms in cuts_ms:
            word = recorded[start_ms * SAMPLE_RATE // 1000 : end_ms * SAMPLE_RATE // 1000].copy()
            words.append(_faded(word[: _end(word)]))
    return words


def _faded(word: Samples) -> Samples:
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    word[:_FADE] *= ramp
    word[-_FADE:] *= ramp[::-1]
    return word


def _end(word: Samples) -> int:
    return int(_sounding(word)[-1]) + 1


def _sounding(word: Samples) -> npt.NDArray[np.intp]:
    powers = _smoothed_powers(word)
    return np.flatnonzero(powers > powers.max() * 10 ** (_ENDS_DB / 10))


def _smoothed_powers(samples: Samples) -> npt.NDArray[np.float64]:
    """Returns the power of the 10 ms around each sample."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    at, half = np.arange(len(samples)), _SMOOTHED // 2
    first, last = np.maximum(at - half, 0), np.minimum(at + half, len(samples))
    powers: npt.NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return powers


def pink_noise(count: int, rng: np.random.Generator) -> Samples:
    """Returns noise whose power falls by 3 dB an octave, of power 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shaped = np.fft.irfft(np.where(hertz < 20, 0, spectrum / np.sqrt(np.maximum(hertz, 20))), count)
    noise: Samples = (shaped / np.sqrt(np.mean(shaped**2))).astype(np.float32)
    return noise


def white_noise(count: int, rng: np.random.Generator) -> Samples:
    """Returns noise as loud at all frequencies, of power 1."""
    return rng.standard_normal(count, np.float32)


def babble(count: int, rng: np.random.Generator) -> Samples:
    """Returns six people who talk at once and without a pause, of power 1.

    Each says words of the package's recordings in an order and at a pitch of their own.
    """
    words = cut_words()
    mixed = np.zeros(count, np.float32)
    for tempo in np.linspace(*_TEMPOS, _TALKERS):
        said: list[Samples] = []
        while sum(map(len, said)) < count * tempo + SAMPLE_RATE:
            word = words[rng.integers(len(words))]
            said.append(word / np.sqrt(np.mean(np.square(word))))
        voice = np.concatenate(said)
        mixed += np.interp(np.arange(count) * tempo, np.arange(len(voice)), voice)
    noise: Samples = mixed / np.sqrt(np.mean(np.square(mixed)))
    return noise


NOISES = {"white": white_noise, "pink": pink_noise, "babble": babble}
"""What may be heard behind the words."""


def scene(
    words: Sequence[Samples],
    rng: np.random.Generator,
    snr_db: float | None = None,
    noise: str = "pink",
) -> Scene:
    """Lays words into silence, each as loud as it happens.

    Args:
        words: in some order.
        rng: for pauses, loudness and noise.
        snr_db: of noise that is added; by the mean power of the words where that is less than
            35 dB below their loudest.
        noise: which, of ``NOISES``.
    """
    parts: list[Samples] = [np.zeros(SAMPLE_RATE, np.float32)]
    words_ms, onsets_ms, powers = [], [], []
    at = SAMPLE_RATE
    for word in words:
        loudness = rng.uniform(*_LOUDNESS) / np.sqrt(np.mean(np.square(word)))
        pause = np.zeros(int(rng.uniform(*_PAUSE_S) * SAMPLE_RATE), np.float32)
        parts += [word * np.float32(loudness), pause]
        words_ms.append((at * 1000 / SAMPLE_RATE, (at + len(word)) * 1000 / SAMPLE_RATE))
        onsets_ms.append((at + int(_sounding(word)[0])) * 1000 / SAMPLE_RATE)
        at += len(word) + len(pause)
        smoothed = _smoothed_powers(parts[-2])
        powers.append(float(smoothed[smoothed > smoothed.max() * 10 ** (_ACTIVE_DB / 10)].mean()))
    samples = np.concatenate(parts)
    if snr_db is not None:
        added = NOISES[noise](len(samples), rng)
        samples = samples + added * np.float32(np.sqrt(np.mean(powers) / 10 ** (snr_db / 10)))
    return Scene(np.clip(samples, -1, 1).astype(np.float32), words_ms, onsets_ms)
