"""What a lab keeps of the user's audio: speech probabilities, and what happened between frames.

A server's detector begins anew where turn detection is turned on, the format changes or another
connection begins; from there on its frames lie elsewhere. So do those of a track, which keeps four
bytes for every 32 ms and nothing of the audio.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from realtime_nb.protocol.audio_formats import PCM, WireFormat
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.turns import FRAME_MS
from realtime_nb.protocol.wire import JsonObject

__all__ = ["FrameStretch", "Frames", "SpeechTrack", "Step"]

StepKind = Literal["restart", "cut", "settings", "stop"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that turn detection was told between two frames.

    Attributes:
        frame: how many frames had been heard.
        seq: its place in the order of the events.
        kind: ``restart``: the detector begins anew; ``cut``: the audio so far was committed or
            cleared; ``settings``: others took force; ``stop``: the server ended the turn by a
            judgement of its own.
        position_ms: where, in whole ms since the connection began.
        origin_ms: how much the session had sent when the connection began; of a ``restart``.
        detection: what took force, None for off; of ``settings``.
    """

    frame: int
    seq: int
    kind: StepKind
    position_ms: int
    origin_ms: float = 0.0
    detection: JsonObject | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among frames and events."""
        return self.frame, self.seq


@dataclass(frozen=True, slots=True)
class FrameStretch:
    """Frames in a row: from frame ``first`` on, which begins ``start_ms`` into the input."""

    first: int
    start_ms: float


@dataclass(frozen=True, slots=True)
class Frames:
    """Speech probabilities from frame ``first`` on.

    Attributes:
        start_ms: where each frame begins, float64 (n,).
        probabilities: float32 (n,).
    """

    first: int
    start_ms: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32]


class SpeechTrack:
    """Probabilities of the frames so far, and the steps between them.

    Args:
        detector_for: makes a detector for a session's ``format`` object.
        audio_format: in which audio comes.
        origin_ms: how much the session had sent when the connection began.
        before_ms: how much of the connection's audio was sent before anybody listened.
    """

    def __init__(
        self,
        detector_for: Callable[[JsonObject], SpeechDetector],
        audio_format: WireFormat = PCM,
        origin_ms: float = 0.0,
        before_ms: float = 0.0,
    ) -> None:
        self._detector_for = detector_for
        self._probabilities = array("f")
        self.steps: list[Step] = []
        self.stretches: list[FrameStretch] = []
        # Frames lie where those of somebody lie who heard the connection from its beginning.
        first_ms = math.ceil(before_ms / FRAME_MS) * FRAME_MS
        self._listen(audio_format, origin_ms, first_ms, 0)
        self._early = round((first_ms - before_ms) * audio_format.bytes_per_ms)
        self._bytes = -self._early

    @property
    def count(self) -> int:
        """How many frames were heard."""
        return len(self._probabilities)

    @property
    def position_ms(self) -> int:
        """How much of the connection's audio was sent, in whole ms, as its server counts it."""
        return self._base_ms + max(0, self._bytes) // self._format.bytes_per_ms

    @property
    def stretch_bytes(self) -> int:
        """How much audio has come since the newest stretch began, as it is on the wire."""
        return self._bytes

    @property
    def now_ms(self) -> float:
        """The same on the clock of the session."""
        return self._origin_ms + self.position_ms

    @property
    def origin_ms(self) -> float:
        """How much the session had sent when the connection began."""
        return self._origin_ms

    @property
    def audio_format(self) -> WireFormat:
        """In which audio comes."""
        return self._format

    def push(self, payload: bytes) -> None:
        """Takes audio as it is on the wire, cut anywhere."""
        self._bytes += len(payload)
        heard = payload[self._early :]
        self._early = max(0, self._early - len(payload))
        self._probabilities.extend(self._detector.push(heard))

    def restart(self, seq: int, audio_format: WireFormat, origin_ms: float | None = None) -> Step:
        """Begins to listen anew: in another format, or where another connection begins."""
        if origin_ms is None:
            early = self._bytes % audio_format.bytes_per_sample
            self._listen(audio_format, self._origin_ms, self.position_ms, seq)
            self._early = audio_format.bytes_per_sample - early if early else 0
        else:
            self._listen(audio_format, origin_ms, 0, seq)
        return self.steps[-1]

    def place(self, step: Step) -> int:
        """Puts a step where it belongs; returns its index."""
        index = bisect_right(self.steps, step.place, key=lambda one: one.place)
        self.steps.insert(index, step)
        return index

    def frame_at(self, position_ms: float) -> int:
        """Returns how many frames had been heard at a position of the connection in force."""
        newest = self.stretches[-1]
        frames = math.floor((position_ms - self._base_ms) / FRAME_MS)
        return min(max(newest.first, newest.first + frames), self.count)

    def frame_of(self, at_ms: float) -> int:
        """Returns the first frame that begins at or after a position of the session's clock."""
        index = bisect_right(self.stretches, at_ms, key=lambda one: one.start_ms) - 1
        if index < 0:
            return 0
        stretch = self.stretches[index]
        later = index + 1 < len(self.stretches)
        end = self.stretches[index + 1].first if later else self.count
        return min(stretch.first + math.ceil((at_ms - stretch.start_ms) / FRAME_MS), end)

    def probability(self, frame: int) -> float:
        """Returns the speech probability of one frame."""
        return self._probabilities[frame]

    def between(self, first: int, end: int) -> Sequence[float]:
        """Returns the speech probabilities of frames in a row."""
        return self._probabilities[first:end]

    def frames(self, since: int = 0) -> Frames:
        """Returns the frames from one on."""
        since = min(max(since, 0), self.count)
        numbers = np.arange(since, self.count)
        firsts = np.array([one.first for one in self.stretches])
        starts_ms = np.array([one.start_ms for one in self.stretches])
        of = np.searchsorted(firsts, numbers, side="right") - 1
        start_ms = starts_ms[of] + (numbers - firsts[of]) * FRAME_MS
        return Frames(since, start_ms, np.array(self._probabilities[since:], np.float32))

    def _listen(self, audio_format: WireFormat, origin_ms: float, base_ms: int, seq: int) -> None:
        self._format = audio_format
        self._origin_ms, self._base_ms = origin_ms, base_ms
        self._bytes = self._early = 0
        self._detector = self._detector_for(audio_format.fields)
        self.stretches.append(FrameStretch(self.count, origin_ms + base_ms))
        self.steps.append(Step(self.count, seq, "restart", base_ms, origin_ms))
