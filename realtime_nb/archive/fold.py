"""A recorded session, folded into a conversation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

from realtime_nb.archive.lines import (
    ConnectionLine,
    PlaybackLine,
    RecordedEvent,
    ToolLine,
    audio_reference,
    typed,
)
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.doubts import Doubts
from realtime_nb.protocol.events import AudioRef, JsonObject, Payload
from realtime_nb.protocol.records import Item
from realtime_nb.protocol.words import counted

__all__ = ["Fold", "Gap"]

Gap = Literal[
    "times",
    "input",
    "output",
    "usage",
    "events.jsonl",
    "playback.jsonl",
    "input.wav",
    "output.wav",
]
"""What a source may not tell: when things happened, what was sent, what was received, what was
billed; or which of its files is not whole."""


class Fold:
    """What all events and reports of a recording say together.

    A source hands over each line once, in the order in which the session took them, while it reads
    them; then it calls `finish`. Whoever wants to know something of an event later asks here, so
    that no event is decoded and typed a second time.

    Args:
        dialect: what the events are written in.

    Attributes:
        conversation: as it was when the session ended.
        received: where the audio of each of the agent's items lies in ``received.wav``.
        ends: how many samples of each WAV file the events speak of.
        item_samples: how many samples of ``received.wav`` are an item's, by its id; those that came
            in an event that can't be understood are among them.
        faults: what is lost of events that are not of the expected shape, by their type. Nothing is
            lost of what was sent: a server refuses it.
    """

    def __init__(self, dialect: str | None = None) -> None:
        self.conversation = Conversation()
        self.received: dict[str, list[AudioRef]] = {}
        self.ends: Counter[str] = Counter()
        self.item_samples: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {}
        self._dialect = dialect
        self._lost: list[
            tuple[JsonObject, bool]
        ] = []  # events of audio, and if its length is known
        self._written: set[str] = set()  # items whose answer is text
        self._told_apart = 0

    def take(self, line: RecordedEvent, audio: Callable[[AudioRef], bytes]) -> None:
        """Takes the next event.

        Args:
            line: the event; ``t_s`` is NaN where it is not known.
            audio: returns the PCM16 that a reference speaks of, as much of it as there is.
        """
        t_s = None if math.isnan(line.t_s) else line.t_s
        for event in typed(line, self._dialect):
            pcm = _pcm_of(event.delta, audio) if isinstance(event, ev.OutputAudioDelta) else None
            self.conversation.apply(event, t_s, line.captured_s, pcm)
            if isinstance(event, ev.AudioBufferAppend):
                if isinstance(event.audio, AudioRef):
                    self._refer(event.audio)
            elif isinstance(event, ev.OutputAudioDelta):
                self._received(event, line)
            elif isinstance(event, ev.OutputTextDelta | ev.OutputTextDone):
                self._written.add(event.item_id)
            elif isinstance(event, ev.UnknownEvent):
                self._not_understood(event, line)
            elif isinstance(event, ev.OutputItemAdded | ev.OutputItemDone):
                self._tell_apart()

    def report(self, line: PlaybackLine | ToolLine | ConnectionLine) -> None:
        """Takes the next report of who plays audio, runs functions or keeps the connection."""
        match line:
            case PlaybackLine():
                self.conversation.apply_playback(line.report())
            case ToolLine():
                self.conversation.apply_tool(line.report())
            case ConnectionLine():
                self.conversation.apply_connection(line.report())

    def problems(self) -> list[str]:
        """Says in sentences what was lost of events: all faults of each type."""
        return [
            f"{counted(len(found), f'{name} event')} can't be understood ({found[0]}), and what "
            "they told is missing."
            for name, found in self.faults.items()
        ]

    def unheard(self) -> list[Item]:
        """Returns the agent's spoken messages of which no audio came.

        Where other messages have audio, one that was cut off before its first is none of them.
        """
        audible = any(self.item_samples.values())
        return [
            item
            for item in self.conversation.items.values()
            if self._is_spoken(item)
            and not self.item_samples[item.id]
            and (item.status == "completed" or not audible)
        ]

    def finish(
        self,
        unknown: Mapping[Gap, str],
        ends: Mapping[str, tuple[float, float | None]] | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        """Takes in what only shows when all was read.

        Args:
            unknown: what the source does not tell throughout, and why.
            ends: of messages whose last report of playback is not that of their end, how many ms of
                them were played and when they ended.
            doubts: what is not to be believed.
        """
        if doubts is not None:
            doubts.cast_on(self.conversation)
        for item_id, (played_ms, stopped_s) in (ends or {}).items():
            self.conversation.settle(item_id, played_ms, stopped_s)
        self._mark_unknown(unknown)
        for raw, in_response in self._lost:
            self._mark_lost(raw, in_response)

    def _received(self, event: ev.OutputAudioDelta, line: RecordedEvent) -> None:
        if not event.item_id:
            self._lost.append((line.event, True))
            self._fault(event.type, "it names no item")
        if isinstance(event.delta, AudioRef):
            self._refer(event.delta, event.item_id)
            if event.item_id:
                self.received.setdefault(event.item_id, []).append(event.delta)

    def _not_understood(self, event: ev.UnknownEvent, line: RecordedEvent) -> None:
        for key in ("audio", "delta"):
            reference = audio_reference(event.raw.get(key))
            if reference is not None:
                self._refer(reference, event.raw.get("item_id"))
        if event.type == "response.output_audio.delta":
            self._lost.append((event.raw, False))
        if event.problem is not None and line.direction == "received":
            self._fault(event.type, event.problem)

    def _fault(self, name: str, fault: str) -> None:
        self.faults.setdefault(name, []).append(fault)

    def _refer(self, reference: AudioRef, item_id: object = None) -> None:
        end = reference.start + reference.samples
        if end > self.ends[reference.file]:
            self.ends[reference.file] = end
        if item_id and reference.file == "received.wav":
            self.item_samples[str(item_id)] += reference.samples

    def _mark_lost(self, raw: JsonObject, in_response: bool) -> None:
        """Makes lengths of audio unknown where an event that may hold some of it is lost."""
        conversation = self.conversation
        response = conversation.responses.get(str(raw.get("response_id")))
        if raw.get("item_id"):
            ids = [str(raw["item_id"])]
        else:
            ids = list(conversation.items) if response is None else response.item_ids
        for item_id in ids:
            item = conversation.items.get(item_id)
            if item is not None and item.role == "assistant" and item.type == "message":
                item.audio_ms = math.nan
                if response is not None and len(ids) == 1 and item.first_audio_s is None:
                    item.first_audio_s = response.first_audio_s
        if not in_response:
            for one in conversation.responses.values() if response is None else [response]:
                one.audio_ms = math.nan

    def _mark_unknown(self, unknown: Mapping[Gap, str]) -> None:
        """Makes durations of audio unknown, rather than 0, where a log leaves the audio out."""
        conversation = self.conversation
        conversation.gaps |= {str(name): reason for name, reason in unknown.items()}
        if "input" in unknown:
            conversation.audio.forget_lengths()
        if "output" not in unknown:
            return
        silent = {item.id for item in self.unheard()}
        for item_id, references in self.received.items():
            if item_id in conversation.items and not all(one.samples for one in references):
                silent.add(item_id)
        for item_id in silent:
            conversation.measure(item_id, math.nan)
            response = conversation.responses.get(conversation.items[item_id].response_id or "")
            if response is not None:
                response.audio_ms = math.nan

    def _is_spoken(self, item: Item) -> bool:
        """Tells whether a message was spoken by the agent, as far as nothing says otherwise."""
        if item.role != "assistant" or item.type != "message" or not item.response_id:
            return False
        if item.id in self._written or any("text" in str(p.get("type")) for p in item.content):
            return False
        response = self.conversation.responses.get(item.response_id)
        return response is None or response.output_modalities != ["text"]

    def _tell_apart(self) -> None:
        """Follows the conversation in telling two things of one id apart."""
        for former, now in self.conversation.set_apart[self._told_apart :]:
            self._told_apart += 1
            if former in self.received:
                self.received[now] = self.received.pop(former)
            if former in self.item_samples:
                self.item_samples[now] = self.item_samples.pop(former)


def _pcm_of(delta: Payload, audio: Callable[[AudioRef], bytes]) -> bytes | None:
    """Returns the audio of a delta, None where not all of it is there."""
    if not isinstance(delta, AudioRef):
        return None
    pcm = audio(delta)
    return pcm if len(pcm) == 2 * delta.samples else None
