"""Settings of turn detection: asked for, in force from where on, undone, and as a ghost's."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.config import session_config
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.turn_detection import SERVER_VAD, SWITCHES, detection_code
from realtime_nb.protocol.wire import JsonObject, object_of

__all__ = [
    "AskedSettings",
    "SettingsLog",
    "SettingsMark",
    "asked_detection",
    "change_words",
    "filled",
    "promoted",
    "whole_detection",
]

_WINDOWS = ("threshold", "prefix_padding_ms", "silence_duration_ms")


@dataclass(frozen=True, slots=True)
class AskedSettings:
    """A ``session.update`` that was sent.

    Attributes:
        event_id: by which a server would refuse it.
        frame, seq, position_ms: where it lies in the track and among the events.
        at_ms: where on the clock of the session.
        detection: what it asks for, None for off.
        tells: whether it says anything of turn detection.
    """

    event_id: str | None
    frame: int
    seq: int
    position_ms: int
    at_ms: float
    detection: JsonObject | None
    tells: bool


@dataclass(frozen=True, slots=True)
class SettingsMark:
    """Where in the input settings took force.

    Attributes:
        position_ms: on the session's clock: how much had been sent when they were asked for.
        t_s: when the server confirmed them.
        before, after: a ``turn_detection``, None for off.
        words: the change in short.
    """

    position_ms: float
    t_s: float
    before: JsonObject | None
    after: JsonObject | None
    words: str


class SettingsLog:
    """What turn detection is set to, what was asked for and not confirmed, and the way back.

    A server answers updates in their order, each with one ``session.updated`` or an error.

    Attributes:
        detection: in force; None where it is off, or no session was told of.
        first: what was in force first.
        marks: the changes since.
    """

    def __init__(self) -> None:
        self.detection: JsonObject | None = None
        self.first: JsonObject | None = None
        self.marks: list[SettingsMark] = []
        self._asked: deque[AskedSettings] = deque()
        self._began = False
        self._states: list[JsonObject | None] = []
        self._at = -1
        self._going: int | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a turn detection was asked for that is not confirmed."""
        return any(one.tells for one in self._asked)

    @property
    def expected(self) -> JsonObject | None:
        """What will be in force once everything that was asked for is confirmed."""
        told = [one for one in self._asked if one.tells]
        return told[-1].detection if told else self.detection

    def asks(self, asked: AskedSettings) -> None:
        """Takes an update that is sent."""
        self._asked.append(asked)

    def refused(self, event_id: str | None) -> None:
        """Takes an error: what it is about is not pending any more."""
        if event_id is None:
            return
        kept = [one for one in self._asked if one.event_id != event_id]
        if len(kept) < len(self._asked):
            self._asked = deque(kept)
            self._going = None

    def forget_asked(self) -> None:
        """Has nothing pending: the connection was lost."""
        self._asked.clear()
        self._going = None

    def created(self, detection: JsonObject | None) -> None:
        """Takes what a session begins with, which is no change anybody made."""
        self.detection = detection
        if not self._began:
            self.first = detection

    def began(self) -> None:
        """Takes it that a session is configured: whatever comes is a change."""
        self._began = True
        self.first = self.detection
        self._states, self._at = [self.first], 0

    def confirmed(self, detection: JsonObject | None) -> AskedSettings | None:
        """Takes a ``session.updated``; returns what was asked for by it, None where nobody did."""
        asked = self._asked.popleft() if self._asked else None
        self.detection = detection
        return asked

    def note(self, at_ms: float, t_s: float, before: JsonObject | None) -> None:
        """Notes that settings took force, ``at_ms`` into the audio.

        What a session is configured to before any audio is no change, nor is what another
        connection is told again.

        Args:
            at_ms: where.
            t_s: when they were confirmed.
            before: what was in force until then.
        """
        if not self._began:
            self.began()
            if at_ms > 0:
                self._states[0] = self.first = before
        before = self._states[self._at]
        if before == self.detection:
            return
        words = change_words(before, self.detection)
        self.marks.append(SettingsMark(at_ms, t_s, before, self.detection, words))
        going, self._going = self._going, None
        if going is not None and self._states[going] == self.detection:
            self._at = going
            return
        del self._states[self._at + 1 :]
        self._states.append(self.detection)
        self._at += 1

    @property
    def can_undo(self) -> bool:
        """Whether there are settings to go back to."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return -1 < self._at < len(self._states) - 1

    def undo(self) -> JsonObject | None:
        """Returns the settings before the last change, to ask for.

        Raises:
            ConfigurationError: There was none.
        """
        return self._go(-1, "undo: the settings in force are the first ones")

    def redo(self) -> JsonObject | None:
        """Returns the settings that were undone last, to ask for.

        Raises:
            ConfigurationError: Nothing was undone.
        """
        return self._go(1, "redo: nothing was undone since the last change")

    def _go(self, by: int, why: str) -> JsonObject | None:
        wanted = self._at + by
        if not 0 <= wanted < len(self._states):
            raise ConfigurationError(f"There is nothing to {why}.")
        self._going = wanted
        return self._states[wanted]


def asked_detection(patch: object) -> tuple[bool, JsonObject | None]:
    """Returns whether a session's patch, GA or beta, tells of turn detection, and what."""
    if not isinstance(patch, dict):
        return False, None
    sides = [object_of(object_of(patch, "audio") or {}, "input") or {}, patch]
    for side in sides:
        if "turn_detection" in side:
            return True, object_of(side, "turn_detection")
    return False, None


def filled(detection: JsonObject | None) -> JsonObject | None:
    """Returns a turn detection as a server would run it: what is not told is as usual."""
    if detection is None:
        return None
    kind = detection.get("type") or "server_vad"
    switches = dict.fromkeys(SWITCHES, True)
    told = {name: value for name, value in detection.items() if value is not None}
    if kind == "semantic_vad":
        return {"type": kind, "eagerness": "auto", **switches, **told}
    usual = {name: SERVER_VAD[name].usual for name in _WINDOWS}
    return {"type": kind, **usual, **switches, **told}


def whole_detection(
    detection: ServerVAD | SemanticVAD | Mapping[str, Any] | None, **changes: Any
) -> JsonObject:
    """Returns a whole turn detection with some of its settings changed, to be sent as it is.

    Args:
        detection: as it is; None: off, from which ``server_vad`` is turned on.
        changes: fields of ``turn_detection``, also ``type``. One of another kind than before
            keeps of it what both kinds have.

    Raises:
        ConfigurationError: A field is unknown, or a value outside its range.
    """
    told: JsonObject = msgspec.to_builtins(detection) if detection is not None else {}
    told.setdefault("type", "server_vad")
    kind = changes.get("type", told["type"])
    if kind != told["type"]:
        told = {name: told[name] for name in SWITCHES if name in told}
    asked = {**told, **changes, "type": kind}
    session_config(turn_detection=asked)
    whole = filled(asked)
    assert whole is not None
    return whole


def promoted(detection: JsonObject, live: JsonObject | None) -> JsonObject:
    """Returns a ghost's settings, with the switches and the idle timeout that are in force."""
    kept = {name: live[name] for name in (*SWITCHES, "idle_timeout_ms") if live and name in live}
    if detection["type"] != "server_vad":
        kept.pop("idle_timeout_ms", None)
    return {**detection, **kept}


def change_words(before: JsonObject | None, after: JsonObject | None) -> str:
    """Returns what changed from one turn detection to another, in short."""
    if before is None or after is None or before.get("type") != after.get("type"):
        return f"{_name(before)} → {_name(after)}"
    names = dict.fromkeys([*before, *after])
    changed = [name for name in names if before.get(name) != after.get(name)]
    return ", ".join(
        f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}" for name in changed
    )


def _name(detection: JsonObject | None) -> str:
    return "push-to-talk" if detection is None else detection_code(detection)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
