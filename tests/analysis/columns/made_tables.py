"""Every table of recordings of several kinds, by the name of its definition."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import realtime_nb as rt
from realtime_nb.analysis.agreement import agreement
from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.comparison import compare
from realtime_nb.analysis.cost.comparison import compare_costs
from realtime_nb.analysis.exports import TABLES
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.stage_comparison import compare_stages
from realtime_nb.analysis.vad_lab.scores import ScoredTurn, score, scores_frame
from realtime_nb.analysis.word_errors import WordErrors
from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.quality import Quality
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import closed_with
from realtime_nb.testing import FakeSTT, MemoryServer, run_on_virtual_clock
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns
from tests.spoken_recording import begun, spoken


def tables_of(rec: Recorded) -> dict[str, pd.DataFrame]:
    found = {name: table(rec) for name, table in TABLES.items()}
    cost, both = rec.cost(), compare(rec, rec)
    found |= {"costs": cost.table, "cost_turns": cost.by_turn}
    found |= {"comparison": both.table, "comparison_turns": both.turns}
    found |= {"cost_variants": compare_costs(2.0, models=["unheard-of"])}
    spans = [(0.0, 500.0)] if len(rec.input) else []
    found["agreement"] = agreement(spans, [*spans, (900.0, math.nan)][: 2 * len(spans)]).table
    found |= {"stage_comparison": compare_stages({"one": rec})}
    texts = [("ten of clubs", "10 of clubs"), ("", "so")][: 2 * len(spans)]
    found |= {"word_errors": _quality(texts).table}
    found |= {"sweep": rt.sweep(DATA / "cards_001.wav", threshold=[0.5, 1.0]).table}
    lab = [ScoredTurn(100, 900, 1_124)] if len(rec.input) else []
    judged = [score("x", "", lab, [], true_ms) for true_ms in (None, [(100, 900)])]
    found["lab_scores"] = scores_frame(judged[: 2 * len(lab)])
    return {**found, "sessions": run_on_virtual_clock(_sessions())}


def _quality(texts: list[tuple[str, str]]) -> Quality:
    """What an engine hears that hears what it is told to."""
    heard = FakeSTT(*(heard for _, heard in texts))
    silence = np.zeros(2400, np.float32)
    if not texts:
        return Quality("none", WordErrors(0, 0, 0, 0), frame("word_errors", []))
    return rt.transcription_quality(heard, [(silence, words) for words, _ in texts])


async def _sessions() -> pd.DataFrame:
    """One that is open, one that could not be opened."""
    async with (
        MemoryServer() as server,
        rt.SessionManager("ws://127.0.0.1:9") as manager,
    ):
        await manager.create("open", transport=server.transport)
        with contextlib.suppress(rt.ConnectionFailedError):
            await manager.create("failed", transport=_Closed())
        return manager.table()


class _Closed:
    """A transport that is over already."""

    async def send(self, event: JsonObject) -> None:
        raise closed_with(1011, "")

    async def receive(self) -> JsonObject:
        raise closed_with(1011, "")

    async def close(self) -> None:
        pass


def recordings(folder: Path) -> Iterator[Recorded]:
    """A recorded session of all sorts of turns; one of an earlier version; a log without playback,
    one without times, half of a session; an audio file; a connection
    that is lost twice; nothing at all."""
    recorder = Recorder(folder / "recordings", {"dialect": "ga"})
    live = LiveSession(recorder)
    three_turns(live)
    recorder.label(13.0, "not finished")
    recorder.close(duration_s=16.2)
    yield rt.load(recorder.path)
    yield rt.load(DATA / "written_before")
    lines = _lines(recorder.path)
    yield rt.load(_log(folder / "no_playback.jsonl", lines))
    yield rt.load(_log(folder / "half.jsonl", lines[: len(lines) // 2]))
    untimed = [{name: value for name, value in line.items() if name != "t_s"} for line in lines]
    yield rt.load(_log(folder / "untimed.jsonl", untimed))
    yield rt.load(DATA / "cards_001.wav")
    yield _odd()
    yield _dropped()
    yield MadeRecording()


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (path / "events.jsonl").read_text("utf-8").splitlines())
    return [{"t_s": line["t"], **line["event"]} for line in lines]


def _log(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _odd() -> MadeRecording:
    """What servers send that is neither number nor text; and a response that never ends."""
    rec = begun()
    spoken(rec, "user_1", 1_000, 2_000, stopped_s=3.5)
    rec.user(3.5, "user_1", "half \ud800 a sign")
    rec.answer(3.6, "resp_1", 1_000, "One two.", usage={"input_tokens": "many", "output_tokens": 3})
    rec.got(8.0, "response.created", response={"id": "resp_2", "status": "in_progress"})
    return rec


def _dropped() -> MadeRecording:
    """A connection that is lost and regained, and lost for good, without audio."""
    rec = begun()
    spoken(rec, "user_1", 1_000, 2_000, stopped_s=3.5)
    for report in (
        ConnectionReport("lost", 4.0, 1006, unsent_ms=100.0),
        ConnectionReport("retrying", 4.0, attempt=1, wait_s=1.0),
        ConnectionReport("resumed", 5.0),
        ConnectionReport("reconnected", 5.1),
        ConnectionReport("lost", 6.0, unsent_ms=50.0),
        ConnectionReport("given_up", 7.0, reason="nobody there"),
    ):
        rec.conversation.apply_connection(report)
    return rec
