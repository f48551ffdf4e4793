"""Feeds a lab with what a session does."""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.agent.lab_ghosts import LabLock
from realtime_nb.agent.lab_judging import LabJudging
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent

__all__ = ["LabFeeder"]


class LabFeeder:
    """An observer of a session, after its fold.

    Args:
        lab: is fed.
        lock: is held meanwhile.
        heard: is given what the user says, PCM16 mono at 24 kHz.
        judging: has answered what the lab asks.
    """

    def __init__(
        self,
        lab: TurnLab,
        lock: LabLock,
        heard: Callable[[bytes], None],
        judging: LabJudging,
    ) -> None:
        self._lab: TurnLab | None = lab
        self._lock = lock
        self._heard = heard
        self._judging = judging

    def stop(self) -> None:
        """Feeds nobody from now on: sessions keep their observers."""
        self._lab = None
        self._judging.stop()

    def event(self, event: WireEvent) -> None:
        """Implements `session.observers.Observer`."""
        lab = self._lab
        if lab is None:
            return
        with self._lock:
            lab.event(event)
        self._judging.look()
        if event.pcm is not None and event.raw.get("type") == "input_audio_buffer.append":
            self._heard(event.pcm)

    def playback(self, report: PlaybackReport) -> None:
        """Implements `session.observers.Observer`: a lab listens to the user alone."""

    def tool(self, report: ToolReport) -> None:
        """Implements `session.observers.Observer`: a lab listens to the user alone."""

    def connection(self, report: ConnectionReport) -> None:
        """Implements `session.observers.Observer`."""
        lab = self._lab
        if lab is not None:
            with self._lock:
                lab.connection(report)
