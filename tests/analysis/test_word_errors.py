from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.analysis.word_errors import WordErrors, normalized_words, word_errors

WORDS = st.lists(st.sampled_from("one two three four".split()), max_size=8)  # noqa: SIM905


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ten of clubs", "10 of Clubs."),
        ("half past eight", "Half-past eight!"),
        ("I don’t know", "i dont know"),
        ("five dollars", "$5"),
        ("fifteen percent", "15%"),
        ("mister john dashwood", "Mr. John Dashwood"),
        ("one hundred twenty four", "124"),
        ("the twenty first", "the 21st"),
        ("rock and roll", "rock & roll"),
        ("two thirty in the afternoon", "14:30"),
        ("cafe\u0301", "café"),
        ("five", "\uff15"),
    ],
)
def test_the_same_words_are_the_same(one: str, other: str) -> None:
    assert normalized_words(one) == normalized_words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("it is", "it's"), ("colour", "color"), ("ten", "tent"), ("10", "11")]
)
def test_what_is_said_otherwise_is_an_error(one: str, other: str) -> None:
    assert normalized_words(one) != normalized_words(other)


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("a b c d", "a b c d", (4, 0, 0, 0)),
        ("a b c d", "a x c d", (4, 1, 0, 0)),
        ("a b c d", "a c d", (4, 0, 1, 0)),
        ("a b c d", "a b c d e", (4, 0, 0, 1)),
        ("a b c d", "", (4, 0, 4, 0)),
        ("", "a b", (0, 0, 0, 2)),
        ("", "...", (0, 0, 0, 0)),
    ],
)
def test_errors_are_counted_by_kind(
    reference: str, heard: str, errors: tuple[int, int, int, int]
) -> None:
    assert word_errors(reference, heard) == WordErrors(*errors)


@given(WORDS, WORDS)
def test_the_fewest_errors_are_those_of_the_textbook(one: list[str], other: list[str]) -> None:
    distance = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        before, distance = distance, [i]
        for j, heard in enumerate(other, 1):
            distance.append(
                min(before[j] + 1, distance[j - 1] + 1, before[j - 1] + (word != heard))
            )

    assert word_errors(" ".join(one), " ".join(other)).errors == distance[-1]


def test_the_rate_of_several_texts_is_by_all_of_their_words() -> None:
    assert rt.word_error_rate("a b", "a c") == 0.5
    assert rt.word_error_rate(["a b", "a b c d e f"], ["a c", "a b c d e f"]) == 1 / 8
    assert rt.word_error_rate("a", "a b c") == 2.0  # what was made up counts


@pytest.mark.parametrize(
    ("reference", "heard", "says"),
    [
        (["a"], ["a", "b"], "reference has 1 texts and heard 2"),
        ("", "a", "reference has no words"),
        (3, "a", "reference is 3"),
        ("a", [None], r"heard is \[None\]"),
    ],
)
def test_what_is_no_text_is_refused(reference: object, heard: object, says: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=says):
        rt.word_error_rate(reference, heard)  # type: ignore[arg-type]


def test_no_words_have_no_rate() -> None:
    assert math.isnan(word_errors("", "a").rate)


def test_without_jiwer_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)

    with pytest.raises(rt.MissingExtraError, match=r"realtime_nb\[eval\]"):
        rt.word_error_rate("a", "a")
