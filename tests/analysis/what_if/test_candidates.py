from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.analysis.what_if.candidates import (
    USUAL_SILENCES_MS,
    USUAL_THRESHOLDS,
    Candidate,
    candidates,
    told_settings,
)
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import TurnSettings


def of(found: list[Candidate]) -> list[tuple[float, float, float]]:
    return [(one.threshold, one.silence_ms, one.padding_ms) for one in found if one.in_grid]


def test_every_combination_is_tried() -> None:
    found = candidates([0.3, 0.6], [200, 500, 800], [0, 300], "silero")

    assert len(of(found)) == 12
    assert set(of(found)) == {
        (threshold, silence, padding)
        for threshold in (0.3, 0.6)
        for silence in (200, 500, 800)
        for padding in (0, 300)
    }


@pytest.mark.parametrize("threshold", [0.4, [0.4], (0.4,), np.array([0.4]), np.array(0.4)])
def test_one_value_is_a_list_of_one(threshold: Any) -> None:
    assert of(candidates(threshold, 200, 0, "silero")) == [(0.4, 200, 0)]


def test_a_generator_and_a_range_are_lists() -> None:
    found = candidates((t / 10 for t in (4, 5)), range(100, 400, 100), None, "silero")

    assert len(of(found)) == 6


def test_what_is_left_out_is_in_use_or_the_default() -> None:
    in_use = rt.ServerVAD(threshold=0.7, silence_duration_ms=640, prefix_padding_ms=100)

    assert of(candidates(0.4, None, None, "silero", (), in_use)) == [(0.4, 640, 100)]
    assert of(candidates(0.4, None, None, "silero")) == [(0.4, 500, 300)]


def test_who_gives_nothing_gets_the_usual_grid() -> None:
    found = candidates(None, None, None, "silero")

    assert len(of(found)) == len(USUAL_THRESHOLDS) * len(USUAL_SILENCES_MS)


def test_those_in_use_and_the_defaults_are_marked_and_there() -> None:
    in_use = told_settings(rt.ServerVAD(threshold=0.7))

    found = candidates([0.5, 0.6], [200], None, "silero", (), in_use)

    marks = {(one.threshold, one.silence_ms): (one.marks, one.in_grid) for one in found}
    assert marks == {
        (0.5, 200): (("server default",), True),
        (0.6, 200): ((), True),
        (0.7, 500): (("in use",), False),
        (0.5, 500): (("default",), False),
    }


def test_settings_one_by_one() -> None:
    given = [rt.ServerVAD(threshold=0.45), rt.ServerVAD(silence_duration_ms=300)]

    assert of(candidates(None, None, None, "silero", given)) == [(0.45, 500, 300), (0.5, 300, 300)]
    assert of(candidates(0.2, 100, 0, "silero", given[0])) == [(0.2, 100, 0), (0.45, 500, 300)]


def test_each_is_tried_once() -> None:
    again = rt.ServerVAD(threshold=0.5, silence_duration_ms=200, prefix_padding_ms=0)

    assert of(candidates([0.5, 0.5], [200, 200.0], 0, "silero", [again])) == [(0.5, 200, 0)]


def test_engines_multiply_them() -> None:
    found = candidates([0.3, 0.5], 200, 0, ["silero", "energy"])

    assert [one.engine for one in found if one.in_grid] == ["silero"] * 2 + ["energy"] * 2
    assert {one.engine for one in found if one.marks} == {"silero"}


def test_the_state_machine_gets_the_same() -> None:
    (one, *_) = candidates(0.4, 320, 150, "silero")

    assert one.settings == TurnSettings(0.4, 150, 320)
    assert eval(one.code, {"rt": rt}) == one.detection


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        *(("threshold", value, "from 0 to 1") for value in (-0.1, 1.01, float("nan"), "0.5", True)),
        *(("threshold", value, "from 0 to 1") for value in ([], [0.5, 2], None.__class__, [None])),
        *(
            (name, value, "from 0 to 60,000")
            for name in ("silence_duration_ms", "prefix_padding_ms")
            for value in (-1, 60_001, 1e12, float("inf"), [200, -200], "200")
        ),
        ("silence_duration_ms", 200.5, "whole milliseconds"),
    ],
)
def test_a_bad_value_is_named_with_what_is_legal(name: str, value: Any, legal: str) -> None:
    axes: dict[str, Any] = dict.fromkeys(("threshold", "silence_duration_ms", "prefix_padding_ms"))
    with pytest.raises(ConfigurationError, match=rf"^{name} is .*{legal}"):
        candidates(**{**axes, name: value}, engine="silero")


@pytest.mark.parametrize("given", [5, "x", ["x"], {"threshold": 0.5}, [{"type": "server_vad"}]])
def test_settings_that_are_none(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^settings "):
        candidates(None, None, None, "silero", given)


def test_semantic_settings_are_tried_beside_the_others() -> None:
    found = candidates(
        0.4, None, None, "silero", [rt.SemanticVAD(), rt.SemanticVAD(eagerness="low")]
    )
    assert [one.eagerness for one in found if one.in_grid] == [None, "auto", "low"]
    low = found[2]
    assert low.code == "rt.SemanticVAD(eagerness='low')"
    assert math.isnan(low.threshold) and math.isnan(low.silence_ms)
    assert low.semantic is not None
    assert (low.semantic.turns.silence_duration_ms, low.semantic.complete_at) == (8_000, 0.7)


@pytest.mark.parametrize("engine", [[], [1], ["silero", None]])
def test_engines_that_are_none(engine: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^engine is "):
        candidates(None, None, None, engine)
