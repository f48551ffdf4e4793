"""Ids that count, plain signals, and a detector that takes loudness for speech."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, decode, level_dbfs, samples_from_pcm
from realtime_nb.protocol.audio_formats import PCM, wire_format
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["CountingIds", "LoudnessDetector", "appends", "silence", "tone"]


class CountingIds:
    """Ids that count up by prefix: ``item_1``, ``item_2``, ``resp_1``, …"""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, prefix: str) -> str:
        """Returns the next id of that prefix."""
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]}"


class LoudnessDetector:
    """A speech detector that takes every loud 32-ms frame for speech: probability 1, else 0.

    Args:
        audio_format: a session's ``format`` object; 24-kHz PCM without one.
        threshold_dbfs: RMS level from which a frame is loud.
    """

    def __init__(
        self, audio_format: Mapping[str, object] | None = None, threshold_dbfs: float = -40.0
    ) -> None:
        self._format = wire_format(str((audio_format or {}).get("type", PCM.type)))
        self._threshold_dbfs = threshold_dbfs
        self._frame_bytes = FRAME_MS * self._format.bytes_per_ms
        self._rest = b""

    def push(self, payload: bytes) -> list[float]:
        """Takes audio, cut anywhere; returns the probabilities of the frames it completes."""
        audio = self._rest + payload
        end = len(audio) - len(audio) % self._frame_bytes
        self._rest = audio[end:]
        return [
            self._probability(audio[start : start + self._frame_bytes])
            for start in range(0, end, self._frame_bytes)
        ]

    def reset(self) -> None:
        """Forgets the unfinished frame."""
        self._rest = b""

    def _probability(self, frame: bytes) -> float:
        level = level_dbfs(samples_from_pcm(decode(self._format.type, frame)))
        return 1.0 if level >= self._threshold_dbfs else 0.0


def tone(
    duration_ms: float, *, hz: float = 440.0, level: float = 0.3, sample_rate: int = SAMPLE_RATE
) -> bytes:
    """Returns a sine as PCM16 mono; ``level`` is its peak, from 0 to 1."""
    t_s = np.arange(round(duration_ms * sample_rate / 1000)) / sample_rate
    samples = np.round(level * 32_767 * np.sin(2 * np.pi * hz * t_s))
    return samples.astype("<i2").tobytes()


def silence(duration_ms: float, *, sample_rate: int = SAMPLE_RATE) -> bytes:
    """Returns digital silence as PCM16 mono."""
    return bytes(2 * round(duration_ms * sample_rate / 1000))


def appends(audio: bytes, piece_bytes: int = 960) -> Iterator[JsonObject]:
    """Yields the audio as ``input_audio_buffer.append`` events; 960 bytes are 20 ms of 24-kHz
    PCM."""
    for start in range(0, len(audio), piece_bytes):
        piece = base64.b64encode(audio[start : start + piece_bytes]).decode("ascii")
        yield {"type": "input_audio_buffer.append", "audio": piece}
