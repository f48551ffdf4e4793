"""What was wrong with a client's event, in the codes and words that Realtime servers use.

The codes and message forms are those observed on the hosted server; where only the field's path is
known, the message says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from realtime_nb.protocol.audio_formats import WIRE_FORMATS
from realtime_nb.protocol.turn_detection import EAGERNESS

__all__ = ["Problem", "Refused", "problem_from", "type_words", "unsupported"]


class Problem(msgspec.Struct, frozen=True):
    """The body of an ``error`` event: ``param`` is the path of the offending field, or None."""

    code: str | None
    message: str
    param: str | None = None
    type: str = "invalid_request_error"


class Refused(Exception):
    """Inside the server's core: the event at hand can't be obeyed; nothing was changed.

    ``cause`` is the ``event_id`` of that event, where it is not at hand itself.
    """

    def __init__(self, problem: Problem, cause: str | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.cause = cause


_MISSING = re.compile(r"^Object missing required field `(?P<field>.*?)`")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*?)`")
_BOUND = re.compile(r"^Expected `(?P<kind>int|float)` (?P<relation>[<>]=?) (?P<bound>\S+)")
_LENGTH = re.compile(r"^Expected `(?P<kind>\w+)` of length (?P<relation>[<>]=?) (?P<bound>\d+)")
_WRONG_TYPE = re.compile(r"^Expected `(?P<wanted>.*?)`, got `(?P<got>.*?)`")
_PATTERN = re.compile(r"^Expected `str` matching regex '(?P<pattern>.*)'$")
_VALUE = re.compile(r"^Invalid (enum )?value '(?P<value>.*?)'")

_ITEM_TYPES = (
    *("message", "function_call", "function_call_output"),
    *("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"),
)

_SUPPORTED = {
    "session.type": ("realtime", "transcription"),
    "output_modalities[]": ("text", "audio"),
    "turn_detection.type": ("server_vad", "semantic_vad"),
    "turn_detection.eagerness": tuple(EAGERNESS),
    "format.type": tuple(known.type for known in WIRE_FORMATS),
    "noise_reduction.type": ("near_field", "far_field"),
    "transcription.delay": ("minimal", "low", "medium", "high", "xhigh"),
    "reasoning.effort": ("minimal", "low", "medium", "high", "xhigh"),
    "tools[].type": ("function", "mcp"),
    "tools[].require_approval": ("always", "never"),
    "tool_choice": ("none", "auto", "required"),
    "tool_choice.type": ("function", "mcp"),
    "truncation": ("auto", "disabled"),
    "truncation.type": ("retention_ratio",),
    "tracing": ("auto",),
    "max_output_tokens": ("inf",),
    "include[]": ("item.input_audio_transcription.logprobs",),
    "item.type": _ITEM_TYPES,
    "input[].type": (*_ITEM_TYPES, "item_reference"),
    "error.type": ("protocol_error", "tool_execution_error", "http_error"),
    "tools[].allowed_callers[]": ("direct", "programmatic"),
    "role": ("user", "assistant", "system"),
    "status": ("in_progress", "completed", "incomplete"),
    "content[].type": ("input_text", "input_audio", "input_image", "output_text"),
    "content[].detail": ("auto", "low", "high"),
    "response.conversation": ("auto", "none"),
}
"""What may be where, by the end of its path."""


def problem_from(error: msgspec.ValidationError, value: object, root: str) -> Problem:
    """Translates a validation error.

    Args:
        error: what msgspec said; its message may end in a path such as ``$.audio.input``.
        value: the object that was checked, to quote the bad value.
        root: what ``$`` stands for in the event, such as ``session`` (``""``: the event itself).
    """
    text, path = _split(str(error), value)
    param = ".".join(part for part in (root, path) if part)
    if found := _MISSING.match(text):
        field = ".".join(part for part in (param, found["field"]) if part)
        return Problem(
            "missing_required_parameter", f"Missing required parameter: '{field}'.", field
        )
    if found := _UNKNOWN.match(text):
        field = ".".join(part for part in (param, found["field"]) if part)
        return Problem("unknown_parameter", f"Unknown parameter: '{field}'.", field)
    if found := _BOUND.match(text):
        return _out_of_range(found, param, _look_up(value, path))
    if found := _LENGTH.match(text):
        return _wrong_length(found, param, _look_up(value, path))
    if found := _PATTERN.match(text):
        message = (
            f"Invalid '{param}': string does not match pattern. "
            f"Expected a string that matches the pattern '{found['pattern']}'."
        )
        return Problem("invalid_value", message, param or None)
    if found := _VALUE.match(text):
        return Problem("invalid_value", _supported(param, found["value"]), param or None)
    if found := _WRONG_TYPE.match(text):
        wanted, got = _worded(found["wanted"]), _worded(found["got"])
        message = f"Invalid type for '{param}': expected {wanted}, but got {got} instead."
        return Problem("invalid_type", message, param or None)
    return Problem("invalid_value", f"Invalid value for '{param}': {text}.", param or None)


_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "object": "an object",
    "array": "an array",
    "NoneType": "null",
}


_JSON_KINDS = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    dict: "object",
    list: "array",
    type(None): "null",
}


def type_words(value: object) -> str:
    """Returns what kind of JSON a value is, as in ``an integer``."""
    return _worded(_JSON_KINDS[type(value)])


def _worded(kinds: str) -> str:
    """Returns msgspec's ``str | object`` as the hosted server has it: one of a string or an
    object."""
    *others, last = [_KINDS.get(kind, kind) for kind in kinds.split(" | ")]
    return f"one of {', '.join(others)} or {last}" if others else last


def unsupported(value: str, names: Iterable[str]) -> str:
    """Returns that a value is none of those that may be there."""
    *others, last = [f"'{name}'" for name in names]
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"Invalid value: '{value}'. Supported values are: {listed}."


def _split(message: str, value: object) -> tuple[str, str]:
    """Returns what msgspec complains of, and where: ``… - at `$.a.b` `` or ``… - at `key` in `$.a`
    ``. In an object with any keys it is ``$.a[...]``; the key is looked up."""
    text, at, place = message.rpartition(" - at `")
    if not at:
        return message, ""
    path = place.rpartition("in `")[2].rstrip("`").removeprefix("$").lstrip(".")
    holder, dots, rest = path.partition("[...]")
    key = _bad_key(_look_up(value, holder), text) if dots and not rest else ""
    return text, ".".join(filter(None, (holder, key))) + rest.replace("[...]", "")


def _bad_key(held: object, text: str) -> str:
    """Returns the key of the first value that has the wrong type, or too many characters."""
    if not isinstance(held, dict):
        return ""
    wrong, long = _WRONG_TYPE.match(text), _LENGTH.match(text)
    for key, value in held.items():
        if wrong and _JSON_KINDS.get(type(value)) == wrong["got"]:
            return str(key)
        if long and isinstance(value, str) and len(value) > int(long["bound"]):
            return str(key)
    return ""


def _out_of_range(found: re.Match[str], param: str, got: object) -> Problem:
    kind = "integer" if found["kind"] == "int" else "decimal"
    below = found["relation"].startswith(">")
    code = f"{kind}_below_min_value" if below else f"{kind}_above_max_value"
    side = "below minimum" if below else "above maximum"
    message = (
        f"Invalid '{param}': {kind} {side} value. "
        f"Expected a value {found['relation']} {found['bound']}, but got {got} instead."
    )
    return Problem(code, message, param)


def _wrong_length(found: re.Match[str], param: str, got: object) -> Problem:
    kind = "string" if found["kind"] == "str" else found["kind"]
    short = found["relation"].startswith(">")
    code = f"{kind}_{'below_min' if short else 'above_max'}_length"
    article = "an" if kind[0] in "aeiou" else "a"
    wanted = f"{article} {kind} with {'minimum' if short else 'maximum'} length {found['bound']}"
    but = ""
    if isinstance(got, str | list) and isinstance(got, str) == (kind == "string"):
        # Of a key or value of an object msgspec tells only where the object is.
        but = f", but got {article} {kind} with length {len(got)} instead"
    message = (
        f"Invalid '{param}': {kind} too {'short' if short else 'long'}. Expected {wanted}{but}."
    )
    return Problem(code, message, param)


def _supported(param: str, value: str) -> str:
    path = re.sub(r"\[\d+\]", "[]", param)
    for ending, names in _SUPPORTED.items():
        if path == ending or path.endswith(f".{ending}"):
            return unsupported(value, names)
    return f"Invalid value: '{value}' is not supported for '{param}'."


def _look_up(value: Any, path: str) -> object:
    for name in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return "another value"
    return value
