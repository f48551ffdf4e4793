from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realtime_nb.analysis.checks import Checks
from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.recording import load
from tests.analysis.cost.priced_session import two_turns
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns

METRICS = pd.DataFrame(
    [
        ("latency_ms", 900.0, "ms", 5, 900.0, 1_200.0, 1_400.0, 1_500.0, None),
        ("underruns", 2.0, "count", 0, *[math.nan] * 4, None),
        ("snr_db", math.nan, "dB", 0, *[math.nan] * 4, "there is no input audio"),
    ],
    columns=["metric", "value", "unit", "n", "p50", "p90", "p95", "max", "reason"],
).set_index("metric")


@pytest.fixture(autouse=True)
def _known_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evidence, "metrics", METRICS)


def failures(check: Any, rec: MadeRecording | None = None) -> list[str]:
    """What one check leaves behind."""
    checks = Checks(rec or MadeRecording())
    check(checks)
    return checks.failures


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (lambda c: c.below("latency_ms", 901), []),
        (lambda c: c.below("latency_ms", 900), ["latency_ms is 900 ms, not below 900"]),
        (lambda c: c.below("latency_ms", p95=1_401), []),
        (
            lambda c: c.below("latency_ms", p50=800, p90=1_300, p95=1_200, max=1_501),
            [
                "p50 of latency_ms is 900 ms, not below 800",
                "p95 of latency_ms is 1400 ms, not below 1200",
            ],
        ),
        (lambda c: c.at_most("underruns", 2), []),
        (lambda c: c.at_most("underruns", 1), ["underruns is 2, not at most 1"]),
        (lambda c: c.at_least("underruns", 2), []),
        (lambda c: c.at_least("underruns", 3), ["underruns is 2, not at least 3"]),
        (
            lambda c: c.at_least("snr_db", 15),
            ["snr_db should be at least 15, but is not known: there is no input audio"],
        ),
        (lambda c: c.at_least("snr_db", 15, allow_unknown=True), []),
        (
            lambda c: c.below("underruns", p95=1),
            ["p95 of underruns should be below 1, but is not known: it has no p95"],
        ),
    ],
)
def test_figures(check: Any, expected: list[str]) -> None:
    assert failures(check) == expected


def test_cost() -> None:
    assert failures(lambda c: c.below("cost_usd", 0.03), two_turns()) == []
    assert failures(lambda c: c.below("cost_usd", 0.02), two_turns()) == [
        "cost_usd is 0.02213, not below 0.02"
    ]
    (unknown,) = failures(lambda c: c.at_most("cost_usd", 1), two_turns(model="x"))
    assert unknown.startswith("cost_usd should be at most 1, but is not known: 2 responses: no")


def with_errors() -> MadeRecording:
    rec = MadeRecording()
    rec.got(1.0, "error", error={"code": "response_cancel_not_active", "message": "None."})
    rec.got(2.0, "error", error={"code": "unknown_parameter", "message": "Unknown."})
    rec.answer(3.0, "resp_1", status="failed")
    rec.user(9.0, "user_1", "Hello?")
    return rec


def test_findings() -> None:
    rec = with_errors()

    assert failures(lambda c: c.no("late-output", "slow-answer"), rec) == []
    (unknown,) = failures(lambda c: c.no("unheard-speech"), rec)
    assert unknown.startswith("whether there is a finding of unheard-speech is not known: the turn")
    assert failures(lambda c: c.no("unheard-speech", allow_unknown=True), rec) == []
    (unanswered,) = failures(lambda c: c.no("unanswered-turn"), rec)
    assert unanswered == "turn 1: nothing answered 'Hello?'. [unanswered-turn]"
    assert len(failures(lambda c: c.no_errors(), rec)) == 2
    assert len(failures(lambda c: c.no_errors(except_benign=False), rec)) == 3
    assert len(failures(lambda c: c.none_worse_than("error", allow_unknown=True), rec)) == 0
    assert len(failures(lambda c: c.none_worse_than("warning", allow_unknown=True), rec)) == 2
    (*unknowns,) = failures(lambda c: c.no_errors())
    assert unknowns == [
        f"whether there is a finding of {id} is not known: there are no events"
        for id in ("rejected-requests", "response-failed")
    ]
    assert failures(lambda c: c.no_errors(allow_unknown=True)) == []


def test_all_failures_are_raised_at_once() -> None:
    with (
        pytest.raises(AssertionError) as raised,
        Checks(with_errors()) as check,
    ):
        check.below("latency_ms", p95=1_200)
        check.no_errors()
        check.none_worse_than("warning", allow_unknown=True)  # the same two again: told once

    lines = str(raised.value).splitlines()
    assert lines[0] == "3 checks failed for made:"
    assert lines[1] == "- p95 of latency_ms is 1400 ms, not below 1200"
    assert len(lines) == 4


def test_nothing_is_raised_when_all_holds() -> None:
    with Checks(MadeRecording()) as check:
        check.below("latency_ms", p95=1_500)
        check.none_worse_than("note", allow_unknown=True)


def test_another_error_goes_through() -> None:
    with pytest.raises(KeyError), Checks(MadeRecording()) as check:
        check.below("latency_ms", 1)
        raise KeyError("mine")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda c: c.below("latency", 1), "no metric 'latency'; did you mean 'latency_ms'"),
        (lambda c: c.at_most("xyz", 1), "there are: cost_usd, latency_ms, snr_db, underruns"),
        (lambda c: c.no("false_interruption"), "did you mean 'false-interruption'"),
        (lambda c: c.below("latency_ms"), "Give a limit"),
    ],
)
def test_misspelt_checks_do_not_pass(check: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        failures(check)


def test_on_a_recorded_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real metrics
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)

    with Checks(load(recorder.path)) as check:
        check.below("latency_ms", p95=850)
        check.at_most("underruns", 0)
        check.no_errors()
        check.no("false-interruption", "failed-tool", "dead-air")
    with (
        pytest.raises(AssertionError, match=r"p95 of latency_ms is 842\.5 ms, not below 800"),
        Checks(load(recorder.path)) as check,
    ):
        check.below("latency_ms", p95=800)
