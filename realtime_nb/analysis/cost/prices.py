"""What the hosted service charges: a dated table, to be overridden by whoever knows better.

A model that is not in the table has no price. Nothing here guesses one from a similar name: of the
dated snapshots only those in :data:`SNAPSHOTS` count as the model that they are a snapshot of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from realtime_nb.errors import at_call
from realtime_nb.errors.option_names import takes_names

__all__ = [
    "PRICES",
    "PRICES_DATE",
    "SNAPSHOTS",
    "TOKENS_PRICED",
    "DurationPrice",
    "Price",
    "PriceTable",
    "find_price",
]

PRICES_DATE = "late 2026"
"""As of when the table stands, but for models that say something else; its source gives no exact
day."""

_PAGE = "OpenAI's page of the model"


@at_call
@takes_names
@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; NaN where the source states none.

    Attributes:
        text_in, audio_in, image_in: Input that did not come from the cache.
        text_cached, audio_cached, image_cached: Input that did.
        text_out, audio_out: Output.
        source: Who states it.
        as_of: When.
    """

    text_in: float = math.nan
    text_cached: float = math.nan
    text_out: float = math.nan
    audio_in: float = math.nan
    audio_cached: float = math.nan
    audio_out: float = math.nan
    image_in: float = math.nan
    image_cached: float = math.nan
    source: str = ""
    as_of: str = ""

    @property
    def text_only(self) -> bool:
        """Whether it is a price of nothing but text."""
        others = (self.audio_in, self.audio_cached, self.audio_out, self.image_in)
        return all(map(math.isnan, others))


@at_call
@takes_names
@dataclass(frozen=True, slots=True)
class DurationPrice:
    """USD per minute of audio, for models that are not billed by tokens.

    Attributes:
        source: Who states it.
        as_of: When.
    """

    usd_per_minute: float
    source: str = ""
    as_of: str = ""


TOKENS_PRICED = 1_000_000
"""The prices by tokens are for so many."""

PriceTable = Mapping[str, Price | DurationPrice]


def _realtime_2() -> Price:
    return Price(4.00, 0.40, 24.00, 32.00, 0.40, 64.00, 5.00, 0.50, _PAGE, PRICES_DATE)


def _realtime_1() -> Price:
    return Price(4.00, 0.40, 16.00, 32.00, 0.40, 64.00, 5.00, 0.50, _PAGE, PRICES_DATE)


def _mini(source: str) -> Price:
    return Price(0.60, 0.06, 2.40, 10.00, 0.30, 20.00, 0.80, 0.08, source, PRICES_DATE)


def _preview(source: str, as_of: str) -> Price:
    return Price(5.00, 2.50, 20.00, 40.00, 2.50, 80.00, source=source, as_of=as_of)


def _transcribe(source: str = _PAGE, scale: float = 1.0) -> Price:
    """Returns what the page has late in 2026: one price of input. In 2025 it had another for audio,
    6.00 and 3.00, by which the estimates by the minute add up that are still quoted."""
    into, out = 2.50 * scale, 10.00 * scale
    return Price(text_in=into, text_out=out, audio_in=into, source=source, as_of=PRICES_DATE)


PRICES: PriceTable = MappingProxyType(
    {
        # Realtime models
        "gpt-realtime-2.1": _realtime_2(),
        "gpt-realtime-2": _realtime_2(),
        "gpt-realtime-1.5": _realtime_1(),
        "gpt-realtime": _realtime_1(),
        "gpt-realtime-2.1-mini": _mini(_PAGE),
        "gpt-realtime-mini": _mini(
            "text input: OpenAI's page of gpt-realtime-2.1-mini, which compares them; the rest: "
            "secondary sources"
        ),
        "gpt-realtime-translate": DurationPrice(0.034, _PAGE, PRICES_DATE),
        # Previews, which are shut down
        "gpt-4o-realtime-preview": _preview(_PAGE, "2024-12 until it was shut down"),
        "gpt-4o-realtime-preview-2025-06-03": _preview(
            "OpenAI's page of gpt-4o-realtime-preview", "2025-06 until it was shut down"
        ),
        "gpt-4o-realtime-preview-2024-12-17": _preview(
            "OpenAI's pricing page, quoted in its developer forum (topic 1060242)", "2024-12-18"
        ),
        "gpt-4o-realtime-preview-2024-10-01": Price(
            *(5.00, 2.50, 20.00, 100.00, 20.00, 200.00),
            source="OpenAI's developer forum (topics 998238 and 1060242)",
            as_of="2024-10 to 2024-12",
        ),
        "gpt-4o-mini-realtime-preview": Price(
            *(0.60, 0.30, 2.40, 10.00, 0.30, 20.00),
            source=_PAGE,
            as_of="2024-12 until it was shut down",
        ),
        # What hears the user beside them
        "gpt-realtime-whisper": DurationPrice(0.017, _PAGE, PRICES_DATE),
        "gpt-live-transcribe": DurationPrice(0.017, _PAGE, PRICES_DATE),
        "gpt-transcribe": DurationPrice(0.0045, _PAGE, PRICES_DATE),
        "whisper-1": DurationPrice(0.006, _PAGE, PRICES_DATE),
        "gpt-4o-transcribe": _transcribe(),
        "gpt-4o-transcribe-diarize": _transcribe("secondary sources"),
        "gpt-4o-mini-transcribe": _transcribe(scale=0.5),
    }
)
"""By model name; each says who states it and when."""

SNAPSHOTS: Mapping[str, str] = MappingProxyType(
    {
        "gpt-realtime-2025-08-28": "gpt-realtime",
        "gpt-realtime-mini-2025-10-06": "gpt-realtime-mini",
        "gpt-realtime-mini-2025-12-15": "gpt-realtime-mini",
        "gpt-4o-mini-realtime-preview-2024-12-17": "gpt-4o-mini-realtime-preview",
        "gpt-4o-mini-transcribe-2025-03-20": "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15": "gpt-4o-mini-transcribe",
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
