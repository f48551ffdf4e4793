"""Plain logs of Realtime events as a source of recordings.

What opens: one event per line, or a document or table that holds them; GA or beta events, bare or
inside an object that also tells the time, the direction and the session, such as the ones that web
consoles, agent libraries, containers, collectors and browsers' network tools write (HAR exports
among them); lines with text before the event, as loggers write them; events as Python and Node
print them; all of it packed by gzip; and ``events.jsonl`` of a recording whose folder is gone.

What a log does not tell is not made up. Without times, everything that is measured in time is NaN.
Audio is taken from the events where they hold it; where it was left out, so are the durations that
would follow from it. What was played is only in logs of WebRTC, whose server plays the audio.

On the way from the file to the fold each step is a module: text (``log_bytes``), objects in it
(``log_text``, ``log_printed``), what holds many of them (``log_batches``), events in them
(``log_lines``), each once (``log_repeats``), in order (``log_order``), by session
(``log_sessions``), audio apart (``log_audio``); then ``log_checks`` looks for what can't be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from realtime_nb.archive.fold import Fold
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.archive.log_audio import LoggedAudio
from realtime_nb.archive.log_checks import check
from realtime_nb.archive.log_lines import KNOWN, EventLog, LogEntry, read_log
from realtime_nb.archive.log_order import believable, ids_in, in_order
from realtime_nb.archive.log_repeats import once
from realtime_nb.archive.log_sessions import sessions_in
from realtime_nb.archive.log_times import over_midnight
from realtime_nb.archive.other_wires import other_wire
from realtime_nb.archive.sources import BACKWARDS_S, RecordingSource
from realtime_nb.audio.pcm import Samples, samples_from_pcm
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.dialect import (
    Side,
    client_to_ga,
    detect,
    ga_name,
    server_shows_beta,
    server_to_ga,
)
from realtime_nb.protocol.doubts import Doubts
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.words import counted

__all__ = ["LOG_SUFFIXES", "LogSource"]

LOG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".log", ".txt", ".har")

_STARTED, _STOPPED, _COMMITTED = (
    f"input_audio_buffer.{step}" for step in ("speech_started", "speech_stopped", "committed")
)
_TURN_STEPS = {
    *(_COMMITTED, "conversation.item.added", "conversation.item.create"),
    *("response.created", "response.output_item.added"),
}
_LEFT_OUT: dict[Side, str] = {
    "input": "the log does not hold the audio that was sent",
    "output": "the log does not hold the audio that was received",
}


class LogSource(RecordingSource):
    """A log of Realtime events; see the module for what opens.

    Args:
        path: the file.
        part: the session of it that is meant, where it is not the whole.

    Raises:
        RecordingError: It is empty, holds no Realtime event, or the events of several sessions that
            can't be told apart.
    """

    content = "event log"

    def __init__(self, path: Path, part: EventLog | None = None) -> None:
        super().__init__(path, {})
        self._sessions: list[EventLog] = []
        self._doubted: dict[str, str] = {}
        log = self._read(path) if part is None else part
        found = once(log.entries)
        self.problems += found.notes
        order = in_order(found.entries)
        if order.note is not None:
            self.problems.append(order.note)
        entries = order.entries
        if part is None:
            entries = self._told_apart(log, entries)
        self._dialect = "beta" if any(map(_is_beta, entries)) else "ga"
        times_s = self._timed(entries, log.noun)
        self._events = self._recorded(entries, times_s)
        self._note_audio(found.input_doubted)
        self.header = self._header(entries)
        self.duration_s = max((t_s for t_s in times_s if not math.isnan(t_s)), default=math.nan)
        self._doubted |= _doubts(found.doubted, order.contradicted)
        self._fold_events()

    def sessions(self) -> list[RecordingSource]:
        """Returns each session of the log by itself; the log where it holds one."""
        if len(self._sessions) < 2:
            return [self]
        return [LogSource(self.path, part) for part in self._sessions]

    def _read(self, path: Path) -> EventLog:
        log = read_log(path)
        other = other_wire(entry.event for entry in log.entries)
        if other is not None:
            raise RecordingError(
                f"{path} is {other}. Only logs of the Realtime protocol can be loaded."
            )
        if not any(entry.name in KNOWN for entry in log.entries):
            raise RecordingError(_not_a_log(path))
        self._note_losses(log)
        return log

    def _told_apart(self, log: EventLog, entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
        """Returns the entries that can be taken as one recording: all, unless sessions overlap."""
        found = sessions_in(entries)
        count = len(found.parts)
        if found.mixed is not None:
            raise RecordingError(
                f"{self.path} holds the events of {count} sessions that ran at the same time "
                f"({found.mixed}), and nothing beside an event tells which one it is of. Log a "
                "session_id beside each event, or each session to a file of its own."
            )
        if count < 2:
            return entries
        self._sessions = [replace(log, entries=list(part)) for part in found.parts]
        how = "at the same time; this is the first" if found.apart else "one after the other"
        self.problems.append(
            f"The log holds {count} sessions, {how}. rec.sessions has each by itself."
        )
        return found.parts[0] if found.apart else entries

    def _recorded(
        self, entries: Sequence[LogEntry], times_s: Sequence[float]
    ) -> list[RecordedEvent]:
        self._audio = LoggedAudio(
            (entry.event for entry in entries), from_client=not any(map(_tells_session, entries))
        )
        events = [
            RecordedEvent(
                number if entry.seq is None else entry.seq,
                t_s,
                entry.direction,
                self._audio.take(self._followed(entry), entry.seq is not None),
                None if math.isnan(t_s) else entry.captured_s,
            )
            for number, (entry, t_s) in enumerate(zip(entries, times_s, strict=True))
        ]
        self._audio.finish()
        return events

    def _fold_events(self) -> None:
        self.fold = Fold(self._dialect)
        for line in self._events:
            self.fold.take(line, self._audio.read)
        self.problems += self.fold.problems()
        if "output" not in self.unknown and self.fold.unheard():
            self._note_left_out("output")
        self._note_repeats()
        checked = check(self._events, self.fold.conversation, self.unknown)
        self.problems += checked.problems
        doubts = Doubts(records={**checked.ids, **self._doubted}, speech=checked.speech)
        self.fold.finish(self.unknown, doubts=doubts)

    def events(self) -> Iterator[RecordedEvent]:
        """Yields all events in order, audio replaced by where it is."""
        return iter(self._events)

    def wav(self, name: str) -> Samples:
        """Implements :class:`RecordingSource`: the audio that the events held."""
        pcm = self._audio.pcm.get(name, b"")
        return samples_from_pcm(bytes(pcm)) if pcm else np.zeros(0, np.float32)

    def _note_losses(self, log: EventLog) -> None:
        if log.unreadable:
            some = ", ".join(str(number) for number in log.unreadable[:5])
            more = f" and {len(log.unreadable) - 5} more" if len(log.unreadable) > 5 else ""
            self.problems.append(f"{log.noun} {some}{more} can't be read and is left out.")
        if log.cut_off:
            self.problems.append("The file is cut off: what is packed in it has no end.")
            self.unknown["usage"] = "the end of the log is missing, and may tell what was billed"
        if log.unread_usage:
            self.unknown["usage"] = (
                f"{log.noun} {log.unread_usage[0]} of the log can't be read, and may tell what was "
                "billed"
            )
        if log.others:
            self.problems.append(f"{_are(log.others, log.noun)} without an event and left out.")
        if repeats := sum(entry.repeats for entry in log.entries):
            self.problems.append(
                f"The log only counted repeated events: {repeats} of them are missing, with their "
                "text and audio."
            )
        if log.unitless:
            self.problems.append(
                "The log's times are small numbers that could be seconds or milliseconds, and are "
                "not used; name the field t_s or t_ms."
            )

    # --- times ---

    def _timed(self, entries: Sequence[LogEntry], noun: str) -> list[float]:
        """Returns seconds since the session began, of each entry; NaN where unknown."""
        axes = Counter(entry.axis for entry in entries if entry.time_s is not None)
        if not axes:
            self.unknown["times"] = "the log has no times"
            self.problems.append("The log has no times: what is measured in time is not known.")
            return [math.nan] * len(entries)
        axis = axes.most_common(1)[0][0]
        on_axis = [
            math.nan if entry.time_s is None or entry.axis != axis else entry.time_s
            for entry in entries
        ]
        if axis == "day":
            on_axis = over_midnight(on_axis)
        if untimed := sum(map(math.isnan, on_axis)):
            self.unknown["times"] = "the log has no time for some events"
            self.problems.append(f"{_are(untimed, noun)} without a time.")
        self._note_resolution(on_axis)
        believed = believable(on_axis, BACKWARDS_S if axis == "session" else 0.0)
        for index, by_s in believed.set_back:
            self.unknown["times"] = "the log's clock runs back"
            self.problems.append(
                f"The clock runs back by {by_s:.2f} s at {noun} {entries[index].line}; no times "
                "are known from there on."
            )
        if believed.stretches:
            self.unknown["times"] = "the log's times contradict its order"
            count = sum(map(len, believed.stretches))
            self.problems.append(
                f"The times of {counted(count, 'event')} contradict their order, and are not used."
            )
            self._doubt_order([[entries[n] for n in stretch] for stretch in believed.stretches])
        first_s = (t_s for t_s in believed.times_s if not math.isnan(t_s))
        began_s = 0.0 if axis == "session" else next(first_s, 0.0)
        return [round(t_s - began_s, 6) for t_s in believed.times_s]

    def _doubt_order(self, stretches: Sequence[Sequence[LogEntry]]) -> None:
        """Takes it for unknown which answer is to which turn, where their order is."""
        for stretch in stretches:
            steps = [entry for entry in stretch if ga_name(entry.name) in _TURN_STEPS]
            if len(steps) > 1:
                ids = {one for entry in steps for one in ids_in(entry)}
                self._doubted |= dict.fromkeys(ids, "its times contradict the order of the log")

    def _note_resolution(self, times_s: Sequence[float]) -> None:
        known = [t for t in times_s if not math.isnan(t)]
        if len(known) > 2 and all(t == int(t) for t in known):
            self.problems.append(
                "The log's times are whole seconds: no duration is more exact than that."
            )

    # --- session and audio ---

    def _followed(self, entry: LogEntry) -> JsonObject:
        """Returns the event, after the audio formats that it may set were taken in."""
        if "session" in entry.event:
            to_ga = client_to_ga if entry.direction == "sent" else server_to_ga
            for form in to_ga(entry.event) if self._dialect == "beta" else [entry.event]:
                self._audio.follow(form)
        return entry.event

    def _note_audio(self, input_doubted: str | None) -> None:
        seen = {ga_name(str(line.event["type"])) for line in self._events}
        audio = self._audio
        if not audio.sides["input"] and seen & {_STARTED, _STOPPED, _COMMITTED}:
            audio.stripped.add("input")
        for side in sorted(audio.stripped):
            self._note_left_out(side)
        if input_doubted is not None:
            self.unknown.setdefault("input", input_doubted)
            audio.forget("input")
        if audio.elsewhere:
            self.problems.append(
                "The audio is in the WAV files of the recording that the log is from; it is not "
                "loaded."
            )
        self.problems += sorted(audio.refused)

    def _note_left_out(self, side: Side) -> None:
        self.unknown[side] = _LEFT_OUT[side]
        self.problems.append(f"{_LEFT_OUT[side][0].upper()}{_LEFT_OUT[side][1:]}.")

    def _note_repeats(self) -> None:
        """Notes ids that were given to several things."""
        again = self.fold.conversation.set_apart
        if again:
            some = ", ".join(dict.fromkeys(name for name, _ in again[:5]))
            some += " and more" if len(again) > 5 else ""
            self.problems.append(
                f"Ids were given twice ({some}): the earlier ones are told from the later by a "
                "number behind them."
            )

    def _header(self, entries: Sequence[LogEntry]) -> JsonObject:
        header: JsonObject = {"dialect": self._dialect}
        for entry in entries:
            session = entry.event.get("session")
            if isinstance(session, dict) and isinstance(session.get("model"), str):
                header["model"] = session["model"]
                break
        began_s = next((e.time_s for e in entries if e.axis == "epoch" and e.time_s), None)
        if began_s is not None:
            began = datetime.fromtimestamp(began_s, UTC)
            header["began"] = began.isoformat(timespec="milliseconds")
        return header


def _doubts(clashing: frozenset[str], contradicted: frozenset[str]) -> dict[str, str]:
    return {
        **dict.fromkeys(clashing, "its events and others have the same event_id"),
        **dict.fromkeys(contradicted, "its events can't have come in the order of the log"),
    }


def _is_beta(entry: LogEntry) -> bool:
    if entry.direction == "sent":
        return detect(entry.event) == "beta"
    return server_shows_beta(entry.event)


def _tells_session(entry: LogEntry) -> bool:
    return entry.direction == "received" and "session" in entry.event


def _not_a_log(path: Path) -> str:
    what = "is empty" if path.stat().st_size == 0 else "holds no Realtime event that can be read"
    return (
        f"{path} {what}. A log has one JSON object per line, or one array of them: events such as "
        '{"type": "response.done", …}, bare or as the "event", "data", "message" or "payload" of '
        "an object that also tells the time and the direction."
    )


def _are(count: int, noun: str) -> str:
    """Returns ``"1 line is"``, ``"2 lines are"``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else None
    return f"{counted(count, noun, plural)} {'is' if count == 1 else 'are'}"
