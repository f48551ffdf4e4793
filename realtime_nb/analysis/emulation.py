"""What turn detection makes of speech probabilities, as far as its settings alone decide it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from realtime_nb.analysis.agreement import Span
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import turn_settings
from realtime_nb.protocol.turns import SpeechStart, SpeechStop, TurnDetector

__all__ = ["emulated_spans", "tells_ends"]


def tells_ends(turn_detection: JsonObject) -> bool:
    """Returns whether the settings tell where turns end. Those of ``semantic_vad`` don't: a model
    judges what was said."""
    return bool(turn_detection["type"] == "server_vad")


def emulated_spans(
    probabilities: Iterable[float], turn_detection: JsonObject, server: Sequence[Span] = ()
) -> list[Span]:
    """Returns the turns that a server should report; the end is NaN where it is not known.

    Where the settings don't tell where turns end, each ends where the server's does, as the next
    can't begin before it; its own end is unknown.

    Args:
        probabilities: one per 32-ms frame, from the first byte of the session on.
        turn_detection: with all its fields, as a server echoes it.
        server: what it reported, for settings that don't tell ends.
    """
    detector = TurnDetector(turn_settings(turn_detection))
    known = tells_ends(turn_detection)
    ends_ms = [end_ms for _, end_ms in server if not math.isnan(end_ms)] if not known else []
    ends_ms.sort(reverse=True)
    found: list[Span] = []
    for probability in probabilities:
        match detector.step(probability):
            case SpeechStart(audio_start_ms=start_ms):
                found.append((start_ms, math.nan))
            case SpeechStop(audio_end_ms=end_ms):
                found[-1] = (found[-1][0], end_ms if known else math.nan)
        while ends_ms and ends_ms[-1] <= detector.now_ms:
            ends_ms.pop()
            if detector.speaking:
                detector.stop_now()
    return found
