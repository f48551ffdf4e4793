"""Has a recording heard for a VAD lab off the cell's thread: an hour of it takes many seconds."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable

from realtime_nb.agent.lab_subjects import TriedSubject
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.recordings.recording import Recording

__all__ = ["LabOpening"]

_STEP = 0.05


class LabOpening:
    """Hears a recording on a thread of its own.

    Args:
        rec: the recording.
        engine: what makes the probabilities.
        say: called with how far it is, in words.
        over: called when it is over, be it by an error.
    """

    def __init__(
        self, rec: Recording, engine: str, say: Callable[[str], None], over: Callable[[], None]
    ) -> None:
        self._rec = rec
        self._engine = engine
        self._say = say
        self._over = over
        self._said = 0.0
        self._outcome: concurrent.futures.Future[TriedSubject] = concurrent.futures.Future()
        minutes = len(rec.sound("input")) / SAMPLE_RATE / 60
        self._what = f"{minutes:.0f} min of audio" if minutes >= 2 else "the recording"
        say(f"Looking for the voice in {self._what}…")
        threading.Thread(target=self._work, name="realtime_nb-lab-opening", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._outcome.done()

    def wait(self, timeout_s: float | None = None) -> TriedSubject | None:
        """Returns what was heard; None where that takes longer.

        Raises:
            RealtimeError: What is wrong with the recording.
        """
        done, _ = concurrent.futures.wait([self._outcome], timeout_s)
        return self._outcome.result() if done else None

    def _work(self) -> None:
        try:
            self._outcome.set_result(TriedSubject(self._rec, self._engine, self._heard))
        except BaseException as error:  # told to whoever waits
            self._outcome.set_exception(error)
        self._over()

    def _heard(self, share: float) -> None:
        if share >= self._said + _STEP:
            self._said = share
            self._say(f"Listening to {self._what}: {share:.0%}")
