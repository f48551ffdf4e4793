"""What an agent's panel shows of its session: an observer that hands on to the widgets."""

from __future__ import annotations

import math

from realtime_nb.agent.audio import close_widget
from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.turn_moments import Moments
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.session import Session
from realtime_nb.widgets.agent_panel import AgentPanel
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript

__all__ = ["AgentViews", "settings_shown"]

_BYTES_PER_MS = 48


class AgentViews:
    """The widgets in the panel, as an observer of the session that they show.

    Attributes:
        panel: shows state, latency and who ends the user's turns; to be set before :meth:`follow`.
        uncommitted_ms: audio that was appended since the last commit.
    """

    panel: AgentPanel

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.events = EventInspector()
        self.timeline = Timeline()
        self.uncommitted_ms = 0.0
        self._session: Session | None = None
        self._latency: LatencyMeter | None = None
        self._turn_due = False  # a turn has ended that has no response yet

    def follow(self, session: Session) -> None:
        """Shows a session from its beginning, which is before it is open."""
        self._session = session
        self._latency = LatencyMeter(session.conversation)
        self.uncommitted_ms = 0.0
        self._turn_due = False
        self.events.clear()
        self.timeline.clear()
        self.transcript.update(session.conversation)
        self.panel.set(latency_ms=None)
        session.observe(self)

    def update(self) -> None:
        """Shows what is now."""
        if self._session is not None:
            self.transcript.update()
            self.timeline.update(self._session.conversation)

    def event(self, event: WireEvent) -> None:
        """Takes an event that crossed the wire."""
        raw, pcm = event.raw, event.pcm
        self.events.add(event.direction, raw, event.t_s)
        self._follow_turns(str(raw.get("type")))
        if raw.get("type") == "session.updated" and self._session is not None:
            self.panel.set(push_to_talk=self._session.conversation.turn_detection is None)
        if raw.get("type") == "input_audio_buffer.append" and pcm is not None:
            self._add_input(pcm, event.t_s, event.captured_s)
        elif pcm is not None and isinstance(raw.get("item_id"), str):
            self.timeline.add_output(raw["item_id"], pcm)
        self._show(event.t_s)

    def close(self) -> None:
        """Takes the widgets out of the page, and forgets them."""
        for widget in (self.panel, self.transcript, self.events, self.timeline):
            close_widget(widget)

    def playback(self, report: PlaybackReport) -> None:
        """The speaker reported something."""
        if self._latency is not None:
            self._show_latency(self._latency.played(report))
        self._show(report.t_s)

    def tool(self, report: ToolReport) -> None:
        """A function began to run, or ended; the views tell calls by their events."""

    def _follow_turns(self, name: str) -> None:
        if name in ("input_audio_buffer.commit", "input_audio_buffer.clear"):
            self.uncommitted_ms = 0.0
        elif name == "input_audio_buffer.speech_stopped":
            self._turn_due = True
        elif name in ("response.created", "input_audio_buffer.speech_started", "error"):
            self._turn_due = False

    def _add_input(self, pcm: bytes, t_s: float, captured_s: float | None) -> None:
        self.uncommitted_ms += len(pcm) / _BYTES_PER_MS
        if self._latency is not None:
            self._show_latency(self._latency.sent(pcm, t_s, captured_s))
        self.timeline.add_input(pcm, t_s, captured_s)

    def _show_latency(self, answered: Moments | None) -> None:
        """That of the last answer, or none where it is unknown."""
        if answered is not None:
            latency_ms = answered.latency_ms
            self.panel.set(latency_ms=None if math.isnan(latency_ms) else round(latency_ms))

    def _show(self, t_s: float) -> None:
        session = self._session
        if session is None or session.closed:
            return
        self.transcript.update()
        self.timeline.update(session.conversation, t_s)
        if self.panel.connected:
            self.panel.set(state=self._state(session))

    def _state(self, session: Session) -> str:
        if session.user_speaking:
            return "hearing"
        if session.speaker.playing:
            return "speaking"
        detection = session.conversation.turn_detection or {}
        due = self._turn_due and detection.get("create_response") is not False
        return "thinking" if session.busy or due else "listening"


def settings_shown(session: JsonObject) -> JsonObject:
    """Returns what the panel's settings show of a session, or of a patch of one."""
    sound = session.get("audio", {})
    return {
        "instructions": session.get("instructions", ""),
        "voice": sound.get("output", {}).get("voice", ""),
        "turn_detection": sound.get("input", {}).get("turn_detection", {}),
    }
