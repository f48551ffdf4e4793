"""Metrics of a session as a whole: tokens, cost, errors, what its microphone lost."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.definitions import ERROR_PREFIX
from realtime_nb.analysis.metrics.figures import Figure

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = ["session_figures"]


def session_figures(rec: Recorded) -> dict[str, Figure]:
    """Returns every metric of this module; see
    :data:`realtime_nb.analysis.metrics.definitions.DEFINITIONS`."""
    return {
        **_tokens(rec),
        **_cost(rec),
        **_errors(rec),
        "input_lost_ms": _input_lost(rec),
    }


# --- tokens and cost ---


def _tokens(rec: Recorded) -> dict[str, Figure]:
    usage = rec.usage
    none = "there was no response" if usage.empty else "the server reported no token counts"
    counted = usage[usage.input_tokens.notna() & usage.cached_tokens.notna()]
    impossible = bool((counted.cached_tokens > counted.input_tokens).any())
    return {
        "context_tokens": figures.spread(usage.input_tokens.dropna(), "tokens", "server", none),
        "cached_share": figures.unknown("share", "more tokens came from the cache than were read")
        if impossible
        else figures.share(counted.cached_tokens.sum(), counted.input_tokens.sum(), "server", none),
    }


def _cost(rec: Recorded) -> dict[str, Figure]:
    cost = rec.cost()
    source = f"server, prices of {cost.prices_date}"
    if cost.least_usd < cost.total_usd:
        source += ", at most: it is not told what cached tokens were"
    return {
        "context_growth_tokens": figures.spread(
            _growth(cost.by_turn), "tokens", "server", "no two turns in a row have token counts"
        ),
        "unheard_tokens": figures.unless(
            cost.unknown.get("unheard_tokens"),
            Figure(cost.unheard_tokens, "tokens", source="server + playback"),
        ),
        "turn_usd": figures.spread(
            cost.by_turn.usd, "usd", source, cost.reason or "there were no turns"
        ),
        "minute_usd": _by_minute(rec, cost, "per_minute_usd", source),
        "talk_minute_usd": _by_minute(rec, cost, "per_talk_minute_usd", source),
    }


def _growth(by_turn: pd.DataFrame) -> list[float]:
    """Returns by how much the input grew from each turn to the next."""
    numbers, tokens = by_turn.turn.to_numpy(int), by_turn.input_tokens.astype(float)
    grown: list[float] = np.diff(tokens)[np.diff(numbers) == 1].tolist()
    return grown


def _by_minute(rec: Recorded, cost: Cost, name: str, source: str) -> Figure:
    """Returns a figure of the whole cost; of a part it would pass for all."""
    if not rec.conversation.events_applied:
        return figures.unknown("usd", figures.NO_EVENTS)
    if math.isnan(cost.total_usd):
        return figures.unknown("usd", cost.reason or "the cost is not known")
    usd = float(getattr(cost, name))
    if math.isnan(usd):
        return figures.unknown("usd", cost.unknown[name])
    return Figure(usd, "usd", source=source)


# --- the microphone ---


def _input_lost(rec: Recorded) -> Figure:
    microphone = rec.header.get("microphone")
    report = microphone if isinstance(microphone, dict) else {}
    lost_ms, dropped_ms = report.get("lost_ms"), report.get("dropped_ms")
    if not isinstance(lost_ms, int | float) or not isinstance(dropped_ms, int | float):
        return figures.unknown("ms", "no microphone reported what it lost")
    return Figure(float(lost_ms + dropped_ms), "ms", source="microphone")


# --- errors ---


def _errors(rec: Recorded) -> dict[str, Figure]:
    conversation = rec.conversation
    if not conversation.events_applied:
        return {"errors_benign": figures.unknown("count", figures.NO_EVENTS)}
    codes = Counter(error.code or "no code" for error in conversation.errors)
    benign = sum(error.benign for error in conversation.errors)
    return {
        "errors_benign": figures.count(benign, "server"),
        **{
            f"{ERROR_PREFIX}{code}": figures.count(number, "server")
            for code, number in sorted(codes.items())
        },
    }
