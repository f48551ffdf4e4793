"""The end of a voice, beside ends that are known from how the audio was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.audio.speech_ends import SpeechListener
from tests.paths import DATA

PER_MS = 24

ENDS_MS = {
    "austen_0880": 2_795,
    "austen_0920": 5_800,
    "austen_0930": 2_965,
    "cards_001": 945,
    "cards_002": 1_690,
    "cards_003": 1_245,
    "cards_005": 3_233,
}
"""Where the last word falls into the noise of its own recording, read off the curve of its level
(20-ms steps, within 15 ms). After it comes the noise of the room up to the end of the file."""

PIECES_MS: dict[str, Sequence[tuple[int, int]]] = {
    "austen_0870": [(180, 530), (530, 1_040), (2_240, 2_740), (4_180, 4_580), (5_210, 5_550)],
    "austen_0880": [(210, 540), (540, 900), (1_080, 1_710), (1_710, 2_070)],
    "austen_0890": [(190, 620), (620, 1_060), (2_190, 2_620), (3_320, 3_620), (3_880, 4_380)],
    "austen_0920": [(180, 570), (950, 1_480), (1_480, 1_850), (2_080, 2_550), (3_410, 3_860)],
    "austen_0930": [(440, 1_090), (1_090, 1_660), (2_090, 2_590)],
    "cards_002": [(800, 1_220), (1_220, 1_500)],
    "cards_003": [(290, 760), (760, 1_020)],
    "cards_005": [(390, 700), (1_150, 1_670), (1_670, 1_980), (2_410, 2_790)],
}
"""Words and syllables in the recordings, from one dip of the level to another."""


def heard(samples: Samples, pieces: Iterable[int] = ()) -> list[tuple[float, float]]:
    listener = SpeechListener()
    pcm = pcm_from_samples(samples)
    at = 0
    for piece in pieces:
        listener.push(pcm[2 * at : 2 * (at + piece)])
        at += piece
    listener.push(pcm[2 * at :])
    listener.cut()
    return listener.spans_ms


def quiet(ms: float) -> Samples:
    return np.zeros(round(PER_MS * ms), np.float32)


def pink(count: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / 24_000)
    shaped = np.fft.irfft(np.where(hertz < 20, 0, spectrum / np.sqrt(np.maximum(hertz, 20))), count)
    noise: Samples = (shaped / np.sqrt(np.mean(shaped**2))).astype(np.float32)
    return noise


def ten_ms_powers(samples: Samples) -> npt.NDArray[np.float64]:
    power: npt.NDArray[np.float64] = np.convolve(
        np.square(samples, dtype=np.float64), np.full(240, 1 / 240), "same"
    )
    return power


def words() -> list[Samples]:
    """Pieces of clean recordings that end, by their own level, with their last sample.

    That is the last above -45 dB of the loudest 10 ms; what is behind it is taken off.
    """
    found = []
    for name, pieces_ms in PIECES_MS.items():
        recorded = load_audio(DATA / f"{name}.wav")
        for start_ms, end_ms in pieces_ms:
            word = recorded[start_ms * PER_MS : end_ms * PER_MS].copy()
            powers = ten_ms_powers(word)
            word = word[: np.flatnonzero(powers > powers.max() * 10**-4.5)[-1] + 1]
            word[:72] *= np.linspace(0, 1, 72, dtype=np.float32)
            word[-72:] *= np.linspace(1, 0, 72, dtype=np.float32)
            found.append(word * np.float32(0.06 / np.sqrt(np.mean(np.square(word)))))
    return found


def laid(rng: np.random.Generator) -> tuple[Samples, list[tuple[float, float]]]:
    """Words in any order at known places: the audio, and from when to when each of them is."""
    parts, places_ms, at = [quiet(1_000)], [], 1_000.0
    cut = words()
    for index in rng.permutation(len(cut)):
        word, pause = cut[index], quiet(float(rng.integers(700, 1_400)))
        word = word * np.float32(rng.uniform(0.4, 1.6))
        parts += [word, pause]
        places_ms.append((at, at + len(word) / PER_MS))
        at += (len(word) + len(pause)) / PER_MS
    return np.concatenate(parts), places_ms


def errors_ms(samples: Samples, places_ms: list[tuple[float, float]]) -> list[float]:
    spans_ms = heard(samples)
    found = []
    for start_ms, end_ms in places_ms:
        ends_ms = [end for begin, end in spans_ms if begin < end_ms and end > start_ms]
        if ends_ms:
            found.append(ends_ms[-1] - end_ms)
    assert len(found) >= 0.9 * len(places_ms)  # of the rest, in noise, nobody hears anything
    return found


@pytest.mark.parametrize("snr_db", [None, 10])
def test_words_end_where_they_were_cut(snr_db: float | None) -> None:
    found: list[float] = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        samples, places_ms = laid(rng)
        if snr_db is not None:
            noise = pink(len(samples), rng)
            powers = ten_ms_powers(samples)
            active = powers[powers > powers.max() * 10**-3.5].mean()
            samples = samples + noise * np.float32(np.sqrt(active / 10 ** (snr_db / 10)))
        found += errors_ms(samples, places_ms)
    distances_ms = np.abs(found)
    assert np.median(distances_ms) <= 25
    assert np.percentile(distances_ms, 95) <= 80


@pytest.mark.parametrize("name", ENDS_MS)
@pytest.mark.parametrize(
    ("before_ms", "after_ms"), [(0, 1_000), (513, 700), (1_000, 0), (1_014, 60), (2_000, 5_000)]
)
def test_the_noise_of_a_room_is_no_voice(name: str, before_ms: float, after_ms: float) -> None:
    """Silence that was put around a recording does not make its own noise a voice."""
    recorded = load_audio(DATA / f"{name}.wav")
    spans_ms = heard(np.concatenate([quiet(before_ms), recorded, quiet(after_ms)]))
    assert spans_ms[-1][1] - before_ms == pytest.approx(ENDS_MS[name], abs=35)


def test_a_little_louder_or_later_is_the_same() -> None:
    samples, _ = laid(np.random.default_rng(7))
    once = [end for _, end in heard(samples)]
    for gain, later in ((0.5, 0), (1.5, 0), (1.0, 100), (1.0, 333), (0.7, 700)):
        again = heard(np.concatenate([quiet(later / PER_MS), samples * np.float32(gain)]))
        ends_ms = np.array([end - later / PER_MS for _, end in again])
        moved_ms = [np.abs(ends_ms - end_ms).min() for end_ms in once]
        assert np.percentile(moved_ms, 90) <= 10


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 20_000), max_size=30))
def test_however_the_stream_is_cut(pieces: list[int]) -> None:
    samples = np.concatenate([quiet(700), load_audio(DATA / "cards_005.wav"), quiet(400)])
    assert heard(samples, pieces) == heard(samples)


@pytest.mark.parametrize("after_ms", [10, 50, 90, 150])
def test_a_commit_soon_after_the_voice(after_ms: float) -> None:
    for name in ("cards_001", "cards_003", "cards_005"):
        recorded = load_audio(DATA / f"{name}.wav")
        released = round((ENDS_MS[name] + after_ms) * PER_MS)
        ((_, end_ms),) = heard(np.concatenate([quiet(500), recorded[:released]]))
        assert end_ms - 500 == pytest.approx(ENDS_MS[name], abs=40)


def test_a_commit_in_the_middle_of_a_word() -> None:
    recorded = load_audio(DATA / "cards_005.wav")
    listener = SpeechListener()
    listener.push(pcm_from_samples(recorded[: 600 * PER_MS]))
    assert listener.open_ms is not None
    listener.cut()
    assert listener.heard_ms == 600
    assert listener.spans_ms[-1][1] == pytest.approx(600, abs=15)
    listener.push(pcm_from_samples(np.concatenate([recorded[600 * PER_MS :], quiet(500)])))
    assert [begin >= 600 for begin, _ in listener.spans_ms][:2] == [False, True]
    assert listener.spans_ms[-1][1] == pytest.approx(ENDS_MS["cards_005"], abs=30)


def test_nothing_is_said() -> None:
    rng = np.random.default_rng(0)
    for samples in (quiet(0), quiet(20), quiet(3_000), 0.05 * pink(72_000, rng)):
        assert heard(samples) == []
