"""Engines by name, of a kind that is made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_nb.audio.named_engines import EngineNames, Shipped, refuse_without
from realtime_nb.errors import ConfigurationError
from tests.plug_ins import PlugIns

GROUP = "realtime_nb.horns"


def a_horn(engine: Any, subject: str, name: str) -> Any:
    refuse_without(engine, subject, ("blow",), "a horn has blow()")
    return engine


HORNS: EngineNames[Any] = EngineNames(
    "horn",
    GROUP,
    {
        "list": Shipped("builtins:list"),
        "absent": Shipped(
            "no_such_module:Horn", ("no_such_module",), install=("hornlib", "pip it")
        ),
        "program": Shipped("builtins:dict", program="no-such-program"),
    },
    a_horn,
)


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlugIns:
    made = PlugIns(tmp_path, monkeypatch)
    made.write("horns", "class Good:\n    def blow(self): ...\n\n\nclass Bad: ...\n")
    made.install("hornworks", {GROUP: {"good": "horns:Good", "bad": "horns:Bad", "list": "x:y"}})
    return made


def test_those_that_can_be_used_are_listed(plug_ins: PlugIns) -> None:
    assert list(HORNS) == ["list", "bad", "good"]


def test_ours_keep_their_names_and_others_are_found(plug_ins: PlugIns) -> None:
    assert HORNS.make("list") == []
    assert type(HORNS.make("good")).__name__ == "Good"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Good", r"Unknown horn 'Good'; choose from list, bad, good\. .*Did you mean 'good'\?"),
        (
            "zzz",
            r"Unknown horn 'zzz'; choose from list, bad, good\. Not installed here: absent, pr",
        ),
        (["good"], r"Unknown horn \['good'\]"),
        (None, "Unknown horn None"),
        ("", "Unknown horn ''"),
        ("absent", r"needs the package hornlib, and that is not installed\. Run: pip it\. Until"),
        (
            "bad",
            r"horn is 'bad', and what horns:Bad of hornworks makes has no method blow\(\); a",
        ),
    ],
)
def test_those_that_cannot_be_had(plug_ins: PlugIns, name: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        HORNS.make(name)


def test_the_option_can_be_called_otherwise(plug_ins: PlugIns) -> None:
    for ask in (HORNS.make, HORNS.check):
        with pytest.raises(ConfigurationError, match="Unknown tuba 'x'"):
            ask("x", "tuba")


def test_a_name_is_checked_without_making_the_engine(plug_ins: PlugIns) -> None:
    HORNS.check("bad")
    HORNS.check("list")
    with pytest.raises(ConfigurationError, match="Unknown horn 'worse'"):
        HORNS.check("worse")


def test_a_name_of_two_is_among_the_choices(plug_ins: PlugIns) -> None:
    shipped = {"list": Shipped("builtins:list"), "dict": Shipped("builtins:dict")}
    horns: EngineNames[Any] = EngineNames("horn", GROUP, shipped, a_horn, first="list")
    assert list(horns) == ["list", "dict", "bad", "good"]
    assert horns.choices == [*horns, "list+dict", "list+bad", "list+good"]
    assert (horns.make("list+dict"), type(horns.make("list+good")).__name__) == ({}, "Good")
    for wrong in ("list+goood", "dict+list", "list+", "list+list", "zzz"):
        with pytest.raises(ConfigurationError) as refused:
            horns.check(wrong)
        assert repr(wrong) in str(refused.value)
        assert all(name in str(refused.value) for name in horns.choices)
