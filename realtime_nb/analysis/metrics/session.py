"""Metrics of a session as a whole: its latency by kinds of turns, tokens, cost, errors."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.findings.session import is_benign
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import Figure
from realtime_nb.analysis.pace import pace_note
from realtime_nb.analysis.talk_time import spoken_messages

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = ["ERROR_PREFIX", "session_figures"]


ERROR_PREFIX = "errors."
"""With what the names of the metrics begin that count the errors of a code."""


def session_figures(rec: Recorded) -> dict[str, Figure]:
    """Returns every metric of this module; see
    :data:`realtime_nb.analysis.metrics.metrics.DEFINITIONS`."""
    server = "server, simulated" if rec.simulated else "server"
    return {
        **_latency_facets(rec),
        "update_to_first_audio_ms": _update_to_first_audio(rec, server),
        "tool_send_ms": figures.spread(
            rec.calls.send_ms,
            "ms",
            "client",
            "no function was called" if rec.calls.empty else "when functions ended is not recorded",
        ),
        **_tokens(rec),
        **_cost(rec),
        **_errors(rec),
        "input_lost_ms": _input_lost(rec),
    }


# --- time ---


def _latency_facets(rec: Recorded) -> dict[str, Figure]:
    """Returns latency of turns without function calls, by what else makes them unlike each
    other."""
    table = rec.latency
    spoken = table[table.latency_note != "typed"]
    later = spoken.index != (spoken.index[0] if len(spoken) else None)
    called, cut = spoken.had_calls.astype(bool), spoken.interrupted.astype(bool)
    return {
        "latency_interrupted_ms": _latency(spoken[~called & cut], rec.simulated),
        "latency_undisturbed_ms": _latency(spoken[~called & ~cut & later], rec.simulated),
    }


def _latency(table: pd.DataFrame, simulated: bool) -> Figure:
    known = table[table.latency_ms.notna()]
    source = " + ".join(sorted({str(one) for one in known.speech_end_source.dropna()}))
    notes = Counter(str(note) for note in table.latency_note.dropna()).most_common(1)
    why = notes[0][0] if notes else "there are no such turns"
    return figures.spread(
        known.latency_ms, "ms", (source or "server") + ", simulated" * simulated, why
    )


def _update_to_first_audio(rec: Recorded, server: str) -> Figure:
    agent = spoken_messages(rec.conversation)
    spoken_s = min(
        (i.first_audio_s for i in agent if i.first_audio_s is not None), default=math.nan
    )
    turn_s = float(rec.latency.commit_s.min()) if len(rec.latency) else math.inf
    lines = (one for one in rec.raw_events() if one.event.get("type") == "session.updated")
    updated_s = next((one.t_s for one in lines), math.nan)
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


# --- tokens and cost ---


def _tokens(rec: Recorded) -> dict[str, Figure]:
    usage = rec.usage
    none = "there was no response" if usage.empty else "the server reported no token counts"
    told = usage[usage.input_tokens.notna() & usage.cached_tokens.notna()]
    return {
        "context_tokens": figures.spread(usage.input_tokens, "tokens", "server", none),
        "cached_share": figures.share(
            told.cached_tokens.sum(), told.input_tokens.sum(), "server", none
        ),
    }


def _cost(rec: Recorded) -> dict[str, Figure]:
    cost = rec.cost()
    source = f"server, prices of {cost.prices_date}"
    return {
        "context_growth_tokens": figures.spread(
            _growth(cost.by_turn), "tokens", "server", "no two turns in a row have token counts"
        ),
        "unheard_tokens": figures.unknown("tokens", cost.unknown["unheard_tokens"])
        if math.isnan(cost.unheard_tokens)
        else Figure(cost.unheard_tokens, "tokens", source="server + playback"),
        "turn_usd": figures.spread(
            cost.by_turn.usd, "usd", source, cost.reason or "there were no turns"
        ),
        "minute_usd": _by_minute(rec, cost, "per_minute_usd", source),
        "talk_minute_usd": _by_minute(rec, cost, "per_talk_minute_usd", source),
    }


def _growth(by_turn: pd.DataFrame) -> list[float]:
    """By how much the input grew from each turn to the next."""
    numbers, tokens = by_turn.turn.to_numpy(float), by_turn.input_tokens.to_numpy(float)
    grown: list[float] = np.diff(tokens)[np.diff(numbers) == 1].tolist()
    return grown


def _by_minute(rec: Recorded, cost: Cost, name: str, source: str) -> Figure:
    """Of the whole cost; a part of it would pass for all."""
    if not rec.conversation.events_applied:
        return figures.unknown("usd", "there are no events")
    if math.isnan(cost.total_usd):
        return figures.unknown("usd", cost.reason or "the cost is not known")
    usd = float(getattr(cost, name))
    if math.isnan(usd):
        return figures.unknown("usd", cost.unknown[name])
    return Figure(usd, "usd", source=source)


# --- the microphone ---


def _input_lost(rec: Recorded) -> Figure:
    microphone = rec.header.get("microphone")
    told = microphone if isinstance(microphone, dict) else {}
    lost_ms, dropped_ms = told.get("lost_ms"), told.get("dropped_ms")
    if not isinstance(lost_ms, int | float) or not isinstance(dropped_ms, int | float):
        return figures.unknown("ms", "no microphone reported what it lost")
    return Figure(float(lost_ms + dropped_ms), "ms", source="microphone")


# --- errors ---


def _errors(rec: Recorded) -> dict[str, Figure]:
    conversation = rec.conversation
    if not conversation.events_applied:
        return {"errors_benign": figures.unknown("count", "there are no events")}
    codes = Counter(error.code or "no code" for error in conversation.errors)
    benign = sum(is_benign(error.code, error.message) for error in conversation.errors)
    return {
        "errors_benign": figures.count(benign, "server"),
        **{
            f"{ERROR_PREFIX}{code}": figures.count(number, "server")
            for code, number in sorted(codes.items())
        },
    }
