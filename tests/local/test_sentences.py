from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_nb.local.sentences import FIRST_CLAUSE_CHARS, MAX_SENTENCE_CHARS, SentenceStream


def split(text: str) -> list[str]:
    stream = SentenceStream()
    return stream.push(text) + stream.close()


@pytest.mark.parametrize(
    "pieces",
    [
        ["Hello there. ", "How are you? ", "Fine!"],
        ["Dr. Smith and Mrs. Jones are in. ", "Come at ten."],
        ["It is at 10:30 a.m. on Tuesday. ", "Is that good?"],
        ["It is at 10:30 a.m. Tuesday. ", "Is that good?"],
        ["It is at 10:30 a.m. ", "That is early."],
        ["Pi is 3.14 and e is 2.72. ", "Good."],
        ["Take fruit, e.g. Apples, or i.e. Pears. ", "Good."],
        ["Room No. 5 is free on Nov. 24. ", "Take it."],
        ["No. ", "That is wrong."],
        ["J. K. Rowling lives in the U.S. State of Maine. ", "So do I. ", "Really."],
        ['He said "Stop!" and left. ', '"Why?" ', "Nobody knew."],
        ["**Done!** ", "*Anything* else?"],
        ["Well... maybe. ", "Or not… ", "Who knows?! ", "Me."],
        ["Two slots:\n", "- 10:00\n", "- 11:00\n", "\nWhich one?"],
        ["1. Open the door. ", "2. Go in."],
        ["  \n Hello.  ", "World. "],
        ["你好。", "今天天气很好！」", "是吗？"],
        ["see example.com/a.b?c=d for 1,000 more"],
        [". ", "Next."],
        [""],
    ],
)
def test_splits_where_a_reader_would(pieces: list[str]) -> None:
    assert [piece for piece in pieces if piece] == split("".join(pieces))


def test_a_sentence_comes_out_with_the_first_character_of_the_next() -> None:
    stream = SentenceStream()

    assert stream.push("Your booking is done.") == []
    assert stream.push("  ") == []
    assert stream.push("A") == ["Your booking is done.  "]
    assert stream.close() == ["A"]


def test_a_line_break_is_certain_at_once() -> None:
    assert SentenceStream().push("Options\n") == ["Options\n"]


def test_only_the_first_piece_may_end_at_a_clause() -> None:
    clause = "X" * (FIRST_CLAUSE_CHARS - 1) + ", "

    assert [clause, clause + "end."] == split(clause + clause + "end.")
    assert ["Hi. ", clause + "end."] == split("Hi. " + clause + "end.")
    assert [clause[1:] + "end."] == split(clause[1:] + "end.")


def test_endless_text_is_cut_at_white_space() -> None:
    pieces = split("word " * 1000)

    assert "".join(pieces) == "word " * 1000
    assert MAX_SENTENCE_CHARS + len("word ") >= max(map(len, pieces))


def test_a_closed_stream_begins_afresh() -> None:
    clause = "x" * FIRST_CLAUSE_CHARS + ", "
    stream = SentenceStream()
    stream.push("One. Two")
    stream.close()

    assert stream.close() == []
    assert [clause] == stream.push(clause + "y")


_WORDS = st.sampled_from(
    [
        *("Dr.", "a.m.", "P.M.", "Tue", "Tuesday", "e.g.", "3.14", "No.", "5", "Yes", "yes,"),
        *("Hm…", "I.", "So!", '"What?"', "\n", "\n\n", "  ", "1.", "好。", "」", "—", "(so.)", "."),
        *("x" * 70 + ",", "word " * 90),
    ]
)
_TEXTS = st.lists(_WORDS).map(" ".join) | st.lists(_WORDS).map("".join) | st.text()


@given(text=_TEXTS, cuts=st.lists(st.integers(0, 400)))
@example(text="At 10 a.m. Tuesday. At 10 a.m. Tues", cuts=[13, 33])
def test_cuts_on_the_way_change_nothing(text: str, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stream = SentenceStream()
    pieces: list[str] = []
    for start, end in pairwise(bounds):
        pieces += stream.push(text[start:end])
    pieces += stream.close()

    assert text == "".join(pieces)
    assert split(text) == pieces
    assert split_by_character(text) == pieces


def split_by_character(text: str) -> list[str]:
    stream = SentenceStream()
    pieces = [piece for character in text for piece in stream.push(character)]
    return pieces + stream.close()
