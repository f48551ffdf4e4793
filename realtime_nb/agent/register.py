"""Which agents there are in this process, and which of them has to make room for another.

One agent at a time has the page's microphone and speaker. A cell that is run again replaces the
agents that it made before. The sessions that are still open when Python ends are closed.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - its end of pools is registered, to come after ours
import contextlib
import sys
import threading
import weakref
from typing import Any, NamedTuple, Protocol

from realtime_nb.agent.io_thread import Pending

__all__ = [
    "CellRun",
    "Registered",
    "register",
    "replaced_by",
    "rivals_of",
    "running_cell",
    "unregister",
]

_CLOSE_TIMEOUT_S = 10.0


class CellRun(NamedTuple):
    """One run of a notebook's cell."""

    cell: str
    run: str


class Registered(Protocol):
    """What the register knows of an agent."""

    @property
    def in_page(self) -> bool:
        """Whether its microphone is the page's."""
        ...

    @property
    def made_by(self) -> CellRun | None:
        """The run of a cell that made it."""
        ...

    @property
    def active(self) -> bool:
        """Whether it has a session, or is opening or ending one."""
        ...

    def disconnect(self) -> Pending[None]:
        """Ends its session."""
        ...


_agents: weakref.WeakSet[Any] = weakref.WeakSet()
_reading = threading.Lock()


def register(agent: Registered) -> None:
    """Takes an agent in, until it is closed or nobody has it any more."""
    with _reading:
        _agents.add(agent)


def unregister(agent: Registered) -> None:
    """Leaves out one that is closed."""
    with _reading:
        _agents.discard(agent)


def rivals_of(agent: Registered) -> list[Any]:
    """Returns the other agents that have, or are about to have, the page's microphone."""
    if not agent.in_page:
        return []
    return [other for other in _others(agent) if other.in_page and other.active]


def replaced_by(agent: Registered) -> list[Any]:
    """Returns the agents that an earlier run of the same cell made."""
    made = agent.made_by
    if made is None:
        return []
    return [
        other
        for other in _others(agent)
        if other.made_by is not None
        and other.made_by.cell == made.cell
        and other.made_by.run != made.run
    ]


def running_cell() -> CellRun | None:
    """Returns the cell that runs now; None outside of a notebook, or where the front end names no
    cells."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    get_parent = getattr(shell, "get_parent", None)
    if get_parent is None:
        return None
    parent = get_parent() or {}
    cell = parent.get("metadata", {}).get("cellId")
    run = parent.get("header", {}).get("msg_id")
    return CellRun(str(cell), str(run)) if cell and run else None


def _others(agent: Registered) -> list[Any]:
    with _reading:
        agents = list(_agents)
    return [other for other in agents if other is not agent]


def _close_all() -> None:
    """Ends the sessions that are still open, so that their recordings are whole."""
    with _reading:
        agents = list(_agents)
    for ending in [agent.disconnect() for agent in agents if agent.active]:
        with contextlib.suppress(Exception):
            ending.result(_CLOSE_TIMEOUT_S)


# Before the thread pools are shut down, which is earlier than atexit's functions run: closing a
# session still needs them.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
