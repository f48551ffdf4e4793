"""One JupyterLab in one page for the tests of a module: loading it takes most of what a test costs.

Each test gets a notebook and a kernel of its own in it, and a page that looks as when it was new.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.commands.bench.browser import open_browser
from realtime_nb.commands.bench.lab_page import Lab, LabPage, open_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

__all__ = ["SharedPages"]

_OPEN = """
async (path) => {
  if (jupyterapp.shell.leftCollapsed) jupyterapp.shell.expandLeft();
  opened.tracks.length = opened.contexts.length = 0;
  const panel = await jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook"});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session?.kernel?.info;
}
"""
# Whether nothing of the test is left to be seen.
_CLOSE = """
async () => {
  for (const widget of [...jupyterapp.shell.widgets("main")]) {
    await widget.sessionContext?.shutdown().catch(() => 0);
    if (widget.context) widget.context.model.dirty = false;
    widget.close();
  }
  const left = () => document.querySelector(".jp-Dialog, .jp-Notebook") !== null;
  for (let frames = 0; left() && frames < 60; frames++) await new Promise(requestAnimationFrame);
  return !left(); // a closed widget leaves the page a frame or two later
}
"""
_DARK = "document.body.dataset.jpThemeLight === 'false'"


class SharedPages:
    """At most two: one whose microphone plays what the test at hand gives, and one without any."""

    def __init__(self, playwright: Playwright, lab: Lab, folder: Path) -> None:
        self._playwright = playwright
        self._lab = lab
        self._microphone = folder / "microphone.wav"  # Chromium reads it whenever it is opened
        self._pages: dict[bool, tuple[LabPage, ExitStack]] = {}

    def open(self, name: str, microphone: Path | None, size: tuple[int, int]) -> LabPage:
        """Opens a notebook of the server's folder, once its kernel answers."""
        if microphone is not None:
            shutil.copyfile(microphone, self._microphone)
        speaks = microphone is not None
        if speaks not in self._pages:
            return self._load(speaks, name, size)
        shown, _ = self._pages[speaks]
        shown.page.context.clear_permissions()
        shown.page.set_viewport_size({"width": size[0], "height": size[1]})
        if shown.page.evaluate(_DARK):
            shown.theme("JupyterLab Light")
        shown.page.evaluate(_OPEN, name)
        shown.page.wait_for_url(f"**/{name}*")
        return LabPage(shown.page)

    def _load(self, speaks: bool, name: str, size: tuple[int, int]) -> LabPage:
        stack = ExitStack()
        source = self._microphone if speaks else None
        browser = stack.enter_context(open_browser(self._playwright, source))
        self._pages[speaks] = open_notebook(browser, self._lab, name, size=size), stack
        return self._pages[speaks][0]

    def tidy(self, keep: bool) -> None:
        """Closes what the test opened; a page that is not to be kept, or can't be tidied, too."""
        for speaks, (shown, stack) in list(self._pages.items()):
            if not (_is_tidied(shown.page) and keep):
                stack.close()
                del self._pages[speaks]

    def close(self) -> None:
        """Ends the browsers."""
        self.tidy(keep=False)


def _is_tidied(page: Page) -> bool:
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate(_CLOSE))
    except Error:  # a test that failed may leave it closed, or on its way to elsewhere
        return False
