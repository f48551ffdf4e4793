"""Silero over a whole recording, beside the ONNX original frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import FRAME_SAMPLES, VAD_SAMPLE_RATE, SpeechEngine

__all__ = ["joined_speech", "measure_recording", "print_recording"]

_PIECE = 512 * FRAME_SAMPLES
_PASSES = 3
_THRESHOLDS = tuple(step / 20 for step in range(2, 19))  # 0.1 to 0.9
_PAUSES_S = (0.2, 0.5, 1, 3, 10)


def joined_speech(speech: Samples, frames: int, seed: int = 0) -> Samples:
    """Returns stretches of speech at random places and levels, pauses and faint noise between."""
    rng = np.random.default_rng(seed)
    pieces: list[Samples] = []
    length = 0
    while length < frames * FRAME_SAMPLES:
        lasts = int(rng.uniform(1, 15) * VAD_SAMPLE_RATE)
        start = int(rng.integers(0, max(1, len(speech) - lasts)))
        pause = int(rng.choice(_PAUSES_S) * rng.uniform(0.5, 1.5) * VAD_SAMPLE_RATE)
        said = speech[start : start + lasts] * np.float32(10 ** rng.uniform(-1, 0.3))
        piece = np.concatenate([said, np.zeros(pause, np.float32)])
        noise = rng.standard_normal(len(piece), np.float32) * np.float32(
            10 ** rng.uniform(-4, -1.5)
        )
        pieces.append(np.clip(piece + noise, -1, 1))
        length += len(piece)
    return np.concatenate(pieces)[: frames * FRAME_SAMPLES]


def measure_recording(samples: Samples, original: SpeechEngine | None) -> dict[str, float | None]:
    """Returns what one recording takes, in seconds of CPU time, passes and original by turns.

    Args:
        samples: at 16 kHz, whole frames.
        original: fresh; None where there is none.

    Returns:
        ``recording_s`` of the best of three passes; ``recording_loop_s`` frame after frame and
        ``recording_onnx_s`` at the pace of the best third; ``recording_ratio``;
        ``recording_stretches`` side by side, and ``recording_in_sequence`` of them that nothing
        proved. ``…_differing`` is how many decisions
        at 0.1 to 0.9 are others than those of the loop, ``…_onnx_differing`` than the original's,
        ``…_max_difference`` and ``…_onnx_max_difference`` of the probabilities.
    """
    loop = SileroVAD()
    spent: dict[str, list[float]] = {"loop": [], "onnx": []}  # of each piece
    heard: dict[str, list[Samples]] = {"loop": [], "onnx": []}
    passes_s: list[float] = []
    starts = range(0, len(samples), _PIECE)
    part = -(-len(starts) // _PASSES)
    for number, start in enumerate(starts):
        if number % part == 0:
            engine = SileroVAD()
            whole, pass_s = _timed(lambda: engine.recording_probabilities(_pieces(samples)))  # noqa: B023
            passes_s.append(pass_s)
        piece = samples[start : start + _PIECE]
        for name, one in (("loop", loop), ("onnx", original)):
            if one is not None:
                found, seconds = _timed(lambda: one.probabilities(piece))  # noqa: B023
                heard[name].append(found)
                spent[name].append(seconds)
    figures: dict[str, float | None] = {
        "recording_min": len(samples) / VAD_SAMPLE_RATE / 60,
        "recording_s": min(passes_s),
        "recording_loop_s": _best_part(spent["loop"], part),
        "recording_stretches": engine.stretches,
        "recording_in_sequence": engine.in_sequence,
        "recording_onnx_s": None,
        "recording_ratio": None,
    }
    if original:
        figures["recording_onnx_s"] = onnx_s = _best_part(spent["onnx"], part)
        figures["recording_ratio"] = onnx_s / min(passes_s)
    for name, prefix in (("loop", "recording"), ("onnx", "recording_onnx")):
        theirs = np.concatenate(heard[name]) if heard[name] else None
        figures[f"{prefix}_differing"] = None if theirs is None else _differing(whole, theirs)
        figures[f"{prefix}_max_difference"] = (
            None if theirs is None else float(np.abs(whole - theirs).max())
        )
    return figures


def _pieces(samples: Samples) -> Iterator[Samples]:
    return (samples[start : start + _PIECE] for start in range(0, len(samples), _PIECE))


def _timed(work: Callable[[], Samples]) -> tuple[Samples, float]:
    began = time.process_time()
    result = work()
    return result, max(time.process_time() - began, 1e-9)


def _best_part(seconds: list[float], part: int) -> float:
    """Returns what all pieces would take at the pace of the best part, as passes are the best."""
    paces = [np.mean(seconds[start : start + part]) for start in range(0, len(seconds), part)]
    return float(min(paces)) * len(seconds)


def _differing(ours: Samples, theirs: Samples) -> int:
    return sum(int(np.count_nonzero((ours >= t) != (theirs >= t))) for t in _THRESHOLDS)


def print_recording(figures: dict[str, float | None]) -> None:
    """Prints them as a table."""
    print(f"a recording of {figures['recording_min']:.0f} min at once, CPU time")
    print(f"  numpy              {figures['recording_s']:8.3f} s", end="")
    print(f"   {figures['recording_stretches']} stretches side by side,", end=" ")
    print(f"{figures['recording_in_sequence']} of them gone through in sequence")
    print(f"  frame after frame  {figures['recording_loop_s']:8.3f} s", end="")
    _print_differing(figures, "recording")
    if figures["recording_ratio"] is not None:
        print(f"  ONNX, frame loop   {figures['recording_onnx_s']:8.3f} s", end="")
        print(f"   ratio {figures['recording_ratio']:.1f}", end="")
        _print_differing(figures, "recording_onnx")


def _print_differing(figures: dict[str, float | None], prefix: str) -> None:
    print(f"   decisions differing at 0.1 to 0.9: {figures[f'{prefix}_differing']},", end=" ")
    print(f"largest difference {figures[f'{prefix}_max_difference']:.1e}")
