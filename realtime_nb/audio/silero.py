"""Silero VAD v6.2 (16 kHz) as a forward pass in numpy over the published weights.

``scripts/extract_silero.py`` takes them from the MIT-licensed ONNX file. Tests hold `SileroVAD` to
that file: probabilities within 1e-5, every decision the same.

The probabilities do not depend on how the audio is cut: one frame at a time and an hour at once
give the same bits. So what a sweep says about a recording is what the server did.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.speech_engines import FRAME_SAMPLES

__all__ = ["WEIGHTS_PATH", "SileroVAD"]

WEIGHTS_PATH = Path(__file__).parent / "models" / "silero_vad.npz"
"""The published weights of Silero VAD."""

_CONTEXT = 64  # samples of the previous frame that Silero sees before the present one
_UNITS = 128  # of the LSTM
_BLOCK_FRAMES = 128  # worked on together; small enough that everything stays in the cache


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
