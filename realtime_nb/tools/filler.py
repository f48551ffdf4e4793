"""What an agent says while a function runs for long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from realtime_nb.errors import ToolError

__all__ = ["DEFAULT_FILLER_AFTER_S", "Filler", "filler_of"]

DEFAULT_FILLER_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Filler:
    """What is said, and when.

    Attributes:
        words: A text that is said word for word, or ``{"instructions": …}``.
        after_s: How long the call has been running by then.
    """

    words: str | Mapping[str, str]
    after_s: float


def filler_of(name: str, words: object, after_s: object) -> Filler | None:
    """Returns the filler of a tool; None where nothing is to be said.

    Raises:
        ToolError: It is neither a text nor instructions, or the time is none.
    """
    if isinstance(after_s, bool) or not isinstance(after_s, int | float):
        raise ToolError(f"filler_after_s of {name} must be seconds, not {after_s!r}.")
    if not 0 <= after_s < math.inf:
        raise ToolError(f"filler_after_s of {name} must be 0 or more, not {after_s}.")
    if words is None:
        return None
    given: Mapping[str, object] = {"": words}
    if isinstance(words, Mapping):
        given = dict(words) if set(words) == {"instructions"} else {}
    text = next(iter(given.values()), None)
    if not (isinstance(text, str) and text.strip()):
        raise ToolError(
            f"filler of {name} is {words!r}; give what is to be said, as a text, or "
            'filler={"instructions": "Say in the caller\'s language that you look it up."}.'
        )
    return Filler(text if isinstance(words, str) else {"instructions": text}, float(after_s))
