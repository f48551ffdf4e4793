"""A chat endpoint that is none of ours: llama.cpp's own HTTP server, with a small model."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.errors import RealtimeError
from realtime_nb.local.chat import ChatLLM
from realtime_nb.local.llm import Call, Request, Text, Usage
from tests.local.llama_here import LONG_STORY, needs_llama, user, weights

KEY = "sk-local-test-key-1234"

pytestmark = needs_llama


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.port, params.api_keys = str(weights()), 0, [KEY]
    params.n_ctx, params.n_parallel, params.verbosity = 512, 1, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = params.n_threads_http = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = True
    params.hostnames = ["127.0.0.1"]
    yield xllamacpp.Server(params)


def llm(server: Any, key: str | None = KEY, path: str = "/v1", **options: Any) -> ChatLLM:
    return ChatLLM(f"{server.listening_address}{path}", "smollm2", key, options=options)


def busy(server: Any) -> bool:
    found = re.search(r"^llamacpp:requests_processing (\d+)", server.handle_metrics(), re.M)
    assert found
    return int(found[1]) > 0


async def said(chat: ChatLLM, request: Request) -> list[Text | Call | Usage]:
    return [part async for part in chat.reply(request)]


async def test_its_answers_stream(server: Any) -> None:
    request = Request(items=[user("Hello!")], max_output_tokens=12)
    parts = await said(llm(server, ignore_eos=True, temperature=0), request)
    assert len(parts) >= 6
    *texts, usage = parts
    assert all(isinstance(part, Text) for part in texts)
    assert isinstance(usage, Usage) and usage.output_tokens == 12


async def test_closing_the_stream_stops_it(server: Any) -> None:
    stream: Any = llm(server, ignore_eos=True).reply(Request(items=[user(LONG_STORY)]))
    assert isinstance(await anext(stream), Text)
    assert busy(server)
    began = time.process_time()
    await stream.aclose()
    async with asyncio.timeout(20):
        while busy(server):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
    assert (time.process_time() - began) * 1000 < 200  # once it can't send its next piece


@pytest.mark.parametrize(
    ("key", "words"), [(None, "Give it an api_key"), ("wrong-key", "Check api")]
)
async def test_a_missing_or_wrong_key_is_told(server: Any, key: str | None, words: str) -> None:
    with pytest.raises(RealtimeError, match=f"answered 401: .*{words}") as caught:
        await said(llm(server, key), Request(items=[user("Hi")]))
    assert "wrong-key" not in str(caught.value)


async def test_a_wrong_path_is_told(server: Any) -> None:
    with pytest.raises(RealtimeError, match=r"answered 404: .*mostly ends in /v1"):
        await said(llm(server, path="/v9"), Request(items=[user("Hi")]))


async def test_a_conversation_that_it_cannot_read_is_told(server: Any) -> None:
    with pytest.raises(RealtimeError, match=r"answered 400: .*exceeds the available context size"):
        await said(llm(server), Request(items=[user(LONG_STORY * 60)]))
