from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.latency_rows import part_reasons
from realtime_nb.analysis.turn_moments import LATENCY_PARTS

EDGES = ("speech_end_s", "sent_s", "stop_s", "response_s", "first_audio_s", "played_s")


def row(edges: list[float], note: str | None = None, parts_note: str | None = None) -> Any:
    """A row of the table, with the parts between these moments."""
    parts = [(b - a) * 1000 if b >= a else math.nan for a, b in pairwise(edges)]
    return {
        **dict(zip(EDGES, edges, strict=True)),
        **dict(zip(LATENCY_PARTS, parts, strict=True)),
        "latency_note": note,
        "parts_note": parts_note,
    }


WHOLE = [1.0, 1.1, 1.3, 1.4, 1.7, 1.9]


def lacking(*names: str) -> list[float]:
    return [math.nan if e in names else t for e, t in zip(EDGES, WHOLE, strict=True)]


def test_nothing_is_said_of_what_is_known() -> None:
    assert part_reasons(row(WHOLE)) == {}
    remark = "uplink_ms: no device told when it captured the audio"
    assert part_reasons(row(WHOLE, parts_note=remark)) == {
        "uplink_ms": "no device told when it captured the audio"
    }


def test_a_typed_turn_has_no_end_of_speech_and_may_have_an_answer() -> None:
    typed = row(lacking("speech_end_s", "sent_s", "stop_s"), "typed")
    assert part_reasons(typed) == dict.fromkeys(LATENCY_PARTS[:3], "typed")
    silent = row([math.nan] * 3 + [1.4] + [math.nan] * 2, "typed")
    assert part_reasons(silent)["playout_ms"] == "no spoken answer"
    assert part_reasons(silent)["uplink_ms"] == "typed"


def test_an_answer_that_was_not_played() -> None:
    said = part_reasons(row(lacking("played_s"), "playback was not reported"))
    assert said == {"playout_ms": "playback was not reported"}


def test_what_is_still_to_come_is_no_loss() -> None:
    said = part_reasons(row(lacking("first_audio_s", "played_s"), "no spoken answer"), awaited=True)
    assert said == dict.fromkeys(LATENCY_PARTS[3:], "it has not come yet")


def test_a_turn_in_doubt_gives_its_one_reason() -> None:
    said = part_reasons(row([math.nan] * 6, "its id came a second time"))
    assert said == dict.fromkeys(LATENCY_PARTS, "its id came a second time")


def test_what_is_in_the_wrong_order_says_so() -> None:
    words = "endpoint_wait_ms: the report came before its sending"
    said = part_reasons(row([1.0, 1.2, 1.1, 1.4, 1.7, 1.9], parts_note=words))
    assert said == {"endpoint_wait_ms": "the report came before its sending"}


@given(
    known=st.lists(st.booleans(), min_size=6, max_size=6),
    note=st.sampled_from([None, "typed", "no spoken answer", "playback was not reported", "x"]),
    awaited=st.booleans(),
)
def test_each_part_that_is_unknown_has_a_reason_and_no_other(
    known: list[bool], note: str | None, awaited: bool
) -> None:
    edges = [t if k else math.nan for t, k in zip(WHOLE, known, strict=True)]
    found = row(edges, note)
    said = part_reasons(found, awaited=awaited)
    unknown = {part for part in LATENCY_PARTS if math.isnan(found[part])}
    assert set(said) == unknown
    assert all(said.values())
