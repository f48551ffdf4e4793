"""What is, and what is no, number of tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.reported_usage import cached_split, count_of, details_of, number_of


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (119, 119),
        (119.0, 119),
        ("119", 119),
        (" 119 ", 119),
        ("119.0", 119),
        ("1,190", 1_190),
        ("1,234,567", 1_234_567),
        ("1,190.0", 1_190),
        ("1 190", 1_190),
        ("1\u202f190", 1_190),
        ("1_190", 1_190),
        ("1.19e2", 119),
        (0, 0),
        ("0", 0),
        (10**30, 10**30),
    ],
)
def test_ways_to_write_a_count(written: object, count: int) -> None:
    assert count_of(written) == count


@pytest.mark.parametrize(
    "written",
    [
        *(None, True, False, -1, -1.0, "-1", 1.5, "1.5", "1.190", "", "many", "1,19", "1,1900"),
        *("1,190 234", ",190", float("nan"), float("inf"), "nan", "inf", "1e999", [119], {"n": 1}),
    ],
)
def test_what_is_no_count(written: object) -> None:
    assert count_of(written) is None


@given(st.integers(0, 10**12))
def test_a_count_is_the_same_however_it_is_written(count: int) -> None:
    for written in (count, float(count), str(count), f"{count:,}", f"{count}.0", f"{count:_}"):
        assert count_of(written) == count


def test_seconds_may_be_broken() -> None:
    assert number_of("2.5") == 2.5
    assert number_of(60) == 60
    assert number_of(-0.5) is None


def test_details_under_both_names_and_none() -> None:
    told = {"text_tokens": 1}
    assert details_of({"input_token_details": told}, "input") == told
    assert details_of({"output_tokens_details": told}, "output") == told
    assert details_of({"input_token_details": None, "input_tokens_details": told}, "input") == told
    assert details_of({"input_token_details": "?"}, "input") == {}
    assert cached_split({"cached_tokens_details": told}) == told
    assert cached_split({"cached_token_details": told}) == told
    assert cached_split({}) == {}
