"""All events of a session, a lane for each family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.plots import style
from realtime_nb.protocol.dialect import ga_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_lanes"]

_FAMILIES = (
    ("session", ("session.",)),
    (
        "speech",
        (
            "input_audio_buffer.speech_",
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
        ),
    ),
    ("input audio", ("input_audio_buffer.",)),
    (
        "transcripts",
        (
            "conversation.item.input_audio_transcription.",
            "response.output_audio_transcript.",
            "response.output_text.",
        ),
    ),
    ("items", ("conversation.",)),
    (
        "function calls",
        ("response.function_call_arguments.", "response.mcp_call", "mcp_list_tools."),
    ),
    ("agent's audio", ("response.output_audio.", "output_audio_buffer.")),
    ("responses", ("response.",)),
    ("rate limits", ("rate_limits.",)),
    ("errors", ("error",)),
)
"""Names and the beginnings of their events' types; the first that fits counts.

GA's names: a beta event has the family of the one that it stands for."""

_LOST_RACES = "lost races"
"""Errors that changed nothing: a lane of its own, and no crosses."""

_ORDER = (
    "session",
    "input audio",
    "speech",
    "items",
    "responses",
    "agent's audio",
    "transcripts",
    "function calls",
    "rate limits",
    "errors",
    _LOST_RACES,
    "other",
)
_HALF_HEIGHT = 0.42
_DENSE_PER_PX = 1.0
"""Lanes with more events than this show how many there are instead of each."""
_FINE_PER_PX = 0.1
"""Lanes with more events than this have thinner marks."""
_MOST_CROSSES = 60
_BIN_PX = 3.0


@style.on_any_page
def plot_lanes(
    events: pd.DataFrame, ax: Axes | None = None, lost_races: Iterable[int] = ()
) -> Axes:
    """Draws every event by its time, a lane for each family.

    What was sent points up from the middle of its lane, what was received down. Where events
    are too close to be told apart (audio, deltas), the height is how many there are.

    Args:
        events: Columns ``t_s``, ``direction`` (``sent`` or ``received``) and ``type``.
        ax: Where to draw; without it, a figure as high as the families need.
        lost_races: ``seq`` of the errors that a race between client and server brought about, as
            the recording knows them: they changed nothing.
    """

    families = _families(events)
    if lost := set(lost_races):
        families[events["seq"].isin(lost).to_numpy(bool)] = _LOST_RACES
    present = [name for name in _ORDER if (families == name).any()]
    ax = style.axes_or_new(ax, 0.34 * max(3, len(present)))
    times_s = events["t_s"].to_numpy(float)
    sent = (events["direction"] == "sent").to_numpy(bool)
    duration_s = max(0.1, float(np.nanmax(times_s, initial=0.0)))
    ax.set_ylim(len(present) - 0.45, -0.55)
    if not present:
        ax.set_ylim(1, 0)
    counts = [int((families == name).sum()) for name in present]
    ax.set_yticks(
        range(len(present)),
        [f"{name}  {count:,}" for name, count in zip(present, counts, strict=True)],
    )
    style.strip_frame(ax, grid="x")
    style.settle(ax)
    style.time_axis(ax, duration_s)
    width_px = style.size_px(ax)[0]
    ink = style.ink()
    ax.hlines(range(len(present)), 0, duration_s, colors=ink, linewidth=0.5, alpha=0.3)
    for row, name in enumerate(present):
        inside = families == name
        if name == "errors":
            _draw_errors(ax, times_s[inside], row)
        elif inside.sum() > width_px * _DENSE_PER_PX:
            _draw_density(ax, times_s[inside], sent[inside], row, (duration_s, width_px))
        else:
            thin = inside.sum() > width_px * _FINE_PER_PX
            _draw_ticks(ax, times_s[inside], sent[inside], row, 0.7 if thin else 1.4)
    style.legend_above(ax, _directions(sent))
    if not present:
        style.nothing(ax, "no events")
    return ax


def _families(events: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Returns the family of each event."""
    import pandas as pd

    codes, types = pd.factorize(events["type"])
    names = np.array([*(_family(str(kind)) for kind in types), _LOST_RACES, "other"])
    return names[codes]  # of no type: −1, the last


def _family(kind: str) -> str:
    kind = ga_name(kind)
    return next((name for name, begins in _FAMILIES if kind.startswith(begins)), "other")


def _draw_ticks(
    ax: Axes,
    times_s: npt.NDArray[np.float64],
    sent: npt.NDArray[np.bool_],
    row: int,
    width_pt: float,
) -> None:
    for direction, colour, side in ((True, style.USER_COLOUR, -1), (False, style.AGENT_COLOUR, 1)):
        there_s = times_s[sent == direction]
        if len(there_s):
            ax.vlines(there_s, row, row + side * _HALF_HEIGHT, colors=colour, linewidth=width_pt)


def _draw_density(
    ax: Axes,
    times_s: npt.NDArray[np.float64],
    sent: npt.NDArray[np.bool_],
    row: int,
    size: tuple[float, float],
) -> None:
    """Draws how many events there are in each few pixels, at one scale for both directions."""
    duration_s, width_px = size
    bins = int(np.clip(len(times_s) / 4, 20, width_px / _BIN_PX))
    edges_s = np.linspace(0, duration_s, bins + 1)
    counts = {way: np.histogram(times_s[sent == way], edges_s)[0] for way in (True, False)}
    most = max(int(count.max()) for count in counts.values()) or 1
    for direction, colour, side in ((True, style.USER_COLOUR, -1), (False, style.AGENT_COLOUR, 1)):
        if counts[direction].any():
            ax.stairs(
                row + side * _HALF_HEIGHT * counts[direction] / most,
                edges_s,
                baseline=row,
                fill=True,
                color=colour,
                linewidth=0,
            )


def _draw_errors(ax: Axes, times_s: npt.NDArray[np.float64], row: int) -> None:
    if len(times_s) > _MOST_CROSSES:
        edges = (row - _HALF_HEIGHT, row + _HALF_HEIGHT)
        ax.vlines(times_s, *edges, colors=style.ERROR_COLOUR, linewidth=1)
        return
    ax.scatter(
        times_s,
        np.full(len(times_s), row),
        marker="X",
        s=52,
        color=style.ERROR_COLOUR,
        linewidths=0,
    )


def _directions(sent: npt.NDArray[np.bool_]) -> list[Artist]:
    from matplotlib.patches import Patch

    return [
        Patch(color=colour, label=label)
        for there, colour, label in (
            (sent.any(), style.USER_COLOUR, "sent, upwards"),
            ((~sent).any(), style.AGENT_COLOUR, "received, downwards"),
        )
        if there
    ]
