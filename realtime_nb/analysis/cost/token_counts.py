"""Token counts as servers report them, split by what they cost.

Cached tokens are a part of the input tokens. Where a server does not tell of which modality they
are, the price has bounds: they may be those that save most, or those that save least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from realtime_nb.analysis.cost.prices import TOKENS_PRICED, Price
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.reported_usage import cached_split, count_of, details_of

__all__ = ["MODALITIES", "Tokens", "least_price", "price_tokens", "tokens_of"]

MODALITIES = ("text", "audio", "image")
"""Of input tokens; output has no image."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one response or transcription; ``cached`` is not part of ``fresh``.

    Attributes:
        unsplit_cached: how many more came from the cache, of which it is not told what they are.
        open_text, open_audio, open_image: how many of the fresh ones may be among these.
    """

    fresh_text: int = 0
    fresh_audio: int = 0
    fresh_image: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    output_text: int = 0
    output_audio: int = 0
    unsplit_cached: int = 0
    open_text: int = 0
    open_audio: int = 0
    open_image: int = 0


class _UnreadableError(Exception):
    """Counts that can't be told; its words are why."""


def tokens_of(
    usage: JsonObject | None, *, text_only: bool = False, text_output: bool = False
) -> Tokens | str:
    """Returns the counts of a ``usage`` object, or why they can't be told.

    Args:
        usage: as the server sent it.
        text_only: Whether tokens that are not split can but be text: the model knows nothing else.
        text_output: The same, of the output.
    """
    if usage is None:
        return "the server reported no usage"
    try:
        inputs, outputs = details_of(usage, "input"), details_of(usage, "output")
        total_in = _side(usage, "input", inputs, MODALITIES, text_only)
        total_out = _side(usage, "output", outputs, ("text", "audio"), text_only or text_output)
        cached, unsplit, unsplit_of = _cached(inputs, total_in)
    except _UnreadableError as why:
        return str(why)
    fresh = [total - part for total, part in zip(total_in, cached, strict=True)]
    return Tokens(*(*fresh, *cached, *total_out, unsplit, *unsplit_of))


def _side(
    usage: JsonObject,
    side: Literal["input", "output"],
    details: JsonObject,
    names: Sequence[str],
    all_text: bool,
) -> list[int]:
    """Returns one side's tokens by modality."""
    parts = [_count(details, f"{name}_tokens") for name in names]
    stated = _count(usage, f"{side}_tokens")
    found = [part or 0 for part in parts]
    if stated is None and all(part is None for part in parts):
        raise _UnreadableError(f"the server reported no token counts of the {side}")
    if stated is None or stated == sum(found):
        return found
    if all_text and all(part is None for part in parts):
        return [stated, *found[1:]]
    if stated < sum(found):
        raise _UnreadableError(f"{side}_tokens is {stated}, but its parts make {sum(found)}")
    told = f": only {sum(found)} are" if any(found) else ""
    raise _UnreadableError(f"the {side}'s {stated} tokens are not split into text and audio{told}")


def _cached(inputs: JsonObject, totals: Sequence[int]) -> tuple[list[int], int, list[int]]:
    """Returns the cached tokens by modality, how many more there are, and among how many of each
    modality they may be."""
    split = cached_split(inputs)
    parts = [_count(split, f"{name}_tokens") for name in MODALITIES]
    found = [part or 0 for part in parts]
    stated = _count(inputs, "cached_tokens")
    whole = sum(found) if stated is None else stated
    if whole > sum(totals):
        raise _UnreadableError(
            f"{whole} tokens came from the cache, by its count, and only {sum(totals)} were read"
        )
    for name, part, total in zip(MODALITIES, found, totals, strict=True):
        if part > total:
            raise _UnreadableError(
                f"{part} {name} tokens came from the cache, by its count, and only {total} were "
                "read"
            )
    left = whole - sum(found)
    room = [total if part is None else 0 for part, total in zip(parts, totals, strict=True)]
    if not 0 <= left <= sum(room):
        raise _UnreadableError(f"cached_tokens is {whole}, but its parts make {sum(found)}")
    if left in (0, sum(room)) or sum(map(bool, room)) == 1:  # nothing is left open
        return [part + min(left, more) for part, more in zip(found, room, strict=True)], 0, [0] * 3
    return found, left, room


def _count(counts: JsonObject, name: str) -> int | None:
    """Returns a count; None where it is not told."""
    value = counts.get(name)
    count = count_of(value)
    if value is not None and count is None:
        raise _UnreadableError(f"{name} is {str(value)[:40]!r}, which is no number of tokens")
    return count


def price_tokens(tokens: Tokens, price: Price) -> float:
    """Returns USD, at most; NaN when there are tokens of a kind for which the table has no price.

    Cached tokens of unknown modality are taken to be those that save least.
    """
    return _usd(tokens, price) - _saved(tokens, price, least=True)


def least_price(tokens: Tokens, price: Price) -> float:
    """Returns USD, at least: cached tokens of unknown modality are those that save most."""
    return _usd(tokens, price) - _saved(tokens, price, least=False)


def _usd(tokens: Tokens, price: Price) -> float:
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


def _saved(tokens: Tokens, price: Price, *, least: bool) -> float:
    """Returns what the cached tokens of unknown modality cost less than fresh ones, in USD."""
    by_saving = sorted(
        (
            (
                getattr(price, f"{name}_in") - getattr(price, f"{name}_cached"),
                getattr(tokens, f"open_{name}"),
            )
            for name in MODALITIES
            if getattr(tokens, f"open_{name}")
        ),
        reverse=not least,
    )
    saved, left = 0.0, tokens.unsplit_cached
    for saving, room in by_saving:
        count = min(left, room)
        saved += count * saving
        left -= count
    unknown = any(math.isnan(saving) for saving, _ in by_saving)
    return math.nan if unknown else saved / TOKENS_PRICED
