"""The user's latest audio as it was sent, to tell another server of turns without a transcript.

Positions are those of :class:`~realtime_nb.protocol.user_audio.UserAudio`: milliseconds of all the
audio that was ever sent.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from typing import Protocol

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import PCM, format_of
from realtime_nb.protocol.records import Speech

__all__ = ["LONGEST_TURN_MS", "TurnAudio"]

LONGEST_TURN_MS = 15_000.0
"""Audio of one item; with more, servers refuse the event (this package's from 1 MiB on)."""

_KEPT_MS = 4 * LONGEST_TURN_MS
"""What is kept of the latest audio: 2.9 MB of PCM. Transcripts come within seconds, or never."""

_MOST_TURNS = 64
"""Turns ended by hand that are remembered; earlier ones have lost their audio anyway."""


class Sent(Protocol):
    """What a session knows of the audio that it sent."""

    sent_ms: float
    connection_ms: float
    committed_ms: float
    speech: list[Speech]


class TurnAudio:
    """The latest audio of one session's user, and where in it the turns are.

    Args:
        known: of the same session.
    """

    def __init__(self, known: Sent) -> None:
        self._known = known
        self._format = PCM
        self._kept = bytearray()
        self._end_ms = 0.0
        self._asked: dict[str, tuple[float, float]] = {}  # commits without an answer
        self._by_hand: dict[str, tuple[float, float]] = {}  # item → what was committed

    def sending(self, event: ev.ClientEvent) -> None:
        """Takes note of a commit that is about to be folded in: it takes all since the last one."""
        if isinstance(event, ev.AudioBufferCommit):
            start_ms = max(self._known.committed_ms, self._known.connection_ms)
            self._asked[event.event_id or ""] = start_ms, self._known.sent_ms

    def appended(self, event: ev.AudioBufferAppend, audio_format: object) -> None:
        """Keeps audio that has just been folded in."""
        wire, end_ms = format_of(audio_format), self._known.sent_ms
        try:
            added = base64.b64decode(
                event.audio if isinstance(event.audio, str) else "", None, True
            )
        except (binascii.Error, ValueError):
            added = b""
        follows = self._end_ms + len(added) / wire.bytes_per_ms
        if len(added) % wire.bytes_per_sample or not math.isclose(follows, end_ms, abs_tol=0.01):
            self._kept.clear()  # nobody knows where in it what is
            added = b""
        if wire is not self._format:
            self._kept.clear()
        self._format, self._end_ms = wire, end_ms
        self._kept += added
        del self._kept[: max(0, len(self._kept) - int(_KEPT_MS * wire.bytes_per_ms))]

    def committed(self, item_id: str) -> None:
        """Takes note that the server made an item of audio; commits are answered in order."""
        if self._asked and self._heard(item_id) is None:  # else it was turn detection's
            self._by_hand[item_id] = self._asked.pop(next(iter(self._asked)))
            if len(self._by_hand) > _MOST_TURNS:
                del self._by_hand[next(iter(self._by_hand))]

    def refused(self, event_id: str | None) -> None:
        """Takes note that the server refused an event."""
        self._asked.pop(event_id or "", None)

    def lost(self) -> Iterable[str]:
        """Takes note that the connection is lost; returns the audio of turns that the user had
        ended by hand, and of which the server has not said that it took them."""
        asked = list(self._asked.values())
        self._asked.clear()
        found = [self._between(*turn) for turn in asked]
        return [audio for audio in found if audio is not None]

    def of(self, item_id: str) -> str | None:
        """Returns the audio of a turn as the wire has it; None where it is not there whole, or too
        long for an item."""
        turn = self._by_hand.get(item_id) or self._heard(item_id)
        return None if turn is None else self._between(*turn)

    def _heard(self, item_id: str) -> tuple[float, float] | None:
        """Returns where turn detection heard a turn that it ended itself."""
        for one in reversed(self._known.speech):
            if one.item_id == item_id and one.audio_end_ms is not None:
                return one.audio_start_ms, one.audio_end_ms
        return None

    def _between(self, start_ms: float, end_ms: float) -> str | None:
        if not 0 < end_ms - start_ms <= LONGEST_TURN_MS:
            return None
        sample = self._format.bytes_per_sample
        first_ms = self._end_ms - len(self._kept) / self._format.bytes_per_ms
        start, end = (
            round((at_ms - first_ms) * self._format.bytes_per_ms / sample) * sample
            for at_ms in (start_ms, end_ms)
        )
        if start < 0 or end > len(self._kept):
            return None
        return base64.b64encode(self._kept[start:end]).decode("ascii")
