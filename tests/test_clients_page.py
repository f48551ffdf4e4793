"""The page of other people's clients is what the tests run, and what their last run said."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from tests.foreign.environments import CLIENTS, FOREIGN, SCENARIOS, versions
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text("utf-8")
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "write_clients.py"))
HELD = json.loads((ROOT / "tests" / "foreign" / "held.json").read_text("utf-8"))


def test_the_page_is_what_the_script_writes() -> None:
    assert SCRIPT["page"](HELD) == PAGE, "write it anew: python scripts/write_clients.py"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_row(client: str) -> None:
    """Each scenario held, or the client can't do it, and says why."""
    start = f"| {CLIENTS[client]['name']} |"
    (row,) = [line for line in PAGE.splitlines() if line.startswith(start)]
    cells = [cell.strip() for cell in row.strip("|").split("|")][2:]
    cannot = CLIENTS[client]["cannot"]

    assert cells == [cannot.get(one, "✓") for one in SCENARIOS]
    assert HELD["held"][client] == {one: True for one in SCENARIOS if one not in cannot}


@pytest.mark.parametrize("client", FOREIGN)
def test_what_held_did_so_with_what_is_installed(client: str) -> None:
    assert HELD["versions"][client] == versions(client), "other versions: run pytest -m holds anew"


@pytest.mark.parametrize("client", CLIENTS)
def test_the_lines_are_those_that_run(client: str) -> None:
    path = ROOT / CLIENTS[client]["lines"]
    lines = {line.strip() for line in path.read_text("utf-8").splitlines()}
    section = PAGE.split(f"### {CLIENTS[client]['name']}\n")[1].split("```")[1]
    quoted = [line.strip() for line in section.splitlines()[1:] if line.strip()]

    assert len(quoted) >= 2
    assert set(quoted) <= lines
    assert any("token" in line or "API_KEY" in line for line in quoted)


def test_what_is_not_run_is_not_claimed(tmp_path: Path) -> None:
    nothing = SCRIPT["page"]({**HELD, "held": {"livekit": {"text": False}}})

    assert "✓" not in nothing
    assert nothing.count("✗") == 1
    assert "not run" in nothing


def test_the_readme_leads_there() -> None:
    assert "docs/clients.md" in (ROOT / "README.md").read_text("utf-8")
