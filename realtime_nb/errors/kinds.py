"""Every exception that realtime_nb raises on purpose."""

from __future__ import annotations

from realtime_nb.errors.secret_shapes import without_keys

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
]


class RealtimeError(Exception):
    """Base class: ``except rt.RealtimeError`` catches everything that this package raises.

    A message quotes what was given, which may be a key in the wrong place; no key is told.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(without_keys(one) if isinstance(one, str) else one for one in args))


class ConfigurationError(RealtimeError, ValueError):
    """An argument, option or setting that can't be used as given."""


class MissingExtraError(ConfigurationError):
    """An optional part is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Run: pip install 'realtime_nb[{extra}]'")
        self.extra = extra


class AudioError(RealtimeError, ValueError):
    """Audio that is missing, empty or not audio."""


class ConnectionFailedError(RealtimeError, ConnectionError):
    """No session could be opened.

    ``code`` is the server's error code or the HTTP status, where it gave one; ``retry_after_s`` how
    long it asked to be left alone.
    """

    def __init__(
        self, message: str, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class SessionClosedError(RealtimeError):
    """The session is over. ``close_code`` and ``reason`` are those of the WebSocket CLOSE frame."""

    def __init__(self, message: str, close_code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.close_code = close_code
        self.reason = reason


class ServerError(RealtimeError):
    """The server refused an event; the session goes on.

    Attributes mirror the ``error`` event: ``code``, ``param`` (the path of the offending field)
    and ``event_id`` (of the client event that caused it).
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id = event_id


class RecordingError(RealtimeError):
    """A recording that is missing, broken or of a format that this version does not know."""


class ToolError(RealtimeError, ValueError):
    """A function that can't be offered as a tool, or a tool that the session does not have."""
