"""The lab's scoreboard in narrow cells: every column can be read, or reached."""

from __future__ import annotations

from pathlib import Path

import realtime_nb as rt
from tests.e2e import view_pages
from tests.e2e.view_pages import Show, themed

browser, show = view_pages.browser, view_pages.show

NAMES = ["turns", "split", "false", "missed", "wait ms", "precision", "recall"]
# Where the words of each row's figures are, from the left, and of the columns' names.
_WORDS = """
(table) => [...table.querySelectorAll("tr")].map((row) => [...row.children]
  .filter((cell) => cell.matches("[role=columnheader], [role=cell]:not(.rtnb-lab-acts)"))
  .filter((cell) => cell.textContent && cell.offsetParent)
  .map((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    const {left, right} = range.getBoundingClientRect();
    return [cell.textContent, left, right];
  }))
"""


def test_every_column_of_the_scores_is_read_or_reached(show: Show, tmp_path: Path) -> None:
    rec = rt.samples("cut_short", folder=tmp_path)
    lab = rt.VADLab(
        rec,
        ghosts={
            **{"eager": {"silence_duration_ms": 200}, "deaf": {"threshold": 0.99}},
            **{"patient for people who think": {"silence_duration_ms": 1500}},
            **{"open": {"threshold": 0.2}, "short": {"prefix_padding_ms": 0}},
            "slow": {"silence_duration_ms": 800},
        },
    )
    lab.label("not_me", 1.0)
    lab.label("not_finished", 8.0)
    view = show(lab.panel, width=400, height=1_500, head=themed("dark"))
    view.until("document.querySelectorAll('.rtnb-lab-scores tbody tr').length === 8")
    board, table = view.page.locator(".rtnb-lab-scroll"), view.page.locator(".rtnb-lab-scores")
    for width in (400, 320):
        view.page.set_viewport_size({"width": width, "height": 1_500})
        rows = table.evaluate(_WORDS)
        assert [name for name, *_ in rows[0]] == NAMES
        assert len(rows) == 9
        for row in rows:
            edges = [edge for _, left, right in row for edge in (left, right)]
            assert edges == sorted(edges), (width, row)  # no word lies on another
            assert edges[-1] <= width
        for heading, figure in zip(rows[0], rows[-1], strict=True):
            assert abs(heading[2] - figure[2]) < 1  # each figure ends under its column's name

    view.page.set_viewport_size({"width": 250, "height": 1_500})
    assert board.evaluate("box => box.scrollWidth > box.clientWidth")
    board.focus()
    view.page.keyboard.press("End")
    for _ in range(10):
        view.page.keyboard.press("ArrowRight")
    view.until(
        "(() => { const box = document.querySelector('.rtnb-lab-scroll');"
        " return box.scrollLeft + box.clientWidth >= box.scrollWidth - 1; })()"
    )
