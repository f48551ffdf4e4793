"""An agent in a real kernel: its session is on the I/O thread, some of its tools are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from realtime_nb.recordings.recording import load
from tests.agent import agents

voice = agents.voice

CELLS = (
    """
import threading, time
import ipywidgets
import realtime_nb as rt
from realtime_nb.agent.io_thread import io_thread
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import fake_engines

slider = ipywidgets.IntSlider()
threads = []

def move(to: int) -> bool:
    slider.value = to
    threads.append(threading.current_thread().name)
    return threading.current_thread() is threading.main_thread()

async def move_too(to: int) -> bool:
    return move(to)

llm = ScriptedLLM([
    Call("plain", '{"to": 7}', "call_plain"), "Moved.",
    Call("coroutine", '{"to": 8}', "call_coroutine"), "Moved.",
    Call("plain", '{"to": 9}', "call_busy"), "Moved.",
    Call("brief", '{"to": 1}', "call_late"), "Too late.",
])
server = LocalServer(
    fake_engines(llm), port=0, token="a-token", pace=SpeechPace(), session_s=600, max_connections=2
)
io_thread().run(server.__aenter__()).result(20)
agent = rt.Agent(
    server.url, api_key="a-token", audio=VOICE, record="recordings",
    tools=[
        rt.tool(name="plain", main_thread=True)(move),
        rt.tool(name="coroutine", main_thread=True)(move_too),
        rt.tool(name="brief", main_thread=True, timeout_s=0.05)(move),
    ],
)
agent
""",
    """
for _ in range(2):
    await agent.say("Move it.")
    assert await agent.settled()
print([agent.conversation.calls[id].output for id in ("call_plain", "call_coroutine")])
print(slider.value, set(threads))
""",
    """
def held_up_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

calls = agent.conversation.calls
agent.say("Move it.")
held_up_until(lambda: "call_busy" in calls)
time.sleep(0.1)
print(slider.value, calls["call_busy"].output)
""",
    """
assert await agent.settled()
print(slider.value, calls["call_busy"].output)
agent.say("Move it.")
held_up_until(lambda: "call_late" in calls and calls["call_late"].output)
print(slider.value, calls["call_late"].output)
""",
    """
assert await agent.settled()
print(slider.value)
agent.close()
io_thread().run(server.__aexit__(None, None, None)).result(20)
""",
)


@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
def test_tools_of_the_main_thread_run_on_the_notebooks_loop(tmp_path: Path, voice: Path) -> None:
    notebook: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    for source in (f"VOICE = {str(voice)!r}\n{CELLS[0]}", *CELLS[1:]):
        notebook.cells.append(nbformat.v4.new_code_cell(source))  # type: ignore[no-untyped-call]

    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert [printed(cell) for cell in notebook.cells[1:]] == [
        ["['true', 'true']", "8 {'MainThread'}"],
        ["8 None"],  # held up by its cell; the session heard the answer meanwhile
        ["9 true", '9 {"error": "brief took over 0.05 s."}'],
        ["9"],  # nothing came later
    ]
    recording = load(next((tmp_path / "recordings").iterdir()))
    runs = recording.calls.set_index("call_id")
    assert list(runs["outcome"]) == ["ok", "ok", "ok", "timeout"]
    lines = [json.loads(line) for line in (recording.path / "tools.jsonl").open()]
    told = [(line["call_id"], line["kind"]) for line in lines]
    assert told == [
        *(
            (call_id, kind)
            for call_id in ("call_plain", "call_coroutine", "call_busy")
            for kind in ("started", "ended")
        ),
        ("call_late", "ended"),
    ]
    # It waited for its cell, and that is no time of its own.
    queue_ms, run_ms = (float(runs[name]["call_busy"]) for name in ("queue_ms", "run_ms"))
    assert queue_ms > 90 > run_ms


def printed(cell: Any) -> list[str]:
    return [
        line
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
        for line in output.text.splitlines()
    ]
