"""Cut-offs against waiting: ``server_vad`` by its silence, ``semantic_vad`` by its eagerness.

Recorded sentences get a pause inside, of lengths as people make them within a turn. An end that
comes before the sentence's is a cut-off; what passes from the end of the voice to the end of the
turn is the wait. Both are told in audio time: what a model takes is hidden by the silence before
its answer counts.

The limits of eagerness were not fitted here: 0.5 is the model's own, 0.7 and 0.35 come from an
earlier trial on recorded prompts, which may have been of the reported voice. So it is not known to
be held out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.turn_model import NO_TURN_MODEL, SmartTurn, SpokenAudio, turn_model
from realtime_nb.commands.bench.endpoint_speech import (
    PROMPTS_VARIABLE,
    PausedSentence,
    Sentence,
    prompts_folder,
    reported,
    shipped,
    with_pause,
)
from realtime_nb.protocol.semantic_turns import find_semantic_spans, semantic_settings
from realtime_nb.protocol.turns import SpeechSpan, TurnSettings, find_speech_spans

__all__ = ["run"]

_SILENCES_MS = (200, 300, 500, 700, 1_000)
_EAGERNESS = ("low", "auto", "high")
_PAUSES = 3  # of each place
_MEDIAN_PAUSE_MS, _SPREAD, _PAUSE_MS = 450.0, 0.6, (150.0, 3_000.0)  # log-normal
_RESAMPLED = 2_000
_GOAL_WAIT_MS = 350.0
_GOAL_SILENCE = "server_vad 700 ms"

_NO_PROMPTS = (
    "The voice that is reported is not installed: no sentences in {folder}. On Debian: "
    "apt-get install asterisk-core-sounds-en-wav; elsewhere unpack that package and name the "
    "folder with its WAV files in ${variable}."
)


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """What a setting made of a sentence.

    Attributes:
        cut_off: whether the turn ended before the sentence did.
        wait_ms: from the end of the voice to the end of the last turn.
    """

    name: str
    whole: bool
    cut_off: bool
    wait_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """A setting's figures, with 95 % intervals by resampling of recordings."""

    cut_off: float
    cut_off_interval: tuple[float, float]
    cut_off_open: float
    wait_p50_ms: float
    wait_interval_ms: tuple[float, float]
    wait_p90_ms: float


def run(seed: int = 1) -> dict[str, object]:
    """Prints the trade-off for both groups of voices; returns the figures."""
    model = turn_model()
    figures: dict[str, object] = {}
    if model is None:
        print(NO_TURN_MODEL)
    for group, sentences in (("shipped", shipped()), ("reported", reported())):
        rows = _rows(sentences, model, np.random.default_rng(seed))
        figures[group] = {name: asdict(row) for name, row in rows.items()}
        figures[f"{group}_places"] = len(sentences)
        figures[f"{group}_recordings"] = len({one.name for one in sentences})
        _print_rows(group, sentences, rows)
        if group == "reported":
            figures["goal_met"] = _goal(rows)
    return figures


def _rows(
    sentences: Sequence[Sentence], model: SmartTurn | None, rng: np.random.Generator
) -> dict[str, Row]:
    outcomes: dict[str, list[EndedTurn]] = {}
    for sentence in sentences:
        for pause_ms in _pauses(rng):
            said = with_pause(sentence, pause_ms, rng)
            for name, turns in _turns(said, model).items():
                ended_ms = [turn.audio_end_ms for turn in turns if not turn.cut]
                cut_off = bool(ended_ms) and ended_ms[0] < said.voice_end_ms
                wait_ms = ended_ms[-1] - said.voice_end_ms if ended_ms else math.nan
                outcome = EndedTurn(sentence.name, sentence.whole, cut_off, wait_ms)
                outcomes.setdefault(name, []).append(outcome)
    return {name: _row(of_setting, rng) for name, of_setting in outcomes.items()}


def _pauses(rng: np.random.Generator) -> list[float]:
    drawn = rng.lognormal(math.log(_MEDIAN_PAUSE_MS), _SPREAD, _PAUSES)
    return [float(pause_ms) for pause_ms in np.clip(drawn, *_PAUSE_MS)]


def _turns(said: PausedSentence, model: SmartTurn | None) -> dict[str, list[SpeechSpan]]:
    """Returns the turns that each setting hears."""
    probabilities = speech_probabilities(said.samples).tolist()
    found = {
        f"server_vad {ms} ms": find_speech_spans(
            probabilities, TurnSettings(silence_duration_ms=ms)
        )
        for ms in _SILENCES_MS
    }
    if model is not None:
        asked = SpokenAudio(said.samples, model)
        for name in _EAGERNESS:
            turns, _ = find_semantic_spans(
                probabilities, semantic_settings(name), asked.completeness
            )
            found[f"semantic_vad {name}"] = turns
    return found


def _row(outcomes: Sequence[EndedTurn], rng: np.random.Generator) -> Row:
    cut_off = np.array([one.cut_off for one in outcomes], float)
    wait_ms = np.array([one.wait_ms for one in outcomes])
    is_open = np.array([not one.whole for one in outcomes])
    names = np.array([one.name for one in outcomes])
    of_name = [np.flatnonzero(names == name) for name in np.unique(names)]
    shares, medians = [], []
    for _ in range(_RESAMPLED):
        drawn = [of_name[i] for i in rng.integers(0, len(of_name), len(of_name))]
        at = np.concatenate(drawn)
        shares.append(cut_off[at].mean())
        medians.append(np.median(wait_ms[at]))
    low_share, high_share = np.percentile(shares, (2.5, 97.5))
    low_ms, high_ms = np.percentile(medians, (2.5, 97.5))
    return Row(
        cut_off=float(cut_off.mean()),
        cut_off_interval=(float(low_share), float(high_share)),
        cut_off_open=float(cut_off[is_open].mean()) if is_open.any() else math.nan,
        wait_p50_ms=float(np.median(wait_ms)),
        wait_interval_ms=(float(low_ms), float(high_ms)),
        wait_p90_ms=float(np.percentile(wait_ms, 90)),
    )


def _print_rows(group: str, sentences: Sequence[Sentence], rows: Mapping[str, Row]) -> None:
    voices = {
        "shipped": "a recording of this package",
        "reported": "telephone prompts, one speaker",
    }[group]
    if not sentences:
        print(_NO_PROMPTS.format(folder=prompts_folder(), variable=PROMPTS_VARIABLE))
        return
    recordings = len({one.name for one in sentences})
    is_open = sum(not one.whole for one in sentences)
    print(
        f"\n{voices}: {recordings} sentences, {len(sentences)} places, {_PAUSES} pauses at each; "
        f"before {is_open} of the places the words are no whole sentence\n"
        f"{'':<20}  cut off  95 %         of those   wait p50  95 %            p90"
    )
    for name, row in rows.items():
        shares = "{:3.0f} to {:3.0f} %".format(*(100 * share for share in row.cut_off_interval))
        waits = "{:4.0f} to {:4.0f} ms".format(*row.wait_interval_ms)
        print(
            f"{name:<20} {100 * row.cut_off:5.0f} %  {shares} {100 * row.cut_off_open:7.0f} % "
            f"{row.wait_p50_ms:8.0f} ms  {waits} {row.wait_p90_ms:6.0f} ms"
        )


def _goal(rows: Mapping[str, Row]) -> dict[str, bool]:
    """Tells which eagerness waits briefly and cuts off no more than the long silence does."""
    if not rows:
        return {}
    at_most = rows[_GOAL_SILENCE].cut_off
    return {
        name: row.wait_p50_ms <= _GOAL_WAIT_MS and row.cut_off <= at_most
        for name, row in rows.items()
        if name.startswith("semantic")
    }
