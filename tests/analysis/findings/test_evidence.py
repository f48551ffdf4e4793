from __future__ import annotations

import math

import pytest

from realtime_nb.analysis.findings.evidence import Evidence, seconds
from tests.made_recording import MadeRecording


def conversation() -> MadeRecording:
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Hello.")  # events 0 to 2
    rec.answer(2.0, "resp_1", 500, "Yes.")  # 3 to 8, of which 6 is audio
    rec.sent(4.0, "response.cancel", event_id="mine")
    rec.got(4.1, "error", error={"event_id": "mine", "message": "Nothing to cancel."})
    return rec


def test_events_by_the_ids_that_they_name() -> None:
    evidence = Evidence(conversation())

    assert evidence.seqs("user_1") == [0, 1, 2]
    assert evidence.seqs("resp_1") == [3, 5, 7, 8]
    assert evidence.seqs("resp_1_item", None, "user_1") == [0, 1, 2, 4, 5, 7]
    assert evidence.seqs("unknown", None) == []
    assert [line.seq for line in evidence.lines("error")] == [10]
    assert evidence.sent_types == {"mine": "response.cancel"}


def test_turn_of_items_and_responses() -> None:
    assert Evidence(conversation()).turn_of == {"user_1": 1, "resp_1": 1, "resp_1_item": 1}


def test_metrics_that_do_not_exist_are_unknown() -> None:
    evidence = Evidence(conversation())

    assert evidence.metric("errors") == 1
    assert math.isnan(evidence.metric("of-a-later-version"))


@pytest.mark.parametrize(
    ("ms", "words"),
    [(90, "0.09 s"), (1_249, "1.2 s"), (0, "0.00 s"), (math.nan, "an unknown time")],
)
def test_durations_in_words(ms: float, words: str) -> None:
    assert seconds(ms) == words
