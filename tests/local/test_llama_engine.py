"""A model in this process: shared, asked by several at a time, stopped and ended."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.errors import RealtimeError
from realtime_nb.local import llama_engine
from realtime_nb.local.llama_engine import LlamaEngine, LlamaSettings, shared_engine
from tests.local.llama_here import LONG_STORY, needs_llama, weights
from tests.local.raw_client import become_true


class FakeServer:
    """Answers with chunks when it is let; keeps who is being answered."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked: list[dict[str, Any]] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Any) -> None:
        with self._lock:
            self.asked.append(body)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        on_chunk({"of": body["n"], "piece": 0})
        assert self.go_on.wait(20)
        stopped = on_chunk({"of": body["n"], "piece": 1})
        with self._lock:
            self.at_once -= 1
        if not stopped:
            on_chunk({"of": body["n"], "piece": 2})


def settings(**more: Any) -> LlamaSettings:
    values = {"context_tokens": 512, "slots": 2, "threads": 1, "batch_tokens": 8, **more}
    return LlamaSettings(**{"path": Path("/nowhere/model.gguf"), **values})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(llama_engine, "_started", lambda settings: fake)
    return fake


async def answer(engine: LlamaEngine, n: int) -> list[int]:
    async with aclosing(engine.ask({"n": n})) as chunks:
        return [chunk["piece"] async for chunk in chunks]


async def test_more_questions_than_slots_wait_in_line(server: FakeServer) -> None:
    engine = LlamaEngine(settings())
    asked = [asyncio.create_task(answer(engine, n)) for n in range(5)]
    await become_true(lambda: len(server.asked) == 2)
    assert engine.running == 2
    server.go_on.set()
    assert await asyncio.gather(*asked) == [[0, 1, 2]] * 5
    assert [body["n"] for body in server.asked][2:] == [2, 3, 4]  # in the order they came in
    assert server.most_at_once == 2
    await become_true(lambda: engine.running == 0)


async def test_who_gives_up_in_line_is_never_asked_for(server: FakeServer) -> None:
    engine = LlamaEngine(settings(slots=1))
    first = asyncio.create_task(answer(engine, 0))
    await become_true(lambda: engine.running == 1)
    second, third = (asyncio.create_task(answer(engine, n)) for n in (1, 2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    server.go_on.set()
    assert await first == await third == [0, 1, 2]
    assert [body["n"] for body in server.asked] == [0, 2]


async def test_a_closed_question_stops_at_the_next_chunk(server: FakeServer) -> None:
    engine = LlamaEngine(settings())
    chunks = engine.ask({"n": 0})
    assert await anext(chunks) == {"of": 0, "piece": 0}
    await chunks.aclose()
    server.go_on.set()
    await become_true(lambda: engine.running == 0)
    assert server.asked[0]["return_progress"] is True


def test_a_loop_that_is_over_stops_the_model(server: FakeServer) -> None:
    engine = LlamaEngine(settings())

    async def leave() -> None:
        await anext(engine.ask({"n": 0}))

    asyncio.run(leave())
    server.go_on.set()
    asyncio.run(become_true(lambda: engine.running == 0))


async def test_several_loops_ask_one_model(server: FakeServer) -> None:
    engine = LlamaEngine(settings())
    server.go_on.set()
    others = [asyncio.to_thread(asyncio.run, answer(engine, n)) for n in range(4)]
    assert await asyncio.gather(answer(engine, 9), *others) == [[0, 1, 2]] * 5


async def test_a_model_is_loaded_once_and_its_failure_is_told_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[LlamaSettings] = []

    def fail(given: LlamaSettings) -> Any:
        tried.append(given)
        raise RealtimeError("It is broken.")

    monkeypatch.setattr(llama_engine, "_started", fail)
    engine = LlamaEngine(settings())
    for _ in range(2):
        with pytest.raises(RealtimeError, match=r"It is broken\."):
            await answer(engine, 0)
    assert (len(tried), engine.loaded) == (2, False)
    fake = FakeServer()
    fake.go_on.set()

    def begin(given: LlamaSettings) -> Any:
        tried.append(given)
        return fake

    monkeypatch.setattr(llama_engine, "_started", begin)
    assert await asyncio.gather(*(answer(engine, n) for n in range(3))) == [[0, 1, 2]] * 3
    assert (len(tried), engine.loaded) == (3, True)


def test_engines_of_the_same_settings_are_one_as_long_as_somebody_has_it() -> None:
    one, other = shared_engine(settings()), shared_engine(settings())
    assert one is other
    assert shared_engine(settings(slots=3)) is not one
    known = id(one)
    del one, other
    gc.collect()
    assert [e for e in llama_engine._ENGINES.values() if id(e) == known] == []


async def test_ending_stops_what_runs_and_takes_nothing_more(server: FakeServer) -> None:
    engine = LlamaEngine(settings(slots=1))
    first = asyncio.create_task(answer(engine, 0))
    second = asyncio.create_task(answer(engine, 1))
    await become_true(lambda: len(server.asked) == 1)
    engine.end()
    server.go_on.set()
    assert (await first, await second) == ([0, 1], [])


@needs_llama
async def test_a_file_that_llama_cannot_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(weights().read_bytes()[:1_000_000])
    with pytest.raises(RealtimeError, match=r"can't load .*model\.gguf.*whole GGUF file"):
        LlamaEngine(settings(path=path)).load()


@needs_llama
def test_a_process_ends_in_mid_answer() -> None:
    program = f"""
import asyncio
from realtime_nb.local.llama import LlamaLLM
from realtime_nb.local.llm import Request
words = [{{"type": "input_text", "text": {LONG_STORY!r}}}]
request = Request(items=[{{"type": "message", "role": "user", "content": words}}])
llm = LlamaLLM({str(weights())!r}, context_tokens=512, threads=1, options={{"ignore_eos": True}})
kept = []
async def main():
    stream = llm.reply(request)
    kept.append(stream)
    await anext(stream)
    print("answered", llm.engine.running, flush=True)
    import os, sys
    sys.exit(3)
asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (3, "answered 1\n"), ended.stderr
    assert ended.stderr == ""
