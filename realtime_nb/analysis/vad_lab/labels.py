"""What a person says of turns: two keys while they talk, and spans marked by hand.

In ``labels.jsonl`` they are lines like all others: a moment and a text.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from realtime_nb.analysis.turn_moments import SPEECH_END_LABEL
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.archive.lines import LabelLine
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.records import Speech

__all__ = [
    "NOT_FINISHED_LABEL",
    "NOT_ME_LABEL",
    "SPEECH_START_LABEL",
    "Label",
    "LabelKind",
    "Labels",
    "judged_spans",
    "label_lines",
    "place_of",
    "true_spans",
]

LabelKind = Literal["not_finished", "not_me", "speech"]

NOT_FINISHED_LABEL = "not finished"
"""The user was not finished when the last turn before it ended."""
NOT_ME_LABEL = "not me"
"""What began last before it was not the user's voice."""
SPEECH_START_LABEL = "speech start"
"""The user's speech begins here; the next "speech end" is where it ends."""

_TEXTS: dict[LabelKind, str] = {"not_finished": NOT_FINISHED_LABEL, "not_me": NOT_ME_LABEL}


@dataclass(frozen=True, slots=True)
class Label:
    """A person's word on a turn, or a stretch of true speech.

    Attributes:
        kind: ``not_finished``, ``not_me``, or ``speech`` for one marked by hand.
        t_s: when it was said, in seconds since the session began; NaN of one by hand.
        start_ms, end_ms: where in the input. The end of the turn that was not one; the turn that
            nobody spoke, as far as it is known; the true speech.
        item_id: of the turn.
    """

    kind: LabelKind
    t_s: float
    start_ms: float
    end_ms: float
    item_id: str = ""


class _Line(Protocol):
    @property
    def t(self) -> float: ...
    @property
    def text(self) -> str: ...


class Labels:
    """The labels of a session, in order of their places.

    Attributes:
        all: what there is.
    """

    def __init__(self) -> None:
        self.all: list[Label] = []

    def of_last(self, kind: LabelKind, t_s: float, speech: Sequence[Speech]) -> Label:
        """Stamps the last end or start of a turn that was known at a moment; a second time it is
        the same label.

        Raises:
            ConfigurationError: There was none.
        """
        label = _stamped(kind, t_s, speech)
        same = [
            one
            for one in self.all
            if (one.kind, one.item_id, one.start_ms) == (kind, label.item_id, label.start_ms)
        ]
        return same[0] if same else self._add(label)

    def of_speech(self, start_ms: float, end_ms: float, heard_ms: float) -> Label:
        """Notes speech between two places, where there is none yet.

        Raises:
            ConfigurationError: They lie outside the audio, or in speech that is marked.
        """
        if not 0 <= start_ms < end_ms <= heard_ms:
            raise ConfigurationError(
                f"start_ms {start_ms:g} and end_ms {end_ms:g} mark no speech: give "
                f"0 <= start_ms < end_ms <= {heard_ms:.0f}, which is where the audio ends."
            )
        for one in self.by_hand:
            if start_ms < one.end_ms and one.start_ms < end_ms:
                raise ConfigurationError(
                    f"start_ms {start_ms:g} to end_ms {end_ms:g} overlaps the speech that is "
                    f"marked from {one.start_ms:.0f} to {one.end_ms:.0f} ms; remove that first."
                )
        return self._add(Label("speech", math.nan, float(start_ms), float(end_ms)))

    def remove(self, label: Label) -> None:
        """Takes a label away.

        Raises:
            ConfigurationError: It is none of these.
        """
        # By its place: NaN makes no label equal to another.
        index = next((i for i, one in enumerate(self.all) if _key(one) == _key(label)), None)
        if index is None:
            raise ConfigurationError("This label is not there any more; see lab.labels.")
        del self.all[index]

    @property
    def by_hand(self) -> list[Label]:
        """Speech that was marked by hand."""
        return [one for one in self.all if one.kind == "speech"]

    def take_lines(
        self, lines: Iterable[_Line], speech: Sequence[Speech], clock: InputClock
    ) -> None:
        """Takes labels of a recording; those that say something else are left out, and so is what
        stamps nothing."""
        start_ms: float | None = None
        for line in sorted(lines, key=lambda one: one.t):
            kind = next((kind for kind, text in _TEXTS.items() if text == line.text), None)
            if kind is not None and _target(kind, line.t, speech) is not None:
                self.of_last(kind, line.t, speech)
            elif line.text == SPEECH_START_LABEL:
                start_ms = place_of(clock, line.t)
            elif line.text == SPEECH_END_LABEL and start_ms is not None:
                end_ms, begin_ms, start_ms = place_of(clock, line.t), start_ms, None
                if begin_ms < end_ms and not self._marked(begin_ms, end_ms):
                    self._add(Label("speech", math.nan, begin_ms, end_ms))

    def _marked(self, start_ms: float, end_ms: float) -> bool:
        return any(start_ms < one.end_ms and one.start_ms < end_ms for one in self.by_hand)

    def _add(self, label: Label) -> Label:
        insort(self.all, label, key=_key)
        return label


def label_lines(label: Label, clock: InputClock) -> list[LabelLine]:
    """Returns a label as lines of ``labels.jsonl``."""
    if label.kind != "speech":
        return [LabelLine(round(label.t_s, 6), _TEXTS[label.kind])]
    timed = bool(clock.times_s)
    start_s = clock.onset(label.start_ms) if timed else label.start_ms / 1000
    end_s = clock.wall(label.end_ms) if timed else label.end_ms / 1000
    return [
        LabelLine(round(start_s, 6), SPEECH_START_LABEL),
        LabelLine(round(end_s, 6), SPEECH_END_LABEL),
    ]


def place_of(clock: InputClock, t_s: float) -> float:
    """Returns where in the input what was captured at a moment lies, in ms: where it goes on after
    a pause of the microphone; bare audio is on its own time."""
    if not clock.times_s:
        return t_s * 1000
    index = min(bisect_left(clock.captured_s, t_s), len(clock.totals_ms) - 1)
    before_ms = clock.totals_ms[index - 1] if index else 0.0
    return max(before_ms, clock.totals_ms[index] - (clock.captured_s[index] - t_s) * 1000)


def true_spans(
    labels: Labels, speech: Sequence[Speech], voiced_ms: Sequence[TimeSpan]
) -> list[TimeSpan]:
    """Returns where the user spoke by what a person said; nothing without any label.

    Speech that was marked by hand is all there is. Otherwise each turn of the server holds true
    speech, from its first voice to its last, but for those that were "not me"; it goes on into the
    next one where it was "not finished", and without end where there is none.
    """
    if not labels.all:
        return []
    if labels.by_hand:
        return [(one.start_ms, one.end_ms) for one in labels.by_hand]
    marked = {kind: {one.item_id for one in labels.all if one.kind == kind} for kind in _TEXTS}
    found: list[TimeSpan] = []
    goes_on = False
    for heard in speech:
        if math.isnan(heard.audio_start_ms) or heard.item_id in marked["not_me"]:
            continue
        start_ms, end_ms = _voice_in(heard, voiced_ms)
        if goes_on:
            start_ms = found.pop()[0]
        goes_on = heard.item_id in marked["not_finished"]
        found.append((start_ms, math.inf if goes_on else end_ms))
    return found


def judged_spans(
    labels: Labels, speech: Sequence[Speech], true_ms: Sequence[TimeSpan]
) -> list[TimeSpan]:
    """Returns where labels tell what is right: from the first to the last speech that was marked by
    hand; by keys in the server's turns alone, and between those that are one.

    Args:
        labels: what was said.
        speech: the server's turns.
        true_ms: what :func:`true_spans` makes of both.
    """
    if labels.by_hand:
        return [(labels.by_hand[0].start_ms, labels.by_hand[-1].end_ms)]
    turns = [
        (one.audio_start_ms, math.inf if one.audio_end_ms is None else one.audio_end_ms)
        for one in speech
        if labels.all and not math.isnan(one.audio_start_ms)
    ]
    return _merged(sorted([*turns, *true_ms]))


def _merged(spans_ms: Iterable[TimeSpan]) -> list[TimeSpan]:
    """Returns spans in order, of which none overlap."""
    found: list[TimeSpan] = []
    for start_ms, end_ms in spans_ms:
        if found and start_ms <= found[-1][1]:
            start_ms, end_ms = found[-1][0], max(end_ms, found.pop()[1])
        found.append((start_ms, end_ms))
    return found


def _voice_in(heard: Speech, voiced_ms: Sequence[TimeSpan]) -> TimeSpan:
    """Returns from where to where there is voice in a turn; all of it where there is none."""
    from_ms, until_ms = heard.audio_start_ms, heard.audio_end_ms
    until_ms = math.inf if until_ms is None else until_ms
    first = bisect_left(voiced_ms, from_ms, key=lambda one: one[1])
    inside = []
    for span in voiced_ms[first:]:
        if span[0] >= until_ms:
            break
        inside.append(span)
    if inside:
        return inside[0][0], inside[-1][1]
    return heard.onset_ms or from_ms, heard.offset_ms or until_ms


def _stamped(kind: LabelKind, t_s: float, speech: Sequence[Speech]) -> Label:
    target = _target(kind, t_s, speech)
    if target is None:
        what = "ended" if kind == "not_finished" else "begun"
        raise ConfigurationError(
            f"No turn has {what} by {t_s:g} s, and the label is about the last one; speak first."
        )
    end_ms = math.nan if target.audio_end_ms is None else target.audio_end_ms
    start_ms = end_ms if kind == "not_finished" else target.audio_start_ms
    return Label(kind, t_s, start_ms, end_ms, target.item_id)


def _target(kind: LabelKind, t_s: float, speech: Sequence[Speech]) -> Speech | None:
    """Returns the last turn that had ended, or begun, by a moment."""
    for heard in reversed(speech):
        known_s = heard.stopped_s if kind == "not_finished" else heard.started_s
        if known_s is not None and known_s <= t_s and not math.isnan(heard.audio_start_ms):
            return heard
    return None


def _key(label: Label) -> tuple[float, str, str]:
    return label.start_ms, label.kind, label.item_id
