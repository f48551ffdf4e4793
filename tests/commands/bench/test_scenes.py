from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio.pcm import Samples
from realtime_nb.commands.bench.scenes import (
    NOISES,
    babble,
    cut_words,
    pink_noise,
    scene,
    white_noise,
)


def test_words_lie_where_they_are_said_to() -> None:
    words = cut_words()
    made = scene(words, np.random.default_rng(0))
    silent = np.ones(len(made.samples), bool)
    for word, (start_ms, end_ms) in zip(words, made.words_ms, strict=True):
        first, last = round(start_ms * 24), round(end_ms * 24)
        silent[first:last] = False
        assert last - first == len(word)
        part = made.samples[first:last]
        assert np.corrcoef(part, word)[0, 1] == pytest.approx(1, abs=1e-4)
        # Its end is its own: of its last 15 ms some are not 40 dB below its loudest.
        powers = np.convolve(np.square(part), np.ones(240), "same")
        assert powers[-360:].max() > powers.max() * 1e-4
    assert not made.samples[silent].any()


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_as_loud_as_it_was_asked_for(kind: str) -> None:
    words = cut_words()
    quiet, noisy = (scene(words, np.random.default_rng(1), snr_db, kind) for snr_db in (None, 10))
    assert quiet.words_ms == noisy.words_ms
    noise = float(np.mean(np.square(noisy.samples - quiet.samples)))
    speech = quiet.samples[quiet.samples != 0]
    assert 10 * np.log10(np.mean(np.square(speech)) / noise) == pytest.approx(10, abs=2)


def test_words_begin_where_they_begin_to_sound() -> None:
    tone = np.sin(np.arange(12_000) / 10).astype(np.float32)
    tone[:4_800] *= 1e-4  # 200 ms at -80 dB
    made = scene([tone, tone], np.random.default_rng(0))
    for onset_ms, (start_ms, _) in zip(made.onsets_ms, made.words_ms, strict=True):
        assert onset_ms - start_ms == pytest.approx(200, abs=5)


def octaves(noise: Samples) -> list[float]:
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / 24_000)
    return [spectrum[(hertz >= low) & (hertz < 2 * low)].mean() for low in (100, 400, 1600)]


def test_white_noise_is_as_loud_at_all_frequencies() -> None:
    powers = octaves(white_noise(1 << 18, np.random.default_rng(2)))
    assert powers == pytest.approx([powers[0]] * 3, rel=0.15)


def test_babble_is_voices_without_a_pause() -> None:
    noise = babble(10 * 24_000, np.random.default_rng(2))
    assert len(noise) == 240_000 and np.mean(np.square(noise)) == pytest.approx(1, abs=0.01)
    levels = np.square(noise).reshape(-1, 4_800).mean(axis=1)  # 200 ms each
    assert levels.min() > 0.05
    low, _, high = octaves(noise)
    assert low > 10 * high  # as voices are, and neither noise


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    spectrum = np.abs(np.fft.rfft(pink_noise(1 << 18, np.random.default_rng(2)))) ** 2
    hertz = np.fft.rfftfreq(1 << 18, 1 / 24_000)
    octaves = [spectrum[(hertz >= low) & (hertz < 2 * low)].mean() for low in (100, 200, 400, 800)]
    falls = 10 * np.log10(np.array(octaves[:-1]) / octaves[1:])
    assert falls == pytest.approx([3, 3, 3], abs=0.5)
