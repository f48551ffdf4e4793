"""Keys in a notebook that a real kernel has run: nowhere in what is saved of it."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

KEYS = ("sk-proj-planted-and-found-nowhere", "0123456789abcdef0123456789abcdef")

CELLS = (
    """
    import asyncio, logging, sys
    from pathlib import Path
    import realtime_nb as rt
    from realtime_nb.local.llm import Call, ScriptedLLM
    from realtime_nb.local.server import LocalServer
    from realtime_nb.local.speaking import SpeechPace
    from realtime_nb.testing import fake_engines
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    logging.getLogger("websockets.server").setLevel(logging.INFO)  # is the test's own server
    KEY, OTHER = Path("keys.txt").read_text().split()
    engines = fake_engines(ScriptedLLM([Call("returns", "{}"), "A.", Call("fails", "{}"), "B."]))
    pace = SpeechPace()
    server = LocalServer(engines, port=0, token=KEY, pace=pace, session_s=900, max_connections=9)
    await server.__aenter__()
    endpoint = rt.Endpoint(server.url, "m", {"Authorization": f"Bearer {KEY}", "X-Other": OTHER})
    def returns() -> dict:
        return {"key": KEY, OTHER: "as a name", "password": OTHER}
    def fails() -> str:
        raise PermissionError(f"{KEY} and {OTHER} are refused")
    events, calls, transcript = rt.EventInspector(), rt.CallInspector(), rt.Transcript()
    display(events, calls, transcript)
    """,
    """
    session = await rt.connect(endpoint, tools=[returns, fails], record="recordings")
    for view in (events, calls, transcript):
        view.follow(session)
    session
    """,
    """
    for words in ("One?", "Two?"):
        await session.say(words)
        await session.settled()
    part = {"type": "input_text", "text": f"my key is {KEY}, the other {OTHER}"}
    item = {"id": "item_raw", "type": "message", "role": "user", "content": [part]}
    await session.send({"type": "conversation.item.create", "item": item})
    tool = {"type": "mcp", "server_label": "m", "server_url": f"https://m.example/?key={OTHER}",
            "headers": {"Authorization": f"Bearer {KEY}"}}
    await session.send({"type": "session.update", "session": {"type": "realtime", "tools": [tool]}})
    await session.send({"type": KEY, OTHER: OTHER, "api_key": "short but a key"})
    await session.settled()
    list(session.conversation.items.values()), session.conversation.errors
    """,
    "[calls.rerun(one) for one in session.conversation.calls]",
    "[calls.rerun(one).traceback for one in session.conversation.calls]",
    """
    await server.__aexit__(None, None, None)
    try:
        await session.close()
    except rt.RealtimeError as error:
        print(repr(error))
    session, session.endpoint
    """,
    'await rt.connect(rt.Endpoint(endpoint.url, "m", endpoint.headers))',
    'rt.Endpoint("ws://127.0.0.1:1", "m", {"Authorization": f"Bearer {KEY}\\n{OTHER}"})',
    "rt.connect(KEY)",
    'rt.connect("openai", reconnect=KEY)',
    "rt.ServerVAD(threshold=OTHER)",
    "rt.serve(port=KEY)",
    "rt.SessionManager(endpoint, idle_s=OTHER)",
    "rt.read_labels(OTHER)",
    """
    recording = rt.load(session.recording)
    recording.report("report.html")
    recording.to_csv("csv")
    display(recording, recording.events, recording.calls, recording.findings())
    display(rt.EventInspector(recording), rt.CallInspector(recording, tools=[returns, fails]))
    """,
)


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
def test_a_saved_notebook_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("\n".join(KEYS))
    cells = [nbformat.v4.new_code_cell(_dedented(cell)) for cell in CELLS]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    (tmp_path / "keys.txt").unlink()
    saved = json.dumps(notebook, ensure_ascii=False)
    errors = [
        (cell.execution_count, output.evalue)
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert [number for number, _ in errors] == [*range(7, 15)], errors
    assert "[removed]" in saved
    assert "item_raw" in saved
    assert notebook.metadata.widgets, "the views were not saved"
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name == "events.jsonl" for path in written)
    for key in (*KEYS, "short but a key"):
        source = "".join(cell.source for cell in notebook.cells).count(key)
        at = saved.find(key)
        assert saved.count(key) == source, saved[max(0, at - 200) : at + 60]
        for path, content in written.items():
            assert key.encode() not in content, path


def _dedented(cell: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in cell.strip("\n").splitlines())
