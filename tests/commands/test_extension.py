"""``asyncio.run`` in a cell, and what must not change by it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import nbformat
import pytest
from nbclient import NotebookClient

import realtime_nb as rt
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.commands.extension import allow_nested_run
from realtime_nb.errors import ConfigurationError, MissingExtraError


@pytest.fixture(autouse=True)
def asyncio_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "run", asyncio.run)


@pytest.fixture
def io() -> Iterator[IoThread]:
    thread = IoThread("test-io")
    yield thread
    thread.stop()


async def slept() -> int:
    async with asyncio.timeout(5):
        await asyncio.gather(asyncio.sleep(0.01), asyncio.to_thread(lambda: None))
    return 7


async def nested() -> int:
    return asyncio.run(slept()) + asyncio.run(slept())


async def failing() -> None:
    await asyncio.sleep(0)
    raise LookupError("mine")


async def test_run_runs_where_a_loop_runs_and_twice() -> None:
    with pytest.raises(RuntimeError, match="running event loop"):
        asyncio.run(pending := slept())
    pending.close()
    for _ in range(2):
        rt.load_ipython_extension(None)
        task = asyncio.current_task()
        assert (asyncio.run(slept()), asyncio.run(nested())) == (7, 14)
        assert asyncio.get_running_loop().run_until_complete(slept()) == 7
        assert asyncio.current_task() is task
        with pytest.raises(LookupError, match="mine"):
            asyncio.run(failing())
    assert await slept() == 7


async def test_tasks_of_the_loop_go_on_during_a_nested_run() -> None:
    allow_nested_run()
    ticks: list[object] = []

    async def tick() -> None:
        while len(ticks) < 5:
            ticks.append(asyncio.get_running_loop())
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    asyncio.run(slept())
    assert len(ticks) == 5
    await ticking


async def test_loops_of_other_threads_are_left_alone(io: IoThread) -> None:
    before = (asyncio.Task, asyncio.Future, asyncio.get_event_loop)
    kind = type(io.loop)
    methods = dict(vars(asyncio.BaseEventLoop))
    original = asyncio.run
    allow_nested_run()
    asyncio.run(slept())

    assert (asyncio.Task, asyncio.Future, asyncio.get_event_loop) == before
    assert type(io.loop) is kind
    assert not hasattr(kind, "_nest_patched")
    assert dict(vars(asyncio.BaseEventLoop)) == methods
    assert type(asyncio.get_running_loop()) is not type(io.loop)
    assert io.run(slept()).result(5) == 7
    used: list[asyncio.AbstractEventLoop] = []

    async def note() -> int:
        used.append(asyncio.get_running_loop())
        return await slept()

    def in_a_thread() -> int:
        return asyncio.run(note())

    assert await asyncio.to_thread(in_a_thread) == 7
    assert type(used[0]) is type(io.loop)
    assert used[0].is_closed()

    async def on_the_io_thread() -> None:
        inner = slept()
        try:
            asyncio.run(inner)
        finally:
            inner.close()

    with pytest.raises(RuntimeError, match="running event loop"):
        io.run(on_the_io_thread()).result(5)
    assert asyncio.run.__wrapped__ is original  # type: ignore[attr-defined]


def test_without_a_running_loop_run_is_as_before() -> None:
    allow_nested_run()
    loops = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    asyncio.run(note(), debug=True)
    assert loops[0].is_closed()
    assert loops[0].get_debug()
    assert asyncio.run(nested()) == 14


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nest_asyncio2", None)
    before = asyncio.run
    with pytest.raises(MissingExtraError, match=r"pip install 'realtime_nb\[lab\]'"):
        rt.load_ipython_extension(None)
    assert asyncio.run is before


def test_a_loop_that_is_not_asyncios_is_refused_with_a_way_out() -> None:
    before = asyncio.run
    asyncio._set_running_loop(Mock(spec=asyncio.AbstractEventLoop))
    try:
        with pytest.raises(ConfigurationError, match=r"await main\(\)"):
            allow_nested_run()
    finally:
        asyncio._set_running_loop(None)
    assert asyncio.run is before


def test_it_loads_in_a_terminal(tmp_path: Path) -> None:
    script = tmp_path / "script.ipy"
    script.write_text(
        textwrap.dedent("""
        import asyncio
        async def main(): return await asyncio.sleep(0.01, 'done')
        %load_ext realtime_nb
        %load_ext realtime_nb
        %reload_ext realtime_nb
        print(asyncio.run(main()))
        await asyncio.sleep(0); print(asyncio.run(main()), await main())
        """)
    )
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if "done" in line] == ["done", "done done"], done
    assert "Error" not in done.stdout + done.stderr


AGENT = """
import asyncio, threading
import realtime_nb as rt
from realtime_nb.agent.io_thread import io_thread
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import fake_engines

server = LocalServer(
    fake_engines(ScriptedLLM([f"Answer {n}." for n in range(8)])), port=0, token="a-token",
    pace=SpeechPace(), session_s=600, max_connections=2,
)
io_thread().run(server.__aenter__()).result(20)
agent = rt.Agent(server.url, api_key="a-token", audio=VOICE)
agent.say("Before.");
"""

MAIN = """
async def main():
    async with asyncio.timeout(20):
        await agent.say("Hello.")
        await agent.settled()
    return agent.conversation.transcript()[-1]

print(asyncio.run(main()))
print(asyncio.get_event_loop().run_until_complete(main()))
"""

AFTER = """
print(await main())
print(hasattr(io_thread().loop, "_nest_patched"), hasattr(asyncio, "_nest_patched"))
agent.close()
io_thread().run(server.__aexit__(None, None, None)).result(20)
"""


def executed(folder: Path, *cells: str) -> list[Any]:
    notebook: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    for source in cells:
        notebook.cells.append(nbformat.v4.new_code_cell(source))  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return list(notebook.cells)


def printed(cell: Any) -> str:
    return "".join(output.get("text", output.get("evalue", "")) for output in cell.outputs).strip()


@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
def test_a_tutorial_of_the_field_runs_while_an_agent_talks(tmp_path: Path) -> None:
    voice = Path(rt.__file__).parent / "samples" / "austen_0880.wav"
    load = "%load_ext realtime_nb"
    cells = executed(
        tmp_path, f"VOICE = {str(voice)!r}\n{AGENT}", load, MAIN, load, "%reload_ext realtime_nb",
        MAIN, AFTER,
    )  # fmt: skip

    told = [printed(cell) for cell in cells[1:]]
    answers = [[f"('assistant', 'Answer {n}.')" for n in pair] for pair in ((1, 2), (3, 4), (5,))]
    loaded = (
        "The realtime_nb extension is already loaded. To reload it, use:\n  %reload_ext realtime_nb"
    )
    assert told[:3] == ["", "\n".join(answers[0]), loaded]
    assert told[3:5] == ["", "\n".join(answers[1])]
    assert told[5].splitlines() == [*answers[2], "False False"]


@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
def test_without_the_package_a_kernel_names_the_remedy(tmp_path: Path) -> None:
    cells = executed(
        tmp_path,
        "import sys; sys.modules['nest_asyncio2'] = None",
        "%load_ext realtime_nb",
        "print(6 * 7)",
    )
    assert "MissingExtraError" in cells[1].outputs[-1].ename
    assert "pip install 'realtime_nb[lab]'" in printed(cells[1])
    assert printed(cells[2]) == "42"
