"""The figures by which voice agents are judged, each with how it was come by.

Turns with function calls are never in one percentile
with turns without; what can't be known is NaN with a reason, never 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.connection import connection_figures
from realtime_nb.analysis.metrics.definitions import DEFINITIONS, ERROR_PREFIX
from realtime_nb.analysis.metrics.figures import Figure
from realtime_nb.analysis.metrics.latency import latency_figures
from realtime_nb.analysis.metrics.session import session_figures
from realtime_nb.analysis.metrics.talk import talk_figures
from realtime_nb.analysis.pace import ENGINE_METRICS, pace_note

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = ["metrics"]

_SUCCESS_MS = 500.0
_FALSE_CAUSES = ("empty", "phantom_phrase", "short", "echo", "backchannel")


def metrics(rec: Recorded) -> pd.DataFrame:
    """Returns one row per metric, by name, and per code of the errors; see
    :data:`realtime_nb.analysis.metrics.definitions.DEFINITIONS`."""
    from realtime_nb.analysis.metrics.metrics_table import MetricsTable

    found: dict[str, Figure] = {}
    found |= latency_figures(rec)
    found |= _interruption_figures(rec)
    found |= talk_figures(rec)
    found |= _server_figures(rec)
    found |= session_figures(rec)
    found |= connection_figures(rec)
    note = pace_note(rec.header)
    if note is not None:
        found |= {name: figures.unknown("ms", note) for name in ENGINE_METRICS}
    names = list(DEFINITIONS)
    after = names.index("errors_benign") + 1
    names[after:after] = [name for name in found if name.startswith(ERROR_PREFIX)]
    rows = [{"metric": name, **found[name].row()} for name in names]
    table = frame("metrics", rows).set_index("metric")
    shown = MetricsTable(table)
    shown.attrs = table.attrs
    return shown


def _server_figures(rec: Recorded) -> dict[str, Figure]:
    if not rec.conversation.events_applied:
        return {"errors": figures.unknown("count", figures.NO_EVENTS)}
    return {"errors": figures.count(len(rec.conversation.errors), "server")}


def _interruption_figures(rec: Recorded) -> dict[str, Figure]:
    if not rec.conversation.events_applied:
        return _no_interruption_figures(figures.NO_EVENTS)
    lost = figures.gap(rec, "events.jsonl", "playback.jsonl")
    if lost is not None:
        return _no_interruption_figures(lost)
    table = rec.interruptions()
    stopped = table[table.kind == "interruption"]
    cut = stopped[stopped.cause != "program"]
    false = cut[cut["false"]]
    by_cause = {
        f"false_interruptions_{cause}": figures.count(int((false.cause == cause).sum()), "server")
        for cause in _FALSE_CAUSES
    }
    return {
        "interruptions": figures.count(len(cut), "server"),
        "stopped_by_program": figures.count(len(stopped) - len(cut), "server"),
        "false_interruptions": figures.count(len(false), "server"),
        **by_cause,
        "false_interruption_share": figures.share(
            len(false), len(cut), "server", "there were no interruptions"
        ),
        **_barge_in_figures(rec, table),
    }


def _no_interruption_figures(reason: str) -> dict[str, Figure]:
    by_cause = (f"false_interruptions_{cause}" for cause in _FALSE_CAUSES)
    counts = (
        *("interruptions", "stopped_by_program", "false_interruptions"),
        *("missed_barge_ins", "late_barge_ins"),
    )
    times = ("barge_in_response_ms", "barge_in_detection_ms", "barge_in_flush_ms")
    shares = ("false_interruption_share", "barge_in_success_share")
    units = {**dict.fromkeys((*counts, *by_cause), "count"), **dict.fromkeys(times, "ms")}
    units |= dict.fromkeys(shares, "share")
    return figures.all_unknown(units, reason)


def _barge_in_figures(rec: Recorded, table: pd.DataFrame) -> dict[str, Figure]:
    missed, late = (table[table.kind == kind] for kind in ("missed", "late"))
    spoken = table[(table.kind == "interruption") & (table.cause != "program")]
    meant = spoken[spoken.cause == "user"]
    known_ms = meant.response_ms.dropna()
    in_time = int((known_ms <= _SUCCESS_MS).sum())
    in_vain = len(missed) + int((~late.user_item.isin(spoken.user_item)).sum())
    untimed = figures.gap(rec, "times")
    reason = untimed or _why_nothing_is_missed(rec)
    unknown_stop = untimed or _UNKNOWN_STOP
    none = "nobody interrupted the agent"
    whose = " + ".join(sorted({str(one) for one in spoken.source.dropna()})) or "server"
    return {
        "missed_barge_ins": figures.unless(reason, figures.count(len(missed), rec.voices.source)),
        "late_barge_ins": figures.unless(reason, figures.count(len(late), rec.voices.source)),
        "barge_in_response_ms": figures.spread(
            spoken.response_ms, "ms", "playback", none if spoken.empty else unknown_stop
        ),
        "barge_in_detection_ms": figures.spread(
            spoken.detection_ms,
            "ms",
            whose + (", simulated" if rec.simulated else ""),
            none if spoken.empty else untimed or "when the user began to speak is unknown",
        ),
        "barge_in_flush_ms": figures.spread(
            spoken.flush_ms, "ms", "playback", none if spoken.empty else unknown_stop
        ),
        "barge_in_success_share": figures.unless(
            reason,
            figures.share(
                in_time, len(known_ms) + in_vain, "playback", none if meant.empty else unknown_stop
            ),
        ),
    }


_UNKNOWN_STOP = "when the agent fell silent is unknown"


def _why_nothing_is_missed(rec: Recorded) -> str | None:
    """Returns why it can't be known whether a barge-in was missed."""
    if not len(rec.sound("input")):
        return figures.NO_INPUT
    lost = figures.gap(rec, "input.wav", "input")
    if lost is not None:
        return lost
    if all(item.played_s is None for item in rec.conversation.items.values()):
        return figures.NO_PLAYBACK
    if rec.conversation.turn_detection is None and not rec.conversation.speech:
        return "turn detection was off"
    return None
