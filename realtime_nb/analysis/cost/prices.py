"""What the hosted service charges: a dated table, to be overridden by whoever knows better.

A model that is not in the table has no price. Nothing here guesses one from a similar name: of the
dated snapshots only those in :data:`SNAPSHOTS` count as the model that they are a snapshot of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "PRICES",
    "PRICES_DATE",
    "PRICES_SOURCE",
    "SNAPSHOTS",
    "TOKENS_PRICED",
    "DurationPrice",
    "Price",
    "PriceTable",
    "find_price",
]

PRICES_DATE = "late 2026"
"""As of when the table stands; its source gives no exact day."""

PRICES_SOURCE = (
    "OpenAI's model and pricing pages; for gpt-realtime-mini partly secondary sources, "
    "its text input confirmed by the comparison on the page of gpt-realtime-2.1-mini"
)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; NaN where the source states none.

    Attributes:
        text_in, audio_in, image_in: Input that did not come from the cache.
        text_cached, audio_cached, image_cached: Input that did.
        text_out, audio_out: Output.
    """

    text_in: float = math.nan
    text_cached: float = math.nan
    text_out: float = math.nan
    audio_in: float = math.nan
    audio_cached: float = math.nan
    audio_out: float = math.nan
    image_in: float = math.nan
    image_cached: float = math.nan


@dataclass(frozen=True, slots=True)
class DurationPrice:
    """USD per minute of audio, for models that are not billed by tokens."""

    usd_per_minute: float


TOKENS_PRICED = 1_000_000
"""The prices by tokens are for so many."""

PriceTable = Mapping[str, Price | DurationPrice]

_FULL_2 = Price(4.00, 0.40, 24.00, 32.00, 0.40, 64.00, 5.00, 0.50)
_FULL_1 = Price(4.00, 0.40, 16.00, 32.00, 0.40, 64.00, 5.00, 0.50)
_MINI = Price(0.60, 0.06, 2.40, 10.00, 0.30, 20.00, 0.80, 0.08)

PRICES: PriceTable = MappingProxyType(
    {
        "gpt-realtime-2.1": _FULL_2,
        "gpt-realtime-2": _FULL_2,
        "gpt-realtime-1.5": _FULL_1,
        "gpt-realtime": _FULL_1,
        "gpt-realtime-2.1-mini": _MINI,
        "gpt-realtime-mini": _MINI,
        "gpt-4o-mini-realtime-preview": Price(0.60, 0.30, 2.40, 10.00, 0.30, 20.00),
        "gpt-realtime-translate": DurationPrice(0.034),
        "gpt-realtime-whisper": DurationPrice(0.017),
        "gpt-live-transcribe": DurationPrice(0.017),
        "gpt-transcribe": DurationPrice(0.0045),
    }
)
"""By model name, as of :data:`PRICES_DATE`."""

SNAPSHOTS: Mapping[str, str] = MappingProxyType(
    {
        "gpt-realtime-2025-08-28": "gpt-realtime",
        "gpt-realtime-mini-2025-10-06": "gpt-realtime-mini",
        "gpt-realtime-mini-2025-12-15": "gpt-realtime-mini",
    }
)
"""The dated names of a model, each with the name under which its price is listed."""


def find_price(
    model: str | None, overrides: PriceTable | None = None
) -> Price | DurationPrice | None:
    """Returns a model's price, None when it is not known.

    The caller's prices come first, under the exact name and then under that of the model of which
    it is a snapshot; then those of :data:`PRICES` in the same way.
    """
    if model is None:
        return None
    for table in (overrides or {}, PRICES):
        for name in (model, SNAPSHOTS.get(model, model)):
            if name in table:
                return table[name]
    return None
