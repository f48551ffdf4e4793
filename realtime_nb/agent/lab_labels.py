"""The labels of a VAD lab: made, taken back, and kept in what the lab is about."""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.agent.lab_ghosts import LabLock
from realtime_nb.agent.lab_subjects import LabSubject
from realtime_nb.analysis.vad_lab.labels import Label, LabelKind, place_of
from realtime_nb.errors import ConfigurationError, RealtimeError

__all__ = ["LabLabels"]


class LabLabels:
    """A person's word on turns. Each verb counts at once, also where it can't be kept.

    Args:
        lock: held while the lab is asked.
        kept: called after each, with why it is not kept, or with nothing.
    """

    def __init__(self, lock: LabLock, kept: Callable[[str], None]) -> None:
        self._lock = lock
        self._kept = kept
        self._made: list[Label] = []  # one that is made again is made last

    def of_last(self, subject: LabSubject, kind: LabelKind, t_s: float | None) -> Label:
        """Labels the last turn before a moment; None: now, or the end of a recording.

        Raises:
            ConfigurationError: There was none yet, or it is another word.
        """
        if kind not in ("not_finished", "not_me"):
            raise ConfigurationError(f"kind is {kind!r}; give 'not_finished' or 'not_me'.")
        with self._lock:
            known = list(subject.lab.labels)
            label = subject.lab.label_last(kind, subject.now_s if t_s is None else float(t_s))
        # A second time it says the same, which is written already.
        return label if label in known else self._keep(subject, label)

    def of_speech(self, subject: LabSubject, start_s: float, end_s: float) -> Label:
        """Labels a stretch, in seconds of the session, as speech.

        Raises:
            ConfigurationError: It lies outside the audio, or in speech that is marked.
        """
        with self._lock:
            place = [place_of(subject.clock, float(t_s)) for t_s in (start_s, end_s)]
            label = subject.lab.label_speech(place[0], min(place[1], subject.lab.now_ms))
        return self._keep(subject, label)

    def remove(self, subject: LabSubject, label: Label | None) -> None:
        """Takes one back; None: that which was made last.

        Raises:
            ConfigurationError: There is none, or this one is not there any more.
        """
        with self._lock:
            labels = subject.lab.labels
            if not labels:
                raise ConfigurationError("There is no label to remove.")
            made = [one for one in self._made if any(one is other for other in labels)]
            chosen = label or (made or labels)[-1]
            subject.lab.remove_label(chosen)
        self._keep(subject, chosen, removed=True)

    def _keep(self, subject: LabSubject, label: Label, removed: bool = False) -> Label:
        """Writes down what became of a label."""
        self._made = [one for one in self._made if one is not label]
        if not removed:
            self._made.append(label)
        problem = ""
        try:
            subject.keep_label(label, removed)
        except RealtimeError as error:
            counts = "is removed here" if removed else "counts here"
            problem = f"The label {counts}, and that is not kept: {error}"
        self._kept(problem)
        return label
