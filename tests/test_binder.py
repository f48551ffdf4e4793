"""Binder: what repo2docker reads is what there is; the rest is tried by what it would run."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.paths import ROOT

BINDER = ROOT / "binder"


def test_its_requirements_are_this_package_from_the_root() -> None:
    lines = (BINDER / "requirements.txt").read_text("utf-8").split("\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    constraints, package = (line.split(maxsplit=1) for line in lines if line)

    assert constraints[0] == "-c" and (BINDER / constraints[1]).is_file()  # relative to the file
    assert package[0] == "-e"
    folder, extras = re.fullmatch(r"(.+)\[(.+)\]", package[1]).groups()  # type: ignore[union-attr]
    assert folder == "."  # relative to where pip runs, which is the root
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_its_python_is_one_of_ours() -> None:
    version = (BINDER / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")

    assert f'"Programming Language :: Python :: {version}"' in (ROOT / "pyproject.toml").read_text()


def test_nothing_hides_its_files() -> None:
    """repo2docker takes another buildpack where it finds one of these first."""
    before = [
        "Dockerfile",
        "environment.yml",
        "Project.toml",
        "Pipfile",
        "default.nix",
        "DESCRIPTION",
    ]

    assert [name for name in before for folder in (ROOT, BINDER) if (folder / name).exists()] == []


def test_what_it_runs_at_the_end_can_be_run() -> None:
    script = BINDER / "postBuild"

    assert os.access(script, os.X_OK)
    assert script.read_bytes().startswith(b"#!")
    subprocess.run(["bash", "-n", script], check=True)


def test_the_link_opens_a_notebook_that_there_is() -> None:
    (opened,) = re.findall(r"urlpath=lab/tree/(\S+?)[)`]", (BINDER / "README.md").read_text())

    assert (ROOT / opened).is_file()


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_its_commands_build_an_environment_in_which_the_first_tutorial_runs(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "check-binder.sh", tmp_path / "binder"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    asked = [line for line in done.stdout.splitlines() if not line.startswith("==")]
    assert "Building conda environment for python=3.11" in asked
    assert (
        '${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"'
        in asked
    )
    assert "apt-get install --yes --no-install-recommends libportaudio2" in asked
    assert "./binder/postBuild" in asked
    assert "ran to its end" in asked[-1]
