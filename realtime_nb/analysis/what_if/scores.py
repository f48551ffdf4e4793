"""The figures of each of many settings, over all turns of one recording or of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.cost.prices import TOKENS_PRICED, DurationPrice, PriceTable, find_price
from realtime_nb.analysis.what_if.candidates import Candidate
from realtime_nb.analysis.what_if.intervals import FEWEST, percentile_places, share_interval
from realtime_nb.analysis.what_if.outcomes import Outcomes, waits_after_voice
from realtime_nb.analysis.what_if.taken_turns import Numbers, Taken
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_LABELS", "OPEN_LOOP", "AudioPrice", "SweptRun", "audio_price", "scores_table"]

OPEN_LOOP = (
    "What-if, open loop: had a turn ended elsewhere, the agent would have answered otherwise, and "
    "the user, too."
)
"""What every picture of a sweep says."""

NO_LABELS = (
    "no labels tell where the user's turns really are, so that splits, false starts and misses "
    "can't be known; give labels="
)
_MS_PER_TOKEN = 100
"""Of user audio, by OpenAI's rule."""


@dataclass(frozen=True, slots=True)
class SweptRun:
    """What one recording became under one setting.

    Attributes:
        taken: the turns.
        outcomes: of the labelled turns; None without labels.
        voice_ends_ms: where the offline detector hears voices end, for want of labels.
        duration_ms: of the audio.
    """

    taken: Taken
    outcomes: Outcomes | None
    voice_ends_ms: Numbers
    duration_ms: float


@dataclass(frozen=True, slots=True)
class AudioPrice:
    """What a minute of user audio costs, and whose price it is."""

    model: str
    usd_per_minute: float


def audio_price(model: str, prices: PriceTable | None = None) -> AudioPrice:
    """Returns what a minute of fresh user audio costs, read once.

    Raises:
        ConfigurationError: No price of its audio is known.
    """
    price = find_price(model, prices)
    per_minute = math.nan
    if isinstance(price, DurationPrice):
        per_minute = price.usd_per_minute
    elif price is not None:
        per_minute = price.audio_in * (60_000 / _MS_PER_TOKEN) / TOKENS_PRICED
    if math.isnan(per_minute):
        raise ConfigurationError(
            f"price_model is {model!r}, of which no price of audio is known; give a model of the "
            f"price table, such as 'gpt-realtime', or prices={{{model!r}: rt.Price(audio_in=32)}}."
        )
    return AudioPrice(model, per_minute)


def scores_table(
    candidates: Sequence[Candidate], runs: Sequence[Sequence[SweptRun]], price: AudioPrice
) -> pd.DataFrame:
    """Returns one row for each of the settings.

    Args:
        candidates: The settings.
        runs: For each of them, what became of each recording.
        price: Of the audio that was sent.
    """
    rows = [
        _settings(candidate) | _sent(own, price) | _judged(own)
        for candidate, own in zip(candidates, runs, strict=True)
    ]
    return frame("sweep", rows)


def _settings(candidate: Candidate) -> dict[str, Any]:
    return {
        "engine": candidate.engine,
        "threshold": candidate.threshold,
        "silence_duration_ms": candidate.silence_ms,
        "prefix_padding_ms": candidate.padding_ms,
        "eagerness": candidate.eagerness,
        "mark": ", ".join(candidate.marks) or None,
    }


def _sent(runs: Sequence[SweptRun], price: AudioPrice) -> dict[str, Any]:
    sent_s = sum(float((run.taken.end_ms - run.taken.start_ms).sum()) for run in runs) / 1000
    whole_s = sum(run.duration_ms for run in runs) / 1000
    share = sent_s / whole_s if whole_s else math.nan
    return {
        "turns": sum(len(run.taken) for run in runs),
        "audio_sent_s": sent_s,
        "audio_sent_share": share,
        "hour_usd": share * 60 * price.usd_per_minute,
        "priced_as": price.model,
    }


def _judged(runs: Sequence[SweptRun]) -> dict[str, Any]:
    outcomes = [run.outcomes for run in runs if run.outcomes is not None]
    if len(outcomes) < len(runs):
        waits = [waits_after_voice(run.taken, run.voice_ends_ms) for run in runs]
        return _waits(np.concatenate(waits), "offline_vad") | {"note": NO_LABELS}
    labelled = sum(len(one.count) for one in outcomes)
    taken = sum(len(run.taken) for run in runs)
    found: dict[str, Any] = {
        "labelled_turns": labelled,
        "merged_turns": _count(outcomes, "merged"),
        "missed_speech_ms": float(sum(one.missed_speech_ms.sum() for one in outcomes)),
    }
    for name, noun, total in (
        ("split", "split_turns", labelled),
        ("false_start", "false_starts", taken),
        ("missed", "missed_turns", labelled),
    ):
        count = _count(outcomes, name)
        low, high = share_interval(count, total)
        found |= {
            noun: count,
            f"{name}_share": count / total if total else math.nan,
            f"{name}_low_share": low,
            f"{name}_high_share": high,
        }
    for name in ("onset_error", "end_error"):
        errors = np.concatenate([getattr(one, f"{name}_ms") for one in outcomes])
        found |= _errors(name, errors[~np.isnan(errors)])
    found |= _waits(np.concatenate([one.wait_ms for one in outcomes]), "label")
    return found | _why(found)


def _count(outcomes: Sequence[Outcomes], name: str) -> int:
    return int(sum(np.count_nonzero(getattr(one, name)) for one in outcomes))


def _errors(name: str, known: Numbers) -> dict[str, float]:
    if not len(known):
        return {f"{name}_p50_ms": math.nan, f"{name}_p95_ms": math.nan}
    return {
        f"{name}_p50_ms": _percentile(known, 50),
        f"{name}_p95_ms": _percentile(np.abs(known), 95),
    }


def _waits(waits_ms: Numbers, source: str) -> dict[str, Any]:
    known = waits_ms[~np.isnan(waits_ms)]
    if not len(known):
        return {"waits": 0}
    found: dict[str, Any] = {"waits": len(known), "wait_source": source}
    known = np.sort(known)
    for percent in (50, 95):
        name = f"endpoint_wait_p{percent}"
        found[f"{name}_ms"] = _percentile(known, percent)
        if len(known) >= FEWEST:
            low, high = percentile_places(percent, len(known))
            found |= {f"{name}_low_ms": float(known[low]), f"{name}_high_ms": float(known[high])}
    return found


def _percentile(values: Numbers, percent: float) -> float:
    """Returns what ``np.percentile`` does, in a tenth of its time for so few values."""
    place = (len(values) - 1) * percent / 100
    return float(np.interp(place, np.arange(len(values)), np.sort(values)))


def _why(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns why figures of labelled recordings may be missing."""
    labelled = found["labelled_turns"]
    reasons = []
    if not labelled:
        reasons.append("no turn is labelled, so that none can be split, missed or waited for")
    if math.isnan(found["false_start_share"]):
        reasons.append("no turn was taken")
    if found["waits"] < labelled:
        reasons.append(
            f"of {labelled - found['waits']} of {counted(labelled, 'turn')} no wait is known: "
            "missed, merged, cut off and not taken up again, or the audio ends first"
        )
    return {"note": "; ".join(reasons)}
