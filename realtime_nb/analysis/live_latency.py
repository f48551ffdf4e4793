"""Voice-to-voice latency while a session goes on, from the facts that its table is made of."""

from __future__ import annotations

import math

from realtime_nb.analysis.turn_moments import Moments, earliest, moments_of
from realtime_nb.analysis.user_turns import TurnFinder, UserTurn
from realtime_nb.analysis.voices import Voices
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.protocol.conversation import Conversation, PlaybackReport

__all__ = ["LatencyMeter"]


class LatencyMeter:
    """Tells how long each answer took as soon as it sounds.

    Its figures are those that :func:`realtime_nb.analysis.tables.latency` gives of the recording:
    both take them from :func:`realtime_nb.analysis.turn_moments.moments_of`. What that table knows
    later is unknown here, never another figure:

    - Where speech ended is known once the voice has been silent for 224 ms, or the audio was
      committed. An answer that sounds sooner has no latency until more audio has come.
    - A mark that a person made at the end of the user's speech counts in the recording alone.

    Args:
        conversation: of the session, from its beginning; everything is folded into it before
            the meter hears of it.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._turns = TurnFinder(conversation)
        self._listener = SpeechListener()
        self._cuts = 0
        self._open: str | None = None  # a response that sounds while a voice has not ended

    def sent(self, pcm: bytes) -> Moments | None:
        """Takes audio of the user, PCM16 mono at 24 kHz; returns moments that it makes known of the
        last answer."""
        self._cut()
        self._listener.push(pcm)
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

    def _cut(self) -> None:
        """Ends what is being said where the audio so far was committed."""
        cuts = len(self._conversation.audio.cuts_ms)
        if cuts > self._cuts:
            self._cuts = cuts
            self._listener.cut()

    def _moments(self, turn: UserTurn) -> Moments:
        open_ms = self._listener.open_ms
        goes_on = [] if open_ms is None else [(open_ms, math.inf)]
        voices = Voices([], [], [*self._listener.spans_ms, *goes_on])
        return moments_of(
            turn, self._conversation.audio.clock, voices, self._turns.began_s(turn.number - 1)
        )
