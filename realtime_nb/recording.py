"""Opens recordings: the folders that :mod:`realtime_nb.recorder` writes, and bare audio files."""

from __future__ import annotations

import html
import math
import os
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb import analysis
from realtime_nb.audio import (
    SAMPLE_RATE,
    Samples,
    load_audio,
    read_wav_pcm,
    samples_from_pcm,
)
from realtime_nb.errors import AudioError, RecordingError
from realtime_nb.input_clock import InputClock
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, Item
from realtime_nb.protocol.events import AudioRef, JsonObject
from realtime_nb.recording_files import (
    LabelLine,
    Line,
    PlaybackLine,
    RecordedEvent,
    audio_references,
    read_header,
    read_lines,
    typed,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from realtime_nb.plots import TimelineData
    from realtime_nb.voices import Voices

__all__ = ["RecordedEvent", "Recording", "load"]

_EVENT_COLUMNS = (
    *("seq", "t_s", "direction", "type", "event_id", "item_id", "response_id", "call_id"),
    *("audio_ms", "text"),
)


def load(path: str | os.PathLike[str], *, raw_sample_rate: int = SAMPLE_RATE) -> Recording:
    """Open a recording.

    Args:
        path: A recording's folder; or an audio file, which becomes a recording that has input audio
            and no events.
        raw_sample_rate: Samples per second of a headerless ``.raw`` or ``.pcm`` file.

    Raises:
        RecordingError: There is no such folder, it is not a recording, it holds no events, or it
            was written by a newer version of this package.
        AudioError: A file that is not audio.
    """
    path = Path(path)
    if path.is_dir():
        return Recording(path, read_header(path))
    if not path.exists():
        raise RecordingError(
            f"{path} does not exist; check the path (working directory: {Path.cwd()})."
        )
    if path.suffix in (".json", ".jsonl"):
        raise RecordingError(f"{path} is one file of a recording; load its folder, {path.parent}.")
    return Recording(path, {}, load_audio(path, SAMPLE_RATE, raw_sample_rate=raw_sample_rate))


class Recording:
    """A session that was recorded, or the audio of a file.

    Tables and arrays are computed when they are first asked for, and kept.

    Attributes:
        path: The folder, or the audio file.
        header: What ``session.json`` says; empty for a file.
        problems: What was found damaged, in sentences; the rest is loaded.
        sample_rate: Of all its audio, in Hz.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, path: Path, header: JsonObject, samples: Samples | None = None) -> None:
        self.path = path
        self.header = header
        self.problems: list[str] = []
        self._samples = samples
        self._last_s = 0.0
        if samples is None:
            self._check()

    def __repr__(self) -> str:
        facts = ", ".join([f"{self.duration_s:.1f} s", *self._facts().values()])
        return f"<Recording {self.path.name}: {facts}>"

    def _repr_html_(self) -> str:
        rows = [("recording", str(self.path)), ("duration", f"{self.duration_s:.1f} s")]
        rows += self._facts().items()
        rows += [("problem", problem) for problem in self.problems]
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows
        )
        return f"<table>{cells}</table>"

    def _facts(self) -> dict[str, str]:
        """What there is to say in a line, but for the duration."""
        if self._samples is not None:
            return {"content": "audio only"}
        endpoint, model = self.header.get("endpoint"), self.header.get("model")
        kind = endpoint.get("kind") if isinstance(endpoint, dict) else endpoint
        server = [str(name) for name in dict.fromkeys((kind, model)) if name]
        facts = {
            "server": " ".join(server),
            "turns": _counted(len(self.turns), "turn"),
            "function calls": _counted(len(self.calls), "call"),
            "errors": _counted(len(self.conversation.errors), "error"),
            "state": "" if self.complete else "not closed",
        }
        return {name: value for name, value in facts.items() if value}

    # --- events ---

    @property
    def complete(self) -> bool:
        """Whether it was closed; otherwise its process was killed, or still writes."""
        return self._samples is not None or self.header.get("complete") is True

    def raw_events(self) -> Iterator[RecordedEvent]:
        """Read the events from disk in order; lines that can't be read are left out."""
        if self._samples is None:
            for _, line in read_lines(self.path / "events.jsonl", RecordedEvent):
                if line is not None:
                    yield line

    @cached_property
    def conversation(self) -> Conversation:
        """The conversation, exactly as it was when the session ended."""
        return self._folded[0]

    @cached_property
    def input_clock(self) -> InputClock:
        """When the audio at each position of the input was sent."""
        return self._folded[1]

    @cached_property
    def _folded(self) -> tuple[Conversation, InputClock]:
        conversation, clock = Conversation(), InputClock()
        dialect = self.header.get("dialect")
        reports = self.playback
        applied = 0
        for line in self.raw_events():
            while applied < len(reports) and reports[applied].after < line.seq:
                conversation.apply_playback(reports[applied].report())
                applied += 1
            for event in typed(line, dialect):
                conversation.apply(event, line.t_s)
                if isinstance(event, ev.AudioBufferAppend):
                    clock.add(line.t_s, conversation.input_ms)
        for report in reports[applied:]:
            conversation.apply_playback(report.report())
        return conversation, clock

    @cached_property
    def playback(self) -> list[PlaybackLine]:
        """What the playing device reported, in order."""
        if self._samples is not None:
            return []
        lines = read_lines(self.path / "playback.jsonl", PlaybackLine)
        return [line for _, line in lines if line is not None]

    def _check(self) -> None:
        """Goes through all lines once, and notes what is damaged."""
        found = 0
        ends: dict[str, int] = {}
        for line in self._checked_lines("events.jsonl", RecordedEvent):
            found += 1
            self._last_s = max(self._last_s, line.t_s)
            for reference in audio_references(line.event):
                end = reference.start + reference.samples
                ends[reference.file] = max(end, ends.get(reference.file, 0))
        if not found:
            raise RecordingError(
                f"{self.path} holds no events: the session ended before any were written. "
                "Its WAV files, if they hold sound, can be loaded one by one."
            )
        deque(self._checked_lines("playback.jsonl", PlaybackLine), maxlen=0)
        deque(self._checked_lines("labels.jsonl", LabelLine), maxlen=0)
        for file, end in ends.items():
            missing = end - self._wav_samples(file)
            if missing > 0:
                self.problems.append(f"{file}: the last {missing / SAMPLE_RATE:.2f} s are missing.")

    def _checked_lines(self, name: str, kind: type[Line]) -> Iterator[Line]:
        for number, line in read_lines(self.path / name, kind):
            if line is not None:
                yield line
            else:
                self.problems.append(f"{name}: line {number} can't be read and is left out.")

    @property
    def simulated(self) -> bool:
        """Whether its answers came from the local server, whose latencies are its own."""
        endpoint = self.header.get("endpoint")
        return isinstance(endpoint, dict) and endpoint.get("kind") == "local"

    # --- audio ---

    @cached_property
    def voices(self) -> Voices:
        """Who is audible when, as an offline detector finds it."""
        from realtime_nb.voices import find_voices

        return find_voices(self)

    @cached_property
    def input(self) -> Samples:
        """What the user said, as it was sent: float32 (n,), on the input-sample clock."""
        return self._wav("input.wav") if self._samples is None else self._samples

    @cached_property
    def output(self) -> Samples:
        """What was played: float32 (n,), where sample ``i`` was played at ``i / sample_rate`` s."""
        return self._wav("output.wav")

    @cached_property
    def received(self) -> Samples:
        """The agent's audio as it was received, heard or not: float32 (n,)."""
        return self._wav("received.wav")

    def _wav(self, name: str) -> Samples:
        path = self.path / name
        if self._samples is not None or not path.exists():
            return np.zeros(0, np.float32)
        try:
            return samples_from_pcm(read_wav_pcm(path)[0])
        except AudioError as error:
            self.problems.append(f"{name}: {error}")
            return np.zeros(0, np.float32)

    def _wav_samples(self, name: str) -> int:
        path = self.path / name
        return max(0, path.stat().st_size - 44) // 2 if path.exists() else 0

    @cached_property
    def duration_s(self) -> float:
        """How long the session was, in seconds."""
        if self._samples is not None:
            return len(self._samples) / SAMPLE_RATE
        stated = self.header.get("duration_s")
        if isinstance(stated, int | float) and not isinstance(stated, bool):
            return float(stated)
        reported_s = max((line.t for line in self.playback), default=0.0)
        return max(self._last_s, reported_s, self._wav_samples("output.wav") / SAMPLE_RATE)

    # --- tables ---

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per event.

        Columns:
            seq, t_s, direction, type: as recorded.
            event_id, item_id, response_id, call_id: the ids that it names, else None.
            audio_ms: of the audio that it carries, NaN when it carries none.
            text: its ``delta``, ``transcript``, ``text``, ``arguments`` or error message.
        """
        import pandas as pd

        return pd.DataFrame(
            [_event_row(line) for line in self.raw_events()],
            columns=_EVENT_COLUMNS,
        )

    @cached_property
    def turns(self) -> pd.DataFrame:
        """One row per user turn; columns as in :func:`realtime_nb.analysis.turns`."""
        return analysis.turns(self.conversation, self.input_clock)

    @cached_property
    def calls(self) -> pd.DataFrame:
        """One row per function call; columns as in :func:`realtime_nb.analysis.calls`."""
        return analysis.calls(self.conversation)

    @cached_property
    def speech(self) -> pd.DataFrame:
        """One row per detected stretch; columns as in :func:`realtime_nb.analysis.speech`."""
        return analysis.speech(self.conversation, self.input_clock)

    @cached_property
    def usage(self) -> pd.DataFrame:
        """One row per response; columns as in :func:`realtime_nb.analysis.usage`."""
        return analysis.usage(self.conversation)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """One row per user turn; columns as in :func:`realtime_nb.analysis.latency`."""
        return analysis.latency(self.conversation, self.input_clock)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """One row per mark made by a person: ``t_s`` and ``text``."""
        import pandas as pd

        lines = read_lines(self.path / "labels.jsonl", LabelLine) if self._samples is None else ()
        rows = [(line.t, line.text) for _, line in lines if line is not None]
        return pd.DataFrame(rows, columns=["t_s", "text"])

    # --- reading and looking ---

    def transcript(self) -> str:
        """Return who said what, a line each, in the order of the conversation."""
        lines = (self._transcript_line(item) for item in self.conversation.in_order())
        return "\n".join(line for line in lines if line)

    def _transcript_line(self, item: Item) -> str:
        moments = (item.played_s, item.added_s)
        at_s = next((moment for moment in moments if moment is not None), 0.0)
        clock = f"{int(at_s) // 60}:{int(at_s) % 60:02}"
        if item.type == "function_call":
            call = self.conversation.calls.get(item.call_id or "")
            output = "no output" if call is None or call.output is None else call.output
            return f"{clock}  tool: {item.name}({item.arguments}) → {output}"
        if item.type != "message" or not item.text:
            return ""
        role = "agent" if item.role == "assistant" else item.role or "user"
        heard = item.heard_text
        if not item.interrupted or heard == item.text:
            return f"{clock}  {role}: {item.text}"
        rest = item.text[len(heard) :].strip()
        return f"{clock}  {role}: {heard} [interrupted; not heard: {rest}]"

    def plot_timeline(self, ax: Axes | None = None) -> Axes:
        """Draw who spoke when, what turn detection heard, and which functions ran."""
        from realtime_nb.plots import plot_timeline

        return plot_timeline(self.timeline_data, ax)

    @cached_property
    def timeline_data(self) -> TimelineData:
        """What :meth:`plot_timeline` draws: audio, speech, calls and errors on one time axis."""
        from realtime_nb.plots import Clip, TimelineData

        conversation, clock = self.conversation, self.input_clock
        if self._samples is not None:
            return TimelineData(self.duration_s, user=[Clip(0.0, self._samples)])
        per_ms = SAMPLE_RATE / 1000
        return TimelineData(
            duration_s=self.duration_s,
            user=[
                Clip(t_s, self.input[round(start_ms * per_ms) : round(end_ms * per_ms)])
                for t_s, start_ms, end_ms in clock.stretches()
            ],
            agent=[Clip(0.0, self.output)],
            unheard=[Clip(t_s, samples) for t_s, samples in self._unheard()],
            padded=[
                (clock.wall(heard.audio_start_ms), clock.wall(heard.audio_end_ms))
                for heard in conversation.speech
                if heard.audio_end_ms is not None
            ],
            detected=[
                (clock.wall(heard.onset_ms), clock.wall(heard.offset_ms))
                for heard in conversation.speech
                if heard.offset_ms is not None
            ],
            calls=[
                (call.done_s, call.output_s, call.name)
                for call in conversation.calls.values()
                if call.done_s is not None
            ],
            errors=[error.t_s for error in conversation.errors if error.t_s is not None],
        )

    def _unheard(self) -> Iterator[tuple[float, Samples]]:
        """The agent's audio that was never played, from when it would have been."""
        starts_s = sorted(
            item.played_s for item in self.conversation.items.values() if item.played_s is not None
        )
        for item_id, samples in self._received_by_item.items():
            item = self.conversation.items.get(item_id)
            played_ms = 0.0 if item is None else item.played_ms or 0.0
            rest = samples[round(played_ms * SAMPLE_RATE / 1000) :]
            moments = (item.stopped_s, item.first_audio_s) if item is not None else ()
            begin_s = next((moment for moment in moments if moment is not None), None)
            if begin_s is not None and len(rest):
                following_s = (other for other in starts_s if other > begin_s)
                room_s = next(following_s, math.inf) - begin_s
                yield begin_s, rest[: round(min(room_s, len(rest)) * SAMPLE_RATE)]

    @cached_property
    def _received_by_item(self) -> dict[str, Samples]:
        spans: dict[str, list[AudioRef]] = {}
        for line in self.raw_events():
            for event in typed(line, self.header.get("dialect")):
                if isinstance(event, ev.OutputAudioDelta) and isinstance(event.delta, AudioRef):
                    spans.setdefault(event.item_id, []).append(event.delta)
        return {
            item_id: np.concatenate(
                [self.received[one.start : one.start + one.samples] for one in references]
            )
            for item_id, references in spans.items()
        }


def _counted(count: int, noun: str) -> str:
    """``"2 turns"``; nothing to say of none."""
    return "" if count == 0 else f"{count} {noun}{'' if count == 1 else 's'}"


def _event_row(line: RecordedEvent) -> tuple[object, ...]:
    event = line.event
    inner = [event.get(key) for key in ("item", "response", "error")]
    item, response, error = (value if isinstance(value, dict) else {} for value in inner)
    audio_ms = [reference.samples * 1000 / SAMPLE_RATE for reference in audio_references(event)]
    texts = (event.get(key) for key in ("delta", "transcript", "text", "arguments"))
    return (
        line.seq,
        line.t_s,
        line.direction,
        event.get("type"),
        event.get("event_id"),
        event.get("item_id") or item.get("id"),
        event.get("response_id") or response.get("id"),
        event.get("call_id") or item.get("call_id"),
        audio_ms[0] if audio_ms else float("nan"),
        next((text for text in texts if isinstance(text, str)), error.get("message")),
    )
