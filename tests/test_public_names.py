"""The names of ``import realtime_nb as rt``: all there, each imported when it is first used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.archive.recorder import Recorder
from tests.scripted_session import LiveSession, three_turns

# Some milliseconds each: none of them may be paid by those who only import the package.
NOT_AT_IMPORT = {
    "numpy",
    "pandas",
    "matplotlib",
    "msgspec",
    "pydantic",
    "websockets",
    "soxr",
    "soundfile",
    "asyncio",
    "anywidget",
    "ipywidgets",
}


def test_all_public_names_have_a_home() -> None:
    assert set(rt.__all__) == set(rt._HOMES) | set(rt._ROOMS) | {"__version__"}
    assert len(rt.__all__) == len(set(rt.__all__))


@pytest.mark.parametrize("name", rt.__all__)
def test_every_public_name_can_be_used(name: str) -> None:
    assert getattr(rt, name) is not None
    assert name in dir(rt)


@pytest.mark.parametrize("name", rt._HOMES)
def test_every_public_name_is_public_where_it_lives(name: str) -> None:
    home = __import__(f"realtime_nb.{rt._HOMES[name]}", fromlist=[name])
    assert name in home.__all__
    assert getattr(rt, name) is getattr(home, name)


def test_type_checkers_see_the_same_names_from_the_same_homes() -> None:
    tree = ast.parse(Path(rt.__file__).read_text())
    seen = {
        alias.asname or alias.name: (node.module or "").removeprefix("realtime_nb.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("realtime_nb.")
        for alias in node.names
    }
    assert seen == rt._HOMES | {"events": "protocol"}


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'realtime_nb' has no attribute 'conect'"):
        rt.conect  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, json; import realtime_nb; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    modules = set(json.loads(found.stdout))
    assert "realtime_nb" in modules
    assert modules & NOT_AT_IMPORT == set()
    assert [name for name in modules if name.startswith("realtime_nb.")] == []


def test_what_a_cell_shows_is_short(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    rec = rt.load(recorder.path)
    shown = [
        *(rec, rec.clip(0, 1), rec.clip(0, 1).audio(), rec.check(), rt.connect("local")),
        *(rec.conversation, rec.input_clock, rt.Timeline(rec), rt.CallInspector(rec)),
        *(rt.serve(), rt.ServerVAD(threshold=0.6), rt.SemanticVAD(), rt.Endpoint("ws://host")),
        *(
            rt.Agent("local"),
            rt.BrowserAudioSettings(),
            rt.Price(text_in=1.0),
            rt.Recordings(tmp_path),
        ),
    ]
    long = {type(one).__name__: len(repr(one)) for one in shown if len(repr(one)) > 220}
    assert long == {}
    assert [type(one).__name__ for one in shown if " object at 0x" in repr(one)] == []
