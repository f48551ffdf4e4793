"""What every command prints with --json, parsed as strictly as any other program would."""

from __future__ import annotations

import inspect
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.commands import cli, serve, talk
from realtime_nb.commands.doctor import Check, DoctorReport
from tests.paths import DATA

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture) -> Any:
    """The last line of stdout; words that Python takes for numbers are refused."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(capsys.readouterr().out.splitlines()[-1], parse_constant=refuse)


@dataclass
class Odd:
    """What JSON has no word for."""

    nan: float = math.nan
    infinite: object = -np.inf
    missing: object = pd.NA
    moment: object = pd.NaT
    count: object = np.int64(3)
    where: Path = Path("a/b")


TOLD = {"nan": None, "infinite": None, "missing": None, "moment": None, "count": 3, "where": "a/b"}


class Told:
    """A result that has no NaN in Python alone."""

    complete = works = True

    def to_dict(self) -> dict[str, object]:
        return {"odd": [Odd()], "pd": pd.DataFrame({"a": [math.nan]})}


def test_each_command_with_json_is_tested_here() -> None:
    having = [
        len(re.findall(r"as_json: AsJson", inspect.getsource(module))) for module in (cli, serve)
    ]

    assert having == [4, 1]  # talk, vad, doctor, bench; serve


def test_talk_whose_turns_have_no_latency(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    result = talk._result(rt.load(DATA / "written_before"), [], [])

    async def held(*_: object, **__: object) -> object:
        return result

    monkeypatch.setattr(talk, "talk", held)
    assert cli.main(["talk", "x.wav", "--json"]) == 0
    turns = printed(capsys)["turns"]
    assert [turn["latency_ms"] is None for turn in turns] == [True, False, False]
    assert [turn["latency_note"] for turn in turns] == ["typed", None, None]
    assert turns[1]["heard"].startswith("I heard you.")


@pytest.mark.parametrize(
    ("arguments", "module", "name"),
    [
        (["talk", "x.wav"], "talk", "talk"),
        (["vad", "x.wav"], "vad", "speech_in_file"),
        (["doctor"], "doctor", "doctor"),
    ],
)
def test_results_with_what_json_lacks(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    module: str,
    name: str,
) -> None:
    async def held(*_: object, **__: object) -> Told:
        return Told()

    found = held if name == "talk" else lambda *_, **__: Told()
    monkeypatch.setattr(f"realtime_nb.commands.{module}.{name}", found)

    assert cli.main([*arguments, "--json"]) == 0
    assert printed(capsys) == {"odd": [TOLD], "pd": [{"a": None}]}


def test_figures_of_a_benchmark(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in cli.BENCHMARKS:
        monkeypatch.setattr(f"realtime_nb.commands.bench.{name}.run", Odd)

    assert cli.main(["bench", "--json"]) == 0
    assert printed(capsys) == dict.fromkeys(cli.BENCHMARKS, TOLD)


def test_a_check_that_names_what_can_not_be_encoded(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = DoctorReport((Check("voice", "ok", "a \ud800 microphone"),))
    monkeypatch.setattr("realtime_nb.commands.doctor.doctor", lambda: report)

    assert cli.main(["doctor", "--json"]) == 0
    assert printed(capsys)["checks"][0]["name"] == "voice"
