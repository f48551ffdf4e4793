"""Who spoke when, what turn detection heard, when the model answered and which functions ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData, TimelineTurn
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
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
_ROW = 0.21
"""Height of a line of text in a figure of our own; elsewhere, it depends on the axes' size."""
_MOST_ROWS_SHARE = 0.6
"""Of axes too low for their lines of text, which then overlap."""
_LEAST_SEEN = 0.005
_QUIET = 0.05
"""A lane in which nothing is louder than this is not blown up to full height."""
_DETECTED = "speech, detected"
_FOUND = "speech, found offline"
MOST_CROWDED_CALLS = 12
"""With more calls, only those get their name that have the room until the next begins."""
_LONGEST_LABEL = 28
_MORE = " +12"
"""How many more there are, of which there is no room for the names."""
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_LEAST_WRITTEN = 0.75
"""The share of the texts of turns that have room, with fewer of which turns are thinned."""
_READ_SAMPLES = 60 * SAMPLE_RATE
"""Of a long session, so much is read at once."""
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
        end = max(min(len(clip.samples), round(last * bin_samples - offset)), int(edges[-1]) + 1)
        for some, samples in _pieces(clip.samples, np.append(edges, end)):
            starts, at = edges[some] - edges[some.start], places[some]
            low[at] = np.fmin(low[at], np.minimum.reduceat(samples, starts))
            high[at] = np.fmax(high[at], np.maximum.reduceat(samples, starts))
    return low, high


def _pieces(sound: LongSound, edges: npt.NDArray[np.int64]) -> Iterator[tuple[slice, Samples]]:
    """Yields the parts between edges, so many at once as a minute holds, with their samples."""
    first = 0
    while first < len(edges) - 1:
        last = int(np.searchsorted(edges, edges[first] + _READ_SAMPLES, "right")) - 1
        some = slice(first, max(first + 1, last))
        yield some, sound[int(edges[some.start]) : int(edges[some.stop])]
        first = some.stop


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
    turns: float | None
    user: float
    latencies: float
    agent: float
    responses: float | None
    calls: float | None
    bottom: float
    top: float

    @classmethod
    def of(cls, data: TimelineData, row: float = _ROW) -> _Lanes:
        """Places them, with so much height for a line of text."""
        agent = 1.2
        answered = any(turn.latency_ms == turn.latency_ms for turn in data.turns)
        latencies = agent + _HALF_HEIGHT + (0.04 + row / 2 if answered else 0.09)
        user = latencies + (0.04 + row / 2 if answered else 0.09) + _HALF_HEIGHT
        bottom = agent - _HALF_HEIGHT - 0.08
        responses = calls = turns = labels = None
        if data.responses:
            responses = bottom - 0.1
            bottom = responses - _RESPONSE_HALF_HEIGHT - 0.08
        if data.calls or data.errors:
            calls = bottom - 0.2
            bottom = calls - _CALL_HALF_HEIGHT - (row + 0.1 if data.calls else 0.08)
        top = user + _HALF_HEIGHT + 0.04
        if data.turns:
            turns = top + row / 2
            top += row
        if data.labels:
            labels = top + row / 2
            top += row
        return cls(labels, turns, user, latencies, agent, responses, calls, bottom, top + 0.04)

    def names(self, lowest: str) -> dict[str, float]:
        """Returns what to write beside them."""
        lanes = {
            "labels": self.labels,
            "turns": self.turns,
            "you": self.user,
            "agent": self.agent,
            "responses": self.responses,
            lowest: self.calls,
        }
        return {name: middle for name, middle in lanes.items() if middle is not None}


# --- drawing --------------------------------------------------------------------------------------


@style.on_any_page
def plot_timeline(data: TimelineData, ax: Axes | None = None) -> Axes:
    """Draws who spoke when, what turn detection heard and which functions ran.

    The upper lane is the microphone, with speech as reported (light) and as detected (darker), and
    in a dashed frame what only the offline detector tells, as of push-to-talk; the one below is the
    agent as it was played, with what was never heard faded (of a log, as it came); then the
    model's responses; bars are function calls, crosses are errors, dotted lines marks made by
    people. Where there was no connection, all of them are shaded. Turns have their numbers where
    they begin, and above each answer its latency.

    However long the session, each pixel shows the lowest and the highest sample under it.

    Args:
        data: What there is to draw; ``data.part(start_s, end_s, turn)`` is a part of it.
        ax: Where to draw; without it, into a figure of its own.
    """
    axis_s = data.begin_s, max(data.duration_s, data.begin_s + 0.1)
    length_s = axis_s[1] - axis_s[0]
    lanes = _Lanes.of(data)
    ax = style.axes_or_new(ax, 0.84 * (lanes.top - lanes.bottom))
    lowest = "tools" if data.calls else "errors"
    _dress(ax, lanes.names(lowest), axis_s)
    lanes = _fitted(ax, data)
    _name_lanes(ax, lanes.names(lowest))
    letter_s = style.letter_px(ax) * length_s / style.size_px(ax)[0]
    bins = int(max(200, style.size_px(ax)[0] * 2))  # two per pixel, for dense screens
    ax.set_ylim(lanes.bottom, lanes.top)
    _draw_gaps(ax, lanes, data.gaps, length_s / bins)
    _draw_speech(ax, lanes.user, data)
    wave_colour = style.user_wave_colour(style.ink())
    _draw_wave(ax, lanes.user, wave_colour, [(data.user, 1.0, "")], axis_s, bins)
    if not data.user:
        _say_nothing(ax, lanes.user)
    if not (data.agent or data.unheard or data.received):
        _say_nothing(ax, lanes.agent)
    layers = [
        (data.unheard, 0.45, "not heard"),
        (data.received, 0.7, "as received; playing unknown"),
        (data.agent, 1.0, ""),
    ]
    _draw_wave(ax, lanes.agent, style.AGENT_COLOUR, layers, axis_s, bins)
    if lanes.responses is not None:
        _draw_responses(ax, lanes.responses, data.responses, length_s / bins)
    if lanes.calls is not None:
        _draw_calls(ax, lanes.calls, data.calls, axis_s, bins, letter_s)
        _draw_errors(ax, lanes.calls, data.errors)
    if lanes.labels is not None:
        _draw_labels(ax, lanes, data.labels, letter_s)
    _draw_turns(ax, lanes, data.turns, letter_s)
    _explain(ax)
    if data.simulated and any(turn.latency_ms == turn.latency_ms for turn in data.turns):
        style.caption(ax, [style.SIMULATED])
    return ax


def _fitted(ax: Axes, data: TimelineData) -> _Lanes:
    """Returns lanes whose lines of text are as high as the type, however low the axes are."""
    none, one = _Lanes.of(data, 0.0), _Lanes.of(data, 1.0)
    bare, rows = none.top - none.bottom, (one.top - one.bottom) - (none.top - none.bottom)
    # Of the axes' height, a line takes its share of the height that includes all lines.
    share = min(style.line_px(ax) / style.size_px(ax)[1], _MOST_ROWS_SHARE / max(rows, 1.0))
    return _Lanes.of(data, share * bare / (1 - rows * share))


def _draw_gaps(
    ax: Axes, lanes: _Lanes, gaps: Sequence[tuple[float, float, str]], least_s: float
) -> None:
    """Shades all lanes where there was no connection."""
    edges = np.array([gap[:2] for gap in gaps if gap[1] > gap[0]])
    if len(edges):
        style.bars(
            ax,
            edges[:, 0],
            np.fmax(edges[:, 1], edges[:, 0] + least_s),
            lanes.bottom,
            lanes.user + _HALF_HEIGHT,
            facecolors=style.ERROR_COLOUR,
            alpha=style.GAP_ALPHA,
            label="no connection",
        )


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
                facecolors=to_rgba(style.SPEECH_COLOUR, style.SPEECH_ALPHA),
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
            # A few silent samples are nothing that could be seen.
            label=(label or None) if _is_seen(low, high, scale) else None,
        )


def _say_nothing(ax: Axes, middle: float) -> None:
    """Says that a lane is empty because there is no sound of it."""
    ax.annotate(
        "no audio",
        (0.0, middle),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        fontstyle="italic",
        alpha=style.muted(),
    )


def _is_seen(low: npt.NDArray[np.float32], high: npt.NDArray[np.float32], scale: float) -> bool:
    height = float(np.fmax.reduce(np.fmax(-low, high), initial=0.0))
    return scale * height > _LEAST_SEEN


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
    axis_s: TimeSpan,
    bins: int,
    letter_s: float,
) -> None:
    begin_s, last_s = axis_s
    least_s = (last_s - begin_s) / bins
    bottom = middle - _CALL_HALF_HEIGHT
    in_order = sorted(calls, key=lambda call: call[0])
    for answered in (True, False):
        spans = [
            (start_s, last_s if end_s is None else max(end_s, start_s + least_s))
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
    for left_s, text in _call_names(in_order, axis_s, letter_s):
        # On the floor of the axes, above the ticks, however low the axes are.
        ax.annotate(
            text,
            (left_s, ax.get_ylim()[0]),
            xytext=(0, 1),
            textcoords="offset points",
            va="bottom",
            fontsize="small",
            parse_math=False,
        )


def _call_names(
    calls: Sequence[tuple[float, float | None, str]], axis_s: TimeSpan, letter_s: float
) -> Iterator[tuple[float, str]]:
    """Yields where to write which names, so that none covers another; of few calls, those without
    room for a name are counted beside the name before them."""
    begin_s, duration_s = axis_s
    crowded = len(calls) > MOST_CROWDED_CALLS
    most_letters = int((duration_s - begin_s) / letter_s) - len(_MORE)
    followers_s = [*(start_s for start_s, *_ in calls), duration_s][1:]
    placed: list[tuple[float, str]] = []
    left_out: list[int] = []
    free_s = begin_s
    for (start_s, end_s, name), next_s in zip(calls, followers_s, strict=True):
        time = "no output" if end_s is None else style.duration_text(end_s - start_s)
        room = min(_LONGEST_LABEL, max(1, most_letters - len(time) - 2))
        text = f"{style.shortened_to(name, room)}, {time}"
        width_s = style.letters(text) * letter_s
        left_s = max(begin_s, min(start_s, duration_s - width_s))
        if left_s >= free_s and not (crowded and start_s + width_s > min(next_s, duration_s)):
            free_s = left_s + width_s
            placed.append((left_s, text))
            left_out.append(0)
        elif placed and not crowded:
            free_s += 0 if left_out[-1] else len(_MORE) * letter_s
            left_out[-1] += 1
    for (left_s, text), others in zip(placed, left_out, strict=True):
        more = f" +{others}" if others else ""
        aside_s = duration_s - style.letters(text + more) * letter_s
        yield min(left_s, max(begin_s, aside_s)), text + more


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
    texts = dict(_label_texts(sorted(labels), ax.get_xlim(), letter_s))
    ends = [
        lanes.top if index in texts else lanes.user + _HALF_HEIGHT for index in range(len(labels))
    ]
    ax.vlines(
        [t_s for t_s, _ in sorted(labels)],
        lanes.bottom,
        ends,
        colors=style.ink(),
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
    labels: Sequence[tuple[float, str]], axis_s: TimeSpan, letter_s: float
) -> Iterator[tuple[int, tuple[float, str, Literal["left", "right"]]]]:
    """Yields which labels are written out, where and how aligned, so that none covers another."""
    free_s, duration_s = axis_s
    for index, (t_s, text) in enumerate(labels):
        short = style.shortened_to(text, _LONGEST_LABEL)
        width_s = (style.letters(short) + 1) * letter_s
        if t_s >= free_s and t_s + width_s <= duration_s:
            free_s = t_s + width_s + letter_s
            yield index, (t_s, short, "left")
        elif t_s - width_s >= free_s:  # it ends beyond the axis
            free_s = t_s
            yield index, (t_s, short, "right")


def _draw_turns(ax: Axes, lanes: _Lanes, turns: Sequence[TimelineTurn], letter_s: float) -> None:
    """Writes the numbers of turns where they begin, and latencies where answers do."""
    written = {"ha": "left", "va": "center", "fontsize": "small", "clip_on": False}
    begin_s, end_s = ax.get_xlim()
    numbers = [(turn.number, max(turn.start_s, begin_s), str(turn.number)) for turn in turns]
    for t_s, text in _thinned(numbers, (begin_s, end_s), letter_s):
        ax.text(t_s, lanes.turns or lanes.top, text, **written)  # type: ignore[arg-type]
    answers = [
        (turn.number, turn.answer_s, style.duration_text(turn.latency_ms / 1000))
        for turn in turns
        if turn.latency_ms == turn.latency_ms and begin_s <= turn.answer_s <= end_s
    ]
    for t_s, text in _thinned(answers, (begin_s, end_s), letter_s):
        ax.text(t_s, lanes.latencies, text, **written)  # type: ignore[arg-type]


def _thinned(
    texts: Sequence[tuple[int, float, str]], axis_s: TimeSpan, letter_s: float
) -> list[tuple[float, str]]:
    """Returns where to write the texts of how many turns there is room for: of all, of every
    second, fifth, tenth …; of turns close to each other, of the first."""
    placed: list[tuple[float, str]] = []
    for step in _STEPS:
        some = [(t_s, text) for number, t_s, text in texts if number % step == 0]
        if some:
            placed = list(_apart(some, axis_s, letter_s))
            if len(placed) >= _LEAST_WRITTEN * len(some):
                break
    return placed


def _apart(
    texts: Sequence[tuple[float, str]], axis_s: TimeSpan, letter_s: float
) -> Iterator[tuple[float, str]]:
    """Yields those for which there is room, from the left."""
    free_s, end_s = axis_s
    for t_s, text in sorted(texts):
        width_s = len(text) * letter_s
        left_s = min(t_s, end_s - width_s)
        if left_s >= free_s:
            free_s = left_s + width_s + 2 * letter_s
            yield left_s, text


def _name_lanes(ax: Axes, names: dict[str, float]) -> None:
    ax.set_yticks(list(names.values()), list(names))


def _dress(ax: Axes, names: dict[str, float], axis_s: TimeSpan) -> None:
    _name_lanes(ax, names)
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
                handle.set_alpha(2 * style.SPEECH_ALPHA - style.SPEECH_ALPHA**2)
