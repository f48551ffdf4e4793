"""Finds the objects that lines of text hold: JSON, and what programs print of their own objects.

A line may begin with text and hold several objects, an object may be spread over lines, and a file
may be one JSON document around them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from realtime_nb.archive.log_printed import (
    DICT,
    Printed,
    json_at,
    literal_in,
    object_or_fields_in,
    printed,
    printed_in,
    read_json,
)
from realtime_nb.protocol.wire import JsonObject

__all__ = ["FoundObject", "document_in", "object_in", "objects_in"]

_LONGEST_OBJECT = 1 << 20

_CALLED = re.compile(rb"[\w.]+\((\w+=|$)")
_FIELDS = re.compile(rb"(?:^|\s)\w+=")
_OPENED = re.compile(rb"(?:\{|[A-Za-z_][\w.]*\()$")
_PRINTED_LIST = re.compile(rb"\s*(?:\w+\s*=\s*)?\[[\s(\[\w.,+-]*(?:\{\s*'|\(\w+=)")
_LONGEST_LIST = 1 << 26
_MOST_BRACES = 16
"""So many are tried in a line: each that is not the event's costs a reading of the rest."""
_BETWEEN = " \t\r,;|\x1e"
_PIECE = re.compile(rb"^(\S+ std(?:out|err)) P (.*)\n", re.MULTILINE)
_BINARY_FRAME = 2


@dataclass(frozen=True, slots=True)
class FoundObject:
    """What a line, or an entry of an array, holds.

    Attributes:
        number: its place, from 1.
        before: the text before the object.
        value: the object; None where there is none; bytes of the line where it is damaged.
        damaged: whether it begins as one and can't be read.
        rest: the text after it, where that begins another object.
    """

    number: int
    before: str = ""
    value: object = None
    damaged: bool = False
    rest: str = ""


# --- whole files ----------------------------------------------------------------------------------


def document_in(content: bytes) -> list[object] | JsonObject | None:
    """Returns a file that is one JSON document, an array or an object.

    Of a browser's HAR export, the messages: each of its sockets is told by a ``connection_id``.
    """
    if _PRINTED_LIST.match(content) is not None and len(content) <= _LONGEST_LIST:
        whole = printed(_text(content[content.index(b"[") :]))
        return whole if isinstance(whole, list) else None
    if not content.lstrip().startswith((b"[", b"{")):
        return None
    whole = read_json(content.strip())
    if isinstance(whole, dict) and isinstance(whole.get("log"), dict):
        return _har_messages(whole["log"])
    return whole if isinstance(whole, list | dict) else None


def _har_messages(log: JsonObject) -> list[object] | None:
    entries = log.get("entries")
    if not isinstance(entries, list):
        return None
    return [
        {"connection_id": f"socket {number}", **message, "data": _frame(message)}
        for number, entry in enumerate(entries)
        if isinstance(entry, dict)
        for message in entry.get("_webSocketMessages") or ()
        if isinstance(message, dict)
    ]


def _frame(message: JsonObject) -> object:
    """Returns what a frame holds; browsers write binary ones as base64."""
    data = message.get("data")
    if message.get("opcode") == _BINARY_FRAME and isinstance(data, str):
        try:
            return _text(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            pass
    return data


def objects_in(content: bytes) -> Iterator[FoundObject]:
    """Yields what each line holds; of an object over several lines, at the number of its first."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    content = _whole_lines(content)
    number = position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        end = len(content) if end < 0 else end
        line = content[position:end]
        number += 1
        spread = _spread(content, position, line)
        if spread is not None:
            found, end = spread
            yield FoundObject(number, found.before, found.value)
            number += content.count(b"\n", position, end)
            position = content.find(b"\n", end) + 1 or len(content)
            continue
        position = end + 1
        if line.strip(b" \t\r[],\0"):
            found = object_in(line)
            yield FoundObject(number, found.before, found.value, found.damaged)
            yield from _further(number, found.rest)


def _whole_lines(content: bytes) -> bytes:
    """Returns the lines of a container, whose runtime cuts them, as they were; the empty ones that
    are left keep the numbers right."""
    if b" P " not in content or _PIECE.search(content) is None:
        return content
    lines: list[bytes] = []
    pieces: dict[bytes, bytes] = {}
    for line in content.split(b"\n"):
        fields = line.split(b" ", 3)
        kind = fields[2] if len(fields) == 4 and fields[1] in (b"stdout", b"stderr") else b""
        if kind == b"P":
            pieces[fields[1]] = pieces.get(fields[1], b"") + fields[3].removesuffix(b"\r")
            lines.append(b"")
        elif kind == b"F" and fields[1] in pieces:
            whole = pieces.pop(fields[1]) + fields[3]
            lines.append(b" ".join([*fields[:3], whole]))
        else:
            lines.append(line)
    return b"\n".join([*lines, *pieces.values()])


def _further(number: int, rest: str) -> Iterator[FoundObject]:
    """Yields the objects that stand behind another one in its line."""
    at = 0
    while at < len(rest):
        try:
            value, at = json_at(rest, at)
        except (ValueError, RecursionError):
            if '"type"' in rest[at:]:
                damaged = rest[at:].encode("utf-8", "replace")
                yield FoundObject(number, value=damaged, damaged=True)
            return
        yield FoundObject(number, value=value)
        at = _next_brace(rest, at)


def _next_brace(text: str, at: int) -> int:
    """Returns where another object begins behind one; the text's end where none does."""
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at if text[at : at + 1] == "{" else len(text)


def _spread(content: bytes, position: int, line: bytes) -> tuple[FoundObject, int] | None:
    """Returns an object that begins in a line and is spread over the next, and where it ends."""
    bare = line.rstrip()
    brace = line.find(b"{")
    if brace >= 0 and bare.endswith(b"{"):
        text = _text(content[position + brace : position + brace + _LONGEST_OBJECT])
        try:
            value, length = json_at(text)
        except (ValueError, RecursionError):
            pass
        else:
            found = FoundObject(0, _text(line[:brace]), value)
            return found, position + brace + len(text[:length].encode())
    opened = _OPENED.search(bare) if bare.endswith((b"{", b"(")) else None
    if opened is None and bare.endswith(b","):
        opened = DICT.search(bare, max(0, brace))
    if opened is not None:
        end = _indented_until(content, position + len(line))
        value = printed(_text(content[position + opened.start() : end]).rstrip(" \t\r\n,;"))
        if isinstance(value, dict):
            return FoundObject(0, _text(line[: opened.start()]), value), end
    return None


def _indented_until(content: bytes, end: int) -> int:
    """Returns where the lines end that follow and begin with a space, and the one that closes."""
    while content[end + 1 : end + 2] in (b" ", b"\t", b"}", b")", b"]"):
        closes = content[end + 1 : end + 2] not in (b" ", b"\t")
        following = content.find(b"\n", end + 1)
        end = len(content) if following < 0 else following
        if closes:
            break
    return end


# --- single lines ---------------------------------------------------------------------------------


def object_in(line: bytes) -> FoundObject:
    """Returns the object that a line holds, and the text before it."""
    start = line.find(b"{")
    if start < 0:
        return _found(printed_in(_text(line))) or FoundObject(0)
    found = _object_at(line, start)
    # Text before the JSON may hold braces too; a line that begins with one has no such text.
    if found is None and line[:start].strip(b" \t[,"):
        braces = islice(re.finditer(rb"\{", line[start + 1 :]), _MOST_BRACES)
        later = (_object_at(line, start + 1 + brace.start()) for brace in braces)
        found = next(filter(None, later), None)
    found = found or _found(printed_in(_text(line)))
    return found or FoundObject(0, value=line, damaged=True)


def _object_at(line: bytes, start: int) -> FoundObject | None:
    """Returns the object that begins there: JSON, also in a string that was printed; a dict; or
    the printed object that it is a part of."""
    found, called = None, _CALLED.search(line[:start]) is not None
    if called or (b"type=" in line and _FIELDS.search(line[:start]) is not None):
        found = object_or_fields_in(_text(line))
    if found is None and line[:start].endswith((b"'", b'"')):
        found = literal_in(_text(line))
    if found is None and called:
        found = printed_in(_text(line))
    if found is not None:
        return _found(found)
    if DICT.match(line, start) is not None:
        value = printed(_text(line[start : line.rfind(b"}") + 1]))
        return FoundObject(0, _text(line[:start]), value) if isinstance(value, dict) else None
    value, rest = read_json(line[start:].rstrip(b" \t\r,")), ""
    if value is None:
        value, rest = _leading_json(_text(line[start:]))
    if not (isinstance(value, dict) and value):
        return None
    return FoundObject(0, _text(line[:start]), value, rest=rest)


def _found(one: Printed | None) -> FoundObject | None:
    return None if one is None else FoundObject(0, one.before, one.value)


def _leading_json(text: str) -> tuple[object, str]:
    try:
        value, end = json_at(text)
    except (ValueError, RecursionError):
        return None, ""
    return value, text[_next_brace(text, end) :]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
