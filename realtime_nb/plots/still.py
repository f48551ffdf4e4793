"""A timeline as a small static SVG, for saved notebooks, representations and reports.

Text is in ``currentColor``, so that it suits the page that the SVG is written into; where the SVG
is an image of its own (``<img>``, ``image/svg+xml``), it follows the reader's light or dark scheme.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.plots import style
from realtime_nb.plots.timeline import MOST_CROWDED_CALLS, envelope, quiet_scale, response_kinds
from realtime_nb.protocol.words import counted, shortened

__all__ = ["timeline_svg"]

_MOST_COLUMNS = 720
"""More than this would be seen as little as it would add to the size."""
_MARGIN_PX = 70
_RIGHT_MARGIN_PX = 18
_WAVE_HALF_PX = 22.0
_WAVE_UNIT_PX = 0.5
"""Waves are drawn to half a pixel, in whole numbers."""
_OVERLAP = 1.3
"""Width of a column's stroke in columns: side by side, they would let the page shine through."""
_LETTER_PX = 6.4
_MOST_LETTERS = 24
_MOST_MARKS = 300
"""Errors and labels that are drawn."""

# Readers that don't know it draw the wave in its own colour.
_USER_STYLE = (
    f'style="stroke:color-mix(in srgb,{style.USER_COLOUR} {100 * style.USER_SHARE:.0f}%,'
    'currentColor)" '
)
# Of use only where the SVG is the whole document: in a page, the page's own colour is inherited.
_SCHEME = "@media (prefers-color-scheme:dark){svg:root{color:#e0e0e0}}"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def timeline_svg(data: TimelineData, *, width_px: int = 720) -> str:
    """Returns what :func:`~realtime_nb.plots.plot_timeline` draws as an SVG of at most 40 KB.

    It holds no script, no style but its own and no reference to anything outside; texts are
    escaped, and its title and description say in words what it shows.
    """
    still = _Still(data, max(240, width_px))
    lanes = list(still.lanes())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{still.width_px}" '
        f'height="{still.bottom_px:.0f}" viewBox="0 0 {still.width_px} {still.bottom_px:.0f}" '
        'style="max-width:100%;height:auto" font-family="system-ui,sans-serif" font-size="11" '
        'fill="currentColor">',
        f"<title>{_xml_text(_title(data))}</title>",
        f"<desc>{_xml_text(_description(data))}</desc>",
        f"<style>{_SCHEME}</style>",
        *lanes,
        "</svg>",
    ]
    return "".join(parts)


# --- in words -------------------------------------------------------------------------------------


def _title(data: TimelineData) -> str:
    return f"Timeline of {_length(data.duration_s)}"


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    return f"{minutes} min {rest_s} s"


def _description(data: TimelineData) -> str:
    names = sorted({name for *_, name in data.calls})
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    endings = {name: len(spans) for name, _, _, spans in response_kinds(data.responses)}
    cut, failed = endings.get("response, cut short"), endings.get("response, failed")
    unheard_s = sum(len(clip.samples) for clip in data.unheard) / 24_000
    heard = len(data.padded) + len(data.unreported)
    facts = [
        f"{counted(heard, 'stretch', 'stretches')} of the user's speech",
        f"{len(data.found)} of them from the offline detector" if data.found else "",
        counted(len(data.responses), "response") if data.responses else "",
        f"{cut} of them cut short" if cut else "",
        f"{failed} failed" if failed else "",
        f"{_length(unheard_s)} of the agent's audio not heard" if unheard_s else "",
        "the agent's audio as received, as nothing tells what was played" if data.received else "",
        f"{counted(len(data.calls), 'function call')} ({shown})" if data.calls else "",
        counted(len(data.errors), "error") if data.errors else "",
        counted(len(data.labels), "label") if data.labels else "",
        *(f"{words} at {start_s:.1f} s" for start_s, _, words in data.gaps[:3]),
    ]
    return "; ".join(fact for fact in facts if fact) + "."


def _xml_text(text: str) -> str:
    """Returns a text fit for XML: escaped, without the characters that it can't hold."""
    return escape(_UNPRINTABLE.sub("\ufffd", text))


# --- in lines -------------------------------------------------------------------------------------


class _Still:
    """Builds the picture from the top, lane by lane."""

    def __init__(self, data: TimelineData, width_px: int) -> None:
        self.data = data
        self.width_px = width_px
        self.begin_s, self.end_s = data.begin_s, max(data.duration_s, 0.1)
        self.length_s = self.end_s - self.begin_s
        self.columns = min(_MOST_COLUMNS, width_px - _MARGIN_PX - _RIGHT_MARGIN_PX)
        self.column_px = (width_px - _MARGIN_PX - _RIGHT_MARGIN_PX) / self.columns
        self.bottom_px = 4.0

    def lanes(self) -> Iterator[str]:
        data = self.data
        if data.labels:
            yield from self._lane("labels", 14)
            yield from self._labels()
        top_px = self.bottom_px
        yield from self._lane("you", 2 * _WAVE_HALF_PX)
        for spans in (data.padded, data.detected, data.found):
            yield self._spans(spans, 2 * _WAVE_HALF_PX, style.SPEECH_COLOUR, style.SPEECH_ALPHA)
        yield from self._waves([(data.user, 1.0)], style.USER_COLOUR, _USER_STYLE)
        yield from self._lane("agent", 2 * _WAVE_HALF_PX)
        layers = [(data.unheard, 0.45), (data.received, 0.7), (data.agent, 1.0)]
        yield from self._waves(layers, style.AGENT_COLOUR)
        if data.responses:
            yield from self._lane("responses", 8)
            for _, colour, alpha, spans in response_kinds(data.responses):
                yield self._spans(spans, 8, colour, alpha)
        if data.calls or data.errors:
            yield from self._lane("tools" if data.calls else "errors", 12)
            yield from self._calls()
            yield self._errors()
        yield self._label_lines(top_px)
        yield self._gaps(top_px)
        yield from self._time_axis()

    def _x(self, t_s: float) -> float:
        return _MARGIN_PX + self._column(t_s) * self.column_px

    def _column(self, t_s: float) -> float:
        return (t_s - self.begin_s) / self.length_s * self.columns

    def _lane(self, name: str, height_px: float) -> Iterator[str]:
        """Yields its name; from here on, the lane is the one between ``middle_px`` ± half its
        height."""
        self.middle_px = self.bottom_px + height_px / 2
        self.bottom_px += height_px + 6
        x_px, y_px = _MARGIN_PX - 8, self.middle_px + 4
        yield f'<text x="{x_px}" y="{y_px:g}" text-anchor="end">{name}</text>'

    def _spans(self, spans: Sequence[TimeSpan], height_px: float, colour: str, alpha: float) -> str:
        """Returns rectangles as strokes, at most one per column however many spans there are."""
        path, last = [], -1
        for start_s, end_s in sorted(span for span in spans if span[1] >= span[0]):
            start = max(last, int(self._column(start_s)), 0)
            end = min(self.columns, max(start + 1, round(self._column(end_s))))
            if end > start:
                path.append(f"M{start} 0h{end - start}")
                last = end
        if not path:
            return ""
        return (
            f'<path d="{"".join(path)}" stroke="{colour}" stroke-width="{height_px:g}" '
            f'opacity="{alpha:g}" transform="{self._in_columns()}"/>'
        )

    def _waves(
        self,
        layers: Sequence[tuple[Sequence[PlacedAudio], float]],
        colour: str,
        look: str = "",
    ) -> Iterator[str]:
        """Yields a vertical stroke per column, from its lowest sample to its highest."""
        envelopes = [
            (envelope(clips, self.end_s, self.columns, self.begin_s), alpha)
            for clips, alpha in layers
        ]
        scale = _WAVE_HALF_PX * quiet_scale(edges for edges, _ in envelopes) / _WAVE_UNIT_PX
        for (low, high), alpha in envelopes:
            path, x, y = [], 0, 0
            for column in np.flatnonzero(~np.isnan(low)).tolist():
                top = -round(scale * float(high[column]))
                bottom = max(-round(scale * float(low[column])), top + 1)
                path.append(f"m{column - x} {top - y}v{bottom - top}".replace(" -", "-"))
                x, y = column, bottom
            if path:
                transform = self._in_columns(0.5, _WAVE_UNIT_PX)
                yield (
                    f'<path d="{"".join(path)}" stroke="{colour}" stroke-width="{_OVERLAP:g}" '
                    f'fill="none" opacity="{alpha:g}" {look}'
                    f'transform="{transform}"/>'
                )

    def _in_columns(self, aside: float = 0.0, unit_px: float = 1.0) -> str:
        """Returns a transform after which x counts columns, and y is from the middle of the
        lane."""
        left_px = _MARGIN_PX + aside * self.column_px
        scale = f"scale({self.column_px:g} {unit_px:g})"
        return f"translate({left_px:g} {self.middle_px:g}){scale}"

    def _calls(self) -> Iterator[str]:
        whole = [(start_s, end_s) for start_s, end_s, _ in self.data.calls if end_s is not None]
        open_ended = [
            (start_s, self.end_s) for start_s, end_s, _ in self.data.calls if end_s is None
        ]
        yield self._spans(whole, 9, style.CALL_COLOUR, 1.0)
        yield self._spans(open_ended, 9, style.CALL_COLOUR, 0.4)
        if self.data.calls:
            yield from self._names(self._apart(), self.middle_px + 16)
            self.bottom_px += 13

    def _apart(self) -> list[tuple[float, str]]:
        """Returns calls' names; when there are many, only where no other call is above the name."""
        named = sorted((start_s, name) for start_s, _, name in self.data.calls)
        if len(named) <= MOST_CROWDED_CALLS:
            return named
        second_px = self.columns * self.column_px / self.length_s
        ends_s = [start_s for start_s, _ in named[1:]] + [self.end_s]
        return [
            (start_s, name)
            for (start_s, name), end_s in zip(named, ends_s, strict=True)
            if (end_s - start_s) * second_px > len(name) * _LETTER_PX
        ]

    def _errors(self) -> str:
        crosses = "".join(
            f"M{_coordinate(self._x(t_s) - 4)} -4l8 8m0-8l-8 8"
            for t_s in self.data.errors[:_MOST_MARKS]
        )
        if not crosses:
            return ""
        return (
            f'<path d="{crosses}" stroke="{style.ERROR_COLOUR}" stroke-width="2.5" fill="none" '
            f'transform="translate(0 {self.middle_px:g})"/>'
        )

    def _labels(self) -> Iterator[str]:
        yield from self._names(self.data.labels, self.middle_px + 4)

    def _gaps(self, top_px: float) -> str:
        """Returns a shade over all lanes where there was no connection."""
        self.middle_px = (top_px + self.bottom_px) / 2
        spans = [(start_s, end_s) for start_s, end_s, _ in self.data.gaps]
        return self._spans(spans, self.bottom_px - top_px, style.ERROR_COLOUR, style.GAP_ALPHA)

    def _label_lines(self, top_px: float) -> str:
        lines = "".join(
            f"M{_coordinate(self._x(t_s))} {top_px:g}V{self.bottom_px:g}"
            for t_s, _ in self.data.labels[:_MOST_MARKS]
        )
        if not lines:
            return ""
        return f'<path d="{lines}" stroke="currentColor" stroke-dasharray="1 2" opacity=".7"/>'

    def _names(self, named: Iterable[tuple[float, str]], y_px: float) -> Iterator[str]:
        """Yields those names for which there is room, from the left."""
        free_px = 0.0
        for t_s, name in sorted(named):
            name = shortened(name, _MOST_LETTERS)
            length_px = len(name) * _LETTER_PX
            left_px = min(self._x(t_s), self.width_px - length_px)
            if left_px >= free_px:
                free_px = left_px + length_px + 8
                yield f'<text x="{_coordinate(left_px)}" y="{y_px:g}">{_xml_text(name)}</text>'

    def _time_axis(self) -> Iterator[str]:
        top_px = self.bottom_px
        step_s = style.time_tick_step_s(self.length_s, most=8)
        first_s = np.ceil(self.begin_s / step_s - 1e-9) * step_s
        ticks_s = np.arange(first_s, self.end_s * (1 + 1e-9), step_s)
        marks = "".join(f"M{_coordinate(self._x(t_s))} {top_px:g}v4" for t_s in ticks_s)
        line = f"M{_MARGIN_PX} {top_px:g}H{self.width_px - _RIGHT_MARGIN_PX}"
        yield f'<path d="{line}{marks}" stroke="currentColor" opacity=".6" fill="none"/>'
        for t_s in ticks_s:
            tick = style.time_tick(float(round(t_s, 3)) + 0.0, self.end_s)
            unit = " s" if t_s == 0 and self.end_s <= 90 else ""
            yield (
                f'<text x="{_coordinate(self._x(t_s))}" y="{top_px + 15:g}" text-anchor="middle">'
                f"{tick}{unit}</text>"
            )
        self.bottom_px += 20


def _coordinate(value: float) -> str:
    """Returns a coordinate to a tenth of a pixel, in as few letters as can be."""
    return f"{value:.1f}".removesuffix(".0").replace("-0.", "-.").removeprefix("0") or "0"
