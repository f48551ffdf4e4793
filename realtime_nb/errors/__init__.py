"""Every exception that realtime_nb raises on purpose.

::

    RealtimeError
    ├── ConfigurationError      what was asked for can't be meant: unknown option, missing key
    │   └── MissingExtraError   an optional dependency is not installed; names the install line
    ├── AudioError              a file or buffer that is not the audio it should be
    ├── ConnectionFailedError   no session could be opened: unreachable, refused, wrong key or token
    ├── SessionClosedError      the session ended while something waited for it
    ├── ServerError             the server answered an event of ours with an ``error`` event
    ├── RecordingError          a recording that can't be read or written
    └── ToolError               a tool definition that can't be used

Messages say what happened and what to do next, and tell no key. They are shown where the package
was called, without the frames inside it (:func:`at_call`); with ``REALTIME_NB_FULL_TRACEBACKS=1``,
with all of them.
"""

from __future__ import annotations

from realtime_nb.errors.call_site import at_call, shown_at_call
from realtime_nb.errors.kinds import (
    AudioError,
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
    RealtimeError,
    RecordingError,
    ServerError,
    SessionClosedError,
    ToolError,
)

__all__ = [
    "AudioError",
    "ConfigurationError",
    "ConnectionFailedError",
    "MissingExtraError",
    "RealtimeError",
    "RecordingError",
    "ServerError",
    "SessionClosedError",
    "ToolError",
    "at_call",
    "shown_at_call",
]
