"""Reads what programs print of their own objects: Python's dicts, objects and events, Node's too.

An object with its fields in brackets, as libraries print their events; the fields alone, one after
the other, as ``print`` has them of a pydantic model; a dict; an object as ``console.log`` shows it,
whose keys have no quotes; a string of JSON inside any of these.
"""

from __future__ import annotations

import ast
import json
import math
import re
from typing import NamedTuple

import msgspec

from realtime_nb.protocol.wire import decoded, encodable

__all__ = [
    "DICT",
    "Printed",
    "json_at",
    "literal_in",
    "object_or_fields_in",
    "printed",
    "printed_in",
    "read_json",
]

DICT = re.compile(rb"\{\s*(?:'|[A-Za-z_]\w*\s*:)")
"""How an object begins that is printed, and no JSON."""

_LITERAL = re.compile(r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_CALL = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*\(")
_TYPE_FIELD = re.compile(r"(?:^|\s)type=['\"]")
_FIELD = re.compile(r"(?:^|(?<=\s))[A-Za-z_]\w*=")
_FIELD_TOKEN = re.compile(
    rf"""(?P<literal>{_LITERAL.pattern})|(?P<open>[(\[{{])|(?P<close>[)\]}}])"""
    r"""|(?P<between>\s+(?=[A-Za-z_]\w*=))""",
    re.DOTALL,
)
_TRIES = 4
_ENUM = re.compile(r"<[\w.]+: ('[^']*'|\"[^\"]*\"|[\w.-]+)>")
_NODE_TOKEN = re.compile(
    rf"""(?P<literal>{_LITERAL.pattern})(?P<cut>\.\.\. \d+ more characters?)?"""
    r"""|`(?P<ticks>(?:[^`\\]|\\.)*)`|(?P<more>,?\s*\.\.\. \d+ more items?)|<ref \*\d+>\s*""",
    re.DOTALL,
)
_NAMES = {
    **{"null": None, "undefined": None, "true": True, "false": False},
    **dict.fromkeys(("nan", "inf", "NaN", "Infinity")),
}
_FOLDED: dict[str, type] = {"Object": dict, "Array": list}
"""What Node shows in brackets of that which lies too deep for it."""


class Printed(NamedTuple):
    """An object that was printed into a line, and the text before it."""

    before: str
    value: dict[str, object]


def printed_in(line: str) -> Printed | None:
    """Returns an object, a dict or a string of JSON that was printed into a line."""
    found = object_or_fields_in(line)
    if found is not None:
        return found
    brace = line.find("{")
    for _ in range(_TRIES):
        value = printed(line[brace : line.rfind("}") + 1]) if brace >= 0 else None
        if isinstance(value, dict):
            return Printed(line[:brace], value)
        brace = line.find("{", brace + 1) if brace >= 0 else -1
    return literal_in(line)


def object_or_fields_in(line: str) -> Printed | None:
    """Returns an object with its fields in brackets, or the fields alone; None without a type."""
    if _TYPE_FIELD.search(line) is not None:
        for field, _ in zip(_FIELD.finditer(line), range(_TRIES), strict=False):
            value = printed(f"_({_with_commas(line[field.start() :])})")
            if isinstance(value, dict) and isinstance(value.get("type"), str):
                return Printed(line[: field.start()], value)
    for call in _CALL.finditer(line):
        value = printed(line[call.start() : line.rfind(")") + 1])
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return Printed(line[: call.start()], value)
    return None


def literal_in(line: str) -> Printed | None:
    """Returns the object in a string of JSON that Python printed into a line."""
    for literal in _LITERAL.finditer(line):
        if literal[0].lstrip("b")[1:].lstrip()[:1] == "{":
            value = _json_of_literal(literal[0])
            if isinstance(value, dict):
                return Printed(line[: literal.start()], value)
    return None


def printed(text: str) -> object:
    """Returns what an expression stands for, an object's fields as a dict; else None."""
    for form in (str, _without_enums, _without_nodes_signs):
        try:
            return encodable(_value(ast.parse(form(text).strip(), mode="eval").body))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _with_commas(fields: str) -> str:
    """Returns fields that only spaces part, as the arguments of a call."""
    depth = 0

    def parted(token: re.Match[str]) -> str:
        nonlocal depth
        depth += bool(token["open"]) - bool(token["close"])
        return ", " if token["between"] and not depth else token[0]

    return _FIELD_TOKEN.sub(parted, fields)


def _without_enums(text: str) -> str:
    return _ENUM.sub(r"\1", text)


def _without_nodes_signs(text: str) -> str:
    """Returns what Node prints as Python would; a string that it cut off as an empty one."""

    def plain(token: re.Match[str]) -> str:
        if token["ticks"] is not None:
            return repr(token["ticks"].replace("\\`", "`").replace("\\\\", "\\"))
        if token["literal"] is not None:
            return "''" if token["cut"] else token["literal"]
        return ""

    return _NODE_TOKEN.sub(plain, text)


def _json_of_literal(literal: str) -> object:
    try:
        held = ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return read_json(held)


def read_json(content: bytes | str) -> object:
    """Returns what JSON stands for, halves of letters replaced; None where it can't be read."""
    try:
        return decoded(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    try:
        return encodable(_LENIENT.decode(text))  # takes more than msgspec
    except (ValueError, RecursionError):
        return None


def json_at(text: str, at: int = 0) -> tuple[object, int]:
    """Returns the JSON that begins somewhere in a text, and where it ends.

    Raises:
        ValueError: There is none.
    """
    value, end = _LENIENT.raw_decode(text, at)
    return encodable(value), end


def _finite(number: str) -> float | None:
    """Returns a number; None for one that no computer counts to, or that is none."""
    value = float(number)
    return value if math.isfinite(value) else None


def _whole(number: str) -> int | None:
    return None if _finite(number) is None else int(number)


_LENIENT = json.JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_finite)


def _value(node: ast.expr) -> object:
    match node:
        case ast.Dict(keys=keys, values=values):
            return {
                str(_value(key)): _value(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.List(elts=[ast.Name(id=name)]) if name in _FOLDED:
            return _FOLDED[name]()
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [_value(part) for part in parts]
        case ast.Constant(value=bool(value)):
            return value
        case ast.Constant(value=int() | float() as number):
            return number if _finite(str(number)) is not None else None
        case ast.Constant(value=value):
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        case ast.Call(keywords=fields):
            return {field.arg: _value(field.value) for field in fields if field.arg}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.BinOp(op=ast.Add(), left=left, right=ast.Constant(value=str() as more)):
            return f"{_value(left)}{more}"  # a string over several lines
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Name() | ast.Attribute():
            return ast.unparse(node)
        case _:
            raise ValueError(f"{ast.dump(node)[:40]} is no value")
