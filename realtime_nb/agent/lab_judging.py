"""Has a turn model answer what a lab asks at pauses, off the thread that feeds the lab."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from realtime_nb.agent.lab_ghosts import LabLock
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.pause_answers import LATER, Completeness, PauseQuestion
from realtime_nb.audio.turn_model import has_turn_model, turn_model

__all__ = ["LabJudging", "judged_later"]

logger = logging.getLogger(__name__)


def judged_later() -> Completeness | None:
    """Returns what a lab is told of its turn model: `LATER`, or None where there is none."""
    return LATER if has_turn_model() else None


class LabJudging:
    """One thread at most, which is there as long as there are questions, and holds the lock for
    none of the model's work. How many may wait, the lab bounds.

    Args:
        lab: asks.
        lock: held by whoever feeds the lab or asks it.
        answered: called after each answer, without the lock.
    """

    def __init__(self, lab: TurnLab, lock: LabLock, answered: Callable[[], None]) -> None:
        self._lab: TurnLab | None = lab
        self._lock = lock
        self._answered = answered
        self._at_work = False

    def stop(self) -> None:
        """Answers nothing from now on."""
        self._lab = None

    def look(self) -> None:
        """Begins to answer where there is a question."""
        with self._lock:
            question = None if self._at_work else self._next()
            if question is None:
                return
            self._at_work = True
        threading.Thread(
            target=self._work, args=(question,), name="realtime_nb-lab-judging", daemon=True
        ).start()

    def _next(self) -> PauseQuestion | None:
        return None if self._lab is None else self._lab.take_question()

    def _work(self, question: PauseQuestion | None) -> None:
        while question is not None:
            probability = _completeness(question)
            with self._lock:
                if self._lab is not None:
                    self._lab.answer(question, probability)
                question = self._next()
                self._at_work = question is not None
            self._answered()


def _completeness(question: PauseQuestion) -> float:
    """Returns the model's answer; NaN where it failed, so that the longest wait ends the turn."""
    try:
        model = turn_model()
        assert model is not None
        return model.completeness_of(question.audio, question.format_type)
    except Exception:  # whatever a model does, the lab goes on
        logger.exception("The turn model failed")
        return math.nan
