from __future__ import annotations

import re
import threading
from typing import Any

from realtime_nb.testing import silence
from realtime_nb.widgets.vad_lab import LabSaid, VADLabPanel
from tests.analysis.vad_lab.served import Served, talk
from tests.widgets.pages import ListeningPage


class Shown:
    """A panel of a lab that a test feeds."""

    def __init__(self) -> None:
        self.served = Served(voiced_ms=[(500.0, 1_500.0)])
        self.commands: list[tuple[str, Any]] = []
        self.said = LabSaid(shows="session", code="rt.ServerVAD()", detection={"threshold": 0.5})
        self.panel = VADLabPanel(
            lambda name, value: self.commands.append((name, value)),
            lambda: self.said,
            lab_lock=threading.RLock(),
        )
        clock = self.served.conversation.audio.clock
        self.panel.show_lab(self.served.lab, clock)
        self.page = ListeningPage(self.panel)

    def told(self) -> list[tuple[dict[str, Any], bytes]]:
        """What a page is told of the lab, with its bytes."""
        messages = self.page.take()
        pairs = zip(messages, self.page.buffers, strict=True)
        return [(message, buffer) for message, buffer in pairs if message["kind"] == "lab"]


def test_nothing_is_sent_before_a_page_asks_and_then_only_what_is_new() -> None:
    shown = Shown()
    shown.served.say(talk(500, 1_000, 600))
    assert shown.page.take() == []
    shown.page.say("show")
    [(first, frames)] = shown.told()
    # Ten frames and a half of silence, a tone, silence: 2.1 s are 65 frames of 32 ms.
    assert (first["afresh"], first["first"], len(frames)) == (True, 0, 65)
    assert frames[10] < 128 < frames[20]
    assert {spans["id"]: len(spans["spans"]) for spans in first["spans"]} == {
        "server": 1,
        "live": 1,
        "truth": 1,
    }
    assert [row["id"] for row in first["rows"]] == ["server", "live", "truth"]
    assert first["facts"]["shows"] == "session"
    assert first["told"]["settings"]["code"] == "rt.ServerVAD()"
    assert shown.told() == []  # nothing has changed
    shown.served.say(silence(320))
    [(more, frames)] = shown.told()
    assert (more["afresh"], len(frames)) == (False, 10)
    assert not more.keys() & {"told", "rows"}
    shown.page.say("show")  # the page was reloaded
    [(again, frames)] = shown.told()
    assert (again["afresh"], len(frames), len(again["spans"])) == (True, 75, 3)


def test_ghosts_and_words_are_told_when_they_change() -> None:
    shown = Shown()
    shown.served.say(talk(500, 1_000, 600))
    shown.page.say("show")
    shown.told()
    shown.served.lab.set_ghost("deaf", {"threshold": 1.0})
    shown.panel.lab_changed()
    [(message, _)] = shown.told()
    assert [row["id"] for row in message["rows"]] == ["server", "live", "truth", "ghost deaf"]
    shown.said.error = "Not possible."
    shown.said.pending = {"turn_detection": {"threshold": 0.7}}
    [(message, _)] = shown.told()
    assert message["facts"]["error"] == "Not possible."
    assert message["told"] == {"pending": shown.said.pending}


def test_traffic_is_what_was_said_since() -> None:
    shown = Shown()
    shown.page.say("show")
    shown.told()
    sizes = []
    for _ in range(40):
        shown.served.say(talk(300, 500, 300))
        [(message, frames)] = shown.told()
        sizes.append(len(frames) + sum(len(one["spans"]) for one in message["spans"]))
    assert max(sizes[-5:]) <= max(sizes[:5]) + 5  # as much after a minute as at the beginning


def test_what_a_person_wants_is_handed_over() -> None:
    shown = Shown()
    shown.page.say("command", name="promote", value="deaf")
    shown.page.say("command", name="label", value=["not_me", None])
    assert shown.commands == [("promote", "deaf"), ("label", ["not_me", None])]


def test_a_saved_notebook_has_the_scores_and_no_audio() -> None:
    shown = Shown()
    shown.served.lab.set_ghost("<b>bold</b>", {"threshold": 1.0})
    shown.served.say(talk(500, 1_000, 600))
    assert "rt.ServerVAD()" in shown.panel.summary()
    picture = shown.panel.picture()
    assert "&lt;b&gt;bold&lt;/b&gt;" in picture
    assert picture.count("<svg") == 1  # a live session's timeline leaves none
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", picture)
    assert cells[0] == "server"
    assert cells[2] == "1"
    waiting = VADLabPanel(lambda *_: None, LabSaid, lab_lock=threading.RLock())
    waiting.note_that("Press Connect.")
    assert waiting.summary() == "VAD lab: Press Connect."
    assert waiting.picture() == ""
