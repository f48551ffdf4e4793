"""What the user says, on its way to the server: encoded, and held back where it must wait."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.wire import WireAudio
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["LOOKAHEAD_MS", "AudioIn"]

LOOKAHEAD_MS = 400.0
"""How much audio is held back, and has to be silent, before a session moves to another server:
more than detectors need to see that somebody has begun to speak."""

_SPEECH_PROBABILITY = 0.3
"""Below the usual 0.5: a quiet beginning is speech, too."""


class _Lookahead:
    """The newest audio, which is not sent yet, and whether somebody speaks in it."""

    def __init__(self) -> None:
        self._held: deque[tuple[bytes, float | None]] = deque()
        self._held_ms = 0.0
        self._detector = FrameDetector()
        self._quiet_ms = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether there is enough of it, and nobody speaks in it."""
        return self._quiet_ms >= LOOKAHEAD_MS

    def push(self, pcm: bytes, captured_s: float | None) -> list[tuple[bytes, float | None]]:
        """Takes audio; returns what is due to be sent."""
        self._held.append((pcm, captured_s))
        self._held_ms += _length_ms(pcm)
        for probability in self._detector.push(pcm):
            quiet = probability < _SPEECH_PROBABILITY
            self._quiet_ms = self._quiet_ms + FRAME_MS if quiet else 0.0
        due = []
        while self._held_ms - _length_ms(self._held[0][0]) >= LOOKAHEAD_MS:
            due.append(self._held.popleft())
            self._held_ms -= _length_ms(due[-1][0])
        return due

    def rest(self) -> list[tuple[bytes, float | None]]:
        """Returns what is left."""
        return list(self._held)


class AudioIn:
    """The user's audio of one session.

    Args:
        wire: makes payloads of the server's input format.
        send: sends an append: its payload, its PCM, and when its last sample was captured.
        has_room: tells whether the connection takes more.

    Attributes:
        format_is_settled: False while the server changes the input format.
        flows: False while a session moves to another server: audio waits.
    """

    def __init__(
        self,
        wire: WireAudio,
        send: Callable[[str, bytes, float | None], None],
        has_room: Callable[[], bool],
    ) -> None:
        self.format_is_settled = True
        self.flows = True
        self._wire = wire
        self._send = send
        self._has_room = has_room
        self._lookahead: _Lookahead | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether it is known that nobody speaks in the newest audio; see `look_ahead`."""
        return self._lookahead is not None and self._lookahead.is_quiet

    def takes_audio(self) -> bool:
        """Tells whether audio need not wait."""
        return self.format_is_settled and self.flows and self._has_room()

    def append(self, pcm: bytes, captured_s: float | None) -> None:
        """Sends audio (PCM16, 24 kHz mono).

        Raises:
            ConfigurationError: the server wants an audio format that can't be made here.
        """
        if self._lookahead is None:
            self._encode(pcm, captured_s)
            return
        for due in self._lookahead.push(pcm, captured_s):
            self._encode(*due)

    def look_ahead(self) -> None:
        """Holds the newest audio back from now on, to see whether somebody speaks in it."""
        if self._lookahead is None:
            self._lookahead = _Lookahead()

    def look_no_more(self) -> None:
        """Sends what was held back."""
        lookahead, self._lookahead = self._lookahead, None
        for due in lookahead.rest() if lookahead is not None else ():
            self._encode(*due)

    def _encode(self, pcm: bytes, captured_s: float | None) -> None:
        payload = self._wire.encode(pcm)
        if payload:
            self._send(base64.b64encode(payload).decode("ascii"), pcm, captured_s)


def _length_ms(pcm: bytes) -> float:
    return len(pcm) / 2 / SAMPLE_RATE * 1000
