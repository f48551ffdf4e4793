"""Opens recordings: folders of recorded sessions, audio files, event logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb.analysis import tables
from realtime_nb.analysis.columns.frames import copied, frame
from realtime_nb.analysis.event_table import events_table
from realtime_nb.analysis.pace import at_pace
from realtime_nb.analysis.recorded import SoundName
from realtime_nb.analysis.timeline import timeline_data
from realtime_nb.analysis.transcript import TranscriptText, transcript_text
from realtime_nb.analysis.turn_moments import AUDIO_LOST, CONNECTION_LOST
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.archive.lines import PlaybackLine, RecordedEvent, is_in_recording, label_line
from realtime_nb.archive.log_bytes import looks_like_log
from realtime_nb.archive.logs import LOG_SUFFIXES, LogSource
from realtime_nb.archive.sources import AudioFileSource, FolderSource, RecordingSource
from realtime_nb.audio.long_sound import LongSound, joined, part_of
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.errors import ConfigurationError, RecordingError, at_call
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.words import counted, lasting
from realtime_nb.recordings.handed_out import HandedOut
from realtime_nb.recordings.kept_voices import kept_or_heard
from realtime_nb.recordings.summary import server_of, summary_html

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.checks import Checks
    from realtime_nb.analysis.clips import RecordingClip
    from realtime_nb.analysis.cost.prices import PriceTable
    from realtime_nb.analysis.cost.summary import Cost
    from realtime_nb.analysis.findings.findings import Findings
    from realtime_nb.analysis.timeline import TimelineData
    from realtime_nb.analysis.voices import Voices

__all__ = ["RecordedEvent", "Recording", "load"]


@at_call
def load(
    path: str | os.PathLike[str],
    *,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> Recording:
    """Opens a recording.

    Args:
        path: A recording's folder; or an audio file, which becomes a recording that has input audio
            and no events; or a log of Realtime events (``.jsonl``, ``.ndjson``, ``.json``,
            ``.log``, ``.txt``, ``.har``, or any name if it is text or gzip that begins with
            events) of this or another program, see :mod:`realtime_nb.archive.logs`.
        raw_sample_rate: Samples per second of headerless audio. Unless given, 24,000 for ``.raw``
            and ``.pcm``, 8,000 for ``.ulaw``, ``.alaw`` and ``.sln``.
        channel: Which channel of an audio file: a number from 0, "left", "right", or "mix" for
            the average. Unless given, the first that is not silent; where the channels differ,
            ``problems`` says so.

    Raises:
        RecordingError: There is no such folder, it is not a recording, it holds no events, or it
            was written by a newer version of this package; or a log holds no Realtime events.
        AudioError: A file that is not audio.
        ConfigurationError: An audio file has no such channel, or what is given is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise ConfigurationError(
            f"rt.load opens a path: a recording's folder, an audio file or a log; {path!r} is none."
        )
    return Recording(_source(Path(path), raw_sample_rate, channel))


def _source(path: Path, raw_sample_rate: int | None, channel: int | str | None) -> RecordingSource:
    if os.path.isdir(path):
        return FolderSource(path)
    if not os.path.exists(path):  # which, unlike Path.exists, takes impossible names for absent
        raise RecordingError(
            f"{path} does not exist; check the path (working directory: {Path.cwd()})."
        )
    if path.suffix.lower() not in LOG_SUFFIXES and not looks_like_log(path):
        return AudioFileSource(path, raw_sample_rate, channel)
    if is_in_recording(path):
        raise RecordingError(f"{path} is one file of a recording; load its folder, {path.parent}.")
    return LogSource(path)


@at_call
class Recording(HandedOut):
    """A session that was recorded, the audio of a file, or a log of events.

    Tables and arrays are computed when they are first asked for, and kept. Each table that is
    returned is a copy; its ``attrs["columns"]`` tells of every column what it means, its unit, and
    when it is missing.

    Attributes:
        sample_rate: Of all its audio, in Hz.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, source: RecordingSource) -> None:
        self._source = source
        self._sounds: dict[str, LongSound] = {}

    def __repr__(self) -> str:
        return f"<Recording {self.path.name}: {', '.join(self.facts().values())}>"

    def _repr_html_(self) -> str:
        return summary_html(self)

    def facts(self) -> dict[str, str]:
        """Returns what there is to say in a line."""
        facts = {
            "duration": lasting(self.duration_s),
            "content": self._source.content,
            "server": server_of(self.header),
            "turns": _some(len(self.turns), "turn"),
            "function calls": _some(len(self.calls), "call"),
            "errors": _some(len(self.conversation.refused), "error"),
            "state": "" if self.complete else "not closed",
        }
        return {name: value for name, value in facts.items() if value}

    @property
    def path(self) -> Path:
        """The folder or the file."""
        return self._source.path

    @property
    def header(self) -> JsonObject:
        """What ``session.json`` says; of a log, what its events say; empty for an audio file."""
        return self._source.header

    @property
    def problems(self) -> list[str]:
        """What was found damaged or missing, in sentences; the rest is loaded."""
        return self._source.problems

    @property
    def sessions(self) -> list[Recording]:
        """Each session by itself, of a log that holds several; else only itself.

        Several in one log are either taken as one recording, one after the other, or, where they
        ran at the same time, only the first is; :attr:`problems` says which.
        """
        parts = self._source.sessions()
        return [self] if len(parts) < 2 else [Recording(part) for part in parts]

    # --- events ---

    @property
    def complete(self) -> bool:
        """Whether it was closed; otherwise its process was killed, or still writes."""
        return self._source.complete

    @property
    def simulated(self) -> bool:
        """Whether its answers came from the local server, whose latencies are its own.

        So did those that came from a recording of such a session. By whatever URL it was reached,
        and by whatever program: the local server's sessions tell that they are its own.
        """
        endpoint = self.header.get("endpoint")
        told = isinstance(endpoint, dict) and "local" in (endpoint.get("kind"), endpoint.get("of"))
        return told or self.conversation.serving.local

    def raw_events(self) -> Iterator[RecordedEvent]:
        """Reads the events in order; those that can't be read are left out.

        ``t_s`` is NaN where a log, or a clock that ran back, does not tell.
        """
        return self._source.events()

    def rows(self) -> Iterator[RecordedEvent]:
        """Yields the same, and what the session told of its connection, whose ``seq`` is -1."""
        return self._source.rows()

    @property
    def playback(self) -> list[PlaybackLine]:
        """What the playing device reported, in order."""
        return self._source.playback

    @property
    def conversation(self) -> Conversation:
        """The conversation, exactly as it was when the session ended."""
        return self._source.fold.conversation

    @property
    def input_clock(self) -> InputClock:
        """When the audio at each position of the input was captured and sent."""
        return self.conversation.audio.clock

    # --- audio ---

    @cached_property
    def input(self) -> Samples:
        """What the user said, as it was sent: float32 (n,), on the input-sample clock."""
        return self._source.wav("input.wav")

    @cached_property
    def output(self) -> Samples:
        """What was played: float32 (n,), where sample ``i`` was played at ``i / sample_rate`` s."""
        return self._source.wav("output.wav")

    @cached_property
    def received(self) -> Samples:
        """The agent's audio as it was received, heard or not: float32 (n,)."""
        return self._source.wav("received.wav")

    def sound(self, name: SoundName) -> LongSound:
        """Returns one of the three, of which stretches are read where they are asked for: hours of
        it need no memory. ``rec.sound("input")[a:b]`` is ``rec.input[a:b]``."""
        if name not in self._sounds:
            self._sounds[name] = self._source.sound(f"{name}.wav")
        return self._sounds[name]

    @cached_property
    def voices(self) -> Voices:
        """Who is audible when, as an offline detector finds it.

        Of a recorded session that is closed, it is kept beside it from a minute on.
        """
        from realtime_nb.analysis.voices import find_voices, listen, placed_voices

        if not self._keeps_voices:
            return find_voices(self)
        cuts_ms = self.conversation.audio.cuts_ms
        return placed_voices(self, kept_or_heard(self.path, cuts_ms, lambda: listen(self)))

    @property
    def _keeps_voices(self) -> bool:
        heard_s = max(len(self.sound("input")), len(self.sound("output"))) / SAMPLE_RATE
        return isinstance(self._source, FolderSource) and self.complete and heard_s >= _KEPT_S

    @property
    def _offline(self) -> Voices | None:
        """What the offline detector hears, where anything was said; None without audio of it."""
        heard = tables.needs_voices(self.conversation) and len(self.sound("input"))
        return self.voices if heard else None

    @property
    def duration_s(self) -> float:
        """How long the session was, in seconds; NaN for a log without times."""
        return self._source.duration_s

    # --- tables ---

    @property
    def events(self) -> pd.DataFrame:
        """One row per event, and per ``connection.…`` that the session told."""
        return copied(self._events)

    @cached_property
    def _events(self) -> pd.DataFrame:
        return events_table(self.rows())

    @property
    def turns(self) -> pd.DataFrame:
        """One row per user turn; see :func:`realtime_nb.analysis.tables.turns`."""
        return copied(self._turns)

    @cached_property
    def _turns(self) -> pd.DataFrame:
        found = tables.turns(self.conversation, self.input_clock, self._offline, self._labels)
        return self._with_reasons(found)

    @property
    def calls(self) -> pd.DataFrame:
        """One row per function call; see :func:`realtime_nb.analysis.tables.calls`."""
        return copied(self._calls)

    @cached_property
    def _calls(self) -> pd.DataFrame:
        return at_pace(tables.calls(self.conversation), self.header)

    @property
    def speech(self) -> pd.DataFrame:
        """One row per heard stretch; see :func:`realtime_nb.analysis.tables.speech`."""
        return copied(self._speech)

    @cached_property
    def _speech(self) -> pd.DataFrame:
        voices = self._offline if tables.is_untold(self.conversation) else None
        return tables.speech(self.conversation, self.input_clock, voices)

    @property
    def usage(self) -> pd.DataFrame:
        """One row per response; see :func:`realtime_nb.analysis.tables.usage`."""
        return copied(self._usage)

    @cached_property
    def _usage(self) -> pd.DataFrame:
        return tables.usage(self.conversation)

    @property
    def latency(self) -> pd.DataFrame:
        """One row per user turn; see :func:`realtime_nb.analysis.tables.latency`."""
        return copied(self._latency)

    @cached_property
    def _latency(self) -> pd.DataFrame:
        found = tables.latency(self.conversation, self.input_clock, self._offline, self._labels)
        return self._with_reasons(found)

    @property
    def stages(self) -> pd.DataFrame:
        """One row per turn that was answered; see :func:`realtime_nb.analysis.stages.stages`."""
        return copied(self._stages)

    @cached_property
    def _stages(self) -> pd.DataFrame:
        from realtime_nb.analysis.stages import stages

        return stages(self)

    def _with_reasons(self, table: pd.DataFrame) -> pd.DataFrame:
        """Returns the table with the session's own reasons for latencies that are not known."""
        unknown = self._source.unknown
        if not unknown:
            return at_pace(table, self.header)
        missing = table["latency_ms"].isna()
        unexplained = missing & ~table["latency_note"].isin(_OWN_REASONS)
        if "input" in unknown:
            table.loc[unexplained, "latency_note"] = unknown["input"]
        if "output" in unknown:
            table.loc[table["latency_note"] == AUDIO_LOST, "latency_note"] = unknown["output"]
        if "times" in unknown:
            # An answer whose time is not known is no answer that was never given.
            turns = find_user_turns(self.conversation)
            untimed = np.array([_is_untimed(turn) for turn in turns], bool)
            untimed &= (missing & (table["latency_note"].fillna("") != "typed")).to_numpy(bool)
            table.loc[unexplained | untimed, "latency_note"] = unknown["times"]
        return at_pace(table, self.header)

    @property
    def reconnections(self) -> pd.DataFrame:
        """One row per loss of the connection; see
        :func:`realtime_nb.analysis.reconnections.reconnections`."""
        return copied(self._reconnections)

    @cached_property
    def _reconnections(self) -> pd.DataFrame:
        from realtime_nb.analysis.reconnections import reconnections

        heard = self.conversation.reconnections and len(self.sound("input"))
        return reconnections(self.conversation, self.voices if heard else None)

    @property
    def labels(self) -> pd.DataFrame:
        """One row per mark made by a person, in order of time."""
        return copied(self._labels)

    @cached_property
    def _labels(self) -> pd.DataFrame:
        rows = [{"t_s": line.t, "text": line.text} for line in self._source.labels()]
        rows.sort(key=itemgetter("t_s"))
        return frame("labels", rows)

    def label(self, t_s: float, text: str) -> None:
        """Marks a moment; ``speech end`` says where the user's speech ended.

        ``removed: speech end`` at the same moment takes it back.

        Raises:
            ConfigurationError: The text is empty, or ``t_s`` outside the session.
            RecordingError: It is an audio file or a log, or its folder can't be written to.
        """
        if not isinstance(self._source, FolderSource):
            raise RecordingError(
                f"{self.path} is one file, and labels are kept in the folder of a recorded "
                "session. rt.replay makes one of what was said here; label that."
            )
        self._source.add_label(label_line(t_s, text, self.duration_s))
        for name in self.__dict__.keys() - _WITHOUT_LABELS:
            del self.__dict__[name]

    # --- figures and sentences ---

    def metrics(self) -> pd.DataFrame:
        """Returns one row per metric; see :func:`realtime_nb.analysis.metrics.metrics.metrics`."""
        return copied(self._metrics)

    @cached_property
    def _metrics(self) -> pd.DataFrame:
        from realtime_nb.analysis.metrics.metrics import metrics

        return metrics(self)

    def interruptions(self) -> pd.DataFrame:
        """Returns one row per interruption and per missed one; see
        :func:`realtime_nb.analysis.interruptions.interruptions`."""
        return copied(self._interruptions)

    @cached_property
    def _interruptions(self) -> pd.DataFrame:
        from realtime_nb.analysis.interruptions import interruptions

        return interruptions(self)

    def cost(self, prices: PriceTable | None = None, model: str | None = None) -> Cost:
        """Returns what the session cost.

        Args:
            prices: prices by model, in addition to
                :data:`realtime_nb.analysis.cost.prices.PRICES` or in place of its entries.
            model: price it as if this model had answered, such as ``"gpt-realtime-2"`` for a
                session with the local server.
        """
        if prices is None and model is None:
            return self._cost.copy()
        from realtime_nb.analysis.cost.costs import cost_summary

        return cost_summary(self, prices, model)

    @cached_property
    def _cost(self) -> Cost:
        from realtime_nb.analysis.cost.costs import cost_summary

        return cost_summary(self)

    def findings(self, prices: PriceTable | None = None) -> Findings:
        """Returns what deserves a look, in sentences, worst first."""
        from realtime_nb.analysis.findings.findings import findings

        return findings(self, prices)

    def check(self, prices: PriceTable | None = None) -> Checks:
        """Returns a context in which to state what a recording must be like; see
        :class:`realtime_nb.analysis.checks.Checks`."""
        from realtime_nb.analysis.checks import Checks

        return Checks(self, prices)

    def clip(self, start_s: float, end_s: float) -> RecordingClip:
        """Returns what was heard between two moments, both voices on one time axis."""
        from realtime_nb.analysis.clips import RecordingClip

        return RecordingClip(self, start_s, end_s)

    # --- reading and looking ---

    def transcript(self) -> TranscriptText:
        """Returns who said what, a line each, in the order of the conversation."""
        return transcript_text(self.conversation)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes one page with findings, audio, pictures and tables; it opens anywhere.

        Raises:
            RecordingError: It can't be written there.
        """
        from realtime_nb.recordings.report import write_report

        return write_report(self, path)

    @cached_property
    def timeline_data(self) -> TimelineData:
        """What :meth:`plot_timeline` draws: audio, speech, calls and errors on one time axis.

        Raises:
            RecordingError: It is a log without times.
        """
        whole = self.sound("received")
        received = {
            item_id: joined(
                [part_of(whole, one.start, one.start + one.samples) for one in references]
            )
            for item_id, references in self._source.fold.received.items()
        }
        return timeline_data(self, received)


_KEPT_S = 60.0
"""What is shorter is heard in a tenth of a second."""

_WITHOUT_LABELS = {
    *("_source", "_sounds", "input", "output", "received", "voices"),
    *("_events", "_calls", "_speech", "_usage", "_cost", "_reconnections"),
}
"""What stays as it is when a label is made; all else is computed anew."""

_OWN_REASONS = ("typed", "no spoken answer", "playback was not reported", CONNECTION_LOST)
"""Why a latency is not known, whatever else the recording does not tell."""


def _is_untimed(turn: UserTurn) -> bool:
    return any(
        (item.audio_ms != 0 and item.first_audio_s is None)
        or (item.played_ms and item.played_s is None)
        for item in turn.items
    )


def _some(count: int, noun: str) -> str:
    return counted(count, noun) if count else ""
