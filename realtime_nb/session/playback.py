"""The agent's voice on its way to the speaker, and what was heard of it on its way back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from realtime_nb.devices.simulated import Speaker
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.client_actions import EndAudio, FlushPlayback, PlayAudio
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session.observers import Observers, show_problem
from realtime_nb.session.unplayed import TOO_LONG, Unplayed
from realtime_nb.session.writing import Writing

__all__ = ["Playback"]

logger = logging.getLogger(__name__)


class Playback:
    """What plays one session's answers.

    Args:
        protocol: is told what was heard.
        writing: writes it down.
        observers: are shown it.
        start: starts what ends with the session.
        proceed: does what the protocol wants done since.

    Attributes:
        speaker: plays the agent's voice; to be set before anything comes for it.
    """

    speaker: Speaker

    def __init__(
        self,
        protocol: ClientProtocol,
        writing: Writing,
        observers: Observers,
        *,
        start: Callable[[Coroutine[Any, Any, None]], object],
        proceed: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._writing = writing
        self._observers = observers
        self._start = start
        self._proceed = proceed
        self._unplayed = Unplayed()
        self._flushes = 0  # playback that is being stopped; what was heard is still to be told

    @property
    def sounding(self) -> bool:
        """Whether something is heard, or what was heard is still to be told."""
        return bool(self.speaker.playing or self._flushes)

    def do(self, action: PlayAudio | EndAudio | FlushPlayback) -> None:
        """Does what the protocol wants of the voice."""
        match action:
            case PlayAudio(item_id, pcm):
                self._unplayed.written(item_id, pcm, behind=self.speaker.playing)
                self.speaker.write(item_id, pcm)
            case EndAudio(item_id):
                self.speaker.end(item_id)
            case FlushPlayback():
                self.stop()

    def stop(self) -> None:
        """Stops the agent's voice."""
        self._flushes += 1
        self._start(self._flushed(self.speaker.flush()))

    async def _flushed(self, flush: Awaitable[list[tuple[str, float]]]) -> None:
        try:
            for item_id, played_ms in await flush:
                self._protocol.receive_flushed(item_id, played_ms)
        finally:
            self._flushes -= 1
        self._proceed()

    def end_what_is_too_long(self) -> bool:
        """Interrupts an answer of which nobody could want to hear all that waits; tells whether
        there was one."""
        if not self._unplayed.too_long:
            return False
        self._unplayed = Unplayed()
        logger.warning(TOO_LONG)
        self._observers.show(lambda observer: show_problem(observer, TOO_LONG))
        self._protocol.interrupt()
        return True

    # --- what was heard ---

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio that the speaker played from ``t_s`` on."""
        self._unplayed.played(item_id, pcm)
        self._writing.played(item_id, pcm, t_s)

    def reported(self, report: PlaybackReport) -> None:
        """Takes a report of the speaker: folds it in, records and shows it."""
        self._protocol.receive_playback(report)
        if report.kind in ("finished", "flushed"):
            self._unplayed.over(report.item_id)
            if self._protocol.typed_waits:
                asyncio.get_running_loop().call_soon(self._proceed)  # once the speaker knows it
        self._writing.write(lambda recorder: recorder.playback(report))
        self._observers.show(lambda observer: observer.playback(report))
