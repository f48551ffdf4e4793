from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.conversation import Item
from realtime_nb.protocol.usage import (
    InputTokens,
    audio_output_tokens,
    count_input,
    text_tokens,
    usage_object,
)


def test_audio_counts_by_time_and_text_by_length() -> None:
    assert [text_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert audio_output_tokens(1_000) == 20
    items = [
        Item("u", role="user", audio_ms=1_000.0, parts={0: "its transcript costs nothing here"}),
        Item("a", role="assistant", audio_ms=1_000.0, parts={0: "one two"}),
        Item("t", role="user", parts={0: "typed"}),
        Item("c", type="function_call", arguments='{"a":1}'),
        Item("o", type="function_call_output", output="four"),
    ]
    assert count_input(items, "be nice", []) == InputTokens(text=2 + 2 + 2 + 2 + 1, audio=10 + 20)


def test_a_truncated_answer_costs_what_was_heard() -> None:
    item = Item("a", role="assistant", audio_ms=1_000.0, truncated_ms=500, parts={0: "one two"})
    item.delivery.whole = True
    assert count_input([item], "", []) == InputTokens(text=1, audio=10)


def test_tools_are_part_of_the_input() -> None:
    assert count_input([], "", [{"name": "f"}]).text == text_tokens('[{"name":"f"}]'[1:-1]) + 1


counts = st.integers(0, 5_000)


@given(counts, counts, counts, counts, counts, counts)
def test_the_identities_of_usage(t: int, a: int, pt: int, pa: int, ot: int, oa: int) -> None:
    tokens = InputTokens(t, a)
    cached = tokens.cached_of(InputTokens(pt, pa))
    usage = usage_object(tokens, cached, ot, oa)
    details = usage["input_token_details"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens"] == details["text_tokens"] + details["audio_tokens"]
    assert usage["output_tokens"] == sum(usage["output_token_details"].values())
    assert details["cached_tokens"] == sum(details["cached_tokens_details"].values())
    for name, count in details["cached_tokens_details"].items():
        assert count <= details[name]
        assert count % 64 == 0


@pytest.mark.parametrize(("now", "before", "cached"), [(200, 130, 128), (60, 500, 0), (64, 64, 64)])
def test_the_cache_works_in_blocks_of_64(now: int, before: int, cached: int) -> None:
    assert InputTokens(text=now).cached_of(InputTokens(text=before)).text == cached
