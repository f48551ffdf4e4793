"""The files of a recording, line by line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

import msgspec

from realtime_nb.archive.checked_files import check_file
from realtime_nb.archive.recorder import FORMAT, FORMAT_VERSION
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.wav import GROWING_HEADER_BYTES, read_wav_header
from realtime_nb.errors import AudioError, ConfigurationError, RecordingError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import ConnectionKind, ConnectionReport
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.dialect import client_to_ga, server_to_ga
from realtime_nb.protocol.events import AudioRef, JsonObject
from realtime_nb.protocol.records import RunOutcome
from realtime_nb.protocol.wire import encodable

__all__ = [
    "REMOVED_LABEL",
    "ConnectionLine",
    "LabelLine",
    "PlaybackLine",
    "RecordedEvent",
    "ToolLine",
    "TypedEvent",
    "audio_reference",
    "is_in_recording",
    "label_line",
    "missing_samples",
    "read_header",
    "read_lines",
    "standing_labels",
    "typed",
]

TypedEvent = ev.ClientEvent | ev.ServerEvent | ev.UnknownEvent
T = TypeVar("T")

_LONGEST_LINE = 32 << 20
"""Bytes: a line has no audio in it, and a server's event is seldom longer than 100 kB."""


_EVENT_KEYS = {"t_s": "t", "direction": "dir", "captured_s": "captured"}


class RecordedEvent(msgspec.Struct, frozen=True, rename=_EVENT_KEYS, gc=False):
    """One line of ``events.jsonl``.

    Attributes:
        seq: its place in the recording, from 0.
        t_s: when it crossed the wire, in seconds since the session began.
        direction: as seen from the client.
        event: as it was on the wire, but for audio and secrets.
        captured_s: when the device took the last sample of an append, on the clock of ``t_s``,
            where that is known.
    """

    seq: int
    t_s: float
    direction: Literal["sent", "received"]
    event: JsonObject
    captured_s: float | None = None


class PlaybackLine(msgspec.Struct, frozen=True):
    """One line of ``playback.jsonl``; it came after event ``after``."""

    t: float
    item_id: str
    played_ms: float
    kind: Literal["started", "finished", "flushed", "underrun"]
    after: int = -1

    def report(self) -> PlaybackReport:
        """Returns what the device reported."""
        return PlaybackReport(self.item_id, self.played_ms, self.kind, self.t)


class ToolLine(msgspec.Struct, frozen=True):
    """One line of ``tools.jsonl``; it came after event ``after``."""

    t: float
    call_id: str
    kind: Literal["started", "progress", "ended"]
    outcome: RunOutcome | None = None
    after: int = -1
    progress: str | None = None

    def report(self) -> ToolReport:
        """Returns what the session reported."""
        return ToolReport(self.call_id, self.kind, self.t, self.outcome, self.progress)


class ConnectionLine(msgspec.Struct, frozen=True):
    """One line of ``connections.jsonl``; it came after event ``after``."""

    t: float
    kind: ConnectionKind
    code: int | None = None
    reason: str = ""
    unsent_ms: float = 0.0
    planned: bool = False
    attempt: int = 0
    wait_s: float = 0.0
    after: int = -1

    def report(self) -> ConnectionReport:
        """Returns what the session reported."""
        return ConnectionReport(
            self.kind,
            self.t,
            self.code,
            self.reason,
            self.unsent_ms,
            self.planned,
            self.attempt,
            self.wait_s,
        )

    def as_event(self) -> RecordedEvent:
        """Returns it as a row among the events, of which it is none and has no number: -1."""
        return RecordedEvent(-1, self.t, "received", self.report().as_event())


REMOVED_LABEL = "removed: "
"""Before the text of a label, at its moment: it is none any more. A line that was written stays."""
_SAME_S = 2e-6
"""Moments are written in whole microseconds."""


class LabelLine(msgspec.Struct, frozen=True):
    """One line of ``labels.jsonl``."""

    t: float
    text: str


def standing_labels(lines: Iterable[LabelLine]) -> list[LabelLine]:
    """Returns the labels that were not removed after they were made; those that remove one are left
    out, too."""
    found: list[LabelLine] = []
    for line in lines:
        removed = line.text.removeprefix(REMOVED_LABEL)
        same = [
            place
            for place, one in enumerate(found)
            if removed != line.text and one.text == removed and abs(one.t - line.t) <= _SAME_S
        ]
        if same:
            del found[same[-1]]
        else:
            found.append(line)
    return found


def label_line(t_s: float, text: str, end_s: float) -> LabelLine:
    """Returns a mark that a person makes in a session that lasts, or has lasted so far, ``end_s``.

    Raises:
        ConfigurationError: It has no text, or lies outside the session.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"A label needs a text, such as 'speech end'; {text!r} is none.")
    if not 0 <= t_s <= end_s:  # nor is NaN
        raise ConfigurationError(
            f"{t_s} s lies outside the session; a label's t_s is between 0 and "
            f"{math.floor(end_s * 1000) / 1000:g} s."
        )
    return LabelLine(round(float(t_s), 6), encodable(text.strip()))


def read_lines(path: Path, kind: type[T]) -> Iterator[tuple[int, T | None]]:
    """Yields the number and the content of each line; None for one that can't be read."""
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        for number, line in enumerate(_lines_of(file), start=1):
            try:
                yield number, decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield number, _decoded_slowly(line, kind)


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yields lines; of one that is longer than any event, a part that can't be read."""
    while line := file.readline(_LONGEST_LINE):
        yield line
        while len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)


def typed(event: RecordedEvent, dialect: str | None = None) -> list[TypedEvent]:
    """Returns an event of a recording in typed GA form: usually one, sometimes none or two.

    A client event that breaks the protocol becomes an :class:`~realtime_nb.protocol.events.
    UnknownEvent`, just as one of the server does.
    """
    raw = [event.event]
    if dialect == "beta":
        raw = client_to_ga(event.event) if event.direction == "sent" else server_to_ga(event.event)
    parse = _parse_sent if event.direction == "sent" else ev.parse_server
    return [parse(one) for one in raw]


def _parse_sent(raw: JsonObject) -> ev.ClientEvent | ev.UnknownEvent:
    try:
        return ev.parse_client(raw)
    except (msgspec.ValidationError, RecursionError) as error:
        return ev.UnknownEvent(type=str(raw.get("type")), raw=raw, problem=str(error))


def read_header(path: Path) -> JsonObject:
    """Returns what ``session.json`` says.

    Raises:
        RecordingError: It isn't there, isn't ours or is of a newer format.
    """
    file = path / "session.json"
    check_file(file)
    try:
        header = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise RecordingError(_not_a_recording(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(
            f"{file} can't be read ({error}). Its folder's WAV files can be loaded one by one, "
            "and so can its events.jsonl."
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise RecordingError(_not_a_recording(path))
    version = header.get("format_version")
    if not isinstance(version, int):
        raise RecordingError(
            f"{file} is damaged: its format_version is {version!r}, which is no whole number. If "
            f"the rest is sound, write {FORMAT_VERSION} there."
        )
    if version > FORMAT_VERSION:
        raise RecordingError(
            f"{path} was written by a newer realtime_nb ({header.get('realtime_nb')}, format "
            f"{version}); this one reads format {FORMAT_VERSION}. "
            "Run: pip install --upgrade realtime_nb"
        )
    return header


def _not_a_recording(path: Path) -> str:
    inside = sorted(file.parent.name for file in path.glob("*/session.json"))
    if inside:
        return (
            f"{path} holds {len(inside)} recordings; load one of them, such as {path / inside[-1]}."
        )
    if (path / "events.jsonl").exists():
        return (
            f"{path} is not a recording: it has no session.json of ours. Its events alone can be "
            f"loaded as a log: {path / 'events.jsonl'}."
        )
    return f"{path} is not a recording: it has no session.json of ours. Give a recording's folder."


def is_in_recording(file: Path) -> bool:
    """Tells whether a file is a part of a recording that can be loaded."""
    try:
        read_header(file.parent)
    except RecordingError:
        return False
    logs = (
        *("events.jsonl", "playback.jsonl", "tools.jsonl"),
        *("connections.jsonl", "labels.jsonl"),
    )
    return file.name in ("session.json", *logs)


def _decoded_slowly(line: bytes, kind: type[T]) -> T | None:
    """Returns the line by the standard library's decoder, which takes more than msgspec's; else
    None."""
    try:
        return msgspec.convert(encodable(json.loads(line)), kind)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None


def audio_reference(value: object) -> AudioRef | None:
    """Returns what stands in place of an event's audio, as a reference; None if it is none."""
    if not isinstance(value, dict) or "file" not in value:
        return None
    try:
        return msgspec.convert(value, AudioRef)
    except msgspec.ValidationError:
        return None


def missing_samples(path: Path) -> int:
    """Returns how many samples a WAV file of a recording, where there is one, lacks by its own
    word.

    Its header is written after the audio, so that there may well be more of it than that tells, and
    never less.

    Raises:
        AudioError: It is not of the kind that recordings hold.
    """
    if not path.exists() or path.stat().st_size < GROWING_HEADER_BYTES:
        return 0
    header = read_wav_header(path)
    if header is None or header.start != GROWING_HEADER_BYTES:
        raise AudioError("it is not as a recorder writes it; load it by itself.")
    if not header.is_mono_pcm16:
        raise AudioError("it is not mono PCM16; load it by itself.")
    if header.sample_rate != SAMPLE_RATE:
        raise AudioError(
            f"it has {header.sample_rate:,} samples per second instead of {SAMPLE_RATE:,}, so that "
            "nothing in it lies where the events say; load it by itself."
        )
    return header.missing_bytes // 2
