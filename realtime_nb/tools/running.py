"""Runs functions, whatever they do: there is always a result, and always in time.

A function may raise anything, ``SystemExit`` and its like too, return anything, and never come
back. None of it reaches the loop that it was called from. What it raises or returns may have code
of its own (``__str__``, ``__iter__``), so that it is read in a thread, unless it is plain.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Literal, TypeVar, cast

from realtime_nb.errors import ToolError
from realtime_nb.tools.outputs import as_text, quick, readable
from realtime_nb.tools.tool_call import StopReason, ToolCall

__all__ = [
    "MAX_THREADS_LEFT",
    "ToolOutcome",
    "ToolResult",
    "bounded",
    "failed",
    "failure",
    "in_thread",
    "on_loop",
    "on_this_loop",
    "separately",
    "told",
]

T = TypeVar("T")

ToolOutcome = Literal["ok", "error", "timeout", "invalid", "cancelled"]

Ended = tuple[object, BaseException | None]
"""What a function came to: its result, or what it raised."""

_GRACE_S: dict[StopReason, float] = {"timeout": 0.05, "cancelled": 0.05, "closed": 2.0}
"""How long a function that was stopped is waited for, before it is left alone."""

MAX_THREADS_LEFT = 64
"""Threads of functions that were stopped and go on nevertheless; with so many, nothing more is run
in a thread."""

_MAX_ERROR_CHARS = 2_000
_LEFT_ALONE: set[asyncio.Task[Any]] = set()
"""What was stopped and goes on nevertheless: the loop alone would not keep it."""
_THREADS_LEFT: set[object] = set()
"""The threads among it, of all loops."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to.

    Attributes:
        output: The text for the model: the result, or ``{"error": "…"}``.
        outcome: "ok"; "error": the function raised; "timeout"; "invalid": it was not run, because
            the arguments don't fit; "cancelled": on request, or with its session.
        exception: What was raised, for the developer's eyes.
    """

    output: str
    outcome: ToolOutcome
    exception: BaseException | None = None


async def bounded(
    work: Coroutine[Any, Any, ToolResult], call: ToolCall, name: str, timeout_s: float | None
) -> ToolResult:
    """Returns what work comes to, or that it was stopped: by its time, or by
    its call; either way the call is over then."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    def stop_here() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(stop)

    task = asyncio.create_task(work)
    call.on_stop(stop_here)
    waits: set[asyncio.Future[Any]] = {task, stopped}
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled():
            error = task.exception()
            return task.result() if error is None else failed(error)
        call.stop("timeout")
    finally:
        stop()
        if not task.done():
            call.stop("closed")
            await _left(task, _GRACE_S[call.reason or "closed"])
    if call.reason == "timeout":
        return failure("timeout", f"{name} took over {timeout_s:g} s.", TimeoutError())
    return failure(
        "cancelled",
        f"{name} was cancelled before it was done. It may have had an effect: check before you "
        "call it again.",
    )


async def _left(task: asyncio.Task[Any], grace_s: float) -> None:
    task.cancel()
    _LEFT_ALONE.add(task)
    task.add_done_callback(_LEFT_ALONE.discard)
    await asyncio.wait({task}, timeout=grace_s)


# --- where a function runs ---


class _OwnThread(concurrent.futures.Executor):
    """A daemon thread for each function: one that hangs takes no place in a pool and doesn't hold
    up the interpreter's exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False

    def submit(  # type: ignore[override]
        self, function: Callable[[], T], /
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            finally:
                with self._lock:
                    self._ended = True
                    _THREADS_LEFT.discard(self)

        threading.Thread(target=work, name="realtime_nb-tool", daemon=True).start()
        return future

    def left(self) -> None:
        """Takes note that nobody waits for the function any more."""
        with self._lock:
            if not self._ended:
                _THREADS_LEFT.add(self)


async def separately(function: Callable[[], T]) -> T:
    """Runs something that never raises in a thread of its own, in the context of the caller.

    Raises:
        ToolError: Too many threads are left over.
    """
    if len(_THREADS_LEFT) >= MAX_THREADS_LEFT:
        raise ToolError(
            f"No function can be run now: {MAX_THREADS_LEFT} that were stopped go on nevertheless. "
            "Don't call again; say that this does not work at the moment."
        )
    run = functools.partial(contextvars.copy_context().run, function)
    thread = _OwnThread()
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, run)
    except asyncio.CancelledError:
        thread.left()
        raise


async def on_loop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[[], object],
    started: Callable[[], None],
    call: ToolCall,
) -> Ended:
    """Runs on the loop of another thread, which may come to it late."""
    if loop.is_closed():
        return None, ToolError(
            "The loop that this function has to run on (main_thread=True) is over."
        )
    here = asyncio.get_running_loop()
    over = threading.Event()

    def begun() -> None:
        if not over.is_set():
            started()

    async def work() -> Ended:
        # Given up before its turn came: what the model was told would not be true any more.
        if over.is_set():
            return None, None
        # Before the result, which takes the same way back: "began" is told before "ended".
        here.call_soon_threadsafe(begun)
        return await on_this_loop(function, call)

    try:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))
    finally:
        over.set()


async def on_this_loop(function: Callable[[], object], call: ToolCall) -> Ended:
    """Runs here, with what is behind an awaitable or a generator."""
    try:
        return await _settled(drained(function(), call), call), None
    except BaseException as error:  # also what would end the loop, and all that live on it
        return None, error


def drained(result: object, call: ToolCall) -> object:
    """Returns what a plain generator came to; other results as they are.

    That is what it returned, or else the last value that it yielded. Each is its progress.
    """
    if type(result) is not GeneratorType:
        return result
    generator = cast("GeneratorType[object, Any, Any]", result)
    last: object = None
    while not call.cancelled:
        try:
            last = next(generator)
        except StopIteration as end:
            return last if end.value is None else end.value
        call.progress(last)
    generator.close()
    return last


async def _settled(result: object, call: ToolCall) -> object:
    if _is_awaitable(result):
        result = await cast("Awaitable[object]", result)
    if type(result) is not AsyncGeneratorType:
        return result
    last: object = None
    async with contextlib.aclosing(cast("AsyncGenerator[object, Any]", result)) as values:
        async for value in values:
            last = value
            call.progress(value)
    return last


def _is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")  # by its type: the object may have code of its own


# --- what it came to ---


async def told(name: str, ended: Ended) -> ToolResult:
    """Returns what a function came to, as the model is told it; never raises."""
    result, error = ended
    if quick(result) if error is None else _is_quick_error(error):
        return as_result(name, ended)
    return await separately(functools.partial(as_result, name, ended))


def in_thread(
    name: str, function: Callable[[], object], call: ToolCall
) -> ToolResult | Awaitable[object] | AsyncGenerator[object, Any]:
    """Runs a plain function and tells what it came to; what it left to a loop is given back."""
    try:
        result = drained(function(), call)
        if _is_awaitable(result) or type(result) is AsyncGeneratorType:
            return cast("Awaitable[object]", result)
    except BaseException as error:
        return as_result(name, (None, error))
    return as_result(name, (result, None))


def as_result(name: str, ended: Ended) -> ToolResult:
    """Returns what a function came to, on the thread that asks; never raises."""
    result, error = ended
    try:
        return ToolResult(as_text(name, result), "ok") if error is None else failed(error)
    except BaseException as unreadable:
        return failed(unreadable)


def failed(error: BaseException) -> ToolResult:
    """Returns what the model is told of something that was raised; never raises."""
    try:
        kind = type(error)
        words = str(error)
        message = words if issubclass(kind, ToolError) else f"{kind.__name__}: {words}"
        return failure("error", message.removesuffix(": "), error)
    except BaseException:
        words = "The function failed with an error that can't be told."
        return failure("error", words, error)


def failure(outcome: ToolOutcome, message: str, error: BaseException | None = None) -> ToolResult:
    """Returns an error that the model can act on."""
    if len(message) > _MAX_ERROR_CHARS:
        message = f"{message[:_MAX_ERROR_CHARS]}…"
    output = json.dumps({"error": readable(message)}, ensure_ascii=False)
    return ToolResult(output, outcome, error)


def _is_quick_error(error: BaseException) -> bool:
    builtin = type(error).__module__ in ("builtins", "asyncio.exceptions", ToolError.__module__)
    return builtin and quick(error.args)
