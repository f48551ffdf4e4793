"""Silero VAD v6.2 (16 kHz) as a forward pass in numpy over the published weights.

``scripts/extract_silero.py`` takes them from the MIT-licensed ONNX file. Tests hold `SileroVAD` to
that file: probabilities within 1e-5, every decision the same.

The probabilities do not depend on how the audio is cut: one frame at a time and minutes at once
give the same bits. So what a sweep says about a recording is what the server did. Those of a
recording of half an hour or more are made of stretches side by side
(`realtime_nb.audio.silero_stretches`) and may differ from them in the last places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.silero_stretches import LEAST_FRAMES, MOST_FRAMES, side_by_side
from realtime_nb.audio.silero_weights import UNITS, silero_weights, speech_of
from realtime_nb.audio.speech_engines import FRAME_SAMPLES

__all__ = ["SileroVAD"]

_CONTEXT = 64  # samples of the previous frame that Silero sees before the present one
_BLOCK_FRAMES = 128  # worked on together; small enough that everything stays in the cache


class SileroVAD:
    """Silero VAD v6.2 for one stream of 16 kHz audio.

    Attributes:
        stretches: How many of a recording were run side by side.
        in_sequence: How many of them had to be gone through in sequence, as nothing proved them.
    """

    def __init__(self) -> None:
        self._weights = silero_weights()
        self.reset()

    def reset(self) -> None:
        """Forgets the stream so far."""
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = np.zeros(UNITS, np.float32)
        # The four gates of `SileroWeights`, then the cell state. This order makes
        # input·cell gate and forget·cell state one product.
        self._gates = np.zeros(5 * UNITS, np.float32)
        self.stretches = 0
        self.in_sequence = 0

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
            result[start:stop] = self._follow(self._features(frames[start:stop]))
        return result

    def recording_probabilities(self, blocks: Iterable[Samples]) -> Samples:
        """Returns the speech probabilities of a whole recording, from its samples in blocks.

        Of `LEAST_FRAMES` and more, stretches run side by side; what comes out differs then from
        `probabilities` by the noise of sums. Of fewer, it is the same. No more than `MOST_FRAMES`
        are kept, however long it is.
        """
        found = [np.zeros(0, np.float32)]
        for features in self._collected(blocks):
            done = 0
            if len(features) >= LEAST_FRAMES:
                heard = side_by_side(self._weights, features, self._hidden, self._gates[-UNITS:])
                self._hidden, self._gates[-UNITS:] = heard.hidden, heard.cell
                self.stretches += heard.stretches
                self.in_sequence += heard.in_sequence
                found.append(heard.probabilities)
                done = len(heard.probabilities)
            found += [
                self._follow(features[start : start + _BLOCK_FRAMES])
                for start in range(done, len(features), _BLOCK_FRAMES)
            ]
        return np.concatenate(found)

    def _collected(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yields the features of frames, as many as are worked on together."""
        kept, n = np.empty((MOST_FRAMES, UNITS), np.float32), 0
        for block in blocks:
            frames = np.asarray(block, np.float32).reshape(-1, FRAME_SAMPLES)
            for start in range(0, len(frames), _BLOCK_FRAMES):
                features = self._features(frames[start : start + _BLOCK_FRAMES])
                room = MOST_FRAMES - n
                kept[n : n + len(features)] = features[:room]
                n += min(len(features), room)
                if n == MOST_FRAMES:
                    yield kept
                    n = len(features) - room
                    kept[:n] = features[room:]
        yield kept[:n]

    # Products below are stacks of small ones of one size, and never one over all frames: BLAS may
    # sum in another order for another shape, and then the cut of the audio would show.

    def _features(self, frames: Samples) -> Samples:
        """Frames (n, 512) → what the LSTM is given, (n, 128)."""
        w = self._weights
        rows = self._magnitudes(frames)
        for steps, bias in ((w.first, w.first_bias), (w.second, w.second_bias)):
            sums = np.empty((len(rows), len(bias)), np.float32)
            for taken, matrix, given in steps:
                w.product(rows[:, taken], matrix, sums[:, given])
            rows = _activate(sums, bias)
        for i in (2, 3):
            rows = _activate(w.product(rows, w.conv[i]), w.conv_bias[i])
        return rows

    def _magnitudes(self, frames: Samples) -> Samples:
        """Frames (n, 512) → the spectra of four windows of each side by side, (n, 4·129)."""
        sums, differences = self._folded(frames)
        real = self._weights.product(sums, self._weights.cosines)
        imaginary = self._weights.product(differences, self._weights.sines)
        np.multiply(real, real, real)
        np.multiply(imaginary, imaginary, imaginary)
        np.add(real, imaginary, real)
        return np.sqrt(real, real).reshape(len(frames), -1)

    def _folded(self, frames: Samples) -> tuple[Samples, Samples]:
        """Frames (n, 512) → sums and differences of mirrored samples, (4·n, 128) each.

        Four windows of 256 samples, 128 apart, lie on 64 samples from before the frame, the frame,
        and its end mirrored. Samples 1 to 128 of a window are paired with 255 to 128.
        """
        extended = np.empty((len(frames), _CONTEXT + FRAME_SAMPLES + 64), np.float32)
        extended[0, :_CONTEXT] = self._context
        extended[1:, :_CONTEXT] = frames[:-1, -_CONTEXT:]
        extended[:, _CONTEXT:-64] = frames
        extended[:, -64:] = frames[:, -2:-66:-1]
        self._context = frames[-1, -_CONTEXT:].copy()
        there, mirrored = (
            np.ndarray(
                (len(frames), 4, 128), np.float32, extended, 4 * first, (4 * 640, 4 * 128, step)
            )
            for first, step in ((1, 4), (255, -4))
        )
        sums = mirrored.copy()
        differences = np.subtract(there, sums)
        np.add(there, sums, sums)
        return sums.reshape(-1, 128), differences.reshape(-1, 128)

    def _follow(self, features: Samples) -> Samples:
        """Features (n, 128) of consecutive frames → probabilities (n,)."""
        inputs = self._weights.product(features, self._weights.input)
        inputs += self._weights.gate_bias
        return self._recur(inputs)

    def _recur(self, inputs: Samples) -> Samples:
        """Gates inputs (n, 512) of consecutive frames → probabilities (n,)."""
        gates, recurrent = self._gates[: 4 * UNITS], self._weights.recurrent
        output, sigmoids = gates[:UNITS], gates[: 3 * UNITS]
        weights, weighted = gates[UNITS : 3 * UNITS], self._gates[3 * UNITS :]
        cell = self._gates[4 * UNITS :]
        products = np.empty(2 * UNITS, np.float32)
        new, kept = products[:UNITS], products[UNITS:]
        squashed = np.empty(UNITS, np.float32)
        states = np.empty((len(inputs), UNITS), np.float32)
        half = np.full(3 * UNITS, 0.5, np.float32)  # a number would be made an array each time
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
        return speech_of(states, self._weights)


def _activate(sums: Samples, bias: Samples) -> Samples:
    sums += bias
    return np.maximum(sums, 0, out=sums)
