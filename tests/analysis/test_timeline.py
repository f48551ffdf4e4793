"""What a timeline shows of what was heard, and what it leaves out because nothing tells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.timeline import timeline_data
from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.recording import Recording, load
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns

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


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return load(recorder.path)


def test_turns_have_the_latencies_of_the_table(scripted: Recording) -> None:
    turns, table = scripted.timeline_data.turns, scripted.latency
    assert [turn.number for turn in turns] == table.turn.tolist()
    told = pytest.approx(table.latency_ms.tolist(), nan_ok=True)
    assert [turn.latency_ms for turn in turns] == told
    assert [turn.answer_s for turn in turns] == pytest.approx(table.played_s.tolist(), nan_ok=True)
    for turn, speech_end_s in zip(turns, table.speech_end_s, strict=True):
        assert turn.start_s <= turn.end_s <= 16.2
        assert math.isnan(speech_end_s) or turn.start_s < speech_end_s < turn.end_s


def test_a_part_has_what_reaches_into_it(scripted: Recording) -> None:
    data = scripted.timeline_data
    first = data.turns[0]
    part = data.part(turn=first.number)
    assert (part.begin_s, part.duration_s) == pytest.approx(
        (max(0.0, first.start_s - 0.5), min(16.2, first.end_s + 0.5))
    )
    assert first in part.turns
    assert data.part() is data
    rest = data.part(start_s=12.0)
    assert (rest.begin_s, rest.duration_s) == (12.0, 16.2)
    assert all(end_s >= 12.0 for _, end_s in rest.padded)
    assert len(rest.padded) < len(data.padded)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"turn": 9}, "There are: 1, 2, 3"),
        ({"turn": 1, "start_s": 2.0}, "start_s= and end_s="),
        ({"start_s": 5.0, "end_s": 5.0}, "ends after it starts"),
        ({"start_s": math.nan}, "ends after it starts"),
        ({"start_s": 30.0, "end_s": 40.0}, "16.200 s"),
        ({"end_s": -1.0}, "-1 s"),
    ],
)
def test_a_part_that_there_is_not(scripted: Recording, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        scripted.plot_timeline(**asked)
