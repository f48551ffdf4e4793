"""Chunks as the endpoints of several vendors send them, and what they come to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import RealtimeError
from realtime_nb.local.chat import ChatLLM
from realtime_nb.local.chat_stream import ChatStream
from realtime_nb.local.llm import Call, Request, Text, Usage
from tests.local.chat_endpoint import delta, endpoint, piece, sse

BOTH = [Call("look_up", '{"day":"monday"}', "a"), Call("book", '{"hour":9}', "b")]


def chunk(vendor: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}
    return {**vendor, "object": "chat.completion.chunk", "created": 1764400000, "choices": [choice]}


def openai() -> list[dict[str, Any]]:
    """Ids and names come once; arguments in pieces; usage in a chunk without choices."""
    of = {"id": "chatcmpl-1", "model": "gpt-5", "service_tier": "default", "obfuscation": "x9"}

    def made(index: int, call_id: str, name: str) -> dict[str, Any]:
        function = {"name": name, "arguments": ""}
        return {"index": index, "id": call_id, "type": "function", "function": function}

    def more(index: int, arguments: str) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": arguments}}

    return [
        chunk(of, role="assistant", content=None, refusal=None),
        chunk(of, tool_calls=[made(0, "a", "look_up")]),
        chunk(of, tool_calls=[more(0, '{"day"')]),
        chunk(of, tool_calls=[more(0, ':"monday"}')]),
        chunk(of, tool_calls=[made(1, "b", "book")]),
        chunk(of, tool_calls=[more(1, '{"hour":')]),
        chunk(of, tool_calls=[more(1, "9}")]),
        chunk(of, finish="tool_calls"),
        {**of, "choices": [], "usage": {"total_tokens": 9}},
    ]


def ollama() -> list[dict[str, Any]]:
    """Each call is whole, in a chunk of its own, and numbered 0; the end says "stop"."""
    of = {"id": "chatcmpl-2", "model": "qwen3:4b", "system_fingerprint": "fp_ollama"}

    def made(call_id: str, name: str, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"id": call_id, "index": 0, "type": "function", "function": function}

    return [
        chunk(of, role="assistant", content="", reasoning="They want"),
        chunk(
            of, role="assistant", content="", tool_calls=[made("a", "look_up", BOTH[0].arguments)]
        ),
        chunk(of, role="assistant", content="", tool_calls=[made("b", "book", BOTH[1].arguments)]),
        chunk(of, finish="stop", role="assistant", content=""),
    ]


def vllm() -> list[dict[str, Any]]:
    """Pieces of two calls interleave; ids and names are null or "" after the first piece, and what
    it thinks comes in a field of its own."""
    of = {"id": "chatcmpl-3", "model": "Qwen/Qwen3-8B", "prompt_token_ids": None}

    def part(index: int, arguments: str | None, **more: Any) -> dict[str, Any]:
        name = more.pop("name", None)
        return {"index": index, "function": {"name": name, "arguments": arguments}, **more}

    return [
        chunk(of, role="assistant", content="", reasoning_content=None),
        chunk(of, reasoning_content="They want"),
        chunk(of, tool_calls=[part(0, None, id="a", type="function", name="look_up")]),
        chunk(of, tool_calls=[part(1, "", id="b", type="function", name="book")]),
        chunk(of, tool_calls=[part(0, '{"day":"mon', id=None, type=None)]),
        chunk(of, tool_calls=[part(1, '{"hour"', id="", name=""), part(0, 'day"}', id="")]),
        chunk(of, tool_calls=[part(1, ":9}")]),
        chunk(of, finish="tool_calls", content=None) | {"usage": None},
    ]


@pytest.mark.parametrize("vendor", [openai, ollama, vllm])
@pytest.mark.parametrize("cut", [1, 10_000])
async def test_calls_of_each_vendor_are_understood(vendor: Any, cut: int) -> None:
    async with endpoint(sse(*vendor()), cut=cut) as served:
        stream = ChatLLM(served.url, "m").reply(Request(items=[]))
        assert [part async for part in stream] == BOTH


def taken(*chunks: object) -> list[Text | Call | Usage]:
    stream = ChatStream()
    parts: list[Text | Call | Usage] = [text for chunk in chunks for text in stream.take(chunk)]
    return [*parts, *stream.rest()]


@pytest.mark.parametrize(
    "chunks",
    [
        [piece(0, '{"n":1}', name="f"), piece(0, '{"n":2}', name="f")],  # no ids, all numbered 0
        [piece(None, '{"n":1}', name="f"), piece(None, '{"n":2}', name="f")],
        [piece(None, {"n": 1}, name="f"), piece(None, {"n": 2}, name="f")],  # objects
        [piece(3, '{"n":1}', name="f"), piece(7, '{"n":2}', name="f")],
        [  # the name again with every piece
            *(piece(0, part, name="f") for part in ('{"n"', ":1}")),
            *(piece(1, part, name="f") for part in ('{"n"', ":2}")),
        ],
        [  # all again at the end
            *(piece(0, part, name=name) for part, name in (('{"n"', "f"), (":1}", None))),
            piece(0, '{"n":1}'),
            piece(1, '{"n":2}', name="f"),
        ],
    ],
)
def test_calls_are_told_apart_however_they_are_numbered(chunks: list[dict[str, Any]]) -> None:
    calls = [part for part in taken(*chunks) if isinstance(part, Call)]
    assert [call.name for call in calls] == ["f", "f"]
    assert [json.loads(call.arguments) for call in calls] == [{"n": 1}, {"n": 2}]


def test_an_id_may_come_late_and_a_name_in_pieces() -> None:
    chunks = [piece(0, "", name="look_"), piece(0, "{", name="up"), piece(0, "}", id="a")]
    assert taken(*chunks) == [Call("look_up", "{}", "a")]


def test_a_call_of_the_older_form_is_one() -> None:
    chunks = [
        delta(function_call={"name": "f", "arguments": '{"a"'}),
        delta(function_call={"arguments": ": 1}"}),
        delta("function_call"),
    ]
    assert taken(*chunks) == [Call("f", '{"a": 1}')]


def test_a_call_without_arguments_has_none() -> None:
    assert taken(piece(0, None, name="f"), piece(1, " ", name="g")) == [
        Call("f", "{}"),
        Call("g", "{}"),
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        delta(content=None),
        delta(content=3),
        delta(tool_calls=None),
        delta(tool_calls=[None]),
        delta(reasoning="Hm", reasoning_content="Hm"),
    ],
)
def test_what_says_nothing_is_nothing(nothing: dict[str, Any]) -> None:
    assert taken(nothing) == []


def test_content_may_come_as_parts() -> None:
    parts = [{"type": "text", "text": "A"}, {"type": "thinking"}, {"type": "text", "text": "b"}]
    assert taken(delta(content=parts)) == [Text("Ab")]


@pytest.mark.parametrize("error", [{"error": "x"}, {"object": "error", "message": "x"}, [], "x", 1])
def test_a_chunk_that_tells_of_an_error_is_one(error: object) -> None:
    with pytest.raises(RealtimeError, match="The chat endpoint stopped"):
        taken(error)


def test_a_call_that_was_cut_off_is_not_made() -> None:
    with pytest.raises(RealtimeError, match=r"in the middle of the call of 'f'\. Allow more"):
        taken(piece(0, '{"a": ', name="f"), delta("length"))
    assert taken(piece(0, '{"a": 1}', name="f"), delta("length")) == [Call("f", '{"a": 1}')]


def test_an_answer_that_a_filter_holds_back_is_told() -> None:
    with pytest.raises(RealtimeError, match="content filter"):
        taken(delta("content_filter"))
    assert taken(delta(content="Some"), delta("content_filter")) == [Text("Some")]


def test_calls_have_a_bound() -> None:
    with pytest.raises(RealtimeError, match="more than 128 calls"):
        taken(*(piece(n, "{}", name="f") for n in range(129)))


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("<think>They greet me.</think>\n\nHello!", "Hello!"),
        ("\n<think>\nA < b</think>Hello <think>!", "Hello <think>!"),
        ("<think></think>", ""),
        ("<think>never ending", ""),
        ("<thin", "<thin"),
        (" <b>Hello", " <b>Hello"),
        ("Hello </think>", "Hello </think>"),
        ("", ""),
    ],
)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_a_model_thinks_is_not_said(said: str, heard: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=6)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    parts = taken(*(delta(content=one) for one in pieces))
    assert "".join(part.delta for part in parts if isinstance(part, Text)) == heard


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(st.dictionaries(st.text(max_size=4), st.integers(), max_size=3), max_size=4),
    data=st.data(),
)
def test_pieces_in_any_order_of_the_calls_make_the_same_calls(
    calls: list[dict[str, int]], data: st.DataObject
) -> None:
    texts = [json.dumps(call) for call in calls]
    left = [[*text] for text in texts]
    chunks = [piece(n, "", id=f"id{n}", name=f"f{n}") for n in range(len(calls))]
    while any(left):
        n = data.draw(st.sampled_from([n for n, one in enumerate(left) if one]))
        size = data.draw(st.integers(1, len(left[n])))
        chunks.append(piece(n, "".join(left[n][:size])))
        left[n] = left[n][size:]
    assert taken(*chunks) == [Call(f"f{n}", text, f"id{n}") for n, text in enumerate(texts)]


def counted(**usage: object) -> dict[str, Any]:
    return {"choices": [], "usage": usage}


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ([counted(prompt_tokens=9, completion_tokens=4)], Usage(9, 4)),
        ([counted(prompt_tokens=9, completion_tokens=0, prompt_tokens_details=None)], Usage(9, 0)),
        ([counted(prompt_tokens=9)], Usage(9, None)),
        (  # some tell with every chunk what there was until then
            [counted(prompt_tokens=9, completion_tokens=n) for n in (1, 2, 7)],
            Usage(9, 7),
        ),
        (
            [counted(prompt_tokens=9, completion_tokens=4), {"choices": [], "usage": None}],
            Usage(9, 4),
        ),
        ([counted(prompt_tokens="9", completion_tokens=-1)], None),
        ([counted(prompt_tokens=True, completion_tokens=4.0)], None),
        ([{"choices": [], "usage": [9, 4]}], None),
        ([counted(total_tokens=13)], None),
    ],
)
def test_tokens_are_those_that_are_told(told: list[object], usage: Usage | None) -> None:
    said: list[Any] = [Text("A")]
    assert taken(delta("stop", content="A"), *told) == said + [usage] * (usage is not None)
