"""Turns cut short and turns of nothing; tests/test_metrics.py has the bounds of each."""

from __future__ import annotations

import math

from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.analysis.findings.turns import phantom_turns as phantom_findings
from realtime_nb.analysis.findings.turns import premature_cuts as cut_findings
from realtime_nb.analysis.metrics.talk import talk_figures
from realtime_nb.analysis.turn_faults import (
    count_undecided_cuts,
    find_phantom_turns,
    find_premature_cuts,
)
from tests.made_recording import MadeRecording
from tests.spoken_recording import SERVER_VAD, begun, spoken, voiced


def cancelled_turn() -> MadeRecording:
    """The user goes on 0.5 s later, over the reply, and is still speaking at the end."""
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "I would like")
    rec.answer(4.5, "resp_1", 1_000, "Yes?", status="cancelled")
    rec.got(5.0, "input_audio_buffer.speech_started", audio_start_ms=3_500, item_id="user_2")
    return rec


def test_a_cut_is_told_with_its_pause() -> None:
    (cut,) = find_premature_cuts(cancelled_turn())

    assert (cut.turn.number, cut.following) == (1, None)
    assert (cut.stopped_s, round(cut.went_on_s, 6)) == (4.3, 4.8)
    assert (cut.gap_ms, cut.silence_duration_ms) == (800, 200)


def test_who_goes_on_while_the_end_is_still_on_its_way_was_cut_off() -> None:
    """The server ended the turn at 3.2 s of the audio; on a slow line that is told at 4.9 s."""
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.9)
    rec.user(4.95, "user_1", "My number is")
    spoken(rec, "user_2", 3_700, 4_700, stopped_s=6.6)
    rec.user(6.65, "user_2", "five.")

    (cut,) = find_premature_cuts(rec)
    (finding,) = cut_findings(Evidence(rec))

    assert (cut.turn.number, cut.stopped_s, round(cut.went_on_s, 6)) == (1, 4.9, 4.7)
    assert cut.gap_ms == 700
    assert finding.start_s < finding.end_s


def barged_in() -> MadeRecording:
    """A turn whose answer was received from 3.4 s on and cancelled when the user spoke at 4.3 s."""
    rec = begun()
    spoken(rec, "user_1", 1_000, 2_000, stopped_s=3.2)
    rec.user(3.25, "user_1", "Hello.")
    rec.answer(3.3, "resp_1", 3_000, "Well.", status="cancelled")
    spoken(rec, "user_2", 3_300, 4_300, stopped_s=6.0)
    rec.user(6.1, "user_2", "Stop.")
    return rec


def test_a_quick_barge_in_is_no_cut_where_playback_is_not_known() -> None:
    rec = barged_in()

    assert find_premature_cuts(rec) == []
    assert count_undecided_cuts(rec) == 1
    assert not list(cut_findings(Evidence(rec)))
    assert talk_figures(rec)["premature_cuts"].reason == "playback was not reported"


def test_how_far_an_answer_was_heard_tells_a_cut_from_a_barge_in() -> None:
    for played_s, cuts in ((3.5, 0), (4.0, 1), (None, 1)):
        rec = barged_in()
        if played_s is None:  # another answer was played, and this one never
            rec.played("resp_x_item", 0.0, "started", 1.0)
        else:
            rec.played("resp_1_item", 0.0, "started", played_s)

        assert (len(find_premature_cuts(rec)), count_undecided_cuts(rec)) == (cuts, 0)


def test_a_turn_that_was_not_followed_by_another_yet() -> None:
    (finding,) = cut_findings(Evidence(cancelled_turn()))

    assert finding.text == (
        "turn 1 was ended in a pause of 800 ms: the user went on with what was said."
    )
    assert finding.evidence["item_ids"] == ["user_1"]


def test_a_pause_whose_beginning_is_unknown() -> None:
    rec = begun({"type": "semantic_vad"})
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "I would like")
    rec.got(4.4, "session.updated", session={"audio": {"input": {"turn_detection": SERVER_VAD}}})
    spoken(rec, "user_2", 3_800, 4_800, stopped_s=6.0)
    rec.user(6.1, "user_2", "a table.")

    (cut,) = find_premature_cuts(rec)
    (finding,) = cut_findings(Evidence(rec))

    assert math.isnan(cut.gap_ms)
    assert finding.text == "turn 1 was ended in a pause: the user went on with 'a table.'."
    assert finding.suggestion.endswith("a longer silence_duration_ms")


def test_a_turn_of_nothing_that_was_committed_by_hand() -> None:
    rec = begun(None)
    rec.user(4.0, "user_1", "")
    voiced(rec, (4_000, 5_000))
    rec.user(8.0, "user_2", "Hello.")

    (phantom,) = find_phantom_turns(rec)
    (finding,) = phantom_findings(Evidence(rec))

    assert (phantom.turn.number, phantom.voiced_ms) == (1, 0)
    assert (finding.start_s, finding.end_s) == (4.0, 4.0)
    assert finding.suggestion == "commit only audio in which the user spoke"
