"""Tests on virtual time: ``@virtual`` above an ``async def test_…``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from realtime_nb.testing import run_on_virtual_clock

P = ParamSpec("P")


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs the test on a loop whose clock jumps instead of waiting."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_on_virtual_clock(test(*args, **kwargs))

    return run
