"""How a session is written down: by its recorder, if it has one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import RecordingError, SessionClosedError

__all__ = ["Writing"]


class Writing:
    """The recorder of one session.

    Args:
        recorder: None records nothing.
        failed: takes why nothing is recorded any more, once.
    """

    def __init__(self, recorder: Recorder | None, failed: Callable[[RecordingError], None]) -> None:
        self.recorder = recorder
        self._failed = failed
        self._has_failed = False

    def write(self, write: Callable[[Recorder], None]) -> None:
        """Writes something down; a recording that fails has an end, but no silent gap."""
        if self.recorder is None or self._has_failed:
            return
        try:
            write(self.recorder)
        except RecordingError as error:
            self._has_failed = True
            self._failed(error)

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio that the speaker played from ``t_s`` on."""
        self.write(lambda recorder: recorder.played(item_id, pcm, t_s))

    def note(self, **facts: object) -> None:
        """Adds facts to ``session.json``."""
        self.write(lambda recorder: recorder.note(**facts))

    def label(self, t_s: float, text: str) -> None:
        """Adds a person's mark."""
        self.write(lambda recorder: recorder.label(t_s, text))

    async def close(self, complete: bool, duration_s: float, ended: SessionClosedError) -> None:
        """Completes the recording.

        Raises:
            RecordingError: it could not be completed.
        """
        if self.recorder is None:
            return
        await asyncio.to_thread(
            self.recorder.close,
            complete,
            duration_s=duration_s,
            close_code=ended.close_code,
            close_reason=ended.reason,
        )
