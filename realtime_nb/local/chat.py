"""A language model behind any OpenAI-compatible ``/chat/completions`` endpoint.

Ollama, llama.cpp, vLLM, LM Studio and the hosted services all have one::

    rt.serve(llm=ChatLLM("http://localhost:11434/v1", "qwen3:4b"))
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.llm import Call, Request, Text

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatLLM", "chat_messages", "chat_tools"]

LONGEST_COMPLAINT = 300
_UNANSWERED = json.dumps({"error": "There is no result: the call was not finished."})


class ChatLLM:
    """Streams answers and function calls from a chat-completions endpoint.

    Args:
        base_url: Up to and including the version: ``https://api.openai.com/v1``.
        model: The model's name there.
        api_key: Sent as a bearer token; never shown.
        timeout_s: How long the endpoint may be silent before the reply fails.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: ``base_url`` is no http(s) address.
    """

    def __init__(
        self, base_url: str, model: str, api_key: str | None = None, timeout_s: float = 60.0
    ) -> None:
        try:
            import httpx  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("httpx", "chat") from error
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"base_url must start with http:// or https://, not {base_url!r}."
            )
        self.name = model
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.timeout_s = timeout_s
        self._api_key = _usable_key(api_key)
        self._shown_url = re.sub(r"//[^/@]*@", "//", self.base_url)
        # Reading the system's certificates is slow: once, not with every reply.
        secure = base_url.startswith("https://")
        self._certificates = ssl.create_default_context() if secure else None

    def __repr__(self) -> str:
        return f"ChatLLM({self._shown_url!r}, {self.model!r})"

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the answer; a function call comes out when its arguments are whole.

        Raises:
            RealtimeError: The endpoint can't be reached, refuses, or breaks off.
        """
        import httpx

        client = httpx.AsyncClient(
            timeout=self.timeout_s, verify=self._certificates if self._certificates else False
        )
        try:
            async with client, client.stream(**self._http_request(request)) as response:
                await self._refuse_errors(response)
                lines = (self._without_key(line) async for line in response.aiter_lines())
                async with aclosing(_parts(lines)) as parts:
                    async for part in parts:
                        yield part
            return
        except httpx.HTTPError as error:
            problem = self._without_key(str(error)) or type(error).__name__
        # Here, where it doesn't carry the request along, whose headers have the key.
        raise RealtimeError(
            f"No answer from {self._shown_url} ({problem}). Is the model server running?"
        )

    def _http_request(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": chat_messages(request.items, request.instructions),
            "stream": True,
        }
        if tools := chat_tools(request.tools):
            body["tools"] = tools
            if request.tool_choice != "auto":
                body["tool_choice"] = _chat_tool_choice(request.tool_choice)
        if isinstance(request.max_output_tokens, int):
            body["max_tokens"] = request.max_output_tokens
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        return {
            "method": "POST",
            "url": f"{self.base_url}/chat/completions",
            "json": body,
            "headers": headers,
        }

    async def _refuse_errors(self, response: httpx.Response) -> None:
        if response.status_code == 200:
            return
        text = (await response.aread()).decode(errors="replace")
        raise RealtimeError(
            f"{self._shown_url} answered {response.status_code}: "
            f"{_complaint(self._without_key(text))} Check base_url, model and api_key."
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "…") if self._api_key else text


def _usable_key(key: str | None) -> str | None:
    """Returns a key without space around it, which is of the file that it was read from.

    Raises:
        ConfigurationError: it can't be sent. Nothing of it is told.
    """
    key = None if key is None else key.strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "api_key holds a line break or another character that no key has. Copy it again; of a "
            "file, take one line only."
        )
    return key


# ---- from the protocol's items to chat messages --------------------------------------------------


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


# ---- from the stream to texts and calls ----------------------------------------------------------


@dataclass
class _OpenCall:
    index: object
    call_id: str | None = None
    name: str = ""
    arguments: str = ""

    def finished(self) -> Call:
        return Call(self.name, self.arguments or "{}", self.call_id)


async def _parts(lines: AsyncIterator[str]) -> AsyncGenerator[Text | Call, None]:
    """Yields texts and finished calls from the lines of a server-sent event stream."""
    call: _OpenCall | None = None
    ended = False
    async for line in lines:
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == "[DONE]":
            ended = True
            break
        for choice in _choices(data) if data else ():
            ended = ended or bool(choice.get("finish_reason"))
            delta = choice.get("delta") or {}
            if delta.get("content"):
                yield Text(str(delta["content"]))
            for piece in delta.get("tool_calls") or ():
                if call and _begins_another(piece, call):
                    yield call.finished()
                    call = None
                call = call or _OpenCall(piece.get("index"))
                _extend(call, piece)
    if not ended:
        raise RealtimeError("The chat endpoint broke off in the middle of its answer. Try again.")
    if call:
        yield call.finished()


def _choices(data: str) -> Iterator[dict[str, Any]]:
    try:
        chunk = json.loads(data)
    except ValueError:
        raise RealtimeError(f"The chat endpoint sent no JSON: {data[:80]!r}.") from None
    if not isinstance(chunk, dict) or chunk.get("error"):
        raise RealtimeError(f"The chat endpoint stopped: {_complaint(data)}")
    yield from chunk.get("choices") or ()


def _begins_another(piece: Mapping[str, Any], call: _OpenCall) -> bool:
    if piece.get("index") != call.index:
        return True
    # Some servers number every call 0; then only the id tells them apart.
    return bool(piece.get("id") and call.call_id and piece["id"] != call.call_id)


def _extend(call: _OpenCall, piece: Mapping[str, Any]) -> None:
    function = piece.get("function") or {}
    call.call_id = call.call_id or piece.get("id")
    call.name += function.get("name") or ""
    call.arguments += function.get("arguments") or ""


def _complaint(text: str) -> str:
    """Returns the message of an error body, whatever its form."""
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    said = " ".join(str(message).split())[:LONGEST_COMPLAINT]
    return said if said.endswith(".") else f"{said}."
