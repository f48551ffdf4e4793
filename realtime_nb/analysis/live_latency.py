"""Voice-to-voice latency while a session goes on, from the facts that its table is made of."""

from __future__ import annotations

import math

from realtime_nb.analysis.connection_gaps import gap_spans
from realtime_nb.analysis.turn_moments import (
    Moments,
    across_gaps,
    earliest,
    moments_of,
    unknown_moments,
)
from realtime_nb.analysis.user_turns import TurnFinder, UserTurn
from realtime_nb.analysis.voices import Voices
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.turns import FRAME_MS
from realtime_nb.protocol.wire import WireEvent

__all__ = ["LatencyMeter"]

_BYTES_PER_MS = 48
_CAME_LATE = "it was said before anybody measured"


class LatencyMeter:
    """Tells how long each answer took as soon as it sounds, and of the last turns at any time.

    Its figures are those that :func:`realtime_nb.analysis.tables.latency` gives of the recording:
    both take them from :func:`realtime_nb.analysis.turn_moments.moments_of`. What that table knows
    later is unknown here, never another figure:

    - Where speech ended is known once the voice has been silent for 224 ms, or the audio was
      committed. An answer that sounds sooner has no latency until more audio has come.
    - A mark that a person made at the end of the user's speech counts in the recording alone.
    - What was said before it was told of audio for the first time, it has not heard.

    Args:
        conversation: of the session; everything is folded into it before the meter hears of it.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._turns = TurnFinder(conversation)
        self._listener = SpeechListener()
        self._cuts = 0
        self._open: str | None = None  # a response that sounds while a voice has not ended
        # What it has not heard, which is known with the first audio that it is told of: from
        # where in the session, and up to which turn.
        self._from_ms: float | None = None
        self._unheard = 0
        self._first_ms = 0.0
        self._voices = Voices([], [])
        self._heard: tuple[int, float | None] = (0, None)  # spans, and where one has not ended

    @property
    def count(self) -> int:
        """How many turns there are."""
        return self._turns.count

    @property
    def heard(self) -> Voices:
        """Who was heard when, another one whenever that changes."""
        return self._voices

    def event(self, event: WireEvent) -> Moments | None:
        """Takes an event of the session; returns moments that it makes known of the last answer."""
        self._turns.look()
        self._cut()
        if event.pcm is None or event.raw.get("type") != "input_audio_buffer.append":
            return None
        return self.sent(event.pcm)

    def sent(self, pcm: bytes) -> Moments | None:
        """Takes audio of the user, PCM16 mono at 24 kHz; returns moments that it makes known of the
        last answer."""
        if self._from_ms is None:
            self._begin(len(pcm) / _BYTES_PER_MS)
        self._cut()
        self._listener.push(pcm)
        self._hear()
        if self._open is None or self._listener.open_ms is not None:
            return None
        turn, self._open = self._turns.answered_by(self._open), None
        return None if turn is None else self._moments(turn)

    def played(self, report: PlaybackReport) -> Moments | None:
        """Returns the moments of the turn whose answer begins to sound; None where none does."""
        item = self._conversation.items.get(report.item_id)
        if report.kind != "started" or item is None or item.response_id is None:
            return None
        turn = self._turns.answered_by(item.response_id)
        # An answer of several messages begins to sound with the first of them.
        if turn is None or earliest(each.played_s for each in turn.items) < report.t_s:
            return None
        self._cut()
        self._open = None if self._listener.open_ms is None else item.response_id
        return self._moments(turn)

    def latest(self, count: int) -> list[tuple[UserTurn, Moments]]:
        """Returns the last turns with their moments so far; also for another thread, which meets a
        RuntimeError where the conversation grows meanwhile."""
        return [(turn, self._moments(turn)) for turn in self._turns.latest(count)]

    def _begin(self, first_ms: float) -> None:
        """Begins to listen, with audio of this length, which is folded already."""
        before_ms = self._conversation.input_ms - first_ms
        self._from_ms = before_ms if before_ms >= 1 else 0.0
        if self._from_ms:
            self._turns.look()
            self._unheard = self._turns.count + (self._conversation.uncommitted_ms > first_ms)
            self._cuts = len(self._conversation.audio.cuts_ms)
        # Its frames lie where those of somebody lie who hears the session from its beginning.
        self._first_ms = self._from_ms // FRAME_MS * FRAME_MS
        silent_ms = self._from_ms - self._first_ms
        self._listener.push(bytes(2 * round(silent_ms * _BYTES_PER_MS / 2)))

    def _cut(self) -> None:
        """Ends what is being said where the audio so far was committed."""
        cuts = len(self._conversation.audio.cuts_ms)
        if cuts > self._cuts:
            self._cuts = cuts
            self._listener.cut()
            self._hear()

    def _hear(self) -> None:
        """Takes over what was heard, for whoever asks from another thread."""
        spans_ms, open_ms = self._listener.spans_ms, self._listener.open_ms
        heard = len(spans_ms), open_ms
        if heard != self._heard:
            goes_on = [] if open_ms is None else [(open_ms, math.inf)]
            first_ms = self._first_ms
            found = [(first_ms + start, first_ms + end) for start, end in [*spans_ms, *goes_on]]
            self._voices, self._heard = Voices([], [], found), heard

    def _moments(self, turn: UserTurn) -> Moments:
        if self._was_said_before(turn):
            return unknown_moments(_CAME_LATE)
        began_s = self._turns.began_s(turn.number - 1)
        last = turn.number >= self._turns.count
        until_s = math.inf if last else self._turns.began_s(turn.number + 1)
        moments = moments_of(turn, self._conversation.audio.clock, self._voices, began_s)
        return across_gaps(turn, moments, gap_spans(self._conversation), until_s)

    def _was_said_before(self, turn: UserTurn) -> bool:
        """Tells whether a turn began before anybody listened."""
        if self._from_ms is None:
            return turn.source == "speech"
        if turn.speech is not None and self._from_ms:
            return not turn.speech.audio_start_ms >= self._from_ms
        return turn.source == "speech" and turn.number <= self._unheard
