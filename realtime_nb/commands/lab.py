"""Opens JupyterLab on the tutorials: ``realtime-nb lab``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from realtime_nb.errors import ConfigurationError, MissingExtraError

__all__ = ["TUTORIALS_FOLDER", "copy_tutorials", "jupyter_command", "open_lab", "tutorials"]

TUTORIALS_FOLDER = "realtime_nb_tutorials"
"""Folder that the tutorials, and the pages that they lead to, are copied to, in the working
directory."""

_NOTEBOOKS = "notebooks"
_COPIES = (_NOTEBOOKS, "docs")
"""Folders of the package that are copied. They lie beside each other as in the repository, so that
links between them hold."""
_PACKAGE = Path(__file__).parents[1]
_COPIED = ".copied.json"
"""In that folder: what each file was when it was copied, to know what the user has changed."""


def open_lab(browser: bool = True, port: int | None = None) -> int:
    """Starts JupyterLab on the index of the tutorials; on POSIX it takes this process's place.

    Args:
        browser: whether JupyterLab opens a browser window.
        port: None: JupyterLab picks one.

    Returns:
        JupyterLab's exit code, where this process goes on.

    Raises:
        MissingExtraError: JupyterLab is not installed.
        ConfigurationError: the port is taken, or the tutorials can't be copied here.
    """
    if find_spec("jupyterlab") is None:
        raise MissingExtraError("JupyterLab", "lab")
    if port is not None:
        _check_port(port)
    index = _index(tutorials())
    command = jupyter_command(index, browser, port)
    sys.stdout.write(
        f"The tutorials are in {index.parent}. Press Ctrl+C here, twice, to stop JupyterLab.\n"
    )
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


def jupyter_command(notebook: Path, browser: bool, port: int | None) -> list[str]:
    """Returns the command that opens a notebook in JupyterLab, which sees what lies beside its
    folder, too: JupyterLab follows no link out of its own folder."""
    folder = notebook.parent
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder.parent}"]
    # Not as an argument of its own: then the URL that is printed would not lead to it.
    path = quote(f"{folder.name}/{notebook.name}")
    command.append(f"--LabApp.default_url=/lab/tree/{path}")
    if not browser:
        command.append("--no-browser")
    if port is not None:
        command += [f"--port={port}", "--ServerApp.port_retries=0"]
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")  # containers; it listens on this machine only
    return command


def tutorials() -> Path:
    """Returns the folder to work in: the repository's in a checkout, else a copy in the working
    directory.

    Raises:
        ConfigurationError: there is none, or it can't be copied here.
    """
    checkout = _PACKAGE.parent / _NOTEBOOKS
    if checkout.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return checkout
    packaged = _PACKAGE / _NOTEBOOKS
    if not packaged.is_dir():
        raise ConfigurationError(f"The tutorials are not in {packaged}; install realtime_nb again.")
    target = Path.cwd() / TUTORIALS_FOLDER
    try:
        copy_tutorials(_PACKAGE, target)
    except OSError as error:
        raise ConfigurationError(
            f"The tutorials can't be copied to {target} ({error.strerror or error}). "
            "Start in a folder that you may write to."
        ) from error
    return target / _NOTEBOOKS


def copy_tutorials(source: Path, target: Path) -> None:
    """Copies what is missing or outdated; a file that the user has changed stays as it is.

    Args:
        source: what has the folders ``notebooks`` and ``docs``.
        target: gets them.

    Raises:
        OSError: ``target`` can't be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    copied = _moved_in(target, _copied(target))
    files = [path for folder in _COPIES for path in (source / folder).rglob("*") if path.is_file()]
    for file in sorted(files):
        name = file.relative_to(source).as_posix()
        place = target / name
        if place.exists() and _digest(place) != copied.get(name):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        copied[name] = _digest(place)
    (target / _COPIED).write_text(json.dumps(copied, indent=1) + "\n", encoding="utf-8")


def _moved_in(target: Path, copied: dict[str, str]) -> dict[str, str]:
    """Moves notebooks that an earlier version copied into the folder itself to their place.

    Returns:
        What each file was when it was copied, by its name now.
    """
    moved = {}
    for name, digest in copied.items():
        if name.split("/")[0] in _COPIES:
            moved[name] = digest
            continue
        before, now = target / name, target / _NOTEBOOKS / name
        if before.is_file() and not now.exists():
            now.parent.mkdir(parents=True, exist_ok=True)
            before.replace(now)
            moved[f"{_NOTEBOOKS}/{name}"] = digest
    return moved


def _copied(target: Path) -> dict[str, str]:
    try:
        content = json.loads((target / _COPIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(content) if isinstance(content, Mapping) else {}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _index(folder: Path) -> Path:
    """Returns the notebook with the path through the others, or the first that is there."""
    notebooks = sorted(folder.glob("*.ipynb"))  # the index is number 00
    if not notebooks:
        raise ConfigurationError(f"There are no tutorials in {folder}; install realtime_nb again.")
    return notebooks[0]


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} can't be used ({error.strerror}). Choose another one, or none."
            ) from None
