"""Where a voice pauses, by how loud its audio is, in plain bytes.

The fold keeps a byte for every 10 ms of the agent's audio: the peak of one sample in eight. That
takes 7 µs for 100 ms of audio and only whole numbers, so that the same audio tells the same live
and from disk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from realtime_nb.protocol.audio_formats import BYTES_PER_MS, PCM, format_of

__all__ = ["FRAME_MS", "UNKNOWN", "Levels", "Pause", "VoicedTime", "pauses_of"]

FRAME_MS = 10
UNKNOWN = 0xFF
"""The level of a frame whose audio is not there."""

_FRAME_BYTES = BYTES_PER_MS * FRAME_MS
_STRIDE = 16
"""Bytes from one looked-at sample to the next: at 3,000 a second no voice hides between them."""
_MAGNITUDES = bytes(min(high, 255 - high) for high in range(256))

_QUIET_SHARE = 24
"""By how much the loud parts of a voice are louder than its pauses."""
_SILENT = 1
"""Less than 512 of 32,768, as the pauses of a synthetic voice are."""
_FAINT = 5
"""A voice that is not louder has no pauses that 8 bits could tell."""
_SHORTEST_MS = 80
"""What is shorter may be the closure of a consonant."""


@dataclass(slots=True)
class Levels:
    """Peaks of frames of 10 ms, 0 to 127, or :data:`UNKNOWN` where there is no audio."""

    peaks: bytearray = field(default_factory=bytearray)
    _rest: bytes = field(default=b"", compare=False)

    def add(self, pcm: bytes) -> None:
        """Takes the next stretch of audio, PCM16 at 24 kHz."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % _FRAME_BYTES
        self._rest = pcm[whole:]
        self._add(pcm[1:whole:_STRIDE].translate(_MAGNITUDES), _FRAME_BYTES // _STRIDE)

    def add_payload(self, payload: bytes, audio_format: object) -> None:
        """Takes the next stretch as it is on the wire, in the format that a session tells."""
        known = format_of(audio_format)
        if known is PCM:
            self.add(payload)
            return
        size = known.bytes_per_ms * FRAME_MS
        payload = self._rest + payload
        whole = len(payload) - len(payload) % size
        self._rest = payload[whole:]
        self._add(payload[:whole].translate(_G711_MAGNITUDES[known.type]), size)

    def skip(self, duration_ms: float) -> None:
        """Takes note of audio that is not there."""
        self._rest = b""
        self.peaks.extend([UNKNOWN] * round(duration_ms / FRAME_MS))

    def _add(self, magnitudes: bytes, step: int) -> None:
        starts = range(0, len(magnitudes), step)
        self.peaks.extend([max(magnitudes[start : start + step]) for start in starts])


def _ulaw_magnitude(code: int) -> int:
    inverse = ~code & 0xFF
    return ((((inverse & 15) << 3) + 132) << (inverse >> 4 & 7)) - 132 >> 8


def _alaw_magnitude(code: int) -> int:
    inverse = code ^ 0x55
    exponent, mantissa = inverse >> 4 & 7, (inverse & 15) << 4
    return (mantissa + 8 if exponent == 0 else (mantissa + 264) << (exponent - 1)) >> 8


_G711_MAGNITUDES = {
    "audio/pcmu": bytes(map(_ulaw_magnitude, range(256))),
    "audio/pcma": bytes(map(_alaw_magnitude, range(256))),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch in which a voice is silent."""

    start_ms: float
    end_ms: float

    @property
    def length_ms(self) -> float:
        """How long it lasts."""
        return self.end_ms - self.start_ms


def pauses_of(peaks: Sequence[int]) -> list[Pause]:
    """Returns the pauses of a voice, none where its audio is unknown or too faint to tell.

    Silence before the first sound and behind the last one is among them.
    """
    audible = sorted(peak for peak in peaks if _SILENT < peak < UNKNOWN)
    loud = audible[len(audible) * 19 // 20] if audible else 0
    if loud < _FAINT and any(peak != UNKNOWN for peak in peaks if peak):
        return []
    found: list[Pause] = []
    start: int | None = None
    for i, peak in enumerate([*peaks, UNKNOWN]):
        if peak <= max(_SILENT, loud // _QUIET_SHARE):
            start = i if start is None else start
        elif start is not None:
            if (i - start) * FRAME_MS >= _SHORTEST_MS:
                found.append(Pause(start * FRAME_MS, i * FRAME_MS))
            start = None
    return found


class VoicedTime:
    """The time of a voice without its pauses, beside that with them."""

    def __init__(self, pauses: Sequence[Pause]) -> None:
        self.pauses = pauses
        self._left_out_ms = [0.0, *accumulate(pause.length_ms for pause in pauses)]
        self._starts = [pause.start_ms for pause in pauses]
        self._voiced_starts = [
            pause.start_ms - left_out
            for pause, left_out in zip(pauses, self._left_out_ms, strict=False)
        ]

    def voiced(self, ms: float) -> float:
        """Returns how much was spoken by then."""
        i = bisect_left(self._starts, ms)
        if i and ms < self.pauses[i - 1].end_ms:
            return self._voiced_starts[i - 1]
        return ms - self._left_out_ms[i]

    def end(self, voiced_ms: float) -> float:
        """Returns when so much was spoken: before the pause that comes then."""
        return voiced_ms + self._left_out_ms[bisect_left(self._voiced_starts, voiced_ms - 1e-6)]

    def start(self, voiced_ms: float) -> float:
        """Returns when what comes after so much begins: behind the pause that comes then."""
        return voiced_ms + self._left_out_ms[bisect_right(self._voiced_starts, voiced_ms + 1e-6)]
