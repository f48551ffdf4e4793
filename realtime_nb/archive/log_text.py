"""Finds the objects that lines of text hold: JSON, and what Python prints of its own objects.

A line may begin with text, an object may be spread over lines, and a file may be one array of
them. What Python prints is a dict, an object with its fields in brackets, as libraries print their
events, or a string of JSON inside either.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from realtime_nb.protocol.wire import JsonObject, encodable

__all__ = ["FoundObject", "array_in", "object_in", "objects_in"]

_STANDARD = json.JSONDecoder()
_LONGEST_OBJECT = 1 << 20
_LISTS = ("events", "messages", "entries", "log", "logs", "data", "items", "records")

_LITERAL = re.compile(r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_CALL = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*\(")
_CALLED = re.compile(rb"[\w.]+\((\w+=|$)")
_DICT = re.compile(rb"\{\s*'")
_BRACES = 4
_ENUM = re.compile(r"<[\w.]+: ('[^']*'|\"[^\"]*\"|[\w.-]+)>")
_NAMES = {"null": None, "true": True, "false": False, "nan": None, "inf": None}


@dataclass(frozen=True, slots=True)
class FoundObject:
    """What a line, or an entry of an array, holds.

    Attributes:
        number: its place, from 1.
        before: the text before the object.
        value: the object; None where there is none; bytes of the line where it is damaged.
        damaged: whether it begins as one and can't be read.
    """

    number: int
    before: str = ""
    value: object = None
    damaged: bool = False


# --- whole files ----------------------------------------------------------------------------------


def array_in(content: bytes) -> list[object] | None:
    """Returns the entries of a file that is one JSON array, or one object around an array.

    A browser's HAR export is such an object; each of its sockets is told by a ``connection_id``.
    """
    if not content.lstrip().startswith((b"[", b"{")):
        return None
    whole = _json(content.strip())
    if isinstance(whole, dict) and isinstance(whole.get("log"), dict):
        return _har_messages(whole["log"])
    if isinstance(whole, dict) and "type" not in whole:
        lists = (whole.get(key) for key in _LISTS)
        whole = next((value for value in lists if isinstance(value, list)), None)
    return whole if isinstance(whole, list) else None


def _har_messages(log: JsonObject) -> list[object] | None:
    entries = log.get("entries")
    if not isinstance(entries, list):
        return None
    return [
        {"connection_id": f"socket {number}", **message}
        for number, entry in enumerate(entries)
        if isinstance(entry, dict)
        for message in entry.get("_webSocketMessages") or ()
        if isinstance(message, dict)
    ]


def objects_in(content: bytes) -> Iterator[FoundObject]:
    """Yields what each line holds; of an object over several lines, at the number of its first."""
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
        if line.strip(b" \t\r[],"):
            found = object_in(line)
            yield FoundObject(number, found.before, found.value, found.damaged)


def _spread(content: bytes, position: int, line: bytes) -> tuple[FoundObject, int] | None:
    """Returns an object that begins in a line and is spread over the next, and where it ends."""
    brace = line.find(b"{")
    if brace < 0:
        return None
    if line.rstrip().endswith(b"{"):
        text = _text(content[position + brace : position + brace + _LONGEST_OBJECT])
        try:
            value, length = _STANDARD.raw_decode(text)
        except (ValueError, RecursionError):
            return None
        found = FoundObject(0, _text(line[:brace]), encodable(value))
        return found, position + brace + len(text[:length].encode())
    if line.rstrip().endswith(b",") and _DICT.match(line, brace):
        end = _indented_until(content, position + len(line))
        value = _printed(_text(content[position + brace : end]))
        if isinstance(value, dict):
            return FoundObject(0, _text(line[:brace]), value), end
    return None


def _indented_until(content: bytes, end: int) -> int:
    """Returns where the lines end that follow and begin with a space."""
    while content[end + 1 : end + 2] in (b" ", b"\t"):
        following = content.find(b"\n", end + 1)
        end = len(content) if following < 0 else following
    return end


# --- single lines ---------------------------------------------------------------------------------


def object_in(line: bytes) -> FoundObject:
    """Returns the object that a line holds, and the text before it."""
    start = line.find(b"{")
    if start < 0:
        return _printed_in(_text(line)) or FoundObject(0)
    found = _object_at(line, start)
    # Text before the JSON may hold braces too; a line that begins with one has no such text.
    while found is None and line[: line.index(b"{")].strip(b" \t[,"):
        start = line.find(b"{", start + 1)
        if start < 0:
            break
        found = _object_at(line, start)
    return found or _printed_in(_text(line)) or FoundObject(0, value=line, damaged=True)


def _object_at(line: bytes, start: int) -> FoundObject | None:
    """Returns the object that begins there: JSON, also in a string that Python printed; a dict; or
    the printed object that it is a part of."""
    found = None
    if line[:start].endswith((b"'", b'"')):
        found = _literal_in(_text(line))
    if found is None and _CALLED.search(line[:start]) is not None:
        found = _printed_in(_text(line))
    if found is not None:
        return found
    if _DICT.match(line, start) is not None:
        value = _printed(_text(line[start : line.rfind(b"}") + 1]))
        return FoundObject(0, _text(line[:start]), value) if isinstance(value, dict) else None
    value = _json(line[start:].rstrip(b" \t\r,"))
    if value is None:
        value = _leading_json(line[start:])
    return FoundObject(0, _text(line[:start]), value) if isinstance(value, dict) and value else None


def _leading_json(line: bytes) -> object:
    try:
        return encodable(_STANDARD.raw_decode(_text(line))[0])
    except (ValueError, RecursionError):
        return None


def _json(content: bytes | str) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return encodable(json.loads(content))  # takes more than msgspec
    except (ValueError, RecursionError):
        return None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


# --- what Python prints ---------------------------------------------------------------------------


def _literal_in(line: str) -> FoundObject | None:
    """Returns the object in a string of JSON that Python printed into a line."""
    for literal in _LITERAL.finditer(line):
        if literal[0].lstrip("b")[1:].lstrip()[:1] == "{":
            value = _json_of_literal(literal[0])
            if isinstance(value, dict):
                return FoundObject(0, line[: literal.start()], value)
    return None


def _printed_in(line: str) -> FoundObject | None:
    """Returns an object, a dict or a string of JSON that Python printed into a line."""
    for call in _CALL.finditer(line):
        value = _printed(line[call.start() : line.rfind(")") + 1])
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return FoundObject(0, line[: call.start()], value)
    brace = line.find("{")
    for _ in range(_BRACES):
        value = _printed(line[brace : line.rfind("}") + 1]) if brace >= 0 else None
        if isinstance(value, dict):
            return FoundObject(0, line[:brace], value)
        brace = line.find("{", brace + 1) if brace >= 0 else -1
    return _literal_in(line)


def _json_of_literal(literal: str) -> object:
    try:
        held = ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return _json(held)


def _printed(text: str) -> object:
    """Returns what a Python expression stands for, an object's fields as a dict; else None."""
    for form in (text, _ENUM.sub(r"\1", text)):
        try:
            return encodable(_value(ast.parse(form.strip(), mode="eval").body))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _value(node: ast.expr) -> object:
    match node:
        case ast.Dict(keys=keys, values=values):
            return {
                str(_value(key)): _value(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [_value(part) for part in parts]
        case ast.Constant(value=value):
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        case ast.Call(keywords=fields):
            return {field.arg: _value(field.value) for field in fields if field.arg}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Name() | ast.Attribute():
            return ast.unparse(node)
        case _:
            raise ValueError(f"{ast.dump(node)[:40]} is no value")
