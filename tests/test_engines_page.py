"""The page on engines: its example is installed as a package, found by name and talked with."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.audio.speech_engines import vad_engine_names
from realtime_nb.local.registry import engine_names
from realtime_nb.testing import silence, tone
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "engines.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the page's package was installed into."""
    package, target = tmp_path_factory.mktemp("my_engines"), tmp_path_factory.mktemp("site")
    *engines, _other = blocks("python")
    (declared,) = blocks("toml")
    (package / "my_engines.py").write_text("\n\n".join(engines))
    (package / "pyproject.toml").write_text(declared)
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet"]
    options = ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, *options, str(package)], check=True, capture_output=True)
    return target


@pytest.fixture
def mine(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)
    monkeypatch.delitem(sys.modules, "my_engines", raising=False)


def test_its_engines_are_short() -> None:
    for code in blocks("python")[:4]:
        lines = [line for line in code.splitlines() if line and not line.startswith("import")]
        assert len(lines) <= 10


def test_its_engines_are_found_by_name(mine: None) -> None:
    assert all("mine" in names for names in engine_names().values())
    assert "rules+mine" in engine_names()["llm"]


LOUD, QUIET = "That was loud.", "That was quiet."


@pytest.mark.parametrize(
    ("vad", "heard"),
    [("mine", [LOUD]), ("energy", [LOUD, QUIET])],  # below half of full scale, theirs hears nobody
)
async def test_a_conversation_with_them(
    mine: None, tmp_path: Path, vad: str, heard: list[str]
) -> None:
    engines: Any = {"vad": vad, "stt": "mine", "llm": "mine", "tts": "mine"}
    async with rt.connect("local", pace=20, record=tmp_path, **engines) as session:
        for level in (0.8, 0.2):
            await session.speak(silence(200) + tone(800, level=level) + silence(1_000))
            assert await session.settled()
        await session.say("Hello")
        assert await session.settled()
        said = session.conversation.transcript()
    answered = [[("user", words), ("assistant", f"You said: {words}")] for words in heard]
    assert said == [*chain(*answered), ("user", "Hello"), ("assistant", "You said: Hello")]
    assert session.recording is not None
    created = next(
        line.event
        for line in rt.load(session.recording).raw_events()
        if line.event["type"] == "session.created"
    )
    names = {"vad": vad, "stt": "loudness", "llm": "parrot", "tts": "beeps"}
    assert created["engines"] == names


def test_it_names_those_that_there_are() -> None:
    for kind, names in engine_names().items():
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |"))
        assert f"`{names[0]}`" in row
    for name in vad_engine_names()[:4]:
        assert f"| `{name}` |" in PAGE
