"""What a docstring tells a model: of the function, and of each of its arguments.

Google, NumPy, Sphinx and Epytext are read, also side by side, and lists in Markdown. A docstring is
text with sections in it; here they are told apart, and the library reads the entries of each. All
text that is no section is kept as it was written; a section that can't be read is text.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from docstring_parser import Docstring, ParseError, google, numpydoc, rest

__all__ = ["Described", "read"]


@dataclass(frozen=True, slots=True)
class Described:
    """What a docstring says.

    Attributes:
        text: All of it but the sections on arguments, results, errors and examples.
        arguments: The descriptions of arguments by their names.
    """

    text: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


_OF_ARGUMENTS = {
    *("args", "arg", "arguments", "argument", "params", "param", "parameters", "parameter"),
    *("keyword args", "keyword arguments", "keyword parameters", "kwargs"),
    *("other parameters", "other params", "other arguments", "other args"),
}
_LEFT_OUT = {
    *("return", "returns", "yield", "yields", "receive", "receives", "raise", "raises"),
    *("except", "exceptions", "warn", "warns", "attribute", "attributes", "methods"),
    *("example", "examples", "see also", "reference", "references"),
}
"""Sections for those who read the code. Notes and warnings are for the model, too."""

_ARGUMENT_FIELDS = "param|parameter|arg|argument|keyword|key|kwarg|kwparam"
_FIELDS = (
    f"{_ARGUMENT_FIELDS}|type|returns?|rtype|yields?|ytype|raises?|except|exception"
    "|var|ivar|cvar|vartype"
)
_FIELD = re.compile(rf"[:@](?:{_FIELDS})(?:[ \t][^\n:]*)?:")
_INLINE_FIELD = re.compile(rf"(?<=\S)[ \t]+(?=[:@](?:{_FIELDS})(?:[ \t][^\n:`]*)?:(?:\s|$))")
_NAMED = re.compile(rf"[:@](?:{_ARGUMENT_FIELDS})[ \t]+([^\s:]+):")
_TYPED = re.compile(rf"[:@](?:{_ARGUMENT_FIELDS})[ \t]+[^\n]*?[ \t]([^\s:]+):(?=\s|$)")
_MARKDOWN_TITLE = re.compile(
    r"(?:#{1,6}[ \t]+[*_]{0,2}([A-Za-z ]+)|[*_]{0,2}([A-Za-z ]+)(?=:|[*_]{2}))[*_:]*[ \t]*"
)
_GOOGLE_PLAIN = re.compile(r"[ \t]+[-*•+]?[ \t]*\w+[ \t]*(?:\(.*?\))?:")
_MARKDOWN_ENTRY = re.compile(
    r"[ \t]*(?:[-*•+][ \t]+)?[`*_]{0,3}(\w+)[`*_]{0,3}"
    r"(?:[ \t]*\([^)\n]*\))?[`*_]{0,2}(?::[*_]{0,2}[ \t]+|[ \t]+[-–—][ \t]+)(?=\S)"
)
_JS_FIELD = re.compile(
    r"^[@:]param[ \t]+(?:\{[^}\n]*\}[ \t]+)?\[?(\w+)(?:=[^\]\n]*)?\]?[ \t]+[-–—][ \t]+"
)
_UNDERLINE = re.compile(r"[-=~]{3,}[ \t]*")
_GOOGLE_ENTRY = re.compile(r"[-*•` ]*[\w\\]+`*\s*(?::|\(.*?\)\s*:|\([^)]*$)")
_GOOGLE_TYPE = re.compile(r"^([-*•` ]*[\w\\]+`*)\s*\(.*?\)\s*(?=:)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}[\w\\]+(?:\s*,\s*\*{0,2}[\w\\]+)*\s*(?::.*)?")

_Block = tuple[int, Callable[[], Docstring] | None, str]
"""How many lines it has; what reads its entries, if it is about arguments; what is kept of it as
text, where nothing reads it."""


def read(doc: str) -> Described:
    """Returns what a docstring says; never raises."""
    lines = _lines(doc)
    text: list[str] = []
    arguments: dict[str, str] = {}
    at = 0
    while at < len(lines):
        length, parse, words = _block(lines, at)
        found = _entries(parse) if parse else {}
        if not found:
            text.append(words)
        for name, description in found.items():
            arguments.setdefault(name, description)
        at += length
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(text)).strip()
    return Described(whole, {name: words for name, words in arguments.items() if words})


def _lines(doc: str) -> list[str]:
    lines = _INLINE_FIELD.sub("\n", inspect.cleandoc(doc)).split("\n")
    lines = [_JS_FIELD.sub(r"@param \1: ", line) for line in _without_markdown(lines)]
    if _known(_title(lines[0])) and len(lines) > 1 and lines[1][:1].strip():
        # The quotes' own line doesn't count for the margin: the entries seem to stand at it.
        lines[1:] = [f"    {line}" for line in lines[1:]]
    return lines


def _without_markdown(lines: list[str]) -> list[str]:
    """Returns lines in which a title in Markdown, and the list below it, are Google's."""
    found: list[str] = []
    margin: int | None = None
    for number, line in enumerate(lines):
        title = _MARKDOWN_TITLE.fullmatch(line)
        if title is not None and (title[1] or title[2]).strip().lower() in _OF_ARGUMENTS:
            first = next((one for one in lines[number + 1 :] if one.strip()), "")
            listed = _MARKDOWN_ENTRY.match(first) is not None and _GOOGLE_PLAIN.match(first) is None
            margin = _indent(first) if listed else None
            found.append(f"{(title[1] or title[2]).strip()}:")
            continue
        if margin is not None and line.strip():
            item = _MARKDOWN_ENTRY.match(line) if _indent(line) == margin else None
            margin = margin if item or _indent(line) > margin else None
            if item is not None:
                line = f"    {item[1]}: {line[item.end() :]}"
            elif margin is not None:
                line = f"    {line}"
        found.append(line)
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _entries(parse: Callable[[], Docstring]) -> dict[str, str]:
    try:
        entries = parse().params
    except ParseError:
        return {}
    return {
        name: (entry.description or "").strip()
        for entry in entries
        for name in map(_bare, entry.arg_name.split(","))
        if name
    }


def _bare(name: str) -> str:
    """Returns a name without stars, bullets, quotes and the backslashes of ReST."""
    return name.replace("\\", "").strip(" \t*`'\"-•")


def _block(lines: list[str], at: int) -> _Block:
    """Returns the section that begins with a line, or the line."""
    if _begins_numpy(lines, at):
        return _numpy(lines, at)
    if _begins_google(lines, at):
        return _google(lines, at)
    if _FIELD.match(lines[at]):
        return _field(lines, at)
    return 1, None, lines[at]


def _begins(lines: list[str], at: int) -> bool:
    begins = _begins_numpy(lines, at) or _begins_google(lines, at) or _FIELD.match(lines[at])
    return bool(begins)


def _end(lines: list[str], start: int, over: Callable[[int], bool]) -> int:
    return next((n for n in range(start, len(lines)) if over(n)), len(lines))


def _at_margin(line: str) -> bool:
    return bool(line[:1].strip())


def _known(title: str) -> bool:
    return title.lower() in _OF_ARGUMENTS or (title.lower() in _LEFT_OUT and title[0].isupper())


def _title(line: str) -> str:
    """Returns the title in a line of Google's style, or nothing."""
    return line.rstrip()[:-1] if line.rstrip().endswith(":") else ""


def _underlined(lines: list[str], at: int) -> bool:
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return _at_margin(lines[at]) and bool(_UNDERLINE.fullmatch(below))


def _begins_numpy(lines: list[str], at: int) -> bool:
    return _underlined(lines, at) and _known(lines[at].strip())


def _begins_google(lines: list[str], at: int) -> bool:
    body = next((line for line in lines[at + 1 :] if line.strip()), "")
    return _known(_title(lines[at])) and bool(body) and not _at_margin(body)


def _numpy(lines: list[str], at: int) -> _Block:
    of_arguments = lines[at].strip().lower() in _OF_ARGUMENTS

    def over(n: int) -> bool:
        text = _at_margin(lines[n]) and not lines[n - 1].strip()
        text = text and of_arguments and not _NUMPY_ENTRY.fullmatch(lines[n])
        return text or _underlined(lines, n) or _begins(lines, n)

    end = _end(lines, at + 2, over)
    if not of_arguments:
        return end - at, None, ""
    body = textwrap.dedent("\n".join(lines[at + 2 : end]))
    # The library knows an underline only when it is as long as the title.
    parse = functools.partial(numpydoc.parse, f"Parameters\n----------\n{body}")
    return end - at, parse, "\n".join(lines[at:end])


def _google(lines: list[str], at: int) -> _Block:
    end = _end(lines, at + 1, lambda n: _at_margin(lines[n]))
    body = textwrap.dedent("\n".join(lines[at + 1 : end])).strip("\n")
    if _title(lines[at]).lower() not in _OF_ARGUMENTS or body.strip(" \n.") == "None":
        return end - at, None, ""
    entries = "\n".join(f"    {_google_line(line)}" for line in body.split("\n"))
    # After an empty line: the library takes no margin from the first.
    parse = functools.partial(google.parse, f"\nArgs:\n{entries}")
    return end - at, parse, "\n".join(lines[at:end])


def _google_line(line: str) -> str:
    """Returns an entry's first line without its type, which may have colons in it; other lines as
    they are, but never at the margin, where the library would look for an entry."""
    if not _at_margin(line):
        return line
    if _GOOGLE_ENTRY.match(line):
        return _GOOGLE_TYPE.sub(r"\1", line, count=1)
    return f"    {line}"


def _field(lines: list[str], at: int) -> _Block:
    """Returns a field of Sphinx or Epytext; wrapped lines need not be indented, but after an empty
    line text at the margin is no more of it."""

    def over(n: int) -> bool:
        return _begins(lines, n) or (_at_margin(lines[n]) and not lines[n - 1].strip())

    end = _end(lines, at + 1, over)
    named = _NAMED.match(lines[at]) or _TYPED.match(lines[at])
    if named is None:
        return end - at, None, ""
    rest_of_it = [f"    {line}" if _at_margin(line) else line for line in lines[at + 1 : end]]
    # In one spelling and without the type, which may be of several words; after an empty line: the
    # library takes no margin from the first.
    first = f"\n:param {named[1]}:{lines[at][named.end() :]}"
    parse = functools.partial(rest.parse, "\n".join([first, *rest_of_it]))
    return end - at, parse, "\n".join(lines[at:end])
