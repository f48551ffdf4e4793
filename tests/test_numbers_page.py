"""The page that says what each number means is what the package says."""

from __future__ import annotations

import runpy

import pytest

from realtime_nb.analysis.columns.column import Table
from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.metrics.definitions import DEFINITIONS
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "numbers.md").read_text("utf-8")


def test_the_page_is_what_the_script_writes() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write_numbers.py"))["page"]()

    assert written == PAGE, "write it anew: python scripts/write_numbers.py"


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_column_has_a_row(table: Table) -> None:
    section = PAGE.split(f"### `{table.name}`\n")[1].split("\n#")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]

    assert [row[0] for row in rows] == [f"| `{one.name}`" for one in table.columns]
    assert all(len(row) == 6 and row[3] and row[4] and row[5].rstrip(" |") for row in rows)


def test_every_metric_has_a_row() -> None:
    rows = [line for line in PAGE.split("## Metrics")[1].splitlines() if line.startswith("| `")]

    assert sorted(row.split("`")[1] for row in rows) == sorted(DEFINITIONS)


def test_the_readme_leads_there() -> None:
    assert "docs/numbers.md" in (ROOT / "README.md").read_text("utf-8")
