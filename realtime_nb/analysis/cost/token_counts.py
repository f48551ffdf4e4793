"""Token counts as servers report them, split by what they cost.

Cached tokens are a part of the input tokens. Those of which a server does not tell the modality are
taken to be text first, then audio, then image.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_nb.analysis.cost.prices import TOKENS_PRICED, Price
from realtime_nb.protocol.events import JsonObject

__all__ = ["MODALITIES", "Tokens", "price_tokens", "tokens_of"]

MODALITIES = ("text", "audio", "image")
"""Of input tokens; output has no image."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one response or transcription; ``cached`` is not part of ``fresh``."""

    fresh_text: int = 0
    fresh_audio: int = 0
    fresh_image: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    output_text: int = 0
    output_audio: int = 0


def tokens_of(usage: JsonObject | None) -> Tokens | str:
    """Returns the counts of a ``usage`` object, or why they can't be told.

    Never more tokens of a modality are taken to be cached than there are of it.
    """
    if usage is None:
        return "the server reported no usage"
    inputs, outputs = _details(usage, "input"), _details(usage, "output")
    total_in = [_count(inputs, name) for name in MODALITIES]
    total_out = [_count(outputs, name) for name in ("text", "audio")]
    for side, parts in (("input", total_in), ("output", total_out)):
        stated = usage.get(f"{side}_tokens")
        if isinstance(stated, int) and stated != sum(parts):
            if side == "output" and not outputs and "output_token_details" not in usage:
                total_out = [stated, 0]  # transcriptions are text, and say no more
                continue
            return f"the {side}'s {stated} tokens are not split into text and audio"
    if "input_tokens" not in usage and not inputs:
        return "the server reported no token counts"
    cached = _cached(inputs, total_in)
    fresh = [total - part for total, part in zip(total_in, cached, strict=True)]
    return Tokens(*fresh, *cached, *total_out)


def _cached(inputs: JsonObject, totals: list[int]) -> list[int]:
    split = inputs.get("cached_tokens_details")
    told = split if isinstance(split, dict) else {}
    parts = [_count(told, name) for name in MODALITIES]
    found = [min(part, total) for part, total in zip(parts, totals, strict=True)]
    left = _whole(inputs.get("cached_tokens")) - sum(parts)
    for index, total in enumerate(totals):
        more = max(0, min(left, total - found[index]))
        found[index] += more
        left -= more
    return found


def _details(usage: JsonObject, side: str) -> JsonObject:
    value = usage.get(f"{side}_token_details")
    return value if isinstance(value, dict) else {}


def _count(counts: JsonObject, modality: str) -> int:
    return _whole(counts.get(f"{modality}_tokens"))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def price_tokens(tokens: Tokens, price: Price) -> float:
    """Returns USD; NaN when there are tokens of a kind for which the table has no price."""
    parts = (
        (tokens.fresh_text, price.text_in),
        (tokens.fresh_audio, price.audio_in),
        (tokens.fresh_image, price.image_in),
        (tokens.cached_text, price.text_cached),
        (tokens.cached_audio, price.audio_cached),
        (tokens.cached_image, price.image_cached),
        (tokens.output_text, price.text_out),
        (tokens.output_audio, price.audio_out),
    )
    return sum(count * usd for count, usd in parts if count) / TOKENS_PRICED
