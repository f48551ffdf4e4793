"""What `doctor` found, and beside it what only the page that shows it can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import traitlets

from realtime_nb.widgets.live import LiveWidget, Message, SelfTest, module_text

__all__ = ["Line", "PageCheck", "page_lines"]

_ANSWER_S = 5.0
_ORIGIN_REMEDY = "open the notebook from an https:// address, or from localhost"


class Line(NamedTuple):
    """One thing that was looked at, as it is shown."""

    mark: str
    """``✓``, ``!``, ``✗`` or ``–``."""
    name: str
    text: str


class PageCheck(LiveWidget):
    """A table to which the page adds lines about itself. It asks nobody for the microphone.

    Args:
        lines: what is known already.
        verdict: a sentence below them.
    """

    _esm = module_text("page_check.js")
    _known = traitlets.List(traitlets.List()).tag(sync=True)
    _verdict = traitlets.Unicode().tag(sync=True)

    def __init__(self, lines: Sequence[Line], verdict: str) -> None:
        super().__init__()
        self._known = [list(line) for line in lines]
        self._verdict = verdict

    def on_message(self, message: Message, buffers: list[memoryview]) -> None:
        """Takes what a page found; the way to it is timed on a thread that may wait."""
        if message["kind"] == "found":
            threading.Thread(
                target=self._answer, args=(message,), name="realtime_nb page check", daemon=True
            ).start()

    def summary(self) -> str:
        """The lines that don't come from the page."""
        return "\n".join([*(" ".join(line) for line in self._known), self._verdict])

    def _answer(self, found: Message) -> None:
        lines = page_lines(found, self.selftest(_ANSWER_S))
        self.post({"kind": "lines", "page": found["page"], "lines": [list(line) for line in lines]})


def page_lines(found: Mapping[str, object], test: SelfTest) -> list[Line]:
    """What to say of a page.

    Args:
        found: ``secure`` and ``worklet``, bools; ``microphones``, their number, None if the browser
            does not tell; ``permission``, ``granted``, ``denied``, ``prompt`` or empty.
        test: of the messages between page and kernel.
    """
    return list(_lines(found, test))


def _lines(found: Mapping[str, object], test: SelfTest) -> Iterator[Line]:
    secure = found.get("secure") is True
    yield Line("✓", "front end", "this page answered")
    if secure:
        yield Line("✓", "secure origin", "the browser lets this page ask for the microphone")
    else:
        words = "the browser gives this page no microphone, for it came over plain http"
        yield Line("✗", "secure origin", f"{words} → {_ORIGIN_REMEDY}")
    yield _microphone(secure, found.get("microphones"), found.get("permission"))
    if found.get("worklet") is True:
        yield Line("✓", "audio worklet", "the browser has it")
    else:
        remedy = "use a current Firefox, Chromium or Safari" if secure else _ORIGIN_REMEDY
        yield Line("✗", "audio worklet", f"this page can neither record nor play → {remedy}")
    yield _messages(test)


def _microphone(secure: bool, count: object, permission: object) -> Line:
    name = "page's microphone"
    if not secure:
        return Line("✗", name, f"out of this page's reach → {_ORIGIN_REMEDY}")
    if permission == "denied":
        remedy = "allow it beside the page's address, then reload the page"
        return Line("✗", name, f"the browser refuses it to this page → {remedy}")
    if count == 0:
        return Line("✗", name, "there is none → connect one, then run this cell again")
    there = "present" if isinstance(count, int) else "the browser does not tell if there is one"
    mark = "✓" if isinstance(count, int) else "!"
    allowed = {
        "granted": "this page may use it",
        "prompt": "the browser will ask you when you press Talk",
    }.get(str(permission), "the browser does not tell if this page may use it → press Talk to try")
    return Line(mark, name, f"{there}; {allowed}")


def _messages(test: SelfTest) -> Line:
    name = "page and kernel"
    if test.blocked_ms is None:
        words = f"a message did not come back within {_ANSWER_S:.0f} s"
        return Line("!", name, f"{words} → let running cells end, then reload the page")
    way = f"there and back in {test.blocked_ms:.0f} ms, handled on thread {test.thread}"
    mark = "✓" if test.live_while_cells_run else "!"
    # Where it has to wait for cells, the words hold the remedy.
    told = "audio goes on while cells run" if test.live_while_cells_run else test.words
    return Line(mark, name, f"{way}; {told}")
