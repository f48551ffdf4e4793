"""Where errors of use are shown: where the package was called, without the frames inside it, and
without keys."""

from __future__ import annotations

import functools
import inspect
import os
import sysconfig
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, cast

from realtime_nb.errors.kinds import RealtimeError
from realtime_nb.errors.secret_shapes import without_keys

__all__ = ["at_call", "shown_at_call"]

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
        if error is None or not _is_of_use(error):
            return
        for one in _chain(error):
            if not _has_frame_of_caller(one):
                _take_keys_out(one)
                if not os.environ.get(_FULL):
                    one.__traceback__ = None


shown_at_call = _ShownAtCall()
"""A context out of which errors of use come without frames."""

_FULL = "REALTIME_NB_FULL_TRACEBACKS"


def _is_of_use(error: BaseException) -> bool:
    traceback = error.__traceback__
    refused = isinstance(error, TypeError) and traceback is not None and traceback.tb_next is None
    return isinstance(error, RealtimeError | OSError) or refused  # wrong arguments: did not begin


def _take_keys_out(error: BaseException) -> None:
    """Has an error that is not of our own words tell no key, either."""
    error.args = tuple(without_keys(one) if isinstance(one, str) else one for one in error.args)
    if isinstance(error, OSError) and isinstance(error.filename, str):
        error.filename = without_keys(error.filename)


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
