from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.cost.prices import PRICES, Price
from realtime_nb.analysis.cost.token_counts import Tokens, price_tokens, tokens_of

GPT_REALTIME = PRICES["gpt-realtime"]
assert isinstance(GPT_REALTIME, Price)


def usage(
    text: int = 0,
    audio: int = 0,
    image: int = 0,
    cached: int | None = None,
    split: tuple[int, int, int] | None = None,
    out: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    inputs: dict[str, Any] = {"text_tokens": text, "audio_tokens": audio, "image_tokens": image}
    if cached is not None:
        inputs["cached_tokens"] = cached
    if split is not None:
        names = ("text_tokens", "audio_tokens", "image_tokens")
        inputs["cached_tokens_details"] = dict(zip(names, split, strict=True))
        inputs.setdefault("cached_tokens", sum(split))
    return {
        "input_tokens": text + audio + image,
        "output_tokens": sum(out),
        "total_tokens": text + audio + image + sum(out),
        "input_token_details": inputs,
        "output_token_details": {"text_tokens": out[0], "audio_tokens": out[1]},
    }


CASES = {
    "a whole response, with cached audio": (
        usage(59, 73, split=(0, 64, 0), out=(41, 147)),
        Tokens(59, 9, 0, 0, 64, 0, 41, 147),
        10_613.6,
    ),
    "cached text and audio": (
        usage(100, 200, split=(64, 128, 0), out=(10, 20)),
        Tokens(36, 72, 0, 64, 128, 0, 10, 20),
        36 * 4 + 72 * 32 + 64 * 0.4 + 128 * 0.4 + 10 * 16 + 20 * 64,
    ),
    "first response with a warm cache": (
        usage(120, 0, split=(64, 0, 0), out=(7, 0)),
        Tokens(56, 0, 0, 64, 0, 0, 7, 0),
        56 * 4 + 64 * 0.4 + 7 * 16,
    ),
    "not told which was cached: text first": (
        usage(59, 73, cached=64),
        Tokens(0, 68, 0, 59, 5, 0),
        59 * 0.4 + 68 * 32 + 5 * 0.4,
    ),
    "not told which was cached: all of it text": (
        usage(100, 73, cached=64),
        Tokens(36, 73, 0, 64, 0, 0),
        36 * 4 + 64 * 0.4 + 73 * 32,
    ),
    "never more cached than there is": (
        usage(10, 20, cached=999),
        Tokens(0, 0, 0, 10, 20, 0),
        10 * 0.4 + 20 * 0.4,
    ),
    "never more cached than there is, split": (
        usage(10, 20, split=(50, 0, 0)),
        Tokens(0, 20, 0, 10, 0, 0),
        10 * 0.4 + 20 * 32,
    ),
    "not told which was cached, by an empty split: text first": (
        {
            **usage(59, 73),
            "input_token_details": {
                **usage(59, 73)["input_token_details"],
                "cached_tokens": 64,
                "cached_tokens_details": {},
            },
        },
        Tokens(0, 68, 0, 59, 5, 0),
        59 * 0.4 + 68 * 32 + 5 * 0.4,
    ),
    "told of a part which was cached: the rest text first": (
        usage(59, 73, cached=64, split=(0, 24, 0)),
        Tokens(19, 49, 0, 40, 24, 0),
        19 * 4 + 49 * 32 + 64 * 0.4,
    ),
    "an image, partly cached": (
        usage(10, 0, 100, split=(0, 0, 40)),
        Tokens(10, 0, 60, 0, 0, 40),
        10 * 4 + 60 * 5 + 40 * 0.5,
    ),
    "cancelled before any output": (usage(), Tokens(), 0.0),
}


@pytest.mark.parametrize("case", CASES)
def test_counts_and_price(case: str) -> None:
    raw, expected, millionths = CASES[case]

    tokens = tokens_of(raw)

    assert tokens == expected
    assert isinstance(tokens, Tokens)
    assert isinstance(GPT_REALTIME, Price)
    assert price_tokens(tokens, GPT_REALTIME) == pytest.approx(millionths / 1e6)


def test_worked_example_to_the_last_digit() -> None:
    tokens = tokens_of(usage(59, 73, split=(0, 64, 0), out=(41, 147)))

    assert isinstance(tokens, Tokens)
    assert isinstance(GPT_REALTIME, Price)
    assert f"{price_tokens(tokens, GPT_REALTIME):.7f}" == "0.0106136"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "reported no usage"),
        ({}, "no token counts"),
        ({"type": "duration", "seconds": 2}, "no token counts"),
        ({"input_tokens": 9, "output_tokens": 1}, "input's 9 tokens are not split"),
        (
            {"input_tokens": 9, "input_token_details": {"text_tokens": 8}},
            "input's 9 tokens are not split",
        ),
        (
            {
                **usage(9),
                "output_tokens": 5,
                "output_token_details": {"text_tokens": 4},
            },
            "output's 5 tokens are not split",
        ),
    ],
)
def test_what_cannot_be_told_is_said(raw: Any, reason: str) -> None:
    answer = tokens_of(raw)

    assert isinstance(answer, str)
    assert reason in answer


def test_output_of_a_transcription_is_text() -> None:
    raw = {
        "type": "tokens",
        "input_tokens": 31,
        "output_tokens": 9,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 31},
    }

    assert tokens_of(raw) == Tokens(fresh_audio=31, output_text=9)


def test_tokens_without_a_price_are_not_free() -> None:
    mini = PRICES["gpt-4o-mini-realtime-preview"]
    assert isinstance(mini, Price)

    assert math.isnan(price_tokens(Tokens(fresh_image=1), mini))
    assert price_tokens(Tokens(fresh_text=1_000_000), mini) == pytest.approx(0.6)


@given(
    st.tuples(*[st.integers(0, 500)] * 3),
    st.integers(0, 2_000),
    st.none() | st.tuples(*[st.integers(0, 600)] * 3),
)
def test_cached_is_a_part_of_the_input(
    counts: tuple[int, int, int], cached: int, split: tuple[int, int, int] | None
) -> None:
    tokens = tokens_of(usage(*counts, cached=cached, split=split))

    assert isinstance(tokens, Tokens)
    fresh = (tokens.fresh_text, tokens.fresh_audio, tokens.fresh_image)
    from_cache = (tokens.cached_text, tokens.cached_audio, tokens.cached_image)
    assert tuple(map(sum, zip(fresh, from_cache, strict=True))) == counts
    assert min(*fresh, *from_cache) >= 0
    if split is None:
        assert sum(from_cache) == min(cached, sum(counts))
