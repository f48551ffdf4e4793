"""Lines of a conversation: on a terminal word by word, elsewhere each when it is over."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

from rich.cells import cell_len

from realtime_nb.commands.talk import TalkLine
from realtime_nb.protocol.wire import encodable
from realtime_nb.protocol.words import clock

__all__ = ["LiveLines"]

_ERASE = "\r\x1b[K"
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


class LiveLines:
    """Prints lines; on a terminal, one that is not over is shown below them and grows.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._growing: TalkLine | None = None

    def add(self, line: TalkLine) -> None:
        """Prints a line that is over."""
        if self._growing is not None and self._growing.who == line.who:
            self._growing = None
        self._write(_ERASE if self._live else "", *_printed(line), "\n", self._unfinished())

    def grow(self, line: TalkLine) -> None:
        """Takes what is known so far of a line that is not over."""
        if self._live:
            self._growing = line
            self._write(_ERASE, self._unfinished())

    def end(self) -> None:
        """Leaves the terminal to others."""
        if self._growing is not None:
            self._growing = None
            self._write(_ERASE)

    def _unfinished(self) -> str:
        """Returns what fits into one row of the terminal: of the words, the last."""
        if self._growing is None:
            return ""
        head, words = _printed(self._growing)
        room = shutil.get_terminal_size().columns - 1 - len(head)
        if cell_len(words) > room:
            while words and cell_len(words) > room - 1:
                words = words[1:]
            words = f"…{words}"
        return head + words

    def _write(self, *texts: str) -> None:
        self._stream.write("".join(texts))
        self._stream.flush()


def _printed(line: TalkLine) -> tuple[str, str]:
    """Returns when and who, and the words: in one line, without what a terminal would obey."""
    words = " ".join(encodable(line.text).split())
    shown = (letter if letter.isprintable() else _UNPRINTABLE for letter in words)
    return f"{clock(line.t_s)}  {line.who:<5}  ", "".join(shown)
