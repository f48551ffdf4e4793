"""Finds Realtime events, and what is said of them, in logs that other programs wrote.

An entry is an event, or an object around one that also tells when it happened, which way it went
and of which session it is; its line may begin with text that tells the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from realtime_nb.archive.checked_files import check_log
from realtime_nb.archive.log_batches import entries_in, table_in
from realtime_nb.archive.log_bytes import in_utf8, unpacked_file
from realtime_nb.archive.log_printed import read_json
from realtime_nb.archive.log_text import FoundObject, document_in, object_in, objects_in
from realtime_nb.archive.log_times import Axis, number_of, time_in_text, time_of
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.dialect import BETA_CLIENT_EVENTS, BETA_SERVER_EVENTS
from realtime_nb.protocol.events import JsonObject

__all__ = ["KNOWN", "EventLog", "LogEntry", "event_in", "log_in", "read_log"]

Direction = Literal["sent", "received"]

_CLIENT_ONLY = {
    *ev.CLIENT_EVENTS,
    *BETA_CLIENT_EVENTS,
    *("output_audio_buffer.clear", "session.close"),
}
KNOWN = {*_CLIENT_ONLY, *ev.SERVER_EVENTS, *BETA_SERVER_EVENTS}
"""Names of Realtime events, of both dialects."""

_AROUND = (
    *("event", "data", "message", "payload", "msg", "body", "raw", "frame", "json", "events"),
    *("event_data", "eventData", "fullEvent", "full_event", "log", "content", "record"),
)
_NAME_KEYS = ("type", "event_type", "eventType", "event_name", "event", "name", "kind")
_DIRECTION_KEYS = ("dir", "direction", "source", "from", "sender", "origin", "type", "kind")
_SESSION_KEYS = (
    *("session_id", "sessionId", "connection_id", "connectionId", "connection", "conn", "socket"),
    *("conversation_id", "call_sid", "callSid", "stream_sid", "streamSid", "call"),
)
_ANY_SESSION_KEY = frozenset(_SESSION_KEYS)
_TIME_KEYS = (
    *("t_s", "time_s", "timestamp_s", "elapsed_s", "t_ms", "time_ms", "timestamp_ms", "elapsed_ms"),
    *("time", "timestamp", "ts", "@timestamp", "datetime", "date", "at", "t", "created_at"),
)
_TIME_WORDS = ("timestamp", "time", "date", "_at")
_NO_TIME_WORDS = ("expire", "duration", "elapsed", "update", "timeout", "runtime", "monotonic")
_SENT = {
    *("sent", "send", "out", "outgoing", "outbound", "client", "tx", "up", "upstream", "request"),
    *("↑", "⬆", "⬆️", "→", "->", "-->", "=>", ">", ">>", ">>>", "client->server"),
}
_RECEIVED = {
    *("received", "receive", "recv", "in", "incoming", "inbound", "server", "rx", "down"),
    *("downstream", "response", "↓", "⬇", "⬇️", "←", "<-", "<--", "<=", "<", "<<", "<<<"),
    "server->client",
}
_SESSION_IN_TEXT = re.compile(r"\bsess_\w+")
_NAME = re.compile(rb"""\\*["']type\\*["']\s*[:=]\s*\\*["']([\w.]+)""")
_BILLED = {"response.done", "conversation.item.input_audio_transcription.completed"}
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
        session: which session or connection it is of, where the log says so beside it.
        seq, captured_s: of a recording's line.
        repeats: how many more such events there were that the log does not hold.
    """

    line: int
    event: JsonObject
    direction: Direction
    time_s: float | None = None
    axis: Axis = "epoch"
    session: str | None = None
    seq: int | None = None
    captured_s: float | None = None
    repeats: int = 0

    @property
    def name(self) -> str:
        """Its type."""
        return str(self.event["type"])


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
        cut_off: whether the file was packed, and its end is missing.
    """

    noun: str = "line"
    entries: list[LogEntry] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    unread_usage: list[int] = field(default_factory=list)
    others: int = 0
    unitless: int = 0
    cut_off: bool = False


@dataclass(slots=True)
class _Stated:
    """What the objects around an event, and the text before it, say of it."""

    direction: Direction | None = None
    time: tuple[float, Axis] | None = None
    session: str | None = None
    seq: int | None = None
    captured_s: float | None = None
    repeats: int = 0
    unitless: bool = False


def read_log(path: Path) -> EventLog:
    """Reads all events that are in a file; it need not hold any.

    Raises:
        RecordingError: It can't be read, or not as what it is packed as.
    """
    check_log(path)
    unpacked = unpacked_file(path)
    log = log_in(unpacked.content)
    log.cut_off = unpacked.cut_off
    return log


def log_in(content: bytes) -> EventLog:
    """Reads all events that a file's content, or any text, holds."""
    content = in_utf8(content)
    quoted = read_json(content) if content.startswith(b'"') else None
    content = quoted.encode() if isinstance(quoted, str) else content
    whole = document_in(content)
    entries = table_in(content) if whole is None else whole
    if isinstance(whole, dict):
        entries = [*entries_in(whole, _is_entry)]
        entries = None if entries == [whole] else entries
    if not isinstance(entries, list):
        log, found = EventLog("line"), objects_in(content)
    else:
        log = EventLog("entry")
        found = (FoundObject(number, value=value) for number, value in enumerate(entries, start=1))
    for one in _whole_outputs(found):
        if one.damaged:
            log.unreadable.append(one.number)
            if isinstance(one.value, bytes) and _may_tell_usage(one.value):
                log.unread_usage.append(one.number)
        elif _holds_several(one.value) or not _add(log, one.number, one.before, one.value):
            parts = [*entries_in(one.value, _is_entry)]
            if parts == [one.value] or not parts:
                _leave_out(log, one)
            for part in parts if parts != [one.value] else ():
                _add(log, one.number, one.before, part)
    return log


def _leave_out(log: EventLog, one: FoundObject) -> None:
    """Counts what holds no event; where it may tell what was billed, so."""
    log.others += 1
    if not _BILLED.isdisjoint(_names(repr(one.value).encode("utf-8", "replace"))):
        log.unread_usage.append(one.number)


def _is_entry(value: JsonObject) -> bool:
    return event_in(value) is not None and not _holds_several(value)


def _holds_several(value: object) -> bool:
    """Tells whether an object is around several events, and not one that is told twice."""
    if not isinstance(value, dict) or _is_known(value.get("type")):
        return False
    told = [
        one
        for one in value.values()
        if isinstance(one, dict) or (isinstance(one, str) and "type" in one)
    ]
    if len(told) < 2:  # before anything is read again
        return False
    held = [inner.value for inner in map(_object_of, told) if inner is not None]
    events = [event for event in map(event_in, held) if event is not None]
    return any(event != events[0] for event in events)


def event_in(value: JsonObject) -> JsonObject | None:
    """Returns the event that an object is, or is put around; None where there is none."""
    return _unwrapped(value, _Stated())


def _may_tell_usage(line: bytes) -> bool:
    """Tells whether what can't be read may be an event that tells what was billed."""
    name = next((name for name in _names(line) if name in KNOWN), None)
    return name is None or name in _BILLED


def _names(line: bytes) -> list[str]:
    return [name.decode() for name in _NAME.findall(line)]


def _whole_outputs(found: Iterable[FoundObject]) -> Iterator[FoundObject]:
    """Puts together the lines of a container's output that its log driver had cut into pieces."""
    pieces: dict[object, str] = {}
    for one in found:
        value = one.value
        if not (isinstance(value, dict) and {"log", "stream"} <= value.keys()):
            yield one
            continue
        text = pieces.pop(value["stream"], "") + str(value["log"])
        if text.endswith("\n"):
            yield FoundObject(one.number, one.before, {**value, "log": text})
        else:
            pieces[value["stream"]] = text
    for text in pieces.values():
        yield FoundObject(0, "", {"log": text})


# --- the event inside -----------------------------------------------------------------------------


def _add(log: EventLog, number: int, before: str, value: object) -> bool:
    """Adds the event that a value is or holds; tells whether there is one."""
    inner = _object_of(value)
    stated = _Stated()
    event = None if inner is None else _unwrapped(inner.value, stated)
    if inner is None or event is None:
        return False
    before = before or inner.before
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
            stated.session,
            stated.seq,
            stated.captured_s,
            stated.repeats,
        )
    )
    return True


def _unwrapped(value: JsonObject, stated: _Stated, depth: int = 0) -> JsonObject | None:
    """Returns the event in ``value``; what is said around it goes into ``stated``."""
    name = value.get("type")
    if isinstance(name, str) and (name in KNOWN or "." in name):
        event = _bare(_same_inside(value, name) or value, name)
        _take_fields(value, stated, around=event is not value)
        return event
    inner = _inside(value, stated, depth) if depth < _DEEPEST else None
    inner = _named_apart(value) if inner is None else inner
    if inner is not None:
        _take_fields(value, stated, around=True)
    return inner


def _inside(value: JsonObject, stated: _Stated, depth: int) -> JsonObject | None:
    for key, held in value.items():
        inner = _object_of(held)
        if inner is None:
            continue
        event = _unwrapped(inner.value, stated, depth + 1)
        if event is not None and (key in _AROUND or event["type"] in KNOWN):
            if inner.before:
                _take_text(inner.before, stated)
            return event
    return None


@dataclass(frozen=True, slots=True)
class _Inner:
    before: str
    value: JsonObject


def _object_of(held: object) -> _Inner | None:
    """Returns an object, or one that is written in a text."""
    if isinstance(held, dict):
        return _Inner("", held)
    if not isinstance(held, str) or "type" not in held:
        return None
    found = object_in(held.strip().encode("utf-8", "replace"))
    return _Inner(found.before, found.value) if isinstance(found.value, dict) else None


def _same_inside(value: JsonObject, name: str) -> JsonObject | None:
    """Returns the event that an object repeats as a whole under the event's own type."""
    for key, held in value.items():
        if key != "type" and (isinstance(held, dict) or (isinstance(held, str) and name in held)):
            inner = _object_of(held)
            if inner is not None and inner.value.get("type") == name:
                return inner.value
    return None


def _named_apart(value: JsonObject) -> JsonObject | None:
    """Returns an event of which an object tells the name and the fields apart."""
    name = next((value[key] for key in _NAME_KEYS if _is_known(value.get(key))), None)
    if name is None:
        return None
    fields = [held for key, held in value.items() if isinstance(held, dict) and "type" not in held]
    return {"type": name, **fields[0]} if len(fields) == 1 else None


def _is_known(name: object) -> bool:
    return isinstance(name, str) and name in KNOWN


def _bare(event: JsonObject, name: str) -> JsonObject:
    """Returns a client's event without what a log wrote into it: its fields are checked exactly."""
    fields = ev.CLIENT_EVENTS.get(name)
    added = () if fields is None else (*_TIME_KEYS, *_DIRECTION_KEYS, *_SESSION_KEYS)
    known = () if fields is None else ("type", *fields.__struct_fields__)
    extra = [key for key in added if key in event and key not in known]
    return {key: held for key, held in event.items() if key not in extra} if extra else event


def _take_fields(value: JsonObject, stated: _Stated, *, around: bool) -> None:
    """Takes what an object says of its event; ``around``: it is not the event itself."""
    ours = {"seq", "t", "dir", "event"} <= value.keys()
    if ours and isinstance(value["seq"], int):
        stated.seq = value["seq"]
        stated.captured_s = number_of(value.get("captured"))
    if stated.direction is None:
        words = (value.get(key) for key in _DIRECTION_KEYS)
        stated.direction = next(filter(None, map(_way, words)), None)
    if isinstance(value.get("count"), int) and "event" in value:
        stated.repeats = max(0, value["count"] - 1)
    if ours and (t_s := number_of(value["t"])) is not None:
        stated.time = (t_s, "session")
    for key in _TIME_KEYS:
        if stated.time is None and key in value:
            stated.time = time_of(value[key], key)
            stated.unitless |= stated.time is None and number_of(value[key]) is not None
    if stated.time is None and around:
        beside = [held for held in value.values() if isinstance(held, dict) and "type" not in held]
        stated.time = next(filter(None, map(_time_by_any_name, (value, *beside))), None)
    keys = _SESSION_KEYS if around else _SESSION_KEYS[:4]
    if stated.session is None and not _ANY_SESSION_KEY.isdisjoint(value):
        names = (value.get(key) for key in keys)
        stated.session = next((str(one) for one in names if isinstance(one, str | int)), None)


def _time_by_any_name(value: JsonObject) -> tuple[float, Axis] | None:
    """Returns what a field tells whose name says that it is a time: each logger has its own."""
    named = {
        key.lower(): held
        for key, held in value.items()
        if not any(word in key.lower() for word in _NO_TIME_WORDS)
    }
    for word in _TIME_WORDS:
        for key, held in named.items():
            if (word in key or key == "@t") and (time := time_of(held, key)) is not None:
                return time
    return None


def _take_text(before: str, stated: _Stated) -> None:
    if stated.direction is None:
        words = re.split(r"[\s:\[\]()|\"',]+", before)
        stated.direction = next(filter(None, map(_way, words)), None)
    if stated.time is None:
        stated.time = time_in_text(before)
    if stated.session is None and (found := _SESSION_IN_TEXT.search(before)) is not None:
        stated.session = found[0]


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
