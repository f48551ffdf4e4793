from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.text import Text

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData, TimelineTurn
from realtime_nb.archive.recorder import Recorder
from realtime_nb.plots import envelope, plot_timeline
from realtime_nb.plots.timeline import response_kinds
from realtime_nb.recordings.recording import load
from tests.plots import pictures, sessions
from tests.plots.sessions import noise
from tests.scripted_session import LiveSession, three_turns


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_envelope_holds_the_extremes_of_each_part() -> None:
    samples = noise(24_000)

    low, high = envelope([PlacedAudio(0.0, samples)], 1.0, 100)

    np.testing.assert_array_equal(low, samples.reshape(100, 240).min(axis=1))
    np.testing.assert_array_equal(high, samples.reshape(100, 240).max(axis=1))


def test_envelope_is_empty_where_there_is_no_clip() -> None:
    low, high = envelope(
        [PlacedAudio(0.25, noise(6_000)), PlacedAudio(0.75, noise(2_400, 1))], 1.0, 20
    )

    there = [5 <= part < 10 or 15 <= part < 17 for part in range(20)]
    assert list(~np.isnan(low)) == list(~np.isnan(high)) == there


def test_where_clips_overlap_the_louder_is_seen() -> None:
    loud, quiet = noise(24_000), noise(24_000) * np.float32(0.125)

    low, high = envelope([PlacedAudio(0.0, loud), PlacedAudio(0.0, quiet)], 1.0, 100)

    np.testing.assert_array_equal(low, loud.reshape(100, 240).min(axis=1))
    np.testing.assert_array_equal(high, loud.reshape(100, 240).max(axis=1))


@given(
    starts_s=st.lists(st.floats(-1, 3), min_size=1, max_size=4),
    length=st.integers(0, 30_000),
    bins=st.integers(1, 700),
)
def test_no_peak_inside_the_axis_is_lost(starts_s: list[float], length: int, bins: int) -> None:
    samples = noise(length)
    low, high = envelope([PlacedAudio(start_s, samples) for start_s in starts_s], 2.0, bins)

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

    assert {"speech, padded", "speech, detected", "not heard"} <= set(labels(ax))
    lanes = {tick.get_text() for tick in ax.get_yticklabels()}
    assert lanes >= {"you", "agent", "tools"}
    latency = load(recorder.path).latency
    shown = [f"{ms:.0f} ms" for ms in latency.latency_ms.dropna()]
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["book, 800 ms", "1", "2", "3", *shown]
    answers = [ax.texts[texts.index(text)].get_position()[0] for text in shown]
    assert answers == pytest.approx(latency.played_s[latency.latency_ms.notna()].tolist())
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

    assert plot_timeline(TimelineData(1.0, user=[PlacedAudio(0, noise(24_000))]), lower) is lower
    assert not upper.has_data()
    figure.canvas.draw()


def test_nothing_at_all_can_be_drawn() -> None:
    ax = plot_timeline(TimelineData(0.0))

    ax.figure.canvas.draw()
    assert labels(ax) == []
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["you", "agent"]


def written(ax: Axes) -> list[Text]:
    """What is written into the axes, without what its empty lanes say."""
    return [text for text in ax.texts if text.get_text() != "no audio"]


def test_names_of_calls_do_not_cover_each_other() -> None:
    calls: list[tuple[float, float | None, str]] = [
        (0.1 * n, 0.1 * n + 0.05, "check_availability") for n in range(8)
    ]
    calls.append((19.9, None, "slow"))

    ax = plot_timeline(TimelineData(20.0, calls=calls))
    figure = ax.figure
    figure.canvas.draw()

    names = written(ax)
    boxes = [text.get_window_extent() for text in names]
    assert [text.get_text() for text in names] == [
        "check_availability, 50 ms +7",
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

    ax = plot_timeline(
        TimelineData(3_600.0, user=[PlacedAudio(0, hour)], agent=[PlacedAudio(0, hour)])
    )

    points = sum(np.shape(path.vertices)[0] for part in ax.collections for path in part.get_paths())
    assert points < 12_000


@pytest.mark.parametrize("page", pictures.STYLES)
def test_it_looks_as_it_did(page: str, tmp_path: Path) -> None:
    pictures.check(lambda ax: plot_timeline(sessions.timeline(), ax), "timeline", page, tmp_path)


PARTS: list[dict[str, Any]] = [
    {"user": ()},
    {"agent": ()},
    {"unheard": ()},
    {"padded": ()},
    {"detected": ()},
    {"found": ()},
    {"calls": ()},
    {"errors": ()},
    {"responses": ()},
    {"turns": ()},
    {"responses": [(4.4, 4.65, "completed"), (4.9, 6.5, "completed"), (16.5, 17.2, "completed")]},
    {"labels": ()},
]


@pytest.mark.parametrize("missing", PARTS, ids=lambda part: next(iter(part)))
@pytest.mark.parametrize("page", pictures.STYLES)
def test_a_missing_part_is_noticed(missing: dict[str, Any], page: str, tmp_path: Path) -> None:
    data = replace(sessions.timeline(), **missing)

    rms = pictures.difference(lambda ax: plot_timeline(data, ax), "timeline", page, tmp_path)

    assert rms > pictures.TOLERANCE


def test_one_sample_of_an_hour_is_seen() -> None:
    hour = np.zeros(3_600 * 24_000, np.float32)
    hour[50_000_001] = 0.9

    ax = plot_timeline(TimelineData(3_600.0, user=[PlacedAudio(0.0, hour)]))

    outline = np.concatenate(
        [np.asarray(path.vertices) for part in ax.collections for path in part.get_paths()]
    )
    x, y = outline[np.argmax(outline[:, 1])]
    assert x == pytest.approx(50_000_001 / 24_000, abs=3)
    assert y == pytest.approx(2.3 + 0.46)


@cache
def crowded_hour() -> TimelineData:
    minute = sessions.syllables(60.0)
    hour = np.tile(minute, 60)
    starts_s = [6.0 * turn for turn in range(600)]
    states = ["completed", "completed", "completed", "cancelled", "failed"]
    return TimelineData(
        3_600.0,
        user=[PlacedAudio(0.0, hour)],
        agent=[PlacedAudio(0.0, hour)],
        padded=[(start_s, start_s + 2.5) for start_s in starts_s],
        detected=[(start_s + 0.3, start_s + 2.2) for start_s in starts_s],
        calls=[(start_s + 2.6, start_s + 3.4, "check_slots") for start_s in starts_s[::2]],
        errors=starts_s[::60],
        responses=[(3.6 * k, 3.6 * k + 2, states[k % 5]) for k in range(1_000)],
        labels=[(start_s, "I wasn't finished") for start_s in starts_s[::20]],
    )


def test_an_hour_of_turns_is_drawn_at_once() -> None:
    data = crowded_hour()
    begun_s = time.process_time()

    ax = plot_timeline(data)
    ax.figure.canvas.draw()

    assert time.process_time() - begun_s < 1.5
    assert len(ax.collections) < 20
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert {text.get_text() for text in ax.texts} == {"I wasn't finished"}


def test_responses_say_how_they_ended() -> None:
    ax = plot_timeline(sessions.timeline())

    parts = {part.get_label(): len(part.get_paths()) for part in ax.collections}
    assert parts["response, cut short"] == parts["response, failed"] == 1
    assert "response, cut short" in labels(ax)
    assert "responses" in [tick.get_text() for tick in ax.get_yticklabels()]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", "response"),
        ("in_progress", "response"),
        ("cancelled", "response, cut short"),
        ("incomplete", "response, cut short"),
        ("failed", "response, failed"),
    ],
)
def test_each_status_has_its_look(status: str, kind: str) -> None:
    assert [name for name, *_ in response_kinds([(0.0, 1.0, status)])] == [kind]


def test_a_label_is_read_where_it_was_made() -> None:
    made = [(2.0, "$a$ <b> & a text that is far too long to be read"), (9.8, "late")]

    ax = plot_timeline(TimelineData(10.0, labels=made))
    ax.figure.canvas.draw()

    texts = {text.get_text(): text for text in written(ax)}
    assert list(texts) == ["$a$ <b> & a text that is fa…", "late"]
    assert texts["late"].get_window_extent().x1 <= ax.get_window_extent().x1
    assert [text.xy[0] for text in written(ax)] == [2.0, 9.8]  # type: ignore[attr-defined]


def test_without_calls_the_lane_of_errors_has_their_name() -> None:
    ax = plot_timeline(TimelineData(1.0, errors=[0.5]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["you", "agent", "errors"]


def parts() -> TimelineData:
    """A session whose first half has nothing of what its second has."""
    return TimelineData(
        20.0,
        user=[PlacedAudio(1.0, noise(48_000)), PlacedAudio(11.0, noise(48_000))],
        agent=[PlacedAudio(4.0, noise(48_000))],
        unheard=[PlacedAudio(14.0, noise(24_000))],
        padded=[(0.8, 3.2), (10.8, 13.2)],
        calls=[(15.0, 15.5, "book")],
        errors=[16.0],
        responses=[(3.3, 5.0, "completed"), (13.3, 14.0, "cancelled")],
        labels=[(12.0, "odd")],
        turns=[TimelineTurn(1, 1.0, 6.0, 4.0, 1_000.0), TimelineTurn(2, 11.0, 16.0)],
    )


def test_the_legend_tells_of_what_is_there_and_of_nothing_else() -> None:
    whole = {"speech, padded", "not heard", "response, cut short", "error"}
    assert set(labels(plot_timeline(parts()))) == whole
    first = plot_timeline(parts().part(end_s=8.0))
    assert labels(first) == ["speech, padded"]
    assert first.get_xlim() == (0.0, 8.0)
    lanes = [tick.get_text() for tick in first.get_yticklabels()]
    assert lanes == ["turns", "you", "agent", "responses"]
    silence = replace(parts(), unheard=[PlacedAudio(14.0, np.zeros(24_000, np.float32))])
    assert set(labels(plot_timeline(silence))) == whole - {"not heard"}


def test_a_turn_is_shown_with_its_number_and_its_latency() -> None:
    ax = plot_timeline(parts().part(turn=1))
    assert ax.get_xlim() == (0.5, 6.5)
    assert [text.get_text() for text in ax.texts] == ["1", "1.0 s"]
    second = plot_timeline(parts().part(turn=2))
    assert "2" in [text.get_text() for text in second.texts]


@settings(max_examples=40)  # each draws a figure
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=40))
def test_numbers_and_latencies_do_not_cover_each_other(turns: list[tuple[float, float]]) -> None:
    shown = [
        TimelineTurn(number, start_s, 60.0, answer_s, 850.0)
        for number, (start_s, answer_s) in enumerate(sorted(turns), start=1)
    ]
    ax = plot_timeline(TimelineData(60.0, turns=shown))
    boxes = [text.get_window_extent() for text in ax.texts]
    plt.close("all")
    for one, text in enumerate(boxes):
        assert not any(text.overlaps(other) for other in boxes[one + 1 :])


@pytest.mark.parametrize("height_in", [1.6, 2.4, 4.0])
@pytest.mark.parametrize("size_pt", [8, 10, 14])
def test_names_of_tools_stay_above_the_ticks(height_in: float, size_pt: int) -> None:
    with plt.rc_context({"font.size": size_pt}):
        _, ax = plt.subplots(figsize=(7, height_in))
        plot_timeline(sessions.timeline(), ax)
        ax.figure.canvas.draw()
        names = [text for text in ax.texts if text.get_text().startswith(("check_slots", "book"))]
        assert len(names) == 2
        floor_px = ax.get_window_extent().y0
        assert min(name.get_window_extent().y0 for name in names) >= floor_px - 1


def test_latencies_of_the_local_server_are_marked_as_its_own() -> None:
    told = [text.get_text() for text in plot_timeline(replace(parts(), simulated=True)).texts]
    assert any("local server" in text for text in told)
    untold = plot_timeline(replace(parts(), simulated=True, turns=parts().turns[1:])).texts
    assert not any("local server" in text.get_text() for text in untold)


def test_turns_are_thinned_to_round_numbers() -> None:
    turns = [TimelineTurn(n, 10.0 * n, 10.0 * n + 5, 10.0 * n + 6, 900.0) for n in range(1, 101)]
    ax = plot_timeline(TimelineData(1_010.0, turns=turns))
    numbers = [int(text.get_text()) for text in written(ax) if text.get_text().isdigit()]
    step = numbers[1] - numbers[0]
    assert step in (2, 5, 10)
    assert numbers == list(range(step, 101, step))[: len(numbers)]
    assert len(numbers) >= 0.75 * 100 / step


def test_turns_of_a_part_have_their_numbers_whatever_those_are() -> None:
    turns = [TimelineTurn(n, float(n), n + 0.5, n + 0.6, 100.0) for n in (7, 8, 9)]
    ax = plot_timeline(TimelineData(12.0, turns=turns))
    assert [text.get_text() for text in written(ax)][:3] == ["7", "8", "9"]


def test_lanes_without_sound_say_so() -> None:
    said = [text.get_text() for text in plot_timeline(TimelineData(3.0)).texts]
    assert said == ["no audio", "no audio"]
    heard = TimelineData(3.0, user=[PlacedAudio(0.0, noise(2_400))])
    assert [text.get_text() for text in plot_timeline(heard).texts] == ["no audio"]


def test_what_the_type_has_no_picture_for_is_a_box_without_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    made = [(1.0, "🙂 not me"), (4.0, "まだ"), (7.0, "לא")]
    ax = plot_timeline(TimelineData(10.0, labels=made))
    ax.figure.canvas.draw()
    assert [text.get_text() for text in written(ax)] == ["□ not me", "□□", "לא"]
    assert not recwarn.list
