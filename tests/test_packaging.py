"""What a user installs is whole: code, weights, samples, notebooks, notices, types."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from hatchling.builders.sdist import SdistBuilder

from realtime_nb.commands import lab
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


def test_links_of_the_tutorials_hold_in_the_copy_that_a_user_gets(
    wheel: zipfile.ZipFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = ("realtime_nb/notebooks/", "realtime_nb/docs/")
    wheel.extractall(tmp_path, [name for name in wheel.namelist() if name.startswith(shipped)])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(lab, "_PACKAGE", tmp_path / "realtime_nb")

    notebooks = lab.tutorials()

    root = notebooks.parent.resolve()
    links = [link for path in root.rglob("*.*") for link in _links(path)]
    assert len(links) > 50
    assert any("docs/" in link for _, link in links)
    for path, link in links:
        place = (path.parent / unquote(link)).resolve()
        assert place.is_file(), f"{path.name}: {link}"
        assert place.is_relative_to(root)  # JupyterLab follows no other


def _links(path: Path) -> list[tuple[Path, str]]:
    """Returns what a notebook or a page links to by its place."""
    text = path.read_text("utf-8") if path.suffix in (".ipynb", ".md") else ""
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"""\]\(([^)\s]+)|(?:src|href|srcset)=["']([^"']+)""", text)
    links = (bare.partition("#")[0] for pair in found for bare in pair)
    return [(path, link) for link in links if link and ":" not in link]


def test_the_sdist_holds_all_that_git_knows() -> None:
    """By what its builder would take: packing it takes longer than all other tests here."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()

    taken = {file.relative_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}

    assert set(tracked) - taken == {".ci/run"}


def test_the_wheel_says_whom_it_is_for(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    told = wheel.read(name).decode()

    assert "Requires-Python: <3.14,>=3.11" in told
    for version in ("3.11", "3.12", "3.13"):
        assert f"Python :: {version}" in told
    for extra in ("local", "lab", "all", "docs"):
        assert f"Provides-Extra: {extra}\n" in told


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    told = dict(re.findall(r"^([\w-]+): (.+)$", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert told["cff-version"] == "1.2.0"
    assert (told["title"], told["version"]) == (project["name"], project["version"])
    assert told["license"] == project["license"]
    assert "message" in told and "\nauthors:\n  - name: " in text


def test_the_time_to_the_first_answer_is_that_of_a_command_of_the_readme() -> None:
    script = ROOT / "scripts" / "first-answer.sh"
    told = subprocess.run([script, "--command"], check=True, capture_output=True, text=True)
    refused = subprocess.run([script, "two minutes"], capture_output=True, text=True)
    command = told.stdout.strip()
    planned = subprocess.run(
        [*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert f"\n{command} " in (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"realtime-nb talk \S+\.wav$", planned.stdout, re.MULTILINE)
    assert refused.returncode == 2
    assert "whole number such as 120, not 'two minutes'" in refused.stdout


def test_make_looks_for_live_sound_wherever_there_is_some() -> None:
    (told,) = re.findall(r"^LIVE := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    folders = [ROOT / name for name in told.split()]
    marked = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"mark\.(live|alone)\b", path.read_text("utf-8"))
    ]

    assert len(marked) > 10
    assert [path for path in marked if not any(map(path.is_relative_to, folders))] == []


def test_ci_uses_what_users_install() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "packages"], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert (
        "packages" in re.findall(r"^make .*$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[0]
    )
    for script in ("check-wheel", "check-pythons", "check-binder"):
        assert f"scripts/{script}.sh" in planned.stdout


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_every_supported_python_that_is_here_talks(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "check-pythons.sh", tmp_path / "pythons"],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    here = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    assert any(line.startswith(here) and "talks" in line for line in done.stdout.splitlines())


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
