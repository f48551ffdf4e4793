"""A lab over a recording: its events and audio, in their order, as if they came now."""

from __future__ import annotations

import base64
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.pause_answers import HeardAudio
from realtime_nb.archive.lines import (
    ConnectionLine,
    LabelLine,
    RecordedEvent,
    audio_reference,
    read_lines,
    typed,
)
from realtime_nb.audio.long_sound import blocks
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.audio.wire import WireEncoder
from realtime_nb.protocol.audio_formats import PCM, WireFormat, format_of, session_format
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.wire import WireEvent

__all__ = ["lab_of"]

_MOST_AT_ONCE = 10 * SAMPLE_RATE


def lab_of(
    rec: Recorded, *, progress: Callable[[float], None] | None = None, **options: Any
) -> TurnLab:
    """Returns a lab that has heard a recording, or a bare audio file, to its end; its labels are
    there.

    Args:
        rec: the recording.
        progress: told now and then which share of the audio was heard.
        options: as of :class:`realtime_nb.analysis.vad_lab.lab.TurnLab`.
    """
    conversation = Conversation()
    options = {"voiced_ms": rec.voices.user_ms if len(rec.sound("input")) else [], **options}
    lab = TurnLab(conversation, sound=_cut_of(rec), **options)
    all_ms = len(rec.sound("input")) / SAMPLE_RATE * 1000

    def heard() -> None:
        if progress is not None:
            progress(min(1.0, lab.now_ms / all_ms))

    if rec.conversation.events_applied:
        _rehear(rec, conversation, lab, heard)
    else:
        for block in blocks(rec.sound("input")):
            lab.audio(pcm_from_samples(block))
            heard()
    lab.session_over()
    marks = records(rec.labels)
    lab.take_label_lines(LabelLine(mark["t_s"], mark["text"]) for mark in marks)
    return lab


def _cut_of(rec: Recorded) -> HeardAudio:
    def cut(start_ms: float, end_ms: float) -> tuple[bytes, str]:
        begin, end = (round(at_ms * SAMPLE_RATE / 1000) for at_ms in (start_ms, end_ms))
        return pcm_from_samples(rec.sound("input")[begin:end]), PCM.type

    return cut


def _rehear(
    rec: Recorded, conversation: Conversation, lab: TurnLab, heard: Callable[[], None]
) -> None:
    dialect, said = rec.header.get("dialect"), _Said(rec, conversation, lab, heard)
    for line in _in_order(rec):
        is_audio = isinstance(line, RecordedEvent) and said.is_audio(line)
        if not is_audio:
            said.hand_over()
        if isinstance(line, ConnectionLine):
            conversation.apply_connection(line.report())
            lab.connection(line.report())
            continue
        t_s = None if math.isnan(line.t_s) else line.t_s
        for event in typed(line, dialect):
            conversation.apply(event, t_s, line.captured_s)
        if is_audio:
            said.take(line)
        else:
            lab.event(WireEvent(line.direction, line.event, line.t_s))
    said.hand_over()


class _Said:
    """What was said between two other events, handed over at once: a network takes several times
    as long for frames one by one."""

    def __init__(
        self, rec: Recorded, conversation: Conversation, lab: TurnLab, heard: Callable[[], None]
    ) -> None:
        self._sound = rec.sound("input")
        self._conversation = conversation
        self._lab = lab
        self._heard = heard
        self._given = 0  # samples that the lab has heard
        self._next = 0
        self._line: RecordedEvent | None = None
        self._wire: tuple[WireFormat, WireEncoder] = PCM, WireEncoder(PCM.type)

    def is_audio(self, line: RecordedEvent) -> bool:
        """Tells whether a line says where audio that was sent is kept."""
        kind = line.event.get("type")
        return (
            line.direction == "sent"
            and kind == "input_audio_buffer.append"
            and audio_reference(line.event.get("audio")) is not None
        )

    def take(self, line: RecordedEvent) -> None:
        """Takes an append; what was lost before it is silence in the file, and was sent."""
        reference = audio_reference(line.event["audio"])
        assert reference is not None
        self._line, self._next = line, max(self._next, reference.start + reference.samples)
        if self._next - self._given >= _MOST_AT_ONCE:
            self.hand_over()

    def hand_over(self) -> None:
        """Has the lab hear what was taken."""
        line, self._line = self._line, None
        if line is None:
            return
        pcm = pcm_from_samples(self._sound[self._given : self._next])
        self._given = self._next
        raw = {**line.event, "audio": base64.b64encode(self._encoded(pcm)).decode()}
        self._lab.event(WireEvent("sent", raw, line.t_s, pcm, line.captured_s))
        self._heard()

    def _encoded(self, pcm: bytes) -> bytes:
        audio_format = format_of(session_format(self._conversation.session, "input"))
        if audio_format is not self._wire[0]:
            self._wire = audio_format, WireEncoder(audio_format.type)
        return self._wire[1].encode(pcm)


def _in_order(rec: Recorded) -> Iterator[RecordedEvent | ConnectionLine]:
    """Yields the events, and what became of the connection where that was."""
    found = read_lines(rec.path / "connections.jsonl", ConnectionLine)
    reports = deque(line for _, line in found if line is not None)
    for event in rec.raw_events():
        while reports and reports[0].after < event.seq:
            yield reports.popleft()
        yield event
    yield from reports
