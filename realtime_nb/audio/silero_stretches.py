"""Stretches of a long recording side by side through Silero's LSTM, and proof where they meet.

The state after a frame depends on the one before, so that a loop over frames is the plain way. But
the cells forget. All stretches are run at once, one product for all of them per step, each from
nothing but the first, which knows its state. Then again from where the one before ended, until the
state is what it was the first time: from there on all that follows is the same, and so is the end
that the next stretch was begun with. What does not agree by its end, as in steady noise, where
cells count frames and forget nothing, is gone through in sequence from the true state.

Two ways to sum the same products drift apart in the last places and never meet in all bits. States
agree when they are no farther apart than that: :func:`alike`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.silero_weights import UNITS, SileroWeights, speech_of

__all__ = ["LEAST_FRAMES", "MOST_FRAMES", "SideBySide", "alike", "side_by_side"]

MOST_FRAMES = 1 << 17
"""Worked on together: 70 minutes, of which 64 MB are kept."""

LEAST_FRAMES = 56_250
"""Half an hour; below 20 minutes the loop over frames is as fast."""

_STRETCHES = 4  # BLAS multiplies fewer rows at the same cost, and more have more ends to prove
_TOGETHER = 8  # rows in one product
_BLOCK_FRAMES = 32  # of each stretch; between blocks states are compared

# Two ways to sum are up to two last places of the largest cell apart when all else is forgotten,
# and hidden states, which lie between -1 and 1, up to 2e-6, mostly 5e-7.
_APART_CELL = 4  # last places of the largest cell
_APART_HIDDEN = 16 * 2.0**-23


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What came of it.

    Attributes:
        probabilities: Of the frames that were taken, the first of those given.
        hidden: The state after them.
        cell: The state after them.
        stretches: How many there were.
        in_sequence: How many of them had to be gone through in sequence.
    """

    probabilities: Samples
    hidden: Samples
    cell: Samples
    stretches: int
    in_sequence: int


def side_by_side(
    weights: SileroWeights, features: Samples, hidden: Samples, cell: Samples
) -> SideBySide:
    """Takes as many of the features (n, 128) as fill stretches, from a state that is known."""
    count = _STRETCHES
    blocks = len(features) // (count * _BLOCK_FRAMES)
    run = _Run(weights, features[: count * blocks * _BLOCK_FRAMES], count, blocks)
    begun = np.zeros((count, 2, UNITS), np.float32)
    begun[0] = hidden, cell
    every = np.arange(count)
    run.go(every, begun, to_the_end=True)
    begun[1:] = run.ends[:-1]
    run.go(every[1:], begun[1:])
    in_sequence = 0
    for i in every[1:]:
        if not alike(run.ends[i - 1 : i], begun[i : i + 1]).all():
            run.go(every[i : i + 1], run.ends[i - 1 : i])
            in_sequence += 1
    end_hidden, end_cell = run.ends[-1].copy()
    return SideBySide(run.probabilities.reshape(-1), end_hidden, end_cell, count, in_sequence)


def alike(states: Samples, others: Samples) -> npt.NDArray[np.bool_]:
    """Tells which states (n, 2, 128), hidden and cell, are equal but for the noise of sums."""
    apart = np.abs(states - others).max(axis=2)
    largest = np.abs(others[:, 1]).max(axis=1)
    allowed = np.stack([np.full_like(largest, _APART_HIDDEN), _APART_CELL * np.spacing(largest)], 1)
    near: npt.NDArray[np.bool_] = (apart <= allowed).all(axis=1)
    return near


class _Run:
    """The stretches, and what is known of each: its probabilities, its state after each block."""

    def __init__(self, weights: SileroWeights, features: Samples, count: int, blocks: int) -> None:
        self._weights = weights
        self._features = features.reshape(count, blocks, _BLOCK_FRAMES, UNITS)
        self._states = np.zeros((count, blocks, 2, UNITS), np.float32)
        self.probabilities = np.empty((count, blocks, _BLOCK_FRAMES), np.float32)

    @property
    def ends(self) -> Samples:
        """The states (count, 2, 128) at their ends."""
        return self._states[:, -1]

    def go(self, which: npt.NDArray[np.intp], begun: Samples, to_the_end: bool = False) -> None:
        """Goes through stretches from states, each until it is where it was before."""
        columns = _Columns(self._weights, begun)
        for block in range(self._features.shape[1]):
            self.probabilities[which, block] = columns.take(self._features[which, block])
            states = columns.states()
            before = self._states[which, block]
            self._states[which, block] = states
            if to_the_end or not (met := alike(states, before)).any():
                continue
            which, states = which[~met], states[~met]
            if not len(which):
                return
            columns = _Columns(self._weights, states)


class _Columns:
    """The LSTM over several streams at once."""

    def __init__(self, weights: SileroWeights, begun: Samples) -> None:
        self._count = len(begun)
        columns = _STRETCHES if self._count == _STRETCHES - 1 else self._count  # one idle is faster
        self._weights = weights
        self._hidden = np.zeros((columns, UNITS), np.float32)
        self._hidden[: self._count] = begun[:, 0]
        self._gates = np.zeros((5, columns, UNITS), np.float32)  # as in SileroVAD
        self._gates[4, : self._count] = begun[:, 1]

    def states(self) -> Samples:
        """Returns hidden and cell of each, (count, 2, 128)."""
        return np.stack([self._hidden, self._gates[4]], axis=1)[: self._count]

    def take(self, features: Samples) -> Samples:
        """Takes the features (count, n, 128) of the next n frames; returns probabilities."""
        w, n, columns = self._weights, features.shape[1], len(self._hidden)
        rows = np.zeros((n, columns, UNITS), np.float32)
        rows[:, : self._count] = features.transpose(1, 0, 2)
        inputs = np.matmul(rows.reshape(-1, _TOGETHER, UNITS), w.input_by_gate[:, None])
        inputs += w.gate_bias.reshape(4, 1, 1, UNITS)
        states = self._recur(inputs.reshape(4, n, columns * UNITS).transpose(1, 0, 2))
        return speech_of(states.reshape(-1, UNITS), w).reshape(n, columns).T[: self._count]

    def _recur(self, inputs: Samples) -> Samples:
        """Gates inputs (n, 4, count·128) → hidden states (n, count, 128)."""
        count = len(self._hidden)
        recurrent, stacked = self._weights.recurrent_by_gate, self._gates[:4]
        flat = self._gates.reshape(5, -1)  # the same numbers; see SileroVAD
        gates, sigmoids, output, cell = flat[:4], flat[:3], flat[0], flat[4]
        weights, weighted = flat[1:3], flat[3:]
        products = np.empty_like(weights)
        new, kept = products
        squashed = np.empty_like(cell)
        half = np.full(sigmoids.shape, 0.5, np.float32)
        states = np.empty((len(inputs), count, UNITS), np.float32)
        matmul, add, multiply, tanh = np.matmul, np.add, np.multiply, np.tanh
        hidden = self._hidden
        for row, state, flat_state in zip(
            inputs, states, states.reshape(len(inputs), -1), strict=True
        ):
            matmul(hidden, recurrent, stacked)
            add(gates, row, gates)
            tanh(gates, gates)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(weights, weighted, products)
            add(new, kept, cell)
            tanh(cell, squashed)
            multiply(output, squashed, flat_state)
            hidden = state
        self._hidden = hidden
        return states
