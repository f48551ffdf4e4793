"""Between which moments a turn's latency lies, and where each of them is from."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from realtime_nb.analysis.user_turns import Turn
from realtime_nb.analysis.voices import Voices
from realtime_nb.input_clock import InputClock
from realtime_nb.protocol.conversation import Speech
from realtime_nb.protocol.turns import FRAME_MS

__all__ = [
    "LATENCY_PARTS",
    "SPEECH_END_LABEL",
    "Boundaries",
    "Moments",
    "boundaries_of",
    "earliest",
    "find_moments",
    "moments_of",
]

LATENCY_PARTS = (
    *("uplink_ms", "endpoint_wait_ms", "commit_wait_ms"),
    *("model_first_audio_ms", "playout_ms"),
)
"""The columns that add up to ``latency_ms``, in the order of time."""

SPEECH_END_LABEL = "speech end"
"""A label of this text says where the user's speech ended, against all detectors."""

_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Speech of one turn, in ms of the input-sample clock; NaN and None where unknown.

    Attributes:
        onset_ms, offset_ms: first and last of it, without padding and silence.
        onset_source, offset_source: ``server`` or ``offline_vad``.
    """

    onset_ms: float = _NAN
    onset_source: str | None = None
    offset_ms: float = _NAN
    offset_source: str | None = None


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments between which a turn's latency lies, in seconds; NaN where unknown.

    Attributes:
        boundaries: its speech.
        speech_end_s: when the user's speech ended (``E``).
        speech_end_source: ``server``, ``offline_vad`` or ``label``; None where unknown.
        sent_s: when the chunk that holds that was sent.
        stop_s: receipt of ``speech_stopped``, or of the commit when there was none (``STOP``).
        response_s: of the first ``response.created`` (``RC``).
        first_audio_s: of the first audio (``A1``).
        played_s: when the first sample was played (``P1``).
        note: why the latency is unknown.
    """

    boundaries: Boundaries
    speech_end_s: float
    speech_end_source: str | None
    sent_s: float
    stop_s: float
    response_s: float
    first_audio_s: float
    played_s: float
    note: str | None

    @property
    def latency_ms(self) -> float:
        """Voice to voice: from the end of the user's speech to the first sample of the answer."""
        return (self.played_s - self.speech_end_s) * 1000

    def parts_ms(self) -> dict[str, float]:
        """``latency_ms`` and the parts that add up to it."""
        edges = (
            *(self.speech_end_s, self.sent_s, self.stop_s),
            *(self.response_s, self.first_audio_s, self.played_s),
        )
        parts = [(later - earlier) * 1000 for earlier, later in pairwise(edges)]
        return {
            "latency_ms": self.latency_ms,
            **dict(zip(LATENCY_PARTS, parts, strict=True)),
        }


def earliest(moments: Iterable[float | None]) -> float:
    """The first of them in time; NaN when there is none."""
    return min((moment for moment in moments if moment is not None), default=_NAN)


def boundaries_of(speech: Speech, voices: Voices | None = None) -> Boundaries:
    """Where speech began and ended that turn detection reported.

    ``semantic_vad`` has no fixed windows to take off; its speech is where the offline detector
    hears it within what the server reported. Without ``voices`` that can't be known.
    """
    if (speech.turn_detection or {}).get("type") != "semantic_vad":
        offset = speech.offset_ms
        return Boundaries(
            float(speech.onset_ms),
            "server",
            _NAN if offset is None else float(offset),
            None if offset is None else "server",
        )
    end_ms = math.inf if speech.audio_end_ms is None else float(speech.audio_end_ms)
    voiced = _voiced_within(voices, float(speech.audio_start_ms), end_ms)
    if voices is None or speech.audio_end_ms is not None:
        return voiced
    return Boundaries(voiced.onset_ms, voiced.onset_source)


def _voiced_within(voices: Voices | None, start_ms: float, end_ms: float) -> Boundaries:
    """The first and the last voice within a stretch of the input-sample clock.

    A voice of whose first frame only a part lies in the stretch belongs to what follows.
    """
    if voices is None:
        return Boundaries()
    spans = voices.user_ms
    first = bisect_right(spans, start_ms, key=lambda span: span[1])
    last = bisect_right(spans, end_ms - FRAME_MS, key=lambda span: span[0]) - 1
    if first > last:
        return Boundaries()
    return Boundaries(
        max(start_ms, spans[first][0]), voices.source, min(end_ms, spans[last][1]), voices.source
    )


def find_moments(
    turns: Sequence[Turn],
    clock: InputClock,
    voices: Voices | None = None,
    labelled_s: Sequence[float] = (),
) -> Iterator[Moments]:
    """Yield the moments of each turn.

    Args:
        turns: in order of time.
        clock: when their audio was captured and sent.
        voices: needed for turns whose end of speech no server reported.
        labelled_s: where a person marked the end of the user's speech.
    """
    began_s = [turn.began_s for turn in turns]
    marks_s = sorted(labelled_s)
    for index, turn in enumerate(turns):
        after_s = began_s[index - 1] if index else -math.inf
        following_s = began_s[index + 1] if index + 1 < len(turns) else math.inf
        mark_s = _mark(marks_s, turn, after_s, following_s)
        yield moments_of(turn, clock, voices, after_s, mark_s)


def _mark(marks_s: Sequence[float], turn: Turn, after_s: float, following_s: float) -> float:
    """The last mark between the turn before and the answer to this one."""
    if turn.source == "typed" or not marks_s:
        return _NAN
    answered_s = earliest(item.played_s for item in turn.items)
    before_s = following_s if math.isnan(answered_s) else answered_s
    index = bisect_right(marks_s, before_s) - 1
    return marks_s[index] if index >= 0 and marks_s[index] > after_s else _NAN


def moments_of(
    turn: Turn,
    clock: InputClock,
    voices: Voices | None = None,
    after_s: float = -math.inf,
    mark_s: float = _NAN,
) -> Moments:
    """The moments of one turn.

    Args:
        turn: with what has come of its answer so far.
        clock, voices: as for :func:`find_moments`.
        after_s: when the turn before it began.
        mark_s: where a person marked the end of its speech.
    """
    found = _boundaries(turn, clock, voices, after_s)
    note = _why_unknown(turn, found, clock, voices)
    speech_end_s, sent_s = clock.wall(found.offset_ms), clock.sent(found.offset_ms)
    source = found.offset_source
    if not math.isnan(mark_s):
        speech_end_s, sent_s, source = mark_s, clock.sent_after(mark_s), "label"
        if note != _PUSHED:
            note = "the label lies after the audio" if math.isnan(sent_s) else None
    if note is not None:
        speech_end_s, sent_s, source = _NAN, _NAN, None
    first_audio_s = earliest(item.first_audio_s for item in turn.items)
    played_s = earliest(item.played_s for item in turn.items)
    if note is None and math.isnan(first_audio_s):
        note = "no spoken answer"
    elif note is None and math.isnan(played_s):
        note = "playback was not reported"
    return Moments(
        found,
        speech_end_s,
        source,
        sent_s,
        _stop_s(turn),
        earliest(response.created_s for response in turn.responses),
        first_audio_s,
        played_s,
        note,
    )


_PUSHED = "input was not sent in real time"


def _stop_s(turn: Turn) -> float:
    if turn.speech is not None and turn.speech.stopped_s is not None:
        return turn.speech.stopped_s
    return _NAN if turn.item.committed_s is None else turn.item.committed_s


def _boundaries(turn: Turn, clock: InputClock, voices: Voices | None, after_s: float) -> Boundaries:
    """Where the speech of a turn began and ended; ``after_s``: when the turn before was over."""
    if turn.source == "typed":
        return Boundaries()
    if turn.speech is None:
        return _voiced_within(voices, _sent_until(clock, after_s), _sent_until(clock, turn.began_s))
    found = boundaries_of(turn.speech, voices)
    if turn.speech.audio_end_ms is not None:
        return found
    until = _voiced_within(
        voices, float(turn.speech.audio_start_ms), _sent_until(clock, turn.began_s)
    )
    return Boundaries(found.onset_ms, found.onset_source, until.offset_ms, until.offset_source)


def _sent_until(clock: InputClock, t_s: float) -> float:
    """How much audio had been sent by then, in ms."""
    index = bisect_right(clock.times_s, t_s)
    return clock.totals_ms[index - 1] if index else 0.0


def _why_unknown(
    turn: Turn, found: Boundaries, clock: InputClock, voices: Voices | None
) -> str | None:
    """Why there is no end of speech to measure from; None when there is one."""
    speech = turn.speech
    if turn.source == "typed":
        return "typed"
    if found.offset_source is None:
        if speech is not None and speech.audio_end_ms is not None and voices is None:
            return "semantic_vad does not tell when speech ended"
        return "no end of speech was reported" if voices is None else "no voice in its audio"
    start_ms = found.onset_ms if speech is None else float(speech.audio_start_ms)
    return None if clock.real_time(start_ms, found.offset_ms) else _PUSHED
