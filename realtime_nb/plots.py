"""Pictures of sessions, drawn with matplotlib.

A plot takes values and, if given, the axes to draw into, and returns the axes. The colours are
after Okabe and Ito's palette, which people with any kind of colour vision can tell apart, and hold
on white and on black; all else takes the colours of the style in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.audio import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Clip", "Span", "TimelineData", "envelope", "plot_timeline"]

Span = tuple[float, float]
"""Start and end in seconds."""

USER_COLOUR = "#1A7FC1"
SPEECH_COLOUR = "#56B4E9"
AGENT_COLOUR = "#D55E00"
CALL_COLOUR = "#009E73"
ERROR_COLOUR = "#CC79A7"

_LANES = {"user": 2.3, "agent": 1.2, "calls": 0.4}
_HALF_HEIGHT = 0.46
_CALL_HALF_HEIGHT = 0.09
_QUIET = 0.05
"""A lane in which nothing is louder than this is not blown up to full height."""
_DETECTED = "speech, detected"
_SPEECH_ALPHA = 0.25
_MOST_NAMED_CALLS = 12
_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Clip:
    """Samples (24 kHz) and where they begin on the time axis, in seconds."""

    start_s: float
    samples: Samples


@dataclass(frozen=True, slots=True)
class TimelineData:
    """What a timeline shows. All times are seconds since the session began.

    Attributes:
        duration_s: length of the axis.
        user: what the microphone sent.
        agent: what was played.
        unheard: the agent's audio that was not, from where it would have been.
        padded: speech as the server reported it, padding and silence window included.
        detected: the same without them.
        calls: (arguments whole, output sent or None, name).
        errors: when the server refused something.
    """

    duration_s: float
    user: Sequence[Clip] = ()
    agent: Sequence[Clip] = ()
    unheard: Sequence[Clip] = ()
    padded: Sequence[Span] = ()
    detected: Sequence[Span] = ()
    calls: Sequence[tuple[float, float | None, str]] = ()
    errors: Sequence[float] = ()


def envelope(
    clips: Iterable[Clip], duration_s: float, bins: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the lowest and the highest sample in each of ``bins`` equal parts of the time axis.

    Both have shape (bins,), and NaN where no clip is.
    """
    low = np.full(bins, np.nan, np.float32)
    high = low.copy()
    bin_samples = duration_s * SAMPLE_RATE / bins
    for clip in clips:
        offset = clip.start_s * SAMPLE_RATE
        first = max(0, int(offset / bin_samples))
        last = min(bins, int(np.ceil((offset + len(clip.samples)) / bin_samples)))
        edges = np.rint(np.arange(first, last) * bin_samples - offset).astype(np.int64)
        edges, kept = np.unique(np.clip(edges, 0, None), return_index=True)
        inside = edges < len(clip.samples)
        edges, places = edges[inside], first + kept[inside]
        if len(edges) == 0:
            continue
        end = min(len(clip.samples), round(last * bin_samples - offset))
        samples = clip.samples[: max(end, int(edges[-1]) + 1)]
        low[places] = np.fmin(low[places], np.minimum.reduceat(samples, edges))
        high[places] = np.fmax(high[places], np.maximum.reduceat(samples, edges))
    return low, high


def plot_timeline(data: TimelineData, ax: Axes | None = None) -> Axes:
    """Draw who spoke when, what turn detection heard and which functions ran.

    The upper lane is the microphone, with speech as reported (light) and as detected (darker); the
    one below is the agent as it was played, with what was never heard faded; bars are function
    calls, crosses are errors.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(10, 2.9), layout="constrained")
    duration_s = max(data.duration_s, 0.1)
    ax.set_xlim(0, duration_s)
    bins = _pixels(ax)
    _draw_spans(ax, data.padded, "speech, padded")
    _draw_spans(ax, data.detected, _DETECTED)
    _draw_wave(ax, "user", [(data.user, 1.0, "")], duration_s, bins)
    _draw_wave(
        ax, "agent", [(data.unheard, 0.35, "not heard"), (data.agent, 1.0, "")], duration_s, bins
    )
    _draw_calls(ax, data.calls, duration_s, bins)
    _draw_errors(ax, data.errors)
    _dress(ax, duration_s, with_calls=bool(data.calls or data.errors))
    return ax


def _pixels(ax: Axes) -> int:
    """One bin per pixel of the axes' width, two on dense screens."""
    return int(max(200, ax.get_window_extent().width * 2))


def _draw_spans(ax: Axes, spans: Sequence[Span], label: str) -> None:
    whole = [(start_s, end_s - start_s) for start_s, end_s in spans if end_s > start_s]
    if whole:
        bottom = _LANES["user"] - _HALF_HEIGHT
        ax.broken_barh(
            whole,
            (bottom, 2 * _HALF_HEIGHT),
            facecolors=SPEECH_COLOUR,
            alpha=_SPEECH_ALPHA,
            linewidth=0,
            label=label,
        )


def _draw_wave(
    ax: Axes,
    lane: str,
    layers: Sequence[tuple[Sequence[Clip], float, str]],
    duration_s: float,
    bins: int,
) -> None:
    """Draws (clips, opacity, label) one over the other, at one scale."""
    colour = USER_COLOUR if lane == "user" else AGENT_COLOUR
    envelopes = [
        (envelope(clips, duration_s, bins), alpha, label) for clips, alpha, label in layers if clips
    ]
    peaks = [np.fmax.reduce(np.fmax(-low, high)) for (low, high), *_ in envelopes]
    scale = _HALF_HEIGHT / np.fmax.reduce([_QUIET, *peaks])
    times_s = (np.arange(bins) + 0.5) * duration_s / bins
    for (low, high), alpha, label in envelopes:
        ax.fill_between(
            times_s,
            _LANES[lane] + scale * low,
            _LANES[lane] + scale * high,
            facecolor=colour,
            edgecolor=colour,
            linewidth=0.6,
            alpha=alpha,
            label=label or None,
        )


def _draw_calls(
    ax: Axes, calls: Sequence[tuple[float, float | None, str]], duration_s: float, bins: int
) -> None:
    bottom = _LANES["calls"] - _CALL_HALF_HEIGHT
    letter_s = 14 * duration_s / bins
    free_s = 0.0
    for start_s, end_s, name in sorted(calls, key=lambda call: call[0]):
        stop_s = duration_s if end_s is None else end_s
        ax.broken_barh(
            [(start_s, max(stop_s - start_s, duration_s / bins))],
            (bottom, 2 * _CALL_HALF_HEIGHT),
            facecolors=CALL_COLOUR,
            edgecolors=CALL_COLOUR,
            linewidth=1,
            alpha=1.0 if end_s is not None else 0.4,
        )
        text = f"{name}, {'no output' if end_s is None else _duration(end_s - start_s)}"
        left_s = max(0.0, min(start_s, duration_s - len(text) * letter_s))
        if len(calls) > _MOST_NAMED_CALLS or left_s < free_s:
            continue  # it would cover the name before it
        free_s = left_s + len(text) * letter_s
        ax.annotate(
            text,
            (left_s, bottom),
            xytext=(0, -2),
            textcoords="offset points",
            va="top",
            fontsize="small",
        )


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _draw_errors(ax: Axes, errors: Sequence[float]) -> None:
    if errors:
        ax.scatter(
            errors,
            [_LANES["calls"]] * len(errors),
            marker="X",
            s=52,
            color=ERROR_COLOUR,
            linewidths=0,
            zorder=3,
            label="error",
        )


def _dress(ax: Axes, duration_s: float, *, with_calls: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    bottom = 0.0 if with_calls else _LANES["agent"] - _HALF_HEIGHT - 0.08
    ax.set_ylim(bottom, _LANES["user"] + _HALF_HEIGHT + 0.08)
    names = {"you": _LANES["user"], "agent": _LANES["agent"]}
    if with_calls:
        names["tools"] = _LANES["calls"]
    ax.set_yticks(list(names.values()), list(names))
    ax.tick_params(axis="y", length=0)
    step_s = next((step for step in _TICK_STEPS_S if duration_s / step <= 11), _TICK_STEPS_S[-1])
    ax.xaxis.set_major_locator(MultipleLocator(step_s))
    if duration_s > 90:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s // 60:.0f}:{s % 60:02.0f}"))
        ax.set_xlabel("time (min:s)")
    else:
        ax.set_xlabel("time (s)")
    ax.grid(axis="x", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "left", "right"):
        ax.spines[side].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        legend = ax.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=4,
            frameon=False,
            fontsize="small",
            borderaxespad=0,
            handlelength=1.2,
        )
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            if (
                handle is not None and text.get_text() == _DETECTED
            ):  # in the lane it lies over the padded speech
                handle.set_alpha(2 * _SPEECH_ALPHA - _SPEECH_ALPHA**2)
