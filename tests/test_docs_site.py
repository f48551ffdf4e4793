"""The documentation: its code runs, its links lead somewhere, it names all names, it builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import realtime_nb as rt
from tests.page_code import python_blocks, run_block
from tests.paths import ROOT

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
READ_AS_FILES = ["README.md", "CONTRIBUTING.md", "binder/README.md", *PAGES]
RUN_ELSEWHERE = {  # page: the test that runs its code, or takes it from scripts that run
    "docs/clients.md": "tests/test_clients_page.py",
    "docs/engines.md": "tests/test_engines_page.py",
    "docs/sweep.md": "tests/test_sweep_page.py",
}
BLOCKS = [
    pytest.param(
        page,
        block,
        id=f"{Path(page).stem}-{index}",
        # Paced as life; one of them runs every time.
        marks=pytest.mark.long if "rt.replay(" in block and "guide" not in page else (),
    )
    for page in PAGES
    if page not in RUN_ELSEWHERE
    for index, block in enumerate(python_blocks(page))
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
async def test_the_code_runs(
    page: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_block(block, page, tmp_path, monkeypatch)


def test_no_code_is_left_out() -> None:
    for page, test in RUN_ELSEWHERE.items():
        assert python_blocks(page) and (ROOT / test).is_file()


def slug(heading: str) -> str:
    """Returns the anchor that GitHub and MkDocs give a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return re.sub(r"[ ]+", "-", plain)


def anchors(path: Path) -> set[str]:
    prose = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {slug(line) for line in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)}


def dead_links(page: str) -> list[str]:
    """Returns the links of a page into the repository that lead nowhere."""
    path = ROOT / page
    prose = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"", prose):
        target = link[0] or link[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", READ_AS_FILES)
def test_every_link_into_the_repository_leads_somewhere(page: str) -> None:
    assert dead_links(page) == []


def test_every_path_in_contributing_is_there() -> None:
    named = re.findall(r"`((?:realtime_nb|tests|scripts|docs)/[\w/.]+)`", read("CONTRIBUTING.md"))

    assert len(named) > 100
    assert [path for path in named if "/x/" not in path and not (ROOT / path).exists()] == []


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def test_the_reference_has_every_public_name_once() -> None:
    listed = re.findall(r"^::: realtime_nb\.(.+)$", read("docs/reference.md"), re.MULTILINE)
    public = {name for name in rt.__all__ if name not in ("__version__", "testing")}
    public |= {f"testing.{name}" for name in rt.testing.__all__}

    assert len(listed) == len(set(listed))
    assert set(listed) == public


def test_what_front_ends_are_said_to_say_is_what_the_page_says() -> None:
    said = re.findall(r"^> (.+)$", read("docs/front-ends.md"), re.MULTILINE)
    words = read("realtime_nb/widgets/microphone_trouble.js")

    assert len(said) >= 4
    assert [line for line in said if line not in words] == []


def test_the_extra_all_holds_every_other_one() -> None:
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    (named,) = extras["all"]

    held = set(named.removeprefix("realtime_nb[").removesuffix("]").split(","))

    assert held == extras.keys() - {"all", "dev", "docs"}
    for name in held:
        assert f"`[{name}]`" in read("docs/index.md")


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="pip install 'realtime_nb[docs]'")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    # The theme's word on versions of MkDocs to come is no warning of the build.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}

    done = subprocess.run(
        [*build, tmp_path / "site"], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    page = (tmp_path / "site" / "reference" / "index.html").read_text("utf-8")
    assert all(f'id="realtime_nb.{name}"' in page for name in ("connect", "Agent", "load"))
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (tmp_path / "site" / "notebooks" / notebook.name).is_file()
    assert not re.search(r":(func|class|meth|attr|mod|data):", page)
