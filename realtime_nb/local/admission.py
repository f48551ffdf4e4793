"""How many conversations a machine carries, and whether it carries one more."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from realtime_nb.audio.wav import read_wav_pcm
from realtime_nb.local.answers import speech_of, words_of
from realtime_nb.local.engines import Engines
from realtime_nb.local.stt import WaitingSTT
from realtime_nb.local.tts import WaitingTTS

__all__ = ["MAX_WAIT_S", "capacity_for", "measured_capacity"]

MAX_WAIT_S = 1.0
"""While work waits for longer than this for an engine, no session is let in."""

_SENTENCE = "This is how long it takes to say and to understand a sentence of usual length."
_SPOKEN = Path(__file__).parents[1] / "samples" / "austen_0880.wav"
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
    """Measures how many conversations these engines carry here. Blocks for about a second.

    Engines that wait for another machine aren't asked: what they cost is not this machine's time.
    """
    stt, tts = engines.stt, engines.tts
    speak_s = hear_s = 0.0
    if isinstance(tts, WaitingTTS):
        pcm, sample_rate = read_wav_pcm(_SPOKEN)
    else:
        began_s = time.perf_counter()
        pcm, sample_rate = speech_of(tts, tts.speak(_SENTENCE, "alloy")), tts.sample_rate
        speak_s = time.perf_counter() - began_s
    if not isinstance(stt, WaitingSTT):
        began_s = time.perf_counter()
        words_of(stt, stt.transcribe(pcm, sample_rate))
        hear_s = time.perf_counter() - began_s
    threads = min(2, os.cpu_count() or 1)
    return capacity_for(speak_s, hear_s, len(pcm) / 2 / sample_rate, threads)
