from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities import (
    find_dates,
    find_names,
    find_numbers,
    find_places,
    find_times,
    overlaps,
)
from realtime_nb.local.entities.found import Found, pattern
from realtime_nb.local.spoken import any_of

SUNDAY = datetime.date(2026, 11, 22)


any_day = st.dates(datetime.date(2000, 1, 1), datetime.date(2090, 12, 31))


def test_spans_overlap_where_they_share_a_character() -> None:
    assert overlaps((2, 5), [(0, 1), (4, 9)])
    assert overlaps((2, 5), [(3, 4)])
    assert not overlaps((2, 5), [(0, 2), (5, 9)])
    assert not overlaps((2, 5), [])
    assert Found("x", 2, 5).span == (2, 5)


def test_longer_words_are_tried_first_and_capitals_are_the_same() -> None:
    match = pattern(f"({any_of(['six', 'sixteen'])})").search("SIXTEEN")
    assert match is not None
    assert match[1] == "SIXTEEN"


@given(st.text(alphabet=st.characters(max_codepoint=0x24F)), any_day)
def test_nothing_makes_the_finders_fail_and_spans_never_overlap(
    text: str, today: datetime.date
) -> None:
    for found in (
        find_dates(text, today),
        find_times(text, asked=True),
        find_numbers(text),
        find_names(text, asked=True),
        find_places(text, asked=True),
    ):
        spans = [each.span for each in found]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert not any(overlaps(span, spans[:index]) for index, span in enumerate(spans))


PIECES = (
    "next tuesday,the 24th of,november,at,ten,half past,two,my name is,ada,for,in,a week,from,"
    "tomorrow,quarter to,five,a.m.,noon,o'clock,twenty,one,hundred,point,31st,10:30,!"
)


@given(st.lists(st.sampled_from(PIECES.split(",")), max_size=14).map(" ".join))
def test_no_mixture_of_the_words_makes_the_finders_fail(text: str) -> None:
    for found in find_dates(text, SUNDAY):
        assert text[found.start : found.end].strip()
    find_times(text, asked=True)
    find_names(text, asked=True)
    find_numbers(text)
