"""Playback as a server's media side tells it: over WebRTC and SIP, where no audio is on the wire.

``output_audio_buffer.started``, ``stopped`` and ``cleared`` name a response. Of one with several
messages nothing tells how much of each was played.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import Item, PlaybackState, Response

__all__ = ["apply_server_playback", "cut_at"]


def apply_server_playback(
    event: ev.OutputAudioBufferEvent,
    t_s: float | None,
    response: Response | None,
    known: Mapping[str, Item],
) -> None:
    """Takes in that the audio of a response begins or ends to be played.

    What a device of one's own has reported is more exact, and stays.

    Args:
        event: the report.
        t_s: when it came.
        response: the one that it names, None where it is not known.
        known: the items of the conversation.
    """
    ids = () if response is None else response.item_ids
    items = [known[one] for one in ids if one in known and known[one].type == "message"]
    if any(item.played_by == "device" for item in items):
        return
    if isinstance(event, ev.OutputAudioBufferStarted):
        for item in items[:1]:
            item.played_by, item.playback = "server", "playing"
            item.played_s, item.played_ms = t_s, 0.0
        return
    begun = [item for item in items if item.playback == "playing"]
    if not begun:
        return
    ended: PlaybackState = "flushed"
    if isinstance(event, ev.OutputAudioBufferStopped):
        ended = "finished"
    started_s = begun[0].played_s
    unknown = t_s is None or started_s is None or len(items) > 1
    played_ms = math.nan if unknown else round((t_s - started_s) * 1000, 3)  # type: ignore[operator]
    for item in items:
        item.played_by, item.playback, item.played_ms = "server", ended, played_ms
    items[-1].stopped_s = t_s
    if items[0].truncated_ms is not None:
        cut_at(items[0], items[0].truncated_ms)


def cut_at(item: Item, audio_end_ms: int) -> None:
    """Takes in where the server cut an item; one that it plays itself was played until there."""
    item.truncated_ms = audio_end_ms
    if item.played_by == "server" and item.playback == "flushed":
        item.played_ms = float(audio_end_ms)
