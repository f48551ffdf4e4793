"""Silero VAD v6.2 (16 kHz) as a forward pass in numpy over the published weights.

``scripts/extract_silero.py`` takes them from the MIT-licensed ONNX file. Tests hold `SileroVAD` to
that file: probabilities within 1e-5, every decision the same.

The probabilities do not depend on how the audio is cut: one frame at a time and an hour at once
give the same bits. So what a sweep says about a recording is what the server did.

Frames follow each other in one loop: a recording is not cut into stretches that run side by side,
because the cells of this LSTM remember for minutes (CONTRIBUTING, "Decisions").
"""

from __future__ import annotations

from collections.abc import Callable
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
_TOGETHER = 4  # rows in one product


class _SileroWeights:
    """The published weights, arranged for row-by-matrix products."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            w: dict[str, Samples] = {name: stored[name] for name in stored.files}
        # Rows: the real parts of 129 bins, then the imaginary parts. Along its 256 samples each
        # real part is its own mirror image about sample 128, each imaginary one its negative, and
        # sample 0 counts for nothing. So sums and differences of mirrored samples are enough.
        real, imaginary = np.split(w["stft"][:, 0, 1:129], 2)
        self.cosines = _transposed(real)
        self.cosines[-1] /= 2  # sample 128 is its own partner, and so in its sum twice
        self.sines = _transposed(imaginary[:128])  # those of the last bin are zero
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
        self.together = _together([*self.conv[1:], self.input])

    def product(self, rows: Samples, matrix: Samples) -> Samples:
        """Returns rows times one of the matrices, each row's result whatever lies beside it."""
        n, k = rows.shape
        padded = np.zeros((-n % self.together, k), np.float32)
        stack = np.concatenate([rows, padded]) if len(padded) else rows
        products = np.matmul(stack.reshape(-1, self.together, k), matrix)
        result: Samples = products.reshape(-1, matrix.shape[1])[:n]
        return result


def _transposed(matrix: Samples) -> Samples:
    return np.ascontiguousarray(matrix.T)


def _convolution_matrix(weight: Samples) -> Samples:
    """Lays (outputs, inputs, taps) out as (taps·inputs, outputs), for rows of taps side by side."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _together(
    matrices: list[Samples], times: Callable[[Samples, Samples], Samples] = np.matmul
) -> int:
    """Returns how many rows may be multiplied at once: four at half the cost, or one.

    No standard says that BLAS sums a row in the same order wherever it lies among others. If it
    does not here, rows are multiplied one by one.
    """
    draw = np.random.default_rng(0)
    for matrix in matrices:
        rows = draw.standard_normal((_TOGETHER, len(matrix)), np.float32)
        there = times(rows, matrix)
        for shift in range(1, _TOGETHER):
            for others in (1, 0):
                moved = np.roll(rows, shift, axis=0)
                moved[:shift] *= others
                if np.any(times(moved, matrix)[shift:] != there[:-shift]):
                    return 1
    return _TOGETHER


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

    # Products below are stacks of small ones of one size, and never one over all frames: BLAS may
    # sum in another order for another shape, and then the cut of the audio would show.

    def _encode(self, frames: Samples) -> Samples:
        """Frames (n, 512) → what the LSTM adds to its gates, (n, 512)."""
        w, n = self._weights, len(frames)
        padded = np.zeros((n, 6, 129), np.float32)
        self._magnitudes(frames, padded[:, 1:5])
        first = _activate(np.matmul(_columns(padded), w.conv[0]), w.conv_bias[0])
        rows = np.zeros((n, 2, 384), np.float32)  # before the first of four lies a zero one
        rows[:, 0, 128:] = first[:, :2].reshape(n, 256)
        rows[:, 1] = first[:, 1:].reshape(n, 384)
        for i in range(1, 4):
            rows = _activate(w.product(rows.reshape(-1, len(w.conv[i])), w.conv[i]), w.conv_bias[i])
        inputs = w.product(rows, w.input)
        inputs += w.gate_bias
        return inputs

    def _magnitudes(self, frames: Samples, magnitudes: Samples) -> None:
        """Frames (n, 512) → the spectra of four windows of each, (n, 4, 129)."""
        sums, differences = self._folded(frames)
        real = np.matmul(sums, self._weights.cosines)
        imaginary = np.matmul(differences, self._weights.sines)
        np.multiply(real, real, magnitudes)
        np.multiply(imaginary, imaginary, imaginary)
        magnitudes[:, :, :128] += imaginary
        np.sqrt(magnitudes, magnitudes)

    def _folded(self, frames: Samples) -> tuple[Samples, Samples]:
        """Frames (n, 512) → sums and differences of mirrored samples, (n, 4, 128) each.

        Four windows of 256 samples, 128 apart, lie on 64 samples from before the frame, the frame,
        and its end mirrored. Samples 1 to 128 of a window are paired with 255 to 128.
        """
        extended = np.empty((len(frames), _CONTEXT + FRAME_SAMPLES + 64), np.float32)
        extended[0, :_CONTEXT] = self._context
        extended[1:, :_CONTEXT] = frames[:-1, -_CONTEXT:]
        extended[:, _CONTEXT:-64] = frames
        extended[:, -64:] = frames[:, -2:-66:-1]
        self._context = frames[-1, -_CONTEXT:].copy()
        reversed_ = np.ascontiguousarray(extended[:, ::-1])
        sums = np.empty((len(frames), 4, 128), np.float32)
        differences = np.empty_like(sums)
        for i in range(4):
            there = extended[:, 128 * i + 1 :][:, :128]
            mirrored = reversed_[:, 384 - 128 * i :][:, :128]
            np.add(there, mirrored, sums[:, i])
            np.subtract(there, mirrored, differences[:, i])
        return sums, differences

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
        for row, state in zip(inputs, states, strict=True):  # a µs more here is a tenth of it all
            dot(hidden, recurrent, gates)
            add(gates, row, gates)
            tanh(gates, gates)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(weights, weighted, products)
            add(new, kept, cell)
            tanh(cell, squashed)
            multiply(output, squashed, state)
            hidden = state
        self._hidden = hidden.copy()
        active = np.maximum(states, 0)[:, None]
        logits = np.matmul(active, self._weights.output)[:, 0, 0] + self._weights.output_bias
        probabilities: Samples = 1 / (1 + np.exp(-logits))
        return probabilities


def _activate(sums: Samples, bias: Samples) -> Samples:
    sums += bias
    return np.maximum(sums, 0, out=sums)


def _columns(rows: Samples) -> Samples:
    """Lays each row's neighbours beside it: (n, 6, k) → (n, 4, 3k)."""
    n, _, k = rows.shape
    flat = rows.reshape(n, -1)
    columns = np.empty((n, 4, 3 * k), np.float32)
    for i in range(4):
        columns[:, i] = flat[:, i * k : (i + 3) * k]
    return columns
