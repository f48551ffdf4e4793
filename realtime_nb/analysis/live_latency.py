"""Voice-to-voice latency while a session goes on, from the facts that its table is made of."""

from __future__ import annotations

import math

from realtime_nb.analysis.turn_moments import Moments, earliest, moments_of
from realtime_nb.analysis.user_turns import TurnFinder, UserTurn
from realtime_nb.analysis.voices import TimeSpan, Voices
from realtime_nb.audio.vad import FrameDetector
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, Speech
from realtime_nb.protocol.turns import SpeechStart, SpeechStop, TurnDetector

__all__ = ["LatencyMeter"]


class LatencyMeter:
    """Tells how long each answer took as soon as it sounds.

    Its figures are those that :func:`realtime_nb.analysis.tables.latency` gives of the recording:
    both take them from :func:`realtime_nb.analysis.turn_moments.moments_of`. What that table knows
    later is unknown here, never another figure:

    - Where the server does not say when speech ended, the offline detector does. It hears along if
      turn detection is not ``server_vad`` when the first audio is sent, and it tells the end of a
      voice once that has been silent for 200 ms. With a key that is let go sooner, and with a quick
      answer under ``semantic_vad``, that is only when more audio comes.
    - Where the silence window was changed in the middle of the silence, nobody does.
    - A mark that a person made at the end of the user's speech counts in the recording alone.

    Args:
        conversation: of the session, from its beginning; everything is folded into it before
            the meter hears of it.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._turns = TurnFinder(conversation)
        self._listener: _Listener | None = None
        self._open: str | None = None  # a response that sounds while a voice has not ended

    def sent(self, pcm: bytes) -> Moments | None:
        """Takes audio of the user, PCM16 mono at 24 kHz; returns moments that it makes known of the
        last answer."""
        conversation = self._conversation
        if len(conversation.audio.clock.times_s) == 1 and _needs_listener(conversation):
            self._listener = _Listener()
        if self._listener is None:
            return None
        self._listener.push(pcm)
        if self._open is None or self._listener.speaking:
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
        listener = self._listener
        self._open = item.response_id if listener is not None and listener.speaking else None
        return self._moments(turn)

    def _moments(self, turn: UserTurn) -> Moments:
        voices = None if self._listener is None else self._listener.voices
        return moments_of(
            turn, self._conversation.audio.clock, voices, self._turns.began_s(turn.number - 1)
        )


def _needs_listener(conversation: Conversation) -> bool:
    """Tells whether the reports of the turn detection in force won't tell when speech ended."""
    detection = conversation.turn_detection
    return Speech("", 0.0, math.inf, detection, detection).offset_ms is None


class _Listener:
    """The offline detector (:func:`realtime_nb.analysis.voices.find_voices`) while it is live."""

    def __init__(self) -> None:
        self._probabilities = FrameDetector()
        self._detector = TurnDetector()
        self._onset_ms = 0.0
        self._spans_ms: list[TimeSpan] = []

    def push(self, pcm: bytes) -> None:
        for probability in self._probabilities.push(pcm):
            match self._detector.step(probability):
                case SpeechStart(onset_ms=onset_ms):
                    self._onset_ms = float(onset_ms)
                case SpeechStop(offset_ms=offset_ms):
                    self._spans_ms.append((self._onset_ms, float(offset_ms)))

    @property
    def speaking(self) -> bool:
        """Whether there is a voice whose end is not known yet."""
        return self._detector.speaking

    @property
    def voices(self) -> Voices | None:
        """What was heard so far; None while the last of it has no end."""
        return None if self.speaking else Voices([], [], self._spans_ms)
