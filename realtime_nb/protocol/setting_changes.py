"""When a session's settings became others, and which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from realtime_nb.protocol.events import SessionCreated, SessionUpdated
from realtime_nb.protocol.wire import JsonObject

__all__ = ["SettingChange", "SettingChanges"]

_WHOLE = ("instructions", "tools", "tool_choice", "output_modalities", "max_output_tokens")
_INPUT = ("noise_reduction", "transcription", "format")
_OUTPUT = ("voice", "speed", "format")
_SHOWN = 24


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that a server confirmed to be another one from now on."""

    t_s: float | None
    name: str
    before: object
    after: object

    @property
    def words(self) -> str:
        """The change in short: values only where they are short."""
        before, after = _shown(self.before), _shown(self.after)
        return f"{self.name} {before} → {after}" if before and after else f"{self.name} changed"


@dataclass(slots=True)
class SettingChanges:
    """What has changed since a session was configured for the first time.

    Attributes:
        all: the changes, in the order in which they were confirmed.
    """

    all: list[SettingChange] = field(default_factory=list)
    _confirmed: dict[str, object] | None = None

    def take(self, event: SessionCreated | SessionUpdated, t_s: float | None) -> None:
        """Takes what a server says of a session; its first configuration is no change."""
        now = None if isinstance(event, SessionCreated) else dict(_settings(event.session))
        before, self._confirmed = self._confirmed, now
        if before is None or now is None:
            return
        self._confirmed = before | now
        for name, value in now.items():
            # What one of them leaves out is not told to have changed.
            if name in before and before[name] != value:
                self.all.append(SettingChange(t_s, name, before[name], value))


def _settings(session: JsonObject) -> Iterator[tuple[str, object]]:
    yield from ((name, session[name]) for name in _WHOLE if name in session)
    audio = session.get("audio")
    sides = audio if isinstance(audio, dict) else {}
    for side, names in (("input", _INPUT), ("output", _OUTPUT)):
        values = sides.get(side)
        if isinstance(values, dict):
            yield from (
                (f"{side} format" if name == "format" else name, values[name])
                for name in names
                if name in values
            )
            if "turn_detection" in values:
                yield from _detection(values["turn_detection"])


def _detection(detection: object) -> Iterator[tuple[str, object]]:
    fields = detection if isinstance(detection, dict) else {}
    yield "turn_detection", fields.get("type") or "off"
    yield from ((name, value) for name, value in fields.items() if name != "type")


def _shown(value: object) -> str:
    """Returns a value that fits in a line, else nothing."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = "none" if value is None else str(value) if isinstance(value, str | int | float) else ""
    return text if len(text) <= _SHOWN and "\n" not in text else ""
