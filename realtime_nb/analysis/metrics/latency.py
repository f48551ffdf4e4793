"""Metrics of how long things took: answers, tools, the session's beginning."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from realtime_nb.analysis.call_gaps import find_call_gaps, why_no_gaps
from realtime_nb.analysis.headline import with_calls, without_calls
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import Figure
from realtime_nb.analysis.pace import pace_note
from realtime_nb.analysis.talk_time import spoken_messages
from realtime_nb.analysis.turn_moments import LATENCY_PARTS, earliest
from realtime_nb.protocol.conversation import Conversation

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = ["latency_figures"]


def latency_figures(rec: Recorded) -> dict[str, Figure]:
    """Returns every metric of time, by name; see
    :data:`realtime_nb.analysis.metrics.definitions.DEFINITIONS`."""
    server = "server, simulated" if rec.simulated else "server"
    return {
        **_voice_to_voice(rec),
        **_beginning(rec, server),
        "update_to_first_audio_ms": _update_to_first_audio(rec, server),
        **_generation(rec.conversation, server),
        "transcript_ms": figures.spread(
            rec.latency.transcript_ms, "ms", server, "nothing was transcribed"
        ),
        **_tools(rec, server),
    }


# --- voice to voice ---


def _voice_to_voice(rec: Recorded) -> dict[str, Figure]:
    table = rec.latency
    plain, called = without_calls(table), with_calls(table)
    cut = plain.interrupted.astype(bool)
    is_first = plain.index == min([*plain.index, *called.index], default=None)
    kinds = {
        "latency_ms": plain,
        "latency_with_calls_ms": called,
        "latency_first_turn_ms": plain[is_first],
        "latency_interrupted_ms": plain[cut],
        "latency_undisturbed_ms": plain[~cut & ~is_first],
    }
    found = {name: _latency(table, "latency_ms", rec.simulated) for name, table in kinds.items()}
    # The parts are those of the turns that have a latency, so that they are parts of it; where no
    # turn has one, they say what there is to say.
    whole = plain[plain.latency_ms.notna()]
    apart = plain if whole.empty else whole
    return found | {part: _latency(apart, part, rec.simulated) for part in LATENCY_PARTS}


def _latency(table: pd.DataFrame, column: str, simulated: bool) -> Figure:
    known = table[table[column].notna()]
    sources = " + ".join(sorted({str(one) for one in known.speech_end_source.dropna()}))
    if column in ("commit_wait_ms", "model_first_audio_ms", "playout_ms"):
        sources = "server"  # they don't hang on where speech ended
    source = (sources or "server") + (", simulated" if simulated else "")
    return figures.spread(known[column], "ms", source, _why_none(table, column))


def _why_none(table: pd.DataFrame, column: str) -> str:
    """Returns the commonest reason for which a column of latencies is unknown."""
    if table.empty:
        return "there are no such turns"
    notes = Counter(str(note) for note in table.latency_note.dropna())
    for parts in table.parts_note.dropna():  # of one whose beginning and end are contradictory
        notes.update(one for one in str(parts).split("; ") if one.startswith(f"{column}:"))
    return notes.most_common(1)[0][0] if notes else f"{column} is unknown in every turn"


# --- the session ---


def _beginning(rec: Recorded, server: str) -> dict[str, Figure]:
    created_s = _first_s(rec, "session.created")
    updated_s = _first_s(rec, "session.updated")
    created = figures.spread(
        [created_s * 1000], "ms", server, "the beginning of the session was not recorded"
    )
    if not math.isnan(created_s) and not _opening_is_known(rec):
        created = figures.unknown("ms", _NO_OPENING)
    return {
        "session_created_ms": created,
        "session_updated_ms": figures.spread(
            [(updated_s - created_s) * 1000], "ms", server, "the session was not configured"
        ),
        "first_audio_ms": _first_audio(rec, server),
    }


_NO_OPENING = "when the connection opened is not in the log"


def _opening_is_known(rec: Recorded) -> bool:
    """Tells whether times count from the opening of the connection; else they do from the first
    event."""
    return next((line.t_s for line in rec.raw_events() if not math.isnan(line.t_s)), math.nan) > 0


def _first_s(rec: Recorded, name: str) -> float:
    lines = rec.raw_events()
    return next((line.t_s for line in lines if line.event.get("type") == name), math.nan)


def _first_audio(rec: Recorded, server: str) -> Figure:
    agent = [item for item in rec.conversation.items.values() if item.role == "assistant"]
    spoken_s = earliest(item.first_audio_s for item in agent)
    played_s = earliest(item.played_s for item in agent)
    turn_s = float(rec.latency.commit_s.min()) if len(rec.latency) else math.inf
    if math.isnan(spoken_s):
        reason = "the agent did not speak"
    elif turn_s < spoken_s:
        reason, played_s = "the user spoke first", math.nan
    elif not _opening_is_known(rec):
        reason, played_s = _NO_OPENING, math.nan
    else:
        reason = figures.NO_PLAYBACK
    return figures.spread([played_s * 1000], "ms", server, reason)


def _update_to_first_audio(rec: Recorded, server: str) -> Figure:
    agent = spoken_messages(rec.conversation)
    spoken_s = earliest(item.first_audio_s for item in agent)
    turn_s = float(rec.latency.commit_s.min()) if len(rec.latency) else math.inf
    updated_s = _first_s(rec, "session.updated")
    if (note := pace_note(rec.header)) is not None:
        reason = note
    elif not agent:
        reason = "the agent did not speak"
    elif not spoken_s <= turn_s:  # also where one of them is not known
        reason = "the user spoke first" if turn_s < spoken_s else "its time is not known"
    elif math.isnan(updated_s):
        reason = "the session was not configured"
    elif updated_s > spoken_s:
        reason = "the session was configured after the agent began"
    else:
        return figures.spread([(spoken_s - updated_s) * 1000], "ms", server, "")
    return figures.unknown("ms", reason)


def _generation(conversation: Conversation, server: str) -> dict[str, Figure]:
    answers = [
        (response.done_s - response.created_s) * 1000
        for response in conversation.responses.values()
        if response.status == "completed"
        and response.done_s is not None
        and response.created_s is not None
    ]
    spoken = [
        (item.stopped_s - item.played_s) * 1000
        for item in conversation.items.values()
        if item.stopped_s is not None and item.played_s is not None
    ]
    silent = "the agent was not heard to the end"
    if not conversation.playback_known:
        silent = figures.NO_PLAYBACK
    return {
        "answer_ms": figures.spread(answers, "ms", server, "no response was completed"),
        "speaking_ms": figures.spread(spoken, "ms", "playback", silent),
    }


# --- tools ---

_OUTCOMES = {
    "tool_errors": "error",
    "tool_timeouts": "timeout",
    "tool_late": "late",
    "tool_orphans": "orphan",
}


def _tools(rec: Recorded, server: str) -> dict[str, Figure]:
    calls = rec.calls
    unseen = None if rec.conversation.events_applied else figures.NO_EVENTS
    counts = {
        name: figures.unless(unseen, figures.count(int((calls.outcome == outcome).sum()), "server"))
        for name, outcome in _OUTCOMES.items()
    }
    steps = {
        "decide_ms": (server, "the responses are unknown"),
        "queue_ms": ("client", _why_no_queue(calls)),
        "run_ms": ("client", "no call has an output"),
        "send_ms": ("client", "when functions ended is not recorded"),
        "others_ms": ("client", _NOT_RESUMED),
        "resume_ms": (server, _NOT_RESUMED),
    }
    times = {
        f"tool_{step}": figures.spread(
            calls[step], "ms", source, _NOT_CALLED if calls.empty else reason
        )
        for step, (source, reason) in steps.items()
    }
    return {**counts, **times, "silent_tool_gap_ms": _silent_gaps(rec)}


_NOT_CALLED = "no function was called"
_NOT_RESUMED = "no answer followed a call"


def _why_no_queue(calls: pd.DataFrame) -> str:
    return str(Counter(calls.queue_note).most_common(1)[0][0]) if len(calls) else _NOT_CALLED


def _silent_gaps(rec: Recorded) -> Figure:
    if rec.calls.resume_ms.isna().all():
        return figures.unknown("ms", _NOT_RESUMED if len(rec.calls) else _NOT_CALLED)
    reason = why_no_gaps(rec)
    if reason is not None:
        return figures.unknown("ms", reason)
    gaps_ms = [gap.silent_s * 1000 for gap in find_call_gaps(rec) if gap.answered]
    return figures.spread(gaps_ms, "ms", "audio", _NOT_RESUMED)
