"""Lets the documentation site show docstrings: their few marks of reStructuredText as Markdown.

Used by mkdocs.yml. ``:func:`name``` becomes code, and the ``::`` before an example goes.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":[a-z]+:`~?([^`<]+?)(?: <[^`]*>)?`")
_BLOCK_MARK = re.compile(r"^( *)::$|::$", re.MULTILINE)


def as_markdown(text: str) -> str:
    """Returns a docstring's text as Markdown."""
    plain = _ROLE.sub(lambda role: f"`{role[1].strip()}`", text)
    return _BLOCK_MARK.sub(lambda mark: "" if mark[1] is not None else ":", plain)


class DocstringMarkdown(griffe.Extension):
    """Translates the docstring of everything that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Translates one."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
