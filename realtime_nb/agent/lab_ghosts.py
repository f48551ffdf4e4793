"""The ghosts of a VAD lab as a mapping: what is set there runs from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from realtime_nb.analysis.vad_lab.lab import CANDIDATE, TurnLab

__all__ = ["LabGhosts", "LabLock", "ghost_name"]

LabLock: TypeAlias = AbstractContextManager[object]
"""What is held by whoever feeds a lab or asks it."""


class LabGhosts(MutableMapping[str, Any]):
    """Named settings that run on what is said, at most six.

    ``lab.ghosts["patient"] = {"silence_duration_ms": 900}`` adds one or changes it, ``del`` removes
    it. They stay from one session of an agent to the next.

    Args:
        lab: gives the lab that they run in.
        lock: held while it is changed.
        changed: called after a change.
    """

    def __init__(
        self, lab: Callable[[], TurnLab], lock: LabLock, changed: Callable[[], None]
    ) -> None:
        self._lab_now = lab
        self._lock = lock
        self._changed = changed
        self._wanted: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{dict(self._wanted)!r}"

    def __getitem__(self, name: str) -> Any:
        return self._wanted[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._wanted))

    def __len__(self) -> int:
        return len(self._wanted)

    def __setitem__(self, name: str, settings: Any) -> None:
        with self._lock:
            self._lab_now().set_ghost(name, settings)
            self._wanted[name] = settings
        self._changed()

    def __delitem__(self, name: str) -> None:
        del self._wanted[name]
        with self._lock:
            lab = self._lab_now()
            if name in lab.ghosts:
                lab.remove_ghost(name)
        self._changed()

    def run_in(self, lab: TurnLab) -> None:
        """Has all of them run in another lab."""
        for name, settings in self._wanted.items():
            lab.set_ghost(name, settings)

    def free_name(self, wanted: str) -> str:
        """Returns a name that none of them has."""
        name, number = wanted, 2
        while name in self._wanted or name == CANDIDATE:
            name, number = f"{wanted} {number}", number + 1
        return name


def ghost_name(detection: Mapping[str, Any]) -> str:
    """Returns what settings are called for short."""
    if detection.get("type") == "semantic_vad":
        return f"semantic {detection.get('eagerness', 'auto')}"
    return f"{detection.get('threshold', 0.5):g}/{detection.get('silence_duration_ms', 200):g} ms"
