"""What ``%load_ext realtime_nb`` does: ``asyncio.run(main())`` runs in a cell.

A notebook's loop runs all the time, and asyncio refuses to run another within it. ``nest_asyncio2``
makes a loop take work while it runs. Its ``apply`` would do so to every loop of the process, the
I/O thread's included, and replace tasks, futures and ``asyncio.run`` for all threads; here only
the one loop is changed that ``asyncio.run`` is called on.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

from realtime_nb.errors import ConfigurationError, MissingExtraError

__all__ = ["allow_nested_run"]

_ORIGINAL = "_realtime_nb_original"


def allow_nested_run() -> None:
    """Lets ``asyncio.run`` run where a loop runs already, in the thread that asks for it; does
    nothing the second time.

    Raises:
        MissingExtraError: nest_asyncio2 is not installed.
        ConfigurationError: The loop that runs is not one of asyncio's own.
    """
    _nest_asyncio2()
    thread = threading.get_ident()
    loop = _running_loop()
    if loop is not None:
        _make_nestable(loop)
    original = getattr(asyncio.run, _ORIGINAL, asyncio.run)
    asyncio.run = _nested_run(original, thread)


def _nested_run(original: Callable[..., Any], thread: int) -> Callable[..., Any]:
    @functools.wraps(original)
    def run(main: Any, **options: Any) -> Any:
        loop = _running_loop()
        if loop is None or threading.get_ident() != thread:
            return original(main, **options)
        _make_nestable(loop)
        debug = options.get("debug")
        return _nest_asyncio2().run(main, debug=loop.get_debug() if debug is None else debug)

    setattr(run, _ORIGINAL, original)
    return run


def _make_nestable(loop: asyncio.AbstractEventLoop) -> None:
    if hasattr(loop, "_nest_patched"):
        return
    kind = type(loop)
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise ConfigurationError(
            f"asyncio.run can't run within a loop of {kind.__module__}. Write: await main()"
        )
    # The package patches the class of a loop. With a class of its own, no other loop is touched.
    loop.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__})
    _nest_asyncio2()._patch_loop(loop)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _nest_asyncio2() -> Any:
    try:
        import nest_asyncio2
    except ImportError:
        raise MissingExtraError("nest_asyncio2, which runs a loop within a loop,", "lab") from None
    return nest_asyncio2
