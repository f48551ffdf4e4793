from __future__ import annotations

from io import BytesIO
from itertools import combinations
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from matplotlib_inline.backend_inline import _fetch_figure_metadata

import realtime_nb as rt
from realtime_nb.analysis import tables
from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.plots import (
    plot_cost,
    plot_lanes,
    plot_latency,
    plot_timeline,
    plot_usage,
    plot_waterfall,
    style,
)
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.input_clock import InputClock
from tests.plots import pictures, sessions
from tests.plots.sessions import noise

COLOURS = (
    style.USER_COLOUR,
    style.AGENT_COLOUR,
    style.CALL_COLOUR,
    style.ERROR_COLOUR,
    style.NEUTRAL_COLOUR,
)

PLOTS = {
    "timeline": lambda ax: plot_timeline(sessions.timeline(), ax),
    "waterfall": lambda ax: plot_waterfall(sessions.latency(8), ax),
    "latency": lambda ax: plot_latency(sessions.latency(60), ax),
    "usage": lambda ax: plot_usage(sessions.usage(6), ax),
    "cost": lambda ax: plot_cost(sessions.costs(6), ax),
    "lanes": lambda ax: plot_lanes(sessions.events(3), ax),
}


def luminance(colour: str) -> float:
    channels = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in to_rgb(colour)
    ]
    return float(np.dot((0.2126, 0.7152, 0.0722), channels))


@pytest.mark.parametrize("page", pictures.STYLES.values())
@pytest.mark.parametrize("colour", COLOURS)
def test_colours_hold_on_light_and_dark(page: str, colour: str) -> None:
    """At least 3:1 against the page, as WCAG 2.2 asks of graphics."""
    with plt.style.context(page):
        behind = luminance(plt.rcParams["figure.facecolor"])
    lighter, darker = sorted((luminance(colour), behind), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3.0


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_makes_one_figure_or_none(name: str) -> None:
    made = PLOTS[name](None)
    assert isinstance(made, Axes)
    assert isinstance(made.figure, Figure)
    assert plt.get_fignums() == [made.figure.number]
    plt.close("all")

    figure, (upper, lower) = plt.subplots(2)
    assert PLOTS[name](lower) is lower
    assert plt.get_fignums() == [figure.number]
    assert not upper.has_data()
    figure.canvas.draw()


@pytest.mark.parametrize("name", PLOTS)
def test_all_text_has_the_colour_of_the_style(name: str) -> None:
    with plt.style.context("dark_background"):
        ax = PLOTS[name](None)
        ax.figure.canvas.draw()
        colours = {to_rgb(text.get_color()) for text in ax.findobj(Text) if text.get_text()}
    assert colours == {(1.0, 1.0, 1.0)}


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_is_drawn_outside_the_figure(name: str) -> None:
    ax = PLOTS[name](None)
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    box = figure.get_tightbbox()
    width_in, height_in = figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width_in + 0.01
    assert box.y1 <= height_in + 0.01


def written(figure: Figure) -> list[tuple[str, Bbox]]:
    """All that is to be read, and where it stands."""
    parts = [
        part
        for part in figure.findobj(Text)
        if part.get_visible() and part.get_text().strip() and part.get_window_extent().width > 0
    ]
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels = axis.get_ticklabels(which="both")
            places = axis.get_ticklocs()
            shown = {
                id(label)
                for label, at in zip(labels, places, strict=False)
                if low - 1e-9 <= at <= high + 1e-9
            }
            aside = {id(tick.label1) for tick in axis.majorTicks}
            aside |= {id(tick.label2) for tick in axis.majorTicks}
            parts = [part for part in parts if id(part) not in aside or id(part) in shown]
    return [(part.get_text(), part.get_window_extent()) for part in parts]


def can_be_read(figure: Figure, parts: list[tuple[str, Bbox]]) -> None:
    """Nothing that is written leaves the figure, and none covers another."""
    for text, box in parts:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    for (text, box), (other, beside) in combinations(parts, 2):
        common = Bbox.intersection(box, beside)
        assert common is None or min(common.width, common.height) < 2, (text, other)


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("width_in", [3.5, 4.0, 6.4])
@pytest.mark.parametrize("name", PLOTS)
def test_all_can_be_read_in_a_small_figure(
    name: str, width_in: float, layout: Literal["constrained"] | None
) -> None:
    figure, ax = plt.subplots(figsize=(width_in, 3.2), layout=layout)
    PLOTS[name](ax)
    figure.canvas.draw()

    parts = written(figure)
    assert len(parts) > 5
    can_be_read(figure, parts)


def test_axes_of_a_figure_with_others_stay_where_they_are() -> None:
    _, (left, right) = plt.subplots(1, 2)
    places = [ax.get_position().bounds for ax in (left, right)]
    plot_timeline(sessions.timeline(), right)
    assert [ax.get_position().bounds for ax in (left, right)] == places


def test_a_figure_without_layout_keeps_what_is_wide_enough() -> None:
    figure, ax = plt.subplots(figsize=(10, 5))
    place = ax.get_position().bounds
    plot_usage(sessions.usage(1), ax)
    assert ax.get_position().bounds == place
    figure.tight_layout()  # still possible, and without a warning


def test_tables_of_nothing_can_be_drawn() -> None:
    conversation, clock = Conversation(), InputClock()
    latency = tables.latency(conversation, clock)
    for ax in (
        plot_waterfall(latency),
        plot_latency(latency),
        plot_usage(tables.usage(conversation)),
        plot_lanes(sessions.events(0)[:0]),
    ):
        ax.figure.canvas.draw()


def test_bars_broadcast_their_edges() -> None:
    _, ax = plt.subplots()
    drawn = style.bars(ax, [0, 1, 2], [1, 2, 3], 0.0, [1, 2, 3], label="x")
    boxes = [path.get_extents() for path in drawn.get_paths()]
    assert [(box.x0, box.x1, box.y0, box.y1) for box in boxes] == [
        (0, 1, 0, 1),
        (1, 2, 0, 2),
        (2, 3, 0, 3),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0804, "80 ms"), (0.999, "999 ms"), (1.25, "1.2 s"), (75.0, "75.0 s")]
)
def test_durations_are_written_in_a_fitting_unit(seconds: float, text: str) -> None:
    assert style.duration_text(seconds) == text


@pytest.mark.parametrize(("duration_s", "step_s"), [(0.5, 0.1), (60, 10), (3_600, 600)])
def test_ticks_are_round_and_few(duration_s: float, step_s: float) -> None:
    assert style.time_tick_step_s(duration_s) == step_s


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def spoken_on(paper: str) -> str:
    """The colour of detected speech: the span lies twice."""
    own, alpha = np.array(to_rgb(style.SPEECH_COLOUR)), style.SPEECH_ALPHA
    mixed = np.array(to_rgb(paper))
    for _ in range(2):
        mixed = alpha * own + (1 - alpha) * mixed
    return to_hex(mixed.tolist())


@pytest.mark.parametrize("paper", ["#ffffff", "#111111", "#000000"])
def test_the_users_wave_stands_out_from_its_span(paper: str) -> None:
    ink = "black" if paper == "#ffffff" else "white"
    behind = spoken_on(paper)
    assert contrast(style.user_wave_colour(ink), behind) >= 3
    grey = plot_timeline(TimelineData(1.0, user=[PlacedAudio(0, noise(24_000))])).collections[-1]
    assert contrast(to_hex(np.asarray(grey.get_facecolor())[0]), behind) >= 2.9


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
def test_a_figure_of_its_own_holds_on_any_page(paper: str) -> None:
    ax = plot_timeline(sessions.timeline())
    ax.figure.canvas.draw()
    root = ax.figure.canvas.figure
    assert (to_rgba(root.get_facecolor())[3], to_rgba(ax.get_facecolor())[3]) == (0, 0)
    ticks = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    for text in [*ticks, ax.xaxis.label, *ax.get_legend().get_texts()]:  # type: ignore[union-attr]
        assert contrast(to_hex(text.get_color()), paper) >= 3.9
    # What a notebook asks before it gives a transparent picture a white or a black background.
    assert _fetch_figure_metadata(root) is None  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
@pytest.mark.parametrize("name", PLOTS)
def test_all_that_is_written_can_be_read_on_any_page(name: str, paper: str) -> None:
    ax = PLOTS[name](None)
    ax.figure.canvas.draw()
    read = [text for text in ax.figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(read) > 5
    for text in read:
        given = text.get_alpha()
        alpha = 1.0 if given is None else given
        own, behind = np.array(to_rgb(text.get_color())), np.array(to_rgb(paper))
        seen = to_hex((alpha * own + (1 - alpha) * behind).tolist())
        # Letters on coloured bars are chosen by the bar.
        assert contrast(seen, paper) >= 3.9 or seen in ("#ffffff", "#000000"), text.get_text()


def own_figure() -> Figure:
    """What a cell of a notebook draws."""
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    for n in range(6):
        left.plot([0, 1], [n, n + 1], label=f"line {n}")
    left.legend(title="lines")
    left.set(xlabel="s", ylabel="sample", title="left")
    right.hist([1, 2, 2, 3], histtype="stepfilled")
    right.annotate("two", (2, 2))
    figure.suptitle("both")
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("paper", ["#ffffff", "#111111", "#0d1117"])
def test_own_figures_hold_on_any_page_with_its_style(paper: str) -> None:
    before = dict(plt.rcParams)
    with plt.style.context(rt.plot_style()):
        figure = own_figure()
        metadata = _fetch_figure_metadata(figure)  # type: ignore[no-untyped-call]
    assert dict(plt.rcParams) == before  # nothing is set by itself
    assert metadata is None
    faces = [figure.get_facecolor(), *(ax.get_facecolor() for ax in figure.axes)]
    assert [to_rgba(face)[3] for face in faces] == [0, 0, 0]
    for text in figure.findobj(Text):
        if text.get_text():
            assert contrast(to_hex(text.get_color()), paper) >= 3.9, text.get_text()
    colours = [to_hex(line.get_color()) for line in figure.axes[0].lines]
    assert len(set(colours)) == 6
    assert min(contrast(colour, paper) for colour in colours) >= 2.8
    for spine in figure.axes[0].spines.values():
        assert contrast(to_hex(spine.get_edgecolor()), paper) >= 3


@pytest.mark.parametrize("name", PLOTS)
def test_plots_look_the_same_with_its_style(name: str) -> None:
    def picture() -> bytes:
        buffer = BytesIO()
        PLOTS[name](None).figure.canvas.figure.savefig(buffer, format="raw", dpi=60)
        return buffer.getvalue()

    plain = picture()
    with plt.style.context(rt.plot_style()):
        assert picture() == plain


def test_each_asker_gets_settings_of_its_own() -> None:
    rt.plot_style()["text.color"] = "red"
    assert rt.plot_style()["text.color"] != "red"


def test_a_chosen_style_and_given_axes_are_left_alone() -> None:
    with plt.style.context("dark_background"):
        ax = plot_timeline(sessions.timeline())
        assert to_rgba(ax.figure.get_facecolor()) == (0, 0, 0, 1)
        assert to_rgb(ax.xaxis.label.get_color()) == (1, 1, 1)
    _, given = plt.subplots()
    plot_timeline(sessions.timeline(), ax=given)
    assert to_rgba(given.get_facecolor()) == (1, 1, 1, 1)


def test_a_backend_that_turns_interactive_with_the_first_figure_stays_so() -> None:
    # A notebook's backend does that, and shows no later figure, of anybody's, once it is off.
    @style.on_any_page
    def plot(ax: Axes | None = None) -> Axes:
        plt.rcParams["interactive"] = True
        return style.axes_or_new(ax, 1.0)

    with plt.rc_context({"interactive": False}):
        plot()
        assert plt.isinteractive()
