"""Audio in, one speech probability per 32-ms frame out: of a session's bytes or a recording.

Both give the same numbers for the same audio, however it is cut. Those of a recording of half an
hour and more may differ by the noise of sums (`realtime_nb.audio.silero_stretches`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from realtime_nb.audio.given_samples import given_samples
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, decode, samples_from_pcm
from realtime_nb.audio.speech_engines import (
    FRAME_SAMPLES,
    VAD_SAMPLE_RATE,
    RecordingEngine,
    SpeechEngine,
    speech_engine,
)
from realtime_nb.errors import at_call
from realtime_nb.protocol.audio_formats import wire_format

__all__ = ["FrameDetector", "speech_probabilities"]

_BLOCK_FRAMES = 128  # worked on together
_RATES_AS_THEY_ARE = (24_000, 16_000, 8_000)  # of which frames are made without look-ahead


class _FrameResampler:
    """Exact frame-by-frame conversion of 24 or 8 kHz to 16 kHz.

    A polyphase FIR (windowed sinc, Kaiser β = 5.65: 60 dB) with one millisecond of delay and no
    look-ahead: 768 samples at 24 kHz or 256 at 8 kHz give the 512 samples of the same 32 ms.
    """

    _OUTPUTS = 16  # made by one row of the product

    def __init__(self, sample_rate: int) -> None:
        down = 2 * sample_rate // VAD_SAMPLE_RATE  # after inserting a zero after every sample
        self._step = self._OUTPUTS * down // 2
        self.frame_samples = FRAME_SAMPLES * down // 2
        self._matrix = _polyphase_matrix(sample_rate, down, self._OUTPUTS)
        self._history = np.zeros(sample_rate // 500, np.float32)

    def process(self, samples: Samples) -> Samples:
        """Takes whole frames, return as many at 16 kHz."""
        n = len(samples) // self.frame_samples
        extended = np.concatenate([self._history, samples])
        rows, width = FRAME_SAMPLES // self._OUTPUTS, len(self._matrix)
        windows = as_strided(
            extended,
            (n, rows, width),
            (4 * self.frame_samples, 4 * self._step, 4),
            writeable=False,
        )
        self._history = extended[len(samples) :].copy()
        # One product per frame, as in SileroVAD.
        resampled: Samples = np.matmul(np.ascontiguousarray(windows), self._matrix)
        return resampled.reshape(-1)


@cache
def _polyphase_matrix(sample_rate: int, down: int, outputs: int) -> Samples:
    """Weights (inputs, outputs) of ``outputs`` samples at 16 kHz from those around them."""
    half = sample_rate // 500  # taps on each side, at twice the sample rate: 1 ms
    time = np.arange(-half, half + 1)
    cutoff = min(sample_rate, VAD_SAMPLE_RATE) / (2 * sample_rate)  # of the doubled rate's Nyquist
    taps = cutoff * np.sinc(cutoff * time) * np.kaiser(2 * half + 1, 5.65)
    taps *= 2 / taps.sum()  # 2 makes up for the inserted zeros
    matrix = np.zeros((half + (outputs - 1) * down // 2 + 1, outputs))
    for row in range(len(matrix)):
        for column in range(outputs):
            tap = down * column - 2 * (row - half)
            if 0 <= tap < len(taps):
                matrix[row, column] = taps[tap]
    return matrix.astype(np.float32)


class FrameDetector:
    """Speech probabilities of the bytes that a session appends.

    The result depends on the bytes alone, not on how they are cut.

    Args:
        format_type: ``"audio/pcm"`` (24 kHz), ``"audio/pcmu"`` or ``"audio/pcma"`` (8 kHz).
        engine: Defaults to Silero.
    """

    def __init__(self, format_type: str = "audio/pcm", engine: SpeechEngine | None = None) -> None:
        self._format = wire_format(format_type)
        self._engine = engine or speech_engine()
        self._restart()

    def _restart(self) -> None:
        self._resampler = _FrameResampler(self._format.sample_rate)
        self._rest = b""
        self._frame_bytes = self._format.bytes_per_sample * self._resampler.frame_samples

    def reset(self) -> None:
        """Forgets the stream so far, the incomplete frame included."""
        self._engine.reset()
        self._restart()

    def push(self, payload: bytes) -> list[float]:
        """Takes the next bytes; return the probability of every frame that they complete."""
        probabilities: list[float] = []
        for samples in self._completed(payload):
            probabilities += self._engine.probabilities(samples).tolist()
        return probabilities

    def recording(self, payloads: Iterable[bytes]) -> Samples:
        """Takes all bytes of a recording, in pieces; returns what `push` does, for all of them.

        An engine may have a faster way for a long one: see `SileroVAD.recording_probabilities`.
        """
        return _of_recording(
            self._engine,
            (samples for payload in payloads for samples in self._completed(payload)),
        )

    def _completed(self, payload: bytes) -> Iterator[Samples]:
        """Takes the next bytes; yields the frames that they complete, at 16 kHz, in blocks."""
        payload = self._rest + payload
        end = len(payload) // self._frame_bytes * self._frame_bytes
        self._rest = payload[end:]
        for start in range(0, end, _BLOCK_FRAMES * self._frame_bytes):
            stop = min(start + _BLOCK_FRAMES * self._frame_bytes, end)
            samples = samples_from_pcm(decode(self._format.type, payload[start:stop]))
            yield self._resampler.process(samples)


@at_call
def speech_probabilities(
    samples: npt.ArrayLike, sample_rate: int = SAMPLE_RATE, engine: SpeechEngine | str = "silero"
) -> Samples:
    """Returns the speech probabilities of a whole recording, one per complete 32-ms frame.

    At 24 and 8 kHz these are the numbers that `FrameDetector.recording` gives for the same samples.

    Args:
        samples: Shape (n,), n > 0: floats in −1..1, or whole numbers such as int16.
        sample_rate: Their rate.
        engine: A name, or a fresh engine.

    Returns:
        Float32, shape (number of frames,).

    Raises:
        AudioError: samples are none of one channel, or not scaled.
        ConfigurationError: There is no such engine, or sample_rate is none.
    """
    engine = speech_engine(engine) if isinstance(engine, str) else engine
    rate = sample_rate if sample_rate in _RATES_AS_THEY_ARE else VAD_SAMPLE_RATE
    sound = given_samples(samples, sample_rate, rate, "samples")
    resampler = None if rate == VAD_SAMPLE_RATE else _FrameResampler(rate)
    frame_samples = resampler.frame_samples if resampler else FRAME_SAMPLES
    blocks = (
        sound[start : start + _BLOCK_FRAMES * frame_samples]
        for start in range(0, len(sound), _BLOCK_FRAMES * frame_samples)
    )
    whole = (block[: len(block) // frame_samples * frame_samples] for block in blocks)
    return _of_recording(engine, map(resampler.process, whole) if resampler else whole)


def _of_recording(engine: SpeechEngine, blocks: Iterable[Samples]) -> Samples:
    if isinstance(engine, RecordingEngine):
        return engine.recording_probabilities(blocks)
    return np.concatenate([np.zeros(0, np.float32), *map(engine.probabilities, blocks)])
