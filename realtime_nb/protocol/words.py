"""Figures as people read them: one spelling for messages, tables, reports and pictures."""

from __future__ import annotations

import math

__all__ = ["clock", "counted", "lasting", "shortened"]


def clock(t_s: float | None) -> str:
    """Returns a moment as minutes and whole seconds, ``"3:07"``; nothing for one unknown.

    One before the session began is ``"-0:04"``.
    """
    if t_s is None or math.isnan(t_s):
        return ""
    minutes, seconds = divmod(abs(int(t_s)), 60)
    return f"{'-' if t_s <= -1 else ''}{minutes}:{seconds:02}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Returns ``"1 turn"``, ``"2,000 turns"``; ``plural`` where it is not formed with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def lasting(seconds: float) -> str:
    """Returns how long something was: ``"10.6 s"``, ``"3:07 min"``."""
    if math.isnan(seconds):
        return "no times"
    return f"{seconds:.1f} s" if seconds < 120 else f"{clock(round(seconds))} min"


def shortened(text: str, length: int) -> str:
    """Returns a text of so many characters at most; a longer one ends in an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
