from __future__ import annotations

import datetime
import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from realtime_nb.local.tool_arguments import ToolSpec, Utterance, fill, question, read_tool
from realtime_nb.tools import tool

SUNDAY = datetime.date(2026, 11, 22)


def spec(properties: dict[str, Any], required: list[str] | None = None) -> ToolSpec:
    parameters = {"type": "object", "properties": properties, "required": required or []}
    parameters["$defs"] = {"Colour": {"enum": ["red", "blue"], "type": "string"}}
    read = read_tool({"type": "function", "name": "book_it", "parameters": parameters})
    assert read is not None
    return read


def filled(tool_spec: ToolSpec, *turns: str | Utterance) -> dict[str, Any]:
    said = [turn if isinstance(turn, Utterance) else Utterance(turn) for turn in turns]
    return fill(tool_spec, said, SUNDAY)


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("patient_name", {"type": "string"}, "name"),
        ("name", {}, "name"),
        ("file_name", {"type": "string"}, "text"),
        ("date", {"type": "string"}, "day"),
        ("start", {"type": "string", "format": "date"}, "day"),
        ("when", {"type": "string", "description": "As YYYY-MM-DD."}, "day"),
        ("time", {"type": "string"}, "time"),
        ("start", {"type": "string", "description": "HH:MM"}, "time"),
        ("at", {"type": "string", "format": "date-time"}, "moment"),
        ("startDateTime", {"type": "string"}, "moment"),
        ("day", {"description": "A day of the week, such as monday."}, "weekday"),
        ("day", {"description": "For example Friday"}, "weekday"),
        ("day", {"examples": ["mon", "tue"]}, "weekday"),
        ("dayOfWeek", {"type": "string"}, "weekday"),
        ("weekday", {}, "weekday"),
        ("when", {"enum": ["Mon", "Tue", "Wed"]}, "weekday"),
        ("day", {"description": "The day, as YYYY-MM-DD"}, "day"),
        ("day", {"description": "A weekday such as Monday, 2026-11-23."}, "day"),
        ("day", {"enum": ["today", "monday"]}, "choice"),
        ("day", {"type": "integer", "description": "Day of the week, 1 to 7"}, "number"),
        ("city", {"type": "string"}, "place"),
        ("phone_number", {"type": "string"}, "phone"),
        ("email", {"type": "string"}, "email"),
        ("count", {"type": "integer"}, "number"),
        ("size", {"type": "number"}, "number"),
        ("loud", {"type": "boolean"}, "flag"),
        ("kind", {"enum": ["a", "b"]}, "choice"),
        ("kind", {"const": "a"}, "choice"),
        ("note", {"type": ["string", "null"]}, "text"),
        ("count", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "number"),
    ],
)
def test_what_an_argument_means_is_read_from_its_schema(
    name: str, schema: dict[str, Any], kind: str
) -> None:
    assert spec({name: schema}).parameters[0].kind == kind


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"description": "A day of the week, such as monday."}, "tuesday"),
        ({"description": "Day of the week, e.g. Monday"}, "Tuesday"),
        ({"description": "A day of the week: MONDAY to FRIDAY"}, "TUESDAY"),
        ({"description": "A weekday."}, "Tuesday"),
        ({"description": "A weekday.", "examples": ["mon"]}, "tue"),
        ({"enum": ["monday", "tuesday", "wednesday"]}, "tuesday"),
        ({"enum": ["MO", "TU", "WE"]}, "TU"),
        ({"enum": ["Mon", "Tues", "Wed"]}, "Tues"),
        ({"enum": ["saturday", "sunday"]}, None),
    ],
)
@pytest.mark.parametrize("text", ["on Tuesday", "on the 24th", "in two days"])
def test_a_weekday_is_written_as_its_schema_shows_it(
    schema: dict[str, Any], value: str | None, text: str
) -> None:
    assert filled(spec({"day": schema}), text) == ({} if value is None else {"day": value})


def test_a_weekday_is_asked_for_as_a_day() -> None:
    read = spec({"day": {"description": "A day of the week"}}, ["day"])
    assert question(read, list(read.parameters)) == "On which day?"


def test_references_are_followed() -> None:
    read = spec({"colour": {"$ref": "#/$defs/Colour"}})
    assert read.parameters[0].choices == ["red", "blue"]


def test_a_function_that_needs_what_can_not_be_said_is_left_out() -> None:
    for schema in (
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"anyOf": [{"type": "array"}, {"type": "null"}]},
        {"type": ["object", "null"]},
    ):
        parameters = {"properties": {"points": schema}, "required": ["points"]}
        definition = {"type": "function", "name": "f", "parameters": parameters}
        assert read_tool(definition) is None
        assert read_tool({**definition, "parameters": {**parameters, "required": []}}) == ToolSpec(
            "f", "", ()
        )
    assert read_tool({"type": "mcp", "server_label": "x"}) is None
    assert read_tool({"type": "function"}) is None


def test_a_definition_without_parameters_has_none() -> None:
    assert read_tool({"type": "function", "name": "getIt"}) == ToolSpec("getIt", "", ())
    assert ToolSpec("getItNow", "", ()).words == "get it now"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a check-up please", "check_up"),
        ("two checkups", "check_up"),
        ("the deep cleaning", "deep_cleaning"),
        ("a deep cleaning, no, a check up", "check_up"),
        ("I want them deep cleaned", "deep_cleaning"),
    ],
)
def test_choices_are_heard_in_their_variants(text: str, value: str) -> None:
    read = spec({"service": {"enum": ["check_up", "deep_cleaning"]}})
    assert filled(read, text) == {"service": value}


def test_a_choice_that_only_looks_alike_is_not_heard() -> None:
    assert filled(spec({"part": {"enum": ["morning", "evening"]}}), "even more") == {}


def test_a_choice_of_numbers_may_be_said_in_words() -> None:
    assert filled(spec({"size": {"enum": [10, 20]}}), "the twenty one, no, twenty") == {"size": 20}


def test_numbers_go_to_what_is_named_beside_them() -> None:
    read = spec({"adults": {"type": "integer"}, "children": {"type": "integer"}}, ["adults"])
    assert filled(read, "two children and three adults") == {"adults": 3, "children": 2}
    assert filled(read, "for four") == {"adults": 4}
    assert filled(read, Utterance("five", asked=("children",))) == {"children": 5}


def test_a_whole_number_is_not_filled_with_a_fraction() -> None:
    assert filled(spec({"count": {"type": "integer"}}, ["count"]), "two point five") == {}


def test_numbers_of_days_and_times_are_no_counts() -> None:
    read = spec({"date": {}, "guests": {"type": "integer"}}, ["date", "guests"])
    assert filled(read, "on November 24 at 10:30") == {"date": "2026-11-24"}


def test_two_days_are_taken_in_order_and_one_for_what_was_asked() -> None:
    read = spec({"start_date": {}, "end_date": {}}, ["start_date", "end_date"])
    assert filled(read, "from Monday until Wednesday") == {
        "start_date": "2026-11-23",
        "end_date": "2026-11-25",
    }
    assert filled(read, "from Monday", Utterance("Wednesday", asked=("end_date",))) == {
        "start_date": "2026-11-23",
        "end_date": "2026-11-25",
    }


def test_a_moment_needs_its_day_and_its_time() -> None:
    read = spec({"at": {"type": "string", "format": "date-time"}}, ["at"])
    assert filled(read, "on Tuesday") == {}
    assert filled(read, "on Tuesday", "at ten") == {"at": "2026-11-24T10:00:00"}


def test_a_time_has_the_form_that_its_schema_names() -> None:
    assert filled(spec({"t": {"type": "string", "format": "time"}}), "at ten") == {"t": "10:00:00"}
    assert filled(spec({"time": {}}), "at ten") == {"time": "10:00"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("with breakfast", True),
        ("without breakfast", False),
        ("no breakfast please", False),
        ("just the room", None),
    ],
)
def test_flags_are_named_or_denied(text: str, value: bool | None) -> None:
    expected = {} if value is None else {"breakfast": value}
    assert filled(spec({"breakfast": {"type": "boolean"}}), text) == expected


def test_a_flag_that_was_asked_for_is_answered_with_yes_or_no() -> None:
    read = spec({"breakfast": {"type": "boolean"}})
    assert filled(read, Utterance("No, thanks.", asked=("breakfast",))) == {"breakfast": False}
    assert filled(read, Utterance("Yes.", asked=("breakfast",))) == {"breakfast": True}
    assert filled(read, "Yes.") == {}


def test_addresses_and_numbers_of_people() -> None:
    read = spec({"email": {"type": "string"}, "phone": {"type": "string"}})
    assert filled(read, "ada.love@example.com, or +49 (30) 123-456") == {
        "email": "ada.love@example.com",
        "phone": "+4930123456",
    }
    assert filled(read, "it is ada at example dot com") == {"email": "ada@example.com"}


def test_a_text_is_what_was_answered_or_what_the_request_was_about() -> None:
    read = spec({"note": {"type": "string"}}, ["note"])
    assert filled(read, "Add a note.") == {}
    assert filled(read, "Add a note that milk is out, please.") == {"note": "milk is out"}
    assert filled(read, Utterance("Well, it's milk.", asked=("note",))) == {"note": "milk"}


def test_what_was_said_before_fills_names_and_days_but_no_numbers() -> None:
    read = spec({"name": {}, "date": {}, "count": {"type": "integer"}}, ["count"])
    before = Utterance("My name is Ada. Tuesday, ten people.", about=False)
    assert filled(read, before) == {"name": "Ada", "date": "2026-11-24"}


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        (["date"], "On which day?"),
        (["time"], "At what time?"),
        (["name"], "What name should I book it under?"),
        (["city"], "For which city?"),
        (["guests"], "How many guests?"),
        (["kind"], "Which kind: big one or small?"),
        (["breakfast"], "Should it be breakfast?"),
        (["note"], "What is the note?"),
        (["at"], "On which day and at what time?"),
        (["date", "time"], "On which day and at what time?"),
        (["date", "time", "name", "city"], "On which day, at what time and under what name?"),
        (["guests", "kind"], "How many guests and which kind?"),
    ],
)
def test_what_is_missing_becomes_one_question(missing: list[str], asked: str) -> None:
    properties: dict[str, Any] = {
        "date": {},
        "time": {},
        "name": {},
        "city": {},
        "guests": {"type": "integer"},
        "kind": {"enum": ["big_one", "small"]},
        "breakfast": {"type": "boolean"},
        "note": {"type": "string"},
        "at": {"format": "date-time"},
    }
    read = spec(properties, missing)
    assert question(read, [each for each in read.parameters if each.required]) == asked


def test_what_is_filled_passes_the_check_of_the_tool_itself() -> None:
    @tool
    def reserve(
        day: datetime.date,
        at: datetime.time,
        guests: Annotated[int, Field(ge=1)],
        room: Literal["garden", "hall"] = "hall",
    ) -> None: ...

    read = read_tool(reserve.definition())
    assert read is not None
    said = filled(read, "Tuesday at half past two in the garden for four guests")
    assert reserve.parse(json.dumps(said)) == {
        "day": datetime.date(2026, 11, 24),
        "at": datetime.time(14, 30),
        "guests": 4,
        "room": "garden",
    }
