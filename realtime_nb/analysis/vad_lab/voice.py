"""Where there is a voice in the user's audio, whatever the settings are: what waits count from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["ReferenceVoice"]

_SAMPLES_PER_MS = 24


class ReferenceVoice:
    """The reference detector on the audio that comes, or what it is known to have heard.

    Args:
        conversation: tells where audio was committed, which ends what is being said.
        from_ms: how much audio there was before.
        known_ms: what it heard, where that is known.
    """

    def __init__(
        self,
        conversation: Conversation,
        from_ms: float,
        known_ms: Sequence[TimeSpan] | None = None,
    ) -> None:
        self._audio = conversation.audio
        self._known_ms = known_ms
        self._cuts = len(self._audio.cuts_ms)
        self._listener = SpeechListener()
        # Its frames lie where those of somebody lie who hears the session from its beginning.
        self._first_ms = from_ms // FRAME_MS * FRAME_MS
        if known_ms is None:
            silent = round((from_ms - self._first_ms) * _SAMPLES_PER_MS)
            self._listener.push(bytes(2 * silent))

    def push(self, pcm: bytes) -> None:
        """Takes the user's audio: PCM16 mono at 24 kHz."""
        if self._known_ms is not None:
            return
        cuts = len(self._audio.cuts_ms)
        if cuts > self._cuts:
            self._cuts = cuts
            self._listener.cut()
        self._listener.push(pcm)

    def over(self) -> None:
        """Ends what is being said."""
        if self._known_ms is None:
            self._listener.cut()

    def spans(self, since_ms: float = 0.0) -> list[TimeSpan]:
        """Returns where there is a voice, from a position on; one that goes on ends so far."""
        if self._known_ms is not None:
            spans = list(self._known_ms)
            return spans[bisect_left(spans, since_ms, key=lambda span: span[1]) :]
        at_ms, heard = self._first_ms, self._listener
        first = bisect_left(heard.spans_ms, since_ms - at_ms, key=lambda span: span[1])
        found = [(at_ms + start, at_ms + end) for start, end in heard.spans_ms[first:]]
        if heard.open_ms is not None:
            found.append((at_ms + heard.open_ms, at_ms + heard.heard_ms))
        return found
