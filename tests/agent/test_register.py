from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import IPython
import pytest

from realtime_nb.agent.register import (
    CellRun,
    register,
    replaced_by,
    rivals_of,
    running_cell,
    unregister,
)


class One:
    """An agent as far as the register needs it."""

    def __init__(
        self, in_page: bool = True, active: bool = True, made_by: CellRun | None = None
    ) -> None:
        self.in_page = in_page
        self.active = active
        self.made_by = made_by
        register(self)

    def disconnect(self) -> Any:
        self.active = False


def test_those_with_the_page_are_rivals() -> None:
    one, other, idle, host = One(), One(), One(active=False), One(in_page=False)
    assert rivals_of(one) == [other]
    assert rivals_of(host) == []
    assert set(rivals_of(idle)) == {one, other}


def test_a_later_run_of_a_cell_replaces_what_an_earlier_made() -> None:
    first, same = One(made_by=CellRun("a", "1")), One(made_by=CellRun("a", "1"))
    elsewhere, nowhere = One(made_by=CellRun("b", "2")), One()
    idle = One(active=False, made_by=CellRun("a", "1"))
    closed = One(active=False, made_by=CellRun("a", "1"))
    unregister(closed)
    later = One(in_page=False, made_by=CellRun("a", "3"))
    assert set(replaced_by(later)) == {first, same, idle}
    assert replaced_by(nowhere) == []
    assert replaced_by(elsewhere) == []


def test_agents_that_nobody_has_are_forgotten() -> None:
    one = One()
    One()
    assert rivals_of(one) == []


@pytest.mark.parametrize(
    ("parent", "found"),
    [
        ({"metadata": {"cellId": "a"}, "header": {"msg_id": "1"}}, CellRun("a", "1")),
        ({"metadata": {}, "header": {"msg_id": "1"}}, None),
        ({}, None),
        (None, None),
    ],
    ids=["a notebook", "a console", "nothing runs", "no parent"],
)
def test_the_running_cell(
    monkeypatch: pytest.MonkeyPatch, parent: Any, found: CellRun | None
) -> None:
    shell = SimpleNamespace(get_parent=lambda: parent)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert running_cell() == found


def test_no_cell_runs_in_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert running_cell() is None
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    assert running_cell() is None
