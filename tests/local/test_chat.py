from __future__ import annotations

import asyncio
import builtins
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.chat import ChatLLM, chat_messages, chat_tools
from realtime_nb.local.llm import Call, Request, Text

KEY = "sk-very-secret"


class Endpoint:
    """An HTTP server that answers every request with the same bytes, cut as asked."""

    def __init__(self, status: str, body: bytes, cut: int) -> None:
        self.status, self.body, self.cut = status, body, cut
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.url = ""
        self.disconnected = asyncio.Event()
        self.hold_open = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.headers.append(head)
        self.requests.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {self.status}\r\nConnection: close\r\n\r\n".encode())
        for start in range(0, len(self.body), self.cut):
            writer.write(self.body[start : start + self.cut])
            await writer.drain()
            await asyncio.sleep(0)
        if self.hold_open:
            await reader.read()
            self.disconnected.set()
        writer.close()


@asynccontextmanager
async def endpoint(
    body: bytes, status: str = "200 OK", cut: int = 10_000
) -> AsyncIterator[Endpoint]:
    served = Endpoint(status, body, cut)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield served


def sse(*chunks: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join([": a comment\n\n", *lines, "data: [DONE]\n\n" if done else ""]).encode()


def delta(finish: str | None = None, **fields: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def piece(index: int | None, arguments: str, **more: object) -> dict[str, Any]:
    name = more.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    numbered = {} if index is None else {"index": index}
    return delta(tool_calls=[{**numbered, **more, "function": function}])


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def replied(llm: ChatLLM, request: Request | None = None) -> list[Text | Call]:
    return [part async for part in llm.reply(request or Request(items=[user("Hi")]))]


@pytest.mark.parametrize("cut", [1, 7, 10_000])
async def test_text_streams_however_the_bytes_are_cut(cut: int) -> None:
    body = sse(
        delta(role="assistant", content=""),
        delta(content="Grüß "),
        delta(content="dich 👋"),
        delta(finish="stop"),
        {"choices": [], "usage": {"total_tokens": 3}},
    )
    async with endpoint(body, cut=cut) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [Text("Grüß "), Text("dich 👋")]
    assert served.headers[0].startswith("POST /v1/chat/completions ")
    assert served.requests == [
        {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    ]


@pytest.mark.parametrize("cut", [1, 10_000])
async def test_calls_come_out_whole_and_in_order(cut: int) -> None:
    body = sse(
        delta(content="One moment."),
        piece(0, "", id="call_a", type="function", name="check"),
        piece(0, '{"da'),
        piece(0, 'te": "2026-11-24"}'),
        piece(1, "", id="call_b", type="function", name="now"),
        delta(finish="tool_calls"),
    )
    async with endpoint(body, cut=cut) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [
            Text("One moment."),
            Call("check", '{"date": "2026-11-24"}', "call_a"),
            Call("now", "{}", "call_b"),
        ]


@pytest.mark.parametrize("index", [0, None])
async def test_calls_that_share_a_number_are_told_apart_by_their_ids(index: int | None) -> None:
    body = sse(
        piece(index, '{"n": 1}', id="a", name="f"),
        piece(index, '{"n": 2}', id="b", name="f"),
        delta(finish="tool_calls"),
        done=False,
    )
    async with endpoint(body) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [
            Call("f", '{"n": 1}', "a"),
            Call("f", '{"n": 2}', "b"),
        ]


async def test_the_request_carries_everything_that_was_set() -> None:
    tool = {"type": "function", "name": "f", "description": "D", "parameters": {"type": "object"}}
    request = Request(
        items=[user("Hi")],
        instructions="Be short.",
        tools=[tool, {"type": "mcp", "server_label": "x"}],
        tool_choice={"type": "function", "name": "f"},
        max_output_tokens=50,
    )
    async with endpoint(sse(delta(finish="stop"))) as served:
        assert await replied(ChatLLM(served.url + "/", "tiny", api_key=KEY), request) == []
    sent = served.requests[0]
    assert sent["messages"][0] == {"role": "system", "content": "Be short."}
    assert sent["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "D", "parameters": {"type": "object"}},
        }
    ]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert sent["max_tokens"] == 50
    assert f"Authorization: Bearer {KEY}".lower() in served.headers[0].lower()


@pytest.mark.parametrize("choice", ["none", "required"])
async def test_a_tool_choice_in_a_word_is_passed_on(choice: str) -> None:
    request = Request(items=[], tools=[{"type": "function", "name": "f"}], tool_choice=choice)
    async with endpoint(sse(delta(finish="stop"))) as served:
        await replied(ChatLLM(served.url, "tiny"), request)
    assert served.requests[0]["tool_choice"] == choice


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (json.dumps({"error": {"message": f"No such key {KEY}"}}), "No such key …."),
        (json.dumps({"error": "model not found"}), "model not found."),
        (json.dumps({"detail": "odd"}), "odd"),
        ("<html>gone</html>", "<html>gone</html>."),
    ],
)
async def test_a_refusal_tells_the_status_and_the_reason_but_not_the_key(
    body: str, words: str
) -> None:
    async with endpoint(body.encode(), status="401 Unauthorized") as served:
        with pytest.raises(RealtimeError) as caught:
            await replied(ChatLLM(served.url, "tiny", api_key=KEY))
    assert "answered 401" in str(caught.value)
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (sse(delta(content="Half"), done=False), "broke off"),
        (sse({"error": {"message": "overloaded"}}), "overloaded"),
        (b"data: {nonsense\n\n", "no JSON"),
        (b"", "broke off"),
    ],
)
async def test_a_stream_that_breaks_is_an_error(body: bytes, words: str) -> None:
    async with endpoint(body) as served:
        with pytest.raises(RealtimeError, match=words):
            await replied(ChatLLM(served.url, "tiny"))


async def test_an_endpoint_that_is_not_there_is_an_error() -> None:
    async with endpoint(b"") as served:
        pass
    with pytest.raises(RealtimeError, match="Is the model server running"):
        await replied(ChatLLM(served.url, "tiny"))


async def test_closing_the_stream_ends_the_request() -> None:
    async with endpoint(sse(delta(content="A"), done=False)) as served:
        served.hold_open = True
        stream = ChatLLM(served.url, "tiny").reply(Request(items=[]))
        assert await anext(stream) == Text("A")
        await stream.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await served.disconnected.wait()


def test_the_key_is_never_shown() -> None:
    llm = ChatLLM("https://example.com/v1", "tiny", api_key=KEY)
    assert repr(llm) == "ChatLLM('https://example.com/v1', 'tiny')"
    assert llm.name == "tiny"


def test_an_address_must_be_one_of_http() -> None:
    with pytest.raises(ConfigurationError, match="http://"):
        ChatLLM("localhost:11434/v1", "tiny")


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def without_httpx(name: str, *args: Any) -> Any:
        if name == "httpx":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_httpx)
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[chat\]"):
        ChatLLM("http://localhost/v1", "tiny")


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


async def test_no_error_carries_the_key() -> None:
    streamed = json.dumps({"error": {"message": f"Incorrect key {KEY}"}})
    bodies = {
        "200 OK": [f"data: {streamed}\n\n".encode(), f"data: no json {KEY}\n\n".encode()],
        "401 Unauthorized": [f"{'x' * 290}{KEY}".encode()],
    }
    errors: list[BaseException] = []
    for status, answers in bodies.items():
        for body in answers:
            async with endpoint(body, status) as served:
                errors.append(await refusal(ChatLLM(served.url, "m", KEY)))
    errors.append(await refusal(ChatLLM("http://127.0.0.1:9", "m", KEY)))
    for error in errors:
        chain: list[BaseException | None] = [error]
        while chain:
            one = chain.pop()
            if one is not None:
                assert "sk-very" not in f"{one}{one!r}{vars(one)}"
                request = getattr(one, "_request", None)
                assert request is None or KEY not in str(dict(request.headers))
                chain += [one.__cause__, one.__context__]


async def refusal(llm: ChatLLM) -> RealtimeError:
    with pytest.raises(RealtimeError) as raised:
        async for _ in llm.reply(Request(items=[])):
            pass
    return raised.value


@pytest.mark.parametrize("key", [f"{KEY}\nX: 1", f"{KEY}\x00", f"{KEY}é"])
def test_a_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="line break") as raised:
        ChatLLM("http://127.0.0.1:9", "m", key)
    assert KEY not in str(raised.value)


def test_space_around_a_key_is_no_part_of_it() -> None:
    llm = ChatLLM("http://127.0.0.1:9", "m", f" {KEY}\n")
    assert llm._http_request(Request(items=[]))["headers"] == {"Authorization": f"Bearer {KEY}"}
