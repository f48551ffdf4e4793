"""A recorded session, folded into a conversation."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from realtime_nb.archive.lines import typed
from realtime_nb.archive.sources import FolderSource, RecordingSource
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import AudioRef, JsonObject
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["Folded", "fold"]


@dataclass(frozen=True, slots=True)
class Folded:
    """What all events together say.

    Attributes:
        conversation: as it was when the session ended.
        input_clock: when the audio at each position of the input was captured and sent.
        received: where the audio of each of the agent's items lies in ``received.wav``.
    """

    conversation: Conversation = field(default_factory=Conversation)
    input_clock: InputClock = field(default_factory=InputClock)
    received: dict[str, list[AudioRef]] = field(default_factory=dict)


def fold(source: RecordingSource) -> Folded:
    """Folds events and reports in the order in which the session took them."""
    folded = Folded()
    conversation, clock = folded.conversation, folded.input_clock
    dialect = source.header.get("dialect")
    reports = deque(source.playback())
    runs = deque(source.tools())
    placed = "input" not in source.unknown  # whether it is known where an append's audio lies
    lost: list[tuple[JsonObject, bool]] = []  # events of audio, and whether its length is known
    for line in source.events():
        while reports and reports[0].after < line.seq:
            conversation.apply_playback(reports.popleft().report())
        while runs and runs[0].after < line.seq:
            conversation.apply_tool(runs.popleft().report())
        t_s = None if math.isnan(line.t_s) else line.t_s
        for event in typed(line, dialect):
            conversation.apply(event, t_s)
            if isinstance(event, ev.AudioBufferAppend):
                placed = placed and t_s is not None
                if placed:
                    audio = conversation.audio
                    clock.add(line.t_s, audio.sent_ms, line.captured, audio.begin_ms)
            elif isinstance(event, ev.OutputAudioDelta):
                if not event.item_id:
                    lost.append((line.event, True))
                elif isinstance(event.delta, AudioRef):
                    folded.received.setdefault(event.item_id, []).append(event.delta)
            elif isinstance(event, ev.UnknownEvent) and event.type == "response.output_audio.delta":
                lost.append((event.raw, False))
    for report in reports:
        conversation.apply_playback(report.report())
    for run in runs:
        conversation.apply_tool(run.report())
    if isinstance(source, FolderSource):
        for item_id, (played_ms, stopped_s) in source.ends.items():
            conversation.settle(item_id, played_ms, stopped_s)
    _mark_unknown(folded, source)
    for raw, counted in lost:
        _mark_lost(conversation, raw, counted)
    return folded


def _mark_lost(conversation: Conversation, raw: JsonObject, counted: bool) -> None:
    """How long a message's audio is, is unknown where an event that may hold some of it is lost."""
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
    if not counted:
        for one in conversation.responses.values() if response is None else [response]:
            one.audio_ms = math.nan


def _mark_unknown(folded: Folded, source: RecordingSource) -> None:
    """Durations of audio that a log leaves out are not 0 but unknown."""
    conversation = folded.conversation
    conversation.gaps |= {str(name): reason for name, reason in source.unknown.items()}
    if "input" in source.unknown:
        conversation.input_ms = math.nan
    if "output" not in source.unknown:
        return
    for item_id, references in folded.received.items():
        item = conversation.items.get(item_id)
        if item is None or all(reference.samples for reference in references):
            continue
        conversation.measure(item_id, math.nan)
        response = conversation.responses.get(item.response_id or "")
        if response is not None:
            response.audio_ms = math.nan
