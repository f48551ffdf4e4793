from __future__ import annotations

import math
from typing import Any

import pytest

import realtime_nb as rt
from tests.analysis.stage_talk import MOMENTS, talked
from tests.made_recording import MadeRecording


def figure(table: Any, pipeline: str, stage: str) -> Any:
    (row,) = table[(table.pipeline == pipeline) & (table.stage == stage)].to_dict("records")
    return row


def test_pipelines_stand_beside_each_other() -> None:
    slow = {**MOMENTS, "first_token_ms": 90_250.0, "sentence_ms": 90_310.0, "sent_ms": 90_390.0}
    table = rt.compare_stages(
        {"fast": talked(MOMENTS), "slow": talked(slow), "hosted": talked()},
        prices={"ears": rt.DurationPrice(0.006)},
    )

    assert list(dict.fromkeys(table.pipeline)) == ["fast", "slow", "hosted"]
    assert figure(table, "fast", "llm_first_token_ms")["p50"] == pytest.approx(140)
    assert figure(table, "slow", "llm_first_token_ms")["p95"] == pytest.approx(190)
    assert math.isnan(figure(table, "fast", "llm_first_token_ms")["total"])
    assert figure(table, "fast", "stt_usd")["total"] == pytest.approx(3 / 60 * 0.006)
    assert figure(table, "fast", "output_tokens")["total"] == 30
    hosted = figure(table, "hosted", "stt_ms")
    assert hosted["n"] == 0
    assert math.isnan(hosted["p50"])
    assert hosted["note"] == "the server tells no stages"
    assert figure(table, "hosted", "latency_ms")["p50"] == pytest.approx(700)


def test_what_differs_beside_the_engines_is_said() -> None:
    local = talked(MOMENTS)
    local.simulated = True
    silent = rt.compare_stages({"one": local, "none": MadeRecording()})

    assert silent.attrs["notes"] == [
        "the answered turns are not as many in all: one 1, none 0.",
        "the stages of one are those of engines on this machine.",
    ]
    assert figure(silent, "none", "latency_ms")["note"] == "no turn was answered"


@pytest.mark.parametrize("given", [{}, None, [1], {"one": "a path"}])
def test_what_is_no_recording_is_refused(given: Any) -> None:
    with pytest.raises(rt.ConfigurationError):
        rt.compare_stages(given)
