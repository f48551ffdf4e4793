"""How much audio each speech engine hears in a second of CPU time, beside its own package."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.audio.speech_engines import (
    FRAME_SAMPLES,
    VAD_SAMPLE_RATE,
    speech_engine,
    vad_engine_names,
)

__all__ = ["measure_speed", "print_speed"]

_PIECE = 512 * FRAME_SAMPLES  # taken in turns, so that all meet the same load
_SUFFIX = "_times_real_time"

Hear = Callable[[Samples], object]


def _earshot_package() -> Hear:
    import earshot

    predict = earshot.Detector().predict_f32
    return lambda samples: [predict(frame) for frame in samples.reshape(-1, 256)]


def _webrtc_package() -> Hear:
    import webrtcvad

    detectors = [webrtcvad.Vad(mode) for mode in range(4)]

    def hear(samples: Samples) -> None:
        pcm = pcm_from_samples(samples)
        for at in range(0, len(pcm) - 319, 320):
            for one in detectors:
                one.is_speech(pcm[at : at + 320], VAD_SAMPLE_RATE)

    return hear


_PACKAGES = {"earshot": _earshot_package, "webrtc": _webrtc_package}
"""What a program does that uses an engine's package itself; Silero's is measured by itself."""


def measure_speed(samples: Samples) -> dict[str, float | None]:
    """Returns audio seconds per CPU second of every engine that can be used here.

    Args:
        samples: at 16 kHz, whole frames.

    Returns:
        ``…_times_real_time`` of each engine, ``…_package_times_real_time`` of its own package.
    """
    heard: dict[str, Hear] = {}
    for name in vad_engine_names():
        heard[name] = speech_engine(name).probabilities
        if name in _PACKAGES:
            heard[f"{name}_package"] = _PACKAGES[name]()
    for hear in heard.values():  # what happens only once is no part of the speed
        hear(np.zeros(5 * FRAME_SAMPLES, np.float32))
    seconds = dict.fromkeys(heard, 0.0)
    for start in range(0, len(samples), _PIECE):
        piece = samples[start : start + _PIECE]
        for name, hear in heard.items():
            began = time.process_time()
            hear(piece)
            seconds[name] += time.process_time() - began
    audio_s = len(samples) / VAD_SAMPLE_RATE
    return {name + _SUFFIX: audio_s / max(one, 1e-9) for name, one in seconds.items()}


def print_speed(figures: dict[str, float | None]) -> None:
    """Prints them as a table."""
    print("audio seconds per CPU second")
    for key, value in figures.items():
        name = key.removesuffix(_SUFFIX)
        if not name.endswith("_package"):
            package = figures.get(f"{name}_package{_SUFFIX}")
            beside = "" if package is None else f"   its package alone {package:8.0f}"
            print(f"  {name:<19}{value or 0:8.0f}{beside}")
