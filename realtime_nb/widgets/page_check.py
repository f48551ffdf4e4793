"""What `doctor` found, and beside it what only the page that shows it can tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import traitlets

from realtime_nb.widgets.live import LiveWidget, PageMessage, SelfTest
from realtime_nb.widgets.page_text import module_text

__all__ = ["CheckLine", "PageCheck", "page_lines"]

_ANSWER_S = 5.0
_ORIGIN_REMEDY = "open the notebook from an https:// address, or from localhost"

_ELSEWHERE_REMEDY = (
    "run `jupyter lab` in a terminal and open the notebook in a browser, or take "
    'rt.Agent("local", audio="host")'
)


class CheckLine(NamedTuple):
    """One thing that was looked at, as it is shown."""

    mark: str
    """``✓``, ``!``, ``✗`` or ``–``."""
    name: str
    words: str
    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""

    @property
    def text(self) -> str:
        """Words and remedy in a line."""
        return f"{self.words} → {self.remedy}" if self.remedy else self.words


class PageCheck(LiveWidget):
    """A table to which the page adds lines about itself. It asks nobody for the microphone.

    Args:
        lines: what is known already.
        verdict: a sentence below them.
        on_found: is given the lines about the page once there are some, on a thread of its own.
        contents: what a saved notebook shows, as text and as HTML.
    """

    _esm = module_text("page_check.js")
    _known = traitlets.List(traitlets.List()).tag(sync=True)
    _verdict = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        lines: Sequence[CheckLine],
        verdict: str,
        on_found: Callable[[list[CheckLine]], None],
        contents: Callable[[], tuple[str, str]],
    ) -> None:
        self._on_found = on_found
        self._contents = contents
        super().__init__()
        self._known = _for_page(lines)
        self._verdict = verdict

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes what a page found; the way to it is timed on a thread that may wait."""
        if message["kind"] == "found":
            threading.Thread(
                target=self._answer, args=(message,), name="realtime_nb page check", daemon=True
            ).start()

    def _as_saved(self) -> tuple[str, str]:
        return self._contents()

    def _answer(self, found: PageMessage) -> None:
        lines = page_lines(found, self.selftest(_ANSWER_S))
        self._on_found(lines)
        self.post({"kind": "lines", "page": found["page"], "lines": _for_page(lines)})
        self._stand_in.refresh()


def _for_page(lines: Sequence[CheckLine]) -> list[list[str]]:
    return [[line.mark, line.name, line.text] for line in lines]


def page_lines(found: Mapping[str, object], test: SelfTest) -> list[CheckLine]:
    """Returns what to say of a page.

    Args:
        found: ``secure`` and ``worklet``, bools; ``microphones``, their number, None if the browser
            does not tell; ``permission``, ``granted``, ``denied``, ``prompt`` or empty; ``place``
            and ``forbidden``, what the page sits in and whether that has the microphone.
        test: of the messages between page and kernel.
    """
    return list(_lines(found, test))


def _lines(found: Mapping[str, object], test: SelfTest) -> Iterator[CheckLine]:
    secure = found.get("secure") is True
    yield CheckLine("✓", "front end", "this page answered")
    if secure:
        yield CheckLine("✓", "secure origin", "the browser lets this page ask for the microphone")
    else:
        words = "the browser gives this page no microphone, for it came over plain http"
        yield CheckLine("✗", "secure origin", words, _ORIGIN_REMEDY)
    if found.get("forbidden") is True or found.get("place") == "vscode":
        words = "this front end gives it to no page"
        yield CheckLine("✗", "page's microphone", words, _ELSEWHERE_REMEDY)
    else:
        yield _microphone(secure, found.get("microphones"), found.get("permission"))
    if found.get("worklet") is True:
        yield CheckLine("✓", "audio worklet", "the browser has it")
    else:
        remedy = "use a current Firefox, Chromium or Safari" if secure else _ORIGIN_REMEDY
        yield CheckLine("✗", "audio worklet", "this page can neither record nor play", remedy)
    yield _messages(test)


def _microphone(secure: bool, count: object, permission: object) -> CheckLine:
    name = "page's microphone"
    if not secure:
        return CheckLine("✗", name, "out of this page's reach", _ORIGIN_REMEDY)
    if permission == "denied":
        remedy = "allow it beside the page's address, then reload the page"
        return CheckLine("✗", name, "the browser refuses it to this page", remedy)
    if count == 0:
        return CheckLine("✗", name, "there is none", "connect one, then run this cell again")
    there = "present" if isinstance(count, int) else "the browser does not tell if there is one"
    mark = "✓" if isinstance(count, int) else "!"
    allowed = {
        "granted": "this page may use it",
        "prompt": "the browser will ask you when you press Talk",
    }.get(str(permission))
    if allowed is None:
        words = f"{there}; the browser does not tell if this page may use it"
        return CheckLine(mark, name, words, "press Talk to try")
    return CheckLine(mark, name, f"{there}; {allowed}")


def _messages(test: SelfTest) -> CheckLine:
    name = "page and kernel"
    if test.blocked_ms is None:
        words = f"a message did not come back within {_ANSWER_S:.0f} s"
        return CheckLine("!", name, words, "let running cells end, then reload the page")
    way = f"there and back in {test.blocked_ms:.0f} ms, handled on thread {test.thread}"
    if test.live_while_cells_run:
        return CheckLine("✓", name, f"{way}; audio goes on while cells run")
    return CheckLine("!", name, f"{way}; audio will pause while cells run", test.remedy)
