"""A lab beside the local server's core: what it shows is what the server did."""

from __future__ import annotations

import math

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import Served, talk


def test_the_emulator_makes_the_servers_turns_at_the_same_places() -> None:
    served = Served()
    served.say(talk(700, 900, 500, 400, 800))
    spans = served.lab.live_spans()
    # 22 whole frames of 32 ms hold the tone's beginning at 700, 50 its end at 1600.
    assert [(one.start_ms, one.onset_ms, one.offset_ms, one.end_ms) for one in spans] == [
        (372, 672, 1600, 1824),
        (1824, 2080, 2528, 2752),
    ]
    reported = [(one.start_ms, one.end_ms) for one in served.lab.server_spans()]
    assert reported == [(one.start_ms, one.end_ms) for one in spans]
    agreement = served.lab.agreement()
    assert (agreement.share, agreement.spread_ms, agreement.matched) == (1.0, 0.0, 2)


def test_a_ghost_that_is_set_alike_is_the_server() -> None:
    served = Served()
    served.lab.set_ghost("same", {})
    served.lab.set_ghost("patient", {"silence_duration_ms": 700})
    served.say(talk(700, 900, 500, 400, 1000))
    assert served.lab.ghost_spans("same") == served.lab.live_spans()
    (one,) = served.lab.ghost_spans("patient")
    assert (one.start_ms, one.end_ms) == (372, 2528 + 22 * 32)


def test_settings_take_force_where_they_were_asked_for_however_late_that_is_known() -> None:
    served = Served()
    served.say(talk(700, 900, 400))
    served.set({"type": "server_vad", "silence_duration_ms": 600})
    assert served.lab.settings.expected is not None
    before = served.lab.detection
    for _ in range(50):  # a second is sent before the confirmation arrives
        served.append(talk(0, 20) if _ < 10 else talk(20))
    assert served.lab.detection == before
    assert served.lab.live_spans()[-1].end_ms < 2500
    served.receive()
    assert not served.lab.settings.is_pending
    (mark,) = served.lab.settings.marks
    assert (mark.position_ms, mark.words) == (2000, "silence_duration_ms 200 → 600")
    assert served.lab.live_spans()[-1].end_ms == 2208 + 19 * 32
    assert served.lab.agreement().share == 1.0


def test_scores_say_what_can_be_known_and_why_the_rest_can_not() -> None:
    served = Served(voiced_ms=[(700, 1600), (2100, 2500)])
    served.lab.set_ghost("patient", {"silence_duration_ms": 700})
    served.say(talk(700, 900, 500, 400, 1000))
    live, patient = served.lab.scores()
    assert (live.name, live.turns, live.truth) == ("live", 2, "detector")
    assert live.wait_mean_ms == pytest.approx((224 + 252) / 2)
    assert math.isnan(live.precision)
    assert "label" in live.reasons["precision"]
    assert patient.wait_mean_ms == 2528 + 22 * 32 - 2500


def test_a_label_while_talking_turns_scores_into_precision_and_recall() -> None:
    served = Served(voiced_ms=[(700, 1600), (2100, 2500)])
    served.lab.set_ghost("patient", {"silence_duration_ms": 700})
    served.say(talk(700, 900, 450))
    served.lab.label_last("not_finished", served.t_s)
    served.say(talk(50, 400, 1000))
    assert served.lab.true_spans() == [(700, 2500)]
    live, patient = served.lab.scores()
    assert (live.split_turns, live.precision, live.recall) == (1, 0, 0)
    assert (patient.split_turns, patient.precision, patient.recall) == (0, 1, 1)


class Unsure(LoudnessDetector):
    """One that is never quite sure of speech."""

    def push(self, payload: bytes) -> list[float]:
        return [0.9 * probability for probability in super().push(payload)]


def test_what_a_deaf_server_did_not_hear_is_no_ghosts_fault() -> None:
    voiced_ms = [(700.0, 1_600.0), (3_100.0, 4_000.0), (5_500.0, 6_400.0)]
    served = Served(detector_for=Unsure, voiced_ms=voiced_ms)
    served.lab.set_ghost("hears", {"threshold": 0.5, "silence_duration_ms": 500})
    served.say(talk(700, 900, 900))
    served.lab.label_last("not_me", served.t_s)
    served.set({"type": "server_vad", "threshold": 1.0})
    served.receive()
    served.say(talk(600, 900, 1_500, 900, 900))
    live, hears = served.lab.scores()
    assert (live.turns, live.judged_turns, live.false_starts, live.precision) == (1, 1, 1, 0)
    assert math.isnan(live.missed_turns)  # by keys nobody can say so
    assert "server" in live.reasons["missed_turns"]
    assert (hears.turns, hears.judged_turns, hears.false_starts, hears.precision) == (3, 1, 1, 0)
    served.lab.label_speech(3_100, 4_000)  # by hand all is known that lies between marks
    served.lab.label_speech(5_500, 6_400)
    live, hears = served.lab.scores()
    assert (hears.judged_turns, hears.false_starts, hears.precision, hears.recall) == (2, 0, 1, 1)
    assert (live.judged_turns, live.missed_turns, live.recall) == (0, 2, 0)


def test_undo_asks_for_what_was_in_force_before() -> None:
    served = Served()
    served.say(talk(300))
    first = served.lab.detection
    with pytest.raises(ConfigurationError, match="nothing to undo"):
        served.lab.settings.undo()
    served.set({"type": "server_vad", "threshold": 0.7})
    served.receive()
    assert served.lab.settings.undo() == first
    served.set(served.lab.settings.undo())
    served.receive()
    assert served.lab.detection == first
    assert (served.lab.settings.can_undo, served.lab.settings.can_redo) == (False, True)
    redone = served.lab.settings.redo()
    assert redone is not None
    assert redone["threshold"] == 0.7


def test_a_turn_that_the_server_has_not_told_of_yet_is_no_disagreement() -> None:
    served = Served()
    served.say(talk(700, 900, 500))
    for _ in range(20):  # what the server says of these stays on its way
        served.append(talk(0, 40))
    assert len(served.lab.live_spans()) == 2
    assert served.lab.agreement().share == 1.0
    served.append(talk(0, 6_000))
    assert served.lab.agreement().share == 0.5
    served.receive()
    assert served.lab.agreement().share == 1.0


def test_settings_changed_before_any_audio_can_be_undone() -> None:
    served = Served()
    served.set({"type": "server_vad", "threshold": 0.4})  # what the session is configured to
    served.receive()
    first = served.lab.detection
    late = served.new_lab()  # attached when it is
    assert not served.lab.settings.can_undo
    served.lab = late
    served.set({"type": "server_vad", "threshold": 0.7})
    served.receive()
    assert late.now_ms == 0
    assert (late.settings.can_undo, late.settings.undo()) == (True, first)
    assert [mark.before for mark in late.settings.marks] == [first]
    assert late.diff().startswith("threshold 0.4 → 0.7")
