"""What each metric is."""

from __future__ import annotations

from itertools import groupby

import pytest

from realtime_nb.analysis.metrics.definitions import DEFINITIONS, ERROR_PREFIX, ERRORS


@pytest.mark.parametrize("metric", DEFINITIONS.values(), ids=list(DEFINITIONS))
def test_each_is_told(metric: object) -> None:
    assert all(getattr(metric, name) for name in ("group", "meaning", "source", "missing", "unit"))


def test_units_are_those_of_the_names() -> None:
    units = {name: metric.unit for name, metric in DEFINITIONS.items()}

    assert units["latency_ms"] == "ms" and units["overlap_s"] == "s"
    assert units["errors"] == units["underruns"] == "count"
    assert units["talk_ratio"] == units["cached_share"] == "share"
    assert units["minute_usd"] == "usd" and units["snr_db"] == "dB"
    assert units["speech_rate_wpm"] == "words/min" and units["context_tokens"] == "tokens"


def test_errors_are_a_group_of_their_own() -> None:
    assert DEFINITIONS["errors"].group == ERRORS
    assert not any(name.startswith(ERROR_PREFIX) for name in DEFINITIONS)
    assert len(list(groupby(DEFINITIONS.values(), lambda metric: metric.group))) <= 12
