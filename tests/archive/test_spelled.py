"""Keys that a server spells over several deltas."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.archive.spelled import SpelledSecrets
from realtime_nb.errors.secret_shapes import REMOVED

KEY = "sk-a-key-of-mine"
NAME = "response.output_audio_transcript.delta"


def shown(pieces: list[str], secrets: list[str], **fields: Any) -> str:
    spelled = SpelledSecrets(secrets)
    events = [{"type": NAME, "item_id": "i", "delta": one, **fields} for one in pieces]
    return "".join(spelled.cleaned(event)["delta"] for event in events)


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@given(
    parts=st.lists(st.sampled_from([KEY, "is ", "sk-", "sk-a-k", "words", "s", "no "]), max_size=6),
    places=st.lists(st.integers(0, 200), max_size=30),
)
def test_however_it_is_cut_a_key_is_not_told(parts: list[str], places: list[int]) -> None:
    text = "".join(parts) + " end of it"
    told = shown(cut(text, places), [KEY, "another-key"])
    assert KEY not in told
    assert KEY[4:] not in told.replace(REMOVED, "")
    plain = told.replace(REMOVED, "")
    if KEY not in text:
        assert told == text
    else:  # but for what was told before it was suspected
        assert len(plain) - len(text.replace(KEY, "")) <= 3 * text.count(KEY)


@pytest.mark.parametrize("size", range(1, 20))
def test_pieces_of_every_size(size: int) -> None:
    text = f"It is {KEY}, remember {KEY}{KEY}."
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    told = shown(pieces, [KEY])
    assert KEY[:4] not in told and told.count(REMOVED) == 3
    assert told.startswith("It is ") and told.endswith(".")


def test_a_longer_key_goes_before_one_that_it_holds() -> None:
    assert shown([f"{KEY}-and", "-more."], [KEY, f"{KEY}-and-more"]) == (f"{REMOVED}-and-more.")
    assert shown([f"{KEY}-and-more."], [KEY, f"{KEY}-and-more"]) == f"{REMOVED}."


def test_texts_are_told_apart() -> None:
    spelled = SpelledSecrets([KEY])
    one = {"type": NAME, "item_id": "a", "delta": KEY[:8]}
    other = {"type": NAME, "item_id": "b", "delta": KEY[8:]}
    assert spelled.cleaned(one)["delta"] == ""
    assert spelled.cleaned(other)["delta"] == KEY[8:]


def test_audio_is_left_alone() -> None:
    event = {"type": "response.output_audio.delta", "item_id": "a", "delta": KEY[:8]}
    assert SpelledSecrets([KEY]).cleaned(event) == event


def test_many_texts_take_no_memory() -> None:
    spelled = SpelledSecrets([KEY])
    for number in range(1_000):
        spelled.cleaned({"type": NAME, "item_id": str(number), "delta": "words"})
    assert len(spelled._texts) <= 64
