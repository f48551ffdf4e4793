"""What becomes of an agent that nobody has any more: it goes, and takes its widgets along.

Notebooks keep every widget that was ever made, so none of an agent's may keep the agent; except
where people see one, who may press its buttons.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from realtime_nb.agent.audio import AgentAudio
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.agent.views import AgentViews

__all__ = ["put_away_with", "weakly"]


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Returns what calls a method as long as its object is there, without keeping it there."""
    reference = weakref.WeakMethod(method)

    def call(*args: Any) -> None:
        there = reference()
        if there is not None:
            there(*args)

    return call


def put_away_with(agent: object, thread: IoThread, audio: AgentAudio, views: AgentViews) -> None:
    """Has an agent's widgets and its audio closed soon after it is forgotten."""
    finalizer = weakref.finalize(agent, _put_away, thread, audio, views)
    finalizer.atexit = False  # the page keeps what it shows


def _put_away(thread: IoThread, audio: AgentAudio, views: AgentViews) -> None:
    """Closes them on a thread of its own: this one may be anywhere, and hold any lock."""
    if thread.running:
        thread.run(asyncio.to_thread(_close, audio, views))


def _close(audio: AgentAudio, views: AgentViews) -> None:
    audio.close()
    views.close()
