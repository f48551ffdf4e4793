"""What an agent's panel shows of its session: an observer that hands on to the widgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime_nb.agent.audio import close_widget
from realtime_nb.agent.connection_words import connection_words
from realtime_nb.agent.last_session import LastSession
from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.turn_moments import Moments
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_detection import detection_code
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.session import Session
from realtime_nb.widgets.agent_panel import AgentPanel
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.timing import Timing
from realtime_nb.widgets.transcript import Transcript
from realtime_nb.widgets.view import View

__all__ = ["AgentViews", "settings_asked", "settings_in_force", "settings_shown"]


class AgentViews:
    """The panel and the views in it, of one session after another.

    The views follow a session as they would in a cell of their own. The panel's state is told here,
    of what the fold says whenever an event or a report has changed it.

    Args:
        on_command: takes what the person wants, as `AgentPanel` hands it over.
        panel: what else the panel is made with.
    """

    def __init__(self, on_command: Callable[[str, Any], None], **panel: Any) -> None:
        self.transcript = Transcript()
        self.events = EventInspector()
        self.timeline = Timeline()
        self.calls = CallInspector()
        self.timing = Timing()
        self._views: list[View] = [
            *(self.transcript, self.events, self.timeline),
            *(self.calls, self.timing),
        ]
        self.panel = AgentPanel(
            on_command,
            transcript=self.transcript,
            events=self.events,
            timeline=self.timeline,
            calls=self.calls,
            timing=self.timing,
            **panel,
        )
        self.last_session = LastSession(self.panel)
        self._session: Session | None = None
        self._latency: LatencyMeter | None = None
        self._others: list[Callable[[Session], None]] = []

    def when_following(self, follow: Callable[[Session], None]) -> None:
        """Calls with each session that is followed from now on."""
        self._others.append(follow)

    def follow(self, session: Session) -> None:
        """Shows a session from its beginning, which is before it is open."""
        self._session = session
        self._latency = meter = LatencyMeter(session.conversation)
        self.panel.set(latency_ms=None, call_count=0, note="")
        session.observe(self)  # before the views, which show what the meter has taken in
        self.transcript.follow(session, meter)
        self.timing.follow(session, meter)
        for view in (self.events, self.timeline, self.calls):
            view.follow(session)
        for follow in self._others:
            follow(session)

    def belong_to(self, agent: object) -> None:
        """Has each of them keep the agent from when a page shows it."""
        for widget in (self.panel, *self._views):
            widget.belong_to(agent)

    def show_settings(self, shown: JsonObject) -> None:
        """Shows settings in force, or those that the next session will be asked for."""
        self.panel.show_settings(shown)
        self.panel.set(push_to_talk=shown["turn_detection"] is None)

    def session_over(self, session: Session | None, recording: Path | None) -> None:
        """Shows all of a session that has ended, and where its recording is; None: it did not
        come to one."""
        for view in self._views:
            view.session_over()
        self.panel.set(note="")  # what a connection cost is of no use to a session that is over
        if session is not None:
            self.last_session.show(session, recording)

    def close(self) -> None:
        """Takes the widgets out of the page, and forgets them."""
        for widget in (self.panel, *self._views):
            close_widget(widget)

    def event(self, event: WireEvent) -> None:
        """Implements `session.driver.Observer`."""
        kind = event.raw.get("type")
        if self._session is not None and kind == "session.updated":
            self.show_settings(settings_in_force(self._session.conversation))
        if kind == "response.done":  # the conversation goes on
            self.panel.set(note="")
        if self._latency is not None:
            self._show_latency(self._latency.event(event))
        self._show_state()

    def playback(self, report: PlaybackReport) -> None:
        """Implements `session.driver.Observer`."""
        if self._latency is not None:
            self._show_latency(self._latency.played(report))
        self._show_state()

    def tool(self, report: ToolReport) -> None:
        """Implements `session.driver.Observer`."""
        self._show_state()

    def connection(self, report: ConnectionReport) -> None:
        """Implements `session.observers.Observer`."""
        if self._session is not None:
            self.panel.set(note=connection_words(report, self._session.reconnections))
        self._show_state()

    def problem(self, words: str) -> None:
        """Implements `session.observers.Observer`."""
        self.panel.set(error=words)

    def _show_latency(self, answered: Moments | None) -> None:
        """Shows the last answer's latency, or none where that is unknown."""
        if answered is not None:
            latency_ms = answered.latency_ms
            self.panel.set(latency_ms=None if math.isnan(latency_ms) else round(latency_ms))

    def _show_state(self) -> None:
        session = self._session
        if session is not None and not session.closed and self.panel.connected:
            answering = session.speaker.playing or session.busy
            calls = len(session.conversation.calls)
            self.panel.set(state=_state_of(session), answering=answering, call_count=calls)


def _state_of(session: Session) -> str:
    if session.reconnecting:
        return "reconnecting"
    if session.user_speaking:
        return "hearing"
    if session.speaker.playing:
        return "speaking"
    due = session.busy or session.conversation.turn == "due"
    return "thinking" if due else "listening"


def settings_in_force(conversation: Conversation) -> JsonObject:
    """Returns what the panel's settings show of an open session."""
    detection = conversation.turn_detection
    return settings_shown(conversation.session) | {
        "turn_detection": detection,
        "code": detection_code(detection),
        "open": True,
        "confirmed_s": conversation.updated_s,
    }


def settings_shown(session: JsonObject) -> JsonObject:
    """Returns what the panel's settings show of a session that will be asked for."""
    asked: JsonObject = {"instructions": "", "voice": "", "turn_detection": {}} | settings_asked(
        session
    )
    code = detection_code(asked["turn_detection"])
    return asked | {"code": code, "open": False, "confirmed_s": None}


def settings_asked(patch: JsonObject) -> JsonObject:
    """Returns what of the panel's settings a session is asked for, and nothing else."""
    sound = patch.get("audio", {})
    places = (
        ("instructions", patch),
        ("voice", sound.get("output", {})),
        ("turn_detection", sound.get("input", {})),
    )
    return {name: place[name] for name, place in places if name in place}
