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
        ("gpt-4o-mini-realtime-preview-2024-12-17", "gpt-4o-mini-realtime-preview"),
        ("gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-mini-transcribe"),
    ],
)
def test_snapshots_that_are_known_have_their_models_price(model: str, listed_as: str) -> None:
    assert find_price(model) is PRICES[listed_as]


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "whisper-2",
        "gpt-4o-transcribe-2025-01-01",
        "gpt-4o-realtime-preview-2025-12-17",
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


@pytest.mark.parametrize("model", PRICES)
def test_each_price_says_who_states_it_and_when(model: str) -> None:
    assert PRICES[model].source
    assert "20" in PRICES[model].as_of


@pytest.mark.parametrize(
    ("model", "usd_per_minute"),
    [
        ("whisper-1", 0.006),
        ("gpt-transcribe", 0.0045),
        ("gpt-live-transcribe", 0.017),
        ("gpt-realtime-whisper", 0.017),
    ],
)
def test_what_is_billed_by_the_minute(model: str, usd_per_minute: float) -> None:
    price = PRICES[model]

    assert isinstance(price, DurationPrice)
    assert price.usd_per_minute == usd_per_minute


@pytest.mark.parametrize(
    ("model", "audio"),
    [
        ("gpt-4o-realtime-preview-2024-10-01", (100.0, 20.0, 200.0)),
        ("gpt-4o-realtime-preview-2024-12-17", (40.0, 2.5, 80.0)),
        ("gpt-4o-realtime-preview-2025-06-03", (40.0, 2.5, 80.0)),
        ("gpt-4o-realtime-preview", (40.0, 2.5, 80.0)),
    ],
)
def test_audio_of_the_previews_became_cheaper_and_their_text_did_not(
    model: str, audio: tuple[float, float, float]
) -> None:
    price = PRICES[model]

    assert isinstance(price, Price)
    assert (price.audio_in, price.audio_cached, price.audio_out) == audio
    assert (price.text_in, price.text_cached, price.text_out) == (5.0, 2.5, 20.0)


def test_a_model_of_text_is_known_by_its_price() -> None:
    assert Price(text_in=1.0, text_out=1.0).text_only
    assert not PRICES["gpt-realtime"].text_only  # type: ignore[union-attr]


def test_cached_audio_is_far_cheaper_than_fresh() -> None:
    full = PRICES["gpt-realtime-2"]
    assert isinstance(full, Price)
    assert (full.audio_in, full.audio_cached) == (32.0, 0.4)
    assert full.text_out == 24.0
    assert math.isnan(Price().audio_in)
