"""A player for a clip of a recording."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_nb.analysis.clips import ClipSound, RecordingClip, interleaved
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sound_view import SoundView
from realtime_nb.widgets.timeline_sound import MAX_BLOCK_S
from realtime_nb.widgets.view import Outgoing

__all__ = ["ClipView", "show_clip"]


class ClipView(SoundView):
    """Plays a clip in a notebook; its sound stays in the kernel until it is heard.

    Args:
        sound: What ``clip.audio()`` returned.
    """

    _esm = module_text("clip_view.js")

    def __init__(self, sound: ClipSound) -> None:
        self._told = sound
        super().__init__()

    def summary(self) -> str:
        """Returns what it is, and how to hear it."""
        return self._told.statement()

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        if afresh:
            clip = self._told.clip
            yield {"kind": "clip", "name": clip.name, "range": (clip.start_s, clip.end_s)}, []

    def _block(self, start_s: float, end_s: float) -> bytes | None:
        clip = self._told.clip
        start_s = max(start_s, clip.start_s)
        end_s = min(end_s, start_s + MAX_BLOCK_S, clip.end_s)
        if not start_s < end_s:
            return None
        part = RecordingClip(clip.recording, start_s, end_s)
        return interleaved(part.user, part.agent)


def show_clip(sound: ClipSound) -> None:
    """Shows a player in the cell that runs."""
    ClipView(sound)._ipython_display_()
