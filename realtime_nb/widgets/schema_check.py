"""Checks arguments against the JSON schema that a session declared, and says where they break it.

This knows the keywords that tools are described with; others are ignored, never taken for broken:
type, enum, const, properties, required, additionalProperties, items, prefixItems, minItems,
maxItems, minLength, maxLength, pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
multipleOf, anyOf, oneOf, allOf, and $ref within the schema.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Violation", "argument_violations", "violations"]

_MAX_DEPTH = 64
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that does not fit.

    Attributes:
        path: Where, as ``order.items[2].price``; empty for the whole.
        message: What is wrong with it.
    """

    path: str
    message: str


def argument_violations(schema: Mapping[str, Any], arguments_json: str) -> list[Violation]:
    """Returns what is wrong with arguments as the model wrote them."""
    try:
        arguments = json.loads(arguments_json) if arguments_json.strip() else {}
    except ValueError as error:
        return [Violation("", f"is not JSON: {error}")]
    if not isinstance(arguments, dict):
        return [Violation("", "must be one JSON object")]
    return violations(schema, arguments)


def violations(schema: Mapping[str, Any], value: object) -> list[Violation]:
    """Returns where a JSON value breaks a schema; nothing if it holds."""
    return list(_check(schema, value, "", schema, 0))


def _check(
    schema: object, value: object, path: str, root: Mapping[str, Any], depth: int
) -> Iterator[Violation]:
    if schema is False:
        yield Violation(path, "is not allowed")
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return
    if isinstance(schema.get("$ref"), str):
        yield from _check(_resolved(schema["$ref"], root), value, path, root, depth + 1)
    if "const" in schema and not _equal(value, schema["const"]):
        yield Violation(path, f"must be {_text(schema['const'])}, not {_text(value)}")
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(_equal(value, one) for one in choices):
        yield Violation(
            path, f"must be one of {', '.join(map(_text, choices))}, not {_text(value)}"
        )
    if not _has_type(value, schema.get("type")):
        yield Violation(path, f"must be {_type_text(schema['type'])}, not {_text(value)}")
        return
    yield from _check_combined(schema, value, path, root, depth)
    if isinstance(value, dict):
        yield from _check_object(schema, value, path, root, depth)
    elif isinstance(value, list):
        yield from _check_array(schema, value, path, root, depth)
    elif isinstance(value, str):
        yield from _check_string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(schema, value, path)


def _check_combined(
    schema: Mapping[str, Any], value: object, path: str, root: Mapping[str, Any], depth: int
) -> Iterator[Violation]:
    for part in _listed(schema, "allOf"):
        yield from _check(part, value, path, root, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        found = [
            list(_check(one, value, path, root, depth + 1)) for one in _listed(schema, keyword)
        ]
        fitting = sum(not one for one in found)
        if found and not fitting:
            # The form that it comes closest to tells the most.
            yield from min(found, key=lambda one: (-_depth_of(one), len(one)))
        elif keyword == "oneOf" and fitting > 1:
            yield Violation(path, f"fits {fitting} forms, and must fit one")


def _check_object(
    schema: Mapping[str, Any], value: dict[str, Any], path: str, root: Mapping[str, Any], depth: int
) -> Iterator[Violation]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    for name in _listed(schema, "required"):
        if name not in value:
            yield Violation(_inside(path, str(name)), "is missing")
    others = schema.get("additionalProperties", True)
    for name, inner in value.items():
        where = _inside(path, name)
        if name in known:
            yield from _check(known[name], inner, where, root, depth + 1)
        elif others is False:
            yield Violation(where, "is unknown")
        else:
            yield from _check(others, inner, where, root, depth + 1)


def _check_array(
    schema: Mapping[str, Any], value: list[Any], path: str, root: Mapping[str, Any], depth: int
) -> Iterator[Violation]:
    yield from _check_size(schema, len(value), path, "Items", "entries")
    first = _listed(schema, "prefixItems")
    for place, inner in enumerate(value):
        form = first[place] if place < len(first) else schema.get("items", True)
        yield from _check(form, inner, f"{path}[{place}]", root, depth + 1)


def _check_string(schema: Mapping[str, Any], value: str, path: str) -> Iterator[Violation]:
    yield from _check_size(schema, len(value), path, "Length", "characters")
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        try:
            fits = re.search(pattern, value) is not None
        except re.error:  # of another language's kind
            return
        if not fits:
            yield Violation(path, f"must match {pattern}, not {_text(value)}")


def _check_size(
    schema: Mapping[str, Any], size: int, path: str, keyword: str, noun: str
) -> Iterator[Violation]:
    least, most = schema.get(f"min{keyword}"), schema.get(f"max{keyword}")
    if isinstance(least, int) and size < least:
        yield Violation(path, f"must have at least {least} {noun}, not {size}")
    if isinstance(most, int) and size > most:
        yield Violation(path, f"must have at most {most} {noun}, not {size}")


def _check_number(schema: Mapping[str, Any], value: float, path: str) -> Iterator[Violation]:
    def bound(keyword: str) -> float | None:
        given = schema.get(keyword)
        return given if isinstance(given, int | float) and not isinstance(given, bool) else None

    least, most = bound("minimum"), bound("maximum")
    above, below = bound("exclusiveMinimum"), bound("exclusiveMaximum")
    step = bound("multipleOf")
    if least is not None and value < least:
        yield Violation(path, f"must be at least {least:g}, not {value:g}")
    if most is not None and value > most:
        yield Violation(path, f"must be at most {most:g}, not {value:g}")
    if above is not None and value <= above:
        yield Violation(path, f"must be above {above:g}, not {value:g}")
    if below is not None and value >= below:
        yield Violation(path, f"must be below {below:g}, not {value:g}")
    if step and not math.isclose(value / step, round(value / step), abs_tol=1e-9):
        yield Violation(path, f"must be a multiple of {step:g}, not {value:g}")


def _has_type(value: object, wanted: object) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(_is_of(value, name) for name in names) if wanted is not None else True


def _is_of(value: object, name: object) -> bool:
    kinds = _TYPES.get(str(name))
    if kinds is None:  # a type that no JSON schema has
        return True
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, kinds)


def _type_text(wanted: object) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(map(str, names))


def _equal(one: object, other: object) -> bool:
    """Tells whether two values are equal in JSON, where true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _resolved(reference: str, root: Mapping[str, Any]) -> object:
    """Returns what ``#/$defs/Name`` means; nothing to check against if it leads nowhere."""
    found: object = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if name:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _depth_of(found: list[Violation]) -> int:
    return max(one.path.count(".") + one.path.count("[") for one in found)


def _listed(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"
