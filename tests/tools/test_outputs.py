"""Results as a model is told them."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import json
import pathlib
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.errors import ToolError
from realtime_nb.tools.outputs import as_text
from realtime_nb.tools.tool import tool


class Mood(str, enum.Enum):  # noqa: UP042
    GOOD = "good"


class Open:
    """Opaque."""

    def __repr__(self) -> str:
        return "<Open secret>"


def endless() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (Mood.GOOD, "good"),
        (decimal.Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (pathlib.PurePosixPath("/a/b"), '"/a/b"'),
        (datetime.timedelta(minutes=2), '"PT2M"'),
        ([Mood.GOOD, np.float32(0.5), pd.NA], '["good",0.5,null]'),
        (
            pd.DataFrame({"a": [pd.NaT, pd.Timestamp(0)]}),
            '[{"a":null},{"a":"1970-01-01T00:00:00"}]',
        ),
        (pd.Series([pd.NaT]), "[null]"),
        ({1: (True, None)}, '{"1":[true,null]}'),
    ],
)
def test_what_json_holds_is_told(value: object, text: str) -> None:
    assert as_text("f", value) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Open(), "a Open"),
        ({"deep": [Open()]}, "a Open"),
        ({Open(): 1}, "a Open"),
        (Open, "the class Open"),
        (pd.DataFrame, "the class DataFrame"),
        (np.array([Open()], dtype=object), "a Open"),
        (pd.DataFrame({"a": [Open()]}), "a Open"),
        (ValueError("x"), "a ValueError"),
        (threading.Lock(), "lock"),
        (lambda: 1, "a function"),
        (endless(), "ircular"),
    ],
)
def test_what_json_can_not_hold_is_an_error(value: Any, words: str) -> None:
    with pytest.raises(ToolError, match=r"f was run, but its result can't be told") as caught:
        as_text("f", value)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert " at 0x" not in str(caught.value)


async def test_the_model_is_told_that_the_function_was_run() -> None:
    @tool
    def f() -> Open:
        return Open()

    result = await f.call("{}")
    assert result.outcome == "error"
    assert json.loads(result.output)["error"].startswith("f was run, but its result")


@pytest.mark.parametrize("main_thread", [False, True])
@pytest.mark.parametrize(("values", "output"), [([], "null"), (["0 %", "50 %", "done"], "done")])
async def test_the_last_value_of_a_generator_is_the_output(
    values: list[str], output: str, main_thread: bool
) -> None:
    threads = set()

    def plain() -> Iterator[str]:
        threads.add(threading.current_thread() is threading.main_thread())
        yield from values

    async def with_loop() -> AsyncIterator[str]:
        for value in values:
            yield value

    for function in (plain, with_loop):
        made = tool(main_thread=main_thread)(function)
        assert (await made.call("{}")).output == output
    assert threads == {main_thread}


async def test_a_generator_that_takes_too_long_is_closed() -> None:
    closed = []

    @tool(timeout_s=0.01)
    async def f() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    assert (await f.call("{}")).outcome == "timeout"
    assert closed == [True]


async def test_what_a_generator_raises_is_told() -> None:
    @tool
    async def f() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no more")

    assert json.loads((await f.call("{}")).output) == {"error": "ValueError: no more"}
