"""Pages that show one widget each, without Jupyter, for the tests of the views."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.view_page import ViewPage, open_view
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.view import View
from tests.scripted_session import LiveSession, three_turns

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<img src=x onerror='window.hacked = true'><b>bold</b>"
THEMES = Path("share/jupyter/lab/themes/@jupyterlab")
HARMLESS = "window.hacked === undefined && document.querySelector('#view :is(img, b b)') === null"

Show = Callable[..., ViewPage]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    with start_playwright() as playwright, open_browser(playwright) as running:
        yield running


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """Shows a widget; pages and widgets end with the test, and no script may have failed."""
    problems: list[str] = []
    with ExitStack() as stack:

        def one(widget: View, **options: Any) -> ViewPage:
            stack.callback(widget.close)
            view = stack.enter_context(open_view(browser, widget, **options))
            view.page.on("pageerror", lambda error: problems.append(str(error)))
            view.page.set_default_timeout(5_000)
            return view

        yield one
    assert problems == []


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    live = LiveSession(recorder)
    three_turns(live)
    refused = {"type": "realtime", "instructions": EVIL}
    live.sent(16.0, "session.update", event_id="mine_1", session=refused)
    error = {"code": "invalid_value", "message": f"Invalid: {EVIL}", "event_id": "mine_1"}
    live.received(16.0, "error", error=error)
    recorder.close()
    return load(recorder.path)


def themed(theme: str) -> str:
    """A page's head with JupyterLab's "light" or "dark" colours, where it is installed."""
    css = Path(sys.prefix) / THEMES / f"theme-{theme}-extension" / "index.css"
    style = css.read_text("utf-8") if css.exists() else ""
    return f"<style>{style} body {{ background: var(--jp-layout-color0) }}</style>"


def label(view: ViewPage) -> str:
    return view.page.locator("canvas").get_attribute("aria-label") or ""


def labelled(view: ViewPage, text: str) -> None:
    view.until("(t) => document.querySelector('canvas').ariaLabel?.includes(t)", text)
