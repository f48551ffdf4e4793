"""Fakes for tests of voice agents: ids that count, a detector that hears loudness, plain signals.

Nothing here needs a model, a clock or a socket, so what a test sees is the same every time::

    ids = CountingIds()
    ids("item"), ids("item"), ids("resp")      # item_1, item_2, resp_1

    turn = silence(500) + tone(800) + silence(600)
    probabilities = LoudnessDetector().push(turn)
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from realtime_nb.audio import SAMPLE_RATE, decode, format_sample_rate, level_dbfs, samples_from_pcm
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["CountingIds", "LoudnessDetector", "appends", "silence", "tone"]


class CountingIds:
    """Ids that count up by prefix: ``item_1``, ``item_2``, ``resp_1``, …"""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, prefix: str) -> str:
        """The next id of that prefix."""
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
        self._type = str((audio_format or {}).get("type", "audio/pcm"))
        self._threshold_dbfs = threshold_dbfs
        sample_bytes = 2 if self._type == "audio/pcm" else 1
        self._frame_bytes = format_sample_rate(self._type) * FRAME_MS // 1000 * sample_bytes
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
        level = level_dbfs(samples_from_pcm(decode(self._type, frame)))
        return 1.0 if level >= self._threshold_dbfs else 0.0


def tone(
    duration_ms: float, *, hz: float = 440.0, level: float = 0.3, sample_rate: int = SAMPLE_RATE
) -> bytes:
    """A sine as PCM16 mono; ``level`` is its peak, from 0 to 1."""
    t_s = np.arange(round(duration_ms * sample_rate / 1000)) / sample_rate
    samples = np.round(level * 32_767 * np.sin(2 * np.pi * hz * t_s))
    return samples.astype("<i2").tobytes()


def silence(duration_ms: float, *, sample_rate: int = SAMPLE_RATE) -> bytes:
    """Digital silence as PCM16 mono."""
    return bytes(2 * round(duration_ms * sample_rate / 1000))


def appends(audio: bytes, piece_bytes: int = 960) -> Iterator[JsonObject]:
    """The audio as ``input_audio_buffer.append`` events; 960 bytes are 20 ms of 24-kHz PCM."""
    for start in range(0, len(audio), piece_bytes):
        piece = base64.b64encode(audio[start : start + piece_bytes]).decode("ascii")
        yield {"type": "input_audio_buffer.append", "audio": piece}
