"""Plain logs of Realtime events as a source of recordings.

What opens: one JSON object per line, or one array of them; GA or beta events, bare or inside an
object that also tells the time and the direction, such as the ones that web consoles, agent
libraries and browsers' network tools write; lines with text before the JSON, as loggers write them;
and ``events.jsonl`` of a recording whose folder is gone.

What a log does not tell is not made up. Without times, everything that is measured in time is NaN.
Audio is taken from the events where they hold it; where it was left out, so are the durations that
would follow from it. What was played is never in such a log.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from realtime_nb.archive.fold import Fold
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.archive.log_lines import KNOWN, EventLog, LogEntry, read_log
from realtime_nb.archive.sources import BACKWARDS_S, RecordingSource
from realtime_nb.audio.pcm import Resampler, Samples, samples_from_pcm
from realtime_nb.audio.wire import WireDecoder
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.audio_formats import PCM, session_format
from realtime_nb.protocol.dialect import (
    Side,
    audio_field,
    client_to_ga,
    detect,
    server_shows_beta,
    server_to_ga,
)
from realtime_nb.protocol.events import AudioRef, JsonObject
from realtime_nb.protocol.words import counted

__all__ = ["LOG_SUFFIXES", "LogSource"]

LOG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".log", ".txt")

_JITTER_S = 0.05
"""Lines of several writers may be this much out of order."""

_WAV: dict[Side, str] = {"input": "input.wav", "output": "received.wav"}
_LEFT_OUT: dict[Side, str] = {
    "input": "the log does not hold the audio that was sent",
    "output": "the log does not hold the audio that was received",
}


class LogSource(RecordingSource):
    """A log of Realtime events; see the module for what opens.

    Raises:
        RecordingError: It is empty, or holds no Realtime event.
    """

    content = "event log"

    def __init__(self, path: Path) -> None:
        super().__init__(path, {})
        log = read_log(path)
        if not any(entry.event["type"] in KNOWN for entry in log.entries):
            raise RecordingError(_not_a_log(path))
        entries = _in_order(log.entries)
        self._note_losses(log)
        self._dialect = "beta" if any(map(_is_beta, entries)) else "ga"
        entries, times_s = self._timed(entries, log.noun)
        self._audio = _LoggedAudio(from_client=not any(map(_tells_session, entries)))
        self._events = [
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
        self._note_audio()
        self._note_repeats()
        self.header = self._header(entries)
        self.duration_s = max((t_s for t_s in times_s if not math.isnan(t_s)), default=math.nan)
        self.fold = Fold(self._dialect)
        for line in self._events:
            self.fold.take(line, self._audio.read)
        self.problems += self.fold.problems()
        self.fold.finish(self.unknown)

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

    def _timed(
        self, entries: Sequence[LogEntry], noun: str
    ) -> tuple[Sequence[LogEntry], list[float]]:
        """Entries in order, and their seconds since the session began; NaN where unknown."""
        axes = Counter(entry.axis for entry in entries if entry.time_s is not None)
        if not axes:
            self.unknown["times"] = "the log has no times"
            self.problems.append("The log has no times: what is measured in time is not known.")
            return entries, [math.nan] * len(entries)
        axis = axes.most_common(1)[0][0]
        on_axis = [
            math.nan if entry.time_s is None or entry.axis != axis else entry.time_s
            for entry in entries
        ]
        began_s = 0.0 if axis == "session" else next(t for t in on_axis if not math.isnan(t))
        times_s = [round(t - began_s, 6) for t in on_axis]
        if untimed := sum(map(math.isnan, times_s)):
            self.unknown["times"] = "the log has no time for some events"
            self.problems.append(f"{_are(untimed, noun)} without a time.")
        self._note_resolution(times_s)
        jitter_s = BACKWARDS_S if axis == "session" else _JITTER_S
        broken = self._clock_that_ran_back(entries, times_s, jitter_s, noun)
        times_s[broken:] = [math.nan] * (len(times_s) - broken)
        if axis == "session" or untimed:
            return entries, times_s
        return self._sorted(entries, times_s, broken)

    def _note_resolution(self, times_s: Sequence[float]) -> None:
        known = [t for t in times_s if not math.isnan(t)]
        if len(known) > 2 and all(t == int(t) for t in known):
            self.problems.append(
                "The log's times are whole seconds: no duration is more exact than that."
            )

    def _clock_that_ran_back(
        self, entries: Sequence[LogEntry], times_s: Sequence[float], jitter_s: float, noun: str
    ) -> int:
        """Returns the index of the first event at which the clock had run back."""
        latest_s = -math.inf
        for index, t_s in enumerate(times_s):
            if t_s < latest_s - jitter_s:
                self.unknown["times"] = "the log's clock runs back"
                self.problems.append(
                    f"The clock runs back by {latest_s - t_s:.2f} s at {noun} "
                    f"{entries[index].line}; no times are known from there on."
                )
                return index
            if t_s > latest_s:
                latest_s = t_s
        return len(times_s)

    def _sorted(
        self, entries: Sequence[LogEntry], times_s: list[float], end: int
    ) -> tuple[Sequence[LogEntry], list[float]]:
        """Sorts by time, as far as known; a few writers' lines may be a little out of order."""
        order = sorted(range(end), key=times_s.__getitem__)
        moved = sum(index != place for place, index in enumerate(order))
        if moved:
            self.problems.append(
                f"{_are(moved, 'event')} out of order by less than {_JITTER_S * 1000:.0f} ms, "
                "and sorted by time."
            )
        order += range(end, len(entries))
        first_s = times_s[order[0]]
        return [entries[index] for index in order], [
            round(times_s[index] - first_s, 6) for index in order
        ]

    # --- session and audio ---

    def _followed(self, entry: LogEntry) -> JsonObject:
        """Returns the event, after the audio formats that it may set were taken in."""
        if "session" in entry.event:
            to_ga = client_to_ga if entry.direction == "sent" else server_to_ga
            for form in to_ga(entry.event) if self._dialect == "beta" else [entry.event]:
                self._audio.follow(form)
        return entry.event

    def _note_audio(self) -> None:
        seen = {str(line.event["type"]) for line in self._events}
        audio = self._audio
        if "input_audio_buffer.speech_started" in seen and not audio.sides["input"]:
            audio.stripped.add("input")
        for side in sorted(audio.stripped):
            self.unknown[side] = _LEFT_OUT[side]
            self.problems.append(f"{_LEFT_OUT[side][0].upper()}{_LEFT_OUT[side][1:]}.")
        if audio.elsewhere:
            self.problems.append(
                "The audio is in the WAV files of the recording that the log is from; it is not "
                "loaded."
            )
        self.problems += sorted(audio.refused)

    def _note_repeats(self) -> None:
        """Notes ids given twice: two sessions that gave the same can't be told apart."""
        given: Counter[str] = Counter()
        for line in self._events:
            held: object = None
            if line.event["type"] == "response.created":
                held = line.event.get("response")
            elif line.event["type"] == "input_audio_buffer.committed":
                held = {"id": line.event.get("item_id")}
            name = held.get("id") if isinstance(held, dict) else None
            if isinstance(name, str):
                given[name] += 1
        repeated = [name for name, times in given.items() if times > 1]
        if repeated:
            some = ", ".join(repeated[:5]) + (" and more" if len(repeated) > 5 else "")
            self.problems.append(
                f"Ids were given twice ({some}), as by two sessions: what was measured of their "
                "turns is not known. Load each session's part of the log by itself."
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


class _LoggedAudio:
    """Moves audio out of the events of a log.

    Attributes:
        pcm: what was found, by the name of the WAV file in which a recording keeps it.
        sides: how many events had, or should have had, audio.
        stripped: of which side audio was left out of some event.
        elsewhere: whether events refer to WAV files.
        refused: formats that can't be read, in sentences.
    """

    def __init__(self, from_client: bool) -> None:
        self.pcm = {name: bytearray() for name in _WAV.values()}
        self.sides: Counter[Side] = Counter()
        self.stripped: set[Side] = set()
        self.elsewhere = False
        self.refused: set[str] = set()
        self._from_client = from_client
        self._formats: dict[Side, tuple[str, int]] = {}
        self._decoders: dict[Side, WireDecoder] = {}
        self._resamplers: dict[Side, Resampler] = {}

    def follow(self, event: JsonObject) -> None:
        """Takes the formats of a session in GA form: the server's, or what a client asked for if
        the log has no word of the server."""
        asked = event.get("type") == "session.update"
        if asked and not self._from_client:
            return
        for side in _WAV:
            held = session_format(event.get("session"), side)
            if not isinstance(held, dict):
                continue
            name, rate = str(held.get("type", PCM.type)), held.get("rate")
            if name != PCM.type or not isinstance(rate, int):
                rate = PCM.sample_rate
            wanted = (name, rate)
            if self._formats.get(side) != wanted:
                self._formats[side] = wanted
                self._decoders.pop(side, None)
                self._resamplers.pop(side, None)

    def take(self, event: JsonObject, recorded: bool) -> JsonObject:
        """Returns the event with a reference in place of its audio; as it is if it was recorded
        so."""
        place = audio_field(event["type"])
        if place is None:
            return event
        key, side = place
        self.sides[side] += 1
        if recorded:
            self.elsewhere = True
            return event
        name = _WAV[side]
        start = len(self.pcm[name]) // 2
        wire = _payload(event.get(key))
        if wire:
            self.pcm[name] += self._decode(side, wire)
        else:
            self.stripped.add(side)
        samples = len(self.pcm[name]) // 2 - start
        return {**event, key: {"file": name, "start": start, "samples": samples}}

    def read(self, reference: AudioRef) -> bytes:
        """Returns the PCM16 that a reference speaks of, as much of it as there is."""
        pcm = self.pcm.get(reference.file, bytearray())
        return bytes(pcm[2 * reference.start : 2 * (reference.start + reference.samples)])

    def finish(self) -> None:
        """Takes what filters still hold."""
        for side, resampler in self._resamplers.items():
            self.pcm[_WAV[side]] += resampler.process_pcm(b"", last=True)

    def _decode(self, side: Side, wire: bytes) -> bytes:
        name, rate = self._formats.get(side, (PCM.type, PCM.sample_rate))
        try:
            if side not in self._decoders:
                self._decoders[side] = WireDecoder(name)
                self._resamplers[side] = Resampler(rate, PCM.sample_rate)
            return self._resamplers[side].process_pcm(self._decoders[side].decode(wire))
        except ConfigurationError as error:
            self.refused.add(f"The {side} audio can't be read: {error}")
            self.stripped.add(side)
            return b""


def _payload(value: object) -> bytes:
    """Returns the bytes of base64 text; none of whatever a log put in its place."""
    if not isinstance(value, str):
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _in_order(entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
    """Puts entries in the order of their numbers, where all have one; else as in the file."""
    numbers = {entry.seq for entry in entries}
    if None in numbers or len(numbers) < len(entries):
        return entries
    return sorted(entries, key=lambda entry: entry.seq or 0)


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
