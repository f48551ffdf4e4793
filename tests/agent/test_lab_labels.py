from __future__ import annotations

from threading import RLock

import pytest

import realtime_nb as rt
from realtime_nb.agent.lab_labels import LabLabels
from realtime_nb.agent.lab_subjects import TriedSubject
from realtime_nb.analysis.vad_lab.labels import Label
from tests.paths import DATA


class Labelled:
    """The audio of a file, which has no place for labels."""

    def __init__(self) -> None:
        self.subject = TriedSubject(rt.load(DATA / "austen_0880.wav"), "silero")
        self.said: list[str] = []
        self.labels = LabLabels(RLock(), self.said.append)

    def mark(self, start_s: float) -> Label:
        return self.labels.of_speech(self.subject, start_s, start_s + 0.1)


def test_a_label_that_can_not_be_kept_counts_and_that_is_said() -> None:
    made = Labelled()
    label = made.mark(0.5)
    assert made.subject.lab.labels == [label]
    made.labels.remove(made.subject, label)
    assert made.subject.lab.labels == []
    assert ["counts here" in made.said[0], "is removed here" in made.said[1]] == [True, True]


def test_the_last_that_was_made_is_the_first_to_go_wherever_it_lies() -> None:
    made = Labelled()
    late, early, middle = made.mark(1.5), made.mark(0.5), made.mark(1.0)
    for left in ([early, late], [late], []):
        made.labels.remove(made.subject, None)
        assert made.subject.lab.labels == left
    with pytest.raises(rt.ConfigurationError, match="no label to remove"):
        made.labels.remove(made.subject, None)
    assert middle not in made.subject.lab.labels


def test_one_that_is_gone_can_not_be_removed_and_another_word_is_none() -> None:
    made = Labelled()
    label = made.mark(0.5)
    made.mark(1.0)
    made.labels.remove(made.subject, label)
    with pytest.raises(rt.ConfigurationError):
        made.labels.remove(made.subject, label)
    with pytest.raises(rt.ConfigurationError, match="'speech'; give 'not_finished' or 'not_me'"):
        made.labels.of_last(made.subject, "speech", None)
