from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.input_clock import InputClock


def test_clock_maps_the_end_of_each_chunk_to_when_it_was_sent() -> None:
    clock = InputClock()
    for t_s, total_ms in ((1.0, 40.0), (1.04, 80.0), (5.0, 120.0), (5.0, 160.0)):
        clock.add(t_s, total_ms)

    assert clock.wall(40) == 1.0
    assert clock.wall(20) == pytest.approx(0.98)
    assert clock.wall(60) == pytest.approx(1.02)
    assert clock.wall(100) == pytest.approx(4.98)  # after the pause, not somewhere in it
    assert [clock.wall(80), clock.onset(80)] == pytest.approx([1.04, 4.96])  # on both sides of it
    assert [clock.onset(0), clock.onset(60)] == pytest.approx([0.96, 1.02])
    assert math.isnan(clock.onset(160)) and math.isnan(clock.onset(math.nan))
    assert clock.wall(140) == 5.0  # a burst: never before the chunk that came first
    assert math.isnan(clock.wall(161))
    assert math.isnan(clock.wall(-1))
    assert math.isnan(clock.wall(math.nan))
    assert clock.stretches() == [(0.96, 0.0, 80.0), (4.96, 80.0, 160.0)]


chunks = st.lists(
    st.tuples(st.floats(0, 2, allow_nan=False), st.integers(1, 200)), min_size=1, max_size=50
)


@given(chunks, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_clock_never_runs_backwards(steps: list[tuple[float, int]], shares: list[float]) -> None:
    clock = InputClock()
    t_s = total_ms = 0.0
    for wait_s, length_ms in steps:
        t_s, total_ms = t_s + wait_s, total_ms + length_ms
        clock.add(t_s, total_ms)

    walls = [clock.wall(share * total_ms) for share in sorted(shares)]

    assert walls == sorted(walls)
    assert walls[-1] <= t_s


def test_captured_is_not_sent() -> None:
    clock = InputClock()
    for t_s, total_ms, captured_s in (
        (1.00, 40.0, 0.9),
        (1.25, 80.0, 0.94),  # held up on its way
        (1.25, 120.0, 2.0),  # by a device whose clock is wrong
        (1.30, 160.0, 1.0),  # and goes back
        (1.20, 200.0, None),  # a log whose own clock does
    ):
        clock.add(t_s, total_ms, captured_s)

    assert clock.captured_s == [0.9, 0.94, 1.25, 1.25, 1.3]
    assert [clock.wall(ms) for ms in (20, 40, 60)] == pytest.approx([0.88, 0.9, 0.92])
    assert [clock.sent(ms) for ms in (0, 40, 41, 80, 81, 200)] == [1.0, 1.0, 1.25, 1.25, 1.25, 1.3]
    assert math.isnan(clock.sent(201))
    assert math.isnan(clock.sent(-1))
    assert [clock.sent_after(t_s) for t_s in (0.0, 0.9, 0.91, 1.3)] == [1.0, 1.0, 1.25, 1.3]
    assert math.isnan(clock.sent_after(1.31))
    assert math.isnan(clock.sent_after(math.nan))


def test_audio_whose_appends_are_lost_is_from_nobody_knows_when() -> None:
    clock = InputClock()
    for t_s, start_ms, total_ms in ((1.0, 0, 40), (1.08, 80, 120), (1.12, 120, 160)):
        clock.add(t_s, total_ms, start_ms=start_ms)

    assert [clock.wall(ms) for ms in (40, 100, 120, 160)] == pytest.approx([1, 1.06, 1.08, 1.12])
    assert [clock.onset(ms) for ms in (0, 80, 120)] == pytest.approx([0.96, 1.04, 1.08])
    for ask in (clock.wall, clock.sent):
        assert all(math.isnan(ask(ms)) for ms in (41, 60, 80))
    assert all(math.isnan(clock.onset(ms)) for ms in (40, 60, 79))
    assert [clock.is_lost(ms) for ms in (40, 41, 80, 81, 161)] == [False, True, True, False, False]
    assert clock.stretches() == [(0.96, 0.0, 40), (1.04, 80, 160)]


def test_what_tells_when_audio_was_captured_is_named() -> None:
    clock = InputClock()
    for t_s, total_ms, captured_s in ((1.0, 40, None), (1.1, 80, 1.0), (1.2, 120, 9.0)):
        clock.add(t_s, total_ms, captured_s)

    sources = ["sending", "device", "sending", None]  # the third by a device whose clock is wrong
    assert [clock.capture_source(ms) for ms in (40, 41, 120, 121)] == sources
    assert [clock.capture_source_after(s) for s in (0.9, 1.0, 1.2, 1.3)] == [
        *("sending", "sending", "sending", None)
    ]


spoken = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 3.0)),  # the microphone pauses
        st.integers(1, 40),  # chunks
        st.sampled_from([20, 40, 100]),  # of so many ms
        st.floats(0.0, 2.0),  # which are held up on their way
    ),
    min_size=1,
    max_size=8,
)


@given(spoken, st.floats(-12.0, 5.0), st.floats(0.0, 0.01))
def test_audio_lies_where_its_device_took_it(
    strokes: list[tuple[float, int, int, float]], begin_s: float, jitter_s: float
) -> None:
    """Be it before the session began, after pauses short or long, and however late it was sent."""
    clock = InputClock()
    now_s, sent_s, total_ms = begin_s, 0.0, 0.0
    taken: list[tuple[float, float]] = []  # position, and when it was captured
    for pause_s, count, length_ms, late_s in strokes:
        now_s += pause_s
        for number in range(count):
            taken.append((total_ms, now_s))
            now_s, total_ms = now_s + length_ms / 1000, total_ms + length_ms
            sent_s = max(sent_s, now_s + late_s, 0.0)
            clock.add(sent_s, total_ms, now_s + (jitter_s if number % 2 else 0.0))

    stretches = clock.stretches()

    assert clock.begins_s == pytest.approx(min(0.0, taken[0][1]), abs=1e-9)
    assert [start for _, start, _ in stretches[1:]] == [end for _, _, end in stretches[:-1]]
    for position_ms, captured_s in taken:
        t_s, start_ms, _ = next(one for one in stretches if one[1] <= position_ms < one[2])
        assert t_s + (position_ms - start_ms) / 1000 == pytest.approx(captured_s, abs=0.13)
        assert clock.onset(position_ms) == pytest.approx(captured_s, abs=jitter_s + 1e-9)


def test_what_was_held_while_connecting_lies_before_the_session() -> None:
    clock = InputClock()
    for number in range(1, 101):  # 4 s from 3 s before the beginning on, sent from 0.5 s on
        captured_s = -3 + number * 0.04
        clock.add(max(0.5, captured_s), number * 40.0, captured_s)
    (whole,) = clock.stretches()
    assert whole == pytest.approx((-3, 0, 4_000))
    assert [clock.onset(1_000), clock.wall(3_500)] == pytest.approx([-2, 0.5])
    assert clock.real_time(0, 4_000)  # somebody waited all that time
    assert clock.latest == pytest.approx((1, -3, 4))


def test_what_was_held_up_moves_back_when_the_pace_shows_it() -> None:
    """Without a device's word: a second is sent 1 s late, all at once, then what comes."""
    clock = InputClock()
    for number in range(1, 101):
        now_s = number * 0.04
        clock.add(2.5 if 1.48 < now_s <= 2.5 else now_s, number * 40.0)
    times_s = [start_s - ms / 1000 for start_s, ms, _ in clock.stretches()]
    assert times_s == pytest.approx([0.0] * len(times_s), abs=0.05)


def test_what_is_pushed_at_once_stays_in_a_row() -> None:
    clock = InputClock()
    for number in range(1, 51):
        clock.add(1.0, number * 40.0)
    (row,) = clock.stretches()
    assert row == pytest.approx((0.96, 0, 2_000))
    assert clock.begins_s == 0.0
    for number in range(51, 101):  # and then life goes on
        clock.add(1.0 + (number - 50) * 0.04, number * 40.0)
    assert clock.stretches()[-1] == pytest.approx((1.0, 2_000, 4_000))
