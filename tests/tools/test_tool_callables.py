"""What becomes a tool besides a function."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field

from realtime_nb.errors import ToolError
from realtime_nb.tools.tool import Tool, collect, tool


def find(database: threading.Event, city: str, unit: str = "c", *, limit: int = 3) -> str:
    """Finds.

    :param database: Where.
    :param city: Which city.
    :param limit: How many.
    """
    return f"{type(database).__name__} {city} {unit} {limit}"


async def find_too(database: object, city: str, unit: str = "c", *, limit: int = 3) -> str:
    """Finds.

    :param city: Which city.
    :param limit: How many.
    """
    return f"{type(database).__name__} {city} {unit} {limit}"


class Desk:
    """A desk."""

    def ring(self, times: int) -> str:
        """Rings.

        Args:
            times: How often.
        """
        return "ding" * times

    @classmethod
    def open(cls, day: str) -> str:
        """Opens.

        Args:
            day: When.
        """
        return f"{cls.__name__} {day}"

    @staticmethod
    def close(day: str) -> str:
        """Closes.

        Args:
            day: When.
        """
        return day

    quiet = functools.partialmethod(ring, 1)


class Weather:
    """Tells the weather."""

    def __call__(self, city: str) -> str:
        return f"sun in {city}"


class LaterWeather:
    async def __call__(self, city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        return f"rain in {city}"


@dataclasses.dataclass
class Shop:
    name: str

    def __call__(self, item: str) -> str:
        return f"{self.name} {item}"


@pytest.mark.parametrize("function", [find, find_too])
@pytest.mark.parametrize(
    "bind",
    [
        lambda f: functools.partial(f, threading.Event(), unit="k"),
        lambda f: functools.partial(f, database=threading.Event(), unit="k"),
        lambda f: functools.partial(functools.partial(f, unit="k"), threading.Event()),
    ],
)
async def test_of_a_partial_the_rest_is_for_the_model(
    function: Callable[..., object], bind: Callable[[Any], Any]
) -> None:
    made = tool(bind(function))
    assert (made.name, made.description) == (function.__name__, "Finds.")
    assert made.parameters["properties"] == {
        "city": {"type": "string", "description": "Which city."},
        "limit": {"type": "integer", "default": 3, "description": "How many."},
    }
    assert made.parameters["required"] == ["city"]
    result = await made.call('{"city": "Rome", "limit": 5}')
    assert (result.outcome, result.output) == ("ok", "Event Rome k 5")
    assert (await made.call('{"city": "Rome", "unit": "f"}')).outcome == "invalid"


@pytest.mark.parametrize(
    ("function", "name", "text", "arguments", "output"),
    [
        (Desk().ring, "ring", "Rings.", '{"times": 2}', "dingding"),
        (Desk().quiet, "ring", "Rings.", "{}", "ding"),
        (Desk.open, "open", "Opens.", '{"day": "x"}', "Desk x"),
        (Desk().open, "open", "Opens.", '{"day": "x"}', "Desk x"),
        (Desk.close, "close", "Closes.", '{"day": "x"}', "x"),
        (staticmethod(Desk.close), "close", "Closes.", '{"day": "x"}', "x"),
        (Weather(), "Weather", "Tells the weather.", '{"city": "x"}', "sun in x"),
        (LaterWeather(), "LaterWeather", "Tells the weather.", '{"city": "x"}', "rain in x"),
        (functools.partial(Weather(), city="y"), "Weather", "Tells the weather.", "", "sun in y"),
        (Shop("Ann's"), "Shop", "", '{"item": "tea"}', "Ann's tea"),
        (functools.lru_cache(Desk.close), "close", "Closes.", '{"day": "x"}', "x"),
        (tool(Desk.close), "close", "Closes.", '{"day": "x"}', "x"),
    ],
)
async def test_whatever_can_be_called_becomes_a_tool(
    function: Any, name: str, text: str, arguments: str, output: str
) -> None:
    (made,) = collect([function]).values()
    assert isinstance(made, Tool)
    assert (made.name, made.description) == (name, text)
    result = await made.call(arguments)
    assert (result.outcome, result.output) == ("ok", output)


def test_descriptions_of_methods_and_calls_reach_the_schema() -> None:
    for function, argument, words in (
        (Desk().ring, "times", "How often."),
        (Desk.open, "day", "When."),
        (LaterWeather(), "city", "Where."),
    ):
        assert tool(function).parameters["properties"][argument]["description"] == words


@pytest.mark.parametrize("name", ["open", "ring"])
def test_the_class_is_not_for_the_model(name: str) -> None:
    with pytest.raises(ToolError, match="bound method"):
        tool(Desk.__dict__[name].__get__(None, Desk).__func__ if name == "open" else Desk.ring)


def test_what_stands_at_the_argument_wins_over_the_docstring() -> None:
    @tool
    def f(size: Annotated[int, Field(description="From the field.")], unit_of_size: str) -> None:
        """Sizes.

        Parameters
        ----------
        size, unit_of_size : int
            From the docstring.
        """

    told = {name: p["description"] for name, p in f.parameters["properties"].items()}
    assert told == {"size": "From the field.", "unit_of_size": "From the docstring."}


def test_a_default_that_json_can_not_hold_is_not_told() -> None:
    @tool
    def f(size: int = object()) -> None:  # type: ignore[assignment]
        """Sizes."""

    assert f.parameters["properties"] == {"size": {"type": "integer"}}
    assert "required" not in f.parameters


def test_a_function_without_a_signature_is_refused() -> None:
    with pytest.raises(ToolError, match=r"\*args|can't be read|no annotation"):
        tool(functools.partial(print, "x"))
