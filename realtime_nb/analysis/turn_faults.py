"""Turns that should not have ended where they did, and turns that nobody took."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.analysis.voices import common_spans, spans_length

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = [
    "WENT_ON_WITHIN_S",
    "PhantomTurn",
    "PrematureCut",
    "count_undecided_cuts",
    "find_phantom_turns",
    "find_premature_cuts",
]

WENT_ON_WITHIN_S = 1.2
REPLY_HEARD_S = 0.5
"""A user who goes on this soon after the end of the turn was reported, and before or just after the
reply began, had not finished."""

PHANTOM_MS = 150.0
"""A committed turn with less voice than this was noise."""

_SENTENCE_ENDS = (".", "?", "!", "…", "。")


@dataclass(frozen=True, slots=True)
class PrematureCut:
    """A turn that was ended while the user only paused.

    Attributes:
        turn: the turn.
        following: the one that what was said next became; None when there is none.
        stopped_s: when the end of the turn was reported.
        went_on_s: when the user went on.
        gap_ms: how long the pause was; NaN where the end of speech is unknown.
        silence_duration_ms: the window that it was longer than; NaN where there is none.
    """

    turn: UserTurn
    following: UserTurn | None
    stopped_s: float
    went_on_s: float
    gap_ms: float
    silence_duration_ms: float


@dataclass(frozen=True, slots=True)
class PhantomTurn:
    """A turn that was committed though the user said nothing.

    Attributes:
        turn: the turn.
        voiced_ms: how much voice the offline detector hears in its audio.
    """

    turn: UserTurn
    voiced_ms: float


def find_premature_cuts(rec: Recorded) -> list[PrematureCut]:
    """Returns the turns that were ended in the middle of what the user was saying.

    The user went on before 1.2 s after ``speech_stopped`` and before 500 ms of the reply were
    played; and the reply was cut, or what was said next continues the sentence. Who goes on while
    ``speech_stopped`` is on its way was cut off, too. Where it is not known how much of the reply
    was played, a turn is none of them; see :func:`count_undecided_cuts`.
    """
    return [cut for cut, heard in _cuts(rec) if heard is False]


def count_undecided_cuts(rec: Recorded) -> int:
    """Returns how many turns would be premature cuts if it were known that the reply was not heard.

    The reply had been received for 500 ms, and nothing tells whether it was played.
    """
    return sum(heard is None for _, heard in _cuts(rec))


def _cuts(rec: Recorded) -> list[tuple[PrematureCut, bool | None]]:
    """Returns what may be a premature cut, and whether 500 ms of the reply were played before it.

    That is None where it is not known.
    """
    found = find_user_turns(rec.conversation)
    table = rec.speech
    heard: dict[str, Any] = {row.item_id: row for row in table_rows(table)}
    known = table[table.onset_s.notna()].sort_values("onset_s", kind="stable")
    onsets_s, onsets_ms = known.onset_s.tolist(), known.onset_ms.tolist()
    cuts = []
    for turn, following in zip(found, [*found[1:], None], strict=False):
        stopped_s = None if turn.speech is None else turn.speech.stopped_s
        if stopped_s is None:
            continue
        before = heard[turn.item.id]
        voice_end_s = stopped_s if math.isnan(before.offset_s) else min(before.offset_s, stopped_s)
        index = bisect_right(onsets_s, voice_end_s)
        if index == len(onsets_s) or not _had_not_finished(turn, following, onsets_s[index]):
            continue
        was_heard = _was_heard(turn, onsets_s[index], rec.conversation.playback_known)
        gap_ms = onsets_ms[index] - before.offset_ms
        window_ms = float(before.silence_duration_ms)
        cut = PrematureCut(turn, following, stopped_s, onsets_s[index], gap_ms, window_ms)
        cuts.append((cut, was_heard))
    return cuts


def _had_not_finished(turn: UserTurn, following: UserTurn | None, went_on_s: float) -> bool:
    assert turn.speech is not None and turn.speech.stopped_s is not None
    if went_on_s > turn.speech.stopped_s + WENT_ON_WITHIN_S:
        return False
    cancelled = any(response.status == "cancelled" for response in turn.responses)
    if cancelled or any(item.interrupted for item in turn.items):
        return True
    return following is not None and _continues(turn.item.text, following.item.text)


def _was_heard(turn: UserTurn, moment_s: float, playback_known: bool) -> bool | None:
    """Tells whether 500 ms of the reply were played before a moment; None where nothing tells."""
    begun_s = [item.played_s for item in turn.items if item.played_s is not None]
    if begun_s and moment_s >= min(begun_s) + REPLY_HEARD_S:
        return True
    for item in turn.items:
        silent = item.audio_ms == 0 or (playback_known and not item.played_ms)  # neither is NaN
        if silent or item.played_s is not None:
            continue
        # It was not played before it was received.
        if item.first_audio_s is None or moment_s >= item.first_audio_s + REPLY_HEARD_S:
            return None
    return False


def _continues(text: str, following: str) -> bool:
    """Tells whether the second text goes on with the sentence of the first."""
    if not text or not following:
        return False
    return not text.rstrip().endswith(_SENTENCE_ENDS) or following.lstrip()[0].islower()


def find_phantom_turns(rec: Recorded) -> list[PhantomTurn]:
    """Returns the spoken turns with less than 150 ms of voice in the audio that they were made of.

    That is the stretch that turn detection reported, or what was sent since the turn before it.
    """
    if not len(rec.sound("input")):
        return []
    clock = rec.input_clock
    phantoms = []
    after_ms = 0.0
    for turn in find_user_turns(rec.conversation):
        if turn.source != "speech":
            continue
        index = bisect_right(clock.times_s, turn.began_s)
        until_ms = clock.totals_ms[index - 1] if index else 0.0
        window = (after_ms, until_ms)
        if turn.speech is not None and turn.speech.audio_end_ms is not None:
            window = (turn.speech.audio_start_ms, turn.speech.audio_end_ms)
            if math.isnan(sum(window)):
                continue  # nothing tells where in the audio it was
        voiced_ms = spans_length(common_spans(rec.voices.user_ms, [window]))
        if voiced_ms < PHANTOM_MS:
            phantoms.append(PhantomTurn(turn, voiced_ms))
        after_ms = until_ms
    return phantoms
