from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.cost.prices import PRICES, Price
from realtime_nb.analysis.cost.token_counts import (
    Tokens,
    least_price,
    price_tokens,
    tokens_of,
)

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


def with_split(raw: dict[str, Any], split: dict[str, Any]) -> dict[str, Any]:
    details = {**raw["input_token_details"], "cached_tokens_details": split}
    return {**raw, "input_token_details": details}


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
    "not told which was cached, and all of it was": (
        usage(59, 73, cached=132),
        Tokens(0, 0, 0, 59, 73, 0),
        59 * 0.4 + 73 * 0.4,
    ),
    "not told which was cached, of text only": (
        usage(100, 0, cached=64),
        Tokens(36, 0, 0, 64, 0, 0),
        36 * 4 + 64 * 0.4,
    ),
    "told of one modality, and the other is clear": (
        with_split(usage(59, 73, cached=64), {"text_tokens": 40}),
        Tokens(19, 49, 0, 40, 24, 0),
        19 * 4 + 49 * 32 + 64 * 0.4,
    ),
    "told of one modality, and there is no more": (
        with_split(usage(59, 73, 9, cached=40), {"text_tokens": 40, "audio_tokens": None}),
        Tokens(19, 73, 9, 40, 0, 0),
        19 * 4 + 73 * 32 + 9 * 5 + 40 * 0.4,
    ),
    "only the split, no sum": (
        usage(59, 73, split=(0, 64, 0)),
        Tokens(59, 9, 0, 0, 64, 0),
        59 * 4 + 9 * 32 + 64 * 0.4,
    ),
    "no totals": (
        {
            "input_token_details": {"text_tokens": 59, "audio_tokens": 73},
            "output_token_details": {"text_tokens": 41, "audio_tokens": 147},
        },
        Tokens(59, 73, output_text=41, output_audio=147),
        59 * 4 + 73 * 32 + 41 * 16 + 147 * 64,
    ),
    "nothing, and no details": (
        {"input_tokens": 0, "output_tokens": 0, "input_token_details": None},
        Tokens(),
        0.0,
    ),
    "written as floats": (
        {
            "input_tokens": 132.0,
            "output_tokens": 121.0,
            "input_token_details": {
                "text_tokens": 119.0,
                "audio_tokens": 13.0,
                "cached_tokens": 64.0,
                "cached_tokens_details": {"text_tokens": 64.0, "audio_tokens": 0.0},
            },
            "output_token_details": {"text_tokens": 30.0, "audio_tokens": 91.0},
        },
        Tokens(55, 13, 0, 64, 0, 0, 30, 91),
        55 * 4 + 13 * 32 + 64 * 0.4 + 30 * 16 + 91 * 64,
    ),
    "written as text": (
        {
            "input_tokens": "1,203",
            "output_tokens": "121",
            "input_tokens_details": {"text_tokens": "1,190", "audio_tokens": "13"},
            "output_tokens_details": {"text_tokens": "30", "audio_tokens": "91"},
        },
        Tokens(1_190, 13, output_text=30, output_audio=91),
        1_190 * 4 + 13 * 32 + 30 * 16 + 91 * 64,
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
        ({}, "no token counts of the input"),
        ({"type": "duration", "seconds": 2}, "no token counts of the input"),
        ({"input_tokens": 9, "output_tokens": 1}, "input's 9 tokens are not split"),
        (
            {"input_tokens": 9, "input_token_details": {"text_tokens": 8}},
            "input's 9 tokens are not split into text and audio: only 8 are",
        ),
        ({**usage(9), "input_tokens": 8}, "input_tokens is 8, but its parts make 9"),
        ({**usage(9), "input_token_details": None}, "input's 9 tokens are not split"),
        (
            {
                **usage(9),
                "output_tokens": 5,
                "output_token_details": {"text_tokens": 4},
            },
            "output's 5 tokens are not split",
        ),
        ({"input_tokens": 0, "input_token_details": {}}, "no token counts of the output"),
        (
            {**usage(9), "output_tokens": None, "output_token_details": {}},
            "no token counts of the output",
        ),
        ({**usage(9), "output_tokens": -1}, "output_tokens is '-1', which is no number of tokens"),
        ({**usage(9), "input_tokens": True}, "input_tokens is 'True'"),
        ({**usage(9), "input_tokens": math.nan}, "input_tokens is 'nan'"),
        ({**usage(9), "input_tokens": 9.5}, "input_tokens is '9.5'"),
        ({**usage(9), "input_tokens": "many"}, "input_tokens is 'many'"),
        (usage(10, 20, cached=999), "999 tokens came from the cache, by its count, and only 30"),
        (usage(10, 20, split=(25, 0, 0)), "25 text tokens came from the cache, by its count, and"),
        (usage(59, 73, cached=64, split=(0, 24, 0)), "cached_tokens is 64, but its parts make 24"),
        (usage(59, 73, cached=20, split=(0, 24, 0)), "cached_tokens is 20, but its parts make 24"),
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

    assert tokens_of(raw, text_output=True) == Tokens(fresh_audio=31, output_text=9)
    assert tokens_of(raw) == "the output's 9 tokens are not split into text and audio"


def test_all_tokens_of_a_model_of_text_are_text() -> None:
    raw = {"input_tokens": 31, "output_tokens": 9, "input_token_details": {"cached_tokens": 20}}

    assert tokens_of(raw, text_only=True) == Tokens(11, cached_text=20, output_text=9)


def test_tokens_without_a_price_are_not_free() -> None:
    mini = PRICES["gpt-4o-mini-realtime-preview"]
    assert isinstance(mini, Price)

    assert math.isnan(price_tokens(Tokens(fresh_image=1), mini))
    assert price_tokens(Tokens(fresh_text=1_000_000), mini) == pytest.approx(0.6)
    unsplit = Tokens(fresh_text=9, fresh_image=9, unsplit_cached=9, open_text=9, open_image=9)
    assert math.isnan(least_price(unsplit, Price(text_in=1, text_cached=1, image_in=1)))


def test_cached_tokens_of_unknown_modality_have_bounds() -> None:
    """640 of 300 of text and 700 of audio: 640 of audio, or all text and 340 of audio."""
    tokens = tokens_of(usage(300, 700, cached=640, out=(10, 50)))

    assert isinstance(tokens, Tokens)
    assert tokens == Tokens(300, 700, 0, 0, 0, 0, 10, 50, 640, 300, 700, 0)
    assert isinstance(GPT_REALTIME, Price)
    output = 10 * 16 + 50 * 64
    least = 300 * 4 + 60 * 32 + 640 * 0.4 + output
    most = 300 * 0.4 + 360 * 32 + 340 * 0.4 + output
    assert least_price(tokens, GPT_REALTIME) == pytest.approx(least / 1e6)
    assert price_tokens(tokens, GPT_REALTIME) == pytest.approx(most / 1e6)
    assert least == pytest.approx(6_736)
    assert most == pytest.approx(15_136)


@given(
    st.tuples(*[st.integers(0, 30)] * 3),
    st.tuples(*[st.integers(0, 30)] * 3),
    st.tuples(*[st.booleans()] * 3),
)
def test_bounds_hold_whatever_was_cached(
    counts: tuple[int, int, int], asked: tuple[int, int, int], named: tuple[bool, bool, bool]
) -> None:
    """The truth is drawn first, and then how much of it a server tells."""
    cached = [min(part, total) for part, total in zip(asked, counts, strict=True)]
    names = ("text_tokens", "audio_tokens", "image_tokens")
    split = {
        name: part for name, part, is_named in zip(names, cached, named, strict=True) if is_named
    }
    tokens = tokens_of(with_split(usage(*counts, cached=sum(cached)), split))

    assert isinstance(tokens, Tokens)
    truth = sum(
        (total - part) * fresh_usd + part * cached_usd
        for total, part, fresh_usd, cached_usd in zip(
            counts, cached, (4, 32, 5), (0.4, 0.4, 0.5), strict=True
        )
    )
    assert isinstance(GPT_REALTIME, Price)
    least, most = least_price(tokens, GPT_REALTIME), price_tokens(tokens, GPT_REALTIME)
    assert least - 1e-12 <= truth / 1e6 <= most + 1e-12
    if all(named):
        assert least == most == pytest.approx(truth / 1e6)


@given(
    st.tuples(*[st.integers(0, 500)] * 3),
    st.integers(0, 2_000),
    st.none() | st.tuples(*[st.integers(0, 600)] * 3),
)
def test_cached_is_a_part_of_the_input(
    counts: tuple[int, int, int], cached: int, split: tuple[int, int, int] | None
) -> None:
    tokens = tokens_of(usage(*counts, cached=cached, split=split))

    parts = split or (0, 0, 0)
    possible = cached <= sum(counts) and all(
        part <= total for part, total in zip(parts, counts, strict=True)
    )
    if split is not None:
        possible = possible and sum(split) == cached
    assert isinstance(tokens, Tokens) is possible
    if isinstance(tokens, Tokens):
        fresh = (tokens.fresh_text, tokens.fresh_audio, tokens.fresh_image)
        from_cache = (tokens.cached_text, tokens.cached_audio, tokens.cached_image)
        assert tuple(map(sum, zip(fresh, from_cache, strict=True))) == counts
        assert min(*fresh, *from_cache) >= 0
        assert sum(from_cache) + tokens.unsplit_cached == cached
