"""Says at the end of a run how much was validated."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.conformance.validate import VALIDATED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if VALIDATED:
        terminalreporter.write_line(
            f"{VALIDATED.total()} server frames validated against the types of openai "
            f"{version('openai')} ({len(VALIDATED)} event types)"
        )
