from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.spoken_length import (
    Stop,
    graphemes,
    pause_lengths,
    spoken_lengths,
    spoken_letters,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("abc", ["a", "b", "c"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("👨‍👩‍👧‍👦!", ["👨‍👩‍👧‍👦", "!"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇩🇪🇫🇷x", ["🇩🇪", "🇫🇷", "x"]),
        ("1️⃣2", ["1️⃣", "2"]),
        ("กำนี่", ["กำ", "นี่"]),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", ["\u1112\u1161\u11ab", "\u1100\u1173\u11af"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("❤️x", ["❤️", "x"]),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿.", ["🏴󠁧󠁢󠁳󠁣󠁴󠁿", "."]),
        ("", []),
    ],
)
def test_graphemes(text: str, clusters: list[str]) -> None:
    assert list(graphemes(text)) == clusters


@given(st.text())
def test_words_are_what_is_between_white_space_and_lose_nothing(text: str) -> None:
    words = words_of(text)
    assert "".join(graphemes(text)) == text
    ends = [0, *(word.end for word in words)]
    assert all(end <= word.start < word.end for end, word in zip(ends, words, strict=False))
    between = [text[end : word.start] for end, word in zip(ends, words, strict=False)]
    assert all(not gap or gap.isspace() for gap in [*between, text[ends[-1] :]])


def test_words_of_latin_text_are_those_of_split() -> None:
    text = "  Well, it's 2:30 p.m. –  isn't it?\nYes: “it is” … "
    assert [text[word.start : word.end] for word in words_of(text)] == text.split()


def test_words_of_scripts_without_spaces() -> None:
    text = "明日（水）です。Hello 3月"
    pieces = [text[word.start : word.end] for word in words_of(text)]
    assert pieces == ["明", "日（", "水）", "で", "す。", "Hello", "3", "月"]


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        *[("end.", Stop.SENTENCE), ("end?”", Stop.SENTENCE), ("す。", Stop.SENTENCE)],
        *[("well,", Stop.CLAUSE), ("mind:", Stop.CLAUSE), ("–", Stop.CLAUSE)],
        *[("Mr.", Stop.NONE), ("J.", Stop.NONE), ("word", Stop.NONE), ("”", Stop.NONE)],
        *[("I.", Stop.SENTENCE), ("e.g.", Stop.NONE), ("نعم؟", Stop.SENTENCE)],
    ],
)
def test_stops(word: str, stop: Stop) -> None:
    assert words_of(word)[0].stop == stop


@pytest.mark.parametrize(
    ("written", "aloud"),
    [
        ("2026-12-01", "December first, twenty twenty-six"),
        ("1,250.50", "one thousand two hundred fifty point five zero"),
        ("$125", "one hundred twenty-five dollars"),
        ("8:30", "eight thirty"),
        ("2026", "twenty twenty-six"),
        ("42", "forty-two"),
        ("7", "seven"),
        ("28,000", "twenty-eight thousand"),
        ("15%", "fifteen percent"),
        ("Mr.", "Mister"),
        ("Dr.", "Doctor"),
        ("e.g.", "for example"),
        ("BBC", "bee bee see"),
        ("3.14", "three point one four"),
        ("48213", "forty-eight thousand two hundred thirteen"),
        ("example.com", "example dot com"),
        ("50°", "fifty degrees"),
        ("km", "kilometres"),
        ("word", "word"),
        ("élégant", "elegant"),
    ],
)
def test_length_of_what_is_written_otherwise_than_spoken(written: str, aloud: str) -> None:
    """The letters of what is said aloud, give or take a third and a letter or two."""
    letters = sum(map(str.isalpha, aloud))
    assert abs(spoken_letters(written) - letters) <= 2 + letters / 3


@pytest.mark.parametrize("silent", ["👍", "—", "...", "*", "", "“", "👨‍👩‍👧"])
def test_what_nobody_speaks_takes_no_time(silent: str) -> None:
    assert spoken_letters(silent) == 0


def test_words_are_longer_before_a_stop_and_pauses_are_behind_them() -> None:
    words = words_of("One, two. Three. 👍 Four.")
    assert spoken_lengths(words) == [3 + 2, 3 + 2, 5 + 2, 0, 4 + 2]
    comma, full_stop, again, silent, last = pause_lengths(words)
    assert 0 < comma < full_stop == again
    assert silent == last == 0
    assert pause_lengths([]) == []
