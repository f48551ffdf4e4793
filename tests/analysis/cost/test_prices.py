from __future__ import annotations

import math

import pytest

from realtime_nb.analysis.cost.prices import PRICES, SNAPSHOTS, DurationPrice, Price, find_price


@pytest.mark.parametrize(
    ("model", "listed_as"),
    [
        ("gpt-realtime", "gpt-realtime"),
        ("gpt-realtime-2025-08-28", "gpt-realtime"),
        ("gpt-realtime-mini-2025-10-06", "gpt-realtime-mini"),
        ("gpt-realtime-mini-2025-12-15", "gpt-realtime-mini"),
        ("gpt-realtime-2.1", "gpt-realtime-2.1"),
    ],
)
def test_snapshots_that_are_known_have_their_models_price(model: str, listed_as: str) -> None:
    assert find_price(model) is PRICES[listed_as]


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "whisper-1",
        "gpt-realtime-3",
        "gpt-realtime-2024-01-01",
        "gpt-realtime-mini-2025-08-28",
        "gpt-realtime-2025-08-28-custom",
        "GPT-REALTIME",
        "my-gpt-realtime",
        "gpt-realtime-whisper-2026-01-01",
    ],
)
def test_no_price_is_guessed(model: str | None) -> None:
    assert find_price(model) is None


def test_the_callers_prices_come_first() -> None:
    own = Price(text_in=1.0)

    assert find_price("mine", {"mine": own}) is own
    assert find_price("gpt-realtime", {"gpt-realtime": own}) is own
    assert find_price("gpt-realtime-2025-08-28", {"gpt-realtime": own}) is own
    assert find_price("gpt-realtime-2025-08-28", {"gpt-realtime-2025-08-28": own}) is own
    assert find_price("gpt-realtime", {"mine": own}) is PRICES["gpt-realtime"]


def test_table_is_whole_and_read_only() -> None:
    for name in SNAPSHOTS.values():
        assert name in PRICES
    with pytest.raises(TypeError):
        PRICES["x"] = DurationPrice(1.0)  # type: ignore[index]


def test_cached_audio_is_far_cheaper_than_fresh() -> None:
    full = PRICES["gpt-realtime-2"]
    assert isinstance(full, Price)
    assert (full.audio_in, full.audio_cached) == (32.0, 0.4)
    assert full.text_out == 24.0
    assert math.isnan(Price().audio_in)
