"""A lab over a recording: its events and audio, in their order, as if they came now."""

from __future__ import annotations

import base64
import math
from typing import Any

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.vad_lab.lab import Lab
from realtime_nb.archive.lines import LabelLine, RecordedEvent, audio_reference, typed
from realtime_nb.audio.long_sound import blocks
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.wire import WireEncoder
from realtime_nb.protocol.audio_formats import PCM, WireFormat, format_of, session_format
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.wire import WireEvent

__all__ = ["lab_of"]


def lab_of(rec: Recorded, **options: Any) -> Lab:
    """Returns a lab that has heard a recording, or a bare audio file, to its end; its labels are
    there.

    Args:
        rec: the recording.
        options: as of :class:`realtime_nb.analysis.vad_lab.lab.Lab`.
    """
    conversation = Conversation()
    options = {"voiced_ms": rec.voices.user_ms, **options}
    lab = Lab(conversation, **options)
    if rec.conversation.events_applied:
        rehearing = _Rehearing(rec, conversation, lab)
        for line in rec.raw_events():
            rehearing.take(line)
    else:
        for block in blocks(rec.sound("input")):
            lab.audio(pcm_from_samples(block))
    lab.session_over()
    marks = records(rec.labels)
    lab.take_label_lines(LabelLine(mark["t_s"], mark["text"]) for mark in marks)
    return lab


class _Rehearing:
    """Hands on the events of a recording with the audio that their references speak of."""

    def __init__(self, rec: Recorded, conversation: Conversation, lab: Lab) -> None:
        self._rec = rec
        self._conversation = conversation
        self._lab = lab
        self._next = 0
        self._wire: tuple[WireFormat, WireEncoder] = PCM, WireEncoder(PCM.type)

    def take(self, line: RecordedEvent) -> None:
        t_s = None if math.isnan(line.t_s) else line.t_s
        for event in typed(line, self._rec.header.get("dialect")):
            self._conversation.apply(event, t_s, line.captured_s)
        raw, pcm = line.event, None
        if line.direction == "sent" and raw.get("type") == "input_audio_buffer.append":
            reference = audio_reference(raw.get("audio"))
            if reference is not None:
                # What was lost between two appends is silence in the file, and was sent.
                start = self._next
                self._next = max(start, reference.start + reference.samples)
                pcm = pcm_from_samples(self._rec.sound("input")[start : self._next])
                raw = {**raw, "audio": base64.b64encode(self._encoded(pcm)).decode()}
        self._lab.event(WireEvent(line.direction, raw, line.t_s, pcm, line.captured_s))

    def _encoded(self, pcm: bytes) -> bytes:
        audio_format = format_of(session_format(self._conversation.session, "input"))
        if audio_format is not self._wire[0]:
            self._wire = audio_format, WireEncoder(audio_format.type)
        return self._wire[1].encode(pcm)
