from __future__ import annotations

import pytest

from realtime_nb.commands.bench import hour


def test_some_minutes_with_a_move_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    figures = hour.run(2, session_s=100, every=0.5)
    assert figures.rollovers >= 1
    assert figures.gaps == 0
    assert figures.lost_ms == figures.true_lost_ms == 0
    assert figures.understood_ms == pytest.approx(figures.spoken_ms, rel=0.02)
    assert figures.booked == figures.bookings >= 1
    assert figures.answers == figures.turns + figures.bookings
    assert figures.errors == []
    last = figures.rows[-1]
    assert last.restored > 0
    assert last.connections == 1 + figures.rollovers
    assert [row.items for row in figures.rows] == sorted({row.items for row in figures.rows})
    assert figures.released_mb < last.memory_mb
    for row in figures.rows[1:]:
        assert row.conversation_mb > 0
        assert row.server_mb > 0
        assert row.latest_mb > 1  # the audio alone
    printed = capsys.readouterr().out
    assert "0 ms of audio lost as the session says, 0 ms as counted on the way" in printed
    assert f"{figures.rollovers} rollovers" in printed


def test_what_an_item_costs_is_told_where_there_are_more() -> None:
    rows = [hour.HourRow(0, 1.0, 0, 0, 1, 0), hour.HourRow(1, 2.0, 10, 9, 1, 0)]
    still = hour.HourRow(2, 2.5, 10, 9, 1, 0)
    assert hour.HourFigures([*rows, still]).kb_per_item == [100.0]


def test_what_is_held_is_counted_once_and_the_program_not_at_all() -> None:
    text = "x" * 1_000_000
    seen: set[int] = set()
    assert hour.held_mb([[text, text], {"again": text}], seen) == pytest.approx(1.0, rel=0.01)
    assert hour.held_mb([text], seen) == 0
    assert hour.held_mb([pytest, hour.held_mb, str], set()) == 0
    row = hour.HourRow(1, 5.0, 1, 1, 1, 0, conversation_mb=1.0, server_mb=2.0, latest_mb=0.5)
    assert row.rest_mb == 1.5
