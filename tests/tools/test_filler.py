"""What may be given as a filler."""

from __future__ import annotations

import math
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.tools import Filler


def made(**options: Any) -> Filler | None:
    return rt.tool(name="look_up", **options)(lambda: None).filler


def test_a_text_or_instructions() -> None:
    assert made() is None
    assert made(filler="One moment.") == Filler("One moment.", 1.0)
    told = {"instructions": "Say that you look it up."}
    assert made(filler=told, filler_after_s=0) == Filler(told, 0.0)


@pytest.mark.parametrize(
    "words", ["", "  ", 3, {}, {"instructions": ""}, {"say": "x"}, ["x"], b"x"]
)
def test_something_else_is_refused_where_it_is_given(words: object) -> None:
    with pytest.raises(rt.ToolError, match="filler of look_up is"):
        made(filler=words)


@pytest.mark.parametrize("after_s", [-1, math.nan, math.inf, "1", None, True])
def test_it_comes_after_some_time(after_s: object) -> None:
    with pytest.raises(rt.ToolError, match="filler_after_s of look_up must be"):
        made(filler="One moment.", filler_after_s=after_s)


def test_the_model_is_told_nothing_of_it() -> None:
    plain, filling = (
        rt.tool(name="f", filler=words)(lambda: None).definition() for words in (None, "Wait.")
    )
    assert plain == filling
