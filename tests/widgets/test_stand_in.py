from __future__ import annotations

import re
import threading
from types import SimpleNamespace
from typing import Any

import IPython
import pytest

from realtime_nb.widgets import stand_in
from realtime_nb.widgets.live import LiveWidget
from realtime_nb.widgets.stand_in import StandIn

VIEW = "application/vnd.jupyter.widget-view+json"
BUNDLE = {VIEW: {"model_id": "m1"}, "text/plain": "Lamp()"}


class Cell:
    """A cell's outputs, as a notebook keeps them."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.ids: list[str | None] = []
        self.updated = threading.Event()
        self.updates = 0

    def publish(
        self, data: dict[str, Any], metadata: Any, transient: dict[str, str], update: bool
    ) -> None:
        display_id = transient.get("display_id")
        if not update:
            self.outputs.append(data)
            self.ids.append(display_id)
            return
        self.outputs[self.ids.index(display_id)] = data
        self.updates += 1
        self.updated.set()


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    made = Cell()
    shell = SimpleNamespace(display_pub=made, kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    return made


class Words:
    """A summary that a test changes."""

    def __init__(self, text: str = "one") -> None:
        self.text = text

    def __call__(self) -> tuple[str, str]:
        return self.text, f"<b>{self.text}</b>"


class Lamp(LiveWidget):
    _esm = "export default {}"

    def summary(self) -> str:
        return "a <lamp>"

    def picture(self) -> str:
        return "<hr>"


def test_the_summary_comes_first_and_the_view_alone_behind_it(cell: Cell) -> None:
    StandIn(Words()).show(BUNDLE, {})
    summary, view = cell.outputs
    assert summary["text/plain"] == "one"
    assert re.search(
        r"^<!-- one -->\n<div data-realtime-nb-summary=.*<b>one</b></div>$",
        summary["text/html"],
        re.S,
    )
    assert VIEW not in summary
    assert view == {VIEW: {"model_id": "m1"}, "text/plain": ""}


def test_a_collapsed_output_tells_what_is_in_it(cell: Cell) -> None:
    evil = '--><script>alert("x")</script> --!> <lamp>'
    StandIn(lambda: (f"{evil}\nmore", "<b>page</b>")).show(BUNDLE, {})
    first, _, rest = cell.outputs[0]["text/html"].partition("\n")
    told = '--&gt;&lt;script&gt;alert("x")&lt;/script&gt; --!&gt; &lt;lamp&gt;'
    assert first == f"<!-- {told} -->"
    assert "script" not in rest


def test_the_styles_name_the_class_that_its_views_have(cell: Cell) -> None:
    lamp = Lamp()
    lamp._ipython_display_()
    page = cell.outputs[0]["text/html"]
    [view_class] = lamp._dom_classes
    assert f"body:has(.{view_class})" in page
    assert "<hr>" in page and "a &lt;lamp&gt;" in page
    other = Lamp()
    assert other._dom_classes != lamp._dom_classes
    other.close()
    lamp.close()


def test_a_closed_widget_is_shown_by_its_summary(cell: Cell) -> None:
    lamp = Lamp()
    lamp.close()
    lamp._ipython_display_()
    [summary] = cell.outputs
    assert summary["text/plain"] == "a <lamp>"


def test_what_was_shown_is_brought_up_to_date_when_it_has_changed(cell: Cell) -> None:
    words = Words()
    shown = StandIn(words)
    shown.refresh()
    assert cell.outputs == []  # nobody sees it
    shown.show(BUNDLE, {})
    shown.refresh()
    assert cell.updates == 0  # nothing has changed
    words.text = "two"
    shown.refresh()
    assert cell.outputs[0]["text/plain"] == "two"
    words.text = "three"
    shown.close()
    assert cell.outputs[0]["text/plain"] == "three"


def test_a_terminal_is_not_told_twice(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(display_pub=cell))
    words = Words()
    shown = StandIn(words)
    shown.show(BUNDLE, {})
    words.text = "two"
    shown.refresh()
    assert cell.updates == 0


def test_a_summary_that_fails_ends_nothing(cell: Cell) -> None:
    words = Words()
    shown = StandIn(words)
    shown.show(BUNDLE, {})
    shown._contents = lambda: 1 / 0  # type: ignore[assignment, return-value]
    shown.refresh()
    shown.close()
    assert cell.outputs[0]["text/plain"] == "one"


def test_many_changes_are_one_refresh_once_it_is_quiet(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "QUIET_S", 0.05)
    words = Words()
    shown = StandIn(words)
    shown.refresh_soon()
    assert shown._timer is None  # nobody sees it
    shown.show(BUNDLE, {})
    for number in range(100):
        words.text = f"{number}"
        shown.refresh_soon()
    assert cell.updated.wait(5)
    assert cell.outputs[0]["text/plain"] == "99"
    assert cell.updates == 1


def test_while_things_go_on_changing_it_is_refreshed_now_and_then(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "QUIET_S", 60.0)
    monkeypatch.setattr(stand_in, "LONGEST_S", 0.01)
    monkeypatch.setattr(StandIn, "_arm", lambda self, after_s: armed.append(after_s))
    armed: list[float] = []
    words = Words()
    shown = StandIn(words)
    shown.show(BUNDLE, {})
    shown._made_s -= 1.0
    words.text = "two"
    shown.refresh_soon()
    shown._fire()
    assert cell.outputs[0]["text/plain"] == "two"
    assert armed == [60.0]


def test_after_the_end_nothing_is_armed(cell: Cell) -> None:
    shown = StandIn(Words())
    shown.show(BUNDLE, {})
    shown.refresh_soon()
    assert shown._timer is not None
    timer = shown._timer
    shown.close()
    timer.join(5)
    shown.refresh_soon()
    assert cell.updates == 0
