from __future__ import annotations

import builtins
from typing import Any

import pytest

from realtime_nb.commands.bench import browser, inspector, notebook
from realtime_nb.errors import ConfigurationError, MissingExtraError

RUNS = pytest.mark.parametrize("run", [inspector.run, notebook.run])


@RUNS
def test_without_chromium(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api")
    monkeypatch.setattr(browser, "chromium", lambda: None)
    with pytest.raises(ConfigurationError, match="Chromium is not installed"):
        run()


@RUNS
def test_without_playwright(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("playwright"):
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'realtime_nb\[dev\]'"):
        run()
