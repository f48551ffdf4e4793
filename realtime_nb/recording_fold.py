"""A recorded session, folded into a conversation."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from realtime_nb.input_clock import InputClock
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import AudioRef
from realtime_nb.recording_files import typed
from realtime_nb.recording_sources import RecordingSource

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
    """Fold events and reports in the order in which the session took them."""
    folded = Folded()
    conversation, clock = folded.conversation, folded.input_clock
    dialect = source.header.get("dialect")
    reports = deque(source.playback())
    runs = deque(source.tools())
    placed = "input" not in source.unknown  # whether it is known where an append's audio lies
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
            elif isinstance(event, ev.OutputAudioDelta) and isinstance(event.delta, AudioRef):
                folded.received.setdefault(event.item_id, []).append(event.delta)
    for report in reports:
        conversation.apply_playback(report.report())
    for run in runs:
        conversation.apply_tool(run.report())
    _mark_unknown(folded, source)
    return folded


def _mark_unknown(folded: Folded, source: RecordingSource) -> None:
    """Durations of audio that a log leaves out are not 0 but unknown."""
    conversation = folded.conversation
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
