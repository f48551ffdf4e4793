from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import datetime
import enum
import json
import math
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from realtime_nb.errors import ToolError
from realtime_nb.tools import Tool, ToolResult, collect, definitions, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Place:
    row: int
    seat: str


@tool
def book(date: str, people: int = 2, room: Literal["hall", "garden"] = "hall") -> str:
    """Book a table
    for a party.

    Only in season.

    Args:
        date: The day, as YYYY-MM-DD,
            never in the past.
        people (int): How many will come: guests too.
        room: Where to sit.

    Returns:
        A sentence.
    """
    return f"{date} {people} {room}"


def error_of(result: ToolResult) -> str:
    message = json.loads(result.output)["error"]
    assert isinstance(message, str)
    return message


def test_definition_tells_everything_the_function_says_about_itself() -> None:
    assert book.definition() == {
        "type": "function",
        "name": "book",
        "description": "Book a table\nfor a party.\n\nOnly in season.",
        "parameters": {
            "type": "object",
            "properties": {
                "date": {
                    "type": "string",
                    "description": "The day, as YYYY-MM-DD,\nnever in the past.",
                },
                "people": {
                    "type": "integer",
                    "default": 2,
                    "description": "How many will come: guests too.",
                },
                "room": {
                    "type": "string",
                    "enum": ["hall", "garden"],
                    "default": "hall",
                    "description": "Where to sit.",
                },
            },
            "required": ["date"],
            "additionalProperties": False,
        },
    }


def test_a_definition_can_be_changed_without_changing_the_tool() -> None:
    book.definition()["parameters"]["properties"].clear()
    assert book.definition()["parameters"]["properties"]


def test_without_arguments_the_schema_is_an_empty_object() -> None:
    @tool
    def now() -> str:
        return "noon"

    assert now.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert now.description == ""


def test_the_decorator_can_set_name_description_and_how_to_run() -> None:
    @tool(name="look_up", description="Find it.", timeout_s=None, main_thread=True)
    def f(word: str) -> str:
        """Not this."""
        return word

    assert (f.name, f.description, f.timeout_s, f.main_thread) == (
        "look_up",
        "Find it.",
        None,
        True,
    )
    assert f.definition()["name"] == "look_up"


def test_calling_a_tool_calls_its_function() -> None:
    assert book("2026-11-24", room="garden") == "2026-11-24 2 garden"


def test_fields_enums_dataclasses_and_dates_are_described() -> None:
    @tool
    def f(
        size: Annotated[int, Field(ge=1, description="From the field.")],
        colour: Colour,
        place: Place,
        day: datetime.date,
        note: str = Field(default="none", max_length=5),
    ) -> None:
        """Do it.

        Args:
            size: From the docstring.
            colour: Which one.
        """

    properties = f.parameters["properties"]
    assert properties["size"] == {
        "type": "integer",
        "minimum": 1,
        "description": "From the field.",
    }
    assert properties["colour"]["description"] == "Which one."
    assert f.parameters["$defs"]["Colour"]["enum"] == ["red", "blue"]
    assert properties["day"]["format"] == "date"
    assert properties["note"] == {"type": "string", "default": "none", "maxLength": 5}
    assert f.parameters["required"] == ["size", "colour", "place", "day"]
    parsed = f.parse(
        '{"size": 3, "colour": "red", "place": {"row": 1, "seat": "A"}, "day": "2026-11-24"}'
    )
    assert parsed == {
        "size": 3,
        "colour": Colour.RED,
        "place": Place(1, "A"),
        "day": datetime.date(2026, 11, 24),
        "note": "none",
    }


def test_names_that_a_model_class_could_not_hold_are_fine() -> None:
    @tool
    def f(schema: str, model_config: str, _hidden: int, self_: str = "x") -> None: ...

    assert list(f.parameters["properties"]) == ["schema", "model_config", "_hidden", "self_"]
    assert f.parse('{"schema": "a", "model_config": "b", "_hidden": 1}') == {
        "schema": "a",
        "model_config": "b",
        "_hidden": 1,
        "self_": "x",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "one JSON object"),
        ("{}", "date: Field required"),
        ('{"date": 5}', "date: Input should be a valid string"),
        ('{"date": "x", "room": "attic"}', "room: Input should be 'hall' or 'garden'"),
        ('{"date": "x", "people": "many"}', "people: Input should be a valid integer"),
        ('{"date": "x", "hour": 1}', "hour: Extra inputs are not permitted"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: str, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        book.parse(arguments)
    assert words in str(caught.value)
    assert "book" in str(caught.value)


def test_parsing_fills_in_defaults_and_never_shares_them() -> None:
    @tool
    def f(items: list[int] = []) -> None: ...  # noqa: B006

    f.parse("{}")["items"].append(1)
    assert f.parse("") == {"items": []}
    assert book.parse('{"date": "x", "people": "3"}') == {"date": "x", "people": 3, "room": "hall"}


@given(st.text())
def test_parse_refuses_or_returns_whatever_it_is_sent(arguments: str) -> None:
    with contextlib.suppress(ToolError):
        assert set(book.parse(arguments)) == {"date", "people", "room"}


def anything(*values: str) -> None: ...
def options(**values: str) -> None: ...
def bare(value) -> None: ...  # type: ignore[no-untyped-def]
def array(value: np.ndarray) -> None: ...
def function(value: Callable[[], int]) -> None: ...
def unknown(value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (anything, r"\*values"),
        (options, r"\*\*values"),
        (bare, "'value' of bare has no annotation"),
        (array, "'value' of array can't be expressed in JSON"),
        (function, "'value' of function can't be expressed in JSON"),
        (unknown, "annotations of unknown can't be read"),
        (lambda: None, "can't be the name"),
        (Place, "made from a function"),
        (classmethod(lambda cls: None), "outside of its class"),
    ],
)
def test_functions_that_can_not_be_described_are_refused(refused: Any, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        tool(refused)


def test_a_method_is_decorated_bound() -> None:
    class Desk:
        def ring(self, times: int) -> str:
            return "ding" * times

    with pytest.raises(ToolError, match="bound method"):
        tool(Desk.ring)
    assert tool(Desk().ring).parse('{"times": 2}') == {"times": 2}


def test_a_timeout_must_be_positive() -> None:
    with pytest.raises(ToolError, match="above 0"):
        tool(timeout_s=0)(bare)


async def test_plain_functions_run_in_a_thread_and_keep_the_context() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    @tool
    def where() -> str:
        return f"{threading.current_thread() is threading.main_thread()} {variable.get()}"

    assert await where.call("{}") == ToolResult("False set", "ok")


async def test_async_functions_run_on_the_loop() -> None:
    @tool
    async def where(pause: bool) -> str:
        if pause:
            await asyncio.sleep(0)
        return str(threading.current_thread() is threading.main_thread())

    assert await where.call('{"pause": true}') == ToolResult("True", "ok")


async def test_a_plain_function_that_hands_back_an_awaitable_is_awaited() -> None:
    async def answer() -> int:
        return 42

    @tool
    def f() -> object:
        return answer()

    assert (await f.call("{}")).output == "42"


@pytest.mark.parametrize("is_async", [False, True])
async def test_main_thread_functions_run_on_the_loop(is_async: bool) -> None:
    def where() -> bool:
        asyncio.get_running_loop()  # raises where there is none
        return threading.current_thread() is threading.main_thread()

    async def where_too() -> bool:
        return where()

    made = tool(main_thread=True)(where_too if is_async else where)
    assert await made.call("{}") == ToolResult("true", "ok")


async def test_positional_only_arguments_are_passed_by_position() -> None:
    @tool
    def minus(a: int, b: int, /, *, c: int = 0) -> int:
        return a - b - c

    assert (await minus.call('{"b": 1, "a": 5, "c": 1}')).output == "3"


class Model(pydantic.BaseModel):
    day: datetime.date


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"a": [1, 2.5, True, "é"]}, {"a": [1, 2.5, True, "é"]}),
        (Place(1, "A"), {"row": 1, "seat": "A"}),
        (Model(day=datetime.date(2026, 11, 24)), {"day": "2026-11-24"}),
        (datetime.datetime(2026, 11, 24, 10, 0), "2026-11-24T10:00:00"),
        (Colour.RED, "red"),
        (float("nan"), None),
        (np.float64(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        ([np.int64(3)], [3]),
        (pd.DataFrame({"a": [1, 2]}), [{"a": 1}, {"a": 2}]),
        (pd.Series([1, 2]), [1, 2]),
        (b"\xff", "_w=="),
    ],
)
async def test_results_become_text(value: object, output: object) -> None:
    @tool
    def f() -> object:
        return value

    result = await f.call("{}")
    assert result.outcome == "ok"
    assert (result.output if isinstance(value, str) else json.loads(result.output)) == (
        None if output == "null" else output
    )


@pytest.mark.parametrize("raised", [ValueError("no such day"), SystemExit(2), StopIteration()])
async def test_an_exception_becomes_an_output_without_a_traceback(raised: BaseException) -> None:
    @tool
    def f() -> None:
        raise raised

    result = await f.call("{}")
    assert result.outcome == "error"
    assert type(raised).__name__ in error_of(result)
    assert "Traceback" not in result.output
    assert result.exception is not None


async def test_the_words_of_a_tool_error_are_passed_on_as_they_are() -> None:
    @tool
    async def f() -> None:
        raise ToolError("Ask for another day.")

    result = await f.call("{}")
    assert (result.outcome, error_of(result)) == ("error", "Ask for another day.")


async def test_wrong_arguments_never_run_the_function() -> None:
    ran = []

    @tool
    def f(n: int) -> None:
        ran.append(n)

    result = await f.call('{"n": "x"}')
    assert (result.outcome, ran) == ("invalid", [])
    assert "n: Input should be a valid integer" in error_of(result)


async def test_a_hanging_thread_times_out_and_its_late_result_is_dropped() -> None:
    release, finished = threading.Event(), threading.Event()

    @tool(timeout_s=0.01)
    def hang() -> None:
        release.wait()
        finished.set()

    result = await hang.call("{}")
    release.set()
    assert await asyncio.to_thread(finished.wait, 5)
    assert (result.outcome, error_of(result)) == ("timeout", "hang took over 0.01 s.")


async def test_a_hanging_coroutine_times_out_and_is_cancelled() -> None:
    cancelled = []

    @tool(timeout_s=0.01)
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    assert (await hang.call("{}")).outcome == "timeout"
    assert cancelled == [True]


async def test_a_timeout_error_of_the_function_itself_is_its_error() -> None:
    @tool
    async def f() -> None:
        raise TimeoutError("the database")

    result = await f.call("{}")
    assert (result.outcome, error_of(result)) == ("error", "TimeoutError: the database")


async def test_cancelling_a_call_cancels_it() -> None:
    started = asyncio.Event()

    @tool
    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(hang.call("{}"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_hanging_function_does_not_hold_up_many_others() -> None:
    release = threading.Event()

    @tool
    def hang() -> str:
        release.wait()
        return "free"

    @tool
    def quick() -> str:
        return "done"

    waiting = [asyncio.create_task(hang.call("{}")) for _ in range(40)]
    await asyncio.sleep(0)
    assert (await quick.call("{}")).output == "done"
    release.set()
    assert {result.output for result in await asyncio.gather(*waiting)} == {"free"}


def test_collect_takes_functions_tools_and_definitions() -> None:
    def plain(word: str) -> str:
        return word

    raw = {"type": "function", "name": "raw", "parameters": {"type": "object"}}
    remote = {"type": "mcp", "server_label": "files", "server_url": "https://example.com"}
    collected = collect([book, plain, raw, remote])
    assert list(collected) == ["book", "plain", "raw", "mcp:files"]
    assert collected["book"] is book
    assert isinstance(collected["plain"], Tool)
    assert collected["raw"] == raw
    assert definitions(collected)[0]["name"] == "book"
    assert definitions(collected)[2:] == [raw, remote]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([book, book], "Two tools are named 'book'"),
        ([{"type": "function", "function": {"name": "nested"}}], "is flat"),
        ([{"name": "typeless"}], "needs a 'type'"),
        (["book"], "is no tool"),
    ],
)
def test_collect_refuses_what_it_can_not_offer(entries: list[Any], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        collect(entries)


def test_a_call_of_tool_takes_what_a_decorator_does() -> None:
    quick: Tool = tool(book, timeout_s=3, name="quick")  # which type checkers accept
    assert (quick.name, quick.timeout_s) == ("quick", 3)
    assert list(collect(quick)) == list(collect([quick])) == ["quick"]


# --- when it began ---


async def test_the_beginning_of_a_run_is_told() -> None:
    steps: list[str] = []

    async def on_the_loop() -> None:
        """Run."""
        steps.append("ran")

    def in_a_thread() -> None:
        """Run."""
        steps.append("ran")

    for function in (on_the_loop, in_a_thread):
        await tool(function).call("{}", lambda: steps.append("began"))
    assert steps == ["began", "ran"] * 2


async def test_what_is_not_run_does_not_begin() -> None:
    began: list[bool] = []

    assert (await book.call("{}", lambda: began.append(True))).outcome == "invalid"
    assert began == []


class Doc:
    """As ``typing_extensions.Doc``."""

    def __init__(self, documentation: str) -> None:
        self.documentation = documentation


def test_a_text_that_stands_in_an_annotation_describes_the_argument() -> None:
    @tool
    def book(
        day: Annotated[str, "The day."],
        people: Annotated[int, Doc("How many."), Field(ge=1)] = 2,
        note: Annotated[str | None, Field(description="By hand."), "Not this."] = None,
    ) -> None:
        """Book.

        Args:
            day: Not this.
        """

    told = book.parameters["properties"]
    assert told["day"] == {"type": "string", "description": "The day."}
    assert told["people"] == {
        **{"type": "integer", "minimum": 1, "default": 2},
        "description": "How many.",
    }
    assert told["note"]["description"] == "By hand."


def test_a_default_that_is_no_number_of_json_is_not_told() -> None:
    @tool
    def wait(least: float = -math.inf, most: float = math.nan, usual: float = 1.5) -> None:
        """Wait."""

    json.dumps(wait.definition(), allow_nan=False)
    assert [field.get("default") for field in wait.parameters["properties"].values()] == [
        *(None, None, 1.5)
    ]
    assert wait.parse("{}")["least"] == -math.inf


class OfAnotherPackage:
    """A type that needs another package."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        raise ImportError("email-validator is not installed, run `pip install 'x'`")


def test_a_type_whose_package_is_missing_is_named() -> None:
    def write(to: OfAnotherPackage) -> None:
        """Write."""

    with pytest.raises(ToolError, match=r"'to' of write can't .*not installed, run `pip install"):
        tool(write)
