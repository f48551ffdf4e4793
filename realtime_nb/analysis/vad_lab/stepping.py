"""From the events of a session to the steps of a track: what its server did, and where.

A server takes events in their order, so an update takes force where it was sent, though that is
known only once it is confirmed, and a commit cuts where it was sent unless it is refused. What is
known late is put where it belongs, and whatever ran over it is told to go back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from realtime_nb.analysis.vad_lab.settings import (
    AskedSettings,
    SettingsLog,
    asked_detection,
    filled,
)
from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step, StepKind
from realtime_nb.protocol.audio_formats import WireFormat, format_of, session_format
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.wire import JsonObject, WireEvent, object_of

__all__ = ["Stepping"]

_UPDATES = ("session.update", "transcription_session.update")
_UPDATED = ("session.updated", "transcription_session.updated")
_CREATED = ("session.created", "transcription_session.created")
_CUTS = ("input_audio_buffer.commit", "input_audio_buffer.clear")
_COMMIT_REFUSED = "input_audio_buffer_commit"
_REMEMBERED = 16


class Stepping:
    """Puts the steps of a session into a track.

    Args:
        conversation: everything is folded into it before it is told here.
        track: of the session's audio.
        settings: are told what is asked for, and what takes force.
        rewind: called with the index and the frame of a step from which on the track is another.

    Attributes:
        in_force: from which position on which turn detection, None for off.
    """

    def __init__(
        self,
        conversation: Conversation,
        track: SpeechTrack,
        settings: SettingsLog,
        rewind: Callable[[int, int], None],
    ) -> None:
        self._conversation = conversation
        self._track = track
        self._settings = settings
        self._rewind = rewind
        self._seq = 0
        self._cuts: deque[tuple[str | None, Step]] = deque(maxlen=_REMEMBERED)
        self.in_force: list[tuple[float, JsonObject | None]] = []
        if conversation.session:
            self._created()
        if conversation.updated_s is not None:
            settings.began()

    def event(self, event: WireEvent) -> None:
        """Takes an event but for audio, after it was folded."""
        self._seq += 1
        kind, raw = event.raw.get("type"), event.raw
        if event.direction == "sent":
            if kind in _UPDATES:
                self._asks(raw)
            elif kind in _CUTS:
                step = self._here("cut")
                self._cuts.append((_text(raw.get("event_id")), step))
                self._put(step)
        elif kind in _CREATED:
            self._meet_connection()
            self._created()
        elif kind in _UPDATED:
            self._updated(event.t_s)
        elif kind == "error":
            self._refused(object_of(raw, "error") or {})
        elif kind == "input_audio_buffer.speech_stopped":
            self._judged(raw.get("audio_end_ms"))
        elif kind == "input_audio_buffer.timeout_triggered":
            self._at(raw.get("audio_end_ms"), "cut")

    def connection(self, report: ConnectionReport) -> None:
        """Takes what a session says of its connection, after it was folded."""
        self._seq += 1
        if report.kind == "lost":
            self._settings.forget_asked()
            self._cuts.clear()
        self._meet_connection()

    def _meet_connection(self) -> None:
        """Begins anew where another connection has begun to count."""
        origin_ms = self._conversation.audio.connection_ms
        if origin_ms != self._track.origin_ms:
            self._settings.forget_asked()  # of a server that is gone
            self._cuts.clear()
            self._track.restart(self._seq, self._format(), origin_ms)

    def _created(self) -> None:
        self._take_format()
        detection = filled(self._conversation.turn_detection)
        if detection != self._settings.detection or not self.in_force:
            self._settings.created(detection)
            self._put_in_force(self._here("settings", detection), self._track.now_ms)

    def _asks(self, raw: JsonObject) -> None:
        tells, detection = asked_detection(raw.get("session"))
        here = self._here("settings", filled(detection))
        if tells and detection is not None and self._settings.expected is None:
            # The server's detector begins here, should it be turned on. Where that is refused,
            # none runs, and nothing is lost.
            self._track.restart(self._seq, self._track.audio_format)
            self._seq += 1
            here = self._here("settings", filled(detection))
        self._settings.asks(
            AskedSettings(
                _text(raw.get("event_id")),
                here.frame,
                here.seq,
                here.position_ms,
                self._track.now_ms,
                here.detection,
                tells,
            )
        )

    def _updated(self, t_s: float) -> None:
        before, detection = self._settings.detection, filled(self._conversation.turn_detection)
        asked = self._settings.confirmed(detection)
        self._take_format()
        if detection != before:
            if asked is None and before is None:
                self._track.restart(self._seq, self._track.audio_format)
                self._seq += 1
            step, at_ms = self._here("settings", detection), self._track.now_ms
            if asked is not None:
                step = Step(asked.frame, asked.seq, "settings", asked.position_ms, 0.0, detection)
                at_ms = asked.at_ms
            self._put_in_force(step, at_ms)
        else:
            at_ms = self._track.now_ms if asked is None else asked.at_ms
        self._settings.note(at_ms, t_s, before)

    def _put_in_force(self, step: Step, at_ms: float) -> None:
        self.in_force.append((at_ms, step.detection))
        self._put(step)

    def _take_format(self) -> None:
        if self._format() != self._track.audio_format:
            self._track.restart(self._seq, self._format())
            self._seq += 1

    def _refused(self, error: JsonObject) -> None:
        """Takes back what an error is about."""
        event_id, code = _text(error.get("event_id")), str(error.get("code"))
        self._settings.refused(event_id)
        for held in self._cuts:
            unnamed = event_id is None and code.startswith(_COMMIT_REFUSED)
            if unnamed or (event_id is not None and held[0] == event_id):
                index = self._track.steps.index(held[1])
                del self._track.steps[index]
                self._cuts.remove(held)
                self._rewind(index, held[1].frame)
                return

    def _judged(self, position_ms: object) -> None:
        """Notes where the server ended a turn by more than silence, which nobody here can tell."""
        detection = self._settings.detection
        if detection is not None and detection.get("type") == "semantic_vad":
            self._at(position_ms, "stop")

    def _at(self, position_ms: object, kind: StepKind) -> None:
        """Puts a step where the server says that it was: before whatever was sent after."""
        if isinstance(position_ms, int | float):
            frame = self._track.frame_at(position_ms)
            self._put(Step(frame, self._seq, kind, int(position_ms)))

    def _here(self, kind: StepKind, detection: JsonObject | None = None) -> Step:
        track = self._track
        return Step(track.count, self._seq, kind, track.position_ms, 0.0, detection)

    def _put(self, step: Step) -> None:
        self._rewind(self._track.place(step), step.frame)

    def _format(self) -> WireFormat:
        return format_of(session_format(self._conversation.session, "input"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
