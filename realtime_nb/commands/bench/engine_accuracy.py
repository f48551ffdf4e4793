"""How well speech engines find words in labelled scenes, in silence and in noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.audio.speech_engines import vad_engine_names
from realtime_nb.audio.thresholds import threshold_like
from realtime_nb.commands.bench.scenes import NOISES, Scene, cut_words, scene
from realtime_nb.protocol.turns import SpeechSpan, TurnSettings, find_speech_spans

__all__ = ["Score", "measure_accuracy", "print_accuracy"]

_SETTINGS = TurnSettings(threshold=0.5, silence_duration_ms=500)
_SNRS_DB = (20, 10, 5, 0)
_FIRST_SEED = 1_000  # the scenes in which ends are measured have other ones
_MEASURES = ("found", "onset_p50_ms", "onset_p95_ms", "end_p50_ms", "end_p95_ms", "false_a_minute")


@dataclass(slots=True)
class Score:
    """What became of the words of some scenes.

    Attributes:
        words: how many there were.
        onset_errors_ms, end_errors_ms: of those that were found one to one: exactly one turn lies
            over the word, and over no other.
        false_starts: turns over no word.
        quiet_ms: audio outside of words.
    """

    words: int = 0
    onset_errors_ms: list[float] = field(default_factory=list)
    end_errors_ms: list[float] = field(default_factory=list)
    false_starts: int = 0
    quiet_ms: float = 0.0

    def add(self, made: Scene, spans: Sequence[SpeechSpan]) -> None:
        """Takes what was found in a scene."""
        words = [
            (onset_ms, end_ms)
            for onset_ms, (_, end_ms) in zip(made.onsets_ms, made.words_ms, strict=True)
        ]
        over = [
            [
                number
                for number, (onset_ms, end_ms) in enumerate(words)
                if _overlap(span, onset_ms, end_ms)
            ]
            for span in spans
        ]
        for number, (onset_ms, end_ms) in enumerate(words):
            by = [index for index, numbers in enumerate(over) if number in numbers]
            if len(by) == 1 and over[by[0]] == [number]:
                self.onset_errors_ms.append(abs(spans[by[0]].onset_ms - onset_ms))
                self.end_errors_ms.append(abs(spans[by[0]].offset_ms - end_ms))
        self.words += len(words)
        self.false_starts += sum(not numbers for numbers in over)
        self.quiet_ms += len(made.samples) * 1000 / SAMPLE_RATE
        self.quiet_ms -= sum(end_ms - onset_ms for onset_ms, end_ms in words)

    def figures(self) -> dict[str, float]:
        """Returns the share found one to one, errors in ms, false starts a minute without words."""
        onsets, ends = self.onset_errors_ms, self.end_errors_ms
        values = (
            len(ends) / self.words if self.words else math.nan,
            *(_percentile(errors, percent) for errors in (onsets, ends) for percent in (50, 95)),
            self.false_starts / (self.quiet_ms / 60_000) if self.quiet_ms else math.nan,
        )
        return dict(zip(_MEASURES, values, strict=True))


def _overlap(span: SpeechSpan, onset_ms: float, end_ms: float) -> bool:
    return span.onset_ms < end_ms and span.offset_ms > onset_ms


def _percentile(errors: Sequence[float], percent: int) -> float:
    return float(np.percentile(errors, percent)) if errors else math.nan


def _conditions(snrs_db: Sequence[int] = _SNRS_DB) -> Iterator[tuple[str, str, int | None]]:
    """Yields the name, the noise and the SNR of each."""
    yield "clean", "pink", None
    for noise in NOISES:
        for snr_db in snrs_db:
            yield f"{noise}_{snr_db}", noise, snr_db


def measure_accuracy(
    scenes: int, engines: Sequence[str] | None = None, snrs_db: Sequence[int] = _SNRS_DB
) -> dict[str, float | None]:
    """Returns how well engines find words at threshold 0.5 and 500 ms of silence.

    The words and pauses are the same in all conditions and for all engines.

    Args:
        scenes: How many per condition.
        engines: Defaults to all that can be used here.
        snrs_db: How far the words are above each noise.

    Returns:
        ``ENGINE_CONDITION_MEASURE`` of what `Score.figures` has, and ``ENGINE_threshold``: where
        the engine calls as much of the clean scenes speech as the first does at 0.5; None for what
        is not known.
    """
    names = list(engines or vad_engine_names())
    words = cut_words()
    found: dict[str, float] = {}
    for condition, noise, snr_db in _conditions(snrs_db):
        scores = {name: Score() for name in names}
        heard: dict[str, list[Samples]] = {name: [] for name in names}
        for number in range(scenes):
            rng = np.random.default_rng(_FIRST_SEED + number)
            order = [words[index] for index in rng.permutation(len(words))]
            made = scene(order, rng, snr_db, noise)
            for name in names:
                heard[name].append(speech_probabilities(made.samples, SAMPLE_RATE, name))
                scores[name].add(made, find_speech_spans(heard[name][-1], _SETTINGS))
        for name, score in scores.items():
            found |= {f"{name}_{condition}_{key}": value for key, value in score.figures().items()}
        if condition == "clean":
            joined = {name: np.concatenate(pieces) for name, pieces in heard.items()}
            for name in names:
                like = threshold_like(joined[names[0]], _SETTINGS.threshold, joined[name])
                found[f"{name}_threshold"] = like
    return {key: None if math.isnan(value) else value for key, value in found.items()}


def print_accuracy(figures: dict[str, float | None]) -> None:
    """Prints a table per engine."""
    suffix = "_threshold"
    names = [key.removesuffix(suffix) for key in figures if key.endswith(suffix)]
    for name in names:
        print(f"{name}: words found one to one at threshold {_SETTINGS.threshold}", end="")
        like = figures[name + suffix]
        known = name != names[0] and like is not None
        print(f" ({names[0]}'s {_SETTINGS.threshold} is its {like:.2f})" if known else "")
        print(f"  {'':<12}{'found':>6}{'onset p50':>11}{'p95':>5}{'end p50':>9}{'p95':>5}", end="")
        print(f"{'false starts/min':>18}")
        for condition, _, _ in _conditions():
            if f"{name}_{condition}_found" not in figures:
                continue
            values = [figures[f"{name}_{condition}_{key}"] for key in _MEASURES]
            texts = [
                "-" if value is None else f"{value:.{digits}f}"
                for value, digits in zip(values, (2, 0, 0, 0, 0, 1), strict=True)
            ]
            label = condition.replace("_", " ") + (" dB" if "_" in condition else "")
            widths = (6, 11, 5, 9, 5, 18)
            row = "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))
            print(f"  {label:<12}{row}")
