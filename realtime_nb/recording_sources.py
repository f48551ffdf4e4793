"""Where a recording's content comes from: the folder of a session, or the audio of a file.

A third source, a plain log of events, is in :mod:`realtime_nb.event_logs`.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import msgspec
import numpy as np

from realtime_nb.audio import SAMPLE_RATE, Samples, load_audio, read_wav_pcm, samples_from_pcm
from realtime_nb.errors import AudioError, RecordingError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.recording_files import (
    LabelLine,
    Line,
    PlaybackLine,
    RecordedEvent,
    ToolLine,
    audio_references,
    read_header,
    read_lines,
)

__all__ = ["AudioSource", "FolderSource", "Gap", "RecordingSource"]

Gap = Literal["times", "input", "output"]
"""What a source may not tell: when things happened, what was sent, what was received."""

BACKWARDS_S = 1.0
"""A recorder's clock never runs back; its lines, stamped by several threads, may by a little."""

_WAV_FILES = ("input.wav", "received.wav", "output.wav", "items.wav")


class RecordingSource(Protocol):
    """What a recording is read from. All audio is mono at 24 kHz."""

    @property
    def path(self) -> Path:
        """The folder or file."""

    @property
    def header(self) -> JsonObject:
        """What is known of the session: endpoint, model, dialect and so on."""

    @property
    def content(self) -> str:
        """What it is when it is less than a recorded session, else nothing."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing at its end."""

    @property
    def duration_s(self) -> float:
        """How long the session was; NaN when nothing tells."""

    @property
    def problems(self) -> list[str]:
        """What was found damaged, in sentences."""

    @property
    def unknown(self) -> Mapping[Gap, str]:
        """What it does not tell throughout, and why."""

    def events(self) -> Iterator[RecordedEvent]:
        """All events in order; ``t_s`` is NaN where it is not known."""

    def playback(self) -> Sequence[PlaybackLine]:
        """What the playing device reported, in order."""

    def tools(self) -> Sequence[ToolLine]:
        """When functions began to run and ended, in order."""

    def labels(self) -> Sequence[LabelLine]:
        """The marks that people made."""

    def wav(self, name: str) -> Samples:
        """The samples of ``input.wav``, ``received.wav`` or ``output.wav``."""


class FolderSource:
    """The folder that :class:`realtime_nb.recorder.Recorder` writes, even while it does.

    Raises:
        RecordingError: It is not a recording, holds no events or is of a newer format.
    """

    content = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = read_header(path)
        self.problems: list[str] = []
        self.unknown: dict[Gap, str] = {}
        self._last_s = 0.0
        self._timed_events: float = math.inf
        self._left_out: set[str] = set()
        if not (path / "events.jsonl").exists():
            raise RecordingError(
                f"{path} has no events.jsonl, so there is no session to open. "
                "Its WAV files can be loaded one by one."
            )
        self._check()

    @property
    def complete(self) -> bool:
        """Whether it was closed; otherwise its process was killed, or still writes."""
        return self.header.get("complete") is True

    @cached_property
    def duration_s(self) -> float:
        """How long the session was."""
        stated = self.header.get("duration_s")
        if isinstance(stated, int | float) and math.isfinite(stated) and stated is not True:
            return float(stated)
        reported_s = max((line.t for line in self.playback()), default=0.0)
        return max(self._last_s, reported_s, self._wav_samples("output.wav") / SAMPLE_RATE)

    def events(self) -> Iterator[RecordedEvent]:
        """Read the events from disk in order; lines that can't be read are left out."""
        for _, line in read_lines(self.path / "events.jsonl", RecordedEvent):
            if line is not None:
                timed = line.seq < self._timed_events
                yield line if timed else msgspec.structs.replace(line, t_s=math.nan, captured=None)

    def playback(self) -> list[PlaybackLine]:
        """What the playing device reported, in order."""
        lines = read_lines(self.path / "playback.jsonl", PlaybackLine)
        return [line for _, line in lines if line is not None]

    def tools(self) -> list[ToolLine]:
        """When functions began to run and ended; nothing in recordings of former versions."""
        lines = read_lines(self.path / "tools.jsonl", ToolLine)
        return [line for _, line in lines if line is not None]

    def labels(self) -> list[LabelLine]:
        """The marks that people made."""
        lines = read_lines(self.path / "labels.jsonl", LabelLine)
        return [line for _, line in lines if line is not None]

    def add_label(self, label: LabelLine) -> None:
        """Write down one more mark.

        Raises:
            RecordingError: The folder can't be written to.
        """
        line = json.dumps({"t": label.t, "text": label.text}).encode() + b"\n"
        try:
            with (self.path / "labels.jsonl").open("a+b") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":  # what was cut off stays a line of its own
                        line = b"\n" + line
                file.write(line)
        except OSError as error:
            raise RecordingError(
                f"The label can't be kept in {self.path}: {error.strerror}. "
                "Label a copy of the folder that you may write to."
            ) from error

    def wav(self, name: str) -> Samples:
        """The samples of one of its WAV files, none where it is missing or left out."""
        if not self._wav_samples(name):
            return np.zeros(0, np.float32)
        return samples_from_pcm(read_wav_pcm(self.path / name)[0])

    def _check(self) -> None:
        """Goes through all lines once, and notes what is damaged."""
        found = 0
        ends: dict[str, int] = {}
        for line in self._checked_lines("events.jsonl", RecordedEvent):
            found += 1
            if line.seq < self._timed_events:
                self._check_time(line)
            for reference in audio_references(line.event):
                end = reference.start + reference.samples
                ends[reference.file] = max(end, ends.get(reference.file, 0))
        if not found:
            raise RecordingError(
                f"{self.path} holds no events: the session ended before any were written. "
                "Its WAV files, if they hold sound, can be loaded one by one."
            )
        deque(self._checked_lines("playback.jsonl", PlaybackLine), maxlen=0)
        deque(self._checked_lines("tools.jsonl", ToolLine), maxlen=0)
        deque(self._checked_lines("labels.jsonl", LabelLine), maxlen=0)
        self._check_audio(ends)

    def _checked_lines(self, name: str, kind: type[Line]) -> Iterator[Line]:
        for number, line in read_lines(self.path / name, kind):
            if line is not None:
                yield line
            else:
                self.problems.append(f"{name}: line {number} can't be read and is left out.")

    def _check_time(self, line: RecordedEvent) -> None:
        if line.t_s < self._last_s - BACKWARDS_S:
            self._timed_events = line.seq
            self.unknown["times"] = "the recording's clock runs back"
            self.problems.append(
                f"events.jsonl: the clock runs back by {self._last_s - line.t_s:.2f} s at event "
                f"{line.seq}; no times are known from there on."
            )
        self._last_s = max(self._last_s, line.t_s)

    def _check_audio(self, ends: Mapping[str, int]) -> None:
        for name in _WAV_FILES:
            try:
                _check_wav(self.path / name)
            except AudioError as error:
                self._left_out.add(name)
                self.problems.append(f"{name} is left out: {error}")
        for name, end in ends.items():
            missing = end - self._wav_samples(name)
            if missing > 0 and name in _WAV_FILES:
                self.problems.append(f"{name}: the last {missing / SAMPLE_RATE:.2f} s are missing.")
        if not (self.path / "output.wav").exists():
            self.problems.append("output.wav is missing: there is no sound of what was played.")

    def _wav_samples(self, name: str) -> int:
        path = self.path / name
        if name in self._left_out or not path.exists():
            return 0
        return max(0, path.stat().st_size - 44) // 2


def _check_wav(path: Path) -> None:
    """Whether a WAV file, where there is one, is of the kind that recordings hold.

    Only the 44 bytes that the recorder writes are read; its sizes count for nothing, because they
    are not up to date in a file that is still written.

    Raises:
        AudioError: It is not.
    """
    if not path.exists() or path.stat().st_size < 44:
        return
    with path.open("rb") as file:
        head = file.read(44)
    if (head[:4], head[8:16], head[36:40]) != (b"RIFF", b"WAVEfmt ", b"data"):
        raise AudioError("it is not as a recorder writes it; load it by itself.")
    tag, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", head[20:36])
    if (tag, channels, bits) != (1, 1, 16):
        raise AudioError("it is not mono PCM16; load it by itself.")
    if sample_rate != SAMPLE_RATE:
        raise AudioError(
            f"it has {sample_rate:,} samples per second instead of {SAMPLE_RATE:,}, so that "
            "nothing in it lies where the events say; load it by itself."
        )


class AudioSource:
    """An audio file: what a user said, and no events.

    Raises:
        AudioError: The file is missing, empty or not audio.
    """

    content = "audio only"
    complete = True

    def __init__(self, path: Path, raw_sample_rate: int) -> None:
        self.path = path
        self.header: JsonObject = {}
        self.unknown: dict[Gap, str] = {}
        self._samples = load_audio(path, SAMPLE_RATE, raw_sample_rate=raw_sample_rate)
        channels = _channels(path)
        mixed = f"Its {channels} channels were averaged into one."
        self.problems = [mixed] if channels > 1 else []

    @property
    def duration_s(self) -> float:
        """How long the audio is."""
        return len(self._samples) / SAMPLE_RATE

    def events(self) -> Iterator[RecordedEvent]:
        """There are none."""
        return iter(())

    def playback(self) -> list[PlaybackLine]:
        """There is none."""
        return []

    def tools(self) -> list[ToolLine]:
        """There are none."""
        return []

    def labels(self) -> list[LabelLine]:
        """There are none."""
        return []

    def wav(self, name: str) -> Samples:
        """The file's samples are the input."""
        return self._samples if name == "input.wav" else np.zeros(0, np.float32)


def _channels(path: Path) -> int:
    import soundfile

    try:
        return int(soundfile.info(path).channels)
    except soundfile.SoundFileError:  # headerless, or a header that was never completed
        return 1
