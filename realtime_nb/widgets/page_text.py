"""What a page gets of this folder's files: a widget's code and its styles, each as one text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

__all__ = ["FOLDER", "PageText", "module_text", "style_text"]

FOLDER = Path(__file__).parent

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function|const|let)\b)", re.MULTILINE)


class PageText(str):
    """A text made of files.

    Attributes:
        make: Makes it of the files as they are now.
    """

    make: Callable[[], str]

    def __new__(cls, make: Callable[[], str]) -> PageText:  # noqa: D102
        text = super().__new__(cls, make())
        text.make = make
        return text


@cache
def module_text(name: str) -> PageText:
    """Returns an ES module of this folder, with what it imports from this folder put in its place.

    A page gets a widget's code as one text, from which nothing can be imported.
    """
    return PageText(partial(_joined, name))


@cache
def style_text(*names: str) -> PageText:
    """Returns style sheets of this folder, one after the other."""
    return PageText(lambda: "".join(_read(name) for name in names))


def _joined(name: str) -> str:
    included: set[str] = set()

    def include(match: re.Match[str]) -> str:
        if match[1] in included:
            return ""
        included.add(match[1])
        return _EXPORT.sub("", _IMPORT.sub(include, _read(match[1])))

    return _IMPORT.sub(include, _read(name))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
