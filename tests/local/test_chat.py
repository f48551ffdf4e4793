from __future__ import annotations

import asyncio
import builtins
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.chat import ChatLLM
from realtime_nb.local.llm import Call, Request, Text, Usage
from tests.local.chat_endpoint import delta, endpoint, piece, sse

KEY = "sk-very-secret"


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def replied(llm: ChatLLM, request: Request | None = None) -> list[Text | Call | Usage]:
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
    asked = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    assert served.requests == [{**asked, "stream_options": {"include_usage": True}}]


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
        ("<html>gone</html>", "It sent a web page."),
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
    assert llm._service.headers() == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (
            "401 No",
            '{"error": {"message": "Bad key"}}',
            (),
            "401: Bad key. Check api_key.",
        ),
        (
            "404 Not Found",
            '{"error": {"message": "model \'tiny\' not found, try pulling it first"}}',
            (),
            "try pulling it first. Check model: is 'tiny' there? GET http://127.0.0.1",
        ),
        ("404 Not Found", "404 page not found", (), "base_url: it mostly ends in /v1"),
        ("404 Not Found", "<!DOCTYPE html><p>model", (), "base_url: it mostly ends in /v1"),
        ("429 Slow", '{"message": "slow"}', ("Retry-After: 7",), "slow. Too much.* again in 7 s"),
        (
            "429 Slow",
            "",
            ("Retry-After: Mon, 30 Nov 2026 10:00:00 GMT",),
            "after Mon, 30 Nov",
        ),
        ("429 Slow", "", (), "no reason given. Too much.* again later"),
        ("500 Oh", "<html>oops</html>", (), "500: It sent a web page. That is its own fault"),
        ("503 Busy", '{"detail": [{"message": "loading model"}]}', (), "503: .*its own fault"),
        ("301 There", "", ("Location: https://b.example/v1",), "points to https://b.example/v1"),
        ("400 Bad", '[{"error": {"message": "odd"}}]', (), "400.*Check base_url"),
    ],
)
async def test_what_refuses_is_told_with_what_to_do(
    status: str, body: str, headers: tuple[str, ...], words: str
) -> None:
    async with endpoint(body.encode(), status, headers=headers) as served:
        error = await refusal(ChatLLM(served.url, "tiny", KEY))
    assert re.search(words.replace("?", r"\?"), str(error)), str(error)
    assert "{" not in str(error).replace("[{", "") or status.startswith(("400", "503"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><html>Log in</html>", "a web page, not with a chat completion"),
        (b"\n\n<html>\n<body>Log in", "a web page, not with a chat completion"),
        (b'{"object": "error", "message": "no memory"}', "no memory"),
        (b"data: [1, 2]\n\n", "stopped: "),
        (b'{"models": []}', "broke off"),
        (b"Welcome!", "sent no JSON: 'Welcome!'"),
    ],
)
async def test_an_answer_that_is_none_is_told(body: bytes, words: str) -> None:
    async with endpoint(body) as served:
        assert words in str(await refusal(ChatLLM(served.url, "tiny")))


async def test_an_endpoint_that_does_not_stream_is_understood() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hello.", "tool_calls": [call]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    async with endpoint(json.dumps(body, indent=1).encode(), cut=5) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [Text("Hello."), Call("f", "{}", "a")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_only_line_feeds_end_lines(end: str) -> None:
    said = "One\u2028two\x85three\x0bfour"
    body = sse(delta(content=said), delta(finish="stop")).decode().replace("\n", end).encode()
    assert "\u2028".encode() in body
    async with endpoint(body, cut=3) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [Text(said)]


async def test_events_without_a_space_and_with_other_fields_are_events() -> None:
    body = b"event: message\nid: 4\nretry: 10\n" + sse(delta("stop", content="A")).replace(
        b"data: ", b"data:"
    )
    async with endpoint(body) as served:
        assert await replied(ChatLLM(served.url, "tiny")) == [Text("A")]


async def test_an_endpoint_that_is_silent_is_given_up() -> None:
    async with endpoint(sse(delta(content="A"), done=False)) as served:
        served.hold_open = True
        error = await refusal(ChatLLM(served.url, "tiny", timeout_s=0.2))
    assert "gave nothing for 0.2 s" in str(error)


async def test_the_limit_of_tokens_goes_by_its_newer_name_where_that_is_wanted() -> None:
    odd = b'{"error": {"message": "Use \'max_completion_tokens\' instead."}}'
    answer = sse(delta("stop", content="A"))
    request = Request(items=[], max_output_tokens=9)
    async with endpoint(answer, first=[("400 Bad Request", odd)]) as served:
        llm = ChatLLM(served.url, "tiny", options={"temperature": 0})
        assert await replied(llm, request) == [Text("A")]
        assert await replied(llm, request) == [Text("A")]
    limits = [{key: r[key] for key in r if "tokens" in key} for r in served.requests]
    assert limits == [
        {"max_tokens": 9},
        {"max_completion_tokens": 9},
        {"max_completion_tokens": 9},
    ]
    assert served.requests[0]["temperature"] == 0


USAGE = {
    "prompt_tokens": 70,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 64},
}


async def test_its_tokens_are_the_last_word() -> None:
    usage = {"choices": [], "usage": USAGE}
    async with endpoint(sse(delta(content="A"), delta("stop"), usage)) as served:
        parts = await replied(ChatLLM(served.url, "tiny"))
    assert parts == [Text("A"), Usage(70, 3, 64)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("400 Bad", b"Unrecognized request argument supplied: stream_options"),
        ("422 No", b'{"detail": [{"loc": ["body", "stream_options"], "msg": "extra forbidden"}]}'),
    ],
)
async def test_an_endpoint_that_does_not_count_is_not_asked_to(status: str, body: bytes) -> None:
    answer = sse(delta("stop", content="A"))
    limit = ("400 Bad", b"Use 'max_completion_tokens' instead.")
    request = Request(items=[], max_output_tokens=9)
    async with endpoint(answer, first=[(status, body), limit]) as served:
        llm = ChatLLM(served.url, "tiny")
        assert await replied(llm, request) == [Text("A")]
        assert await replied(llm, request) == [Text("A")]
    asked = ["stream_options" in request for request in served.requests]
    assert asked == [True, False, False, False]
    assert "max_completion_tokens" in served.requests[-1]


async def test_a_refusal_of_what_was_not_asked_is_told_at_once() -> None:
    async with endpoint(b"stream_options: what for?", "400 Bad") as served:
        await refusal(ChatLLM(served.url, "tiny", options={"stream_options": {"x": 1}}))
    assert [request["stream_options"] for request in served.requests] == [{"x": 1}]


async def test_a_refusal_of_both_names_is_told() -> None:
    odd = b'{"error": {"message": "Use \'max_completion_tokens\' instead."}}'
    async with endpoint(odd, "400 Bad Request") as served:
        await refusal(ChatLLM(served.url, "tiny"))
    assert len(served.requests) == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"base_url": None}, "base_url must start with http"),
        ({"base_url": ""}, "base_url must start with http"),
        ({"base_url": "http://"}, "base_url must start with http"),
        ({"base_url": "http://a/v1?api-version=1"}, "query"),
        ({"base_url": "http://a b/v1"}, "space"),
        ({"model": ""}, "model is ''"),
        ({"model": None}, "model is None"),
        ({"api_key": 5}, "api_key is a int"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"timeout_s": "9"}, "timeout_s is '9'"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"timeout_s": True}, "timeout_s is True"),
        ({"options": {"stream": False}}, "options holds stream"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(values: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"base_url": "http://localhost/v1", "model": "tiny"}
    with pytest.raises(ConfigurationError, match=words):
        ChatLLM(**{**given, **values})


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_whole_address_will_do_as_well(end: str) -> None:
    assert ChatLLM(f" http://localhost/v1{end}", "tiny").base_url == "http://localhost/v1"


async def test_a_word_that_stands_for_a_key_is_not_taken_out() -> None:
    body = json.dumps({"error": "ollama is busy"}).encode()
    async with endpoint(body, "503 Busy") as served:
        assert "lm is busy" not in str(await refusal(ChatLLM(served.url, "tiny", "olla")))
        assert "ollama is busy" in str(await refusal(ChatLLM(served.url, "tiny", "olla")))
