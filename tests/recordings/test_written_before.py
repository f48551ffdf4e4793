"""A recording that an earlier version wrote opens, and says what it said then.

``tests/data/written_before`` is a session with the local server: a typed turn that books an
appointment, a spoken answer that is interrupted, a mark, new settings. The files beside it hold
what the version that recorded it made of it: ``written_before.json`` its tables, figures and
sentences, ``written_before.html`` its report, but for the sound.

What was made right since then: the report names its latencies (2026-11-29: "median of 2 turns
without calls", "slowest answer of all"); calls tell what they waited for others (``others_ms``,
``tool_others_ms``: 0 for its only call); barge-ins that were heard late are counted
(``late_barge_ins``: 0). Tables have the types of their definitions with rows and without: counts
``Int64`` and texts ``string``, where they were ``float64``, ``str`` or ``object`` and what is
missing was NaN or None; new are ``audio_note``, ``speech_note`` (turns), ``note`` (usage) and
``resume_note`` (calls), and the report's tables begin with what is read first. No value changed.

Latency counts from where the voice ends in the audio (2026-11-29): of "seven of clubs" that is 123
ms before what the server took for its end, of the other 55 ms. ``offset_ms``, ``latency_ms``, its
first parts and what is made of them follow, ``server_offset_ms`` is new; the user's talk is shorter
by the same, and so the level of the voice is a little higher.

The interrupted answer, "I heard you. You said: Seven of clubs." cut after 1.3 s, was heard up to
"said:" (2026-11-29: a recogniser hears it there, and the word ends at 1.22 s, before the voice
pauses), not only to "You"; ``heard_source`` says how that is known, and ``speech_rate_wpm`` counts
those words: 238 a minute in the median, as the answers that were heard whole.

Figures of the connection came after ``reconnects`` (2026-11-29): ``connections_lost``,
``reconnect_gap_ms``, ``gap_audio_ms``, ``gap_speech_ms``; it was never lost.

The report's pictures of the session (2026-11-29) have turn numbers, latencies and colours that hold
on any page, and are as high as what is written around them asks for; nothing else of the page
changed.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import realtime_nb as rt
from tests.paths import DATA

matplotlib.use("Agg")

FOLDER = DATA / "written_before"
THEN: dict[str, Any] = json.loads(FOLDER.with_suffix(".json").read_text("utf-8"))


@pytest.fixture(scope="module")
def rec() -> rt.Recording:
    return rt.load(FOLDER)


@pytest.mark.parametrize("name", THEN["tables"])
def test_tables(rec: rt.Recording, name: str) -> None:
    assert columns(getattr(rec, name)) == THEN["tables"][name]


@pytest.mark.parametrize("name", THEN["figures"])
def test_figures(rec: rt.Recording, name: str) -> None:
    assert columns(getattr(rec, name)()) == THEN["figures"][name]


@pytest.mark.parametrize("name", THEN["words"])
def test_words(rec: rt.Recording, name: str) -> None:
    assert words(rec)[name] == THEN["words"][name]


def test_report(rec: rt.Recording, tmp_path: Path) -> None:
    page = rec.report(tmp_path / "report.html").read_text("utf-8")

    assert without_sound(page) == FOLDER.with_suffix(".html").read_text("utf-8")


def words(rec: rt.Recording) -> dict[str, Any]:
    return {
        "findings": str(rec.findings()),
        "cost": str(rec.cost(model="gpt-realtime-2")),
        "transcript": rec.transcript(),
        "conversation": plain(rec.conversation.transcript()),
        "problems": rec.problems,
    }


def columns(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "index": plain(list(table.index)),
        **{str(name): [str(kept.dtype), *plain(list(kept))] for name, kept in table.items()},
    }


def plain(value: Any) -> Any:
    """A value as JSON holds it; numbers to nine digits."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float | np.number):
        number = float(value)
        return float(f"{number:.9g}") if math.isfinite(number) else str(number)
    return str(value)


def without_sound(page: str) -> str:
    """The page without what encoders make of the sound."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,…", page)
