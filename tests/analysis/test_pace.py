from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd

import realtime_nb as rt
from realtime_nb.analysis.metrics.definitions import DEFINITIONS
from realtime_nb.analysis.pace import ENGINE_METRICS, at_pace, pace_note, row_at_pace
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.testing import MemoryServer, tone
from tests.virtual import virtual

NOTE = "the session ran at 4 times the speed of life, and its engines did not"


def test_life_needs_no_note() -> None:
    for header in ({}, {"speed": 1}, {"speed": 1.0}, {"speed": "fast"}, {"speed": None}):
        assert pace_note(header) is None


def test_what_was_computed_is_unknown_and_speech_is_not() -> None:
    turns = pd.DataFrame(
        {"latency_ms": [900.0, None], "endpoint_wait_ms": [260.0, 250.0], "offset_s": [2.8, 9.0]}
        | {"playout_ms": [4.0, 5.0], "latency_note": [None, "typed"]}
    )
    found = at_pace(turns, {"speed": 4})
    assert found[["latency_ms", "playout_ms"]].isna().all(axis=None)
    assert found.endpoint_wait_ms.tolist() == [260, 250]
    assert found.latency_note.tolist() == [NOTE, "typed"]


def test_a_single_row_says_what_the_table_says() -> None:
    row = {"latency_ms": 900.0, "endpoint_wait_ms": 260.0, "latency_note": None}
    assert row_at_pace(row, {"speed": 1}) == row
    found = row_at_pace(row, {"speed": 4})
    assert math.isnan(found["latency_ms"])
    assert (found["endpoint_wait_ms"], found["latency_note"]) == (260.0, NOTE)
    typed = {"latency_ms": math.nan, "latency_note": "typed"}
    assert row_at_pace(typed, {"speed": 4})["latency_note"] == "typed"


@rt.tool
def weather() -> str:
    """The weather."""
    return "sunny"


@virtual
async def test_a_recording_of_a_fast_session(tmp_path: Path) -> None:
    replies: list[str | list[Call]] = [[Call("weather", "{}")], "It is sunny."]
    async with (
        MemoryServer(ScriptedLLM(replies)) as server,
        rt.connect(transport=server.transport, record=tmp_path, tools=[weather]) as session,
    ):
        await session.speak(tone(1_000))
        assert await session.settled()
    assert session.recording is not None
    rec = rt.load(session.recording)
    rec.label(1.0, "speech end")  # of a tone, in which no detector hears a voice
    known = rec.metrics().value.notna()
    assert rec.latency.latency_ms.notna().all()
    assert rec.calls.run_ms.notna().all()

    header = session.recording / "session.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "speed": 4.0}))
    fast = rt.load(session.recording)

    assert fast.latency.latency_note.tolist() == [NOTE]
    assert fast.turns.latency_ms.isna().all()
    assert fast.latency.endpoint_wait_ms.tolist() == rec.latency.endpoint_wait_ms.tolist()
    assert fast.calls[["run_ms", "queue_ms", "resume_ms"]].isna().all(axis=None)
    assert fast.calls.run_note.tolist() == [NOTE]
    measured = fast.metrics()
    names = [name for name in ENGINE_METRICS if known.get(name)]
    assert len(names) > 8
    assert set(measured.reason[names]) == {NOTE}
    assert measured.value[names].isna().all()
    others = [name for name in DEFINITIONS if name not in ENGINE_METRICS]
    assert measured.value[others].notna().tolist() == known[others].tolist()
