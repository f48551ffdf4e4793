"""Packages of others, installed into a folder of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

__all__ = ["PlugIns"]


class PlugIns:
    """A folder in which modules and packages' entry points are found.

    Args:
        folder: of this test alone.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(folder)

    def write(self, module: str, code: str) -> None:
        (self.folder / f"{module}.py").write_text(code)
        self._monkeypatch.delitem(sys.modules, module, raising=False)

    def install(self, package: str, groups: dict[str, dict[str, str]]) -> None:
        """Installs a package of that name with its entry points, by group."""
        folder = self.folder / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        rows: list[str] = []
        for group, engines in groups.items():
            rows += [f"[{group}]", *(f"{name} = {place}" for name, place in engines.items())]
        (folder / "entry_points.txt").write_text("\n".join(rows))
