"""What a user installs is whole: code, weights, samples, notebooks, notices, types."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_every_file_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "realtime_nb"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert set(tracked) <= set(wheel.namelist())


def test_the_tutorials_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    names = {f"realtime_nb/notebooks/{path.name}" for path in ROOT.glob("notebooks/*.ipynb")}

    assert names
    assert names <= set(wheel.namelist())


def test_no_file_names_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    registries = [name.encode() + b"." + b"org" for name in ("pypi", "files.pythonhosted")]
    registries += [b"registry." + b"npmjs", b"deb." + b"debian"]
    bad = [
        name
        for name in tracked
        if (ROOT / name).is_file()
        and any(registry in (ROOT / name).read_bytes() for registry in registries)
    ]

    assert bad == []
