"""What a client's protocol wants done: voice, functions, and word of settings.

:meth:`realtime_nb.protocol.client.ClientProtocol.actions_to_run` hands them out, whoever drives it
does them and reports back.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import FunctionCall

__all__ = [
    "CallTool",
    "ClientAction",
    "EndAudio",
    "FlushPlayback",
    "PlayAudio",
    "UpdateAccepted",
    "UpdateRefused",
]


@dataclass(frozen=True, slots=True)
class PlayAudio:
    """Queue audio for playback, as the device takes it: PCM16 at 24 kHz."""

    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class EndAudio:
    """No more audio comes for this item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class FlushPlayback:
    """Stop playback now; answer with ``ClientProtocol.receive_flushed``."""


@dataclass(frozen=True, slots=True)
class CallTool:
    """Run a function; answer with ``ClientProtocol.receive_tool_output``, also where there is no
    such function."""

    call: FunctionCall


@dataclass(frozen=True, slots=True)
class UpdateAccepted:
    """The ``session.update`` with this ``event_id`` is in force."""

    event_id: str


@dataclass(frozen=True, slots=True)
class UpdateRefused:
    """The ``session.update`` with this ``event_id`` changed nothing."""

    event_id: str
    error: ev.ErrorEvent


ClientAction = PlayAudio | EndAudio | FlushPlayback | CallTool | UpdateAccepted | UpdateRefused
"""All there are; a driver answers each of them."""
