"""PCM16 at 24 kHz, as everything here speaks it, to and from a session's audio format.

G.711 runs at 8 kHz. The filters keep their state from chunk to chunk, so cuts are inaudible, and
every byte on the wire stands for exactly three samples at 24 kHz, so positions stay whole numbers.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from realtime_nb.audio import pcm as audio
from realtime_nb.protocol.audio_formats import PCM, session_format, wire_format
from realtime_nb.protocol.dialect import Side, audio_field
from realtime_nb.protocol.events import JsonObject

__all__ = ["WireAudio", "WireDecoder", "WireEncoder"]

_TAPS = 63


def _low_pass() -> npt.NDArray[np.float64]:
    """Returns a windowed sinc that passes what 8 kHz can carry (up to 3.6 kHz) at a rate of 24
    kHz."""
    n = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps: npt.NDArray[np.float64] = np.sinc(2 * 3600 / 24_000 * n) * np.hamming(_TAPS)
    taps /= taps.sum()
    return taps


class WireEncoder:
    """24 kHz PCM16 → payload bytes of ``format_type``."""

    def __init__(self, format_type: str) -> None:
        self._format = format_type
        self._narrow = wire_format(format_type) is not PCM
        self._history = np.zeros(_TAPS - 1)
        self._rest = b""

    def encode(self, pcm: bytes) -> bytes:
        """Returns the next stretch of audio; G.711 keeps back what makes no whole sample yet."""
        if not self._narrow:
            return audio.encode(self._format, pcm)
        pcm = self._rest + pcm
        whole = len(pcm) // 6 * 6
        self._rest = pcm[whole:]
        if not whole:
            return b""
        samples = np.concatenate([self._history, audio.samples_from_pcm(pcm[:whole])])
        self._history = samples[len(samples) - (_TAPS - 1) :]
        filtered = np.convolve(samples, _low_pass(), mode="valid")
        return audio.encode(self._format, audio.pcm_from_samples(filtered[::3]))


class WireDecoder:
    """Payload bytes of ``format_type`` → 24 kHz PCM16, three samples for every G.711 byte."""

    def __init__(self, format_type: str) -> None:
        self._format = format_type
        self._narrow = wire_format(format_type) is not PCM
        self._history = np.zeros(_TAPS - 1)
        self._rest = b""

    def decode(self, payload: bytes) -> bytes:
        """Returns the next stretch of audio; PCM16 keeps back half a sample."""
        if not self._narrow:
            payload = self._rest + payload
            whole = len(payload) // 2 * 2
            self._rest = payload[whole:]
            return payload[:whole]
        if not payload:
            return b""
        narrow = audio.samples_from_pcm(audio.decode(self._format, payload))
        spread = np.zeros(3 * len(narrow))
        spread[::3] = narrow * 3
        samples = np.concatenate([self._history, spread])
        self._history = samples[len(samples) - (_TAPS - 1) :]
        return audio.pcm_from_samples(np.convolve(samples, _low_pass(), mode="valid"))


class WireAudio:
    """Both directions of one session, in the formats that its server says."""

    def __init__(self) -> None:
        self._formats: dict[Side, str] = {"input": PCM.type, "output": PCM.type}
        self._encoder: WireEncoder | None = None
        self._decoder: WireDecoder | None = None

    def follow(self, session: JsonObject) -> None:
        """Takes the formats of the effective session; one that stays keeps its filters' state."""
        for side, format_type in self._formats.items():
            wanted = _format_name(session_format(session, side))
            if wanted == format_type:
                continue
            self._formats[side] = wanted
            if side == "input":
                self._encoder = None
            else:
                self._decoder = None

    def encode(self, pcm: bytes) -> bytes:
        """Returns the next stretch of the microphone's 24 kHz PCM16 as payload.

        Raises:
            ConfigurationError: the server wants a format that can't be made here.
        """
        if self._encoder is None:
            self._encoder = WireEncoder(self._formats["input"])
        return self._encoder.encode(pcm)

    def decode_delta(self, raw: JsonObject) -> bytes | None:
        """Returns the 24 kHz PCM16 in an audio delta, None for every other event.

        Raises:
            ConfigurationError: the server sends a format that can't be read here.
        """
        if audio_field(raw.get("type")) != ("delta", "output"):
            return None
        if self._decoder is None:
            self._decoder = WireDecoder(self._formats["output"])
        try:
            return self._decoder.decode(base64.b64decode(raw.get("delta", "")))
        except (ValueError, TypeError):
            return b""


def _format_name(audio_format: object) -> str:
    """Returns the type of a session's ``format`` object; PCM at another rate than 24 kHz says
    so."""
    if not isinstance(audio_format, dict):
        return PCM.type
    name = str(audio_format.get("type", PCM.type))
    rate = audio_format.get("rate")
    if name == PCM.type and rate not in (None, PCM.sample_rate):
        return f"{name} at {rate} Hz"
    return name
