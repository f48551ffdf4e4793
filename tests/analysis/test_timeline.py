"""What a timeline shows of what was heard, and what it leaves out because nothing tells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.timeline import timeline_data
from tests.made_recording import MadeRecording

SECOND = np.full(24_000, 0.1, np.float32)
RECEIVED = {"resp_1_item": SECOND, "resp_2_item": SECOND}


def answered() -> MadeRecording:
    """Two answers of a second each."""
    rec = MadeRecording(duration_s=10.0)
    rec.answer(1.0, "resp_1", 1_000, "One.")
    rec.answer(4.0, "resp_2", 1_000, "Two.")
    return rec


def unheard(rec: MadeRecording) -> list[tuple[float, int]]:
    clips = timeline_data(rec, RECEIVED).unheard
    return [(round(clip.start_s, 3), len(clip.samples) // 24) for clip in clips]


def test_nothing_is_unheard_where_nobody_reports_playback() -> None:
    assert unheard(answered()) == []
    clips = timeline_data(answered(), RECEIVED).received
    assert [(clip.start_s, len(clip.samples)) for clip in clips] == [(1.1, 24_000), (4.1, 24_000)]


def test_messages_that_came_at_once_do_not_cover_each_other() -> None:
    rec = MadeRecording(duration_s=10.0)
    rec.answer(1.0, "resp_1", 1_000, "One.")
    rec.answer(1.5, "resp_2", 1_000, "Two.")
    clips = timeline_data(rec, RECEIVED).received
    assert [(clip.start_s, len(clip.samples)) for clip in clips] == [(1.1, 12_000), (1.6, 24_000)]


def test_where_playback_is_known_only_what_was_played_is_shown() -> None:
    rec = answered()
    rec.played("resp_1_item", 0.0, "started", 1.2)
    assert timeline_data(rec, RECEIVED).received == []


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([(0, "started", 1.2), (1_000, "finished", 2.2)], [(4.1, 1_000)]),
        ([(0, "started", 1.2), (400, "flushed", 1.6)], [(1.6, 600), (4.1, 1_000)]),
        ([(0, "started", 1.2), (400, "underrun", 1.6)], [(1.6, 600), (4.1, 1_000)]),
    ],
)
def test_what_was_not_played_lies_where_it_would_have_been(
    reports: list[tuple[float, Any, float]], expected: list[tuple[float, int]]
) -> None:
    rec = answered()
    for report in reports:
        rec.played("resp_1_item", *report)

    assert unheard(rec) == expected


def test_nothing_is_said_of_a_message_whose_playback_is_not_known() -> None:
    rec = answered()
    rec.played("resp_1_item", 0.0, "started", 1.2)
    rec.conversation.settle("resp_1_item", math.nan, None)

    assert unheard(rec) == [(4.1, 1_000)]


def test_a_response_that_runs_when_the_session_ends() -> None:
    rec = answered()
    rec.got(7.0, "response.created", response={"id": "resp_3", "status": "in_progress"})

    assert timeline_data(rec, {}).responses == [
        (1.0, 1.2, "completed"),
        (4.0, 4.2, "completed"),
        (7.0, 10.0, "in_progress"),
    ]
