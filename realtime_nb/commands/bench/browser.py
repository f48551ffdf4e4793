"""Chromium, driven by Playwright, for measurements and tests: what the ``dev`` extra brings.

$REALTIME_NB_CHROMIUM names the browser where it is not on the path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

__all__ = ["chromium", "open_browser", "start_playwright"]

_FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",
)


def chromium() -> str | None:
    """Returns where Chromium is; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = (shutil.which(name) for name in names)
    return os.environ.get("REALTIME_NB_CHROMIUM") or next(filter(None, found), None)


@contextmanager
def start_playwright() -> Iterator[Playwright]:
    """Runs Playwright; while it runs, no asyncio loop can run in this thread.

    Raises:
        MissingExtraError: Playwright is not installed.
        ConfigurationError: Chromium is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MissingExtraError("Playwright", "dev") from None
    if chromium() is None:
        raise ConfigurationError(
            "Chromium is not installed. Run: apt-get install chromium, or put a Chromium on PATH."
        )
    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def open_browser(
    playwright: Playwright,
    microphone: Path | None = None,
    allow: bool = True,
    flags: Sequence[str] = (),
) -> Iterator[Browser]:
    """Runs a headless Chromium.

    Args:
        playwright: a running one.
        microphone: a WAV file that the microphone plays once; None: there is no microphone.
        allow: whether the person gives the microphone to pages.
        flags: more of Chromium's command line.
    """
    arguments = [*_FLAGS, *flags]
    if microphone is not None:
        arguments += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
        ]
    if allow:
        arguments.append("--use-fake-ui-for-media-stream")
    browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
    try:
        yield browser
    finally:
        browser.close()
