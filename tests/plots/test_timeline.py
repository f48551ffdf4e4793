from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

from realtime_nb.audio import Samples
from realtime_nb.plots import Clip, TimelineData, envelope, plot_timeline
from realtime_nb.recorder import Recorder
from realtime_nb.recording import load
from tests.scripted_session import LiveSession, three_turns

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def noise(samples: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_envelope_holds_the_extremes_of_each_part() -> None:
    samples = noise(24_000)

    low, high = envelope([Clip(0.0, samples)], 1.0, 100)

    np.testing.assert_array_equal(low, samples.reshape(100, 240).min(axis=1))
    np.testing.assert_array_equal(high, samples.reshape(100, 240).max(axis=1))


def test_envelope_is_empty_where_there_is_no_clip() -> None:
    low, high = envelope([Clip(0.25, noise(6_000)), Clip(0.75, noise(2_400, 1))], 1.0, 20)

    there = [5 <= part < 10 or 15 <= part < 17 for part in range(20)]
    assert list(~np.isnan(low)) == list(~np.isnan(high)) == there


def test_where_clips_overlap_the_louder_is_seen() -> None:
    loud, quiet = noise(24_000), noise(24_000) * np.float32(0.125)

    low, high = envelope([Clip(0.0, loud), Clip(0.0, quiet)], 1.0, 100)

    np.testing.assert_array_equal(low, loud.reshape(100, 240).min(axis=1))
    np.testing.assert_array_equal(high, loud.reshape(100, 240).max(axis=1))


@given(
    starts_s=st.lists(st.floats(-1, 3), min_size=1, max_size=4),
    length=st.integers(0, 30_000),
    bins=st.integers(1, 700),
)
def test_no_peak_inside_the_axis_is_lost(starts_s: list[float], length: int, bins: int) -> None:
    samples = noise(length)
    low, high = envelope([Clip(start_s, samples) for start_s in starts_s], 2.0, bins)

    inside = [
        samples[max(0, -round(start_s * 24_000)) : max(0, 48_000 - round(start_s * 24_000))]
        for start_s in starts_s
    ]
    heard = np.concatenate(inside)
    if len(heard) > 4:  # a sample on the very edge may fall on either side of it
        assert np.nanmax(high) >= np.sort(heard)[-3]
        assert np.nanmin(low) <= np.sort(heard)[2]
        assert np.nanmax(high) <= samples.max()


def test_timeline_of_a_session(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)

    ax = load(recorder.path).plot_timeline()

    assert labels(ax) == ["speech, padded", "speech, detected", "not heard", "error"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["you", "agent", "tools"]
    assert [text.get_text() for text in ax.texts] == ["book, 800 ms"]
    assert ax.get_xlim() == (0.0, 16.2)
    assert ax.get_xlabel() == "time (s)"
    spans = {
        collection.get_label(): [path.get_extents() for path in collection.get_paths()]
        for collection in ax.collections
    }
    padded, detected = spans["speech, padded"][1], spans["speech, detected"][1]
    assert (padded.x0, padded.x1) == pytest.approx((12.7, 15.24))
    assert (detected.x0, detected.x1) == pytest.approx((13.0, 15.016))
    # 2.8 s of the last answer were not heard; they are shown from when it was stopped.
    assert min(box.x0 for box in spans["not heard"]) == pytest.approx(13.2, abs=0.02)


def test_draws_into_the_axes_given() -> None:
    figure, (upper, lower) = plt.subplots(2)

    assert plot_timeline(TimelineData(1.0, user=[Clip(0, noise(24_000))]), lower) is lower
    assert not upper.has_data()
    figure.canvas.draw()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_colours_hold_on_light_and_dark(style: str) -> None:
    """At least 3:1 against the page, as WCAG 2.2 asks of graphics."""
    from matplotlib.colors import to_rgb

    from realtime_nb import plots

    def luminance(colour: str) -> float:
        channels = (
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in to_rgb(colour)
        )
        return float(np.dot((0.2126, 0.7152, 0.0722), list(channels)))

    with plt.style.context(style):
        page = luminance(plt.rcParams["figure.facecolor"])
    for colour in (plots.USER_COLOUR, plots.AGENT_COLOUR, plots.CALL_COLOUR, plots.ERROR_COLOUR):
        lighter, darker = sorted((luminance(colour), page), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3.0, colour


def test_nothing_at_all_can_be_drawn() -> None:
    ax = plot_timeline(TimelineData(0.0))

    ax.figure.canvas.draw()
    assert labels(ax) == []
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["you", "agent"]


def test_names_of_calls_do_not_cover_each_other() -> None:
    calls: list[tuple[float, float | None, str]] = [
        (0.1 * n, 0.1 * n + 0.05, "check_availability") for n in range(8)
    ]
    calls.append((19.9, None, "slow"))

    ax = plot_timeline(TimelineData(20.0, calls=calls))
    figure = ax.figure
    figure.canvas.draw()

    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == [
        "check_availability, 50 ms",
        "slow, no output",
    ]
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 <= ax.get_window_extent().x1 + 1


@pytest.mark.parametrize(
    ("duration_s", "label", "tick"),
    [(0.5, "time (s)", "0.2"), (60.0, "time (s)", "10"), (3_600.0, "time (min:s)", "10:00")],
)
def test_time_axis_suits_the_length(duration_s: float, label: str, tick: str) -> None:
    ax = plot_timeline(TimelineData(duration_s))
    ax.figure.canvas.draw()

    assert ax.get_xlabel() == label
    assert tick in [text.get_text() for text in ax.get_xticklabels()]


def test_an_hour_is_drawn_with_as_many_points_as_pixels() -> None:
    hour = np.tile(noise(24_000), 3_600)

    ax = plot_timeline(TimelineData(3_600.0, user=[Clip(0, hour)], agent=[Clip(0, hour)]))

    points = sum(np.shape(path.vertices)[0] for part in ax.collections for path in part.get_paths())
    assert points < 12_000
