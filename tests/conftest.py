"""What holds for the sessions of all tests."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from realtime_nb.protocol.conversation import Conversation
from realtime_nb.recordings.recording import load
from realtime_nb.session.driver import Driver
from tests import tallies

# How long an example takes tells of the machine's load, not of what is tested. The rest stays as
# hypothesis sets it: in CI the same examples each time, elsewhere new ones.
settings.register_profile("no deadlines", settings.default, deadline=None)
settings.load_profile("no deadlines")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Live sound on a machine that may be busy with something else: one stall is not a fault of
    ours, two in a row are. What takes minutes begins at once, beside all the rest."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)
    for item in items:
        if item.get_closest_marker("live") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1))
        item.user_properties += [("holds", mark.args) for mark in item.iter_markers("holds")]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What all the test modules brought stays to the end: no collection looks through it again.

    Where they are all loaded, tests that collect garbage took twice their processor time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def recordings_fold_as_live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever session a test records, it folds from disk to what the session held at its end."""
    close = Driver._close_recorder
    differences: list[str] = []

    async def close_and_compare(driver: Driver, complete: bool) -> None:
        await close(driver, complete)
        if driver.writing.recorder is None or driver._failure is not None:
            return
        if not driver.conversation.events_applied:
            return  # nothing is kept of a session that never began
        recording = load(driver.writing.recorder.path)
        live = driver.conversation
        tallies.FOLDED.update(sessions=1, events=live.events_applied)
        differences.extend(
            f"{recording.path}: {field.name}"
            for field in fields(Conversation)
            if field.compare
            and getattr(recording.conversation, field.name) != getattr(live, field.name)
        )

    monkeypatch.setattr(Driver, "_close_recorder", close_and_compare)
    yield
    assert differences == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"why {report.nodeid} was tried again")
        terminalreporter.write_line(report.longreprtext)
    for line in tallies.lines():
        terminalreporter.write_line(line)
    if named := os.environ.get("REALTIME_NB_HELD"):  # for scripts/write_clients.py
        told = json.dumps(tallies.held(), indent=2, sort_keys=True)
        Path(named).write_text(told + "\n", encoding="utf-8")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Comes from all processes, and in the one that sums up."""
    for name, value in report.user_properties:
        if name == "holds" and isinstance(value, list | tuple):
            client, scenario = value
            held = tallies.HELD.setdefault(client, {})
            held[scenario] = held.get(scenario, True) and report.passed
        elif name == "notebooks" and isinstance(value, dict) and report.when == "call":
            tallies.NOTEBOOKS_S.update(value)


def pytest_sessionfinish(session: pytest.Session) -> None:
    sent = getattr(session.config, "workeroutput", None)  # in a process of pytest-xdist's
    if sent is not None:
        sent["tallies"] = tallies.taken()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    sent = getattr(node, "workeroutput", {})  # a process that crashed has sent nothing
    if "tallies" in sent:
        tallies.add(sent["tallies"])
