"""``rt.ga``: what was written for the beta of the Realtime protocol, as GA says it."""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from realtime_nb.archive.log_lines import KNOWN, LogEntry, event_in, log_in, read_log
from realtime_nb.errors import ConfigurationError, RecordingError, at_call
from realtime_nb.protocol import dialect
from realtime_nb.protocol.checking import checked_event
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.plain_json import json_text
from realtime_nb.protocol.problems import Refused
from realtime_nb.protocol.sessions import checked_response, new_session, updated_session
from realtime_nb.protocol.words import counted

__all__ = ["ga"]

_CHANGED = ("session.update", "response.create", "conversation.item.create")
_SHOWN_PROBLEMS = 5
_ARE = "an event, a session, a list of events, JSON, or the path of a log"


@at_call
def ga(what: Any, *, out: str | Path | None = None) -> Any:
    """Translates what was written for the beta interface, which OpenAI has switched off, to GA.

    ::

        rt.ga({"modalities": ["text"], "voice": "alloy"})       # a session, as code sends it
        rt.ga({"type": "response.audio.delta", "delta": ""})    # one event
        rt.ga("old.jsonl", out="new.jsonl")                     # a log, with its times

    What is GA already comes back equal. Fields and events that neither dialect knows stay. What GA
    has no place for (``temperature``) is left out, and a warning says so; another one tells what
    a GA server would refuse in an event of a client, and why. Nothing that is given is changed.

    Args:
        what: an event or a session as a dict (or an object of the ``openai`` package), an object
            around an event, a list of events, JSON of any of these, the path of a log as
            ``rt.load`` reads them, or a recording.
        out: a file for the events of a list or a log, one per line, each with the time, direction
            and session that the log told beside it.

    Returns:
        A session for a session, an event for an event, or a list of two where GA has two for one
        (``conversation.item.created`` of what is complete); a list of events for lists and logs.

    Raises:
        ConfigurationError: it is none of these, or ``out`` can't be written.
        RecordingError: a file that is no log.
    """
    notes: Counter[str] = Counter()
    found = _found(what)
    if isinstance(found, Mapping):
        if out is not None:
            raise ConfigurationError("out is for the events of a list or a log; leave it out here.")
        result: Any = _one(found, notes)
    else:
        entries = [one for entry in found for one in _translated(entry, notes)]
        result = [entry.event for entry in entries]
        if out is not None:
            _write(entries, Path(out), what)
    for note, times in list(notes.items())[:_SHOWN_PROBLEMS]:
        again = f" ({counted(times, 'time')})" if times > 1 else ""
        warnings.warn(f"{note}{again}", stacklevel=3)
    if len(notes) > _SHOWN_PROBLEMS:
        warnings.warn(f"… and {len(notes) - _SHOWN_PROBLEMS} more of that kind.", stacklevel=3)
    return result


# --- what was given -------------------------------------------------------------------------------


def _found(what: Any) -> JsonObject | list[LogEntry]:
    """Returns one object, or the entries of a list or a log."""
    if isinstance(what, str) and not what.lstrip().startswith(("{", "[")) and "\n" not in what:
        what = Path(what)
    if isinstance(what, os.PathLike):
        return _in_file(Path(what))
    if isinstance(what, str | bytes):
        return _in_text(what.encode() if isinstance(what, str) else what)
    if isinstance(what, Mapping) or hasattr(what, "model_dump"):
        return _plain(what)
    if hasattr(what, "raw_events"):
        lines = enumerate(what.raw_events(), start=1)
        return [
            LogEntry(n, one.event, one.direction, one.t_s, "session", seq=one.seq)
            for n, one in lines
        ]
    if isinstance(what, Iterable):
        return [_entry(number, one) for number, one in enumerate(what, start=1)]
    raise ConfigurationError(f"{type(what).__name__} can't be translated; give {_ARE}.")


def _in_file(path: Path) -> JsonObject | list[LogEntry]:
    if path.is_dir():
        path = path / "events.jsonl"
    if not path.exists():
        raise RecordingError(f"There is no file {path}. Give {_ARE}.")
    entries = read_log(path).entries
    return entries or _in_text(path.read_bytes(), str(path))


def _in_text(text: bytes, name: str = "The text") -> JsonObject | list[LogEntry]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and (event_in(value) or dialect.looks_like_session(value)):
        return value
    entries = log_in(text).entries
    if not entries:
        raise ConfigurationError(f"{name} holds no event of the Realtime protocol; give {_ARE}.")
    return entries


def _plain(given: Any) -> JsonObject:
    """Returns a dict of plain values that shares nothing with what was given."""
    if hasattr(given, "model_dump"):
        given = given.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return copy.deepcopy(dict(given))


def _entry(number: int, given: Any) -> LogEntry:
    if isinstance(given, str):
        given = _in_text(given.encode(), f"Entry {number}")
    if not (isinstance(given, Mapping) or hasattr(given, "model_dump")):
        kind = type(given).__name__
        raise ConfigurationError(f"Entry {number} is no event: it is of type {kind}.")
    plain = _plain(given)
    found = log_in(json_text([plain]).encode()).entries
    event = event_in(plain)
    if event is None or not found:
        raise ConfigurationError(f"Entry {number} is no event: it has no 'type' of one.")
    return replace(found[0], line=number, event=event)


# --- translating ----------------------------------------------------------------------------------


def _one(given: Mapping[str, Any], notes: Counter[str]) -> Any:
    fields = _plain(given)
    if dialect.looks_like_session(fields):
        session = dialect.session_to_ga(fields)
        if "id" not in fields:  # one that a client sends
            _note(fields, {"type": "session.update", "session": session}, notes)
        return session
    event = event_in(fields)
    if event is None:
        keys = ", ".join(map(repr, list(fields)[:5])) or "nothing"
        raise ConfigurationError(f"This is neither an event nor a session (it has {keys}).")
    events = _events(event, notes)
    return events[0] if len(events) == 1 else events


def _translated(entry: LogEntry, notes: Counter[str]) -> Iterator[LogEntry]:
    yield from (replace(entry, event=event) for event in _events(entry.event, notes))


def _events(event: JsonObject, notes: Counter[str]) -> list[JsonObject]:
    translated = dialect.to_ga(event)
    for one in translated:
        if one["type"] in _CHANGED:
            _note(event, one, notes)
        elif one["type"] not in KNOWN:
            notes[f"{one['type']} is no event of either dialect, and stays as it is."] += 1
    return [copy.deepcopy(one) for one in translated]


def _note(before: Mapping[str, Any], after: JsonObject, notes: Counter[str]) -> None:
    """Notes what was lost of something that a client sends, and what GA would refuse in it."""
    for path, why in dialect.left_out(dict(before)):
        notes[f"{path} is left out: {why}."] += 1
    refused = _refusal(after)
    if refused is not None:
        notes[f"A GA server refuses this {after['type']}: {refused}"] += 1


def _refusal(event: JsonObject) -> str | None:
    """Returns why a GA server would refuse a client's event."""
    try:
        checked_event(event)
        patch = event.get("session")
        if isinstance(patch, dict):
            kind = "transcription" if patch.get("type") == "transcription" else "realtime"
            updated_session(_session(kind, patch.get("model")), patch, has_spoken=False)
        if isinstance(response := event.get("response"), dict):
            checked_response(_session("realtime"), response, has_spoken=False)
    except Refused as refused:
        return refused.problem.message
    return None


def _session(kind: Any, model: object = "") -> JsonObject:
    return new_session(kind, str(model or ""), "sess", 0)


# --- writing --------------------------------------------------------------------------------------


def _write(entries: Iterable[LogEntry], out: Path, what: Any) -> None:
    if isinstance(what, str | os.PathLike) and _same(Path(what), out):
        raise ConfigurationError(f"out is {out}, the log itself; give another file.")
    lines = (json_text(_line(seq, entry)) for seq, entry in enumerate(entries))
    try:
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{out} can't be written: {error.strerror}.") from None


def _same(path: Path, out: Path) -> bool:
    try:
        return path.samefile(out) or (path / "events.jsonl").samefile(out)
    except (OSError, ValueError):  # one of them is not there, or no path
        return False


def _line(seq: int, entry: LogEntry) -> JsonObject:
    """Returns an event with what its log told of it, in words that :func:`read_log` knows."""
    if entry.seq is not None:
        heard = {} if entry.captured_s is None else {"captured": entry.captured_s}
        return {
            "seq": seq,
            "t": entry.time_s,
            "dir": entry.direction,
            "event": entry.event,
            **heard,
        }
    line: JsonObject = {"direction": entry.direction, "event": entry.event}
    if entry.session is not None:
        line["session_id"] = entry.session
    if entry.repeats:
        line["count"] = entry.repeats + 1
    if entry.time_s is not None:
        line |= _time(entry.time_s, entry.axis)
    return line


def _time(time_s: float, axis: str) -> JsonObject:
    if axis == "epoch":
        return {"timestamp": datetime.fromtimestamp(time_s, UTC).isoformat(timespec="microseconds")}
    if axis == "day":
        moment = datetime.fromtimestamp(time_s % 86_400, UTC)
        return {"time": moment.time().isoformat(timespec="microseconds")}
    return {"elapsed_s": time_s}
