"""Why nothing can be said of a kind of finding: what its rule would have to look at is missing.

A rule that finds nothing says that there is nothing only where it could look. Each kind of finding
has a function in :data:`KINDS` that returns the reason for which it could not, or None. What a
session can't have had (no functions were called, nobody spoke) is known to be absent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from realtime_nb.analysis.call_gaps import why_no_gaps
from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.findings.evidence import Evidence, Severity
from realtime_nb.analysis.headline import without_calls
from realtime_nb.analysis.metrics.figures import NO_EVENTS, NO_INPUT, gap
from realtime_nb.analysis.talk_time import spoken_messages
from realtime_nb.audio.levels import DIGITAL_SILENCE_DBFS

__all__ = ["KINDS", "Kind", "why_unknown"]

Reason = str | None
Why = Callable[[Evidence], Reason]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of findings.

    Attributes:
        worst: How severe one can be.
        why_unknown: Returns why nothing can be said of it; None where something can.
    """

    worst: Severity
    why_unknown: Why


def why_unknown(evidence: Evidence) -> dict[str, str]:
    """Returns the reason by kind of finding, of the kinds of which nothing can be said."""
    found = {id: kind.why_unknown(evidence) for id, kind in KINDS.items()}
    return {id: reason for id, reason in found.items() if reason is not None}


def _events(evidence: Evidence) -> Reason:
    if not evidence.conversation.events_applied:
        return NO_EVENTS
    return gap(evidence.rec, "events.jsonl")


def _understood(*types: str) -> Why:
    """Returns why events of some types are not all known."""

    def why(evidence: Evidence) -> Reason:
        lost = next((name for name in types if name in evidence.conversation.malformed), None)
        return _events(evidence) or (lost and f"some {lost} events can't be understood")

    return why


def _never(evidence: Evidence) -> Reason:
    return None


def _rate_limits(evidence: Evidence) -> Reason:
    if evidence.rec.simulated or evidence.lines("rate_limits.updated"):
        return None
    return _events(evidence) or "the server told no rate limits"


def _ending(evidence: Evidence) -> Reason:
    known = {"complete", "close_code"} & set(evidence.rec.header)
    return None if known else "what was recorded does not tell how the session ended"


def _token_counts(column: str) -> Why:
    """Returns why responses can't be compared by some tokens that they took."""

    def why(evidence: Evidence) -> Reason:
        counts = evidence.rec.usage[column]
        if len(counts) > 1 and counts.notna().sum() < 2:
            return "the server reported no token counts"
        return _events(evidence)

    return why


# --- turns ---


def _heard_user(evidence: Evidence) -> bool:
    """Tells whether the user said anything, or may have.

    A recording of this package that no audio was sent in holds none; of other logs, nobody knows.
    """
    conversation = evidence.conversation
    if conversation.input_ms > 0 or conversation.speech or len(evidence.rec.sound("input")):
        return True
    if any(turn.source == "speech" for turn in evidence.turns):
        return True
    return not conversation.events_applied or "complete" not in evidence.rec.header


def _of_user(why: Why) -> Why:
    """Returns a reason that counts where the user may have spoken."""
    return lambda evidence: why(evidence) if _heard_user(evidence) else None


def _of_agent(why: Why) -> Why:
    """Returns a reason that counts where the agent may have spoken."""

    def found(evidence: Evidence) -> Reason:
        return _events(evidence) or (why(evidence) if _heard_agent(evidence) else None)

    return found


def _heard_agent(evidence: Evidence) -> bool:
    """Tells whether the agent said anything, or may have: logs without its audio have its words."""
    conversation = evidence.conversation
    if spoken_messages(conversation):
        return True
    written = conversation.session.get("output_modalities") == ["text"]
    return not written and any(item.role == "assistant" for item in conversation.items.values())


def _metric(name: str) -> Why:
    """Returns why a metric is not known that counts or measures the same."""

    def why(evidence: Evidence) -> Reason:
        if name not in evidence.metrics.index or not math.isnan(evidence.metric(name)):
            return None
        return str(evidence.metrics.reason[name])

    return why


def _spoken_turns(why: Why) -> Why:
    """Returns a reason that counts where there are turns that the user spoke."""

    def found(evidence: Evidence) -> Reason:
        spoken = any(turn.source == "speech" for turn in evidence.turns)
        return _events(evidence) or (why(evidence) if spoken else None)

    return found


def _cause_of_interruptions(evidence: Evidence) -> Reason:
    """Returns why none of the interruptions can be told from one that nobody meant."""
    lost = _events(evidence) or _metric("interruptions")(evidence)
    table = evidence.interruptions
    meant = table[(table.kind == "interruption") & (table.cause == "user")]
    untold = meant.note.str.contains("not transcribed", na=False)
    return lost or (
        "the user's speech was not transcribed" if len(meant) and untold.all() else None
    )


def _echo(evidence: Evidence) -> Reason:
    lost = _events(evidence) or _metric("interruptions")(evidence)
    table = evidence.interruptions
    cut = table[(table.kind == "interruption") & (table.cause != "program")]
    if lost is None and len(cut) and cut.echo_score.isna().all():
        return "there is no audio of user and agent to compare"
    return lost


def _reported_speech(evidence: Evidence) -> Reason:
    """Returns why speech can't be told that turn detection did not report."""
    lost = _events(evidence)
    if lost is not None:
        return lost
    conversation = evidence.conversation
    if conversation.turn_detection is None:
        known = bool(conversation.session)
        return None if known else "the turn detection in force is not known"
    if not len(evidence.rec.sound("input")):
        return gap(evidence.rec, "input.wav", "input") or NO_INPUT
    if any(math.isnan(one.audio_start_ms) for one in conversation.speech):
        return "where in the audio reported speech lies is not known"
    return gap(evidence.rec, "input.wav", "input")


# --- time ---


def _latencies(column: str) -> Why:
    """Returns the commonest reason where no answer of its kind has a latency, or a part of it."""

    def why(evidence: Evidence) -> Reason:
        table = without_calls(evidence.rec.latency)
        numbers = [turn.number for turn in evidence.turns if turn.responses]
        spoken = table.latency_note.fillna("") != "no spoken answer"
        answered = table[table.turn.isin(numbers) & spoken]
        if answered.empty or answered[column].notna().any():
            return _events(evidence)
        return _commonest(answered.latency_note.dropna()) or f"{column} is not known of any turn"

    return why


def _commonest(notes: Iterable[str]) -> Reason:
    counts = Counter(map(str, notes))
    return counts.most_common(1)[0][0] if counts else None


def _calls(*columns: str) -> Why:
    """Returns why there is no call with an output of which some times are known."""

    def why(evidence: Evidence) -> Reason:
        calls = [row for row in table_rows(evidence.rec.calls) if row.outcome != "orphan"]
        known = [all(getattr(row, name) == getattr(row, name) for name in columns) for row in calls]
        if not calls or any(known):
            return _events(evidence)
        return gap(evidence.rec, "times") or "when functions ran is not recorded"

    return why


def _dead_air(evidence: Evidence) -> Reason:
    if evidence.rec.calls.empty:
        return _events(evidence)
    return _calls("done_s", "output_s")(evidence) or why_no_gaps(evidence.rec)


def _pace(evidence: Evidence) -> Reason:
    return gap(evidence.rec, "times", "input")


# --- audio ---


def _unheard(evidence: Evidence) -> Reason:
    if not math.isnan(evidence.cost.unheard_share):
        return None
    return _metric("unheard_ms")(evidence) or evidence.cost.unknown.get("unheard_share")


def _noise(evidence: Evidence) -> Reason:
    """Returns why the noise is not known; digital silence between the words is none."""
    if evidence.metric("noise_floor_dbfs") <= DIGITAL_SILENCE_DBFS:
        return None
    return _metric("snr_db")(evidence)


KINDS: Mapping[str, Kind] = {
    "rejected-requests": Kind("error", _events),
    "beta-interface": Kind("note", _events),
    "response-failed": Kind("error", _understood("response.done")),
    "response-incomplete": Kind("warning", _understood("response.done")),
    "rate-limit-low": Kind("error", _rate_limits),
    "recording-damaged": Kind("warning", _never),
    "session-ended-early": Kind("warning", _ending),
    "connection-lost": Kind("error", _metric("connections_lost")),
    "context-growth": Kind("warning", _token_counts("input_tokens")),
    "nothing-cached": Kind("warning", _token_counts("cached_tokens")),
    "transcription-failed": Kind(
        "warning", _understood("conversation.item.input_audio_transcription.failed")
    ),
    "tool-server-failed": Kind("error", _understood("mcp_list_tools.failed")),
    "tool-server-call-failed": Kind("error", _understood("response.mcp_call.failed")),
    "approval-unanswered": Kind("warning", _events),
    "agent-cut-by-echo": Kind("error", _echo),
    "false-interruption": Kind("warning", _cause_of_interruptions),
    "cancelled-by-short-turns": Kind("warning", _understood("response.done")),
    "missed-barge-in": Kind("error", _of_user(_of_agent(_metric("missed_barge_ins")))),
    "late-barge-in": Kind("warning", _of_user(_of_agent(_metric("late_barge_ins")))),
    "over-remembered-audio": Kind("warning", _of_agent(_metric("over_remembered_ms"))),
    "premature-cut": Kind("warning", _spoken_turns(_metric("premature_cuts"))),
    "phantom-turn": Kind("warning", _spoken_turns(_metric("phantom_turns"))),
    "unheard-speech": Kind("error", _of_user(_reported_speech)),
    "unanswered-turn": Kind("warning", _events),
    "slow-answer": Kind("error", _latencies("latency_ms")),
    "endpoint-wait-dominates": Kind("note", _latencies("endpoint_wait_ms")),
    "slow-tool": Kind("note", _calls("run_ms")),
    "dead-air": Kind("warning", _dead_air),
    "failed-tool": Kind("error", _events),
    "late-output": Kind("warning", _calls("done_s", "output_s")),
    "orphan-call": Kind("error", _events),
    "input-not-real-time": Kind("note", _spoken_turns(_pace)),
    "unheard-audio": Kind("note", _of_agent(_unheard)),
    "underruns": Kind("warning", _of_agent(_metric("underruns"))),
    "quiet-microphone": Kind("warning", _of_user(_metric("input_peak_dbfs"))),
    "clipping": Kind("warning", _of_user(_metric("clipping_share"))),
    "noisy-room": Kind("warning", _of_user(_noise)),
}
"""All kinds of findings by their id."""
