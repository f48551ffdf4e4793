"""Finds Realtime events, and what is said of them, in logs that other programs wrote.

An entry is an event, or an object around one that also tells when it happened and which way it
went; its line may begin with text that tells the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.dialect import BETA_CLIENT_EVENTS, BETA_SERVER_EVENTS
from realtime_nb.protocol.events import JsonObject

__all__ = ["KNOWN", "EventLog", "LogEntry", "read_log"]

Direction = Literal["sent", "received"]
Axis = Literal["session", "epoch", "day", "elapsed"]
"""What a time counts from: a recording's beginning, 1970, midnight, or some moment."""

_CLIENT_ONLY = {
    *ev.CLIENT_EVENTS,
    *BETA_CLIENT_EVENTS,
    *("output_audio_buffer.clear", "session.close"),
}
KNOWN = {*_CLIENT_ONLY, *ev.SERVER_EVENTS, *BETA_SERVER_EVENTS}
"""Names of Realtime events, of both dialects."""

_AROUND = ("event", "data", "message", "payload", "msg", "body", "raw", "frame", "json", "events")
_DIRECTION_KEYS = ("dir", "direction", "source", "from", "sender", "origin", "type", "kind")
_TIME_KEYS = (
    *("t_s", "time_s", "timestamp_s", "elapsed_s", "t_ms", "time_ms", "timestamp_ms", "elapsed_ms"),
    *("time", "timestamp", "ts", "@timestamp", "datetime", "date", "at", "t", "created_at"),
)
_SENT = {
    *("sent", "send", "out", "outgoing", "outbound", "client", "tx", "up", "upstream", "request"),
    *("↑", "⬆", "⬆️", "→", "->", "-->", "=>", ">", ">>", ">>>", "client->server"),
}
_RECEIVED = {
    *("received", "receive", "recv", "in", "incoming", "inbound", "server", "rx", "down"),
    *("downstream", "response", "↓", "⬇", "⬇️", "←", "<-", "<--", "<=", "<", "<<", "<<<"),
    "server->client",
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d))?")
_TIME_OF_DAY = re.compile(r"(?<![\d:])(\d\d):(\d\d):(\d\d(?:[.,]\d+)?)(?![\d:])")
_EPOCH = re.compile(r"(?<![\d.])1\d{9}(?:\d{3}|\d{6}|\d{9}|\.\d+)?(?![\d.])")
_NAME = re.compile(rb"""\\*["']type\\*["']\s*[:=]\s*\\*["']([\w.]+)""")
_BILLED = {"response.done", "conversation.item.input_audio_transcription.completed"}
_STANDARD = json.JSONDecoder()
_LONGEST_OBJECT = 1 << 20
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of a log.

    Attributes:
        line: its line, or its place in an array, from 1.
        event: as it was on the wire, as far as the log kept it.
        direction: what the log says of it, or else what its name says.
        time_s: on the log's own clock, None where it tells none.
        axis: what that counts from.
        seq, captured_s: of a recording's line.
        repeats: how many more such events there were that the log does not hold.
    """

    line: int
    event: JsonObject
    direction: Direction
    time_s: float | None = None
    axis: Axis = "epoch"
    seq: int | None = None
    captured_s: float | None = None
    repeats: int = 0


@dataclass(slots=True)
class EventLog:
    """What was found in a log.

    Attributes:
        entries: the events, in the order of the file.
        noun: what its parts are: ``line`` or ``entry``.
        unreadable: the numbers of those that begin as JSON and can't be read.
        unread_usage: the numbers of entries left out that may tell what was billed.
        others: how many hold something else than an event.
        unitless: how many times are numbers that could be seconds or milliseconds.
    """

    noun: str = "line"
    entries: list[LogEntry] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    unread_usage: list[int] = field(default_factory=list)
    others: int = 0
    unitless: int = 0


@dataclass(slots=True)
class _Stated:
    """What the objects around an event say of it."""

    direction: Direction | None = None
    time: tuple[float, Axis] | None = None
    seq: int | None = None
    captured_s: float | None = None
    repeats: int = 0
    unitless: bool = False


def read_log(path: Path) -> EventLog:
    """Reads all events that are in a file; it need not hold any."""
    content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    array = _array(content)
    log = EventLog("line" if array is None else "entry")
    if array is None:
        found = _lines(content)
    else:
        found = ((number, "", value) for number, value in enumerate(array, start=1))
    for number, before, value in found:
        if isinstance(value, dict):
            _add(log, number, before, value)
        elif isinstance(value, bytes):
            log.unreadable.append(number)
            if _may_tell_usage(value):
                log.unread_usage.append(number)
        else:
            log.others += 1
    return log


def _may_tell_usage(line: bytes) -> bool:
    """Tells whether what can't be read may be an event that tells what was billed."""
    name = next((name for name in _names(line) if name in KNOWN), None)
    return name is None or name in _BILLED


def _names(line: bytes) -> list[str]:
    return [name.decode() for name in _NAME.findall(line)]


# --- JSON in text ---------------------------------------------------------------------------------


def _array(content: bytes) -> list[object] | None:
    """Returns the entries of a file that is one JSON array, or one object around an array."""
    if not content.lstrip().startswith((b"[", b"{")):
        return None
    whole = _decoded(content.strip())
    if isinstance(whole, dict) and "type" not in whole:
        lists = [whole.get(key) for key in (*_AROUND, "log", "messages", "entries")]
        whole = next((value for value in lists if isinstance(value, list)), None)
    return whole if isinstance(whole, list) else None


def _lines(content: bytes) -> Iterator[tuple[int, str, object]]:
    """Yields number, text before the JSON, and the JSON of each line.

    The JSON is None where there is none, and bytes where it can't be read.
    """
    number = position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        end = len(content) if end < 0 else end
        line = content[position:end]
        number += 1
        if line.rstrip().endswith(b"{"):
            more = _spread_object(content, position + line.index(b"{"))
            if more is not None:
                value, end = more
                yield number, _text(line[: line.index(b"{")]), value
                number += content.count(b"\n", position, end)
                position = content.find(b"\n", end) + 1 or len(content)
                continue
        position = end + 1
        if line.strip(b" \t\r[],"):
            yield (number, *_object(line))


def _object(line: bytes) -> tuple[str, object]:
    start = line.find(b"{")
    if start < 0:
        return "", None
    # Text before the JSON may hold braces too; a line that begins with one has no such text.
    first = start
    while start >= 0:
        value = _decoded(line[start:].rstrip(b" \t\r,"))
        if value is None:
            value = _leading_object(line[start:])
        if isinstance(value, dict):
            return _text(line[:start]), value
        if not line[:first].strip(b" \t[,"):
            break
        start = line.find(b"{", start + 1)
    return "", line


def _spread_object(content: bytes, start: int) -> tuple[object, int] | None:
    """Returns an object that is spread over lines, and where it ends."""
    text = _text(content[start : start + _LONGEST_OBJECT])
    try:
        value, length = _STANDARD.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value, start + len(text[:length].encode())


def _leading_object(line: bytes) -> object:
    try:
        return _STANDARD.raw_decode(line.decode())[0]
    except (ValueError, RecursionError):
        return None


def _decoded(content: bytes | str) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(content)  # takes more than msgspec
    except (ValueError, RecursionError):
        return None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


# --- the event inside -----------------------------------------------------------------------------


def _add(log: EventLog, number: int, before: str, value: JsonObject) -> None:
    stated = _Stated()
    event = _unwrapped(value, stated, 0)
    if event is None:
        log.others += 1
        if not _BILLED.isdisjoint(_names(repr(value).encode("utf-8", "replace"))):
            log.unread_usage.append(number)
        return
    if before:
        _take_text(before, stated)
    log.unitless += stated.unitless and stated.time is None
    time_s, axis = stated.time or (None, "epoch")
    log.entries.append(
        LogEntry(
            number,
            event,
            _direction(event, stated),
            time_s,
            axis,
            stated.seq,
            stated.captured_s,
            stated.repeats,
        )
    )


def _unwrapped(value: JsonObject, stated: _Stated, depth: int) -> JsonObject | None:
    """Returns the event in ``value``; what is said around it goes into ``stated``."""
    name = value.get("type")
    if isinstance(name, str) and (name in KNOWN or "." in name):
        _take_fields(value, stated)
        return _bare(value, name)
    for key in _AROUND:
        inner = value.get(key)
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            inner = _decoded(inner)
        if isinstance(inner, dict) and depth < _DEEPEST:
            event = _unwrapped(inner, stated, depth + 1)
            if event is not None:
                _take_fields(value, stated)
                return event
    return None


def _bare(event: JsonObject, name: str) -> JsonObject:
    """Returns a client's event without what a log wrote into it: its fields are checked exactly."""
    fields = ev.CLIENT_EVENTS.get(name)
    added = () if fields is None else (*_TIME_KEYS, *_DIRECTION_KEYS)
    known = () if fields is None else ("type", *fields.__struct_fields__)
    extra = [key for key in added if key in event and key not in known]
    return {key: held for key, held in event.items() if key not in extra} if extra else event


def _take_fields(value: JsonObject, stated: _Stated) -> None:
    ours = {"seq", "t", "dir", "event"} <= value.keys()
    if ours and isinstance(value["seq"], int):
        stated.seq = value["seq"]
        stated.captured_s = _number(value.get("captured"))
    if stated.direction is None:
        words = (value.get(key) for key in _DIRECTION_KEYS)
        stated.direction = next(filter(None, map(_way, words)), None)
    if isinstance(value.get("count"), int) and "event" in value:
        stated.repeats = max(0, value["count"] - 1)
    if ours and (t_s := _number(value["t"])) is not None:
        stated.time = (t_s, "session")
    for key in _TIME_KEYS:
        if stated.time is None and key in value:
            stated.time = _time(value[key], key)
            stated.unitless |= stated.time is None and _number(value[key]) is not None


def _take_text(before: str, stated: _Stated) -> None:
    if stated.direction is None:
        words = re.split(r"[\s:\[\]()|\"',]+", before)
        stated.direction = next(filter(None, map(_way, words)), None)
    if stated.time is None:
        stated.time = _time_in_text(before)


def _direction(event: JsonObject, stated: _Stated) -> Direction:
    """Goes by the event's name, which leaves no doubt; a log's word may be the other side's."""
    name = event["type"]
    if name in _CLIENT_ONLY:
        return "sent"
    return "received" if name in KNOWN else stated.direction or "received"


def _way(word: object) -> Direction | None:
    if not isinstance(word, str):
        return None
    word = word.strip().lower()
    return "sent" if word in _SENT else "received" if word in _RECEIVED else None


# --- times ----------------------------------------------------------------------------------------


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _time(value: object, key: str) -> tuple[float, Axis] | None:
    number = _number(value)
    if number is None:
        return _time_in_text(value) if isinstance(value, str) else None
    size = abs(number)
    for above, unit_s in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e9, 1.0)):
        if size >= above:
            return number * unit_s, "epoch"
    if key.endswith("_ms"):
        return number / 1000, "elapsed"
    return (number, "elapsed") if key.endswith("_s") else None


def _time_in_text(text: str) -> tuple[float, Axis] | None:
    if (found := _MOMENT.search(text)) is not None:
        try:
            moment = datetime.fromisoformat(found[0].replace(",", ".").replace(" +", "+"))
        except ValueError:
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp(), "epoch"
    if (found := _TIME_OF_DAY.search(text)) is not None:
        hours, minutes, seconds = found.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", ".")), "day"
    if (found := _EPOCH.search(text)) is not None:
        return _time(float(found[0]), "")
    return None
