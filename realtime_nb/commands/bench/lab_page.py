"""A real JupyterLab, and its notebooks in a browser, for measurements and tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = [
    "CellError",
    "Lab",
    "LabPage",
    "open_notebook",
    "running_lab",
    "wait_for_notebook",
]

_START_LIMIT_S = 60
# What the page opened, for tests that ask whether it was closed again.
_WATCH = """
globalThis.opened = {tracks: [], contexts: []};
const devices = navigator.mediaDevices;
if (devices) {
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    opened.tracks.push(...stream.getTracks());
    return stream;
  };
}
const Context = globalThis.AudioContext;
globalThis.AudioContext = class extends Context {
  constructor(...options) { super(...options); opened.contexts.push(this); }
};
"""
_RUN = """
async (source) => {
  const panel = jupyterapp.shell.currentWidget;
  const shared = panel.content.model.sharedModel;
  const index = shared.cells.length;
  shared.insertCell(index, {cell_type: "code", source});
  panel.content.activeCellIndex = index;
  (globalThis.cellRuns ??= {})[index] = jupyterapp.commands.execute("notebook:run-cell");
  return index;
}
"""
_OUTPUTS = """
(index) => jupyterapp.shell.currentWidget.content.model.sharedModel.cells[index].toJSON().outputs
"""


class CellError(AssertionError):
    """A cell ended with an exception."""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path
    data: Path

    def notebook(self, name: str, kernel: str = "python3") -> str:
        """Puts an empty notebook into the server's folder."""
        content = {
            "cells": [],
            "metadata": {"kernelspec": {"name": kernel, "display_name": kernel}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        return name


class LabPage:
    """A notebook that is open in a browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run(self, source: str, timeout_s: float = 60) -> str:
        """Runs a cell to its end. Returns what it printed.

        Raises:
            CellError: the cell raised.
        """
        return self.result(self.start(source), timeout_s)

    def show(self, source: str) -> int:
        """Runs a cell to its end and returns its index; its outputs stay."""
        index = self.start(source)
        self.result(index)
        return index

    def start(self, source: str) -> int:
        """Starts a cell and returns its index at once."""
        index: int = self.page.evaluate(_RUN, source)
        return index

    def result(self, index: int, timeout_s: float = 60) -> str:
        """Waits for a cell's end. Returns what it printed."""
        self.page.evaluate(
            """([index, limit]) => Promise.race([
                 cellRuns[index],
                 new Promise((_, no) => setTimeout(() => no(new Error("too long")), limit)),
               ])""",
            [index, timeout_s * 1000],
        )
        printed = []
        for output in self.outputs(index):
            if output["output_type"] == "error":
                raise CellError("\n".join(output["traceback"]))
            if output["output_type"] == "stream":
                printed.append(_joined(output["text"]))
        return "".join(printed)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Returns a cell's outputs, as the notebook has them."""
        outputs: list[dict[str, Any]] = self.page.evaluate(_OUTPUTS, index)
        return outputs

    def wait_for(self, expression: str, timeout_s: float = 20) -> str:
        """Asks the kernel until a Python expression is true; returns its text."""
        code = f"""
import time as _time
_until = _time.monotonic() + {timeout_s}
while not ({expression}) and _time.monotonic() < _until:
    _time.sleep(0.02)
assert ({expression}), {expression!r}
print({expression})"""
        return self.run(code, timeout_s + 10).strip()

    def wait_in_page(self, expression: str, timeout_s: float = 20) -> Any:
        """Waits until a JavaScript expression is true in the page."""
        handle = self.page.wait_for_function(expression, timeout=timeout_s * 1000)
        return handle.json_value()

    def theme(self, name: str) -> None:
        """Switches JupyterLab's theme, such as "JupyterLab Dark"."""
        dark = "Dark" in name
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        body = f'body[data-jp-theme-light="{str(not dark).lower()}"]'
        self.page.wait_for_selector(body, state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def save(self) -> None:
        """Saves the notebook."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    def shut_down_kernel(self) -> None:
        """Ends the notebook's kernel."""
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.shutdown().catch(() => 0)"
        )


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


@contextmanager
def running_lab(base: Path) -> Iterator[Lab]:
    """Runs a JupyterLab on a free port, with nothing of the user's own; all it writes is in
    ``base``.

    Raises:
        MissingExtraError: it is not installed.
        ConfigurationError: it does not start.
    """
    if find_spec("jupyterlab") is None:
        raise MissingExtraError("JupyterLab", "dev")
    folder, config = base / "notebooks", base / "config" / "labconfig"
    for path in (folder, config, base / "data", base / "runtime"):
        path.mkdir(parents=True)
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "page_config.json").write_text(json.dumps(quiet), encoding="utf-8")
    port = _free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
    ]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.allow_remote_access=True"]
    command += ["--ip=127.0.0.1", "--LabApp.expose_app_in_browser=True"]
    with (base / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=_environment(base), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for_port(port, process, base / "lab.log")
            yield Lab(f"http://127.0.0.1:{port}", folder, base / "data")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _environment(base: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "IPYTHONDIR": str(base / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}


def open_notebook(
    browser: Browser,
    lab: Lab,
    name: str,
    host: str = "127.0.0.1",
    size: tuple[int, int] = (1100, 800),
) -> LabPage:
    """Opens a notebook of the server's folder in a window of its own, once its kernel answers."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.goto(f"{lab.url.replace('127.0.0.1', host)}/lab/tree/{name}?reset")
    return wait_for_notebook(page)


def wait_for_notebook(page: Page) -> LabPage:
    """Waits until the page's notebook has a kernel that answers."""
    page.wait_for_function("() => globalThis.jupyterapp?.shell?.currentWidget?.sessionContext")
    page.evaluate(
        """async () => {
             await jupyterapp.restored;
             const panel = jupyterapp.shell.currentWidget;
             await panel.context.ready;
             await panel.sessionContext.ready;
             await panel.sessionContext.session?.kernel?.info;
           }"""
    )
    return LabPage(page)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-4000:]
    raise ConfigurationError(f"JupyterLab did not start:\n{said}")
