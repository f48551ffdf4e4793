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

Messages say what happened and what to do next. They are shown where the package was called, without
the frames inside it (:func:`at_call`); with ``REALTIME_NB_FULL_TRACEBACKS=1``, with all of them.
"""

from __future__ import annotations

import functools
import inspect
import os
import sysconfig
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, cast

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


class RealtimeError(Exception):
    """Base class: ``except rt.RealtimeError`` catches everything that this package raises."""


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


# --- where an error is shown ----------------------------------------------------------------------

T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]
_LIBRARIES = ("<frozen", *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
_ENTRIES = {
    *("__init__", "__post_init__", "__enter__", "__exit__", "__aenter__", "__aexit__"),
    *("__await__", "__getitem__"),
}


def at_call(target: T) -> T:
    """Has errors of use shown where a public function, or anything public of a class, was called.

    What happens inside the package says nothing to who called it; the message does. An error that
    code of the caller's has raised meanwhile keeps all its frames. Async generators are left alone.
    """
    return cast("T", _class(target) if isinstance(target, type) else _function(cast("Any", target)))


def _class(target: type) -> type:
    for name, value in list(vars(target).items()):
        if name.startswith("_") and name not in _ENTRIES:
            continue
        if isinstance(value, functools.cached_property):
            value.func = _function(value.func)
        elif isinstance(value, property) and value.fget is not None:
            setattr(target, name, property(_function(value.fget), value.fset, value.fdel))
        elif inspect.isfunction(value) and not inspect.isasyncgenfunction(value):
            setattr(target, name, _function(value))
    return target


def _function(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_turn(*args: Any, **options: Any) -> Any:
            with shown_at_call:
                return await function(*args, **options)

        return in_turn
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def step_by_step(*args: Any, **options: Any) -> Any:
            with shown_at_call:
                return (yield from function(*args, **options))

        return step_by_step

    @functools.wraps(function)
    def at_once(*args: Any, **options: Any) -> Any:
        with shown_at_call:
            return function(*args, **options)

    return at_once


class _ShownAtCall:
    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What leaves a `with` gets no further frame of the function that it is in.
        if error is not None and _is_of_use(error) and not os.environ.get(_FULL):
            for one in _chain(error):
                if not _has_frame_of_caller(one):
                    one.__traceback__ = None


shown_at_call = _ShownAtCall()
"""A context out of which errors of use come without frames."""

_FULL = "REALTIME_NB_FULL_TRACEBACKS"


def _is_of_use(error: BaseException) -> bool:
    traceback = error.__traceback__
    refused = isinstance(error, TypeError) and traceback is not None and traceback.tb_next is None
    return isinstance(error, RealtimeError | OSError) or refused  # wrong arguments: did not begin


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what is shown as its causes."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        yield one
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _has_frame_of_caller(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        if module != _PACKAGE and not frame.f_code.co_filename.startswith(_LIBRARIES):
            return True
        traceback = traceback.tb_next
    return False
