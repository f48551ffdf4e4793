"""Why a turn ended where it did, in sentences: by its probabilities and the pauses in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.audio.vad import sweep_turns
from realtime_nb.protocol.semantic_turns import SemanticSettings, TurnDecision
from realtime_nb.protocol.turns import FRAME_MS, SpeechSpan, TurnSettings
from realtime_nb.protocol.words import counted

__all__ = [
    "SilentRun",
    "explain_judged",
    "explain_judged_labelled",
    "explain_labelled",
    "explain_taken",
    "longest_pause",
    "threshold_margin",
]

Probabilities = npt.NDArray[np.float32]

_STEP = 0.01
"""In which thresholds are tried."""
_SAME_MS = 200
"""A turn that begins later, or ends earlier, by more than this has lost a syllable."""


@dataclass(frozen=True, slots=True)
class SilentRun:
    """Frames in a row that count as silence.

    Attributes:
        start_ms: where it begins.
        length_ms: how long it is; a silence that ends turns is longer, or else it does.
    """

    start_ms: int
    length_ms: int


def longest_pause(
    probabilities: Probabilities, settings: TurnSettings, start_ms: float, end_ms: float
) -> SilentRun | None:
    """Returns the longest pause between two places; None where no frame is silent."""
    first, last = int(start_ms) // FRAME_MS, int(end_ms) // FRAME_MS
    quiet = np.asarray(probabilities[first:last], np.float64) < settings.exit_threshold
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    if not len(edges):
        return None
    start, end = max(edges.tolist(), key=lambda run: run[1] - run[0])
    return SilentRun((first + start) * FRAME_MS, (end - start) * FRAME_MS)


def threshold_margin(
    probabilities: Probabilities, settings: TurnSettings, span: SpeechSpan
) -> float:
    """Returns by how much the threshold could rise, in steps of 0.01, with the turn still heard
    as one, from its first 200 ms to its last."""
    first, last = span.audio_start_ms // FRAME_MS, span.audio_end_ms // FRAME_MS
    own = probabilities[first:last]
    count = round((1 - settings.threshold) / _STEP)
    higher = [
        TurnSettings(min(1.0, settings.threshold + step * _STEP), 0, settings.silence_duration_ms)
        for step in range(1, count + 1)
    ]
    whole = 0
    for step, spans in enumerate(sweep_turns(own, higher), start=1):
        if len(spans) != 1 or not _is_same(spans[0], span, first * FRAME_MS):
            break
        whole = step
    return whole * _STEP


def _is_same(found: SpeechSpan, span: SpeechSpan, base_ms: int) -> bool:
    late_ms = found.onset_ms + base_ms - span.onset_ms
    early_ms = span.offset_ms - found.offset_ms - base_ms
    return max(late_ms, early_ms) <= _SAME_MS


def explain_taken(probabilities: Probabilities, settings: TurnSettings, span: SpeechSpan) -> str:
    """Returns why a turn that was taken ended where it did."""
    sentences = [_ending(settings, span), _pause_in(probabilities, settings, span)]
    margin = threshold_margin(probabilities, settings, span)
    sentences.append(f"margin to the threshold {margin:.2f}")
    return "; ".join(sentence for sentence in sentences if sentence)


def _ending(settings: TurnSettings, span: SpeechSpan) -> str:
    if span.cut:
        return (
            f"it was not over when the audio ended, {span.audio_end_ms - span.offset_ms:.0f} ms "
            "after the last voiced frame"
        )
    return (
        f"ended {span.audio_end_ms - span.offset_ms:.0f} ms after the last voiced frame "
        f"(silence_duration_ms {settings.silence_duration_ms:g}, in whole frames of {FRAME_MS} ms)"
    )


def _pause_in(probabilities: Probabilities, settings: TurnSettings, span: SpeechSpan) -> str:
    pause = longest_pause(probabilities, settings, span.onset_ms, span.offset_ms)
    if pause is None:
        return "no pause in it"
    return (
        f"a {pause.length_ms}-ms pause at {pause.start_ms / 1000:.1f} s would have split it at "
        f"a silence of {pause.length_ms} ms or less"
    )


def explain_labelled(
    probabilities: Probabilities,
    settings: TurnSettings,
    turn: TrueTurn,
    spans: list[SpeechSpan],
) -> str:
    """Returns what became of a labelled turn, and why.

    Args:
        probabilities: Of the whole recording.
        settings: Those that took the turns.
        turn: The labelled one.
        spans: The turns taken that are of it, in order.
    """
    if not spans:
        return _missing(probabilities, settings, turn)
    *cuts, last = spans
    return "; ".join(
        [
            *_cutting(probabilities, settings, turn, spans),
            *([f"its last part {_ending(settings, last)}"] if cuts else [_ending(settings, last)]),
            _waiting(turn, last),
            *(_pause_in(probabilities, settings, span) for span in spans if not cuts),
            f"margin to the threshold {threshold_margin(probabilities, settings, last):.2f}",
        ]
    )


def _missing(probabilities: Probabilities, settings: TurnSettings, turn: TrueTurn) -> str:
    first, last = int(turn.start_ms) // FRAME_MS, -(-int(turn.end_ms) // FRAME_MS)
    own = np.asarray(probabilities[first:last], np.float64)
    if not len(own):
        return "missed: it is shorter than a frame"
    peak = int(np.argmax(own))
    highest = float(own[peak])
    at_s = (first + peak) * FRAME_MS / 1000
    return (
        f"missed: the speech probability reaches {highest:.2f} (at {at_s:.1f} s), and the "
        f"threshold is {settings.threshold:g}; margin to the threshold "
        f"{highest - settings.threshold:.2f}"
    )


def _cutting(
    probabilities: Probabilities, settings: TurnSettings, turn: TrueTurn, spans: list[SpeechSpan]
) -> Iterator[str]:
    """Yields what cut the user off, and from which silence on it would not have."""
    early = [span for span in spans if span.audio_end_ms < turn.end_ms and not span.cut]
    if not early:
        return
    pauses = [
        pause
        for span in early
        if (pause := _pause_from(probabilities, settings, span.offset_ms)) is not None
    ]
    longest = max(pauses, key=lambda pause: pause.length_ms)
    times = "" if len(early) == 1 else f" {counted(len(early), 'time')}"
    yield (
        f"cut off{times}, first {turn.end_ms - early[0].audio_end_ms:.0f} ms before its end: a "
        f"{longest.length_ms}-ms pause at {longest.start_ms / 1000:.1f} s is no shorter than the "
        f"silence of {settings.silence_duration_ms:g} ms; one of more than {longest.length_ms} ms "
        "would have heard it out"
    )


def _pause_from(
    probabilities: Probabilities, settings: TurnSettings, start_ms: int
) -> SilentRun | None:
    """Returns the silence that begins at a place."""
    first = start_ms // FRAME_MS
    loud = np.asarray(probabilities[first:], np.float64) >= settings.exit_threshold
    length = int(np.argmax(loud)) if loud.any() else len(loud)
    return SilentRun(start_ms, length * FRAME_MS) if length else None


def _waiting(turn: TrueTurn, last: SpeechSpan) -> str:
    wait_ms = last.audio_end_ms - turn.end_ms
    side = "after" if wait_ms >= 0 else "before"
    return f"{abs(wait_ms):.0f} ms {side} its labelled end"


def explain_judged(
    settings: SemanticSettings, span: SpeechSpan, decisions: Sequence[TurnDecision]
) -> str:
    """Returns why a turn ended where it did whose pauses a turn model judged.

    Args:
        settings: Those that took it.
        span: The turn.
        decisions: Of the whole recording.
    """
    own = [one for one in decisions if span.onset_ms < one.at_ms <= span.audio_end_ms]
    asked_last = [one for one in own if one.at_ms > span.offset_ms]  # in the silence that ended it
    before = own[: len(own) - len(asked_last)]
    parts = [_judged_ending(settings, span, asked_last)]
    if before:
        told = ", ".join(f"{_answer(one)} at {one.at_ms / 1000:.1f} s" for one in before)
        parts.append(f"at the {'pause' if len(before) == 1 else 'pauses'} before it was {told}")
    known = [one.probability for one in asked_last if not math.isnan(one.probability)]
    parts += [f"margin to the limit {abs(answer - settings.complete_at):.2f}" for answer in known]
    return "; ".join(parts)


def _judged_ending(
    settings: SemanticSettings, span: SpeechSpan, asked: Sequence[TurnDecision]
) -> str:
    silence = f"{span.audio_end_ms - span.offset_ms:.0f} ms after the last voiced frame"
    told = (
        f"the probability that it was over was {_answer(asked[-1])}, and {settings.complete_at:g} "
        "ends it"
        if asked
        else "no answer of the turn model was due yet"
    )
    if span.cut:
        return f"it was not over when the audio ended, {silence}: {told}"
    if asked and asked[-1].complete:
        return f"ended {silence}: {told}"
    return f"ended {silence}, which is the longest wait: {told}"


def _answer(decision: TurnDecision) -> str:
    unknown = math.isnan(decision.probability)
    return "unknown (the turn model failed)" if unknown else f"{decision.probability:.2f}"


def explain_judged_labelled(
    probabilities: Probabilities,
    settings: SemanticSettings,
    turn: TrueTurn,
    spans: list[SpeechSpan],
    decisions: Sequence[TurnDecision],
) -> str:
    """Returns what became of a labelled turn whose pauses a turn model judged; arguments as of
    :func:`explain_labelled` and :func:`explain_judged`."""
    if not spans:
        return _missing(probabilities, settings.turns, turn)
    early = [span for span in spans if span.audio_end_ms < turn.end_ms and not span.cut]
    parts = []
    if early:
        times = "" if len(early) == 1 else f" {counted(len(early), 'time')}"
        before_ms = turn.end_ms - early[0].audio_end_ms
        why = explain_judged(settings, early[0], decisions)
        parts.append(f"cut off{times}, first {before_ms:.0f} ms before its end: {why}")
    if spans[-1] not in early:
        last = "its last part " if len(spans) > 1 else ""
        parts.append(f"{last}{explain_judged(settings, spans[-1], decisions)}")
        parts.append(_waiting(turn, spans[-1]))
    return "; ".join(parts)
