"""How many conversations a machine carries, and whether it carries one more."""

from __future__ import annotations

import math
import os
import time

from realtime_nb.local.engines import Engines

__all__ = ["MAX_WAIT_S", "capacity_for", "measured_capacity"]

MAX_WAIT_S = 1.0
"""While work waits for longer than this for an engine, no session is let in."""

_SENTENCE = "This is how long it takes to say and to understand a sentence of usual length."
_SPEECH = 0.5  # of a conversation's time somebody speaks, on either side
_LOAD = 0.6  # of the threads' time; above it, answers stand in line
_LEAST, _MOST = 2, 200


def capacity_for(speak_s: float, hear_s: float, speech_s: float, threads: int) -> int:
    """Returns how many conversations are carried at once without answers that wait for others.

    Args:
        speak_s, hear_s: what it takes to say and to understand so much speech.
        speech_s: how long that speech is.
        threads: that are really at work at the same time.
    """
    share = _SPEECH * (speak_s + hear_s) / speech_s if speech_s > 0 else math.nan
    if not share > 0:  # nor is NaN
        return _MOST
    return max(_LEAST, min(_MOST, math.floor(_LOAD * threads / share + 1e-9)))


def measured_capacity(engines: Engines) -> int:
    """Measures how many conversations these engines carry here. Blocks for about a second."""
    began_s = time.perf_counter()
    pcm = engines.tts.speak(_SENTENCE, "alloy")
    spoken_s = time.perf_counter()
    engines.stt.transcribe(pcm, engines.tts.sample_rate)
    heard_s = time.perf_counter()
    speech_s = len(pcm) / 2 / engines.tts.sample_rate
    threads = min(2, os.cpu_count() or 1)
    return capacity_for(spoken_s - began_s, heard_s - spoken_s, speech_s, threads)
