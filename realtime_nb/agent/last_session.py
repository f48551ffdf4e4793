"""What is left of a session that is over: its recording, the line that opens it, its report."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.protocol.plain_json import json_text
from realtime_nb.protocol.words import counted
from realtime_nb.session.session import Session
from realtime_nb.widgets.agent_panel import AgentPanel

__all__ = ["LastSession", "load_code", "session_in_numbers", "short_path"]

_NOT_RECORDED = (
    'Make the agent with `record="recordings"`, and the next session can be opened afterwards.'
)
_WRITE = """
import sys
_, folder, file, complaint, *sys.path[:] = sys.argv
import realtime_nb as rt
try:
    rt.load(folder).report(file)
except (rt.RealtimeError, OSError) as error:
    sys.exit(complaint + " ".join(str(error).split()))
"""
_COMPLAINT = "realtime_nb: "  # with which the process begins what it has to say
_FILE = "report.html"
_REPORT_DUE_S = 600.0


class LastSession:
    """What the panel tells of the last session, and the report that it is asked for.

    Args:
        panel: shows it while no session is open.
    """

    def __init__(self, panel: AgentPanel) -> None:
        self._panel = panel
        self._folder: Path | None = None
        self._shown: dict[str, Any] = {}

    def show(self, session: Session, folder: Path | None) -> None:
        """Shows what is left of a session that has just ended.

        Args:
            session: of which nothing that was said is told.
            folder: its recording, wherever the current folder is; None: there is none.
        """
        self._folder = folder
        numbers = session_in_numbers(session)
        self._shown = {
            "words": f"Not recorded: {numbers}.",
            "path": "",
            "code": "",
            "advice": _NOT_RECORDED,
        }
        if folder is not None:
            self._shown = {
                "words": f"Recorded: {numbers}, in",
                "path": printable(short_path(folder)),
                "code": f"rec = {load_code(folder)}",
                "advice": "",
            }
        self._panel.set(last_session=dict(self._shown))

    async def report(self) -> None:
        """Writes the report of the recording into its folder; the panel tells what becomes of it.

        A process of its own does it: it works for seconds, and draws with what a cell may be
        drawing with, too.
        """
        folder = self._folder
        if folder is None or self._shown.get("report", {}).get("state") == "writing":
            return
        self._tell(folder, state="writing")
        try:
            problem = await asyncio.to_thread(_write_report, folder)
        except BaseException:
            self._tell(folder, **_failed("The report was given up.", folder))
            raise
        if problem:
            self._tell(folder, **_failed(problem, folder))
            return
        file = folder / _FILE
        self._tell(
            folder, state="done", path=printable(short_path(file)), link=_beside_notebook(file)
        )

    def _tell(self, folder: Path, **report: str) -> None:
        if folder != self._folder:
            return  # of a session before the last one
        self._shown["report"] = report
        self._panel.set(last_session=dict(self._shown))


def _write_report(folder: Path) -> str:
    """Returns what went wrong, in words; nothing: the report is there."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _WRITE, folder, folder / _FILE, _COMPLAINT, *sys.path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "MPLBACKEND": "agg", "PYTHONUTF8": "1"},
            timeout=_REPORT_DUE_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        return f"The report can't be written: no other process can be started ({error.strerror})."
    except subprocess.TimeoutExpired:
        return f"The report was not done after {_REPORT_DUE_S / 60:g} minutes."
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    said = next((line for line in reversed(lines) if line.startswith(_COMPLAINT)), "")
    if said:
        return said.removeprefix(_COMPLAINT)
    why = lines[-1] if lines else f"exit code {done.returncode}"
    return f"The report failed: {why:.300}."


def _failed(problem: str, folder: Path) -> dict[str, str]:
    """Returns what went wrong and what to do, with a line to paste."""
    if folder.is_dir():
        words = f"{problem} Press Report again when that is mended, or have it elsewhere:"
        code = load_code(folder)
    else:
        words = (
            f"The recording is no longer at {printable(folder)}. If it was moved, name its new "
            "place:"
        )
        code = 'rt.load("…")'
    return {"state": "failed", "words": words, "code": f'{code}.report("report.html")'}


def session_in_numbers(session: Session) -> str:
    """Returns how long a session was and what there was in it, without a word of what was said."""
    turns = counted(len(find_user_turns(session.conversation)), "turn")
    calls = counted(len(session.conversation.calls), "function call")
    return f"a session of {_length(session.clock())}, {turns}, {calls}"


def load_code(folder: Path) -> str:
    """Returns Python that opens a recording, whatever its folder is called."""
    # What JSON writes so, Python reads so; halves of characters, too, which some names have.
    return f"rt.load({json_text(str(folder))})"


def short_path(path: Path) -> Path:
    """Returns the path from the current folder on, if it lies in it."""
    with contextlib.suppress(OSError, ValueError):  # there is no current folder; it lies elsewhere
        return path.relative_to(Path.cwd())
    return path


def printable(path: Path) -> str:
    """Returns a path as any encoding takes it."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _beside_notebook(file: Path) -> str:
    """Returns the path from the notebook's folder on, with slashes; empty: nobody knows it."""
    notebook = Path(os.environ.get("JPY_SESSION_NAME", ""))
    try:
        start = notebook.parent if notebook.is_absolute() else Path.cwd()
        return Path(os.path.relpath(file, start)).as_posix()
    except (OSError, ValueError):  # no current folder; on another drive
        return ""


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    return f"{minutes} min {rest_s:02d} s"
