"""What a function came to, as text for the model."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

import pydantic_core

from realtime_nb.errors import ToolError

__all__ = ["as_text", "drained", "last_value"]


def as_text(name: str, result: object) -> str:
    """Returns a text as it is, all else as JSON.

    Raises:
        ToolError: JSON can't hold it. An object's ``repr`` would tell a model nothing that it
            could use, and it would believe that this was the answer.
    """
    if isinstance(result, str):
        return str.__str__(result)  # of an enumeration's member, its value
    try:
        return pydantic_core.to_json(
            result, bytes_mode="base64", inf_nan_mode="null", fallback=_plain
        ).decode()
    except (pydantic_core.PydanticSerializationError, TypeError, ValueError) as error:
        raise ToolError(
            f"{name} was run, but its result can't be told as JSON: {_reason(error)} It must "
            "return text, numbers, lists, dicts with text as keys, dataclasses or pydantic models."
        ) from error


def _reason(error: Exception) -> str:
    words = str(error).removeprefix("Error serializing to JSON: ")
    return f"{words.removeprefix(f'{_NotJson.__name__}: ').rstrip('.')}."


class _NotJson(TypeError):
    pass


def _plain(value: Any) -> object:
    """Returns what JSON lacks: arrays and NumPy scalars as lists and numbers, tables as rows, their
    missing cells as nothing, paths as text."""
    kind = type(value)
    if isinstance(value, type):
        raise _NotJson(f"there is the class {value.__name__} in it")
    if kind.__name__ == "NAType":
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(kind, "tolist"):
        return _without_nat(value.tolist())
    if hasattr(kind, "to_dict"):
        return _without_nat(value.to_dict(orient="records"))
    raise _NotJson(f"there is a {kind.__qualname__} in it")


def _without_nat(value: object) -> object:
    """Returns cells with None for pandas' missing time, which is a datetime without a date."""
    if isinstance(value, list):
        return [_without_nat(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nat(item) for key, item in value.items()}
    return None if type(value).__name__ == "NaTType" else value


def drained(result: object) -> object:
    """Returns the last value of a plain generator, None if it has none; other results as they are.

    What a generator yields before is its progress: a call has one output on the wire, so nobody is
    told.
    """
    if not inspect.isgenerator(result):
        return result
    last = deque(result, maxlen=1)
    return last[0] if last else None


async def last_value(generator: AsyncGenerator[object, Any]) -> object:
    """Returns the last value of an async generator, None if it has none."""
    last: object = None
    async with contextlib.aclosing(generator):
        async for value in generator:
            last = value
    return last
