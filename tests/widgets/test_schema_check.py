from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.tools import tool
from realtime_nb.widgets.schema_check import Violation, argument_violations, violations

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
        "people": {"type": "integer", "minimum": 1, "maximum": 8},
        "size": {"enum": ["small", "large"]},
        "items": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/Item"}},
        "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
    },
    "required": ["date"],
    "additionalProperties": False,
    "$defs": {
        "Item": {
            "type": "object",
            "properties": {"price": {"type": "number", "exclusiveMinimum": 0}},
            "required": ["price"],
        }
    },
}


def found(**arguments: Any) -> list[tuple[str, str]]:
    given_ = {"date": "2026-11-24", **arguments}
    return [(one.path, one.message) for one in violations(ORDER, given_)]


def test_what_fits() -> None:
    assert found() == []
    assert found(people=2, size="small", items=[{"price": 3}], note=None) == []
    assert found(people=2.0, note="abc") == []


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        ({"date": "Tuesday"}, "date", r'must match ^\d{4}-\d\d-\d\d$, not "Tuesday"'),
        ({"date": 5}, "date", "must be string, not 5"),
        ({"people": 9}, "people", "must be at most 8, not 9"),
        ({"people": 0}, "people", "must be at least 1, not 0"),
        ({"people": True}, "people", "must be integer, not true"),
        ({"people": 2.5}, "people", "must be integer, not 2.5"),
        ({"size": "huge"}, "size", 'must be one of "small", "large", not "huge"'),
        ({"items": [{"price": 1}, {"price": 0}]}, "items[1].price", "must be above 0, not 0"),
        ({"items": [{}]}, "items[0].price", "is missing"),
        ({"items": [{"price": 1}] * 3}, "items", "must have at most 2 entries, not 3"),
        ({"note": "abcd"}, "note", "must have at most 3 characters, not 4"),
        ({"time": "10:00"}, "time", "is unknown"),
    ],
)
def test_each_violation_has_its_path(arguments: dict[str, Any], path: str, message: str) -> None:
    assert found(**arguments) == [(path, message)]


def test_all_of_them_are_told() -> None:
    assert violations(ORDER, {"people": "two", "x": 1}) == [
        Violation("date", "is missing"),
        Violation("people", 'must be integer, not "two"'),
        Violation("x", "is unknown"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON: "), ("[1]", "must be one JSON object"), ("", ""), ("{}", "")],
)
def test_arguments_as_text(text: str, message: str) -> None:
    problems = argument_violations({"type": "object"}, text)
    assert [one.message[: len(message)] for one in problems] == ([message] if message else [])


@pytest.mark.parametrize(
    ("schema", "value", "count"),
    [
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 5, 1),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 2, 0),
        ({"allOf": [{"minimum": 3}, {"multipleOf": 0.5}]}, 2.2, 2),
        ({"const": 1}, True, 1),
        ({"type": ["string", "null"]}, None, 0),
        ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, ["a", "b"], 1),
        ({"pattern": "("}, "anything", 0),
        ({"type": "date"}, 5, 0),
        ({"$ref": "#/nowhere"}, 5, 0),
        ({"additionalProperties": {"type": "integer"}}, {"a": "b"}, 1),
        (False, 1, 1),
    ],
)
def test_other_keywords(schema: Any, value: Any, count: int) -> None:
    whole = {"properties": {"x": schema}}
    assert len(violations(whole, {"x": value})) == count


def test_a_schema_that_holds_itself_ends() -> None:
    loop: dict[str, Any] = {"$ref": "#"}
    assert violations(loop, {}) == []


class Guest(pydantic.BaseModel):
    name: str
    age: Annotated[int, pydantic.Field(ge=0, le=120)]


@tool
def book(
    date: str, guests: list[Guest], size: Literal["small", "large"] = "small", tip: float = 0.0
) -> str:
    """Book a table."""
    return date


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.text(max_size=3) | st.just("small"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "age", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["date", "guests", "size", "tip", "x"]), JSON, max_size=5)
    | st.fixed_dictionaries({"date": st.text(max_size=2), "guests": st.just([])})
)
def test_what_it_passes_the_tool_takes(arguments: dict[str, Any]) -> None:
    """Pydantic is laxer ("5" for 5), never stricter."""
    text = json.dumps(arguments)
    if not argument_violations(book.parameters, text):
        book.parse(text)
