"""Between which moments a turn's latency lies, and where each of them is from."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from realtime_nb.analysis.connection_gaps import across, was_lost
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.user_turns import UserTurn
from realtime_nb.analysis.voices import TimeSpan, Voices
from realtime_nb.protocol.conversation import Item, Speech
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.turns import FRAME_MS

__all__ = [
    "AUDIO_LOST",
    "CONNECTION_LOST",
    "LATENCY_PARTS",
    "SPEECH_END_LABEL",
    "Boundaries",
    "Moments",
    "across_gaps",
    "boundaries_of",
    "doubt_of",
    "earliest",
    "find_moments",
    "first_played_s",
    "moments_of",
    "unknown_moments",
]

LATENCY_PARTS = (
    *("uplink_ms", "endpoint_wait_ms", "commit_wait_ms"),
    *("model_first_audio_ms", "playout_ms"),
)
"""The columns that add up to ``latency_ms``, in the order of time."""

SPEECH_END_LABEL = "speech end"
"""A label of this text says where the user's speech ended, against all detectors."""

_STOPPED_EARLY_MS = 320
"""By so much, a silence window and a little, a server that hears less than others may take speech
for over before it is."""


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Speech of one turn, in ms of the input-sample clock; NaN and None where unknown.

    Attributes:
        onset_ms, offset_ms: first and last of it, without padding and silence. The end of a turn is
            where its voice ends, if there is audio that tells, else what the server reported.
        onset_source, offset_source: ``server`` or ``offline_vad``.
        onset_note, offset_note: why one is unknown.
    """

    onset_ms: float = math.nan
    onset_source: str | None = None
    offset_ms: float = math.nan
    offset_source: str | None = None
    onset_note: str | None = None
    offset_note: str | None = None

    @property
    def note(self) -> str | None:
        """What is unknown of them, and why."""
        notes = {"onset": self.onset_note, "offset": self.offset_note}
        return "; ".join(f"{name}: {note}" for name, note in notes.items() if note) or None


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments between which a turn's latency lies, in seconds; NaN where unknown.

    Attributes:
        boundaries: its speech.
        speech_end_s: when the user's speech ended (``E``).
        speech_end_source: ``server``, ``offline_vad`` or ``label``; ``server_report`` where nothing
            tells when audio was sent, so that it is counted back from the receipt of the report;
            None where unknown.
        capture_source: who says when that was captured: the ``device``; or nobody, so that it is
            counted back from the ``sending`` of its chunk.
        sent_s: when the chunk that holds that was sent.
        stop_s: receipt of ``speech_stopped``, or of the commit when there was none (``STOP``).
        response_s: of the first ``response.created`` (``RC``).
        first_audio_s: of the first audio (``A1``).
        played_s: when the first sample was played (``P1``).
        note: why the latency is unknown.
        stop_source: ``speech_stopped`` or ``committed``; None where neither came.
        gaps: when the connection was lost meanwhile; what lies across one is no duration.
    """

    boundaries: Boundaries
    speech_end_s: float
    speech_end_source: str | None
    capture_source: str | None
    sent_s: float
    stop_s: float
    response_s: float
    first_audio_s: float
    played_s: float
    note: str | None
    stop_source: str | None
    gaps: tuple[TimeSpan, ...] = ()

    @property
    def latency_ms(self) -> float:
        """Voice to voice: from the end of the user's speech to the first sample of the answer."""
        return self._duration_ms(self.speech_end_s, self.played_s)

    def _duration_ms(self, earlier_s: float, later_s: float) -> float:
        if across(earlier_s, later_s, self.gaps):
            return math.nan
        return _duration_ms(earlier_s, later_s)

    def parts_ms(self) -> dict[str, float]:
        """Returns ``latency_ms`` and the parts that add up to it; NaN for those that
        :meth:`parts_note` tells of."""
        parts = (self._duration_ms(*edges) for edges in pairwise(self._edges_s))
        return {
            "latency_ms": self.latency_ms,
            **dict(zip(LATENCY_PARTS, parts, strict=True)),
        }

    @property
    def parts_note(self) -> str | None:
        """What there is to say of single parts."""
        notes = []
        if self.capture_source == "sending" and not math.isnan(self.sent_s - self.speech_end_s):
            notes.append("uplink_ms: no device told when it captured the audio")
        edges = zip(LATENCY_PARTS, pairwise(zip(_EDGES, self._edges_s, strict=True)), strict=True)
        for part, ((before, earlier_s), (after, later_s)) in edges:
            if later_s < earlier_s - _CLOCK_SLACK_S:
                notes.append(f"{part}: {after} came before {before}")
            elif across(earlier_s, later_s, self.gaps):
                notes.append(f"{part}: the connection was lost meanwhile")
        return "; ".join(notes) or None

    @property
    def _edges_s(self) -> tuple[float, ...]:
        return (
            *(self.speech_end_s, self.sent_s, self.stop_s),
            *(self.response_s, self.first_audio_s, self.played_s),
        )


_EDGES = (
    *("the end of speech", "its sending", "the server's report of it"),
    *("response.created", "the first audio", "its playing"),
)
"""Between which the parts lie."""

_CLOCK_SLACK_S = 1e-5
"""Times are kept in microseconds."""


def _duration_ms(earlier_s: float, later_s: float) -> float:
    """Returns the time between; NaN where the later comes first: the two are not of one turn."""
    return math.nan if later_s < earlier_s - _CLOCK_SLACK_S else (later_s - earlier_s) * 1000


def earliest(moments: Iterable[float | None]) -> float:
    """Returns the first of them in time; NaN when there is none."""
    return min((moment for moment in moments if moment is not None), default=math.nan)


def first_played_s(items: Iterable[Item]) -> float:
    """Returns when the first message that was heard began to be; NaN where none was, or where that
    is not known of the first."""
    heard = (item for item in items if item.played_s is not None or (item.played_ms or 0) != 0)
    return or_nan(next((item.played_s for item in heard), None))


def _first_audio_s(items: Iterable[Item]) -> float:
    """Returns when the first audio came of the first message that has any; NaN likewise."""
    spoken = (item for item in items if item.first_audio_s is not None or item.audio_ms != 0)
    return or_nan(next((item.first_audio_s for item in spoken), None))


class _Edge(NamedTuple):
    """Where speech begins or ends, and who says so; else why that is unknown."""

    ms: float = math.nan
    source: str | None = None
    note: str | None = None


def boundaries_of(speech: Speech, voices: Voices | None = None) -> Boundaries:
    """Returns where speech began and ended that turn detection reported.

    What the reports don't tell (see :class:`realtime_nb.protocol.records.Speech`) is where the
    offline detector hears the first and the last voice within what was reported: the end with
    ``semantic_vad``, the beginning where the padding was cut off. Without ``voices``, and where a
    voice reaches beyond what was reported, it is unknown.
    """
    if math.isnan(speech.audio_start_ms):
        note = speech.doubt or _COUNT_LOST
        return Boundaries(onset_note=note, offset_note=note)
    onset, offset = _onset(speech, voices), _offset(speech, voices)
    if offset.ms < onset.ms:  # a voice before what the server took for the beginning
        offset = _Edge(note=_NO_VOICE)
    return Boundaries(onset.ms, onset.source, offset.ms, offset.source, onset.note, offset.note)


def _onset(speech: Speech, voices: Voices | None) -> _Edge:
    if speech.onset_ms is not None:
        return _Edge(speech.onset_ms, "server")
    if voices is None:
        return _Edge(note=_why_no_onset(speech))
    start_ms, end_ms = speech.audio_start_ms, speech.audio_end_ms
    if speech.offset_ms is not None:
        end_ms = speech.offset_ms
    spans = _spans_within(voices, start_ms, math.inf if end_ms is None else end_ms)
    if not spans:
        return _Edge(note=_NO_VOICE)
    if spans[0][0] < start_ms - FRAME_MS:
        return _Edge(note="the voice began before what was reported")
    return _Edge(max(start_ms, spans[0][0]), voices.source)


def _offset(speech: Speech, voices: Voices | None) -> _Edge:
    end_ms = speech.audio_end_ms
    if end_ms is None:
        return _Edge(note=_NO_END)
    if speech.offset_ms is not None:
        return _Edge(speech.offset_ms, "server")
    if voices is None:
        return _Edge(note=_why_no_offset(speech))
    return _heard_end(speech.audio_start_ms, end_ms, voices)


def _heard_end(start_ms: float, end_ms: float, voices: Voices) -> _Edge:
    """Returns where the last voice ends that begins in a reported stretch."""
    spans = _spans_within(voices, start_ms, end_ms)
    if not spans:
        return _Edge(note=_NO_VOICE)
    if math.isinf(spans[-1][1]):
        return _Edge(note=_GOES_ON)
    if spans[-1][1] > end_ms + _STOPPED_EARLY_MS:
        return _Edge(note="the voice went on after what was reported")
    return _Edge(spans[-1][1], voices.source)


def _why_no_onset(speech: Speech) -> str:
    kind = (speech.turn_detection or {}).get("type")
    if kind != "server_vad":
        return _why_no_window(kind, "began")
    if not speech.audio_start_ms > speech.floor_ms:
        return "the padding before it was cut off"
    return "what the server reported does not fit the padding in force"


def _why_no_offset(speech: Speech) -> str:
    kind = (speech.stop_detection or {}).get("type")
    if kind != "server_vad":
        return _why_no_window(kind, "ended")
    if speech.changed_ms is not None:
        return "the silence window was changed while it ran"
    return "what the server reported does not fit the silence window in force"


def _why_no_window(kind: object, what: str) -> str:
    if kind is None:
        return "the turn detection in force is unknown"
    return f"{kind} does not tell when speech {what}"


def _voiced_within(voices: Voices | None, start_ms: float, end_ms: float) -> Boundaries:
    """Returns the first and the last voice within a stretch that the user marked off."""
    spans = () if voices is None else _spans_within(voices, start_ms, end_ms)
    if voices is None or not spans:
        note = _NO_END if voices is None else _NO_VOICE
        return Boundaries(onset_note=note, offset_note=note)
    if math.isinf(spans[-1][1]):
        return Boundaries(max(start_ms, spans[0][0]), voices.source, offset_note=_GOES_ON)
    return Boundaries(
        max(start_ms, spans[0][0]), voices.source, min(end_ms, spans[-1][1]), voices.source
    )


def _spans_within(voices: Voices, start_ms: float, end_ms: float) -> Sequence[TimeSpan]:
    """Returns the voices within a stretch of the input-sample clock.

    A voice of whose first frame only a part lies in the stretch belongs to what follows.
    """
    spans = voices.user_ms
    first = bisect_right(spans, start_ms, key=lambda span: span[1])
    last = bisect_right(spans, end_ms - FRAME_MS, key=lambda span: span[0]) - 1
    return spans[first : last + 1]


def find_moments(
    turns: Sequence[UserTurn],
    clock: InputClock,
    voices: Voices | None = None,
    labelled_s: Sequence[float] = (),
    gaps: Sequence[TimeSpan] = (),
) -> Iterator[Moments]:
    """Yields the moments of each turn.

    Args:
        turns: in order of time.
        clock: when their audio was captured and sent.
        voices: needed for turns whose end of speech no server reported.
        labelled_s: where a person marked the end of the user's speech.
        gaps: when the connection was lost.
    """
    began_s = [turn.began_s for turn in turns]
    marks_s = sorted(labelled_s)
    for index, turn in enumerate(turns):
        after_s = began_s[index - 1] if index else -math.inf
        following_s = began_s[index + 1] if index + 1 < len(turns) else math.inf
        mark_s = _mark(marks_s, turn, after_s, following_s)
        yield across_gaps(turn, moments_of(turn, clock, voices, after_s, mark_s), gaps, following_s)


def _mark(marks_s: Sequence[float], turn: UserTurn, after_s: float, following_s: float) -> float:
    """Returns the last mark between the turn before and the answer to this one."""
    if turn.source == "typed" or not marks_s:
        return math.nan
    answered_s = first_played_s(turn.items)
    before_s = following_s if math.isnan(answered_s) else answered_s
    index = bisect_right(marks_s, before_s) - 1
    return marks_s[index] if index >= 0 and marks_s[index] > after_s else math.nan


def moments_of(
    turn: UserTurn,
    clock: InputClock,
    voices: Voices | None = None,
    after_s: float = -math.inf,
    mark_s: float = math.nan,
) -> Moments:
    """Returns the moments of one turn.

    They are all unknown where an id came twice, as in a log of two sessions that gave the same
    ones: which event belongs to which turn can't be told.

    Args:
        turn: with what has come of its answer so far.
        clock, voices: as for :func:`find_moments`.
        after_s: when the turn before it began.
        mark_s: where a person marked the end of its speech.
    """
    doubt = doubt_of(turn)
    if doubt is not None:
        return unknown_moments(doubt)
    found = _boundaries(turn, clock, voices, after_s)
    note = _why_unknown(turn, found, clock)
    speech_end_s, sent_s = clock.wall(found.offset_ms), clock.sent(found.offset_ms)
    source, capture_source = found.offset_source, clock.capture_source(found.offset_ms)
    if not math.isnan(mark_s):
        speech_end_s, sent_s, source = mark_s, clock.sent_after(mark_s), "label"
        capture_source = clock.capture_source_after(mark_s)
        # No mark mends audio that came faster than life: its times are not those of speech.
        if note != _PUSHED:
            note = "the label lies after the audio" if math.isnan(sent_s) else None
    if note is not None:
        speech_end_s, sent_s, source, capture_source = math.nan, math.nan, None, None
    first_audio_s, played_s = _first_audio_s(turn.items), first_played_s(turn.items)
    if note == _PUSHED and not clock.totals_ms and _is_played_by_server(turn):
        by_report_s = _end_by_report(turn.speech)
        if not math.isnan(by_report_s):  # the nearest that is known where audio is in no event
            speech_end_s, source, note = by_report_s, "server_report", None
    if note is None:
        note = _why_unanswered(turn, speech_end_s, first_audio_s, played_s)
    stop_s, stop_source = _stop(turn)
    return Moments(
        found,
        speech_end_s,
        source,
        capture_source,
        sent_s,
        stop_s,
        or_nan(turn.responses[0].created_s) if turn.responses else math.nan,
        first_audio_s,
        played_s,
        note,
        stop_source,
    )


def _why_unanswered(
    turn: UserTurn, speech_end_s: float, first_audio_s: float, played_s: float
) -> str | None:
    """Returns why there is no time from the end of speech to the answer's voice, if there is
    none."""
    if math.isnan(first_audio_s) and math.isnan(played_s):
        lost = any(math.isnan(item.audio_ms) for item in turn.items)
        return AUDIO_LOST if lost else _NO_ANSWER
    if math.isnan(played_s):
        return "playback was not reported"
    early = played_s < speech_end_s - _CLOCK_SLACK_S
    return "the answer was played before the end of speech" if early else None


def across_gaps(
    turn: UserTurn, moments: Moments, gaps: Sequence[TimeSpan], until_s: float = math.inf
) -> Moments:
    """Returns the moments of a turn with the gaps that lie between them.

    Args:
        turn: whose they are.
        moments: as :func:`moments_of` returns them.
        gaps: when the connection was lost.
        until_s: when the turn after it began.
    """
    if not gaps:
        return moments
    found = replace(moments, gaps=tuple(gaps))
    between = across(moments.speech_end_s, moments.played_s, gaps)
    unanswered = moments.note == _NO_ANSWER and (
        any(map(was_lost, turn.responses))
        or (not turn.responses and across(turn.began_s, until_s, gaps))
    )
    return replace(found, note=CONNECTION_LOST) if between or unanswered else found


AUDIO_LOST = "the events of its audio can't be understood"
CONNECTION_LOST = "the connection was lost before the answer was heard"
_NO_ANSWER = "no spoken answer"
_PUSHED = "input was not sent in real time"
_COUNT_LOST = "the server began to count anew, so that its positions are unknown"
_REPEATED = "its id, or that of its answer, came a second time"
_NO_END = "no end of speech was reported"
_NO_VOICE = "no voice in its audio"
_GOES_ON = "the voice has not ended yet"


def doubt_of(turn: UserTurn) -> str | None:
    """Returns why which event is of which turn, or when it came, can't be told; None where it
    can."""
    if turn.item.repeated or any(response.repeated for response in turn.responses):
        return _REPEATED
    doubts = [item.doubt for item in (turn.item, *turn.items)]
    doubts += [response.doubt for response in turn.responses]
    return next(filter(None, doubts), None)


def unknown_moments(note: str) -> Moments:
    """Returns the moments of a turn of which none is known, and why."""
    found = Boundaries(onset_note=note, offset_note=note)
    nan = math.nan
    return Moments(found, nan, None, None, nan, nan, nan, nan, nan, note, None)


def _is_played_by_server(turn: UserTurn) -> bool:
    return any(item.played_by == "server" for item in turn.items)


def _end_by_report(speech: Speech | None) -> float:
    """Returns when speech ended by the receipt of the report of it, less the silence window: what
    the network took is in it."""
    if speech is None or speech.stopped_s is None or speech.audio_end_ms is None:
        return math.nan
    if speech.offset_ms is None:
        return math.nan
    return speech.stopped_s - (speech.audio_end_ms - speech.offset_ms) / 1000


def _stop(turn: UserTurn) -> tuple[float, str | None]:
    """Returns the moment, and the event that it was received with."""
    if turn.speech is not None and turn.speech.audio_end_ms is not None:
        return or_nan(turn.speech.stopped_s), "speech_stopped"
    committed_s = turn.item.committed_s
    return (math.nan, None) if committed_s is None else (committed_s, "committed")


def _boundaries(
    turn: UserTurn, clock: InputClock, voices: Voices | None, after_s: float
) -> Boundaries:
    """Returns where the speech of a turn began and ended; ``after_s``: when the turn before was
    over."""
    if turn.source == "typed":
        return Boundaries()
    if turn.speech is None:
        return _voiced_within(voices, _sent_until(clock, after_s), _sent_until(clock, turn.began_s))
    found = boundaries_of(turn.speech, voices)
    end = _acoustic_end(turn, clock, voices)
    if end is None:
        return found
    if end.ms < found.onset_ms:
        end = _Edge(note=_NO_VOICE)
    return replace(found, offset_ms=end.ms, offset_source=end.source, offset_note=end.note)


def _acoustic_end(turn: UserTurn, clock: InputClock, voices: Voices | None) -> _Edge | None:
    """Returns where the voice of a reported turn ends, whatever the server took for the end.

    None where there is no audio of it that tells.
    """
    assert turn.speech is not None
    start_ms, end_ms = turn.speech.audio_start_ms, turn.speech.audio_end_ms
    if voices is None or math.isnan(start_ms):
        return None
    if end_ms is None:  # it was committed before
        until = _voiced_within(voices, start_ms, _sent_until(clock, turn.began_s))
        return _Edge(until.offset_ms, until.offset_source, until.offset_note)
    return _heard_end(start_ms, end_ms, voices) if end_ms <= voices.heard_ms + FRAME_MS else None


def _sent_until(clock: InputClock, t_s: float) -> float:
    """Returns how much audio had been sent by then, in ms."""
    index = bisect_right(clock.times_s, t_s)
    return clock.totals_ms[index - 1] if index else 0.0


def _why_unknown(turn: UserTurn, found: Boundaries, clock: InputClock) -> str | None:
    """Returns why there is no end of speech to measure from; None when there is one."""
    speech = turn.speech
    if turn.source == "typed":
        return "typed"
    if found.offset_source is None:
        return found.offset_note
    if clock.is_lost(found.offset_ms):
        return "what tells when the end of speech was sent is lost"
    start_ms = found.onset_ms if speech is None else speech.audio_start_ms
    return None if clock.real_time(start_ms, found.offset_ms) else _PUSHED
