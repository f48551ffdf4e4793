from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_nb.commands import lab
from realtime_nb.errors import ConfigurationError, MissingExtraError
from tests.paths import ROOT


def _package(path: Path, **files: str) -> Path:
    """A folder with tutorials and a page that they lead to."""
    for folder in ("notebooks", "docs"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / "notebooks" / f"{name}.ipynb").write_text(text)
    (path / "docs" / "page.md").write_text("[one](../notebooks/first.ipynb)")
    return path


def _texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.glob("*.ipynb")}


def test_a_checkout_is_worked_in() -> None:
    assert lab.tutorials() == ROOT / "notebooks"


def test_a_copy_is_worked_in_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "realtime_nb"
    package.mkdir(parents=True)
    monkeypatch.setattr(lab, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="install realtime_nb again"):
        lab.tutorials()
    _package(package, first="1", second="2")
    (package / "other.py").write_text("")

    folder = lab.tutorials()

    assert folder == tmp_path / lab.TUTORIALS_FOLDER / "notebooks"
    assert _texts(folder) == {"first": "1", "second": "2"}
    assert (folder / "../docs/page.md").is_file()
    names = {path.name for path in folder.parent.iterdir()}
    assert names == {"notebooks", "docs", ".copied.json"}


def test_what_the_user_changed_stays(tmp_path: Path) -> None:
    source = _package(tmp_path / "source", first="1", second="2", third="3")
    target = tmp_path / "target"
    lab.copy_tutorials(source, target)
    (target / "notebooks" / "first.ipynb").write_text("mine")
    (target / "notebooks" / "third.ipynb").unlink()
    _package(source, first="new", second="new")

    lab.copy_tutorials(source, target)

    assert _texts(target / "notebooks") == {"first": "mine", "second": "new", "third": "3"}


def test_a_copy_that_lay_flat_is_moved_and_what_was_changed_in_it_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "recordings").mkdir(parents=True)
    for name, text in {"first": "mine", "second": "2", "my_own": "own"}.items():
        (target / f"{name}.ipynb").write_text(text)
    told = {"first.ipynb": "1", "second.ipynb": "2", "gone.ipynb": "3"}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in told.items()}
    (target / ".copied.json").write_text(json.dumps(digests))
    source = _package(tmp_path / "source", first="new", second="new", gone="new")

    for _ in range(2):
        lab.copy_tutorials(source, target)

        texts = _texts(target / "notebooks")
        assert texts == {"first": "mine", "second": "new", "gone": "new"}
        assert _texts(target) == {"my_own": "own"}  # whose it is, nobody knows
        assert (target / "recordings").is_dir()


@pytest.mark.parametrize("notes", ["", "no JSON", "[1]"])
def test_what_is_not_known_to_be_a_copy_stays(tmp_path: Path, notes: str) -> None:
    source = _package(tmp_path / "source", first="new")
    target = _package(tmp_path / "target", first="whose?")
    (target / ".copied.json").write_text(notes)

    lab.copy_tutorials(source, target)

    assert _texts(target / "notebooks") == {"first": "whose?"}


def test_a_folder_that_cant_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _package(tmp_path / "realtime_nb", first="1")
    (tmp_path / lab.TUTORIALS_FOLDER).write_text("a file")
    monkeypatch.setattr(lab, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match="can't be copied"):
        lab.tutorials()


def test_without_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[lab\]"):
        lab.open_lab()


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port} can't be used"):
            lab.open_lab(port=port)


def test_the_command() -> None:
    notebook = Path("a") / "b" / "01 c.ipynb"
    command = lab.jupyter_command(notebook, browser=False, port=8899)

    assert command[:4] == [
        *(sys.executable, "-m", "jupyterlab"),
        f"--notebook-dir={Path('a')}",
    ]
    assert "--LabApp.default_url=/lab/tree/b/01%20c.ipynb" in command
    assert {"--no-browser", "--port=8899", "--ServerApp.port_retries=0"} <= set(command)
    assert "--no-browser" not in lab.jupyter_command(notebook, browser=True, port=None)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_jupyterlab_opens_the_index_of_the_tutorials(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime_nb", "lab", "--no-browser"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert process.stdout is not None and process.stderr is not None
    with process, process.stdout, process.stderr:
        try:
            seen = next(
                (m[0] for line in process.stderr if (m := re.search(r"http://\S+", line))), ""
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
        told = process.stdout.readline()
    assert str(ROOT / "notebooks") in told and "Ctrl+C" in told
    assert "/lab/tree/notebooks/00_index.ipynb" in seen
