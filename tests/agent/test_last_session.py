from __future__ import annotations

import ast
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.agent import last_session
from realtime_nb.agent.io_thread import io_thread
from realtime_nb.agent.last_session import LastSession, load_code, short_path
from tests import scripted_session
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent, Server, press, until

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make

FOLDERS = [
    *("plain", "with spaces", "it's", 'my "odd" one', "back\\slash\\n", "\\", "{x}%s$HOME", "~"),
    *(
        "#hash?q=1&a",
        "üñï 日本 🎉",
        "new\nline\ttab",
        "'\"",
        "`tick`",
        " lead",
        "r\u202etl",
        "\x7f",
    ),
]


def evaluated(code: str) -> object:
    """What the line of Python names."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call) and ast.unparse(call.func) == "rt.load"
    (argument,) = call.args
    return ast.literal_eval(argument)


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
@example("a\udcff")
@example("\ud83d\ude00")
def test_the_line_names_any_folder_and_can_be_copied(name: str) -> None:
    code = load_code(Path("/somewhere") / name)
    code.encode("utf-8")  # as everything on the way to the page
    assert "\n" not in code
    assert code.startswith('rt.load("')
    assert evaluated(code) == str(Path("/somewhere") / name)


# --- an agent ---


def talked(agent: rt.Agent) -> None:
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)


def left(agent: rt.Agent) -> dict[str, Any]:
    shown: dict[str, Any] = agent.panel.last_session
    return shown


def is_live(agent: rt.Agent) -> bool:
    return agent.timeline._live


def run(code: str) -> rt.Recording:
    names: dict[str, Any] = {"rt": rt}
    exec(code, names)
    recording: rt.Recording = names["rec"]
    return recording


@pytest.mark.parametrize("name", FOLDERS, ids=ascii)
def test_the_copied_line_gives_the_recording(make: MakeAgent, tmp_path: Path, name: str) -> None:
    agent = make(record=tmp_path / name)
    assert left(agent) == {}
    talked(agent)
    agent.disconnect().result(WAIT_S)
    recording = run(left(agent)["code"])
    assert recording.complete
    assert recording.path == agent.recording
    assert recording.conversation.transcript() == [("user", "Hello?"), ("assistant", "Hello.")]
    assert left(agent)["advice"] == ""


def test_a_name_of_bytes_that_are_no_text(make: MakeAgent, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    agent = make(record=folder)
    agent.connect().result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    str(left(agent)).encode("utf-8")
    assert run(left(agent)["code"]).path == agent.recording


def test_the_current_folder_may_be_another_one_by_then(
    make: MakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    agent = make(record="recordings")
    talked(agent)
    monkeypatch.chdir(tmp_path / "there")
    agent.disconnect().result(WAIT_S)
    assert agent.panel.error == ""
    assert run(left(agent)["code"]).complete
    assert left(agent)["path"] == str(agent.recording)  # not from a folder where it is not
    monkeypatch.chdir(tmp_path / "here")
    agent.connect().result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    assert left(agent)["path"].startswith("recordings")
    monkeypatch.chdir(tmp_path / "there")
    assert run(left(agent)["code"]).complete


def server_closes(agent: rt.Agent, server: Server) -> None:
    for socket in server.sockets:
        io_thread().run(socket.close(1000, "Enough.")).result(WAIT_S)  # for good


def disconnects_while_it_comes_back(agent: rt.Agent, server: Server) -> None:
    session = agent.session
    assert session is not None
    for socket in server.sockets:
        io_thread().run(socket.close(1001, "A moment.")).result(WAIT_S)
    until(lambda: session.reconnecting or session.reconnections != [])
    press(agent, "disconnect")


def hangs_up(agent: rt.Agent, server: Server) -> None:
    assert agent.session is not None
    agent.session.hang_up()


def disconnects(agent: rt.Agent, server: Server) -> None:
    press(agent, "disconnect")


@pytest.mark.parametrize(
    "ends", [disconnects, disconnects_while_it_comes_back, server_closes, hangs_up]
)
def test_however_it_ends_it_is_shown_until_the_next_one(
    make: MakeAgent, server: Server, ends: Callable[[rt.Agent, Server], None]
) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    talked(agent)
    assert is_live(agent)
    ends(agent, server)
    until(lambda: agent.status == "disconnected" and left(agent) != {})
    first = left(agent)
    assert first["words"].startswith("Recorded: a session of ")
    assert "1 turn, 0 function calls" in first["words"]
    assert agent.panel.note == ""  # no attempt to come back is announced any more
    assert not is_live(agent)
    assert run(first["code"]).complete
    agent.connect().result(WAIT_S)
    assert is_live(agent)
    assert agent.connected  # the page shows it only while there is no session
    agent.disconnect().result(WAIT_S)
    assert left(agent)["code"] != first["code"]


def test_what_was_not_recorded_says_so_and_what_to_do(make: MakeAgent) -> None:
    agent = make(record=None)
    talked(agent)
    agent.disconnect().result(WAIT_S)
    shown = left(agent)
    assert (shown["path"], shown["code"]) == ("", "")
    assert shown["words"].startswith("Not recorded: a session of ")
    assert 'record="recordings"' in shown["advice"]
    press(agent, "report")
    assert agent.settled().result(WAIT_S)
    assert "report" not in left(agent)


def test_what_does_not_come_to_a_session_leaves_the_last_one(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    before = left(agent)

    async def refused() -> Any:
        raise rt.ConnectionFailedError("No.")

    monkeypatch.setattr(agent, "_connect", refused)
    with pytest.raises(rt.ConnectionFailedError):
        agent.connect().result(WAIT_S)
    assert left(agent) == before
    assert not is_live(agent)


# --- the report ---


def report(agent: rt.Agent) -> dict[str, str]:
    """Has it written, and returns what the panel then says."""
    agent._verbs.run(agent._views.last_session.report()).result(WAIT_S)
    said: dict[str, str] = left(agent)["report"]
    return said


def test_the_report_is_written_off_the_loop(make: MakeAgent, tmp_path: Path) -> None:
    agent = make(record=tmp_path / 'it\'s "odd" \\ 日本')
    talked(agent)
    agent.disconnect().result(WAIT_S)
    press(agent, "report")
    until(lambda: left(agent).get("report", {}).get("state") == "writing")
    longest_s = 0.0
    pause = threading.Event()
    while left(agent)["report"]["state"] == "writing":
        begun_s = time.monotonic()
        io_thread().run(nothing()).result(WAIT_S)
        longest_s = max(longest_s, time.monotonic() - begun_s)
        pause.wait(0.01)
    assert longest_s < 0.5
    said = left(agent)["report"]
    assert said["state"] == "done", said
    assert agent.recording is not None
    file = agent.recording / "report.html"
    assert said["path"] == str(file)
    assert "Hello." in file.read_text("utf-8")
    assert rt.load(agent.recording).problems == []


async def nothing() -> None:
    pass


def test_pressed_twice_it_is_written_once(make: MakeAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def write(folder: Path) -> str:
        written.append(folder)
        time.sleep(0.2)
        return ""

    monkeypatch.setattr(last_session, "_write_report", write)
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    press(agent, "report")
    press(agent, "report")
    until(lambda: left(agent).get("report", {}).get("state") == "done")
    assert written == [agent.recording]
    report(agent)
    assert len(written) == 2


def test_a_report_that_is_late_is_not_told_of_another_session(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, done = threading.Event(), threading.Event()

    def write(folder: Path) -> str:
        go.wait(WAIT_S)
        done.set()
        return ""

    monkeypatch.setattr(last_session, "_write_report", write)
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    press(agent, "report")
    until(lambda: left(agent).get("report", {}).get("state") == "writing")
    agent.connect().result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    go.set()
    assert done.wait(WAIT_S)
    io_thread().run(nothing()).result(WAIT_S)
    assert "report" not in left(agent)


def test_a_recording_that_is_gone(make: MakeAgent) -> None:
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    shutil.move(agent.recording, agent.recording.with_name("moved"))
    said = report(agent)
    assert said["state"] == "failed"
    assert f"no longer at {agent.recording}" in said["words"]
    assert said["code"] == 'rt.load("…").report("report.html")'
    shutil.move(agent.recording.with_name("moved"), agent.recording)
    assert report(agent)["state"] == "done"  # mended


@pytest.mark.skipif(sys.platform == "win32", reason="folders are no obstacle there")
def test_a_place_that_can_not_be_written_to(make: MakeAgent) -> None:
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    (agent.recording / "report.html").mkdir()  # permissions don't keep root from writing
    said = report(agent)
    assert said["state"] == "failed"
    assert "can't be written to" in said["words"]
    assert "Press Report again when that is mended" in said["words"]
    assert evaluated(said["code"].removesuffix('.report("report.html")')) == str(agent.recording)


def test_a_recording_that_is_broken(make: MakeAgent) -> None:
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    (agent.recording / "session.json").write_text("{}")
    said = report(agent)
    assert said["state"] == "failed"
    assert str(agent.recording) in said["words"]
    assert "Traceback" not in said["words"]


@pytest.mark.parametrize("how", ["no process", "late", "crash"])
def test_a_process_that_fails(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    agent = make()
    talked(agent)
    agent.disconnect().result(WAIT_S)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'Segmentation fault' >&2\nexec sleep 20\n")
    if how == "crash":
        script.write_text("#!/bin/sh\necho 'Segmentation fault' >&2\nexit 139\n")
    if how != "no process":
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(last_session, "_REPORT_DUE_S", 0.2)
    words = {
        "no process": "no other process can be started",
        "late": "was not done after",
        "crash": "The report failed: Segmentation fault",
    }
    said = report(agent)
    assert said["state"] == "failed"
    assert words[how] in said["words"]
    assert said["code"].endswith('.report("report.html")')


# --- where things are ---


def test_a_path_is_short_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "a" / "b") == Path("a/b")
    assert short_path(Path("/elsewhere/b")) == Path("/elsewhere/b")
    assert short_path(Path("a/b")) == Path("a/b")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert short_path(tmp_path / "a") == tmp_path / "a"
    monkeypatch.chdir(tmp_path)


def test_the_link_begins_where_the_notebook_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recordings" / "a b" / "report.html"
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert last_session._beside_notebook(file) == "recordings/a b/report.html"
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "nb" / "one.ipynb"))
    assert last_session._beside_notebook(file) == "../recordings/a b/report.html"
    monkeypatch.setenv("JPY_SESSION_NAME", "an id")  # as some servers have it
    assert last_session._beside_notebook(file) == "recordings/a b/report.html"


def test_the_panel_is_told_of_no_word_that_was_said() -> None:
    live: Any = scripted_session.LiveSession()
    scripted_session.three_turns(live)
    told: dict[str, Any] = {}
    panel: Any = SimpleNamespace(set=told.update)
    session: Any = SimpleNamespace(conversation=live.conversation, clock=lambda: 83.6)
    LastSession(panel).show(session, Path("/r/x"))
    assert told["last_session"]["words"] == (
        "Recorded: a session of 1 min 24 s, 3 turns, 1 function call, in"
    )
    for _, text in live.conversation.transcript():
        assert text not in str(told)
