"""Findings as a table in which each can be listened to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

from realtime_nb.analysis.findings.evidence import Finding
from realtime_nb.analysis.findings.findings import Findings
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.timeline import TimelineData
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.words import clock
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sound_view import SoundView
from realtime_nb.widgets.timeline_sound import Sound
from realtime_nb.widgets.view import Outgoing

__all__ = ["FindingsView", "show_findings"]

_AROUND_S = 0.5
"""So much is heard before a finding and after it."""
_MOMENT_S = 2.0
"""So much is heard after a finding that has no end."""


class FindingsView(SoundView):
    """What :class:`~realtime_nb.analysis.findings.findings.Findings` says, with buttons to listen.

    The page asks for audio while it is listened to; a saved notebook has the table and no sound.

    Args:
        found: What was found in a recording.
    """

    _esm = module_text("findings_view.js")

    def __init__(self, found: Findings) -> None:
        self._found = found
        super().__init__()

    def summary(self) -> str:
        """Returns the findings as text."""
        return repr(self._found)

    def _as_saved(self) -> tuple[str, str]:
        return self.summary(), self._found._repr_html_()

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        if not afresh:
            return
        shown, more = self._found.shown()
        message: PageMessage = {
            "kind": "findings",
            "headline": self._found.headline(),
            "rows": [self._row(one) for one in shown],
            "more": more,
        }
        yield message, []

    def _row(self, one: Finding) -> dict[str, object]:
        span = None if self._sound is None else _heard(one, self._sound)
        return {
            "id": one.id,
            "severity": one.severity,
            "time": clock(one.start_s),
            "text": one.text,
            "suggestion": one.suggestion,
            "range": span,
        }

    @cached_property
    def _sound(self) -> Sound | None:
        """The recording's audio; None where there is none, or it has no place in time."""
        recording = self._found.recording
        data = None if recording is None else _audio_of(recording)
        if data is None:
            return None
        clips = (*data.user, *data.agent, *data.received)
        return Sound(data) if any(len(clip.samples) for clip in clips) else None

    def _block(self, start_s: float, end_s: float) -> bytes | None:
        if self._sound is None:
            return None
        return self._sound.block(max(start_s, self._sound.begin_s), end_s)


def show_findings(found: Findings) -> None:
    """Shows findings in the cell that runs: with buttons, if there is something to listen to."""
    from IPython.display import display

    if found.recording is not None and any(not math.isnan(one.start_s) for one in found):
        FindingsView(found)._ipython_display_()
    else:
        bundle = {"text/plain": repr(found), "text/html": found._repr_html_()}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _audio_of(recording: Recorded) -> TimelineData | None:
    try:
        data = getattr(recording, "timeline_data", None)
    except RecordingError:  # it has no times
        return None
    return data if isinstance(data, TimelineData) else None


def _heard(one: Finding, sound: Sound) -> TimeSpan | None:
    """Returns from when to when to listen; None where there is nothing."""
    if math.isnan(one.start_s):
        return None
    end_s = one.start_s + _MOMENT_S if not one.end_s > one.start_s else one.end_s + _AROUND_S
    start_s = max(sound.begin_s, one.start_s - _AROUND_S)
    end_s = min(sound.duration_s, end_s)
    return (round(start_s, 4), round(end_s, 4)) if start_s < end_s else None
