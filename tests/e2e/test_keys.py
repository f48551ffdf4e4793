"""Keys typed into what the widgets show do nothing to the notebook around them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.browser import open_browser
from realtime_nb.commands.bench.lab_page import Lab
from tests.e2e.conftest import OpenPage
from tests.scripted_session import LiveSession, three_turns

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

# In command mode: Markdown, delete, above, below, cut, paste, merge, interrupt, restart, lines,
# heading, palette, save, run, scroll.
KEYS = (
    *("m", "y", "r", "d", "d", "a", "b", "x", "v", "z", "i", "i", "0", "0", "l", "o", "h", "1"),
    *("Shift+M", "Shift+L", "Shift+Enter", "Control+Enter", "Control+Shift+C", "Control+B"),
    *("Escape", "Space", "Shift+Space", "Enter", "ArrowUp", "ArrowDown", "ArrowLeft", "k", "j"),
)
# Nobody is called at this address, and what is pressed does nothing but take the key.
SHOWN = """
import realtime_nb as rt
from IPython.display import display
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.speaker import SpeakerWidget
recording = rt.load({recorded!r})
display(rt.Agent("ws://127.0.0.1:9/"), Microphone(), SpeakerWidget(), rt.Transcript(recording))
display(rt.EventInspector(recording), rt.Timeline(recording), CallInspector(recording))
rt.doctor()
"""
HARMLESS = """() => {
  globalThis.typedInto = new WeakSet();
  for (const type of ["click", "submit"]) {
    addEventListener(type, (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
  }
}"""
# What can have the focus: as the browser has it, which lets scrolled boxes have it, too.
FOCUSABLE = """() => {
  const nodes = [...document.querySelectorAll(".rtnb, .rtnb *, :has(> .rtnb)")];
  globalThis.focusable = nodes.filter((node) => {
    if (!node.checkVisibility()) return false;
    node.focus({preventScroll: true});
    return document.activeElement === node;
  });
  return focusable.map((node) => `${node.tagName} ${node.ariaLabel ?? node.textContent}`);
}"""
# Whether an element has the focus now and was not typed into before: other tabs show it, too.
FOCUS = """(index) => {
  const node = focusable[index];
  node.focus();
  node.scrollIntoView();
  const isNew = document.activeElement === node && !typedInto.has(node);
  if (isNew) typedInto.add(node);
  return isNew;
}"""
NOTEBOOK = """() => JSON.stringify([
  [...document.querySelectorAll(".jp-Notebook .jp-Cell")].map((cell) =>
    [cell.className.match(/jp-\\w+Cell/g), cell.querySelector(".jp-InputPrompt")?.textContent,
     cell.querySelector(".jp-mod-hidden, .jp-Collapser-disabled") === null]),
  document.querySelector(".jp-Notebook").className.match(/jp-mod-\\w+Mode/)?.[0],
  document.querySelectorAll(".jp-Dialog, .lm-CommandPalette:not(.lm-mod-hidden) :focus").length,
])"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of a cell that shows every widget."""
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return SHOWN.format(recorded=str(recorder.path))


def type_everywhere(page: Page) -> list[str]:
    """Types into all that can have the focus. Returns what that was."""
    page.wait_for_function("document.querySelectorAll('.rtnb').length >= 10")
    page.get_by_role("rowheader", name="secure origin").wait_for()
    tabs = page.locator(".rtnb [role=tab]").all_text_contents()
    page.evaluate(HARMLESS)
    names: list[str] = []
    before = page.evaluate(NOTEBOOK)
    for tab in range(len(tabs)):
        choose(page, tab)
        found = page.evaluate(FOCUSABLE)
        names += found
        for index, name in enumerate(found):
            if not page.evaluate(FOCUS, index):
                continue  # the keys before chose a kind of detection without this setting
            for key in KEYS:
                page.keyboard.press(key)
            assert page.evaluate(NOTEBOOK) == before, name
            if page.evaluate("(index) => focusable[index].role === 'tab'", index):
                choose(page, tab)  # arrow keys have left it
    return names


def choose(page: Page, tab: int) -> None:
    """Chooses a tab of the panel by its keys: clicks do nothing here."""
    page.evaluate(f"[...document.querySelectorAll('.rtnb [role=tab]')].at({tab} - 1).focus()")
    page.keyboard.press("ArrowRight")


def keys_beside_controls(page: Page) -> None:
    """A click on what can't have the focus itself leaves it to the view."""
    before = page.evaluate(NOTEBOOK)
    for selector in (".rtnb-panel-where", ".rtnb-quiet", ".rtnb-toolbar", ".rtnb-note"):
        for place in page.locator(f".rtnb {selector}:visible, .rtnb{selector}:visible").all():
            place.click(force=True)
            for key in ("m", "d", "d", "b"):
                page.keyboard.press(key)
            assert page.evaluate(NOTEBOOK) == before, selector


def test_no_keys_reach_jupyterlab(open_page: OpenPage, shown: str) -> None:
    page = open_page(own=True)
    page.show(shown)
    page.page.evaluate(
        """() => {
          globalThis.executed = [];
          jupyterapp.commands.commandExecuted.connect((_, {id}) => executed.push(id));
        }"""
    )
    page.page.evaluate("jupyterapp.commands.execute('notebook:enter-command-mode')")
    names = type_everywhere(page.page)
    for role in ("BUTTON", "INPUT", "TEXTAREA", "SELECT", "CANVAS", "SECTION", "SUMMARY", "DIV"):
        assert any(name.startswith(role) for name in names), role
    keys_beside_controls(page.page)
    typed = set(page.page.evaluate("executed")) - {"notebook:enter-command-mode"}
    assert {
        one for one in typed if one.split(":")[0] in ("notebook", "docmanager", "runmenu")
    } == set()


@pytest.mark.long  # the same keys as in JupyterLab, whose shortcuts are found the same way
def test_no_keys_reach_notebook_7(lab: Lab, playwright: Playwright, shown: str) -> None:
    name = lab.notebook("keys_in_seven.ipynb")
    content = json.loads((lab.folder / name).read_text())
    cell = {"cell_type": "code", "id": "one", "source": shown, "metadata": {}, "outputs": []}
    content["cells"] = [{**cell, "execution_count": None}]
    (lab.folder / name).write_text(json.dumps(content))
    with open_browser(playwright) as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(f"{lab.url}/notebooks/{name}")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.get_by_text("realtime_nb", exact=False).first.click()
        page.keyboard.press("Control+Enter")
        assert len(type_everywhere(page)) > 40
        keys_beside_controls(page)
