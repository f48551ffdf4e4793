"""Rules about taking turns: interruptions, turns cut in two, turns that nobody took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from realtime_nb.analysis import turn_faults
from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.connection_gaps import across, gap_spans, lost_spans_ms
from realtime_nb.analysis.findings.evidence import (
    AT_THE_END_S,
    Evidence,
    Finding,
    Microphone,
    Rule,
    seconds,
)
from realtime_nb.analysis.user_turns import UserTurn
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.words import shortened

__all__ = ["TURN_RULES"]

OVER_REMEMBERED_MS = 200.0
"""From here on the model believes that it said things which nobody heard."""

DEAF_S = 1.0
"""Speech of this length that turn detection never reported."""

UNANSWERED_AFTER_S = 3.0
"""A turn that was taken less than this before the session ended had no time to be answered."""

SHORT_WORDS = 2
"""Turns of so many words are what listeners say, hesitations, and beginnings."""

CANCELLED_FROM = 3
CANCELLED_SHARE = 0.25
"""So many answers, and such a share of them, are no accident any more."""

LONG_WINDOW_MS = 500.0
"""The silence window that is documented for hosted sessions."""

CAUSES = {
    "empty": "by a sound in which no words were understood",
    "phantom_phrase": "by a sound that was transcribed as {text!r}, as noise often is",
    "short": "by a sound of a moment ({text!r})",
    "echo": "by sound that matches its own voice (echo {echo:.2f})",
    "backchannel": "by {text!r}, which is a listener's word and no wish to speak",
}


ECHO_REMEDIES: dict[Microphone, str] = {
    "browser": "use headphones, or switch the page's echo cancellation on in the panel; without "
    "either, interrupt_response=False",
    "computer": "use headphones, or the microphone of the page (audio='browser'), which cancels "
    "echo; without either, interrupt_response=False",
    "program": "keep the agent's voice out of the audio that is sent, or interrupt_response=False",
    "unknown": "use headphones or echo cancellation; without either, interrupt_response=False",
}
"""What keeps the agent from hearing itself, by what sent the audio."""


def false_interruptions(evidence: Evidence) -> Iterator[Finding]:
    """Yields answers that were cut though nobody wanted the floor, by cause."""
    table = evidence.interruptions
    for row in table_rows(table[table["false"] & (table.kind == "interruption")]):
        cause = str(row.cause)
        how = CAUSES.get(cause, "though nobody wanted to speak")
        after = f" after {seconds(row.played_ms)}" if row.played_ms == row.played_ms else ""
        text = f"the agent was cut{after} " + how.format(
            text=row.user_text or "", echo=row.echo_score
        )
        yield evidence.finding(
            "agent-cut-by-echo" if cause == "echo" else "false-interruption",
            "error" if cause == "echo" else "warning",
            (row.onset_s, row.stopped_s),
            text,
            turn=row.turn,
            of=(row.item_id, row.user_item),
            suggestion=ECHO_REMEDIES[evidence.microphone]
            if cause == "echo"
            else _against(cause, evidence.turn_detection),
            item_id=row.item_id,
            user_item=row.user_item,
            cause=cause,
            echo_score=row.echo_score,
            unheard_ms=row.unheard_ms,
        )


def _against(cause: str, settings: JsonObject) -> str:
    if cause == "backchannel":
        return "use semantic_vad with eagerness='low', or interrupt_response=False"
    threshold = settings.get("threshold")
    if isinstance(threshold, int | float):
        raised = min(0.9, round(threshold + 0.1, 2))
        return (
            f"raise threshold from {threshold:g} to about {raised:g} (rt.replay shows what that "
            "would miss), or switch noise_reduction on"
        )
    return "switch noise_reduction on, or use server_vad with a higher threshold"


def cancelled_answers(evidence: Evidence) -> Iterator[Finding]:
    """Yields that many answers were cancelled around turns of a word or two.

    Where a short silence ends a turn, "mhm" is one: it gets an answer, which the next words cancel.
    """
    answered = [turn for turn in evidence.turns if turn.responses]
    cancelled = []
    for turn, following in zip_longest(evidence.turns, evidence.turns[1:]):
        short = [one for one in (turn, following) if one is not None and _is_short(one)]
        if short and any(response.interrupted for response in turn.responses):
            cancelled.append((turn, short[0]))
    number = len(cancelled)
    if number < CANCELLED_FROM or number < CANCELLED_SHARE * len(answered):
        return
    said = list(dict.fromkeys(repr(short.item.text) for _, short in cancelled))[:3]
    window_ms = _silence_window_ms(evidence, [short for _, short in cancelled])
    at = "" if math.isnan(window_ms) else f", at a silence window of {window_ms:g} ms"
    ids = [turn.item.id for turn, _ in cancelled]
    yield evidence.finding(
        "cancelled-by-short-turns",
        "warning",
        (cancelled[0][0].began_s, cancelled[-1][0].began_s),
        f"{number} of {len(answered)} answers were cancelled by short turns such as "
        f"{' and '.join(filter(None, (', '.join(said[:-1]), said[-1])))}{at}",
        of=ids,
        suggestion=_against_short_turns(window_ms),
        cancelled=number,
        answers=len(answered),
        item_ids=ids,
        silence_duration_ms=window_ms,
    )


def _is_short(turn: UserTurn) -> bool:
    words = turn.item.text.split()
    return turn.item.transcript == "completed" and 0 < len(words) <= SHORT_WORDS


def _silence_window_ms(evidence: Evidence, turns: Sequence[UserTurn]) -> float:
    """Returns the silence window that ended most of the turns; NaN where none is known."""
    settings = [turn.speech.stop_detection or {} for turn in turns if turn.speech is not None]
    windows = [one.get("silence_duration_ms") for one in (*settings, evidence.turn_detection)]
    known = Counter(ms for ms in windows if isinstance(ms, int | float))
    return float(known.most_common(1)[0][0]) if known else math.nan


def _against_short_turns(window_ms: float) -> str:
    semantic = "semantic_vad with eagerness='low' waits until a sentence is whole"
    keep = "interrupt_response=False lets the agent finish"
    if window_ms < LONG_WINDOW_MS:
        return (
            f"set silence_duration_ms to {LONG_WINDOW_MS:g} or more instead of {window_ms:g}, so "
            f"that such words stay with what follows; {semantic}, and {keep}"
        )
    return f"{semantic}; {keep}"


def late_barge_ins(evidence: Evidence) -> Iterator[Finding]:
    """Yields times at which the user spoke over the agent and was heard, but late."""
    table = evidence.interruptions
    for row in table_rows(table[table.kind == "late"]):
        yield evidence.finding(
            "late-barge-in",
            "warning",
            (row.onset_s, row.detected_s),
            f"the user spoke over the agent at {row.onset_s:.1f} s, and the server heard it "
            f"{seconds(row.detection_ms)} later",
            turn=row.turn,
            of=(row.item_id, row.user_item),
            suggestion="look at the microphone's level and at the network; a lower threshold hears "
            "sooner",
            item_id=row.item_id,
            user_item=row.user_item,
            detection_ms=row.detection_ms,
        )


def missed_barge_ins(evidence: Evidence) -> Iterator[Finding]:
    """Yields times at which the user spoke over the agent and was not heard."""
    table = evidence.interruptions
    threshold = evidence.turn_detection.get("threshold")
    shown = f" from {threshold:g}" if isinstance(threshold, int | float) else ""
    for row in table_rows(table[table.kind == "missed"]):
        yield evidence.finding(
            "missed-barge-in",
            "error",
            (row.onset_s, row.onset_s),
            f"the user spoke over the agent at {row.onset_s:.1f} s and was not heard",
            turn=row.turn,
            of=(row.item_id,),
            suggestion=f"lower threshold{shown}, and check that interrupt_response is on",
            item_id=row.item_id,
        )


def over_remembered(evidence: Evidence) -> Iterator[Finding]:
    """Yields answers of which the model remembers more than was heard."""
    table = evidence.interruptions
    # What the session's own end cut short, no model goes on from.
    last = table.stopped_s > evidence.rec.duration_s - AT_THE_END_S
    too_much = table.over_remembered_ms > OVER_REMEMBERED_MS
    for row in table_rows(table[~last & too_much]):
        yield evidence.finding(
            "over-remembered-audio",
            "warning",
            (row.onset_s, row.stopped_s),
            f"the model believes that it said {seconds(row.over_remembered_ms)} more than the user "
            "heard",
            turn=row.turn,
            of=(row.item_id,),
            item_id=row.item_id,
            remembered_ms=row.remembered_ms,
            played_ms=row.played_ms,
            suggestion="send conversation.item.truncate with audio_end_ms set to what was played; "
            "sessions of this package do when the playing device reports",
        )


def premature_cuts(evidence: Evidence) -> Iterator[Finding]:
    """Yields turns that were ended while the user only paused."""
    for cut in turn_faults.find_premature_cuts(evidence.rec):
        ids = [turn.item.id for turn in (cut.turn, cut.following) if turn is not None]
        following = cut.following.item.text if cut.following is not None else ""
        pause = "a pause" if math.isnan(cut.gap_ms) else f"a pause of {cut.gap_ms:.0f} ms"
        yield Finding(
            id="premature-cut",
            severity="warning",
            turn=cut.turn.number,
            start_s=min(cut.stopped_s, cut.went_on_s),
            end_s=max(cut.stopped_s, cut.went_on_s),
            text=f"turn {cut.turn.number} was ended in {pause}: the user went on with "
            f"{_quoted(following)}.",
            evidence={
                "events": evidence.seqs(*ids),
                "gap_ms": cut.gap_ms,
                "silence_duration_ms": cut.silence_duration_ms,
                "item_ids": ids,
            },
            suggestion=_against_cuts(cut.gap_ms, cut.silence_duration_ms),
        )


def _against_cuts(gap_ms: float, window_ms: float) -> str:
    semantic = "use semantic_vad with eagerness='low'"
    if math.isnan(gap_ms):
        return f"{semantic}, or server_vad with a longer silence_duration_ms"
    needed_ms = math.ceil(gap_ms / 50) * 50 + 50
    if math.isnan(window_ms):
        return f"{semantic}, or server_vad with silence_duration_ms of at least {needed_ms}"
    return (
        f"silence_duration_ms of at least {needed_ms} instead of {window_ms:g} would have "
        "kept it together; semantic_vad may wait where a sentence does not sound finished: try it "
        "with rt.sweep or rt.replay"
    )


def phantom_turns(evidence: Evidence) -> Iterator[Finding]:
    """Yields turns that were committed though the user said nothing."""
    for phantom in turn_faults.find_phantom_turns(evidence.rec):
        turn, speech = phantom.turn, phantom.turn.speech
        said = _quoted(turn.item.text) if turn.item.text else "empty"
        began_s = turn.began_s
        yield evidence.finding(
            "phantom-turn",
            "warning",
            (began_s, began_s) if speech is None else (speech.started_s, speech.stopped_s),
            "the user said nothing, but a turn was committed "
            f"({seconds(phantom.voiced_ms)} voiced; transcript {said})",
            turn=turn.number,
            of=(turn.item.id,),
            item_id=turn.item.id,
            voiced_ms=phantom.voiced_ms,
            suggestion="commit only audio in which the user spoke"
            if speech is None
            else _against("empty", speech.turn_detection or {}),
        )


def unheard_speech(evidence: Evidence) -> Iterator[Finding]:
    """Yields speech that turn detection never reported, while the agent was silent."""
    if not evidence.turn_detection:
        return
    if any(math.isnan(one.audio_start_ms) for one in evidence.conversation.speech):
        return  # it was reported, and nothing tells where
    reported = [
        (one.audio_start_ms, math.inf if one.audio_end_ms is None else one.audio_end_ms)
        for one in evidence.conversation.speech
    ]
    reported += lost_spans_ms(evidence.conversation)  # which is a finding of its own
    voices, clock = evidence.rec.voices, evidence.rec.input_clock
    for start, end in voices.user_ms:
        begin_s, until_s = clock.wall(start), clock.wall(end)
        if end - start < DEAF_S * 1000 or _overlaps((start, end), reported):
            continue
        if _overlaps((begin_s, until_s), voices.agent):
            continue  # a missed barge-in, or echo
        place = "" if math.isnan(begin_s) else f" at {begin_s:.1f} s"
        yield evidence.finding(
            "unheard-speech",
            "error",
            (begin_s, until_s),
            f"the server did not hear {seconds(end - start)} of speech{place}",
            suggestion="lower threshold, or raise the microphone's level",
            start_ms=start,
            end_ms=end,
        )


def unanswered_turns(evidence: Evidence) -> Iterator[Finding]:
    """Yields turns to which nothing was said."""
    creates = evidence.turn_detection.get("create_response", True)
    for turn, following in zip_longest(evidence.turns, evidence.turns[1:]):
        if turn.responses or evidence.rec.duration_s - turn.began_s < UNANSWERED_AFTER_S:
            continue
        until_s = evidence.rec.duration_s if following is None else following.began_s
        if until_s - turn.began_s < turn_faults.WENT_ON_WITHIN_S:
            continue  # the user went on at once
        if across(turn.began_s, until_s, gap_spans(evidence.conversation)):
            continue  # nobody could
        yield evidence.finding(
            "unanswered-turn",
            "warning" if creates and evidence.turn_detection else "note",
            (turn.began_s, until_s),
            f"nothing answered {_quoted(turn.item.text)}",
            turn=turn.number,
            of=(turn.item.id,),
            suggestion="send response.create after each turn, or set create_response=True",
            item_id=turn.item.id,
        )


def _overlaps(span: TimeSpan, others: Sequence[TimeSpan]) -> bool:
    return any(start < span[1] and end > span[0] for start, end in others)


def _quoted(text: str) -> str:
    return repr(shortened(text, 60)) if text else "what was said"


TURN_RULES: tuple[Rule, ...] = (
    false_interruptions,
    cancelled_answers,
    missed_barge_ins,
    late_barge_ins,
    over_remembered,
    premature_cuts,
    phantom_turns,
    unheard_speech,
    unanswered_turns,
)
