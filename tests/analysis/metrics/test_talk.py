"""Metrics of who spoke when, as paper has them."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.metrics.talk import talk_figures
from tests.analysis.metrics.made_calls import reasons
from tests.made_recording import MadeRecording
from tests.spoken_recording import begun, spoken, voiced


def cut_turn(next_onset_ms: int, text: str, following: str, **answer: Any) -> MadeRecording:
    """A turn that ends at 4.3 s and is answered from 5 s on, and the next one."""
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", text)
    rec.answer(4.5, "resp_1", 2_000, "Well.", **answer)
    rec.played("resp_1_item", 0.0, "started", 5.0)
    spoken(rec, "user_2", next_onset_ms, next_onset_ms + 1_000, stopped_s=9.0)
    rec.user(9.1, "user_2", following)
    return rec


@pytest.mark.parametrize(
    ("next_onset_ms", "text", "following", "answer", "cuts"),
    [
        (4_400, "My number is", "five five five.", {}, 1),  # 5.4 s, after 400 ms of the reply
        (4_400, "My number is five.", "five five.", {}, 1),
        (4_400, "My number is five.", "Five five.", {}, 0),  # a new sentence, and not cut
        (4_400, "My number is five.", "Five five.", {"status": "cancelled"}, 1),
        (4_400, "My number is", "", {}, 0),
        (4_499, "My number is", "five.", {}, 1),
        (4_500, "My number is", "five.", {}, 0),  # 500 ms of the reply were heard
        (3_299, "My number is", "five.", {}, 0),  # before the end of the turn was told
    ],
)
def test_premature_cuts(
    next_onset_ms: int, text: str, following: str, answer: dict[str, Any], cuts: int
) -> None:
    rec = cut_turn(next_onset_ms, text, following, **answer)

    assert talk_figures(rec)["premature_cuts"].value == cuts


def test_a_cut_is_noticed_within_1200_ms() -> None:
    for next_onset_ms, cuts in ((4_499, 1), (4_501, 0)):
        rec = begun()
        spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
        rec.user(4.35, "user_1", "My number is")
        spoken(rec, "user_2", next_onset_ms, 6_000, stopped_s=9.0)
        rec.user(9.1, "user_2", "five.")

        assert talk_figures(rec)["premature_cuts"].value == cuts


def test_agent_that_talks_over_the_user() -> None:
    rec = cut_turn(4_400, "One.", "Two.")
    for span_ms, times in (((3_900, 4_100), 1), ((4_000, 4_100), 1), ((3_900, 4_000), 0)):
        voiced(rec, span_ms)
        assert talk_figures(rec)["agent_over_user"].value == times


def test_how_long_the_device_was_dry() -> None:
    rec = begun()
    for t_s, response_id, late_s in ((10.0, "resp_1", 0.3), (20.0, "resp_2", 0.1)):
        rec.answer(t_s, response_id, 1_000, "Hello.")
        rec.played(f"{response_id}_item", 0.0, "started", t_s + 0.2)
        if late_s > 0.2:
            rec.played(f"{response_id}_item", 500.0, "underrun", t_s + 0.7)
        rec.played(f"{response_id}_item", 1_000.0, "finished", t_s + 1.2 + late_s)
    rec.answer(30.0, "resp_3", 1_000, "Hello.")
    rec.played("resp_3_item", 0.0, "started", 30.2)
    rec.played("resp_3_item", 500.0, "underrun", 30.7)  # and never again

    found = talk_figures(rec)

    assert found["underruns"].value == 2
    assert found["underrun_ms"].value == pytest.approx(300)
    assert len(found["underrun_ms"].values) == 1


def test_phantom_turns() -> None:
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "Thank you.")
    spoken(rec, "user_2", 6_000, 7_000, stopped_s=8.3)
    rec.user(8.35, "user_2", "Hello.")
    rec.user(12.0, "user_3", "By hand.")  # committed without turn detection: from 8.35 on
    rec.user(13.0, "user_4", "By hand.")
    rec.sent(14.0, "conversation.item.create", item={"type": "message", "role": "user"})
    voiced(rec, (2_000, 2_149), (6_000, 6_150), (9_000, 9_200))

    found = talk_figures(rec)

    assert found["phantom_turns"].value == 2
    assert found["phantom_share"].value == 0.5
    assert found["phantom_turns"].source == "offline_vad"


def test_no_long_silence_is_zero_of_them_and_no_longest() -> None:
    rec = begun()
    rec.duration_s = 4.0
    voiced(rec, (1_000, 2_000))

    assert reasons(rec)["longest_silence_s"] == "no gap is longer than 2 s"
    assert metrics(rec).value[["long_silences", "silence_share"]].tolist() == [0, 0]
