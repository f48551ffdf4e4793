"""Cut-offs against waiting: ``server_vad`` by its silence, ``semantic_vad`` by its eagerness.

Each sentence is recorded speech with pauses of its speaker's own, and is heard alone, with silence
behind it. A turn that ends before the sentence does is a cut-off; what passes from the end of the
voice to the end of the turn is the wait. Both are told in audio time: what a model takes is hidden
by the silence before its answer counts.

Settings may be chosen on the choosing voices; the others are only reported. Intervals come from
drawing voices, and of each voice drawn its sentences, again and again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.turn_model import NO_TURN_MODEL, SmartTurn, SpokenAudio, turn_model
from realtime_nb.commands.bench.endpoint_answers import Answers, answers_of, print_answers
from realtime_nb.commands.bench.endpoint_sources import HOW_TO_GET_THEM, missing_packages
from realtime_nb.commands.bench.endpoint_speech import Sentence, sentences
from realtime_nb.protocol.semantic_turns import (
    TurnDecision,
    find_semantic_spans,
    semantic_settings,
)
from realtime_nb.protocol.turns import SpeechSpan, TurnSettings, find_speech_spans

__all__ = ["run"]

_SILENCES_MS = (200, 300, 500, 700, 1_000)
_EAGERNESS = ("low", "auto", "high")
_RESAMPLED = 1_000
_GOAL_WAIT_MS = 350.0
_GOAL_SILENCE = "server_vad 700 ms"
_TITLES = {
    "choosing": "voices that settings may be chosen on",
    "reported": "all other voices",
    "acted": "of those, acted dialogue",
    "prompts": "of those, telephone prompts (French, Italian, Russian)",
    "read": "of those, read aloud",
}


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """What a setting made of a sentence.

    Attributes:
        cut_off: whether a turn ended before the sentence did.
        wait_ms: from the end of the voice to the end of the turn; NaN where no turn ended then.
    """

    cut_off: bool
    wait_ms: float


@dataclass(frozen=True, slots=True)
class TriedSentence:
    """A sentence's outcome by setting, and what the turn model was asked on the way."""

    sentence: Sentence
    outcomes: Mapping[str, EndedTurn]
    decisions: Sequence[TurnDecision]


@dataclass(frozen=True, slots=True)
class Row:
    """A setting's figures, with 95 % intervals by resampling of voices and their sentences."""

    cut_off: float
    cut_off_interval: tuple[float, float]
    wait_p50_ms: float
    wait_interval_ms: tuple[float, float]
    wait_p90_ms: float


def run(seed: int = 1) -> dict[str, object]:
    """Prints the trade-off for both groups of voices; returns the figures."""
    model = turn_model()
    if model is None:
        print(NO_TURN_MODEL)
    missing = missing_packages()
    if missing:
        print(f"Not there: {', '.join(missing)}. {HOW_TO_GET_THEM}")
    rng = np.random.default_rng(seed)
    heard = [_heard(sentence, model) for sentence in sentences(rng)]
    figures: dict[str, object] = {}
    for group, title in _TITLES.items():
        of_group = [one for one in heard if group in one.sentence.groups]
        if not of_group:
            continue
        rows, answers = _rows(of_group, rng), _answers(of_group)
        figures[group] = {
            "voices": len({one.sentence.voice for one in of_group}),
            "sentences": len(of_group),
            "settings": {name: asdict(row) for name, row in rows.items()},
            "answers": asdict(answers),
            "goal_met": _goal(rows),
        }
        _print_rows(title, of_group, rows)
        print_answers(answers)
        if group == "reported":
            _print_goal(rows)
    return figures


def _heard(sentence: Sentence, model: SmartTurn | None) -> TriedSentence:
    probabilities = speech_probabilities(sentence.samples).tolist()
    turns = {
        f"server_vad {ms} ms": find_speech_spans(
            probabilities, TurnSettings(silence_duration_ms=ms)
        )
        for ms in _SILENCES_MS
    }
    decisions: list[TurnDecision] = []
    if model is not None:
        asked = SpokenAudio(sentence.samples, model)
        for name in _EAGERNESS:
            turns[f"semantic_vad {name}"], told = find_semantic_spans(
                probabilities, semantic_settings(name), asked.completeness
            )
            if name == "auto":
                decisions = told
    outcomes = {name: _outcome(found, sentence.voice_end_ms) for name, found in turns.items()}
    return TriedSentence(sentence, outcomes, decisions)


def _outcome(turns: Sequence[SpeechSpan], voice_end_ms: float) -> EndedTurn:
    ended_ms = [turn.audio_end_ms for turn in turns if not turn.cut]
    after_ms = [end_ms for end_ms in ended_ms if end_ms >= voice_end_ms]
    wait_ms = after_ms[0] - voice_end_ms if after_ms else math.nan
    return EndedTurn(len(ended_ms) > len(after_ms), wait_ms)


def _answers(heard: Sequence[TriedSentence]) -> Answers:
    return answers_of([(one.sentence, one.decisions) for one in heard])


def _rows(heard: Sequence[TriedSentence], rng: np.random.Generator) -> dict[str, Row]:
    draws = _draws([one.sentence.voice for one in heard], rng)
    return {name: _row([one.outcomes[name] for one in heard], draws) for name in heard[0].outcomes}


def _draws(voices: Sequence[str], rng: np.random.Generator) -> list[npt.NDArray[np.intp]]:
    """Returns places of sentences, drawn as their voices are, and then each voice's own."""
    by_voice = np.array(voices)
    of_voice = [np.flatnonzero(by_voice == voice) for voice in np.unique(by_voice)]
    return [
        np.concatenate(
            [
                rng.choice(of_voice[voice], len(of_voice[voice]))
                for voice in rng.integers(0, len(of_voice), len(of_voice))
            ]
        )
        for _ in range(_RESAMPLED)
    ]


def _row(outcomes: Sequence[EndedTurn], draws: Sequence[npt.NDArray[np.intp]]) -> Row:
    cut_off = np.array([one.cut_off for one in outcomes], float)
    wait_ms = np.array([one.wait_ms for one in outcomes])
    shares = [cut_off[at].mean() for at in draws]
    medians = np.array([_percentile(wait_ms[at], 50) for at in draws])
    return Row(
        cut_off=float(cut_off.mean()),
        cut_off_interval=(float(np.percentile(shares, 2.5)), float(np.percentile(shares, 97.5))),
        wait_p50_ms=_percentile(wait_ms, 50),
        wait_interval_ms=(_percentile(medians, 2.5), _percentile(medians, 97.5)),
        wait_p90_ms=_percentile(wait_ms, 90),
    )


def _percentile(values: npt.NDArray[np.float64], share: float) -> float:
    """Returns a percentile of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.percentile(known, share)) if len(known) else math.nan


def counted(count: int, noun: str) -> str:
    """Returns "1 voice", "2 voices"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _print_rows(title: str, heard: Sequence[TriedSentence], rows: Mapping[str, Row]) -> None:
    voices = counted(len({one.sentence.voice for one in heard}), "voice")
    pauses = counted(sum(len(one.sentence.pauses) for one in heard), "pause")
    print(
        f"\n{title}: {voices}, {counted(len(heard), 'sentence')} with {pauses} of 200 ms or more\n"
        f"{'':<20}  cut off  95 %          wait p50  95 %                  p90"
    )
    for name, row in rows.items():
        shares = "{:3.0f} to {:3.0f} %".format(*(100 * share for share in row.cut_off_interval))
        waits = "{:5,.0f} to {:5,.0f} ms".format(*row.wait_interval_ms)
        print(
            f"{name:<20} {100 * row.cut_off:5.0f} %  {shares} {row.wait_p50_ms:8,.0f} ms  {waits} "
            f"{row.wait_p90_ms:8,.0f} ms"
        )


def _goal(rows: Mapping[str, Row]) -> dict[str, bool]:
    """Tells which eagerness waits briefly and cuts off no more than the long silence does."""
    at_most = rows[_GOAL_SILENCE].cut_off
    return {
        name: row.wait_p50_ms <= _GOAL_WAIT_MS and row.cut_off <= at_most
        for name, row in rows.items()
        if name.startswith("semantic")
    }


def _print_goal(rows: Mapping[str, Row]) -> None:
    goal = _goal(rows)
    if goal:
        met = ", ".join(name for name, reached in goal.items() if reached)
        print(
            f"a median wait of {_GOAL_WAIT_MS:g} ms or less with no more cut-offs than "
            f"{_GOAL_SILENCE}: {met or 'reached by no eagerness'}"
        )
