"""Where speech begins and ends in a file or in samples, and under many settings at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.files import read_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.speech_engines import SpeechEngine, speech_engine
from realtime_nb.protocol.turns import (
    Runs,
    SpeechSpan,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
    spans_from_runs,
)

__all__ = ["find_speech", "speech_as_heard", "sweep_turns"]


def find_speech(
    source: str | os.PathLike[str] | LongSound,
    settings: TurnSettings | None = None,
    engine: SpeechEngine | str = "silero",
    *,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> list[SpeechSpan]:
    """Finds speech in a file or in 24 kHz samples, at the positions that the local server reports.

    Args:
        source: Path of an audio file, or float samples at 24 kHz, of which a minute at a time is
            worked on.
        settings: Defaults to `TurnSettings()`.
        engine: A name, or a fresh engine.
        raw_sample_rate, channel: Of a file, as for `load_audio`.

    Raises:
        AudioError: The file can't be read as audio.
    """
    if isinstance(source, str | os.PathLike):
        source = read_audio(source, raw_sample_rate=raw_sample_rate, channel=channel).sound
    return list(speech_as_heard(source, settings, engine))


def speech_as_heard(
    sound: LongSound,
    settings: TurnSettings | None = None,
    engine: SpeechEngine | str = "silero",
    heard: Callable[[int], object] = lambda samples: None,
) -> Iterator[SpeechSpan]:
    """Yields what `find_speech` finds, each span as soon as its closing silence was heard.

    ``heard`` is told how many more samples it has listened to.
    """
    frames = FrameDetector(engine=speech_engine(engine) if isinstance(engine, str) else engine)
    detector = TurnDetector(settings)
    start = SpeechStart(0, 0, 0)
    for block in blocks(sound):
        for probability in frames.push(pcm_from_samples(block)):
            match detector.step(probability):
                case SpeechStart() as start:
                    pass
                case SpeechStop(audio_end_ms=end_ms, offset_ms=offset_ms):
                    yield SpeechSpan(start.audio_start_ms, start.onset_ms, offset_ms, end_ms)
        heard(len(block))
    if detector.speaking:
        stop = detector.stop_now()
        span_ms = start.audio_start_ms, start.onset_ms, stop.offset_ms, stop.audio_end_ms
        yield SpeechSpan(*span_ms, cut=True)


def sweep_turns(
    probabilities: npt.ArrayLike, settings: Iterable[TurnSettings], base_ms: int = 0
) -> list[list[SpeechSpan]]:
    """Does what `find_speech_spans` does under each of many settings, at a fraction of its cost.

    Args:
        probabilities: One per frame, shape (n,).
        settings: Any number of settings. Those that share thresholds share most of the work.
        base_ms: Audio before the first frame.
    """
    frames = np.asarray(probabilities, np.float64)

    @cache
    def speech_runs(threshold: float) -> npt.NDArray[np.intp]:
        return _runs(frames >= threshold)

    @cache
    def quiet_runs(threshold: float) -> npt.NDArray[np.intp]:
        return _runs(frames < threshold)

    @cache
    def speech(threshold: float, at_least: int) -> Runs:
        return _long_runs(speech_runs(threshold), at_least)

    @cache
    def quiet(threshold: float, at_least: int) -> Runs:
        return _long_runs(quiet_runs(threshold), at_least, len(frames))

    return [
        spans_from_runs(
            speech(s.threshold, s.min_speech_frames),
            quiet(s.exit_threshold, s.silence_frames),
            len(frames),
            s,
            base_ms,
        )
        for s in settings
    ]


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Starts and ends of the runs of true values, shape (runs, 2)."""
    changes = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(changes).reshape(-1, 2)


def _long_runs(runs: npt.NDArray[np.intp], at_least: int, frames: float = math.inf) -> Runs:
    """Leaves short ones out, but for one that reaches the end: what follows it is not known."""
    long = runs[:, 1] - runs[:, 0] >= at_least
    long_enough = runs[long | (runs[:, 1] == frames)]
    return Runs(long_enough[:, 0].tolist(), long_enough[:, 1].tolist())
