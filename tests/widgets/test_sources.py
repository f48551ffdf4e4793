from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.sources import find_source
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript
from realtime_nb.widgets.view import View
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession

MakeView = Callable[[Any], View]
VIEWS: list[MakeView] = [Transcript, EventInspector, Timeline, CallInspector]
every_view = pytest.mark.parametrize("make", VIEWS, ids=lambda view: view.__name__)


class Ended(ToldSession):
    """A session that may be over."""

    def __init__(self, recording: Path | None = None, closed: bool = True) -> None:
        super().__init__()
        three_turns(self.script)
        self.recording, self.closed = recording, closed


class Owner:
    """As an agent has sessions."""

    def __init__(
        self,
        session: ToldSession | None = None,
        conversation: Conversation | None = None,
        recording: Path | None = None,
    ) -> None:
        self.session = session
        self.recording = recording
        self.conversation = conversation or Conversation()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return recorder.path


def told(make: MakeView, source: object) -> str:
    widget = make(source)
    try:
        return widget.summary()
    finally:
        widget.close()


@every_view
def test_a_path_is_that_of_a_recording(make: MakeView, path: Path) -> None:
    expected = told(make, load(path))
    assert told(make, path) == told(make, str(path)) == expected


@every_view
def test_of_a_session_that_is_over_its_recording_is_shown(make: MakeView, path: Path) -> None:
    expected = told(make, load(path))
    assert told(make, Ended(path)) == expected
    assert told(make, Owner(conversation=Ended().conversation, recording=path)) == expected


def test_of_one_that_was_not_recorded_what_is_known() -> None:
    session = Ended()
    assert told(Transcript, session) == told(Transcript, session.conversation)
    assert told(CallInspector, session).startswith("Call inspector: 1 function call")
    assert told(EventInspector, session) == (
        "Event inspector: This session is over and was not recorded, so its events and its audio "
        "were not kept."
    )
    words = told(Timeline, Owner(conversation=session.conversation))
    assert "2 stretches of speech, 1 function call" in words
    assert words.endswith("were not kept.")


def test_speech_of_one_that_was_not_recorded_lies_where_its_end_was_told(path: Path) -> None:
    known, recorded = Timeline(Ended()), Timeline(path)
    for place in (0, 1):
        mark, true = known._marks[f"speech {place}"], recorded._marks[f"speech {place}"]
        assert mark["t_s"] == pytest.approx(true["t_s"], abs=0.3)
        assert mark["end_s"] == pytest.approx(true["end_s"], abs=0.3)
    known.close()
    recorded.close()


@pytest.mark.parametrize("make", [EventInspector, Timeline])
def test_the_page_is_told_why_there_is_so_little(make: MakeView) -> None:
    widget = make(Ended())
    page = ListeningPage(widget)
    for _ in range(2):  # also one that was reloaded
        page.say("show")
        [note] = [one for one in page.take() if one["kind"] == "note"]
        assert note["words"].startswith("This session is over and was not recorded")
    assert [one for one in page.take() if one["kind"] == "note"] == []
    widget.close()


def test_a_recording_that_has_gone_is_said_to_be(tmp_path: Path) -> None:
    words = told(EventInspector, Ended(tmp_path / "gone"))
    assert "its recording can't be opened: " in words and "gone" in words
    assert told(Transcript, Ended(tmp_path / "gone")) == told(Transcript, Ended())


@every_view
def test_an_agents_open_session_is_followed(make: MakeView) -> None:
    session = Ended(closed=False)
    widget = make(Owner(session, session.conversation))
    assert len(session.observers) == 1
    widget.close()


@every_view
def test_an_agent_without_a_session_is_to_be_connected(make: MakeView) -> None:
    with pytest.raises(ConfigurationError, match=r"no session yet that \w+ could show: connect it"):
        make(Owner())


@every_view
@pytest.mark.parametrize("wrong", [5, b"abc", object()], ids=["int", "bytes", "object"])
def test_anything_else_is_refused_in_a_sentence(make: MakeView, wrong: object) -> None:
    name = getattr(make, "__name__", "")
    words = rf"^{name} shows a session, an agent, a recording or the path of one.*, not "
    with pytest.raises(ConfigurationError, match=words):
        make(wrong)


@every_view
def test_a_path_of_nothing_is_refused(make: MakeView, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        make(tmp_path / "nowhere")


def test_nothing_is_computed_to_tell_what_it_is(path: Path) -> None:
    recording = load(path)
    found = find_source(recording, "EventInspector", "raw_events")
    assert isinstance(found.recording, Recording)
    assert "_folded" not in vars(recording)
    assert found.conversation is recording.conversation
