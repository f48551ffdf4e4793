"""The definition of this table; what all have in common is in ``test_definitions``."""

from __future__ import annotations

from dataclasses import fields

from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.vad_lab.scores import LabScore


def test_what_a_score_tells_is_defined() -> None:
    told = [field.name for field in fields(LabScore) if field.name != "reasons"]
    assert [column.name for column in TABLES["lab_scores"].columns] == told


def test_what_both_count_means_the_same() -> None:
    for name in ("split_turns", "false_starts", "missed_turns"):
        assert TABLES["lab_scores"][name].meaning == TABLES["sweep"][name].meaning
