"""How much audio the user has sent, when, and what of it turn detection took for speech."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from realtime_nb.protocol.audio_formats import SAMPLES_PER_MS, payload_ms
from realtime_nb.protocol.events import AudioBufferAppend, SpeechStarted, SpeechStopped
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.records import Item, Speech
from realtime_nb.protocol.wire import AudioRef, JsonObject

__all__ = ["UserAudio"]


@dataclass(slots=True)
class UserAudio:
    """The user's audio, on the clock of all samples that were ever sent.

    A server counts the audio of its own connection; ``connection_ms`` is what makes of its
    positions those of this clock, and this is the only place where it is added.

    Attributes:
        sent_ms: audio appended so far.
        clock: when each of it was captured and sent, up to the first append without a time.
        connection_ms: how much there was when the connection in force began.
        committed_ms: how much had been sent when it was last committed or cleared from here.
        cuts_ms: how much had been sent each time that happened.
        speech: what turn detection heard.
    """

    sent_ms: float = 0.0
    clock: InputClock = field(default_factory=InputClock)
    connection_ms: float = 0.0
    committed_ms: float = 0.0
    cuts_ms: list[float] = field(default_factory=list)
    speech: list[Speech] = field(default_factory=list)
    _timed: bool = True  # whether each append so far came with its time
    _next_sample: int = field(default=0, compare=False)
    _floor_ms: float = 0.0  # audio before it belongs to turns that are over
    _count_is_lost: bool = False  # whether the server's count of this connection went back

    def appended(
        self,
        event: AudioBufferAppend,
        audio_format: object,
        t_s: float | None,
        captured_s: float | None,
    ) -> None:
        """Counts audio as the wire has it; a recording's references tell where some was lost."""
        audio, added_ms = event.audio, 0.0
        if not isinstance(audio, AudioRef) or self._is_new(audio):
            added_ms = payload_ms(audio, audio_format)
        start_ms, self.sent_ms = self.sent_ms, self.sent_ms + added_ms
        self._timed = self._timed and t_s is not None
        if t_s is not None and self._timed:
            self.clock.add(t_s, self.sent_ms, captured_s, start_ms)

    def _is_new(self, audio: AudioRef) -> bool:
        """Tells whether a recording's audio was not there before, and notes what is lost before
        it."""
        end = audio.start + audio.samples
        if audio.start < self._next_sample and end <= self._next_sample:
            return False
        if audio.start > self._next_sample:
            self._lost((audio.start - self._next_sample) / SAMPLES_PER_MS)
        self._next_sample = max(self._next_sample, end)
        return True

    def forget_lengths(self) -> None:
        """States that nothing tells how much was sent: a log leaves the payloads out."""
        self.sent_ms = math.nan
        self.clock = InputClock()

    def _lost(self, ms: float) -> None:
        """Counts appends that are missing here.

        What happened at this position may have happened after them.
        """
        before_ms, self.sent_ms = self.sent_ms, self.sent_ms + ms
        if self._floor_ms == before_ms > 0:
            self._floor_ms = self.sent_ms
        if self.speech and self.speech[-1].changed_ms == before_ms:
            self.speech[-1].changed_ms = self.sent_ms
        if self.connection_ms == before_ms > 0:
            self._count_is_lost = True

    def connected(self) -> None:
        """Notes that a server begins to count, with what is sent from now on."""
        self.connection_ms = self.committed_ms = self._floor_ms = self.sent_ms
        self._count_is_lost = False

    def broken_off(self, t_s: float) -> None:
        """Ends speech that goes on while the connection is lost: no server will tell its end."""
        if self.speech and self.speech[-1].audio_end_ms is None:
            self.speech[-1].audio_end_ms = self.sent_ms
            self.speech[-1].stopped_s = t_s

    def committed(self) -> None:
        """Takes whatever was sent so far for no part of a turn to come: it was committed or
        cleared."""
        self.committed_ms = self.sent_ms
        self.cuts_ms.append(self.sent_ms)
        self.taken()

    def taken(self) -> None:
        """Has turns to come begin with what is sent from now on."""
        self._floor_ms = self.sent_ms

    def taken_until(self, end_ms: float) -> None:
        """Does the same with all audio before a position of the server's count."""
        self._floor_ms = max(self._floor_ms, self.connection_ms + end_ms)

    def configured(self, before: JsonObject | None, after: JsonObject | None) -> None:
        """Notes where in running speech turn detection was changed, unless it was confirmed."""
        if self.speech and self.speech[-1].audio_end_ms is None and before != after:
            self.speech[-1].changed_ms = self.sent_ms

    def started(
        self, event: SpeechStarted, detection: JsonObject | None, t_s: float | None
    ) -> None:
        """Notes that somebody speaks."""
        # Two stretches can't begin at one place, nor can the second be first.
        start_ms = self.connection_ms + event.audio_start_ms
        if self.speech and start_ms <= self.speech[-1].audio_start_ms:
            self._count_is_lost = True
        self.speech.append(
            Speech(
                event.item_id,
                math.nan if self._count_is_lost else start_ms,
                turn_detection=detection,
                floor_ms=self._floor_ms,
                started_s=t_s,
            )
        )

    def stopped(
        self, event: SpeechStopped, detection: JsonObject | None, t_s: float | None
    ) -> None:
        """Notes that speech is over."""
        # The end of a stretch whose beginning was lost is no other's end.
        heard = self.speech[-1] if self.speech else None
        if heard is None or heard.audio_end_ms is not None:
            return
        if event.item_id and heard.item_id and event.item_id != heard.item_id:
            return
        lost = math.isnan(heard.audio_start_ms)
        heard.audio_end_ms = math.nan if lost else self.connection_ms + event.audio_end_ms
        if heard.changed_ms == self.sent_ms < heard.audio_end_ms:  # appends are missing since
            heard.changed_ms = heard.audio_end_ms
        heard.stop_detection = detection
        heard.stopped_s = t_s
        self.taken_until(event.audio_end_ms)

    def length_of(self, item: Item) -> float:
        """Returns how much audio an item has by the speech that it is of, else what is known."""
        kinds = [part.get("type") for part in item.content]
        if item.role == "assistant" or (kinds and "input_audio" not in kinds):
            return item.audio_ms  # nobody looks through all speech for what was typed
        heard = next((one for one in reversed(self.speech) if one.item_id == item.id), None)
        if heard is None or heard.audio_end_ms is None:
            return item.audio_ms
        return heard.audio_end_ms - heard.audio_start_ms
