"""A recorded session that exists in memory only, made from a conversation written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from realtime_nb.analysis import tables
from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.cost.costs import cost_summary
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.event_table import events_table
from realtime_nb.analysis.interruptions import interruptions
from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.reconnections import reconnections
from realtime_nb.analysis.stages import stages
from realtime_nb.analysis.voices import Voices
from realtime_nb.archive.lines import PlaybackLine, RecordedEvent
from realtime_nb.audio.pcm import Samples
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["MadeRecording"]


@dataclass
class MadeRecording:
    """Fields that a test sets, and tables as the analysis makes them."""

    header: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 60.0
    conversation: Conversation = field(default_factory=Conversation)
    playback: list[PlaybackLine] = field(default_factory=list)
    lines: list[RecordedEvent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    simulated: bool = False
    path: Path = Path("made")
    voices: Voices = field(default_factory=lambda: Voices(user=[], agent=[]))
    input: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    output: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    received: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def input_clock(self) -> InputClock:
        return self.conversation.audio.clock

    def sound(self, name: str) -> Samples:
        return {"input": self.input, "output": self.output, "received": self.received}[name]

    def got(self, t_s: float, type: str, **fields: Any) -> None:
        """Takes in an event of the server."""
        self._add(t_s, "received", {"type": type, **fields})

    def sent(self, t_s: float, type: str, captured_s: float | None = None, **fields: Any) -> None:
        """Takes in an event of the client."""
        self._add(t_s, "sent", {"type": type, **fields}, captured_s)

    def _add(
        self, t_s: float, direction: Any, raw: dict[str, Any], captured_s: float | None = None
    ) -> None:
        self.lines.append(RecordedEvent(len(self.lines), t_s, direction, raw))
        event = ev.parse_server(raw) if direction == "received" else ev.parse_client(raw)
        self.conversation.apply(event, t_s, captured_s)

    def played(self, item_id: str, played_ms: float, kind: Any, t_s: float) -> None:
        """Takes in a report of the playing device."""
        line = PlaybackLine(t_s, item_id, played_ms, kind, len(self.lines) - 1)
        self.playback.append(line)
        self.conversation.apply_playback(PlaybackReport(item_id, played_ms, kind, t_s))

    def ran(self, call_id: str, from_s: float, to_s: float) -> None:
        """A function ran."""
        self.conversation.apply_tool(ToolReport(call_id, "started", from_s))
        self.conversation.apply_tool(ToolReport(call_id, "ended", to_s, "ok"))

    def user(self, t_s: float, item_id: str, text: str, **completed: Any) -> None:
        """The user says something, which is transcribed half a second later."""
        self.got(t_s, "input_audio_buffer.committed", item_id=item_id)
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed"}
        self.got(t_s, "conversation.item.added", item=item)
        self.got(
            t_s + 0.5,
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            **completed,
        )

    def answer(
        self, t_s: float, response_id: str, audio_ms: float = 0.0, text: str = "", **done: Any
    ) -> None:
        """A response of one message, whose item is named ``<response_id>_item``."""
        response: dict[str, Any] = {"id": response_id, "conversation_id": "conv"}
        self.got(t_s, "response.created", response={**response, "status": "in_progress"})
        item = {"id": f"{response_id}_item", "type": "message", "role": "assistant"}
        ids = {"item_id": item["id"], "response_id": response_id, "content_index": 0}
        if audio_ms or text:
            self.got(t_s, "conversation.item.added", item=item)
            self.got(t_s, "response.output_item.added", item=item, response_id=response_id)
            delta = {"file": "received.wav", "start": 0, "samples": round(audio_ms * 24)}
            if audio_ms:
                self.got(t_s + 0.1, "response.output_audio.delta", delta=delta, **ids)
            self.got(t_s + 0.1, "response.output_audio_transcript.done", transcript=text, **ids)
        response = {**response, "status": "completed", **done}
        self.got(t_s + 0.2, "response.done", response=response)

    def raw_events(self) -> Iterator[RecordedEvent]:
        return iter(self.lines)

    @cached_property
    def events(self) -> pd.DataFrame:
        return events_table(self.lines)

    @property
    def _offline(self) -> Voices | None:
        return self.voices if self.voices.user_ms else None

    @property
    def turns(self) -> pd.DataFrame:
        return tables.turns(self.conversation, self.input_clock, self._offline)

    @property
    def calls(self) -> pd.DataFrame:
        return tables.calls(self.conversation)

    @property
    def speech(self) -> pd.DataFrame:
        return tables.speech(self.conversation, self.input_clock, self._offline)

    @property
    def usage(self) -> pd.DataFrame:
        return tables.usage(self.conversation)

    @property
    def stages(self) -> pd.DataFrame:
        return stages(self)

    @property
    def latency(self) -> pd.DataFrame:
        return tables.latency(self.conversation, self.input_clock, self._offline)

    def interruptions(self) -> pd.DataFrame:
        return interruptions(self)

    def metrics(self) -> pd.DataFrame:
        return metrics(self)

    def cost(self, prices: PriceTable | None = None, model: str | None = None) -> Cost:
        return cost_summary(self, prices, model)

    @property
    def reconnections(self) -> pd.DataFrame:
        return reconnections(self.conversation, self._offline)

    @property
    def labels(self) -> pd.DataFrame:
        return frame("labels", [])
