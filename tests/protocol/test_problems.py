from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from realtime_nb.protocol.problems import Problem, problem_from


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=9)]
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    kind: Literal["a", "b"] = "a"
    words: Annotated[dict[Annotated[str, Meta(max_length=3)], int], Meta(max_length=1)] = {}
    name: Annotated[str, Meta(pattern="^x")] = "x"


class Outer(msgspec.Struct):
    inner: list[Inner]


@pytest.mark.parametrize(
    ("inner", "code", "param", "message"),
    [
        ({}, "missing_required_parameter", "r.inner[0].count", "Missing required parameter"),
        ({"count": 1, "z": 1}, "unknown_parameter", "r.inner[0].z", "Unknown parameter"),
        ({"count": 0}, "integer_below_min_value", "r.inner[0].count", ">= 1, but got 0 instead"),
        ({"count": 10}, "integer_above_max_value", "r.inner[0].count", "<= 9, but got 10 instead"),
        ({"count": 1, "share": 1.5}, "decimal_above_max_value", "r.inner[0].share", "got 1.5"),
        ({"count": "1"}, "invalid_type", "r.inner[0].count", "expected an integer, but"),
        ({"count": 1, "kind": "c"}, "invalid_value", "r.inner[0].kind", "'c' is not supported"),
        (
            {"count": 1, "words": {"abcd": 1}},
            "string_above_max_length",
            "r.inner[0].words",
            "length 3.",
        ),
        ({"count": 1, "words": {"a": "b"}}, "invalid_type", "r.inner[0].words.a", "got a string"),
        (
            {"count": 1, "words": {"a": 1, "b": 1}},
            "object_above_max_length",
            "r.inner[0].words",
            "",
        ),
        ({"count": 1, "name": "y"}, "invalid_value", "r.inner[0].name", "the pattern '^x'."),
        ({"count": 1, "a` - at `$.b": 1}, "unknown_parameter", None, "Unknown parameter"),
        (5, "invalid_type", "r.inner[0]", "expected an object, but got an integer"),
    ],
)
def test_a_validation_error_in_the_words_of_a_realtime_server(
    inner: object, code: str, param: str | None, message: str
) -> None:
    value = {"inner": [inner]}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Outer)
    problem = problem_from(caught.value, value, "r")
    assert problem.code == code
    assert param is None or problem.param == param
    assert message in problem.message


def test_the_event_itself_has_no_name() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({}, Outer)
    assert problem_from(caught.value, {}, "") == Problem(
        "missing_required_parameter", "Missing required parameter: 'inner'.", "inner"
    )
