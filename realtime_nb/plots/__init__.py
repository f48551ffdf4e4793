"""Pictures of sessions, drawn with matplotlib.

A plot takes values of the analysis and, if given, the axes to draw into, and returns the axes; it
knows neither sessions nor files. The colours are
after Okabe and Ito's palette and hold on white and on black; all else takes the colours of the
style in use.
"""

from __future__ import annotations

from realtime_nb.plots.lanes import plot_lanes
from realtime_nb.plots.latency import plot_latency
from realtime_nb.plots.style import (
    AGENT_COLOUR,
    CALL_COLOUR,
    ERROR_COLOUR,
    NEUTRAL_COLOUR,
    SPEECH_COLOUR,
    USER_COLOUR,
)
from realtime_nb.plots.timeline import envelope, plot_timeline
from realtime_nb.plots.usage import plot_cost, plot_usage
from realtime_nb.plots.waterfall import plot_stages, plot_waterfall

__all__ = [
    "AGENT_COLOUR",
    "CALL_COLOUR",
    "ERROR_COLOUR",
    "NEUTRAL_COLOUR",
    "SPEECH_COLOUR",
    "USER_COLOUR",
    "envelope",
    "plot_cost",
    "plot_lanes",
    "plot_latency",
    "plot_stages",
    "plot_timeline",
    "plot_usage",
    "plot_waterfall",
]
