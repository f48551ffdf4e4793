"""Metrics of a session's connection: how often it was lost, for how long, and what that cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import Figure

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = ["connection_figures"]

_UNITS = {
    **dict.fromkeys(("reconnects", "connections_lost"), "count"),
    **dict.fromkeys(("reconnect_gap_ms", "gap_audio_ms", "gap_speech_ms"), "ms"),
}
_NO_BEGINNING = "the beginning of the session was not recorded"
_UNTOLD = "nothing tells when the connection was lost"
_ON_PURPOSE = 1000


def connection_figures(rec: Recorded) -> dict[str, Figure]:
    """Returns every metric of this module; see
    :data:`realtime_nb.analysis.metrics.definitions.DEFINITIONS`."""
    conversation = rec.conversation
    if not conversation.events_applied:
        return figures.all_unknown(_UNITS, figures.NO_EVENTS)
    if not conversation.reconnections:
        return _without_reports(rec)
    table = rec.reconnections
    back = table[table.resumed_s.notna()]
    spoken = table.speech_lost_ms
    return {
        "reconnects": figures.count(len(back), "client"),
        "connections_lost": figures.count(int((table.outcome != "replaced").sum()), "client"),
        "reconnect_gap_ms": figures.spread(
            back.gap_s * 1000, "ms", "client", "the connection was never regained"
        ),
        "gap_audio_ms": figures.total(table.audio_lost_ms, "ms", "client"),
        "gap_speech_ms": figures.unless(
            figures.NO_INPUT if spoken.isna().any() else None,
            figures.total(spoken, "ms", rec.voices.source),
        ),
    }


def _without_reports(rec: Recorded) -> dict[str, Figure]:
    """Returns what is known where no session tells of its connection."""
    sessions = rec.conversation.sessions
    again = sessions - 1
    count = figures.unknown("count", _NO_BEGINNING) if not sessions else None
    code = rec.header.get("close_code")
    broke_off = isinstance(code, int) and code != _ON_PURPOSE
    untold = _NO_BEGINNING if not sessions else _UNTOLD if again > 0 else None
    never = f"the connection was never {'regained' if broke_off else 'lost'}"
    unsent = "nothing tells what was not sent when the connection broke" if broke_off else untold
    return {
        "reconnects": count or figures.count(again, "server"),
        "connections_lost": count or figures.count(again + broke_off, "server"),
        "reconnect_gap_ms": figures.unknown("ms", untold or never),
        "gap_audio_ms": figures.unless(unsent, figures.total([], "ms", "client")),
        "gap_speech_ms": figures.unless(unsent, figures.total([], "ms", "client")),
    }
