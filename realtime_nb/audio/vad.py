"""Voice activity detection: audio in, one speech probability per 32-ms frame out.

`SileroVAD` is Silero VAD v6.2 (16 kHz) as a forward pass in numpy over the published weights,
which ``scripts/extract_silero.py`` takes from the MIT-licensed ONNX file. Tests hold it to that
file: probabilities within 1e-5, every decision the same.

The probabilities do not depend on how the audio is cut: one frame at a time and an hour at once
give the same bits. So what a sweep says about a recording is what the server did.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from realtime_nb.audio.files import read_audio
from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import (
    SAMPLE_RATE,
    Resampler,
    Samples,
    decode,
    pcm_from_samples,
    samples_from_pcm,
)
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.protocol.turns import (
    Runs,
    SpeechSpan,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
    spans_from_runs,
)

__all__ = [
    "FRAME_SAMPLES",
    "VAD_SAMPLE_RATE",
    "WEIGHTS_PATH",
    "EnergyVAD",
    "FrameDetector",
    "SileroVAD",
    "SpeechEngine",
    "find_speech",
    "speech_as_heard",
    "speech_engine",
    "speech_probabilities",
    "sweep_turns",
]

VAD_SAMPLE_RATE = 16_000
"""Samples per second that engines work on."""

FRAME_SAMPLES = 512
"""Samples per frame at that rate: 32 ms."""

WEIGHTS_PATH = Path(__file__).parent / "models" / "silero_vad.npz"
"""The published weights of Silero VAD."""

_CONTEXT = 64  # samples of the previous frame that Silero sees before the present one
_UNITS = 128  # of the LSTM
_BLOCK_FRAMES = 128  # worked on together; small enough that everything stays in the cache


class SpeechEngine(Protocol):
    """Something that hears speech in frames of 512 samples at 16 kHz.

    It keeps what it needs from frame to frame; one engine follows one stream.
    """

    def probabilities(self, samples: Samples) -> Samples:
        """Takes whole frames, shape (512·n,); return their speech probabilities, shape (n,).

        Cutting a stream into several calls must not change the result.
        """
        ...

    def reset(self) -> None:
        """Forgets the stream so far."""
        ...


class _SileroWeights:
    """The published weights, arranged for row-by-matrix products."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            w: dict[str, Samples] = {name: stored[name] for name in stored.files}
        # Rows: the real parts of 129 bins, then the imaginary parts. Those of the first and the
        # last bin are zero; without them 256 columns remain.
        self.stft = _transposed(np.delete(w["stft"][:, 0], [129, 257], axis=0))
        self.conv = [_convolution_matrix(w[f"conv{i}_weight"]) for i in range(4)]
        self.conv_bias = [w[f"conv{i}_bias"] for i in range(4)]
        # The third layer's input has two columns after a zero one, the fourth's a single column
        # between zeros: the taps on zeros are left out.
        self.conv[2] = self.conv[2][64:]
        self.conv[3] = self.conv[3][64:128]
        # torch stores the gates as input, forget, cell, output. Here: output, input, forget, cell.
        # As sigmoid(x) = tanh(x/2)/2 + 1/2, halving the rows of the first three leaves one tanh
        # for all four.
        i, f, g, o = np.split(np.arange(4 * _UNITS), 4)
        order = np.concatenate([o, i, f, g])
        scale = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), _UNITS)
        self.input = _transposed(w["lstm_weight_ih"][order] * scale[:, None])
        self.recurrent = _transposed(w["lstm_weight_hh"][order] * scale[:, None])
        self.gate_bias = (w["lstm_bias_ih"] + w["lstm_bias_hh"])[order] * scale
        self.output = w["output_weight"].reshape(_UNITS, 1)
        self.output_bias = w["output_bias"]


def _transposed(matrix: Samples) -> Samples:
    return np.ascontiguousarray(matrix.T)


def _convolution_matrix(weight: Samples) -> Samples:
    """Lays (outputs, inputs, taps) out as (taps·inputs, outputs), for rows of taps side by side."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


@cache
def _silero_weights() -> _SileroWeights:
    return _SileroWeights(WEIGHTS_PATH)


class SileroVAD:
    """Silero VAD v6.2 for one stream of 16 kHz audio."""

    def __init__(self) -> None:
        self._weights = _silero_weights()
        self.reset()

    def reset(self) -> None:
        """Forgets the stream so far."""
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = np.zeros(_UNITS, np.float32)
        # The four gates of `_SileroWeights`, then the cell state. This order makes
        # input·cell gate and forget·cell state one product.
        self._gates = np.zeros(5 * _UNITS, np.float32)

    def probability(self, frame: Samples) -> float:
        """Returns the speech probability of the next 512 samples."""
        return float(self.probabilities(frame)[0])

    def probabilities(self, samples: Samples) -> Samples:
        """Returns the speech probabilities of the next n frames.

        Args:
            samples: Float32, shape (512·n,).

        Returns:
            Float32, shape (n,).
        """
        frames = np.asarray(samples, np.float32).reshape(-1, FRAME_SAMPLES)
        result = np.empty(len(frames), np.float32)
        for start in range(0, len(frames), _BLOCK_FRAMES):
            stop = start + _BLOCK_FRAMES
            result[start:stop] = self._recur(self._encode(frames[start:stop]))
        return result

    # Products below are stacks of small ones, one per frame, and never one over all frames: BLAS
    # may sum in another order for another shape, and then the cut of the audio would show.

    def _encode(self, frames: Samples) -> Samples:
        """Frames (n, 512) → what the LSTM adds to its gates, (n, 512)."""
        w, n = self._weights, len(frames)
        spectra = np.matmul(self._windows(frames), w.stft)
        np.square(spectra, out=spectra)
        padded = np.zeros((n, 6, 129), np.float32)
        magnitudes = padded[:, 1:5]
        magnitudes[...] = spectra[:, :, :129]
        magnitudes[:, :, 1:128] += spectra[:, :, 129:]
        np.sqrt(magnitudes, out=magnitudes)
        first = np.zeros((n, 5, 128), np.float32)
        first[:, 1:] = self._layer(0, _columns(padded, count=4, step=1))
        second = self._layer(1, _columns(first, count=2, step=2))
        third = self._layer(2, second.reshape(n, 1, 128))
        features = self._layer(3, third)
        inputs: Samples = np.matmul(features, w.input)[:, 0] + w.gate_bias
        return inputs

    def _windows(self, frames: Samples) -> Samples:
        """Frames (n, 512) → the four windows of each, (n, 4, 256), 128 samples apart.

        They lie on 64 samples from before the frame, the frame, and its end mirrored.
        """
        extended = np.empty((len(frames), _CONTEXT + FRAME_SAMPLES + 64), np.float32)
        extended[0, :_CONTEXT] = self._context
        extended[1:, :_CONTEXT] = frames[:-1, -_CONTEXT:]
        extended[:, _CONTEXT:-64] = frames
        extended[:, -64:] = frames[:, -2:-66:-1]
        self._context = frames[-1, -_CONTEXT:].copy()
        windows = np.empty((len(frames), 4, 256), np.float32)
        for i in range(4):
            windows[:, i] = extended[:, 128 * i : 128 * i + 256]
        return windows

    def _layer(self, i: int, columns: Samples) -> Samples:
        result: Samples = np.matmul(columns, self._weights.conv[i])
        result += self._weights.conv_bias[i]
        return np.maximum(result, 0, out=result)

    def _recur(self, inputs: Samples) -> Samples:
        """Gates inputs (n, 512) of consecutive frames → probabilities (n,)."""
        gates, recurrent = self._gates[: 4 * _UNITS], self._weights.recurrent
        output, sigmoids = gates[:_UNITS], gates[: 3 * _UNITS]
        weights, weighted = gates[_UNITS : 3 * _UNITS], self._gates[3 * _UNITS :]
        cell = self._gates[4 * _UNITS :]
        products = np.empty(2 * _UNITS, np.float32)
        new, kept = products[:_UNITS], products[_UNITS:]
        squashed = np.empty(_UNITS, np.float32)
        states = np.empty((len(inputs), _UNITS), np.float32)
        half = np.float32(0.5)
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
        hidden = self._hidden
        for row, state in zip(inputs, states, strict=True):
            dot(hidden, recurrent, out=gates)
            add(gates, row, out=gates)
            tanh(gates, out=gates)
            multiply(sigmoids, half, out=sigmoids)
            add(sigmoids, half, out=sigmoids)
            multiply(weights, weighted, out=products)
            add(new, kept, out=cell)
            tanh(cell, out=squashed)
            multiply(output, squashed, out=state)
            hidden = state
        self._hidden = hidden.copy()
        active = np.maximum(states, 0)[:, None]
        logits = np.matmul(active, self._weights.output)[:, 0, 0] + self._weights.output_bias
        probabilities: Samples = 1 / (1 + np.exp(-logits))
        return probabilities


def _columns(rows: Samples, count: int, step: int) -> Samples:
    """Lays three neighbours side by side: (n, r, k) → (n, count, 3k), ``step`` rows apart."""
    n, _, k = rows.shape
    flat = rows.reshape(n, -1)
    columns = np.empty((n, count, 3 * k), np.float32)
    for i in range(count):
        columns[:, i] = flat[:, i * step * k : (i * step + 3) * k]
    return columns


class EnergyVAD:
    """Loudness taken for speech, to see why one should not.

    The probability rises from 0 at −60 dBFS to 1 at −20 dBFS.
    """

    def probabilities(self, samples: Samples) -> Samples:
        """Implements `SpeechEngine`."""
        frames = np.asarray(samples, np.float32).reshape(-1, FRAME_SAMPLES)
        level = 10 * np.log10(np.mean(np.square(frames), axis=1) + np.float32(1e-10))
        probabilities: Samples = np.clip((level + 60) / 40, 0, 1).astype(np.float32)
        return probabilities

    def reset(self) -> None:
        """Forgets nothing: there is nothing to forget."""


_ENGINES: dict[str, Callable[[], SpeechEngine]] = {"silero": SileroVAD, "energy": EnergyVAD}


def speech_engine(name: str = "silero") -> SpeechEngine:
    """Makes an engine by name: ``"silero"``, or ``"energy"`` for contrast.

    Raises:
        ConfigurationError: There is no engine of that name.
    """
    if name not in _ENGINES:
        raise ConfigurationError(f"Unknown engine {name!r}; choose from {', '.join(_ENGINES)}.")
    return _ENGINES[name]()


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
        engine: Defaults to a new `SileroVAD`.
    """

    def __init__(self, format_type: str = "audio/pcm", engine: SpeechEngine | None = None) -> None:
        self._format = wire_format(format_type)
        self._engine = engine or SileroVAD()
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
        payload = self._rest + payload
        end = len(payload) // self._frame_bytes * self._frame_bytes
        self._rest = payload[end:]
        probabilities: list[float] = []
        for start in range(0, end, _BLOCK_FRAMES * self._frame_bytes):
            stop = min(start + _BLOCK_FRAMES * self._frame_bytes, end)
            samples = samples_from_pcm(decode(self._format.type, payload[start:stop]))
            probabilities += self._engine.probabilities(self._resampler.process(samples)).tolist()
        return probabilities


def speech_probabilities(
    samples: Samples, sample_rate: int = SAMPLE_RATE, engine: SpeechEngine | str = "silero"
) -> Samples:
    """Returns the speech probabilities of a whole recording, one per complete 32-ms frame.

    At 24 and 8 kHz these are the very numbers that `FrameDetector` gives for the same samples.

    Args:
        samples: Float samples, shape (n,).
        sample_rate: Their rate.
        engine: A name, or a fresh engine.

    Returns:
        Float32, shape (number of frames,).
    """
    engine = speech_engine(engine) if isinstance(engine, str) else engine
    samples = np.asarray(samples, np.float32)
    if sample_rate not in (24_000, 16_000, 8_000):
        samples = Resampler(sample_rate, VAD_SAMPLE_RATE).process(samples, last=True)
        sample_rate = VAD_SAMPLE_RATE
    resampler = None if sample_rate == VAD_SAMPLE_RATE else _FrameResampler(sample_rate)
    frame_samples = resampler.frame_samples if resampler else FRAME_SAMPLES
    probabilities = np.empty(len(samples) // frame_samples, np.float32)
    for start in range(0, len(probabilities), _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, len(probabilities))
        block = samples[start * frame_samples : stop * frame_samples]
        probabilities[start:stop] = engine.probabilities(
            resampler.process(block) if resampler else block
        )
    return probabilities


def find_speech(
    source: str | os.PathLike[str] | LongSound,
    settings: TurnSettings | None = None,
    engine: SpeechEngine | str = "silero",
    *,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> list[SpeechSpan]:
    """Finds speech in a file or in 24 kHz samples, at the positions that the local server reports.

    Args:
        source: Path of an audio file, or float samples at 24 kHz, of which a minute at a time is
            worked on.
        settings: Defaults to `TurnSettings()`.
        engine: A name, or a fresh engine.
        raw_sample_rate, channel: Of a file, as for `load_audio`.

    Raises:
        AudioError: The file can't be read as audio.
    """
    if isinstance(source, str | os.PathLike):
        source = read_audio(source, raw_sample_rate=raw_sample_rate, channel=channel).sound
    return list(speech_as_heard(source, settings, engine))


def speech_as_heard(
    sound: LongSound,
    settings: TurnSettings | None = None,
    engine: SpeechEngine | str = "silero",
    heard: Callable[[int], object] = lambda samples: None,
) -> Iterator[SpeechSpan]:
    """Yields what `find_speech` finds, each span as soon as its closing silence was heard.

    ``heard`` is told how many more samples it has listened to.
    """
    frames = FrameDetector(engine=speech_engine(engine) if isinstance(engine, str) else engine)
    detector = TurnDetector(settings)
    start = SpeechStart(0, 0, 0)
    for block in blocks(sound):
        for probability in frames.push(pcm_from_samples(block)):
            match detector.step(probability):
                case SpeechStart() as start:
                    pass
                case SpeechStop(audio_end_ms=end_ms, offset_ms=offset_ms):
                    yield SpeechSpan(start.audio_start_ms, start.onset_ms, offset_ms, end_ms)
        heard(len(block))
    if detector.speaking:
        stop = detector.stop_now()
        span_ms = start.audio_start_ms, start.onset_ms, stop.offset_ms, stop.audio_end_ms
        yield SpeechSpan(*span_ms, cut=True)


def sweep_turns(
    probabilities: npt.ArrayLike, settings: Iterable[TurnSettings], base_ms: int = 0
) -> list[list[SpeechSpan]]:
    """Does what `find_speech_spans` does under each of many settings, at a fraction of its cost.

    Args:
        probabilities: One per frame, shape (n,).
        settings: Any number of settings. Those that share thresholds share most of the work.
        base_ms: Audio before the first frame.
    """
    frames = np.asarray(probabilities, np.float64)

    @cache
    def speech_runs(threshold: float) -> npt.NDArray[np.intp]:
        return _runs(frames >= threshold)

    @cache
    def quiet_runs(threshold: float) -> npt.NDArray[np.intp]:
        return _runs(frames < threshold)

    @cache
    def speech(threshold: float, at_least: int) -> Runs:
        return _long_runs(speech_runs(threshold), at_least)

    @cache
    def quiet(threshold: float, at_least: int) -> Runs:
        return _long_runs(quiet_runs(threshold), at_least, len(frames))

    return [
        spans_from_runs(
            speech(s.threshold, s.min_speech_frames),
            quiet(s.exit_threshold, s.silence_frames),
            len(frames),
            s,
            base_ms,
        )
        for s in settings
    ]


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Starts and ends of the runs of true values, shape (runs, 2)."""
    changes = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(changes).reshape(-1, 2)


def _long_runs(runs: npt.NDArray[np.intp], at_least: int, frames: float = math.inf) -> Runs:
    """Leaves short ones out, but for one that reaches the end: what follows it is not known."""
    long = runs[:, 1] - runs[:, 0] >= at_least
    long_enough = runs[long | (runs[:, 1] == frames)]
    return Runs(long_enough[:, 0].tolist(), long_enough[:, 1].tolist())
