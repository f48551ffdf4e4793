"""Colours and dressing that all pictures share.

The colours are after Okabe and Ito's palette, which people with any kind of colour vision can tell
apart, and hold on white and on black; all else takes the colours of the style in use.
"""

from __future__ import annotations

import inspect
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from numbers import Real
from typing import TYPE_CHECKING, Any, ParamSpec
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.words import clock

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

_P = ParamSpec("_P")

__all__ = [
    "AGENT_COLOUR",
    "CALL_COLOUR",
    "ERROR_COLOUR",
    "GAP_ALPHA",
    "MUTED",
    "NEUTRAL_COLOUR",
    "SIMULATED",
    "SPEECH_ALPHA",
    "SPEECH_COLOUR",
    "USER_COLOUR",
    "USER_SHARE",
    "axes_or_new",
    "bars",
    "caption",
    "drawn_as",
    "duration_text",
    "ink",
    "legend_above",
    "letter_px",
    "letters",
    "line_px",
    "muted",
    "nothing",
    "on_any_page",
    "plot_style",
    "settle",
    "shortened_to",
    "size_px",
    "strip_frame",
    "time_axis",
    "time_tick",
    "time_tick_step_s",
    "user_wave_colour",
    "why_no_latency",
    "x_label",
]

USER_COLOUR = "#1A7FC1"
SPEECH_COLOUR = "#56B4E9"
AGENT_COLOUR = "#D55E00"
CALL_COLOUR = "#009E73"
ERROR_COLOUR = "#CC79A7"
NEUTRAL_COLOUR = "#878787"

USER_SHARE = 0.6
"""How much of the user's wave is its own colour, the rest is the text's."""

GAP_ALPHA = 0.16
SPEECH_ALPHA = 0.15
"""Opacity of speech behind the user's wave; where it is detected and padded, it lies twice."""

MUTED = 0.7
"""Opacity of what is said in passing, in the text's own colour; of text: `muted`."""

SIMULATED = "Latencies of the local server on this machine, not of a hosted service."

_GREY = "#757575"
"""Text that can be read on white (4.6 : 1) and on black (4.6 : 1)."""
_LIGHT_GREY = "#808080"
"""The same for the lanes' names. A notebook gives a transparent picture a background, white or
black, when all tick labels are on one side of medium grey; this is just on the other."""
_USER_ON_ANY_PAGE = "#2289CE"
"""The user's wave, 3 : 1 over the speech behind it, on white and on black."""
_ANY_PAGE = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color"), _GREY),
    "ytick.color": _LIGHT_GREY,
}

_CYCLE = (USER_COLOUR, AGENT_COLOUR, CALL_COLOUR, ERROR_COLOUR, "#B58900", NEUTRAL_COLOUR)
"""What lines of one figure are told apart by."""

_WIDTH_IN = 10.0
_WIDTHS_IN = (3.0, 40.0)
_PLAIN_RATIO = 0.6
_MOST_PLAIN_IN = 4.8
"""Height of figures that are not of this package: a share of their width, up to so much."""
_AXES_HEIGHTS_IN: WeakKeyDictionary[Figure, float] = WeakKeyDictionary()
"""Of own figures: they are higher by what is written around their axes."""
_LETTER_EM = 0.58
"""Width of a usual letter, as a share of the size of the type."""
_SMALL = 0.833
_LINE_EM = 1.75
"""Height of a line, with what is between lines, as a share of the size of the type."""
_LEAST_SHARE = 0.3
"""Of the figure's width and height that its axes keep whatever is written around them."""
_FEWEST_LETTERS = 16
_FEWEST_THIN_SHARE = 0.5
"""Bars to a pixel of the axes' width, from which they may be thinner than pixels."""
_BOX = "□"
_UNSEEN = "\ufe0e\ufe0f\u200d"
"""What only changes the look of the emoji beside it."""
_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@contextmanager
def drawn_as(parameters: Mapping[Any, str]) -> Iterator[None]:
    """Draws with some of matplotlib's parameters, which are as before afterwards.

    They alone: a notebook's backend turns "interactive" on with the first figure, and shows no
    later one, of anybody's, once it is off. So this is not ``rc_context``, which resets all.
    """
    import matplotlib.pyplot as plt

    before: dict[Any, Any] = {name: plt.rcParams[name] for name in parameters}
    plt.rcParams.update(parameters)
    try:
        yield
    finally:
        plt.rcParams.update(before)


def on_any_page(plot: Callable[_P, Axes]) -> Callable[_P, Axes]:
    """Returns a plot whose own figures hold on light and on dark pages.

    Unless a style was chosen, or axes are given, the figure is transparent and its text grey: what
    shows it doesn't tell matplotlib which theme it has.
    """

    @wraps(plot)
    def drawn(*args: _P.args, **options: _P.kwargs) -> Axes:
        given = inspect.signature(plot).bind(*args, **options).arguments.get("ax")
        plain = given is None and _is_plain()
        with drawn_as(_ANY_PAGE if plain else {}):
            ax = plot(*args, **options)
            for one in ax.figure.axes if plain else ():  # of ticks that are yet to come, too
                one.tick_params(axis="x", colors=_GREY)
                one.tick_params(axis="y", colors=_LIGHT_GREY)
            settle(ax)
        return ax

    return drawn


def _is_plain() -> bool:
    """Tells whether the colours are matplotlib's own, that is black on white."""
    import matplotlib as mpl

    now, plain = dict(mpl.rcParams.items()), dict(mpl.rcParamsDefault.items())
    return all(now.get(name) == plain.get(name) for name in _ANY_PAGE)


def plot_style(*, width_in: float | None = None) -> dict[str, Any]:
    """Returns settings with which your own figures hold on light and on dark pages.

    ::

        import matplotlib.pyplot as plt

        plt.style.use(rt.plot_style())
        plt.style.use(rt.plot_style(width_in=4.5))  # for a narrow cell, a phone, a column

    Figures are transparent, texts and axes of a grey that can be read on white and on black, and
    colours follow each other that hold on both and that people with any kind of colour vision can
    tell apart. The plots of this package look like that by themselves, and nothing is set for
    yours unless you ask for it; ``plt.style.use("default")`` takes it back.

    A page shrinks a figure that is wider than its cell, letters too. A width that suits the cell
    keeps them: the plots of this package are as wide as ``figure.figsize`` says, once anybody has
    changed it, and as high as what they show.

    Args:
        width_in: Width of new figures in inches, of 100 pixels each unless ``figure.dpi`` was
            changed; None leaves ``figure.figsize`` as it is (10 inches for this package's plots).

    Raises:
        ConfigurationError: The width is not a number from 3 to 40.
    """
    from cycler import cycler

    size = {} if width_in is None else {"figure.figsize": _figure_size(width_in)}
    cycle = cycler(color=_CYCLE)
    return {**_ANY_PAGE, "legend.edgecolor": _GREY, "axes.prop_cycle": cycle, **size}


def _figure_size(width_in: Any) -> tuple[float, float]:
    low, high = _WIDTHS_IN
    is_number = isinstance(width_in, Real) and not isinstance(width_in, bool)
    if not is_number or not low <= float(width_in) <= high:
        raise ConfigurationError(
            f"width_in is {width_in!r}; give inches from {low:g} to {high:g}, such as 4.5 for a "
            "cell of 450 pixels."
        )
    return float(width_in), min(_PLAIN_RATIO * float(width_in), _MOST_PLAIN_IN)


def muted() -> float:
    """Returns the opacity of text that is said in passing: grey is as faint as can be read."""
    return 1.0 if ink() == _GREY else MUTED


def ink() -> str:
    """Returns the colour of text in the style in use."""
    import matplotlib.pyplot as plt

    return str(plt.rcParams["text.color"])


def user_wave_colour(ink: str) -> str:
    """Returns the colour of the user's wave, which stands out from the speech behind it: it lies
    towards the colour of the text."""
    from matplotlib.colors import to_hex, to_rgb

    if ink == _GREY:
        return _USER_ON_ANY_PAGE
    pairs = zip(to_rgb(USER_COLOUR), to_rgb(ink), strict=True)
    red, green, blue = (USER_SHARE * own + (1 - USER_SHARE) * other for own, other in pairs)
    return to_hex((red, green, blue))


def axes_or_new(ax: Axes | None, height_in: float) -> Axes:
    """Returns the axes given, or those of a new figure, which stay so high whatever is written
    around them."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    figure, made = plt.subplots(figsize=(width_in(), height_in + 1), layout="constrained")
    _AXES_HEIGHTS_IN[figure] = height_in
    return made


def width_in() -> float:
    """Returns how wide a new figure is: as ``figure.figsize`` says, where that is not
    matplotlib's own."""
    import matplotlib as mpl

    width, height = (float(edge) for edge in mpl.rcParams["figure.figsize"])
    plain = tuple(mpl.rcParamsDefault["figure.figsize"])
    return _WIDTH_IN if (width, height) == plain else width


def settle(ax: Axes) -> None:
    """Gives the axes the place that they will have with what is written around them by now.

    What is drawn next can then be made to fit. A figure without a layout of its own that shows
    nothing else gets wider margins where they would cut off what is written in them.
    """
    root = ax.figure.canvas.figure
    layout = root.get_layout_engine()
    if layout is not None:
        if (height_in := _AXES_HEIGHTS_IN.get(root)) is not None:
            around_in = (_written(root).height - size_px(ax)[1]) / root.dpi
            padding_in = 2 * float(layout.get()["h_pad"])
            root.set_figheight(height_in + around_in + padding_in)
        layout.execute(root)
    elif _is_alone(ax, root):
        _widen_margins(ax, root)


def _is_alone(ax: Axes, root: Figure) -> bool:
    place = ax.get_subplotspec()
    return place is not None and all(other.get_subplotspec() is place for other in root.axes)


def _widen_margins(ax: Axes, root: Figure) -> None:
    written, place = _written(root), ax.get_position()
    width_px, height_px = (float(edge) for edge in root.bbox.size)
    edge_px = 0.03 * root.dpi
    left = place.x0 + max(0.0, edge_px - written.x0) / width_px
    right = place.x1 - max(0.0, written.x1 + edge_px - width_px) / width_px
    bottom = place.y0 + max(0.0, edge_px - written.y0) / height_px
    top = place.y1 - max(0.0, written.y1 + edge_px - height_px) / height_px
    if right - left >= _LEAST_SHARE and (left, right) != (place.x0, place.x1):
        root.subplots_adjust(left=left, right=right)
    if top - bottom >= _LEAST_SHARE and (bottom, top) != (place.y0, place.y1):
        root.subplots_adjust(bottom=bottom, top=top)


def _written(root: Figure) -> Bbox:
    """Returns what the axes of a figure take up with all that is written around them, in pixels."""
    from matplotlib.transforms import Bbox

    boxes = [box for one in root.axes if (box := one.get_tightbbox()) is not None]
    return Bbox.union(boxes) if boxes else root.bbox.frozen()


def size_px(ax: Axes) -> tuple[float, float]:
    """Returns width and height of the axes in pixels."""
    extent = ax.get_window_extent()
    return float(extent.width), float(extent.height)


def letter_px(ax: Axes, size_pt: float | None = None) -> float:
    """Returns about how wide a letter is, in pixels: of small type, unless told its size."""
    import matplotlib.pyplot as plt

    size_pt = plt.rcParams["font.size"] * _SMALL if size_pt is None else size_pt
    return float(_LETTER_EM * size_pt * ax.figure.dpi / 72)


def letters(text: str) -> int:
    """Returns how many letters are as wide as a text; those of East Asia and emoji are wide."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def shortened_to(text: str, most: int) -> str:
    """Returns a text that others wrote, on one line of so many letters, in which what the type has
    no picture for is a box: matplotlib would draw one, too, and warn of each."""
    line = _drawable(" ".join(text.split()))
    if letters(line) <= most:
        return line
    while line and letters(line) > most - 1:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _drawable(text: str) -> str:
    import matplotlib.pyplot as plt
    from matplotlib.font_manager import FontProperties, findfont, get_font

    if text.isascii():
        return text
    families = plt.rcParams["font.family"]
    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    shown = (one for one in unicodedata.normalize("NFC", text) if one not in _UNSEEN)
    return "".join(
        one if any(font.get_char_index(ord(one)) for font in fonts) else _BOX for one in shown
    )


def line_px(ax: Axes) -> float:
    """Returns how high a line of small type is, in pixels."""
    import matplotlib.pyplot as plt

    return float(_LINE_EM * plt.rcParams["font.size"] * _SMALL * ax.figure.dpi / 72)


def bars(
    ax: Axes,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    bottom: npt.ArrayLike,
    top: npt.ArrayLike,
    **style: object,
) -> PolyCollection:
    """Draws any number of rectangles as one artist; the edges broadcast against each other.

    The limits of the axes stay as they are.
    """
    from matplotlib.collections import PolyCollection

    edges = np.broadcast_arrays(*(np.asarray(edge, float) for edge in (left, right, bottom, top)))
    x0, x1, y0, y1 = (np.atleast_1d(edge) for edge in edges)
    corners = np.stack([x0, y0, x0, y1, x1, y1, x1, y0], axis=-1).reshape(-1, 4, 2)
    # Thin ones that are drawn to whole pixels make stripes that aren't there.
    snap = None if len(corners) < _FEWEST_THIN_SHARE * size_px(ax)[0] else False
    look: dict[str, Any] = {"linewidths": 0, "snap": snap, **style}
    drawn = PolyCollection(list(corners), **look)
    ax.add_collection(drawn, autolim=False)
    return drawn


def strip_frame(ax: Axes, grid: str) -> None:
    """Leaves one axis line, and faint grid lines across it.

    Args:
        ax: What to dress.
        grid: ``"x"`` for vertical lines over the lower axis, ``"y"`` for horizontal ones.
    """
    for side in ("top", "right", "left" if grid == "x" else "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y" if grid == "x" else "x", length=0)
    ax.grid(axis="x" if grid == "x" else "y", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def legend_above(
    ax: Axes, handles: Sequence[Artist] | None = None, *, columns: int = 7, right: bool = True
) -> None:
    """Puts the legend, if there is anything in it, above the axes, where it covers nothing.

    It has as many columns as there is room for, ``columns`` at most.
    """
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    if not handles:
        return
    box, whole = ax.get_window_extent(), ax.get_tightbbox()
    # To the left of the axes it may lie above what names their lanes.
    room_px = box.x1 - (min(box.x0, whole.x0) if right and whole is not None else box.x0)
    for fitting in range(min(columns, len(handles)), 0, -1):
        legend = ax.legend(
            handles=handles,
            loc="lower right" if right else "lower left",
            bbox_to_anchor=(1.0 if right else 0.0, 1.0),
            ncols=fitting,
            frameon=False,
            fontsize="small",
            borderaxespad=0.2,
            borderpad=0.2,
            handlelength=1.2,
            handletextpad=0.6,
            columnspacing=1.2,
        )
        if legend.get_window_extent().width <= room_px:
            return


def caption(ax: Axes, sentences: Iterable[str]) -> None:
    """Writes what there is to know under the axis' label."""
    text = " ".join(sentence for sentence in sentences if sentence)
    if text:
        written = ax.annotate(
            text,
            (0.0, 0.0),
            xycoords=("axes fraction", ax.xaxis.label),
            xytext=(0, -3),
            textcoords="offset points",
            va="top",
            fontsize="small",
            alpha=muted(),
            annotation_clip=False,
            parse_math=False,
        )
        _wrap(written, size_px(ax)[0])


def x_label(ax: Axes, text: str) -> None:
    """Names the lower axis, in lines that are no longer than it."""
    _wrap(ax.set_xlabel(text), size_px(ax)[0], evenly=True)


def nothing(ax: Axes, text: str = "") -> None:
    """Leaves no axis, since there is nothing to be measured by it, and says why in its place."""
    for axis in (ax.xaxis, ax.yaxis) if text else (ax.xaxis,):
        axis.set_ticks([])
        axis.set_label_text("")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    if text:
        written = ax.text(
            0.5,
            0.5,
            text,
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize="small",
            alpha=muted(),
            parse_math=False,
        )
        _wrap(written, 0.95 * size_px(ax)[0], evenly=True)


def _wrap(written: Text, width_px: float, *, evenly: bool = False) -> None:
    """Breaks a text into as few lines as fit into a width, of about one length if ``evenly``."""
    lines = written.get_text().split("\n")

    def broken(letters: int) -> str:
        return "\n".join(textwrap.fill(line, letters, break_on_hyphens=False) for line in lines)

    letters = max(len(line) for line in lines)
    while letters > _FEWEST_LETTERS and written.get_window_extent().width > width_px:
        letters -= 1 + letters // 40
        written.set_text(broken(letters))
    most = broken(letters).count("\n")
    while evenly and letters > _FEWEST_LETTERS and broken(letters - 1).count("\n") == most:
        letters -= 1
    if most:
        written.set_text(broken(letters))


def time_tick_step_s(duration_s: float, most: int = 11) -> float:
    """Returns a round step with which at most so many ticks fit."""
    return next((step for step in _TICK_STEPS_S if duration_s / step <= most), _TICK_STEPS_S[-1])


def time_tick(seconds: float, duration_s: float) -> str:
    """Returns ``"12"`` s in short sessions, ``"3:20"`` min in longer ones."""
    if duration_s <= 90:
        return f"{seconds:g}"
    return clock(round(seconds))


def time_axis(ax: Axes, duration_s: float, begin_s: float = 0.0) -> None:
    """Makes the lower axis seconds since the session began, with round ticks that have room."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    ax.set_xlim(begin_s, duration_s)
    tick_px = 6 * letter_px(ax, plt.rcParams["font.size"])
    most = int(np.clip(size_px(ax)[0] / tick_px, 2, 11))
    ax.xaxis.set_major_locator(MultipleLocator(time_tick_step_s(duration_s - begin_s, most)))
    if duration_s > 90:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: time_tick(s, duration_s)))
    ax.set_xlabel("time (min:s)" if duration_s > 90 else "time (s)")


def why_no_latency(latency: pd.DataFrame) -> dict[str, int]:
    """Returns how many turns have no latency, by the reason, the commonest first."""
    notes = latency.loc[latency["latency_ms"].isna(), "latency_note"].fillna("unknown")
    return {str(reason): int(count) for reason, count in notes.value_counts().items()}


def duration_text(seconds: float) -> str:
    """Returns ``"800 ms"``, ``"1.2 s"``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
