"""What a function offers instead of a refusal, or as a choice, and how one of it is taken."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from realtime_nb.local.spoken import ORDINALS, WEEKDAYS, any_of

__all__ = ["offered", "with_choice"]

_AGREED = re.compile(
    r"^\W*(?:yes|yeah|yep|sure|okay|ok|that|fine|perfect|great|good)\b(?:['’]s)?(?:\W+(?:please|then|that|would"
    r"|will|be|is|works|one|it|fine|good|great|perfect|sounds|okay|thanks))*\W*$",
    re.I,
)
_NTHS = ORDINALS[:5]
_NTH = re.compile(
    rf"\b(?<!on )the (?P<nth>{any_of(_NTHS)}|last|earliest|latest)\b"
    r"(?: (?:one|time|slot|appointment|option|free one|of (?:them|those)))?"
    r"(?=\W*(?:$|[,.!?]|please\b|then\b|for\b|my\b|and\b))",
    re.I,
)


def offered(output: object) -> list[str]:
    """Returns the times ("at 09:00") or days that the result of a function lists."""
    for value in output.values() if isinstance(output, dict) else ():
        if isinstance(value, list) and value:
            texts = [str(each) for each in value]
            if all(map(_is_time_or_day, texts)):
                return [f"at {text}" if ":" in text else text for text in texts]
    return []


def _is_time_or_day(text: str) -> bool:
    try:
        if ":" in text:
            datetime.time.fromisoformat(text)
        else:
            datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def with_choice(text: str, offers: Sequence[str], refused: bool) -> str:
    """Returns the text with "the second one" replaced by the second of what was offered.

    Args:
        text: What was said.
        offers: What was offered, of :func:`offered`.
        refused: Whether the offers came instead of something else that was wanted. Then "yes" takes
            a single one, and "Monday" is the Monday that was offered.
    """
    match = _NTH.search(text)
    if match and offers:
        nth = match["nth"].lower()
        index = _NTHS.index(nth) if nth in _NTHS else 0 if nth == "earliest" else -1
        if index < len(offers):
            return f"{text[: match.start()]} {offers[index]} {text[match.end() :]}"
    if not refused:
        return text
    if len(offers) == 1 and _AGREED.search(text):
        return f"{text} {offers[0]}"
    for day in offers:
        if ":" not in day:
            weekday = WEEKDAYS[datetime.date.fromisoformat(day).weekday()]
            text = re.sub(rf"\b(?<!this )(?:on )?{weekday}\b", f"on {day}", text, flags=re.I)
    return text
