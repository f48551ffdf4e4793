"""What a function came to, as text for the model.

Whatever a function returns: nothing here takes longer, or more memory, than the longest output
needs, however large or endless the result is.
"""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Iterable
from types import NoneType
from typing import Any

import pydantic_core

from realtime_nb.errors import ToolError

__all__ = ["MAX_OUTPUT_CHARS", "as_text", "brief", "quick", "readable"]

MAX_OUTPUT_CHARS = 100_000
"""More than any Realtime model remembers; and in JSON, whatever it is, below the 1 MiB that a
server may take as one message."""

_MAX_DEPTH = 100
_BRIEF_CHARS = 200
_QUICK_VALUES = 1_000
_PLAIN = frozenset({NoneType, bool, int, float})
_MISSING = frozenset({"NAType", "NaTType"})  # of pandas, which is not imported for their sake
_SEQUENCES = (list, tuple, set, frozenset, deque)


class _NotJson(TypeError):
    pass


class _TooLong(Exception):
    pass


def as_text(name: str, result: object, limit: int = MAX_OUTPUT_CHARS) -> str:
    """Returns a text as it is, all else as JSON; half letters are U+FFFD.

    Raises:
        ToolError: JSON can't hold it, or it is too long. An object's ``repr`` would tell a model
            nothing that it could use, and it would believe that this was the answer; so it would
            of the beginning of something long.
    """
    try:
        room = _Room(limit)
        plain = _made_plain(result, room, 0)
        if type(plain) is str and issubclass(type(result), str):
            return plain
        text = pydantic_core.to_json(plain, inf_nan_mode="null").decode()
        if len(text) > limit:
            raise _TooLong
        return text
    except _TooLong:
        raise ToolError(
            f"{name} was run, but its result has more than {limit:,} characters, which a "
            "conversation can't hold. Ask for a part of it."
        ) from None
    except Exception as error:
        raise ToolError(
            f"{name} was run, but its result can't be told as JSON: {_reason(error)} It must "
            "return text, numbers, lists, dicts with text as keys, dataclasses or pydantic models."
        ) from error


def brief(value: object) -> str:
    """Returns the beginning of a text, or of JSON; never raises, whatever it is given."""
    try:
        if issubclass(type(value), str):
            return readable(str.__str__(value)[:_BRIEF_CHARS])
        return as_text("", value, 50 * _BRIEF_CHARS)[:_BRIEF_CHARS]
    except BaseException:  # a value's own code may raise what it likes
        return f"a {type(value).__qualname__}"


def readable(text: str) -> str:
    """Returns a text that can be written anywhere: half a letter becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def quick(result: object) -> bool:
    """Tells whether a result can be told at once: it is small, and has no code of its own."""
    left = [result]
    for _ in range(_QUICK_VALUES):
        if not left:
            return True
        value = left.pop()
        kind = type(value)
        if kind is dict:
            if len(value) > _QUICK_VALUES:  # type: ignore[arg-type]
                return False
            left += [*value.keys(), *value.values()]  # type: ignore[attr-defined]
        elif kind is list or kind is tuple:
            if len(value) > _QUICK_VALUES:  # type: ignore[arg-type]
                return False
            left += list(value)  # type: ignore[call-overload]
        elif not (kind in _PLAIN or kind is str):
            return False
    return False


class _Room:
    """How many characters may still be told."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise _TooLong


def _made_plain(value: Any, room: _Room, depth: int) -> Any:
    """Returns what JSON has: None, numbers, texts, lists, dicts.

    Arrays and NumPy scalars are lists and numbers, tables rows, their missing cells nothing, paths
    texts.
    """
    kind = type(value)
    if kind in _PLAIN:
        room.take(max(1, value.bit_length() // 4) if kind is int else 1)
        return value
    if issubclass(kind, str):
        room.take(str.__len__(value))
        return readable(str.__str__(value))  # of an enumeration's member, its value
    if depth > _MAX_DEPTH:
        raise _NotJson(f"it is circular, or nested more than {_MAX_DEPTH} deep")
    if issubclass(kind, dict):
        return _dict(dict.items(value), room, depth)
    if issubclass(kind, _SEQUENCES) or hasattr(kind, "__next__"):
        return _list(value, room, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name[0] != "_"]
        return _dict(((name, getattr(value, name)) for name in names), room, depth)
    return _unpacked(value, kind, room, depth)


def _dict(items: Iterable[tuple[Any, Any]], room: _Room, depth: int) -> dict[str, Any]:
    plain = {}
    for key, value in items:
        told = readable(key) if type(key) is str else _key(key)
        room.take(len(told) + 4)
        plain[told] = _made_plain(value, room, depth + 1)
    return plain


def _list(values: Iterable[Any], room: _Room, depth: int) -> list[Any]:
    plain = []
    for value in values:
        room.take(1)
        plain.append(_made_plain(value, room, depth + 1))
    return plain


def _key(key: Any) -> str:
    """Returns what a key of a dict is in JSON: as pydantic has it."""
    held = pydantic_core.to_jsonable_python({key: None}, fallback=_refuse)
    return readable(next(iter(held)))


def _unpacked(value: Any, kind: type, room: _Room, depth: int) -> Any:
    if isinstance(value, type):
        raise _NotJson(f"there is the class {value.__name__} in it")
    if kind.__name__ in _MISSING:
        room.take(1)
        return None
    if isinstance(value, os.PathLike):
        return _made_plain(os.fspath(value), room, depth + 1)
    if isinstance(value, bytes | bytearray | memoryview):
        room.take(len(value))
    size = getattr(value, "size", 0) if hasattr(kind, "tolist") or hasattr(kind, "to_dict") else 0
    if isinstance(size, int) and size > room.left:
        raise _TooLong
    if hasattr(kind, "tolist"):
        return _made_plain(value.tolist(), room, depth + 1)
    if hasattr(kind, "to_dict"):
        return _made_plain(value.to_dict(orient="records"), room, depth + 1)
    is_model = hasattr(kind, "__pydantic_serializer__")
    if is_model and any(hasattr(type(held), "__next__") for held in vars(value).values()):
        raise _NotJson(f"there is an iterator in a {kind.__qualname__}, which may be endless")
    plain = pydantic_core.to_jsonable_python(
        value,
        bytes_mode="base64",
        inf_nan_mode="constants",
        fallback=(lambda held: _made_plain(held, room, depth + 1)) if is_model else _refuse,
    )
    return _made_plain(plain, room, depth + 1)


def _refuse(value: Any) -> object:
    raise _NotJson(f"there is a {type(value).__qualname__} in it")


def _reason(error: Exception) -> str:
    words = str(error).removeprefix("Error serializing to JSON: ")
    return f"{words.removeprefix(f'{_NotJson.__name__}: ').rstrip('.')[:_BRIEF_CHARS]}."
