"""Whatever is said and declared, the rule-based agent answers."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.llm import Call, Request
from tests.local.rule_talk import SUNDAY_EVENING, Item, Talk, reply, user

PHRASES = (
    "book an appointment,Tuesday,at ten,my name is Ada,never mind,yes,the,free,cleaning,hello,"
    "what time is it,10:30,tomorrow,?,for Grace"
)
phrases = st.lists(
    st.sampled_from(PHRASES.split(",")),
    max_size=6,
).map(" ".join)


@given(st.lists(phrases, min_size=1, max_size=6))
def test_no_conversation_makes_it_fail_and_every_call_fits_the_schema(turns: list[str]) -> None:
    ran: list[dict[str, Any]] = []

    def book_appointment(
        date: str, time: str, patient_name: str, service_type: Literal["cleaning", "x"] = "x"
    ) -> str:
        """Book an appointment."""
        ran.append({"date": date, "time": time, "name": patient_name, "service": service_type})
        return "Booked."

    talk = Talk([book_appointment])
    for text in turns:
        assert talk.say(text)
    assert len(ran) == len(talk.calls)
    said = " ".join(turns)
    for call in ran:
        assert call["name"] in ("Ada", "Grace", "Ada Grace")
        assert call["time"] in ("10:00", "10:30")
        assert call["service"] == "x" or "cleaning" in said
        assert datetime.date.fromisoformat(call["date"]) > SUNDAY_EVENING.date()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "enum", "$ref", "anyOf", "properties", "required", "format"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
odd_items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "odd"]),
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": json_values,
        "name": json_values,
        "arguments": json_values,
        "output": json_values,
        "call_id": json_values,
    },
)
odd_tools = st.fixed_dictionaries(
    {"type": st.just("function"), "name": st.sampled_from(["book", "get_x"])},
    optional={"description": json_values, "parameters": json_values},
)


@given(st.lists(odd_items, max_size=5), st.lists(odd_tools, max_size=2), phrases)
def test_odd_items_and_schemas_are_taken_as_they_come(
    items: list[Item], tools: list[dict[str, Any]], text: str
) -> None:
    for asked in (items, [*items, user(text)]):
        answer = reply(Request(items=asked, tools=tools))
        assert isinstance(answer, Call) or answer.strip()
