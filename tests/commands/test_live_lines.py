"""Lines of a conversation, as a terminal shows them and as a file gets them."""

from __future__ import annotations

import io
import os
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from realtime_nb.commands.live_lines import LiveLines
from realtime_nb.commands.talk import TalkLine

WIDTH = 40


class Screen(io.StringIO):
    """A stream, and what its rows look like: of escapes, it knows those that take a row back."""

    def __init__(self, terminal: bool = True) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def rows(self) -> list[str]:
        rows = self.getvalue().split("\n")
        return [row.rsplit("\r\x1b[K", 1)[-1] for row in rows]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    size = os.terminal_size((WIDTH, 24))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: size)


def test_words_are_seen_as_they_come() -> None:
    screen = Screen()
    lines = LiveLines(screen)
    lines.grow(TalkLine(3.2, "agent", "Good"))
    assert screen.rows() == ["0:03  agent  Good"]
    lines.grow(TalkLine(3.2, "agent", "Good morning"))
    assert screen.rows() == ["0:03  agent  Good morning"]
    lines.add(TalkLine(3.2, "agent", "Good morning."))
    assert screen.rows() == ["0:03  agent  Good morning.", ""]


def test_what_others_say_meanwhile_stands_above() -> None:
    screen = Screen()
    lines = LiveLines(screen)
    lines.grow(TalkLine(3.2, "agent", "Good"))
    lines.add(TalkLine(1.0, "user", "Hello."))
    assert screen.rows() == ["0:01  user   Hello.", "0:03  agent  Good"]
    lines.add(TalkLine(3.2, "agent", "Good day."))
    lines.end()
    assert screen.rows() == ["0:01  user   Hello.", "0:03  agent  Good day.", ""]


def test_what_never_ended_is_taken_away_at_the_end() -> None:
    screen = Screen()
    lines = LiveLines(screen)
    lines.grow(TalkLine(3.2, "agent", "Good"))
    lines.end()
    assert screen.rows() == [""]


@pytest.mark.parametrize("words", ["word " * 40, "漢字" * 40, "x" * 300])
def test_what_grows_stays_in_one_row_and_shows_its_last_words(words: str) -> None:
    screen = Screen()
    lines = LiveLines(screen)
    lines.grow(TalkLine(3.2, "agent", words))
    [row] = screen.rows()
    assert WIDTH - 3 <= cell_len(row) < WIDTH
    assert row.startswith("0:03  agent  …")
    assert row.endswith(words.strip()[-10:])
    lines.add(TalkLine(3.2, "agent", words))
    assert screen.rows()[0] == "0:03  agent  " + " ".join(words.split())


@pytest.mark.parametrize("term", ["file", "dumb"])
def test_elsewhere_lines_come_whole(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    screen = Screen(terminal=term == "dumb")
    lines = LiveLines(screen)
    lines.grow(TalkLine(3.2, "agent", "Good"))
    lines.add(TalkLine(63.2, "tool", "book()\n→\ttrue"))
    lines.end()
    assert screen.getvalue() == "1:03  tool   book() → true\n"


@given(text=st.text(st.characters(exclude_categories=[]), max_size=60))
def test_no_text_commands_the_terminal(text: str) -> None:
    screen = Screen()
    lines = LiveLines(screen)
    lines.grow(TalkLine(1.0, "agent", text))
    lines.add(TalkLine(1.0, "agent", text))
    rest = screen.getvalue().replace("\r\x1b[K", "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", rest)
