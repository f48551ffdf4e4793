"""Writes a session to disk while it runs.

A recording is a folder::

    session.json     what it is a recording of, and how it went: rewritten when something is noted
                     and when it is closed. "microphone", of an agent in a page, is what the browser
                     made of the wanted settings: echo_cancellation, noise_suppression,
                     auto_gain_control, sample_rate
    events.jsonl     {"seq", "t", "dir": "sent" | "received", "event"}; audio is in the WAV files;
                     "captured" where it is known when the device took the last sample of an append
    input.wav        what was sent to the server, on the input-sample clock
    received.wav     the agent's audio as it was received
    output.wav       what was played: sample i at i / 24,000 s, silence explicit
    items.wav        audio inside conversation items, where there is any
    playback.jsonl   what the playing device reported; "after" is the seq of the event before it
    tools.jsonl      when functions began to run, how far they were, when and how they ended;
                     "after" likewise
    connections.jsonl  when the connection was lost, tried again and regained; "after" likewise
    labels.jsonl     marks that people made

All WAV files are mono PCM16 at 24 kHz. In an event, audio is replaced by ``{"file", "start",
"samples"}``, with ``"bytes"`` where the payload on the wire was not twice the samples (G.711).
But for ``session.json``, :class:`Recorder` only ever appends, audio before the lines that refer to
it, and hands everything to the operating system a few times a second, so that a killed process
leaves a recording that loads and lacks less than its last second.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from realtime_nb.archive.recorder_files import (
    AudioChunk,
    Entry,
    OpenFiles,
    new_folder,
    write_json,
)
from realtime_nb.archive.redaction import may_hold_secrets, without_known, without_secrets
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.dialect import audio_field
from realtime_nb.protocol.events import JsonObject, payload_bytes
from realtime_nb.protocol.wire import WireEvent, encodable

__all__ = ["FORMAT", "FORMAT_VERSION", "Recorder", "RecorderStatistics"]

FORMAT = "realtime_nb recording"
FORMAT_VERSION = 1

QUEUE_BYTES = 64 * 1024 * 1024
"""What may wait for the disk: seven minutes of both voices and of what was played. It keeps a disk
that takes nothing from filling the memory that the conversation needs."""
BATCH_BYTES = 4 * 1024 * 1024
FLUSH_INTERVAL_S = 0.25
"""How old may be what a killed process takes along, the time of one write aside. A flush hands over
to the operating system, which outlives the process; only a power cut loses more."""
CLOSE_TIMEOUT_S = 30.0
JOIN_SAMPLES = SAMPLE_RATE // 20
"""Chunks of an item that were played within 50 ms of each other were played without a pause."""

_CLOCKS = {
    "t": "seconds since the session began, monotonic: when an event was received, or was given to "
    "the connection to be sent",
    "input.wav": "samples appended to the input buffer, as in audio_start_ms and audio_end_ms",
    "received.wav": "samples received, in order of arrival",
    "output.wav": "sample i was played at t = i / 24000",
}
_WAV_OF_SIDE = {"input": "input.wav", "output": "received.wav"}
_OWN_FIELDS = ("format", "format_version", "realtime_nb", "began", "sample_rates", "clocks")
_WAV_FILES = ("input.wav", "received.wav", "output.wav", "items.wav")
_NESTED_AUDIO = re.compile(rb'"audio":"')


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """How a recorder is doing.

    Attributes:
        events: events taken so far.
        queued_bytes: what waits to be written.
        behind_s: age of the oldest thing that is not yet on disk.
    """

    events: int
    queued_bytes: int
    behind_s: float


class Recorder:
    """Writes one session into a new folder ``folder/YYYYMMDD-HHMMSS-xxxxxx``.

    Every method may be called from any thread; only `close` waits for the disk. When the disk is
    full or too slow, the next call raises `RecordingError` and so do all later ones: a recording
    may end early, but never has a hole.

    Nobody but who runs it may read the new folder. What looks like a secret never gets there, see
    :mod:`realtime_nb.archive.redaction`.

    Args:
        folder: Where recordings are kept; made if it isn't there.
        header: What ``session.json`` shall say of the session: endpoint, model, dialect and so on.
        secrets: Texts that never get there either, wherever they occur.

    Attributes:
        path: The new folder, wherever the current folder is later.

    Raises:
        RecordingError: The folder can't be written to.
    """

    def __init__(self, folder: str | Path, header: JsonObject, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queue: deque[Entry] = deque()
        self._queued_bytes = 0
        self._oldest_s: float | None = None  # when the first of the queue was taken
        self._writing_s: float | None = None  # the same of what is being written
        self._events = 0
        self._lengths = dict.fromkeys(_WAV_FILES, 0)
        self._odd_bytes: dict[str, bytes] = {}
        self._played_item = ""
        self._noted = False
        self._problem: str | None = None
        self._problem_raised = False
        self._closing = False
        self._closed = threading.Lock()
        self._secrets = list(secrets)
        self._secrets_in_json = [_encoded(one)[1:-1] for one in self._secrets if one]
        self._header = _session_header(header)
        with _undone_if_impossible(folder) as self.path:
            self._write_header(self._header, complete=False)
            self._files = OpenFiles(self.path)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def event(self, event: WireEvent) -> None:
        """Takes an event; without its ``pcm``, its payload is taken to be that.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        # A place in a WAV file is given and its line is queued under one lock: whatever thread an
        # event comes from, the order of lines, of their numbers and of audio is the same.
        with self._lock:
            self._check()
            audio: list[AudioChunk] = []
            line: JsonObject = {
                "seq": self._events,
                "t": round(event.t_s, 6),
                "dir": event.direction,
                "event": event.raw,
            }
            if event.captured_s is not None:
                line["captured"] = round(event.captured_s, 6)
            encoded = self._encoded_event(line, event.pcm, audio)
            self._put(Entry(tuple(audio), "events.jsonl", encoded))
            if self._events == 0:
                self._wake.set()  # a recording without events can't be loaded
            self._events += 1

    def playback(self, report: PlaybackReport) -> None:
        """Takes a report of the device that plays the agent's audio.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        line = {"item_id": report.item_id, "played_ms": report.played_ms, "kind": report.kind}
        self._report("playback.jsonl", report.t_s, line)

    def tool(self, report: ToolReport) -> None:
        """Takes a report of who runs the functions that the model calls.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        line = {"call_id": report.call_id, "kind": report.kind, "outcome": report.outcome}
        if report.progress is not None:
            line["progress"] = report.progress
        self._report("tools.jsonl", report.t_s, line)

    def connection(self, report: ConnectionReport) -> None:
        """Takes what became of the connection.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        line = {name: value for name, value in asdict(report).items() if value and name != "t_s"}
        self._report("connections.jsonl", report.t_s, line)

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio (PCM16, 24 kHz) of an item whose first sample was played at ``t_s``.

        A chunk of the same item that begins within 50 ms of the end of the one before it continues
        it; any other is placed at its time, or after what was played before it.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        with self._lock:
            self._check()
            end = self._lengths["output.wav"]
            start = max(end, round(t_s * SAMPLE_RATE))
            if item_id == self._played_item and start - end <= JOIN_SAMPLES:
                start = end
            self._played_item = item_id
            chunk = AudioChunk("output.wav", self._whole_samples("output.wav", pcm), start)
            self._lengths["output.wav"] = start + len(chunk.pcm) // 2
            self._put(Entry((chunk,)))

    def label(self, t_s: float, text: str) -> None:
        """Takes a mark that a person made at ``t_s``.

        Raises:
            RecordingError: Recording has failed or was closed.
        """
        with self._lock:
            self._check()
            self._put(Entry((), "labels.jsonl", self._line({"t": t_s, "text": text})))

    def note(self, **facts: object) -> None:
        """Adds facts to ``session.json``, in place of what was said of them before.

        Raises:
            ConfigurationError: One of them is the recorder's own, such as ``format``.
            RecordingError: Recording has failed or was closed.
        """
        own = [name for name in facts if name in _OWN_FIELDS]
        if own:
            raise ConfigurationError(
                f"{own[0]!r} in session.json is the recorder's own; note it by another name."
            )
        with self._lock:
            self._check()
            self._header = {**self._header, **facts}
            self._noted = True

    def close(self, complete: bool = True, **footer: object) -> None:
        """Writes what is left, mark the recording as complete and add ``footer`` to session.json.

        ``complete=False`` leaves it marked as incomplete: what it records was cut short. Closing
        again does nothing.

        Raises:
            RecordingError: Recording has failed, and no call before has said so.
        """
        with self._closed:
            if self._closing:
                return
            with self._lock:
                self._closing = True
            self._wake.set()
            self._thread.join(CLOSE_TIMEOUT_S)
            if self._thread.is_alive():
                self._fail(f"the disk has taken nothing for {CLOSE_TIMEOUT_S:.0f} s")
            self._finish(complete, footer)
            if self._problem is not None and not self._problem_raised:
                raise RecordingError(self._problem)

    def statistics(self) -> RecorderStatistics:
        """Returns what was taken, what waits, and how far the disk is behind."""
        with self._lock:
            now_s = time.monotonic()
            oldest_s = self._writing_s or self._oldest_s or now_s
            return RecorderStatistics(self._events, self._queued_bytes, now_s - oldest_s)

    # --- taking ---

    def _report(self, file: str, t_s: float, line: JsonObject) -> None:
        """Takes a line of another file than that of the events, which tells after which it came."""
        with self._lock:
            self._check()
            whole = {"t": t_s, **line, "after": self._events - 1}
            self._put(Entry((), file, self._line(whole)))

    def _check(self) -> None:
        if self._problem is not None:
            self._problem_raised = True
            raise RecordingError(self._problem)
        if self._closing:
            raise RecordingError(f"The recording {self.path} is closed; begin a new one.")

    def _put(self, entry: Entry) -> None:
        size = entry.size
        if self._queued_bytes + size > QUEUE_BYTES:
            self._fail(f"the disk is too slow, {self._queued_bytes / 1e6:.0f} MB wait for it")
            self._check()
        self._queue.append(entry)
        self._queued_bytes += size
        if self._queued_bytes > QUEUE_BYTES // 8:
            self._wake.set()
        if self._oldest_s is None:
            self._oldest_s = time.monotonic()

    def _fail(self, why: str) -> None:
        if self._problem is None:
            kept = (
                "What it holds can be loaded; for more,"
                if self._holds_events
                else ("It holds nothing, so")
            )
            self._problem = (
                f"Recording to {self.path} has stopped: {why}. {kept} begin a new recording on a "
                "disk with room."
            )

    @property
    def _holds_events(self) -> bool:
        try:
            return (self.path / "events.jsonl").stat().st_size > 0
        except OSError:
            return False

    def _encoded_event(self, line: JsonObject, pcm: bytes | None, audio: list[AudioChunk]) -> bytes:
        """Returns the line without audio and secrets; what audio it had is added to ``audio``."""
        event: JsonObject = line["event"]
        key, side = audio_field(event.get("type")) or ("", "input")
        payload = event.get(key)
        if isinstance(payload, str):
            reference = self._refer(_WAV_OF_SIDE[side], payload, pcm, audio)
            line["event"] = {**event, key: reference}
            pcm = None
        encoded = _encoded(line)
        try:
            if _NESTED_AUDIO.search(encoded):
                line["event"] = self._without_audio(line["event"], pcm, audio)
            return self._line(line)
        except RecursionError:
            problem = "nested too deeply to be recorded"
            line["event"] = {"type": str(event.get("type")), "problem": problem}
            return self._line(line)

    def _line(self, line: JsonObject) -> bytes:
        """Returns a line of a file, without secrets."""
        encoded = _encoded(line)
        known = any(secret in encoded for secret in self._secrets_in_json)
        if not known and not may_hold_secrets(encoded):
            return encoded
        return _encoded(without_known(without_secrets(line), self._secrets))

    def _without_audio(self, value: object, pcm: bytes | None, audio: list[AudioChunk]) -> object:
        """Returns a copy in which every ``audio`` string is a reference into items.wav."""
        if isinstance(value, list):
            return [self._without_audio(part, pcm, audio) for part in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._refer("items.wav", part, pcm, audio)
            if key == "audio" and isinstance(part, str)
            else self._without_audio(part, pcm, audio)
            for key, part in value.items()
        }

    def _refer(
        self, file: str, payload: str, pcm: bytes | None, audio: list[AudioChunk]
    ) -> JsonObject:
        whole = self._whole_samples(file, _decoded(payload) if pcm is None else pcm)
        chunk = AudioChunk(file, whole, self._lengths[file])
        audio.append(chunk)
        samples = len(whole) // 2
        self._lengths[file] += samples
        reference: JsonObject = {"file": file, "start": chunk.start, "samples": samples}
        wire_bytes = payload_bytes(payload)
        if wire_bytes != 2 * samples:
            reference["bytes"] = wire_bytes
        return reference

    def _whole_samples(self, file: str, pcm: bytes) -> bytes:
        """Keeps half a sample at the end of a chunk for the next one."""
        if file in self._odd_bytes:
            pcm = self._odd_bytes.pop(file) + pcm
        if len(pcm) % 2:
            self._odd_bytes[file] = pcm[-1:]
            pcm = pcm[:-1]
        return pcm

    # --- writing, on the recorder's own thread ---

    def _write(self) -> None:
        closing = False
        try:
            while not closing:
                # Polled, not notified: waking a thread for every event costs more than the event.
                self._wake.wait(FLUSH_INTERVAL_S)
                self._wake.clear()
                with self._lock:
                    # Both at once: after `_closing` nothing is added, so these are the last.
                    closing = self._closing
                    entries, self._queue = self._queue, deque()
                    header = self._header if self._noted else None
                    self._noted = False
                    self._writing_s, self._oldest_s = self._oldest_s, None
                if header is not None:
                    self._write_header(header, complete=False)
                written = self._write_entries(entries)
                with self._lock:
                    # Only now: what is being written still takes memory, and counts as queued.
                    self._queued_bytes -= written
                    self._writing_s = None
        except Exception as error:  # whatever it is, the next call has to say it
            # A call that got in before this is lost, as is the queue: that is the end of the
            # recording and no hole in it, because every later call is refused.
            with self._lock:
                self._fail(_reason(error))
                self._queue.clear()

    def _write_entries(self, entries: Iterable[Entry]) -> int:
        written = 0
        for entry in entries:
            self._files.add(entry)
            written += entry.size
            if self._files.waiting_bytes > BATCH_BYTES:
                self._files.flush()
        self._files.flush()
        return written

    def _finish(self, complete: bool, footer: JsonObject) -> None:
        if not self._thread.is_alive():  # else it hangs in a write, and the files are its own
            try:
                self._files.close()
            except OSError as error:
                self._fail(_reason(error))
        if self._problem is not None and not self._holds_events:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        ending: JsonObject = {**footer, "complete": complete and self._problem is None}
        if self._problem is not None:
            ending["problem"] = self._problem
        try:
            self._write_header({**self._header, **ending})
        except OSError as error:
            self._fail(_reason(error))

    def _write_header(self, header: JsonObject, **more: object) -> None:
        told = without_known(without_secrets({**header, **more}), self._secrets)
        write_json(self.path / "session.json", told)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or repr(error)


@contextmanager
def _undone_if_impossible(folder: str | Path) -> Iterator[Path]:
    """Makes the folder of a recording, and takes it away again where it can't be written to."""
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    above = Path(folder)
    is_new = not os.path.lexists(above)
    path = above / name
    try:
        new_folder(path)
        yield path.absolute()
    except (OSError, ValueError) as error:  # a ValueError is of a name that no folder can have
        shutil.rmtree(path, ignore_errors=True)
        if is_new:
            with suppress(OSError, ValueError):
                above.rmdir()
        raise RecordingError(
            f"No recording can be written to {encodable(str(folder))}: {_reason(error)}. "
            "Choose a folder that you may write to."
        ) from error


def _session_header(header: JsonObject) -> JsonObject:
    from importlib.metadata import version

    return {
        **header,
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "realtime_nb": version("realtime_nb"),
        "began": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "sample_rates": dict.fromkeys(_WAV_FILES, SAMPLE_RATE),
        "clocks": _CLOCKS,
    }


def _encoded(line: object) -> bytes:
    try:
        return msgspec.json.encode(line)
    except (TypeError, ValueError, OverflowError):
        # Lone surrogates and very long integers, which the standard library takes.
        return json.dumps(line, separators=(",", ":"), default=str).encode()


def _decoded(payload: str) -> bytes:
    try:
        return base64.b64decode(payload)
    except (binascii.Error, ValueError):
        return b""  # the payload's size stays in the reference
