"""Named settings that run on the same audio, at no cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from realtime_nb.analysis.vad_lab.pause_answers import PauseAnswers
from realtime_nb.analysis.vad_lab.run import Completion, Run, RunSpan, run_settings
from realtime_nb.analysis.vad_lab.settings import whole_detection
from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.config import patient
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.semantic_turns import SemanticSettings
from realtime_nb.protocol.turn_detection import SWITCHES, detection_code
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.protocol.wire import JsonObject

__all__ = ["CANDIDATE", "MOST_GHOSTS", "Ghost", "Ghosts"]

MOST_GHOSTS = 6

CANDIDATE = "yours"
"""A run beside the ghosts, for settings that are being tried: the first, and not counted."""

_LONGEST_NAME = 40
_RESERVED = ("live",)

Settings = ServerVAD | SemanticVAD | TurnSettings | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ghost:
    """Named settings.

    Attributes:
        detection: what a session would be asked for.
        settings: what the state machine runs on.
        since_ms: where in the input it begins: of ``semantic_vad``, audio is to be judged, and of a
            session not all is kept.
    """

    name: str
    detection: JsonObject
    settings: TurnSettings | SemanticSettings
    since_ms: float = 0.0

    @property
    def code(self) -> str:
        """The settings as code."""
        shown = {name: value for name, value in self.detection.items() if name not in SWITCHES}
        since = f", since {self.since_ms / 1000:.1f} s" if self.since_ms else ""
        return f"{detection_code(shown)}{since}"


class Ghosts:
    """Up to six named settings, run over a track from its beginning, whenever they were added.

    Args:
        track: what they run over.
        answers: of a turn model, which ``semantic_vad`` takes.
    """

    def __init__(self, track: SpeechTrack, answers: PauseAnswers | None = None) -> None:
        self._track = track
        self._answers = answers
        self._ghosts: dict[str, Ghost] = {}
        self._runs: dict[str, Run] = {}

    @property
    def all(self) -> dict[str, Ghost]:
        """The ghosts by name, in order."""
        first = [name for name in self._ghosts if name == CANDIDATE]
        return {name: self._ghosts[name] for name in [*first, *self._ghosts]}

    def put(self, name: str, settings: Settings, live: JsonObject | None = None) -> None:
        """Adds one, or gives it other settings.

        Args:
            name: of the ghost.
            settings: of a dict, what it leaves out is as in ``live``; of an ``rt.ServerVAD``, as
                clients of this package ask for it.
            live: the settings in force.

        Raises:
            ConfigurationError: There are six, or it can't be called or set like that.
        """
        name = self._checked_name(name)
        ghost = _ghost(name, settings, live)
        first_frame = 0
        if isinstance(ghost.settings, SemanticSettings):
            if self._answers is None:
                raise ConfigurationError(
                    f"Ghost {name!r} can't be semantic_vad: nobody judges its pauses, as there is "
                    "no turn model. Run: pip install 'realtime_nb[local]'; or give rt.ServerVAD(…)."
                )
            first_frame = self._answers.first_frame
            if first_frame:
                since = self._track.frames(first_frame).start_ms[:1].tolist()
                since_ms = since[0] if since else self._track.now_ms
                ghost = replace(ghost, since_ms=since_ms)
        counted = [one for one in self._ghosts if one != CANDIDATE]
        if name not in self._ghosts and name != CANDIDATE and len(counted) >= MOST_GHOSTS:
            raise ConfigurationError(
                f"Ghost {name!r} would be number {MOST_GHOSTS + 1}; there are {MOST_GHOSTS} at "
                f"most. Remove one of {', '.join(counted)}."
            )
        self._ghosts[name] = ghost
        self._runs[name] = Run(self._track, ghost.settings, self._answers, first_frame=first_frame)

    def remove(self, name: str) -> None:
        """Takes one away.

        Raises:
            ConfigurationError: There is none of that name.
        """
        self.get(name)
        del self._ghosts[name], self._runs[name]

    def get(self, name: str) -> Ghost:
        """Returns one by its name.

        Raises:
            ConfigurationError: There is none.
        """
        if name not in self._ghosts:
            known = ", ".join(map(repr, self._ghosts)) or "none yet"
            raise ConfigurationError(f"There is no ghost {name!r}; there are: {known}.")
        return self._ghosts[name]

    def spans(self, name: str, since_ms: float = 0.0) -> list[RunSpan]:
        """Returns the turns that one makes of the audio so far."""
        self.get(name)
        run = self._runs[name]
        run.advance()
        return run.spans(since_ms)

    def completions(self, since_ms: float = 0.0) -> list[Completion]:
        """Returns what a turn model said at the pauses of the first of them that it judges."""
        for name, ghost in self._ghosts.items():
            if isinstance(ghost.settings, SemanticSettings):
                self._runs[name].advance()
                return self._runs[name].completions(since_ms)
        return []

    def advance(self) -> None:
        """Has all of them hear what has come."""
        for run in self._runs.values():
            run.advance()

    def rewind(self, index: int, frame: int) -> None:
        """Has all of them forget what they did from a step on, by its index and frame."""
        for run in self._runs.values():
            run.rewind(index, frame)

    def _checked_name(self, name: str) -> str:
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
            raise ConfigurationError(
                f"A ghost's name is a text of 1 to {_LONGEST_NAME} characters, not {name!r}."
            )
        if name.strip() in _RESERVED:
            raise ConfigurationError(f"{name!r} is the session itself; give a ghost another name.")
        return name.strip()


def _ghost(name: str, settings: Settings, live: JsonObject | None) -> Ghost:
    if isinstance(settings, TurnSettings):
        detection = {
            "threshold": settings.threshold,
            "prefix_padding_ms": settings.prefix_padding_ms,
            "silence_duration_ms": settings.silence_duration_ms,
        }
        return Ghost(name, whole_detection(detection), settings)
    if not isinstance(settings, ServerVAD | SemanticVAD | Mapping):
        raise ConfigurationError(
            f"Ghost {name!r} is set to {settings!r}; give rt.ServerVAD(…) or a dict such as "
            "{'threshold': 0.6}."
        )
    told: JsonObject = msgspec.to_builtins(settings)
    kind = told.get("type", "server_vad")
    by_live = isinstance(settings, Mapping) and live is not None and live["type"] == kind
    base = live if by_live else patient({"type": kind})
    detection = whole_detection(base, **told)
    found = run_settings(detection, has_model=True)
    assert found is not None
    return Ghost(name, detection, found)
