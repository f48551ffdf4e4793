"""Options that nobody knows: refused in words, with the name that was probably meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from realtime_nb.errors.kinds import ConfigurationError

__all__ = ["refuse_unknown", "takes_names"]

C = TypeVar("C")


def refuse_unknown(
    options: Mapping[str, object], known: Sequence[str], besides: Sequence[str] = ()
) -> None:
    """Raises a ConfigurationError for the first unknown option, which lists what there is.

    Args:
        options: what was given.
        known: the names that are options.
        besides: what else could have been meant: the caller's named arguments.
    """
    for name in options:
        if name in known:
            continue
        there = sorted({*known, *besides}, key=lambda one: (-_likeness(name, one), one))
        near = _likeness(name, there[0]) >= _ALIKE
        hint = f"Did you mean {there[0]!r}? " if near else ""
        raise ConfigurationError(f"Unknown option {name!r}. {hint}There are {', '.join(there)}.")


_ALIKE = 0.6


def _likeness(name: str, other: str) -> float:
    """Returns how alike two names are, 0 to 1; underscores and case make no difference."""
    first, second = (one.replace("_", "").lower() for one in (name, other))
    return difflib.SequenceMatcher(None, first, second).ratio()


def takes_names(made: C) -> C:
    """Has a class, or a function, refuse names that it does not have in an error of ours."""
    if not isinstance(made, type):
        return cast("C", _checked(cast("Any", made), getattr(made, "__name__", "")))
    entry = cast("Any", made)
    entry.__init__ = _checked(entry.__init__, made.__name__)
    return made


def _checked(takes: Callable[..., Any], name: str) -> Callable[..., Any]:
    signature = inspect.signature(takes)
    known = [
        name
        for name, one in signature.parameters.items()
        if name != "self" and one.kind is not inspect.Parameter.POSITIONAL_ONLY
    ]

    @functools.wraps(takes)
    def checked(*args: Any, **options: Any) -> Any:
        refuse_unknown(options, known)
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            words = f"{name} can't be made so: {error}. Its options are {', '.join(known)}."
            raise ConfigurationError(words) from None
        return takes(*args, **options)

    return checked
