from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.recording import load
from realtime_nb.widgets import event_inspector
from realtime_nb.widgets.event_inspector import EventInspector
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession


@pytest.fixture
def inspector() -> Iterator[EventInspector]:
    widget = EventInspector()
    yield widget
    widget.close()


def seqs(messages: list[dict[str, Any]]) -> list[int]:
    return [row[0] for message in messages for row in message.get("rows", ())]


def add(inspector: EventInspector, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        inspector.add("received", {"type": "x", "n": n}, n / 10)


def test_each_event_is_sent_once_and_in_order(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    add(inspector, 3)
    page.say("show")
    messages = page.take()
    assert messages[0] == {"kind": "reset"}
    assert seqs(messages) == [0, 1, 2]
    assert page.take() == []
    add(inspector, 2, start=3)
    assert seqs(page.take()) == [3, 4]
    page.say("show")
    assert seqs(page.take()) == [0, 1, 2, 3, 4]


def test_many_events_go_in_several_messages(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    add(inspector, 10_001)
    page.say("show")
    messages = page.take()
    assert seqs(messages) == list(range(10_001))
    assert max(len(message.get("rows", ())) for message in messages) <= 2_500


def test_a_payload_is_fetched_by_its_number(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    add(inspector, 5)
    page.say("show")
    page.take()
    page.say("fetch", id=9, seqs=[3])
    [answer] = page.take()
    assert (answer["kind"], answer["id"], answer["note"]) == ("payload", 9, "")
    assert json.loads(answer["json"]) == {"type": "x", "n": 3}
    page.say("fetch", id=10, seqs=[1, 2])
    [answer] = page.take()
    assert [event["n"] for event in json.loads(answer["json"])] == [1, 2]


@pytest.mark.parametrize("seqs", [[5], [-1], [10**30]])
def test_a_payload_that_is_not_there(inspector: EventInspector, seqs: list[int]) -> None:
    page = ListeningPage(inspector)
    add(inspector, 5)
    page.say("show")
    page.take()
    page.say("fetch", id=1, seqs=seqs)
    [answer] = page.take()
    assert answer["json"] == ""
    assert "0 of 1" in answer["note"]


def test_requests_that_make_no_sense_are_left_alone(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    page.say("show")
    page.take()
    for facts in ({"seqs": "all"}, {"seqs": ["a", None]}, {}):
        page.say("fetch", id=1, **facts)
    page.say("click")
    assert [message["json"] for message in page.take()] == [""]


def test_a_large_payload_is_cut(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    inspector.add("sent", {"type": "x", "many": ["word " * 100] * 3_000}, 0.0)
    page.say("show")
    page.take()
    page.say("fetch", id=1, seqs=[0])
    [answer] = page.take()
    assert len(answer["json"]) == 500_000
    assert "characters more" in answer["note"]


def test_an_event_without_a_time_is_told_without_one(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    add(inspector, 3)
    inspector.add("sent", {"type": "x"}, math.nan)
    page.say("show")
    messages = page.take()
    json.dumps(messages, allow_nan=False)  # browsers read no NaN
    assert [row[1] for message in messages for row in message.get("rows", ())][-1] is None
    assert "nan" not in inspector.summary()


def test_what_is_to_be_copied_comes_whole(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    add(inspector, 250)
    inspector.add("sent", {"type": "x", "many": ["word " * 100] * 3_000}, 0.0)
    page.say("show")
    page.take()
    for seqs in (list(range(250)), [250]):
        page.say("fetch", id=1, seqs=seqs, whole=True)
        [answer] = page.take()
        assert answer["note"] == ""
        json.loads(answer["json"])
    page.say("fetch", id=1, seqs=[250, 250], whole=True)
    [answer] = page.take()
    assert "characters more" in answer["note"]  # more than a front end may get at once


def test_the_oldest_go_and_the_page_is_told(
    inspector: EventInspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_inspector, "MAX_EVENTS", 10)
    small = EventInspector()
    page = ListeningPage(small)
    page.say("show")
    page.take()
    add(small, 4)
    assert seqs(page.take()) == [0, 1, 2, 3]
    add(small, 26, start=4)
    [message] = page.take()
    assert (message["lost"], seqs([message])) == (16, list(range(20, 30)))
    assert (len(small), small.dropped) == (10, 20)
    page.say("fetch", id=1, seqs=[25])
    [answer] = page.take()
    assert json.loads(answer["json"])["n"] == 25
    page.say("fetch", id=1, seqs=[19])
    [answer] = page.take()
    assert answer["json"] == ""
    small.close()


def test_after_clear_it_begins_anew(inspector: EventInspector) -> None:
    page = ListeningPage(inspector)
    page.say("show")
    add(inspector, 3)
    page.take()
    inspector.clear()
    add(inspector, 1)
    messages = page.take()
    assert messages[0] == {"kind": "reset"}
    assert (seqs(messages), len(inspector)) == ([0], 1)


def test_a_session_is_followed() -> None:
    session = ToldSession()
    inspector = EventInspector(session)
    page = ListeningPage(inspector)
    page.say("show")
    session.sent(1.0, "response.create")
    session.received(1.5, "response.created", response={"id": "resp_1"})
    rows = page.take()[1]["rows"]
    assert [row[1:4] for row in rows] == [
        [1000.0, 1, "response.create"],
        [1500.0, 0, "response.created"],
    ]
    inspector.close()


def test_a_recording_and_its_events_show_the_same(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    recording = load(recorder.path)
    lines = list(recording.raw_events())
    of_recording, of_events = EventInspector(recording), EventInspector(lines)
    assert len(of_recording) == len(of_events) == len(lines) > 100
    assert of_recording.summary() == of_events.summary()
    assert f"{len(lines):,} events" in of_recording.summary()
    assert "errors" not in of_recording.summary()  # the one that there is lost a race
    of_recording.close()
    of_events.close()


def test_the_saved_notebook_has_a_summary_and_no_event(inspector: EventInspector) -> None:
    inspector.add("sent", {"type": "<b>x</b>", "text": "a secret"}, 0.0)
    bundle = inspector._repr_mimebundle_()
    assert bundle is not None
    text = json.dumps(bundle)
    assert "Event inspector: 1 events" in text
    assert "a secret" not in text and "a secret" not in str(inspector.get_state())


def test_the_saved_notebook_counts_events_by_type(inspector: EventInspector) -> None:
    assert inspector.picture() == ""
    add(inspector, 3)
    inspector.add("sent", {"type": "<b>x</b>", "text": "a secret"}, 0.0)
    lines = inspector.picture().split("<tr>")
    assert [line.count("<td") for line in lines] == [0, 0, 3, 3]
    assert ">received</td>" in lines[2] and ">x</td>" in lines[2] and ">3</td>" in lines[2]
    assert "&lt;b&gt;x&lt;/b&gt;" in lines[3] and "secret" not in lines[3]


def test_an_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="sorce"):
        EventInspector(sorce=None)


def test_what_it_keeps_of_a_long_session_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_inspector, "MAX_BYTES", 300_000)
    inspector = EventInspector()
    tracemalloc.start()
    for number in range(20_000):
        text = "word " * (number % 40)
        inspector.add("received", {"type": "x.delta", "delta": text, "n": number}, number / 10)
    kept_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert kept_bytes < 1_000_000
    assert 300 < len(inspector) < 1_500
    assert inspector.dropped == 20_000 - len(inspector)
    assert inspector._find([19_999])[0]["n"] == 19_999
    inspector.close()


def test_the_page_is_told_whether_more_can_come(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    recording = load(recorder.path)
    for source, over in (
        (None, False),
        (ToldSession(), False),
        (recording, True),
        (recording.path, True),
        (recording.raw_events(), True),
        ([], True),
    ):
        page = ListeningPage(inspector := EventInspector(source))
        page.say("show")
        assert page.take()[0].get("over", False) is over
        inspector.follow(ToldSession())
        assert page.take()[0] == {"kind": "reset"}
        inspector.close()
