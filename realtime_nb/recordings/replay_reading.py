"""Reads from a recording what its user did; see :mod:`realtime_nb.recordings.replay_script`."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from realtime_nb.archive.lines import typed
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import SAMPLES_PER_MS
from realtime_nb.protocol.config import session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.recordings.recording import Recording
from realtime_nb.recordings.replay_script import (
    Ask,
    Commit,
    Interrupt,
    ReplayScript,
    Send,
    Settings,
    Stretch,
    UserAction,
    sent_by,
)
from realtime_nb.session.served_recording import StoredAudio

__all__ = ["read_script", "session_options"]

_SPEECH_INTERRUPTS_S = 1.0
_EMPTY_COMMIT = "input_audio_buffer_commit_empty"


def read_script(recording: Recording) -> ReplayScript:
    """Returns what its user did in a recording.

    Raises:
        ConfigurationError: nothing that could be done again.
    """
    stretches, notes = _stretches(recording)
    reader = _Reader(recording, stretches)
    reader.read()
    session = reader.first_session
    if session.get("type") == "transcription":
        raise ConfigurationError(
            f"{recording.path} is of a transcription session; only conversations are replayed. "
            "Its audio alone can be: rt.replay(rt.load(path / 'input.wav'))."
        )
    if not stretches and not any(isinstance(a, Send | Ask) for a in reader.actions):
        raise ConfigurationError(
            f"There is nothing to replay in {recording.path}: its user neither spoke nor wrote, or "
            "what was said is not there."
        )
    options = session_options(session)
    left_out = sorted(_settings(session).keys() - options.keys())
    notes += [f"{name} can't be asked for as it was recorded; left out." for name in left_out]
    return ReplayScript(
        options=options,
        tools=[
            tool
            for tool in session.get("tools") or []
            if isinstance(tool, dict) and tool.get("type") == "function"
        ],
        hands_free=not session or _detection(session) is not None,
        samples=recording.input,
        stretches=stretches,
        actions=reader.actions,
        notes=notes,
    )


def _stretches(recording: Recording) -> tuple[list[Stretch], list[str]]:
    """Returns when which audio was said, and what is not known about it."""
    timed = [s for s in recording.input_clock.stretches() if s[2] > s[1]]
    there_ms = len(recording.input) / SAMPLES_PER_MS
    if not there_ms:
        return [], []
    notes = []
    end_ms = timed[-1][2] if timed else 0.0
    if end_ms > there_ms + 1:
        missing_s = (end_ms - there_ms) / 1000
        notes.append(f"The last {missing_s:.2f} s of the user's audio are missing: silence.")
    if there_ms > end_ms + 1:
        if next(recording.raw_events(), None) is not None:
            notes.append(
                f"No times are known from {end_ms / 1000:.2f} s of the user's audio on; the rest "
                "follows without pauses."
            )
        t_s, start_ms, _ = timed.pop() if timed else (0.0, 0.0, 0.0)
        timed.append((t_s, start_ms, there_ms))
    return timed, notes


class _Reader:
    """Goes through a recording's events and notes what the user did."""

    def __init__(self, recording: Recording, stretches: Sequence[Stretch]) -> None:
        self._recording = recording
        self._stretches = stretches
        self._audio = StoredAudio(recording)
        self._session: JsonObject = {}
        self._begun = False
        self._position_ms = 0.0
        self._heard_s: float | None = None  # when the server last heard speech begin
        self._own_commits = 0  # sent and not yet confirmed
        self._after_tools = False  # outputs were posted, which the session does by itself
        self._turn_open = False  # a turn was committed that the server does not answer by itself
        self._calls: set[str] = set()  # that the client itself put into the conversation
        self._refused = {error.caused_by for error in recording.conversation.errors}
        self.first_session: JsonObject = {}
        self.actions: list[UserAction] = []

    def read(self) -> None:
        """Reads it all."""
        dialect = self._recording.header.get("dialect")
        for line in self._recording.raw_events():
            t_s = line.t_s
            if math.isnan(t_s):  # after the audio that came before it
                t_s = sent_by(self._stretches, self._position_ms)
            for event in typed(line, dialect):
                if line.direction == "received":
                    self._received(event, t_s)
                elif not event.event_id or event.event_id not in self._refused:
                    self._sent(event, t_s)
        if not self._begun:
            self.first_session = self._session

    def _begin(self) -> None:
        if not self._begun:
            self._begun, self.first_session = True, self._session

    def _do(self, action: UserAction) -> None:
        self._begin()
        self.actions.append(action)

    def _received(self, event: object, t_s: float) -> None:
        match event:
            case ev.SessionCreated() | ev.SessionUpdated():
                before, self._session = self._session, event.session
                changed = _changed(session_options(before), session_options(event.session))
                if self._begun and changed:
                    self._do(Settings(t_s, changed))
            case ev.SpeechStarted():
                self._heard_s = t_s
            case ev.AudioBufferCommitted() if self._own_commits:
                self._own_commits -= 1
            case ev.AudioBufferCommitted():
                detection = _detection(self._session) or {}
                self._commit(t_s, answered=detection.get("create_response") is not False)
            case ev.ErrorEvent() if event.code == _EMPTY_COMMIT and event.caused_by is None:
                self._own_commits = max(0, self._own_commits - 1)
            case _:
                pass

    def _commit(self, t_s: float, *, answered: bool) -> None:
        self._do(Commit(t_s, self._position_ms, answered))
        self._turn_open, self._after_tools = not answered, False

    def _sent(self, event: object, t_s: float) -> None:
        match event:
            case ev.AudioBufferAppend():
                self._begin()
                if isinstance(event.audio, ev.AudioRef):
                    self._position_ms = (event.audio.start + event.audio.samples) / SAMPLES_PER_MS
            case ev.AudioBufferCommit():
                self._own_commits += 1
                self._commit(t_s, answered=False)
            case ev.AudioBufferClear():
                self._do(Send(t_s, {"type": event.type}))
            case ev.ItemCreate():
                self._item(event, t_s)
            case ev.ResponseCreate():
                if not self._after_tools:
                    self._do(Ask(t_s, event.response or {}, answers_turn=self._turn_open))
                self._after_tools = self._turn_open = False
            case ev.ResponseCancel():
                self._do(Interrupt(t_s, by_speaking=False))
            case ev.ItemTruncate():
                quiet_s = math.inf if self._heard_s is None else t_s - self._heard_s
                by_speaking = quiet_s < _SPEECH_INTERRUPTS_S or _detection(self._session) is None
                self._do(Interrupt(t_s, by_speaking))
            case _:
                pass

    def _item(self, event: ev.ItemCreate, t_s: float) -> None:
        item = event.item
        call_id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            self._calls.add(call_id)
        elif item.get("type") == "function_call_output" and call_id not in self._calls:
            self._after_tools = True
            return
        else:
            self._after_tools = self._turn_open = False
        again = self._audio({"type": event.type, "item": copy.deepcopy(item)})
        if event.previous_item_id == "root":
            again["previous_item_id"] = "root"
        self._do(Send(t_s, again))


def _changed(before: JsonObject, after: JsonObject) -> JsonObject:
    return {name: after[name] for name in after if after[name] != before.get(name)}


def _side(session: JsonObject, side: str) -> JsonObject:
    audio = session.get("audio")
    values = audio.get(side) if isinstance(audio, dict) else None
    return values if isinstance(values, dict) else {}


def _detection(session: JsonObject) -> JsonObject | None:
    detection = _side(session, "input").get("turn_detection")
    return detection if isinstance(detection, dict) else None


_FIELDS = (
    *("instructions", "output_modalities", "tool_choice", "parallel_tool_calls", "reasoning"),
    *("max_output_tokens", "truncation"),
)
_MAY_BE_OFF = ("turn_detection", "transcription", "noise_reduction")


def session_options(session: JsonObject) -> JsonObject:
    """Returns an effective session as keywords of ``rt.connect`` and ``Session.update``.

    Settings that are off stay away, but for those whose being off is a setting; so does what a
    server says in a form that the protocol doesn't know.
    """
    found = _settings(session)
    return {name: value for name, value in found.items() if _possible(name, value)}


def _settings(session: JsonObject) -> JsonObject:
    audio_input, audio_output = _side(session, "input"), _side(session, "output")
    found = {name: session.get(name) for name in _FIELDS}
    found |= {"voice": audio_output.get("voice"), "speed": audio_output.get("speed")}
    found |= {"input_format": audio_input.get("format")}
    found |= {"output_format": audio_output.get("format")}
    there = {name: value for name, value in found.items() if value is not None}
    return there | {name: audio_input[name] for name in _MAY_BE_OFF if name in audio_input}


def _possible(name: str, value: Any) -> bool:
    try:
        session_config(**{name: value})
    except ConfigurationError:
        return False
    return True
