"""Calibrating while somebody listens: three seconds of silence, then five of speech."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from realtime_nb.analysis.vad_lab.calibration import Calibration, calibrate
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS

__all__ = ["QUIET_MS", "SPEECH_MS", "Calibrating", "calibration_facts"]

QUIET_MS = 3_000
SPEECH_MS = 5_000

_NO_AUDIO = "No audio comes in: open the microphone (Talk in the agent's panel)."


class Calibrating:
    """What a microphone sends, taken until there is enough of it.

    Args:
        threshold: the one in force, which the proposal is compared with.
        engine: what makes the probabilities.
        applied: what the browser does to the sound, as far as that is known.
    """

    def __init__(self, threshold: float, engine: str, applied: Mapping[str, Any]) -> None:
        self._threshold = threshold
        self._engine = engine
        self._applied = applied
        self._pcm = bytearray()
        self._result: Calibration | None = None

    @property
    def phase(self) -> Literal["quiet", "speech", "done"]:
        """What it waits for."""
        heard_ms = len(self._pcm) / BYTES_PER_MS
        if heard_ms < QUIET_MS:
            return "quiet"
        return "speech" if heard_ms < QUIET_MS + SPEECH_MS else "done"

    @property
    def left_s(self) -> float:
        """How much longer the phase lasts, in seconds of audio."""
        heard_ms = len(self._pcm) / BYTES_PER_MS
        end_ms = QUIET_MS if self.phase == "quiet" else QUIET_MS + SPEECH_MS
        return max(0.0, end_ms - heard_ms) / 1000

    def push(self, pcm: bytes) -> None:
        """Takes audio, PCM16 mono at 24 kHz; what is too much is left out."""
        room = (QUIET_MS + SPEECH_MS) * BYTES_PER_MS - len(self._pcm)
        self._pcm += pcm[:room]

    def result(self) -> Calibration | None:
        """Returns what it came to; None before there is enough audio."""
        if self.phase != "done":
            return None
        if self._result is None:
            cut = QUIET_MS * BYTES_PER_MS
            self._result = calibrate(
                bytes(self._pcm[:cut]),
                bytes(self._pcm[cut:]),
                threshold=self._threshold,
                applied=dict(self._applied),
                engine=self._engine,
            )
        return self._result

    def told(self) -> dict[str, Any]:
        """Returns what a page shows of it."""
        try:
            found = self.result()
        except ConfigurationError as error:
            return self._told("done", str(error))
        if found is None:
            return self._told(self.phase, "" if self._pcm else _NO_AUDIO)
        threshold = None if math.isnan(found.threshold) else found.threshold
        words = [found.sentence, *(() if threshold is None else found.problems)]
        return self._told("done", " ".join(words), threshold, calibration_facts(found))

    def _told(
        self,
        phase: str,
        words: str,
        threshold: float | None = None,
        facts: Sequence[str] = (),
    ) -> dict[str, Any]:
        return {
            "phase": phase,
            "left_s": round(self.left_s, 1),
            "words": words,
            "threshold": threshold,
            "current": self._threshold,
            "facts": list(facts),
        }


def calibration_facts(found: Calibration) -> list[str]:
    """Returns what was measured, each in a few words; what is not known is left out."""
    facts = (
        ("noise floor", found.noise_floor_dbfs, "dBFS"),
        ("speech", found.speech_level_dbfs, "dBFS"),
        ("peak", found.peak_dbfs, "dBFS"),
        ("SNR", found.snr_db, "dB"),
    )
    told = [f"{name} {value:.0f} {unit}" for name, value, unit in facts if not math.isnan(value)]
    if found.clipping_share > 0:
        told.append(f"{found.clipping_share:.1%} of the samples clipped")
    applied = [name.replace("_", " ") for name, on in found.applied.items() if on is True]
    return [*told, f"the browser applies {', '.join(applied)}"] if applied else told
