"""Where the speech in some audio begins and ends, whatever detection a session was set to.

A detector with settings of its own finds the spans, and the loudness of the audio around the end of
each finds where in it the voice stops: to the ear, not to a threshold. So a moment that latencies
are measured from is a property of the audio. It is found while the audio comes in, with nothing
but what is there when a span closes: a session that goes on and its recording say the same.

The end is where the audio ceases to rise above the noise: where the sum over 5-ms steps of how far
the three loudest of 13 bands lie above their floor, less how far the noise itself does now and
then, is largest. The floor is the noise before the span or that of the closing silence, whichever
is louder, and not more than 33 dB below the loudest moment of the voice.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, samples_from_pcm
from realtime_nb.protocol.turns import FRAME_MS, SpeechStart, SpeechStop, TurnDetector, TurnSettings

__all__ = ["REFERENCE_SETTINGS", "SpeechListener"]

REFERENCE_SETTINGS = TurnSettings(threshold=0.5, silence_duration_ms=200, hysteresis=0.15)
"""What the detector is set to, always."""

_PER_MS = SAMPLE_RATE // 1000
_FRAME = FRAME_MS * _PER_MS
_PIECE_BYTES = 2 * 128 * _FRAME  # four seconds are worked on at once
_REMEMBERED = 10 * SAMPLE_RATE
_REMEMBERED_FRAMES = 125  # before a span, in which to look for noise
_HOP = 5 * _PER_MS
_WINDOW = 20 * _PER_MS
_EDGES_HZ = (
    *(100, 250, 400, 600, 850, 1150, 1500),
    *(1900, 2400, 3000, 3800, 4800, 6000, 7600),
)
_LOUDEST_BANDS = 3
_USUAL_SHARE = 0.87
_USUAL_DB = (2.0, 8.0)
_FARTHEST_DB = 8.0  # a single step counts for no more, above or below
_BELOW_PEAK_DB = (33.0, 15.0)  # the floor, and that of what was heard before at most

_BEFORE_MS = 250  # the voice stops at most so much before the detector's last frame
_AFTER_MS = REFERENCE_SETTINGS.silence_frames * FRAME_MS  # and is heard out in the window
_TAIL_MS = 100  # in which what is heard after that frame may be the voice's
_LOUDEST_MS = 3_000  # of the end of a span tell how loud the voice is
_NOISE_FRAMES = 31  # before a span tell how loud its noise is
_NEAREST_STEPS = 60  # of them count where it is another noise than that after it
_NEAR_FRAMES = 3  # beside speech are neither
_QUIET = 0.15  # probability below which a frame holds no speech
_SAME_NOISE_DB = 3.0
_SILENCE = 1e-10  # what 16 bits can't hold
_FEWEST_STEPS = 8  # a floor that is measured in fewer is guessed from the quietest of the span
_QUIETEST_SHARE = 0.05


def _band_matrix() -> npt.NDArray[np.float64]:
    """Returns what makes means over bands of a spectrum, shape (frequencies, bands)."""
    hertz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    inside = [(hertz >= low) & (hertz < high) for low, high in pairwise(_EDGES_HZ)]
    return np.stack([flags / flags.sum() for flags in inside], axis=1)


_HANN = np.hanning(_WINDOW).astype(np.float32)
_BANDS = _band_matrix()

Powers = npt.NDArray[np.float64]
"""Power per step and band, shape (steps, bands)."""


class SpeechListener:
    """Hears who speaks in a stream of audio, and where they end.

    What it finds does not depend on how the stream is cut into pieces. It keeps ten seconds of
    the audio, however long that is.

    Attributes:
        spans_ms: the beginning and the end of each stretch of speech that is over.
    """

    def __init__(self) -> None:
        self._probabilities = FrameDetector()
        self._detector = TurnDetector(REFERENCE_SETTINGS)
        self._recent = _Recent()
        self._quiet: deque[bool] = deque(maxlen=_REMEMBERED_FRAMES)
        self._onset_ms = 0
        self._noise = np.zeros((0, len(_BANDS.T)))
        self.spans_ms: list[tuple[float, float]] = []

    @property
    def heard_ms(self) -> float:
        """How much has come in."""
        return self._recent.end / _PER_MS

    @property
    def open_ms(self) -> float | None:
        """Where a voice began whose end is not known yet; None while there is none."""
        return float(self._onset_ms) if self._detector.speaking else None

    def push(self, pcm: bytes) -> None:
        """Takes what comes next: PCM16 mono at 24 kHz."""
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece = pcm[start : start + _PIECE_BYTES]
            self._recent.add(samples_from_pcm(piece))
            for probability in self._probabilities.push(piece):
                self._step(probability)

    def cut(self) -> None:
        """Ends whatever is being said: its audio was committed or thrown away."""
        if self._detector.speaking:
            offset_ms = self._detector.now_ms - self._detector.silence_ms
            self._close(offset_ms, self._recent.end)
        self._detector.end_turn(math.ceil(self.heard_ms))

    def _step(self, probability: float) -> None:
        self._quiet.append(probability < _QUIET)
        match self._detector.step(probability):
            case SpeechStart(onset_ms=onset_ms):
                self._onset_ms = onset_ms
                self._noise = self._noise_before()
            case SpeechStop(offset_ms=offset_ms, at_ms=at_ms):
                self._close(offset_ms, at_ms * _PER_MS)

    def _noise_before(self) -> Powers:
        """Returns the powers in the latest frames in which, and around which, nobody spoke."""
        spoken = ~np.array(self._quiet, bool)
        near = np.convolve(spoken, np.ones(2 * _NEAR_FRAMES + 1), "same")[: len(spoken)] > 0
        now = self._detector.now_ms // FRAME_MS
        frames = np.flatnonzero(~near)[-_NOISE_FRAMES:] + now - len(spoken)
        runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
        found = [self._powers(run[0] * _FRAME, (run[-1] + 1) * _FRAME) for run in runs if len(run)]
        return np.concatenate([self._noise[:0], *found])

    def _close(self, offset_ms: int, until: int) -> None:
        end_ms = self._end_ms(offset_ms, until)
        self.spans_ms.append((float(self._onset_ms), max(end_ms, self._onset_ms + 1.0)))

    def _end_ms(self, offset_ms: int, until: int) -> float:
        """Returns where the voice stops whose last frame ends at ``offset_ms``.

        Args:
            offset_ms: as the detector has it.
            until: the end of the audio that counts, in samples.
        """
        first_ms = max(offset_ms - _BEFORE_MS, self._onset_ms)
        last = min((offset_ms + _AFTER_MS) * _PER_MS, until)
        first = max(0, math.ceil((first_ms * _PER_MS - _WINDOW // 2) / _HOP))
        powers = self._powers(first * _HOP, last)
        if not len(powers):
            return min(float(offset_ms), until / _PER_MS)
        noises = self._noises(offset_ms, last)
        floor = self._floor(noises, offset_ms)
        over_db = _above_db(powers, floor) - _usual_db(noises, floor)
        gains = np.cumsum(np.clip(over_db, -_FARTHEST_DB, _FARTHEST_DB))
        step = int(np.argmax(gains))
        if step == len(gains) - 1:
            return last / _PER_MS
        return ((first + step) * _HOP + (_WINDOW + _HOP) / 2) / _PER_MS

    def _noises(self, offset_ms: int, last: int) -> list[Powers]:
        """Returns the powers of the noise before a span and after it; of one noise, together."""
        before, after = self._noise, self._powers((offset_ms + _TAIL_MS) * _PER_MS, last)
        if len(before) and len(after) >= _FEWEST_STEPS and _as_loud(before, after):
            return [np.concatenate([before, after])]
        both = before[-_NEAREST_STEPS:], after
        return [powers for powers in both if len(powers) >= _FEWEST_STEPS]

    def _floor(self, noises: list[Powers], offset_ms: int) -> npt.NDArray[np.float64]:
        """Returns the power in each band that the voice has to rise above: that of the louder
        noise."""
        start_ms = max(self._onset_ms, offset_ms - _LOUDEST_MS)
        voice = self._powers(start_ms * _PER_MS, offset_ms * _PER_MS, _WINDOW)
        loudest = float(np.sort(voice.sum(axis=1))[-2:][0]) / voice.shape[1]
        lowest, highest = (loudest * 10 ** (-below_db / 10) for below_db in _BELOW_PEAK_DB)
        found = [noise.mean(axis=0) for noise in noises]
        if not found:
            found = [2 * np.quantile(voice, _QUIETEST_SHARE, axis=0)]
        if len(found) == 2:  # what is heard before it alone may be no noise
            found[0] = np.minimum(found[0], highest)
        floor: npt.NDArray[np.float64] = np.maximum(np.max(found, axis=0), lowest + _SILENCE)
        return floor

    def _powers(self, start: int, end: int, hop: int = _HOP) -> Powers:
        """Returns the powers of the steps that lie between two places of the stream."""
        samples = self._recent.between(-(-start // _HOP) * _HOP, end)
        count = max(0, (len(samples) - _WINDOW) // hop + 1)
        if not count:
            return np.zeros((0, _BANDS.shape[1]))
        windows = sliding_window_view(samples, _WINDOW)[::hop][:count] * _HANN
        spectra = np.fft.rfft(windows)
        powers: Powers = (spectra.real**2 + spectra.imag**2) @ _BANDS
        return powers


def _as_loud(noise: Powers, after: Powers) -> bool:
    levels = [max(float(powers.mean(axis=0).sum()), _SILENCE) for powers in (noise, after)]
    return abs(10 * math.log10(levels[0] / levels[1])) < _SAME_NOISE_DB


def _above_db(powers: Powers, floor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns how far the loudest bands of each step lie above the floor.

    A step counts with its neighbours, at the edges twice itself.
    """
    padded = np.concatenate([powers[:1], powers, powers[-1:]])
    ratios = (padded[:-2] + padded[1:-1] + padded[2:]) / 3 / floor
    loudest = np.sort(ratios, axis=1)[:, -_LOUDEST_BANDS:].mean(axis=1)
    above_db: npt.NDArray[np.float64] = 10 * np.log10(loudest + 1e-9)
    return above_db


def _usual_db(noises: list[Powers], floor: npt.NDArray[np.float64]) -> float:
    """Returns how far above the floor the noise itself rises now and then."""
    shares = (float(np.quantile(_above_db(noise, floor), _USUAL_SHARE)) for noise in noises)
    lowest, highest = _USUAL_DB
    return min(max(lowest, *shares), highest) if noises else lowest


class _Recent:
    """The latest ten seconds of a stream.

    Attributes:
        end: how many samples have come.
    """

    def __init__(self) -> None:
        self._pieces: deque[Samples] = deque()
        self._held = 0
        self.end = 0

    def add(self, samples: Samples) -> None:
        """Takes what comes next."""
        self._pieces.append(samples)
        self._held += len(samples)
        self.end += len(samples)
        while self._held - len(self._pieces[0]) >= _REMEMBERED:
            self._held -= len(self._pieces.popleft())

    def between(self, start: int, end: int) -> Samples:
        """Returns samples by their place in the stream, those that are still held."""
        if len(self._pieces) > 1:
            joined = np.concatenate(list(self._pieces))[-_REMEMBERED:]
            self._pieces.clear()
            self._pieces.append(joined)
            self._held = len(joined)
        first = self.end - self._held
        return self._pieces[0][max(0, start - first) : max(0, end - first)]
