from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.commands.bench.endpoint_answers import answers_of, print_answers
from realtime_nb.commands.bench.endpoint_speech import InnerPause, Sentence
from realtime_nb.protocol.semantic_turns import TurnDecision, TurnQuestion


def decision(at_ms: int, probability: float) -> TurnDecision:
    return TurnDecision(TurnQuestion(0, at_ms - 64), at_ms, probability, probability >= 0.5)


def sentence(*pauses: InnerPause) -> Sentence:
    return Sentence("bob", ("reported",), np.zeros(0, np.float32), 5_000.0, pauses)


def test_an_answer_belongs_to_the_pause_in_which_it_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = sentence(
        InnerPause(1_000, 1_400, True),
        InnerPause(2_000, 2_300, False),
        InnerPause(3_000, 3_300, None),
    )
    told = [decision(1_250, 0.6), decision(2_290, 0.4), decision(3_250, 0.1), decision(5_300, 0.8)]
    answers = answers_of([(one, told), (sentence(), [decision(900, 0.9)])])
    assert answers.counts == {"end": 1, "mark": 1, "inside": 1, "unknown": 2}
    assert answers.complete["mark"] == [1.0, 1.0, 1.0, 0.0, 0.0]  # from 0.2, 0.35, 0.5, 0.7, 0.9
    assert answers.complete["inside"] == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert answers.complete["unknown"] == [0.5] * 5
    assert answers.parted == 0.75  # 0.8 lies above 0.6, 0.4 and 0.1, and below 0.9
    print_answers(answers)
    assert "in 75 % of pairs" in capsys.readouterr().out


def test_no_answers_part_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    answers = answers_of([(sentence(), [])])
    assert math.isnan(answers.parted)
    assert all(math.isnan(share) for shares in answers.complete.values() for share in shares)
    print_answers(answers)
    assert capsys.readouterr().out == ""
