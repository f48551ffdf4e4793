"""When something last happened in a session: speech, events, tools; silence is nothing.

An open microphone sends audio for ever, and a server that prompts a silent user answers itself;
neither shows that anybody is there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Protocol

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.protocol.audio_formats import format_of, session_format
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.dialect import ga_name
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent

__all__ = ["Activity", "Detector", "WatchedSession"]

_APPEND = "input_audio_buffer.append"
_PROMPTED = "input_audio_buffer.timeout_triggered"
_SPEECH = "input_audio_buffer.speech_started"
_NO_ACTIVITY = {"session.created", "session.updated", "rate_limits.updated", "error"}
_SPEECH_PROBABILITY = 0.5


class WatchedSession(Protocol):
    """What is asked of a session, such as :class:`realtime_nb.session.session.Session`."""

    @property
    def conversation(self) -> Conversation:
        """What its events add up to."""
        ...

    @property
    def user_speaking(self) -> bool:
        """Whether turn detection hears the user."""
        ...


class Detector(Protocol):
    """Tells the speech probabilities of audio, frame by frame."""

    def push(self, payload: bytes) -> list[float]:
        """Takes audio; returns the probabilities of the frames that it completes."""
        ...


class Activity:
    """An observer that knows when something last happened.

    Where the server detects turns, it tells when the user speaks; elsewhere the audio is listened
    to here. A response that the server gives to silence (``idle_timeout_ms``) counts as silence,
    until the user speaks or the client sends something.

    Args:
        session: which one.
        now: the clock, in seconds.
        detector_for: makes what listens, for a wire format's type.

    Attributes:
        last_s: when something last happened, by that clock.
        what: the type of the event, ``speech``, ``playback`` or ``tool``; ``created`` at first.
        running: the ids of the calls whose functions run now.
    """

    def __init__(
        self,
        session: WatchedSession,
        now: Callable[[], float],
        detector_for: Callable[[str], Detector] = FrameDetector,
    ) -> None:
        self.last_s = now()
        self.what = "created"
        self.running: set[str] = set()
        self._session = session
        self._now = now
        self._detector_for = detector_for
        self._detector: tuple[str, Detector] | None = None
        self._prompted = False

    def event(self, event: WireEvent) -> None:
        """Takes an event that crossed the wire."""
        if getattr(self._session, "reconnecting", False):
            return  # what is sent then is said again, not anew
        name = str(ga_name(str(event.raw.get("type"))))
        if name == _APPEND:
            if self._is_speech(event.raw):
                self._happened("speech")
        elif event.direction == "sent" or name == _SPEECH:
            self._prompted = False
            self._happened(name)
        elif name == _PROMPTED:
            self._prompted = True
        elif name not in _NO_ACTIVITY and not self._prompted:
            self._happened(name)

    def playback(self, report: PlaybackReport) -> None:
        """Takes what the speaker reported."""
        if not self._prompted:
            self._happened("playback")

    def tool(self, report: ToolReport) -> None:
        """Takes that a function began to run, or ended."""
        if report.kind == "started":
            self.running.add(report.call_id)
        else:
            self.running.discard(report.call_id)
        self._happened("tool")

    def goes_on(self, playing: bool) -> None:
        """Takes that the agent's voice is being played, or not, and that functions still run."""
        if self.running:
            self._happened("tool")
        elif playing and not self._prompted:
            self._happened("playback")

    def _happened(self, what: str) -> None:
        self.last_s = self._now()
        self.what = what

    def _is_speech(self, raw: JsonObject) -> bool:
        conversation = self._session.conversation
        if conversation.turn_detection is not None:
            self._detector = None
            return self._session.user_speaking
        try:
            payload = base64.b64decode(raw.get("audio", ""))
        except (binascii.Error, TypeError, ValueError):
            return False
        format_type = format_of(session_format(conversation.session, "input")).type
        if self._detector is None or self._detector[0] != format_type:
            self._detector = (format_type, self._detector_for(format_type))
        heard = self._detector[1].push(payload)
        return any(probability >= _SPEECH_PROBABILITY for probability in heard)
