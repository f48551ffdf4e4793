"""A bar while long work runs, where somebody sees it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["progress_bar"]

_AFTER_S = 1.0
"""What is done by then needs no bar."""


def progress_bar(total: float, unit: str, *, wanted: bool = True, **options: Any) -> tqdm[Any]:
    """Returns a bar for a ``with`` statement: on a terminal's stderr or in a notebook, after a
    second, gone when the work is done. Elsewhere it shows nothing.

    Args:
        total: How much there is to do; ``update(n)`` tells what was done.
        unit: Of what.
        wanted: False: there is none.
        options: What else tqdm takes.
    """
    from tqdm.auto import tqdm

    shown = wanted and _is_seen()
    return tqdm(total=total, unit=unit, disable=not shown, delay=_AFTER_S, leave=False, **options)


def _is_seen() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None or sys.stderr.isatty()
