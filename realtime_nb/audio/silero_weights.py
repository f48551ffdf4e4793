"""The published weights of Silero VAD v6.2 (16 kHz), arranged for products.

``scripts/extract_silero.py`` takes them from the MIT-licensed ONNX file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from realtime_nb.audio.pcm import Samples

__all__ = ["UNITS", "WEIGHTS_PATH", "SileroWeights", "silero_weights", "speech_of"]

WEIGHTS_PATH = Path(__file__).parent / "models" / "silero_vad.npz"
"""The published weights of Silero VAD."""

UNITS = 128
"""Of the LSTM."""

_LINE = 64  # bytes that a processor fetches at once
_STACKS = (4, 8)  # rows in one product
_ONE_THREAD = 1 << 18  # multiplications; for more, OpenBLAS may wake threads, which costs more


class SileroWeights:
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
        self.sines = _transposed(imaginary)
        self.conv = [_convolution_matrix(w[f"conv{i}_weight"]) for i in range(4)]
        self.conv_bias = [w[f"conv{i}_bias"] for i in range(4)]
        # The third layer's input has two columns after a zero one, the fourth's a single column
        # between zeros: the taps on zeros are left out.
        self.conv[2] = self.conv[2][64:]
        self.conv[3] = self.conv[3][64:128]
        # torch stores the gates as input, forget, cell, output. Here: output, input, forget, cell.
        # As sigmoid(x) = tanh(x/2)/2 + 1/2, halving the rows of the first three leaves one tanh
        # for all four.
        i, f, g, o = np.split(np.arange(4 * UNITS), 4)
        order = np.concatenate([o, i, f, g])
        scale = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), UNITS)
        self.input = _transposed(w["lstm_weight_ih"][order] * scale[:, None])
        self.recurrent = _transposed(w["lstm_weight_hh"][order] * scale[:, None])
        self.gate_bias = (w["lstm_bias_ih"] + w["lstm_bias_hh"])[order] * scale
        self.input_by_gate = _by_gate(self.input)
        self.recurrent_by_gate = _by_gate(self.recurrent)
        self.output = w["output_weight"].reshape(UNITS, 1)
        self.output_bias = w["output_bias"]
        # The taps of a layer that meet columns and not the zeros around them, the columns that
        # these are, and where the result goes, as slices of what lies side by side in a frame.
        first, second = self.conv[:2]
        self.first = _steps(129, 128, [(first[129:], 0), (first, 0), (first, 1), (first[:258], 2)])
        self.second = _steps(128, 64, [(second[128:], 0), (second, 1)])
        self.first_bias = np.tile(self.conv_bias[0], 4)
        self.second_bias = np.tile(self.conv_bias[1], 2)
        self.stacks = _stacks(
            [
                *(self.cosines, self.sines, self.input, *self.conv[2:]),
                *(matrix for _, matrix, _ in self.first + self.second),
            ]
        )

    def product(self, rows: Samples, matrix: Samples, result: Samples | None = None) -> Samples:
        """Returns rows times one of the matrices, each row's result whatever lies beside it."""
        n = len(rows)
        if result is None:
            result = np.empty((n, matrix.shape[1]), np.float32)
        done = 0
        for size in self.stacks:
            stop = n - (n - done) % size
            if stop > done and size * matrix.size <= _ONE_THREAD:
                np.matmul(_cut(rows[done:stop], size), matrix, out=_cut(result[done:stop], size))
                done = stop
        if done < n:
            padded = np.zeros((self.stacks[-1], rows.shape[1]), np.float32)
            padded[: n - done] = rows[done:]
            result[done:] = np.matmul(padded, matrix)[: n - done]
        return result


_Step = tuple[slice, Samples, slice]


def _steps(inputs: int, outputs: int, taps: list[tuple[Samples, int]]) -> list[_Step]:
    """Returns of each output column which inputs it takes, their matrix, where it goes."""
    return [
        (
            slice(first * inputs, first * inputs + len(matrix)),
            matrix,
            slice(i * outputs, (i + 1) * outputs),
        )
        for i, (matrix, first) in enumerate(taps)
    ]


def speech_of(hidden: Samples, weights: SileroWeights) -> Samples:
    """Returns the speech probabilities (n,) that hidden states (n, 128) stand for."""
    active = np.maximum(hidden, 0)[:, None]
    logits = np.matmul(active, weights.output)[:, 0, 0] + weights.output_bias
    probabilities: Samples = 1 / (1 + np.exp(-logits))
    return probabilities


def _cut(rows: Samples, size: int) -> Samples:
    """Returns a view of them in stacks of a size."""
    return rows.reshape(-1, size, rows.shape[1])


def _aligned(array: Samples) -> Samples:
    """Returns a copy of which each row begins at a multiple of 64 bytes.

    What a processor loads at once then never straddles two lines: BLAS takes a quarter less time.
    NumPy itself aligns to 16 bytes.
    """
    columns = array.shape[-1]
    numbers = _LINE // array.itemsize
    shape = (*array.shape[:-1], -(-columns // numbers) * numbers)
    size = math.prod(shape) * array.itemsize
    room = np.empty(size + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    rows: Samples = room[start : start + size].view(array.dtype).reshape(shape)[..., :columns]
    rows[...] = array
    return rows


def _transposed(matrix: Samples) -> Samples:
    return _aligned(matrix.T)


def _by_gate(matrix: Samples) -> Samples:
    """Cuts (128, 4·128) into the four matrices of the gates, (4, 128, 128)."""
    return _aligned(matrix.reshape(UNITS, 4, UNITS).transpose(1, 0, 2))


def _convolution_matrix(weight: Samples) -> Samples:
    """Lays (outputs, inputs, taps) out as (taps·inputs, outputs), for rows of taps side by side."""
    return _aligned(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _stacks(
    matrices: list[Samples], times: Callable[[Samples, Samples], Samples] = np.matmul
) -> tuple[int, ...]:
    """Returns how many rows may be multiplied at once: eight or four at less cost, or one.

    No standard says that BLAS sums a row in the same order wherever it lies among others, and
    among how many. If it does not here, rows are multiplied in fours only, or one by one.
    """
    few, many = _STACKS
    if not all(_alike(matrix, few, times) for matrix in matrices):
        return (1,)
    for matrix in matrices:
        rows = np.random.default_rng(1).standard_normal((many, len(matrix)), np.float32)
        in_fours = [times(rows[at : at + few], matrix) for at in range(0, many, few)]
        if not _alike(matrix, many, times) or np.any(
            times(rows, matrix) != np.concatenate(in_fours)
        ):
            return (few,)
    return (many, few)


def _alike(matrix: Samples, size: int, times: Callable[[Samples, Samples], Samples]) -> bool:
    """Tells whether a row has the same result at every place among others, zeros or not."""
    rows = np.random.default_rng(0).standard_normal((size, len(matrix)), np.float32)
    there = times(rows, matrix)
    for shift in range(1, size):
        for others in (1, 0):
            moved = np.roll(rows, shift, axis=0)
            moved[:shift] *= others
            if np.any(times(moved, matrix)[shift:] != there[:-shift]):
                return False
    return True


@cache
def silero_weights() -> SileroWeights:
    """Returns them, read once."""
    return SileroWeights(WEIGHTS_PATH)
