"""A lost connection on the timeline and among the events, live and of a recording."""

from __future__ import annotations

import matplotlib
import pytest

import realtime_nb as rt
from realtime_nb.analysis.transcript import transcript_rows
from realtime_nb.plots.still import timeline_svg
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from tests.lost_connection import answered, lost, says_it_again

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rt.Recording:
    return lost(tmp_path_factory.mktemp("lost"), answered, says_it_again)


def gaps_of(timeline: rt.Timeline) -> list[dict[str, object]]:
    return [mark for mark in timeline._marks.values() if mark["kind"] == "gap"]


def test_a_recording_has_its_gap(recording: rt.Recording) -> None:
    (row,) = recording.reconnections.to_dict("records")
    timeline = rt.Timeline(recording)
    (mark,) = gaps_of(timeline)

    assert (mark["t_s"], mark["end_s"]) == (round(row["lost_s"], 4), round(row["resumed_s"], 4))
    assert str(mark["name"]).startswith("connection lost: 2.0 s gap")
    assert "1 lost connection" in timeline.summary()


def test_an_answer_that_was_cut_off_ends_with_the_connection(recording: rt.Recording) -> None:
    (row,) = recording.reconnections.to_dict("records")
    first = recording.timeline_data.responses[0]

    assert first[1:] == (row["lost_s"], "incomplete")
    marks = [mark for mark in rt.Timeline(recording)._marks.values() if mark["kind"] == "response"]
    assert marks[0]["end_s"] == round(row["lost_s"], 4)


def test_a_gap_that_goes_on_has_no_end_yet() -> None:
    conversation, timeline = Conversation(), rt.Timeline()
    conversation.apply_connection(ConnectionReport("lost", 3.0, 1006))
    timeline.update(conversation, 4.0)
    timeline._fold(conversation)
    assert gaps_of(timeline)[0]["end_s"] is None

    conversation.apply_connection(ConnectionReport("resumed", 5.0))
    timeline._fold(conversation)
    assert gaps_of(timeline)[0]["end_s"] == 5.0


def test_the_pictures_shade_it(recording: rt.Recording) -> None:
    legend = recording.plot_timeline().get_legend()
    assert legend is not None
    data = recording.timeline_data

    assert "no connection" in [text.get_text() for text in legend.get_texts()]
    assert "connection lost: 2.0 s gap" in timeline_svg(data)
    before = data.between(0.0, data.gaps[0][0] - 0.1)
    assert before.gaps == []
    assert "connection lost" not in timeline_svg(before)


def test_the_transcript_has_a_line_where_it_was_lost(recording: rt.Recording) -> None:
    lines = str(recording.transcript()).splitlines()
    (place,) = [at for at, line in enumerate(lines) if "[connection lost" in line]

    assert "agent: word" in lines[place - 1] and "agent: word" in lines[place + 1]
    rows = transcript_rows(recording.conversation)
    (note,) = [row for row in rows if row.text.startswith("Connection lost: 2.0 s gap")]
    assert rows[rows.index(note) - 1].kind == rows[rows.index(note) + 1].kind == "agent"


def test_the_event_inspector_has_a_row_of_each_report() -> None:
    inspector = rt.EventInspector()
    inspector.connection(ConnectionReport("lost", 3.0, 1006, "Gone."))
    inspector.connection(ConnectionReport("retrying", 3.0, attempt=1, wait_s=0.5))

    assert [event.type for event in inspector._events] == ["connection.lost", "connection.retrying"]
    assert inspector._find([0]) == [{"type": "connection.lost", "code": 1006, "reason": "Gone."}]
