"""An environment of its own for each foreign client, kept from run to run.

Which versions go in stands in ``clients.json``; the folder's name holds a hash of them, so that
other versions get another environment. $REALTIME_NB_FOREIGN names another place for them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["CLIENTS", "FOREIGN", "SCENARIOS", "prepared", "versions"]

HERE = Path(__file__).parent
CLIENTS: dict[str, dict[str, Any]] = json.loads((HERE / "clients.json").read_text("utf-8"))
FOREIGN = [client for client, about in CLIENTS.items() if "distribution" not in about]
"""Those that are installed here; the others are in the tests' own environment."""

SCENARIOS = {
    "text": "text",
    "audio": "audio, server VAD",
    "push_to_talk": "push-to-talk",
    "tool": "tool round trip",
    "interruption": "interruption, truncation",
    "out_of_band": "out of band",
    "transcription": "transcription",
}
"""What each is to do, and how the page calls it."""

INSTALL_S = 900


def _kept() -> Path:
    named = os.environ.get("REALTIME_NB_FOREIGN")
    return Path(named) if named else Path.home() / ".cache" / "realtime_nb-foreign"


def versions(client: str) -> str:
    """Returns the packages of a client: those that are to be installed, or are there."""
    about = CLIENTS[client]
    if name := about.get("distribution"):
        return f"{name} {version(name)}"
    pinned = [package.replace("==", " ") for package in about.get("pip", ())]
    pinned += [" ".join(package.rsplit("@", 1)) for package in about.get("npm", ())]
    return ", ".join(pinned)


def prepared(client: str, folder: Path) -> list[str]:
    """Puts a client's script into a folder, where it finds its packages; returns how to run it."""
    about = CLIENTS[client]
    environment = _installed(client)
    for script in (HERE / "scripts").glob(f"*{Path(about['script']).suffix}"):
        shutil.copy(script, folder)
    if "pip" in about:
        return [str(environment / "bin" / "python"), about["script"]]
    (folder / "node_modules").symlink_to(environment / "node_modules")
    return [_program("node"), about["script"]]


def _installed(client: str) -> Path:
    """Returns the folder of a client's environment, which is made the first time."""
    tool = "pip" if "pip" in CLIENTS[client] else "npm"
    packages = CLIENTS[client][tool]
    about = json.dumps([packages, sys.version_info[:2] if tool == "pip" else None])
    folder = _kept() / f"{client}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (_install_npm if tool == "npm" else _install_pip)(folder, packages)
        complete.touch()
    return folder


def _install_pip(folder: Path, packages: list[str]) -> None:
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *packages], check=True, timeout=INSTALL_S)


def _install_npm(folder: Path, packages: list[str]) -> None:
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    npm = [_program("npm"), "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([*npm, *packages], check=True, timeout=INSTALL_S, cwd=folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"The JavaScript clients need {name}; install Node.js 20 or later."
    return found
