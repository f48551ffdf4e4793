from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comm
import pytest

from realtime_nb.agent_views import AgentViews, settings_shown
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.events import parse_server
from realtime_nb.widgets.agent_panel import AgentPanel
from tests.widgets.conftest import FakeComm


@pytest.fixture(autouse=True)
def fake_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", FakeComm)


class Speaker:
    playing = False


class Session:
    """A session that says what it is told to."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.speaker = Speaker()
        self.user_speaking = self.busy = self.closed = False
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> None:
        self.observers.append(observer)


class Shown:
    """Views of a session."""

    def __init__(self) -> None:
        self.views = AgentViews()
        views = self.views
        views.panel = AgentPanel(
            lambda name, value: None,
            transcript=views.transcript,
            events=views.events,
            timeline=views.timeline,
        )
        self.session = Session()
        views.follow(self.session)  # type: ignore[arg-type]

    def received(self, t_s: float, type: str, **fields: Any) -> str:
        raw = {"type": type, "event_id": "e", **fields}
        event = parse_server(raw)
        self.session.conversation.apply(event, t_s)
        self.views.event("received", raw, t_s, None)
        return str(self.views.panel.state)

    def heard(self, t_s: float, ms: int) -> None:
        self.views.event("sent", {"type": "input_audio_buffer.append"}, t_s, bytes(48 * ms))

    def close(self) -> None:
        views = self.views
        for widget in (views.panel, views.transcript, views.events, views.timeline):
            widget.close()


@pytest.fixture
def shown() -> Iterator[Shown]:
    made = Shown()
    yield made
    made.close()


def stop(shown: Shown, t_s: float) -> str:
    return shown.received(t_s, "input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=1000)


def start(shown: Shown, t_s: float) -> str:
    return shown.received(t_s, "input_audio_buffer.speech_started", item_id="u", audio_start_ms=200)


def detection(shown: Shown, **settings: Any) -> None:
    fields = {"type": "server_vad", "silence_duration_ms": 200, **settings}
    session = {"type": "realtime", "id": "s", "audio": {"input": {"turn_detection": fields}}}
    shown.received(0.0, "session.created", session=session)


def test_between_a_turn_and_its_response_it_thinks(shown: Shown) -> None:
    detection(shown)
    shown.session.user_speaking = True
    assert start(shown, 1.0) == "hearing"
    shown.session.user_speaking = False
    assert stop(shown, 2.0) == "thinking"
    shown.session.busy = True
    response = {"id": "r", "object": "realtime.response", "status": "in_progress", "output": []}
    assert shown.received(2.1, "response.created", response=response) == "thinking"
    shown.session.speaker.playing = True
    shown.views.playback(PlaybackReport("a", 0.0, "started", 2.2))
    assert shown.views.panel.state == "speaking"
    shown.session.busy = shown.session.speaker.playing = False
    shown.views.playback(PlaybackReport("a", 100.0, "finished", 2.3))
    assert shown.views.panel.state == "listening"


def test_where_turns_are_not_answered_nobody_thinks(shown: Shown) -> None:
    detection(shown, create_response=False)
    start(shown, 1.0)
    assert stop(shown, 2.0) == "listening"


def test_latency_is_from_the_end_of_the_words_to_the_first_sound(shown: Shown) -> None:
    detection(shown)
    for number in range(1, 13):
        shown.heard(0.1 * number, 100)  # its last sample is from then
    start(shown, 0.5)
    stop(shown, 1.2)
    shown.views.playback(PlaybackReport("a", 0.0, "started", 1.5))
    offset_ms = shown.session.conversation.speech[-1].offset_ms
    assert offset_ms is not None
    expected_ms = pytest.approx(1500 - offset_ms, abs=1)  # audio at x ms was heard at x ms
    assert shown.views.panel.latency_ms == expected_ms
    shown.views.playback(PlaybackReport("b", 0.0, "started", 9.0))
    assert shown.views.panel.latency_ms == expected_ms


def test_words_that_were_kept_have_no_latency(shown: Shown) -> None:
    detection(shown)
    for number in range(12):
        shown.heard(1.0 + 0.001 * number, 100)
    start(shown, 1.1)
    stop(shown, 1.2)
    shown.views.playback(PlaybackReport("a", 0.0, "started", 1.5))
    assert shown.views.panel.latency_ms is None


def test_a_typed_message_has_no_latency(shown: Shown) -> None:
    detection(shown)
    shown.heard(1.0, 1000)
    start(shown, 0.5)
    stop(shown, 1.0)
    shown.views.event("sent", {"type": "conversation.item.create"}, 2.0, None)
    shown.views.playback(PlaybackReport("a", 0.0, "started", 2.5))
    assert shown.views.panel.latency_ms is None


def test_appended_audio_counts_until_it_is_committed_or_cleared(shown: Shown) -> None:
    shown.heard(1.0, 100)
    shown.heard(1.1, 100)
    assert shown.views.uncommitted_ms == 200
    shown.views.event("sent", {"type": "input_audio_buffer.commit"}, 1.2, None)
    assert shown.views.uncommitted_ms == 0


def test_events_are_counted_now_and_then(shown: Shown) -> None:
    for number in range(100):
        shown.heard(0.01 * number, 10)
    assert 0 < shown.views.panel.event_count < 100
    shown.views.update()
    assert shown.views.panel.event_count == 100 == len(shown.views.events)


def test_another_session_begins_anew(shown: Shown) -> None:
    shown.heard(5.0, 100)
    other = Session()
    shown.views.follow(other)  # type: ignore[arg-type]
    assert (len(shown.views.events), shown.views.uncommitted_ms) == (0, 0.0)
    assert other.observers == [shown.views]


def test_a_closed_session_changes_no_state(shown: Shown) -> None:
    shown.session.closed = shown.session.user_speaking = True
    assert shown.received(1.0, "rate_limits.updated", rate_limits=[]) == "disconnected"


def test_settings_are_found_where_the_protocol_has_them() -> None:
    session = {
        "instructions": "Be brief.",
        "audio": {"input": {"turn_detection": None}, "output": {"voice": "sage"}},
    }
    assert settings_shown(session) == {
        "instructions": "Be brief.",
        "voice": "sage",
        "turn_detection": None,
    }
    assert settings_shown({}) == {"instructions": "", "voice": "", "turn_detection": {}}
