"""From the protocol's items and tools to the body of a chat-completions request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import Request

__all__ = ["COUNTED", "chat_body", "chat_messages", "chat_tools", "checked_options"]

COUNTED: dict[str, Any] = {"stream_options": {"include_usage": True}}
"""What a request says besides, to be told how many tokens there were."""

_UNANSWERED = json.dumps({"error": "There is no result: the call was not finished."})
_OURS = frozenset({"model", "messages", "stream", "tools", "tool_choice"})


def checked_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns further fields of a request's body.

    Raises:
        ConfigurationError: they are no mapping, can't be JSON, or are what a request itself says.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise ConfigurationError(
            f"options is {options!r}; give a dict of request fields, "
            "such as {'temperature': 0.7}."
        )
    if taken := sorted(_OURS & set(options)):
        raise ConfigurationError(
            f"options holds {', '.join(taken)}, which each response sets itself; leave it out."
        )
    try:
        json.dumps(dict(options))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"options can't be sent as JSON: {error}.") from None
    return dict(options)


def chat_body(request: Request) -> dict[str, Any]:
    """Returns what a streamed request says, but for the model's name and options."""
    body: dict[str, Any] = {
        "messages": chat_messages(request.items, request.instructions),
        "stream": True,
    }
    if tools := chat_tools(request.tools):
        body["tools"] = tools
        if request.tool_choice != "auto":
            body["tool_choice"] = _chat_tool_choice(request.tool_choice)
    if isinstance(request.max_output_tokens, int):
        body["max_tokens"] = request.max_output_tokens
    return body


def chat_messages(items: Sequence[Mapping[str, Any]], instructions: str) -> list[dict[str, Any]]:
    """Returns conversation items as chat messages.

    A chat endpoint wants every function call answered right behind it: results are moved there,
    and a call without one (the user spoke meanwhile) is answered with an error.
    """
    outputs = {
        item.get("call_id"): str(item.get("output", ""))
        for item in items
        if item.get("type") == "function_call_output"
    }
    messages: list[dict[str, Any]] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    calls: list[Mapping[str, Any]] = []
    for item in items:
        if item.get("type") == "function_call":
            calls.append(item)
            continue
        messages += _answered(calls, outputs)
        calls = []
        if item.get("type") != "function_call_output" and (content := _content(item)):
            messages.append({"role": str(item.get("role", "user")), "content": content})
    return messages + _answered(calls, outputs)


def _answered(
    calls: Sequence[Mapping[str, Any]], outputs: Mapping[Any, str]
) -> list[dict[str, Any]]:
    """Returns function calls that were made together, and their results."""
    if not calls:
        return []
    made = [
        {
            "id": call.get("call_id"),
            "type": "function",
            "function": {"name": call.get("name"), "arguments": call.get("arguments") or "{}"},
        }
        for call in calls
    ]
    results = [
        {
            "role": "tool",
            "tool_call_id": call.get("call_id"),
            "content": outputs.get(call.get("call_id"), _UNANSWERED),
        }
        for call in calls
    ]
    return [{"role": "assistant", "content": None, "tool_calls": made}, *results]


def _content(item: Mapping[str, Any]) -> str | list[dict[str, Any]]:
    """Returns what a message says; a list only if it holds pictures."""
    parts = [part for part in item.get("content") or () if isinstance(part, Mapping)]
    said = [str(part.get("text") or part.get("transcript") or "") for part in parts]
    text = "\n".join(filter(None, said))
    pictures = [
        {"type": "image_url", "image_url": {"url": part.get("image_url")}}
        for part in parts
        if part.get("type") == "input_image"
    ]
    if not pictures:
        return text
    return [*([{"type": "text", "text": text}] if text else []), *pictures]


def chat_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns flat function definitions in the nested form of chat endpoints; other tools are left
    out."""
    keys = ("name", "description", "parameters")
    return [
        {"type": "function", "function": {key: tool[key] for key in keys if key in tool}}
        for tool in tools
        if tool.get("type") == "function"
    ]


def _chat_tool_choice(choice: str | Mapping[str, Any]) -> str | dict[str, Any]:
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice.get("name")}}
