"""A change and its evidence, in one sentence."""

from __future__ import annotations

import math
from dataclasses import replace

from realtime_nb.analysis.vad_lab.evidence import change_sentence
from realtime_nb.analysis.vad_lab.scores import LabScore, ScoredTurn, score
from tests.analysis.vad_lab.served import Served, talk

CHANGE = "silence_duration_ms 200 → 700"


def scored(*turns: ScoredTurn, true_ms: list[tuple[float, float]] | None = None) -> LabScore:
    return score("", "", turns, [(1_000, 1_500), (2_000, 2_500)], true_ms)


EAGER = ScoredTurn(1_000, 1_500, 1_724), ScoredTurn(2_000, 2_500, 2_724)
PATIENT = (ScoredTurn(1_000, 2_500, 3_204),)


def test_without_labels_it_says_what_is_known() -> None:
    assert change_sentence(CHANGE, 64_000, scored(*EAGER), scored(*PATIENT)) == (
        "silence_duration_ms 200 → 700: on the 64.0 s heard so far, 2 turns → 1, wait 224 → 704 ms "
        "(median); label turns to judge it."
    )


def test_labels_are_the_evidence() -> None:
    true_ms = [(1_000.0, 2_500.0)]
    before, after = scored(*EAGER, true_ms=true_ms), scored(*PATIENT, true_ms=true_ms)
    assert change_sentence(CHANGE, 64_000, before, after).endswith(
        "; by your labels, split turns 1 → 0, false starts 0 → 0, missed 0 → 0."
    )


def test_where_nothing_was_said_nothing_is_claimed() -> None:
    assert "nothing was said in the 5.0 s" in change_sentence(CHANGE, 5_000, scored(), scored())


def test_what_no_silence_alone_ends_is_not_run() -> None:
    semantic = replace(scored(), turns=math.nan)
    assert "can't be run here" in change_sentence(CHANGE, 5_000, scored(*EAGER), semantic)


def test_a_lab_runs_both_on_all_that_was_heard() -> None:
    served = Served()
    assert served.lab.diff().startswith("No change: rt.ServerVAD(")
    served.say(talk(700, 900, 500, 400, 800))
    served.set({"type": "server_vad", "silence_duration_ms": 700})
    served.receive()
    served.say(talk(700, 900, 500, 400, 1_000))
    said = served.lab.diff()
    assert said.startswith("silence_duration_ms 200 → 700: on the 6.8 s heard so far, 4 turns → 2")
    served.set({"type": "semantic_vad"})
    served.receive()
    assert "can't be run here" in served.lab.diff()
    rows = served.lab.history()
    assert [row["turns"] for row in rows] == [2, 1, 0]
    assert [row["position_ms"] for row in rows] == [0, 3_300, 6_800]


def test_of_bare_audio_there_is_no_change_to_tell() -> None:
    served = Served()
    served.conversation.session = {}
    assert "no session" in served.lab.diff()
