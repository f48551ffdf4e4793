"""The turns that many settings take of the same probabilities, as arrays.

They are those of the state machine (:mod:`realtime_nb.protocol.turns`), which the tests hold them
to. Where a turn opens with its first frame of speech, and no frame is both speech and silence, a
turn is what lies between two silences that are long enough, from the first such frame on: that can
be read off for all turns at once, which takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.vad import sweep_turns
from realtime_nb.protocol.turns import FRAME_MS, SpeechSpan, TurnSettings

__all__ = ["Flags", "Numbers", "Taken", "taken_turns"]

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_Frames = npt.NDArray[np.intp]

_FIELDS = attrgetter("audio_start_ms", "onset_ms", "offset_ms", "audio_end_ms", "cut")


@dataclass(frozen=True, slots=True)
class Taken:
    """The turns that settings took, in order, a place in each array for every one.

    Attributes:
        start_ms, end_ms: of their audio; at the end it was decided that they are over.
        onset_ms, offset_ms: of their speech.
        cut: whether the audio ended before that was decided.
    """

    start_ms: Numbers
    onset_ms: Numbers
    offset_ms: Numbers
    end_ms: Numbers
    cut: Flags

    @classmethod
    def of(cls, spans: Sequence[SpeechSpan]) -> Taken:
        """Returns what the state machine found, as arrays."""
        rows = np.array([_FIELDS(span) for span in spans], np.float64).reshape(-1, 5)
        start, onset, offset, end, cut = rows.T
        return cls(start, onset, offset, end, cut > 0)

    def __len__(self) -> int:
        return len(self.onset_ms)

    def spans(self) -> list[SpeechSpan]:
        """Returns the same, one by one."""
        rows = np.stack([self.start_ms, self.onset_ms, self.offset_ms, self.end_ms], axis=1)
        return [
            SpeechSpan(start, onset, offset, end, cut)
            for (start, onset, offset, end), cut in zip(
                rows.astype(int).tolist(), self.cut.tolist(), strict=True
            )
        ]


def taken_turns(probabilities: npt.ArrayLike, settings: Iterable[TurnSettings]) -> list[Taken]:
    """Returns the turns that each of the settings takes.

    Args:
        probabilities: One per frame, shape (n,).
        settings: Those that share thresholds share most of the work.
    """
    frames = np.asarray(probabilities, np.float64)

    @cache
    def speech_starts(threshold: float) -> _Frames:
        return _runs(frames >= threshold)[0]

    @cache
    def quiet_runs(threshold: float) -> tuple[_Frames, _Frames]:
        return _runs(frames < threshold)

    return [
        _between_silences(
            speech_starts(one.threshold), *quiet_runs(one.exit_threshold), len(frames), one
        )
        if one.min_speech_frames == 1 and one.exit_threshold <= one.threshold
        else Taken.of(sweep_turns(frames, [one])[0])
        for one in settings
    ]


def _runs(flags: Flags) -> tuple[_Frames, _Frames]:
    """Returns where runs of true values start, and where they end."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2]


def _between_silences(
    speech: _Frames, starts: _Frames, ends: _Frames, frames: int, settings: TurnSettings
) -> Taken:
    needed = settings.silence_frames
    long = ends - starts >= needed
    # Before the first silence, between two, and after the last.
    begins = np.concatenate([[0], ends[long]])
    closes = np.append(starts[long], frames)
    index = np.searchsorted(speech, begins)
    onsets = np.append(speech, frames)[index]
    spoken = onsets < closes
    onset, offset = onsets[spoken], closes[spoken]
    cut = (np.arange(len(spoken)) == len(spoken) - 1)[spoken]
    end = np.where(cut, frames, offset + needed)
    if cut.any() and len(ends) and ends[-1] == frames:
        offset = np.where(cut, np.maximum(onset + 1, starts[-1]), offset)
    floor = np.concatenate([[0], end[:-1]])[: len(onset)]
    start_ms = np.maximum(onset * FRAME_MS - settings.prefix_padding_ms, floor * FRAME_MS)
    return Taken(
        start_ms=start_ms.astype(np.float64),
        onset_ms=(onset * FRAME_MS).astype(np.float64),
        offset_ms=(offset * FRAME_MS).astype(np.float64),
        end_ms=(end * FRAME_MS).astype(np.float64),
        cut=cut,
    )
