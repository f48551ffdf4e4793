"""What a conversation consists of: items, responses, speech, calls, errors, playback reports."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from realtime_nb.protocol.delivery import Delivery
from realtime_nb.protocol.serving import NOBODY, Serving
from realtime_nb.protocol.stages import Stages
from realtime_nb.protocol.turns import FRAME_MS, frame_count
from realtime_nb.protocol.wire import JsonObject, text_of
from realtime_nb.protocol.word_times import HeardSource, WordTimes

__all__ = [
    "PLAYBACK_STEPS",
    "UNHEARD_MS",
    "ErrorRecord",
    "FunctionCall",
    "Item",
    "PlaybackKind",
    "PlaybackReport",
    "PlaybackState",
    "Response",
    "RunOutcome",
    "Speech",
    "ToolReport",
    "known_moment",
]

UNHEARD_MS = 50.0
"""Playback that stopped this close to the end of an item's audio counts as complete."""

RunOutcome = Literal["ok", "error", "timeout", "invalid", "cancelled"]
"""How the run of a function ended: ``invalid`` is one that never began, because the arguments don't
fit or there is no such function, and ``cancelled`` one that was ended on request or with its
session."""


PlaybackState = Literal["unplayed", "playing", "finished", "flushed"]
PlaybackKind = Literal["started", "finished", "flushed", "underrun"]

PLAYBACK_STEPS: dict[tuple[PlaybackState, PlaybackKind], PlaybackState] = {
    ("unplayed", "started"): "playing",
    ("unplayed", "flushed"): "flushed",  # nothing of it was heard
    ("playing", "underrun"): "playing",
    ("playing", "finished"): "finished",
    ("playing", "flushed"): "flushed",
    ("unplayed", "underrun"): "playing",  # its beginning is lost
    ("unplayed", "finished"): "finished",
    ("playing", "started"): "playing",  # an id that stands for two items
    ("finished", "started"): "playing",
    ("flushed", "started"): "playing",
}
"""What becomes of the playback of an item, by what its device reports; once it has ended, nothing
but another beginning is believed."""


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    """What the device that plays an item's audio says of it.

    Attributes:
        item_id: the assistant item.
        played_ms: how much of its audio was played so far.
        kind: ``started`` with the first sample, ``finished`` with the last, ``flushed`` when the
            rest was dropped, ``underrun`` when the device ran dry in the middle.
        t_s: when, in seconds since the session began.
    """

    item_id: str
    played_ms: float
    kind: PlaybackKind
    t_s: float


@dataclass(frozen=True, slots=True)
class ToolReport:
    """What the session that runs a function says of it.

    Attributes:
        call_id: which call.
        kind: ``started`` when the function began to run, ``progress`` when it told how far it is,
            ``ended`` when it returned or failed.
        t_s: when, in seconds since the session began.
        outcome: how it ended; None before.
        progress: what it told; None where it told nothing.
    """

    call_id: str
    kind: Literal["started", "progress", "ended"]
    t_s: float
    outcome: RunOutcome | None = None
    progress: str | None = None


def known_moment(t_s: float) -> float | None:
    """Returns a time that a report tells; NaN stands for one that is not known."""
    return None if math.isnan(t_s) else t_s


@dataclass(slots=True)
class Item:
    """One entry of the conversation.

    Attributes:
        type: ``message``, ``function_call``, ``function_call_output`` or another wire name.
        status: ``in_progress``, ``completed`` or ``incomplete``.
        parts: text or transcript so far, by content index.
        content: the content parts as the server last sent them (audio left out).
        audio_ms: assistant audio received for it, or user audio committed with it.
        truncated_ms: where the server cut it, None when it never did.
        playback: what its device has made of it; one of the states of ``PLAYBACK_STEPS``.
        played_ms: the last report of its playback, None before the first.
        transcript: of a user item: ``completed`` or ``failed``; None while there is none.
        transcription_usages: what its transcription used, by content index; None where the server
            did not tell.
        serving: who answered, and heard, when it was committed or added.
        played_by: who reported its playback: a ``device``, or the ``server`` that plays it itself.
        placed: whether it is in the conversation; it may only have been mentioned.
        repeated: whether it was committed twice: its id stands for two, whose times are mixed.
        doubt: why its times and lengths are not to be believed.
        added_s, committed_s, transcript_s, first_audio_s, last_audio_s, played_s, stopped_s,
            done_s: when it was added, committed, transcribed, first and last heard of in audio
            deltas, when its first sample was played and its last, when it was final.
        delivery: how its words and its audio came.
    """

    id: str
    type: str = "message"
    role: str | None = None
    status: str | None = None
    parts: dict[int, str] = field(default_factory=dict)
    content: list[JsonObject] = field(default_factory=list)
    name: str | None = None
    call_id: str | None = None
    arguments: str = ""
    output: str | None = None
    response_id: str | None = None
    audio_ms: float = 0.0
    truncated_ms: int | None = None
    playback: PlaybackState = "unplayed"
    played_ms: float | None = None
    underruns: int = 0
    transcript: Literal["completed", "failed"] | None = None
    transcription_usages: dict[int, JsonObject | None] = field(default_factory=dict)
    serving: Serving = NOBODY
    played_by: Literal["device", "server"] | None = None
    placed: bool = False
    repeated: bool = False
    doubt: str | None = None
    added_s: float | None = None
    committed_s: float | None = None
    transcript_s: float | None = None
    first_audio_s: float | None = None
    last_audio_s: float | None = None
    played_s: float | None = None
    stopped_s: float | None = None
    done_s: float | None = None
    delivery: Delivery = field(default_factory=Delivery)

    @property
    def text(self) -> str:
        """All of its text or transcript."""
        return " ".join(part for _, part in sorted(self.parts.items()) if part).strip()

    @property
    def written_text(self) -> str:
        """Its text without what is spoken."""
        parts = (text for part, text in sorted(self.parts.items()) if part in self.delivery.written)
        return " ".join(parts).strip()

    def update(self, raw: JsonObject) -> None:
        """Brings it up to what the server says of it."""
        self.type = str(raw.get("type", self.type))
        self.role = text_of(raw, "role", self.role)
        self.status = text_of(raw, "status", self.status)
        self.name = text_of(raw, "name", self.name)
        self.call_id = text_of(raw, "call_id", self.call_id)
        self.arguments = text_of(raw, "arguments", None) or self.arguments
        self.output = text_of(raw, "output", self.output)
        content = raw.get("content")
        if isinstance(content, list) and all(isinstance(part, dict) for part in content):
            self.content = [
                {key: value for key, value in part.items() if key != "audio"} for part in content
            ]
            for index, part in enumerate(content):
                text = part.get("text") or part.get("transcript")
                if text and isinstance(text, str):
                    self.parts[index] = text

    def report(self, report: PlaybackReport, t_s: float | None) -> None:
        """Takes what the device that plays it says, at ``t_s``."""
        state = PLAYBACK_STEPS.get((self.playback, report.kind))
        if state is None:  # it has ended already
            return
        self.playback, self.played_by, self.played_ms = state, "device", report.played_ms
        if report.kind == "started":
            self.played_s = t_s
        elif report.kind == "underrun":
            self.underruns += 1
        else:
            self.stopped_s = t_s

    def add_text(self, part: int, delta: str, *, spoken: bool) -> None:
        """Takes more text of a content part: of what is spoken, or of what is written."""
        before = self.parts.get(part, "")
        self.delivery.add_text(part, len(before), self.audio_ms, spoken=spoken)
        self.parts[part] = before + delta

    def settle_text(self, part: int, text: str, *, spoken: bool) -> None:
        """Takes the final text of a content part."""
        before = self.parts.get(part, "")
        self.delivery.settle_text(part, before, text, self.audio_ms, spoken=spoken)
        self.parts[part] = text

    @property
    def interrupted(self) -> bool:
        """Whether the server cut it."""
        return self.truncated_ms is not None

    @property
    def playback_dropped(self) -> bool:
        """Whether its playback is known to have stopped before its end."""
        if self.stopped_s is None or self.played_ms is None:
            return False
        return self.played_ms < self.audio_ms - UNHEARD_MS  # never of NaN

    @property
    def cut_short(self) -> bool:
        """Whether the server cut it, or the device that played it dropped the rest."""
        return self.interrupted or self.playback_dropped

    @property
    def silent(self) -> bool:
        """Whether it was to be spoken, and was cut off before any audio of it came."""
        if self.audio_ms != 0 or self.truncated_ms:  # a server that cut audio had some
            return False
        over = self.status != "in_progress" and not self.spoken_whole
        return over and bool(self.delivery.bursts)

    @property
    def remembered_ms(self) -> float:
        """How much of its audio the server has in the conversation."""
        return self.audio_ms if self.truncated_ms is None else float(self.truncated_ms)

    @property
    def spoken_whole(self) -> bool:
        """Whether all of its text is in its audio: it was completed, and not cut on the way."""
        return self.delivery.whole or self.status == "completed"

    @property
    def voiced_ms(self) -> float:
        """How long its audio is, by what was played where the audio itself is not known."""
        played_whole = self.playback == "finished" and self.played_ms is not None
        return (
            float(self.played_ms or 0)
            if math.isnan(self.audio_ms) and played_whole
            else self.audio_ms
        )

    @property
    def words(self) -> WordTimes:
        """Its words and where they lie in its audio."""
        return self.delivery.words(self.parts, self.voiced_ms, whole=self.spoken_whole)

    @property
    def heard_text(self) -> str:
        """The text up to where it was cut, in whole words; see :meth:`text_until`."""
        if self.silent:
            return self.written_text
        return self.text if self.truncated_ms is None else self.text_until(self.truncated_ms)

    def text_until(self, ms: float) -> str:
        """Returns the words that end in that much of its audio; all where that is not known.

        Every count of heard words comes from here; see
        :mod:`realtime_nb.protocol.word_times` for how words are placed.
        """
        return self.text if math.isnan(ms) else self.words.text_until(ms)

    def heard_source(self, ms: float) -> HeardSource:
        """Returns how it is known which words those are."""
        whole = math.isnan(ms) or (self.spoken_whole and ms >= self.voiced_ms - UNHEARD_MS)
        return "whole" if whole else self.words.source(ms)


@dataclass(slots=True)
class Response:
    """One run of the model, from ``response.created`` to ``response.done``.

    ``audio_format`` is the one it speaks in, None where the server does not tell: the session's.
    ``serving``: who answers in it, as it was when it began.
    ``announced``: it was created; ``done``: ``response.done`` came. ``repeated``: it was created
    twice, or done twice with another usage or without an id; it stands for two, whose times are
    mixed. ``doubt``: why its times are not to be believed. ``stages``: what the local server tells
    of its own stages.
    """

    id: str
    status: str = "in_progress"
    reason: str | None = None
    error: JsonObject | None = None
    conversation_id: str | None = None
    in_conversation: bool = True
    item_ids: list[str] = field(default_factory=list)
    usage: JsonObject | None = None
    metadata: JsonObject | None = None
    output_modalities: list[str] = field(default_factory=list)
    audio_format: JsonObject | None = None
    audio_ms: float = 0.0
    serving: Serving = NOBODY
    done: bool = False
    announced: bool = False
    repeated: bool = False
    doubt: str | None = None
    created_s: float | None = None
    first_text_s: float | None = None
    first_audio_s: float | None = None
    done_s: float | None = None
    stages: Stages | None = None

    @property
    def active(self) -> bool:
        """Whether it still runs."""
        return self.status == "in_progress"

    @property
    def is_filler(self) -> bool:
        """Whether it was said while a function ran, and tells nothing of the result."""
        return (self.metadata or {}).get("realtime_nb") == "filler"

    @property
    def interrupted(self) -> bool:
        """Whether the server cancelled it because the user spoke."""
        return (self.status, self.reason) == ("cancelled", "turn_detected")


@dataclass(slots=True)
class Speech:
    """One stretch that turn detection took for speech, on the input-sample clock.

    A server counts from the beginning of its connection; here the audio of former connections is
    added, so that positions are those of everything that was sent.

    Attributes:
        audio_start_ms, audio_end_ms: as reported, prefix padding and silence window included. NaN
            where the server's count went back, so that nothing tells where in the audio they lie.
        turn_detection: the setting in force when it began, which tells the padding.
        stop_detection: the one in force when it ended, which tells the window.
        floor_ms: audio before it belongs to what came before, so that padding ends there.
        changed_ms: how much audio had been sent when the setting was last changed while it ran.
        doubt: why it is not known where in the audio it lies.
    """

    item_id: str
    audio_start_ms: float
    audio_end_ms: float | None = None
    turn_detection: JsonObject | None = None
    stop_detection: JsonObject | None = None
    floor_ms: float = 0.0
    changed_ms: float | None = None
    doubt: str | None = None
    started_s: float | None = None
    stopped_s: float | None = None

    @property
    def onset_ms(self) -> float | None:
        """Detected start, without the padding; None where the reports don't tell it.

        They do with ``server_vad`` and whole padding. Where it was cut off, at the beginning of the
        audio or at the end of the turn before, speech began anywhere in it.
        """
        padding_ms = _window_ms(self.turn_detection, "prefix_padding_ms")
        if padding_ms is None or not self.audio_start_ms > self.floor_ms:
            return None
        onset_ms = self.audio_start_ms + padding_ms
        end_ms = self.audio_end_ms if self.offset_ms is None else self.offset_ms
        return None if end_ms is not None and not onset_ms <= end_ms else onset_ms

    @property
    def offset_ms(self) -> float | None:
        """Detected end, without the silence window; None while it runs, or where it is not told.

        It is with ``server_vad``. The window counts whole 32-ms frames, as the local server and, by
        its logs, the hosted one apply it. One that was changed in the closing silence may have been
        over already, so that nothing tells how long the silence was.
        """
        window_ms = _window_ms(self.stop_detection, "silence_duration_ms")
        if window_ms is None or self.audio_end_ms is None:
            return None
        offset_ms = self.audio_end_ms - frame_count(window_ms) * FRAME_MS
        if self.changed_ms is not None and not offset_ms >= self.changed_ms:
            return None
        return offset_ms if offset_ms >= self.audio_start_ms else None


def _window_ms(turn_detection: JsonObject | None, name: str) -> float | None:
    """Returns a window of turn detection that has fixed ones, and tells them."""
    if turn_detection is None or turn_detection.get("type") != "server_vad":
        return None
    value = turn_detection.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < math.inf else None


@dataclass(slots=True)
class FunctionCall:
    """A function that the model called and what came back.

    ``done_s`` is when its arguments were whole, ``output_s`` when the output was sent. In between,
    the function ran from ``run_started_s`` to ``run_ended_s``, where the session reports that;
    ``progress`` is the last that it told of how far it is.
    """

    call_id: str
    name: str = ""
    arguments: str = ""
    item_id: str = ""
    response_id: str = ""
    status: str = "in_progress"
    output: str | None = None
    started_s: float | None = None
    done_s: float | None = None
    output_s: float | None = None
    run_started_s: float | None = None
    run_ended_s: float | None = None
    run_outcome: RunOutcome | None = None
    progress: str | None = None

    def report(self, report: ToolReport, t_s: float | None) -> None:
        """Takes what its runner says of it, which was at ``t_s`` if that can be believed."""
        if report.kind == "started":
            self.run_started_s = t_s
        elif report.kind == "progress":
            self.progress = report.progress
        else:
            self.run_ended_s, self.run_outcome = t_s, report.outcome


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An ``error`` event; ``benign``: a lost race, which changed nothing."""

    message: str
    code: str | None
    param: str | None
    caused_by: str | None
    t_s: float | None
    benign: bool = False
