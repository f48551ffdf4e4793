from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.agreement import AgreedTurn, Agreement, Span, agreement, reported_spans
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.records import Speech

THREE: list[Span] = [(200, 1_500), (2_000, 4_000), (5_000, 5_800)]


def shifted(spans: list[Span], start_ms: float, end_ms: float) -> list[Span]:
    return [(start + start_ms, end + end_ms) for start, end in spans]


def heard(found: Agreement) -> list[tuple[str, bool]]:
    return [(turn.heard_by, turn.agrees) for turn in found.turns]


def test_the_same_spans_agree_to_the_millisecond() -> None:
    found = agreement(THREE, THREE)
    assert (found.percent, found.offset_ms, found.only_server, found.only_emulator) == (
        100,
        0,
        0,
        0,
    )
    assert [found.start_p50_ms, found.start_p95_ms, found.end_p50_ms, found.end_p95_ms] == [0] * 4
    assert str(found) == (
        "100 % agreement: 3 of 3 turns; starts differ by 0 ms (p50), 0 ms (p95); "
        "ends differ by 0 ms (p50), 0 ms (p95)."
    )


def test_what_only_one_of_them_heard() -> None:
    found = agreement(THREE[:2], THREE[1:])
    assert heard(found) == [("server", False), ("both", True), ("emulator", False)]
    assert found.share == pytest.approx(1 / 3)
    assert (found.only_server, found.only_emulator) == (1, 1)
    first, _, last = found.turns
    assert math.isnan(first.emulator_start_ms) and math.isnan(first.start_difference_ms)
    assert math.isnan(last.server_end_ms) and math.isnan(last.end_difference_ms)


def test_a_turn_that_one_of_them_splits() -> None:
    found = agreement([(0, 4_000)], [(0, 1_500), (1_800, 4_000)])
    assert heard(found) == [("both", False), ("emulator", False)]
    assert found.share == 0
    assert found.turns[0].start_difference_ms == -1_800


def test_a_clock_that_is_ahead_is_no_disagreement() -> None:
    found = agreement(shifted(THREE, 340, 340), THREE)
    assert (found.offset_ms, found.share, found.start_p95_ms, found.end_p95_ms) == (340, 1, 0, 0)
    assert {turn.start_difference_ms for turn in found.turns} == {340}
    assert "beside an offset of 340 ms" in str(found)


def test_two_pairs_are_too_few_to_tell_a_clock_from_a_difference() -> None:
    found = agreement(shifted(THREE[:2], 340, 340), THREE[:2])
    assert (found.offset_ms, found.share) == (0, 0)


def test_another_silence_is_a_difference_of_the_ends_and_no_clock() -> None:
    found = agreement(shifted(THREE, 0, 288), THREE)
    assert (found.offset_ms, found.share) == (0, 0)
    assert (found.start_p95_ms, found.end_p50_ms) == (0, 288)
    assert agreement(shifted(THREE, 0, 288), THREE, tolerance_ms=288).share == 1


@pytest.mark.parametrize(("server_end", "emulator_end"), [(math.nan, 900), (900, math.nan)])
def test_an_end_that_is_not_known_is_not_judged(server_end: float, emulator_end: float) -> None:
    found = agreement([(100, server_end)], [(132, emulator_end)])
    assert heard(found) == [("both", True)]
    assert math.isnan(found.end_p50_ms) and found.start_p50_ms == 32
    assert "ends differ" not in str(found)


def test_padding_that_reaches_into_the_turn_before_is_nobody_elses_speech() -> None:
    found = agreement([(0, 2_000), (1_700, 3_000)], [(0, 2_000), (2_000, 3_000)])
    assert [turn.heard_by for turn in found.turns] == ["both", "both"]
    assert found.turns[1].start_difference_ms == -300


def test_neither_heard_anything() -> None:
    found = agreement([], [])
    assert math.isnan(found.share) and math.isnan(found.start_p50_ms)
    assert repr(found) == (
        "Neither the server nor the emulator heard speech: nothing can be compared."
    )
    assert len(found.table) == 0


def test_the_table_has_a_row_per_turn() -> None:
    table = agreement(THREE[:2], THREE[1:]).table
    assert table.turn.tolist() == [1, 2, 3]
    assert table.heard_by.tolist() == ["server", "both", "emulator"]
    assert table.agrees.tolist() == [False, True, False]
    assert table.start_difference_ms.isna().tolist() == [True, False, True]
    shown = agreement(THREE[:2], THREE[1:])
    assert "nan" not in repr(shown).lower() and "nan" not in shown._repr_html_().lower()


@pytest.mark.parametrize("spans", [[(math.nan, 5.0)], [(5.0, 4.0)], [(math.inf, math.inf)]])
def test_what_is_no_span_is_refused(spans: list[Span]) -> None:
    with pytest.raises(ConfigurationError, match=r"A span of the emulator is .*; give a start"):
        agreement([], spans)
    with pytest.raises(ConfigurationError, match="A span of the server is"):
        agreement(spans, [])


@pytest.mark.parametrize("tolerance_ms", [-1.0, math.nan, math.inf])
def test_what_is_no_tolerance_is_refused(tolerance_ms: float) -> None:
    with pytest.raises(ConfigurationError, match=r"tolerance_ms is .*; give milliseconds, 0 or"):
        agreement([], [], tolerance_ms=tolerance_ms)


@st.composite
def disjoint(draw: st.DrawFn) -> list[Span]:
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=10)))
    return [(100.0 * a, 100.0 * b) for a, b in zip(edges[::2], edges[1::2], strict=False)]


def _most_shared(server: list[Span], emulator: list[Span]) -> float:
    """The most that any pairing shares, by trying all of them."""
    if not server or not emulator:
        return 0.0
    best = max(_most_shared(server[1:], emulator), _most_shared(server, emulator[1:]))
    (start, end), (other_start, other_end) = server[0], emulator[0]
    shared = min(end, other_end) - max(start, other_start)
    if shared > 0 and 2 * shared >= min(end - start, other_end - other_start):
        best = max(best, shared + _most_shared(server[1:], emulator[1:]))
    return best


def _shared(turn: AgreedTurn) -> float:
    return min(turn.server_end_ms, turn.emulator_end_ms) - max(
        turn.server_start_ms, turn.emulator_start_ms
    )


@given(disjoint(), disjoint())
def test_pairs_share_as_much_as_any_pairing_could(server: list[Span], emulator: list[Span]) -> None:
    found = agreement(server, emulator)
    pairs = [turn for turn in found.turns if turn.heard_by == "both"]
    if found.offset_ms == 0:
        assert sum(map(_shared, pairs)) == _most_shared(server, emulator)
    theirs = [(t.server_start_ms, t.server_end_ms) for t in found.turns if t.heard_by != "emulator"]
    ours = [(t.emulator_start_ms, t.emulator_end_ms) for t in found.turns if t.heard_by != "server"]
    assert (sorted(theirs), sorted(ours)) == (server, emulator)  # each of them once
    assert [turn.turn for turn in found.turns] == list(range(1, len(found.turns) + 1))
    starts = [(turn.server_start_ms, turn.emulator_start_ms) for turn in pairs]
    assert starts == sorted(starts)


def test_a_guess_at_the_clock_parts_nothing() -> None:
    server: list[Span] = [(0, 100), (200, 400), (500, 700)]
    found = agreement(server, [(0, 100), (300, 400), (600, 700)])
    assert [turn.heard_by for turn in found.turns] == ["both"] * 3
    assert found.offset_ms == -100


@given(disjoint(), st.integers(-500, 500))
def test_whatever_the_clock_equal_spans_agree(spans: list[Span], offset_ms: int) -> None:
    found = agreement(shifted(spans, offset_ms, offset_ms), spans)
    close = all(2 * abs(offset_ms) <= end - start for start, end in spans)
    if len(spans) >= 3 and close:
        assert (found.share, found.offset_ms) == (1, offset_ms)


def test_what_a_server_reports_in_no_order_is_no_error() -> None:
    speech = [
        Speech("a", audio_start_ms=1_000.0, audio_end_ms=2_000.0),
        Speech("b", audio_start_ms=math.nan, audio_end_ms=2_500.0),
        Speech("c", audio_start_ms=3_000.0, audio_end_ms=2_900.0),
        Speech("d", audio_start_ms=4_000.0),
    ]
    found = reported_spans(speech)
    assert [start for start, _ in found] == [1_000, 3_000, 4_000]
    assert [math.isnan(end) for _, end in found] == [False, True, True]
    assert len(agreement(found, found).turns) == 3
    assert reported_spans(speech, 3_500)[0][0] == 4_000
