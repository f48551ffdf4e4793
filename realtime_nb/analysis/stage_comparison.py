"""The stages of several pipelines beside each other, on the same user audio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.recorded import Recorded, refuse_unrecorded
from realtime_nb.analysis.stages import AMOUNTS, COSTS, STAGE_PARTS, stages
from realtime_nb.errors import ConfigurationError, at_call

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMPARED_STAGES", "compare_stages"]

COMPARED_STAGES = (
    *("latency_ms", *STAGE_PARTS, "stt_ms", "llm_ms", "head_start_ms"),
    *(*AMOUNTS, *COSTS),
)
"""The rows of each pipeline."""

_SUMMED = (*AMOUNTS, *COSTS)


@at_call
def compare_stages(
    recordings: Mapping[str, Recorded], *, prices: PriceTable | None = None
) -> pd.DataFrame:
    """Returns what each stage of several pipelines took, one row per pipeline and stage.

    ``attrs["notes"]`` says what to know before trusting it: that the user's turns are not as many
    in all, or whose engines ran on this machine.

    Args:
        recordings: of the same user audio, by what the pipelines are called, such as replays
            (:func:`realtime_nb.recordings.replay.replay`) with other engines.
        prices: prices by the engines' names, that come before the built-in ones.

    Raises:
        ConfigurationError: None is given, or one of them is no recording.
    """
    if not isinstance(recordings, Mapping) or not recordings:
        raise ConfigurationError(
            f"recordings is {recordings!r}; give some by their names: "
            'rt.compare_stages({"rules": rec, "smollm2": other}).'
        )
    refuse_unrecorded(*recordings.values())
    tables = {name: stages(rec, prices) for name, rec in recordings.items()}
    rows = [
        {"pipeline": str(name), "stage": stage, **_figures(table, stage)}
        for name, table in tables.items()
        for stage in COMPARED_STAGES
    ]
    found = frame("stage_comparison", rows)
    found.attrs["notes"] = list(_notes(recordings, tables))
    return found


def _figures(table: pd.DataFrame, stage: str) -> dict[str, Any]:
    values = table[stage].astype("Float64").dropna().to_numpy(float)
    lost = table[table[stage].isna()]
    reasons = list(dict.fromkeys(_reason(row, stage) for row in lost.to_dict("records")))
    note = "; ".join(reasons) if len(table) else "no turn was answered"
    if not len(values):
        return {"n": 0, "note": note or "unknown"}
    found = {
        "n": len(values),
        "p50": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
        "note": f"unknown in {len(lost)} of {len(table)} turns: {note}" if len(lost) else None,
    }
    return found | ({"total": float(values.sum())} if stage in _SUMMED and not len(lost) else {})


def _reason(row: Mapping[Any, Any], stage: str) -> str:
    for notes in (row["stages_note"], row["cost_note"]):
        for one in notes.split("; ") if isinstance(notes, str) else ():
            names, _, reason = one.partition(": ")
            if stage in names.split(", "):
                return str(reason)
    return "unknown"


def _notes(recordings: Mapping[str, Recorded], tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    counts = {name: len(table) for name, table in tables.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield f"the answered turns are not as many in all: {told}."
    local = [str(name) for name, rec in recordings.items() if rec.simulated]
    if local:
        yield f"the stages of {' and '.join(local)} are those of engines on this machine."
