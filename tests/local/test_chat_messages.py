from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.local.chat_messages import chat_body, chat_messages, chat_tools, checked_options
from realtime_nb.local.llm import Request


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def call(call_id: str, name: str = "f") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": '{"a": 1}'}


def output(call_id: str, text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_items_become_messages() -> None:
    spoken = [{"type": "input_audio", "transcript": "Hello there"}]
    answered = [{"type": "output_audio", "transcript": "Hi."}]
    items = [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "S"}]},
        {"type": "message", "role": "user", "content": spoken},
        {"type": "message", "role": "assistant", "content": answered},
        {"type": "message", "role": "user", "content": [{"type": "input_audio"}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA"},
            ],
        },
    ]
    assert chat_messages(items, "I") == [
        {"role": "system", "content": "I"},
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Hello there"},
        {"role": "assistant", "content": "Hi."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        },
    ]


def test_results_stand_right_behind_their_calls_and_none_is_missing() -> None:
    items = [call("a"), call("b"), user("Wait"), output("a", "1"), call("c"), output("c", "3")]
    messages = chat_messages(items, "")
    assert [message["role"] for message in messages] == [
        *("assistant", "tool", "tool"),
        "user",
        *("assistant", "tool"),
    ]
    assert [each["id"] for each in messages[0]["tool_calls"]] == ["a", "b"]
    assert messages[0]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert [messages[1]["tool_call_id"], messages[1]["content"]] == ["a", "1"]
    assert "no result" in messages[2]["content"]
    assert messages[5] == {"role": "tool", "tool_call_id": "c", "content": "3"}


def test_a_result_without_its_call_is_left_out() -> None:
    assert chat_messages([output("x", "1")], "") == []


def test_tools_without_description_or_parameters_are_fine() -> None:
    assert chat_tools([{"type": "function", "name": "f"}]) == [
        {"type": "function", "function": {"name": "f"}}
    ]


def test_a_body_says_only_what_the_request_asks_for() -> None:
    assert chat_body(Request(items=[user("Hi")], tool_choice="required")) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }
    assert chat_body(Request(items=[], max_output_tokens=7))["max_tokens"] == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"messages": []}, "messages"),
        ({"tools": [], "stream": False}, "stream, tools"),
        (["temperature"], "dict of request fields"),
        ({1: 2}, "dict of request fields"),
        ({"seed": {1, 2}}, "JSON"),
    ],
)
def test_options_that_no_request_can_carry_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        checked_options(options)


def test_options_are_copied() -> None:
    given = {"temperature": 0.5}
    taken = checked_options(given)
    given["temperature"] = 9
    assert taken == {"temperature": 0.5}
    assert checked_options(None) == {}
