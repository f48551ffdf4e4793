"""From what was said to the arguments of a declared function, and the question for the rest.

What an argument means is read from its schema: type, ``format``, ``enum``, its name and its
description. No value is made up: an argument that nobody spoke of is left to the function's
default, or asked for.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from realtime_nb.local.entities import (
    Found,
    TextSpan,
    find_dates,
    find_names,
    find_numbers,
    find_places,
    find_times,
    find_yes_no,
    wants_weekday,
    weekday_value,
)
from realtime_nb.local.spoken import listed

__all__ = [
    "LOOKING_UP",
    "Parameter",
    "ParameterKind",
    "ToolSpec",
    "Utterance",
    "fill",
    "question",
    "read_tool",
]

ParameterKind = Literal[
    "name",
    "day",
    "weekday",
    "time",
    "moment",
    "place",
    "choice",
    "flag",
    "number",
    "phone",
    "email",
    "text",
]

_PERSON_WORDS = frozenset(
    {"patient", "customer", "user", "client", "guest", "person", "full", "first", "last", "caller"}
    | {"contact", "your", "owner", "holder", "recipient", "attendee", "passenger", "for", "on"}
)
_PLACE_WORDS = frozenset(
    {"city", "location", "place", "town", "country", "destination", "origin", "region"}
)
LOOKING_UP = re.compile(r"(?:check|get|find|look|list|search|show|tell)\b")
_COUNTS = frozenset({"count", "number", "n", "quantity", "amount", "times"})
_FILLERS = re.compile(
    r"""^(?:\W*\b(?:um+|uh+|well|okay|ok|yes|please|it's|it\ is|that's|the)\b)*\W*
    |\W*(?:\bplease\W*)?$""",
    re.IGNORECASE | re.VERBOSE,
)
_TOPIC = re.compile(
    r"(?:\b(?:for|about|that|saying|called|named)|:)\s+(?P<rest>\w.*)$", re.I | re.S
)
_PHONE = re.compile(r"\+?\d(?:[\s().-]*\d){4,}")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL = re.compile(r"\b\w+(?:\s+dot\s+\w+)*\s+at\s+\w+(?:\s+dot\s+\w+)+\b", re.I)


def _as_said(name: str) -> str:
    """Returns a name in words: "service_type" and "serviceType" are "service type"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name).lower().strip()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function: its name, what kind of thing it is, and its schema."""

    name: str
    kind: ParameterKind
    required: bool
    schema: Mapping[str, Any]

    @property
    def words(self) -> str:
        """The name as it is said."""
        return _as_said(self.name)

    @property
    def choices(self) -> list[Any]:
        """The values that are allowed, if there is a list of them."""
        return _choices(self.schema)

    @property
    def hint(self) -> str:
        """What the schema says about the value in words and by example."""
        return _hint(self.schema)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A declared function, read."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    @property
    def words(self) -> str:
        """The name as it is said."""
        return _as_said(self.name)

    @property
    def looks_up(self) -> bool:
        """Whether it only tells something; what was said for it holds on after the call."""
        return bool(LOOKING_UP.match(self.words))


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said in one turn, and which arguments had just been asked for.

    ``about`` is False for what was said before anybody spoke of the function: names, days and times
    of it still count, numbers and the rest don't.
    """

    text: str
    asked: Collection[str] = ()
    about: bool = True


def read_tool(definition: Mapping[str, Any]) -> ToolSpec | None:
    """Returns a function from its definition; None if it is none, or needs something that can't be
    said."""
    name, schema = definition.get("name"), definition.get("parameters")
    if definition.get("type", "function") != "function" or not isinstance(name, str) or not name:
        return None
    schema = schema if isinstance(schema, Mapping) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    parameters: list[Parameter] = []
    for key, value in properties.items() if isinstance(properties, Mapping) else ():
        resolved = _resolved(value, schema)
        needed = isinstance(required, list) and key in required
        kind = _kind(str(key), resolved)
        if kind:
            parameters.append(Parameter(str(key), kind, needed, resolved))
        elif needed:
            return None
    return ToolSpec(name, str(definition.get("description") or ""), tuple(parameters))


def _resolved(value: object, root: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a property with its reference followed and "or null" taken off."""
    resolved = dict(value) if isinstance(value, Mapping) else {}
    reference = resolved.get("$ref")
    if isinstance(reference, str):
        target = root.get("$defs", {})
        target = target.get(reference.rsplit("/", 1)[-1], {}) if isinstance(target, Mapping) else {}
        resolved = {**(target if isinstance(target, Mapping) else {}), **resolved}
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches = resolved.get(keyword)
        for branch in branches if isinstance(branches, list) else ():
            if isinstance(branch, Mapping) and branch.get("type") != "null":
                return {**_resolved(branch, root), **resolved, keyword: None}
    if isinstance(resolved.get("type"), list):
        resolved["type"] = next((kind for kind in resolved["type"] if kind != "null"), "string")
    if "const" in resolved:
        resolved.setdefault("enum", [resolved["const"]])
    return resolved


def _kind(name: str, schema: Mapping[str, Any]) -> ParameterKind | None:
    declared = schema.get("type", "string")
    if declared == "string" and wants_weekday(_name_words(name), _choices(schema), _hint(schema)):
        return "weekday"
    if schema.get("enum"):
        return "choice"
    if declared == "boolean":
        return "flag"
    if declared in ("integer", "number"):
        return "number"
    return _text_kind(name, schema) if declared == "string" else None


def _name_words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", _as_said(name)))


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    choices = schema.get("enum")
    return list(choices) if isinstance(choices, list) else []


def _hint(schema: Mapping[str, Any]) -> str:
    parts = (schema.get(key) for key in ("format", "description", "examples", "example", "default"))
    return " ".join(str(part) for part in parts if part)


def _text_kind(name: str, schema: Mapping[str, Any]) -> ParameterKind:
    words = _name_words(name)
    hint = f"{schema.get('format', '')} {schema.get('description', '')}"
    if schema.get("format") == "date-time" or "datetime" in words or {"date", "time"} <= words:
        return "moment"
    if schema.get("format") == "date" or words & {"date", "day"} or "YYYY-MM-DD" in hint:
        return "day"
    if schema.get("format") == "time" or words & {"time", "hour"} or "HH:MM" in hint:
        return "time"
    if "email" in words or schema.get("format") == "email":
        return "email"
    if words & {"phone", "telephone", "mobile"}:
        return "phone"
    if words & {"name"} and words <= _PERSON_WORDS | {"name"}:
        return "name"
    return "place" if words & _PLACE_WORDS else "text"


# What was said in a turn, sorted by kind.


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    days: list[Found[datetime.date]]
    times: list[Found[datetime.time]]
    names: list[Found[str]]
    taken: list[TextSpan]


def _listen(tool: ToolSpec, turn: Utterance, today: datetime.date) -> _Said:
    asked = {each.kind for each in tool.parameters if each.name in turn.asked}
    return _said(turn.text, today, bool(asked & {"time", "moment"}), "name" in asked)


@lru_cache(maxsize=256)  # many functions are asked what they make of the same turns
def _said(text: str, today: datetime.date, asked_time: bool, asked_name: bool) -> _Said:
    days = find_dates(text, today)
    taken = [each.span for each in days]
    times = find_times(text, taken, asked=asked_time)
    taken += [each.span for each in times]
    return _Said(text, days, times, find_names(text, taken, asked=asked_name), taken)


def fill(tool: ToolSpec, turns: Sequence[Utterance], today: datetime.date) -> dict[str, Any]:
    """Returns the arguments that were said; of several values for one argument the last one
    counts."""
    filled: dict[str, Any] = {}
    day: datetime.date | None = None
    time: datetime.time | None = None
    for turn in turns:
        said = _listen(tool, turn, today)
        day = said.days[-1].value if said.days else day
        time = said.times[-1].value if said.times else time
        for kind, found in (
            ("day", said.days),
            ("weekday", said.days),
            ("time", said.times),
            ("name", said.names),
        ):
            wanted = [each for each in tool.parameters if each.kind == kind]
            filled.update(_in_order(wanted, found, turn, filled))
        if turn.about:
            filled.update(_numbers(tool, turn, said))
            filled.update(_others(tool, turn, said))
    if day and time:
        moment = datetime.datetime.combine(day, time).isoformat()
        filled.update({each.name: moment for each in tool.parameters if each.kind == "moment"})
    return filled


def _in_order(
    wanted: Sequence[Parameter],
    found: Sequence[Found[Any]],
    turn: Utterance,
    filled: Mapping[str, Any],
) -> dict[str, str]:
    if not wanted or not found:
        return {}
    if len(wanted) > 1 and len(found) > 1:
        pairs = list(zip(wanted, found, strict=False))
    else:
        open_ = [each for each in wanted if each.name in turn.asked]
        open_ = open_ or [each for each in wanted if each.name not in filled] or list(wanted)
        pairs = [(open_[0], found[-1])]
    written = {parameter.name: _written(each.value, parameter) for parameter, each in pairs}
    return {name: value for name, value in written.items() if value is not None}


def _written(value: object, parameter: Parameter) -> str | None:
    if parameter.kind == "weekday" and isinstance(value, datetime.date):
        return weekday_value(value, parameter.choices, parameter.hint)
    if isinstance(value, datetime.time):
        return value.strftime("%H:%M:%S" if parameter.schema.get("format") == "time" else "%H:%M")
    return str(value)


_numbers_in = lru_cache(maxsize=256)(find_numbers)
_places_in = lru_cache(maxsize=256)(find_places)


def _numbers(tool: ToolSpec, turn: Utterance, said: _Said) -> dict[str, float]:
    """Returns each number for the argument that is named beside it, else for one that is open."""
    filled: dict[str, float] = {}
    left = list(_numbers_in(said.text, tuple(said.taken)))
    wanted = [each for each in tool.parameters if each.kind == "number"]
    for parameter in wanted:
        beside = next((each for each in left if _named_beside(parameter, each, said.text)), None)
        if beside:
            left.remove(beside)
            filled[parameter.name] = beside.value
    for parameter in [each for each in wanted if _takes_any_number(each, wanted, turn)]:
        if left and parameter.name not in filled:
            filled[parameter.name] = left.pop(0).value
    whole = {each.name for each in wanted if each.schema.get("type") == "integer"}
    return {name: value for name, value in filled.items() if name not in whole or value % 1 == 0}


def _takes_any_number(parameter: Parameter, wanted: Sequence[Parameter], turn: Utterance) -> bool:
    if {each.name for each in wanted} & set(turn.asked):
        return parameter.name in turn.asked
    return parameter.required or len(wanted) == 1 or parameter.words in _COUNTS


def _named_beside(parameter: Parameter, number: Found[float], text: str) -> bool:
    near = re.findall(r"[a-z]+", text[number.end :].lower())[:2]
    near += re.findall(r"[a-z]+", text[: number.start].lower())[-2:]
    names = {word.rstrip("s") for word in parameter.words.split()}
    return any(word.rstrip("s") in names for word in near)


def _others(tool: ToolSpec, turn: Utterance, said: _Said) -> Iterator[tuple[str, Any]]:
    for parameter in tool.parameters:
        value = _other(parameter, tool, turn, said)
        if value is not None:
            yield parameter.name, value


def _other(parameter: Parameter, tool: ToolSpec, turn: Utterance, said: _Said) -> Any:
    asked = parameter.name in turn.asked
    match parameter.kind:
        case "choice":
            return _choice(parameter.choices, said.text)
        case "flag":
            return _flag(parameter, said.text, asked)
        case "place":
            places = _places_in(said.text, tuple(said.taken), asked)
            return places[-1].value if places else None
        case "phone":
            match = _PHONE.search(said.text)
            return re.sub(r"[\s().-]", "", match[0]) if match else None
        case "email":
            return _email(said.text)
        case "text":
            return _free_text(parameter, tool, turn, asked)
    return None


def _choice(choices: Sequence[Any], text: str) -> Any:
    """Returns the allowed value that was said last: in one word or several, singular or plural."""
    said = re.findall(r"[\w'-]+", text)
    for form in (_squeezed, _stemmed):  # "have them cleaned" means "cleaning" if nothing else does
        best = _said_last(choices, said, form)
        if best is not None:
            return best
    return _numeric_choice(choices, text)


def _said_last(choices: Sequence[Any], said: Sequence[str], form: Callable[[str], str]) -> Any:
    words = [form(word) for word in said]
    best, where = None, -1
    for value in choices:
        target = form(str(value))
        for size in (1, 2, 3):
            for start in range(len(words) - size + 1):
                if "".join(words[start : start + size]) == target and start > where:
                    best, where = value, start
    return best


def _numeric_choice(choices: Sequence[Any], text: str) -> Any:
    said = [each.value for each in find_numbers(text)]
    numbers = [each for each in choices if isinstance(each, int | float) and each in said]
    return numbers[-1] if numbers else None


def _squeezed(word: str) -> str:
    letters = re.sub(r"[\W_]", "", word.lower())
    return letters[:-1] if len(letters) > 3 and letters.endswith("s") else letters


def _stemmed(word: str) -> str:
    letters = _squeezed(word)
    if letters in ("morning", "evening"):
        return letters
    return re.sub(r"(?<=\w{4})(?:ing|ed)$", "", letters)


_OFF = frozenset({"off", "disable", "disabled", "deactivate"})
_ON = frozenset({"on", "enable", "enabled", "activate"})


def _flag(parameter: Parameter, text: str, asked: bool) -> bool | None:
    words = re.findall(r"[a-z']+", text.lower())
    names = set(parameter.words.split())
    if names & (_ON | {"state", "active", "power"}):
        switches = [word for word in words if word in _ON | _OFF]
        if switches:
            return switches[-1] in _ON
    for index, word in enumerate(words):
        if word in names and len(word) > 2:
            return not {"no", "not", "without", "don't"} & set(words[max(0, index - 2) : index])
    return find_yes_no(text) if asked else None


def _email(text: str) -> str | None:
    if match := _EMAIL.search(text):
        return match[0].rstrip(".")
    if match := _SPOKEN_EMAIL.search(text):
        spoken = re.sub(r"\s+dot\s+", ".", match[0].lower())
        return re.sub(r"\s+at\s+", "@", spoken, count=1)
    return None


def _free_text(parameter: Parameter, tool: ToolSpec, turn: Utterance, asked: bool) -> str | None:
    texts = [each for each in tool.parameters if each.kind == "text" and each.required]
    if asked and (len(turn.asked) == 1 or len(texts) == 1):
        return _FILLERS.sub("", turn.text) or None
    if turn.asked or texts != [parameter]:
        return None
    topic = _TOPIC.search(turn.text)
    return (_FILLERS.sub("", topic["rest"]) or None) if topic else None


# What is missing, as a question.


def question(tool: ToolSpec, missing: Sequence[Parameter]) -> str:
    """Returns one sentence that asks for the arguments that are missing."""
    if len(missing) == 1:
        return _single_question(tool, missing[0])
    text = f"{listed([_question_part(each) for each in missing[:3]], 'and')}?"
    return text[0].upper() + text[1:]


def _single_question(tool: ToolSpec, parameter: Parameter) -> str:
    words = parameter.words
    match parameter.kind:
        case "name":
            booking = re.search(r"\b(?:book|schedule|reserve|make)", tool.words)
            return f"What name should I {'book it under' if booking else 'use'}?"
        case "choice":
            choices = [str(each).replace("_", " ") for each in parameter.choices[:6]]
            return f"Which {words}: {listed(choices, 'or')}?"
        case "flag":
            return f"Should it be {words}?"
        case "text" | "phone" | "email":
            return f"What is the {words}?"
    text = _question_part(parameter)
    return f"{text[0].upper()}{text[1:]}?"


def _question_part(parameter: Parameter) -> str:
    words = parameter.words
    match parameter.kind:
        case "day" | "weekday":
            return "on which day"
        case "time":
            return "at what time"
        case "moment":
            return "on which day and at what time"
        case "name":
            return "under what name"
        case "place":
            return f"for which {words}"
        case "number" if words.endswith("s"):
            return f"how many {words}"
    return f"which {words}"
