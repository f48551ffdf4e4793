"""A recording at a glance: what it is, its key figures and a small timeline."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from realtime_nb.analysis.headline import headline, with_calls
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.protocol.wire import encodable

if TYPE_CHECKING:
    from realtime_nb.analysis.timeline import TimelineData

__all__ = ["Summarised", "key_figures", "server_of", "summary_html"]

_TILE = "display:inline-block;margin:0 18px 4px 0;line-height:1.3;font-variant-numeric:tabular-nums"
_QUIET = "opacity:.7;font-size:85%"


class Summarised(Recorded, Protocol):
    """What a summary is made of."""

    @property
    def problems(self) -> Sequence[str]:
        """What is damaged or missing."""

    @property
    def timeline_data(self) -> TimelineData:
        """What the timeline shows."""

    def facts(self) -> Mapping[str, str]:
        """Returns what there is to say in a line."""


def key_figures(rec: Recorded) -> Iterator[tuple[str, str]]:
    """Yields (name, value) of what is asked first; nothing that takes more than a moment.

    What is not known is left out.
    """
    turns = rec.turns
    yield "turns", str(len(turns))
    yield from _latencies(rec)
    if len(turns):
        yield "answers cut short", str(int(turns["interrupted"].sum()))
    if len(rec.calls):
        yield "function calls", str(len(rec.calls))
    if rec.conversation.refused:
        yield "errors", str(len(rec.conversation.refused))
    cost = rec.cost()
    if len(rec.usage) and not math.isnan(cost.priced_usd):
        yield "cost", cost.amount


def _latencies(rec: Recorded) -> Iterator[tuple[str, str]]:
    told = headline(rec.latency)
    if told.turns:
        whose = "local voice to voice" if rec.simulated else "voice to voice"
        yield f"{whose}, {told.average}", f"{told.ms:.0f} ms"
    called_ms = with_calls(rec.latency)["latency_ms"].dropna()
    if len(called_ms):
        yield f"median of {len(called_ms)} with calls", f"{called_ms.median():.0f} ms"
    slowest_ms = rec.latency["latency_ms"].max()
    if not math.isnan(slowest_ms):
        yield "slowest answer of all", f"{slowest_ms:.0f} ms"


def server_of(header: Mapping[str, Any]) -> str:
    """Returns who answered, by what ``session.json`` says: ``"openai gpt-realtime-2"``."""
    endpoint = header.get("endpoint")
    kind = endpoint.get("kind") if isinstance(endpoint, dict) else endpoint
    return " ".join(str(name) for name in dict.fromkeys((kind, header.get("model"))) if name)


def summary_html(rec: Summarised) -> str:
    """Returns a static piece of HTML: facts, key figures, timeline. It holds no audio."""
    facts = " · ".join(rec.facts().values())
    problems = "".join(f"<div>{html.escape(problem)}</div>" for problem in rec.problems)
    tiles = ""
    if rec.conversation.events_applied:
        tiles = "".join(
            f'<span style="{_TILE}"><span style="{_QUIET}">{html.escape(name)}</span><br>'
            f"<b>{html.escape(value)}</b></span>"
            for name, value in key_figures(rec)
        )
    return (
        f"<div><div><b>{html.escape(encodable(rec.path.name))}</b> "
        f'<span style="{_QUIET}">{html.escape(facts)}</span></div>'
        f"<div>{tiles}</div>{_still(rec)}{problems}</div>"
    )


def _still(rec: Summarised) -> str:
    from realtime_nb.plots.still import timeline_svg

    if not rec.duration_s > 0:
        return ""
    return timeline_svg(rec.timeline_data)
