"""Who spoke when, what turn detection heard, when the model answered and which functions ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "MOST_CROWDED_CALLS",
    "envelope",
    "plot_timeline",
    "quiet_scale",
    "response_kinds",
]

_HALF_HEIGHT = 0.46
_RESPONSE_HALF_HEIGHT = 0.07
_CALL_HALF_HEIGHT = 0.09
_QUIET = 0.05
"""A lane in which nothing is louder than this is not blown up to full height."""
_DETECTED = "speech, detected"
_FOUND = "speech, found offline"
_SPEECH_ALPHA = 0.25
MOST_CROWDED_CALLS = 12
"""With more calls, only those get their name that have the room until the next begins."""
_LONGEST_LABEL = 28
_RESPONSE_KINDS = {
    "cancelled": "response, cut short",
    "incomplete": "response, cut short",
    "failed": "response, failed",
}
"""By the status; every other, ``in_progress`` too, is just a response."""


# --- what is drawn --------------------------------------------------------------------------------


def envelope(
    clips: Iterable[PlacedAudio], duration_s: float, bins: int, begin_s: float = 0.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Returns the lowest and the highest sample in each of ``bins`` equal parts of the time axis,
    which goes from ``begin_s`` to ``duration_s``.

    Both have shape (bins,), and NaN where no clip is.
    """
    low = np.full(bins, np.nan, np.float32)
    high = low.copy()
    bin_samples = (duration_s - begin_s) * SAMPLE_RATE / bins
    for clip in clips:
        offset = (clip.start_s - begin_s) * SAMPLE_RATE
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


def quiet_scale(
    envelopes: Iterable[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
) -> float:
    """Returns what to multiply a lane's samples with so that its loudest is 1; silence stays
    low."""
    peaks = [float(np.fmax.reduce(np.fmax(-low, high))) for low, high in envelopes]
    return 1 / float(np.fmax.reduce([_QUIET, *peaks]))


def response_kinds(
    responses: Iterable[tuple[float, float, str]],
) -> Iterator[tuple[str, str, float, list[TimeSpan]]]:
    """Yields (name, colour, opacity, spans) for whole, cut-short and failed responses."""
    looks = {
        "response": (style.NEUTRAL_COLOUR, 1.0),
        "response, cut short": (style.NEUTRAL_COLOUR, 0.45),
        "response, failed": (style.ERROR_COLOUR, 1.0),
    }
    spans: dict[str, list[TimeSpan]] = {name: [] for name in looks}
    for start_s, end_s, status in responses:
        spans[_RESPONSE_KINDS.get(status, "response")].append((start_s, end_s))
    for name, (colour, alpha) in looks.items():
        if spans[name]:
            yield name, colour, alpha, spans[name]


@dataclass(frozen=True, slots=True)
class _Lanes:
    """The middles of the lanes, from the top; None where there is nothing to show."""

    labels: float | None
    user: float
    agent: float
    responses: float | None
    calls: float | None
    bottom: float
    top: float

    @classmethod
    def of(cls, data: TimelineData) -> _Lanes:
        user, agent = 2.3, 1.2
        bottom = agent - _HALF_HEIGHT - 0.08
        responses = calls = None
        if data.responses:
            responses = bottom - 0.1
            bottom = responses - _RESPONSE_HALF_HEIGHT - 0.08
        if data.calls or data.errors:
            calls = bottom - 0.2
            bottom = calls - 0.42
        labels = user + _HALF_HEIGHT + 0.2 if data.labels else None
        top = user + _HALF_HEIGHT + (0.4 if data.labels else 0.08)
        return cls(labels, user, agent, responses, calls, bottom, top)

    def names(self, lowest: str) -> dict[str, float]:
        """Returns what to write beside them."""
        lanes = {
            "labels": self.labels,
            "you": self.user,
            "agent": self.agent,
            "responses": self.responses,
            lowest: self.calls,
        }
        return {name: middle for name, middle in lanes.items() if middle is not None}


# --- drawing --------------------------------------------------------------------------------------


def plot_timeline(data: TimelineData, ax: Axes | None = None) -> Axes:
    """Draws who spoke when, what turn detection heard and which functions ran.

    The upper lane is the microphone, with speech as reported (light) and as detected (darker), and
    in a dashed frame what only the offline detector tells, as of push-to-talk; the one below is the
    agent as it was played, with what was never heard faded (of a log, as it came); then the
    model's responses; bars are function calls, crosses are errors, dotted lines marks made by
    people.

    However long the session, each pixel shows the lowest and the highest sample under it.
    """
    axis_s = data.begin_s, max(data.duration_s, 0.1)
    length_s = axis_s[1] - axis_s[0]
    lanes = _Lanes.of(data)
    ax = style.axes_or_new(ax, 0.75 + 0.84 * (lanes.top - lanes.bottom))
    _dress(ax, lanes.names("tools" if data.calls else "errors"), axis_s)
    letter_s = style.letter_px(ax) * length_s / style.size_px(ax)[0]
    bins = int(max(200, style.size_px(ax)[0] * 2))  # two per pixel, for dense screens
    ax.set_ylim(lanes.bottom, lanes.top)
    _draw_speech(ax, lanes.user, data)
    _draw_wave(ax, lanes.user, style.USER_COLOUR, [(data.user, 1.0, "")], axis_s, bins)
    layers = [
        (data.unheard, 0.45, "not heard"),
        (data.received, 0.7, "as received; playing unknown"),
        (data.agent, 1.0, ""),
    ]
    _draw_wave(ax, lanes.agent, style.AGENT_COLOUR, layers, axis_s, bins)
    if lanes.responses is not None:
        _draw_responses(ax, lanes.responses, data.responses, length_s / bins)
    if lanes.calls is not None:
        _draw_calls(ax, lanes.calls, data.calls, axis_s[1], bins, letter_s)
        _draw_errors(ax, lanes.calls, data.errors)
    if lanes.labels is not None:
        _draw_labels(ax, lanes, data.labels, letter_s)
    _explain(ax)
    style.settle(ax)
    return ax


def _draw_speech(ax: Axes, middle: float, data: TimelineData) -> None:
    from matplotlib.colors import to_rgba

    framed = {"edgecolors": style.SPEECH_COLOUR, "linewidths": 1.0, "linestyles": (0, (3, 2))}
    for spans, label, frame in (
        (data.padded, "speech, padded", {}),
        (data.detected, _DETECTED, {}),
        (data.found, _FOUND, framed),
    ):
        whole = np.array([span for span in spans if span[1] > span[0]])
        if len(whole):
            style.bars(
                ax,
                whole[:, 0],
                whole[:, 1],
                middle - _HALF_HEIGHT,
                middle + _HALF_HEIGHT,
                facecolors=to_rgba(style.SPEECH_COLOUR, _SPEECH_ALPHA),
                label=label,
                **frame,
            )


def _draw_wave(
    ax: Axes,
    middle: float,
    colour: str,
    layers: Sequence[tuple[Sequence[PlacedAudio], float, str]],
    axis_s: TimeSpan,
    bins: int,
) -> None:
    """Draws (clips, opacity, label) one over the other, at one scale."""
    begin_s, end_s = axis_s
    envelopes = [
        (envelope(clips, end_s, bins, begin_s), alpha, label)
        for clips, alpha, label in layers
        if clips
    ]
    scale = _HALF_HEIGHT * quiet_scale(edges for edges, *_ in envelopes)
    times_s = begin_s + (np.arange(bins) + 0.5) * (end_s - begin_s) / bins
    for (low, high), alpha, label in envelopes:
        ax.fill_between(
            times_s,
            middle + scale * low,
            middle + scale * high,
            facecolor=colour,
            edgecolor=colour,
            linewidth=0.6,
            alpha=alpha,
            label=label or None,
        )


def _draw_responses(
    ax: Axes, middle: float, responses: Sequence[tuple[float, float, str]], least_s: float
) -> None:
    for name, colour, alpha, spans in response_kinds(responses):
        edges = np.array(spans)
        style.bars(
            ax,
            edges[:, 0],
            np.fmax(edges[:, 1], edges[:, 0] + least_s),
            middle - _RESPONSE_HALF_HEIGHT,
            middle + _RESPONSE_HALF_HEIGHT,
            facecolors=colour,
            alpha=alpha,
            label=None if name == "response" else name,  # its lane is named
        )


def _draw_calls(
    ax: Axes,
    middle: float,
    calls: Sequence[tuple[float, float | None, str]],
    duration_s: float,
    bins: int,
    letter_s: float,
) -> None:
    bottom = middle - _CALL_HALF_HEIGHT
    in_order = sorted(calls, key=lambda call: call[0])
    for answered in (True, False):
        spans = [
            (start_s, duration_s if end_s is None else max(end_s, start_s + duration_s / bins))
            for start_s, end_s, _ in in_order
            if (end_s is not None) == answered
        ]
        if spans:
            starts_s, ends_s = zip(*spans, strict=True)
            style.bars(
                ax,
                starts_s,
                ends_s,
                bottom,
                bottom + 2 * _CALL_HALF_HEIGHT,
                facecolors=style.CALL_COLOUR,
                edgecolors=style.CALL_COLOUR,
                linewidths=1,
                alpha=1.0 if answered else 0.4,
            )
    for left_s, text in _call_names(in_order, duration_s, letter_s):
        ax.annotate(
            text,
            (left_s, bottom),
            xytext=(0, -2),
            textcoords="offset points",
            va="top",
            fontsize="small",
        )


def _call_names(
    calls: Sequence[tuple[float, float | None, str]], duration_s: float, letter_s: float
) -> Iterator[tuple[float, str]]:
    """Yields where to write which names, so that none covers another."""
    free_s = 0.0
    followers_s = [*(start_s for start_s, *_ in calls), duration_s][1:]
    for (start_s, end_s, name), next_s in zip(calls, followers_s, strict=True):
        time = "no output" if end_s is None else style.duration_text(end_s - start_s)
        text = f"{name}, {time}"
        width_s = len(text) * letter_s
        left_s = max(0.0, min(start_s, duration_s - width_s))
        crowded = len(calls) > MOST_CROWDED_CALLS and start_s + width_s > min(next_s, duration_s)
        if left_s >= free_s and not crowded:
            free_s = left_s + width_s
            yield left_s, text


def _draw_errors(ax: Axes, middle: float, errors: Sequence[float]) -> None:
    if errors:
        ax.scatter(
            errors,
            [middle] * len(errors),
            marker="X",
            s=60,
            facecolors=style.ERROR_COLOUR,
            edgecolors=ax.get_facecolor(),
            linewidths=0.8,
            zorder=3,
            label="error",
        )


def _draw_labels(
    ax: Axes, lanes: _Lanes, labels: Sequence[tuple[float, str]], letter_s: float
) -> None:
    """Draws dotted lines through all lanes; where there is room for its text, a line reaches it."""
    import matplotlib.pyplot as plt

    texts = dict(_label_texts(sorted(labels), ax.get_xlim()[1], letter_s))
    ends = [
        lanes.top if index in texts else lanes.user + _HALF_HEIGHT for index in range(len(labels))
    ]
    ax.vlines(
        [t_s for t_s, _ in sorted(labels)],
        lanes.bottom,
        ends,
        colors=plt.rcParams["text.color"],
        linestyles=(0, (1, 1.5)),
        linewidth=0.9,
        alpha=style.MUTED,
    )
    for t_s, text, side in texts.values():
        ax.annotate(
            text,
            (t_s, lanes.labels or lanes.top),
            xytext=(3 if side == "left" else -3, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize="small",
            parse_math=False,
        )


def _label_texts(
    labels: Sequence[tuple[float, str]], duration_s: float, letter_s: float
) -> Iterator[tuple[int, tuple[float, str, Literal["left", "right"]]]]:
    """Yields which labels are written out, where and how aligned, so that none covers another."""
    free_s = 0.0
    for index, (t_s, text) in enumerate(labels):
        short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1].rstrip()}…"
        width_s = (len(short) + 1) * letter_s
        if t_s >= free_s and t_s + width_s <= duration_s:
            free_s = t_s + width_s
            yield index, (t_s, short, "left")
        elif t_s - width_s >= free_s:  # it ends beyond the axis
            free_s = t_s
            yield index, (t_s, short, "right")


def _dress(ax: Axes, names: dict[str, float], axis_s: TimeSpan) -> None:
    ax.set_yticks(list(names.values()), list(names))
    style.strip_frame(ax, grid="x")
    ax.set_xlim(*axis_s)
    style.settle(ax)
    style.time_axis(ax, axis_s[1], axis_s[0])


def _explain(ax: Axes) -> None:
    style.legend_above(ax)
    legend = ax.get_legend()
    if legend is not None:
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            # In the lane it lies over the padded speech.
            if handle is not None and text.get_text() == _DETECTED:
                handle.set_alpha(2 * _SPEECH_ALPHA - _SPEECH_ALPHA**2)
