"""Over WebRTC the server tells what is played; no audio is in any event."""

from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, PlaybackReport


def conversation(items: int = 1) -> Conversation:
    folded = Conversation()
    tell(folded, 0.0, "response.created", response={"id": "r", "status": "in_progress"})
    for number in range(items):
        item = {"id": f"a{number}", "type": "message", "role": "assistant"}
        tell(folded, 0.1, "response.output_item.added", item=item, response_id="r")
    return folded


def tell(folded: Conversation, t_s: float | None, name: str, **fields: Any) -> None:
    folded.apply(ev.parse_server({"type": name, **fields}), t_s)


def played(folded: Conversation, *steps: tuple[str, float | None]) -> None:
    for step, t_s in steps:
        tell(folded, t_s, f"output_audio_buffer.{step}", response_id="r")


def test_what_was_heard_to_its_end() -> None:
    folded = conversation()
    played(folded, ("started", 1.0), ("stopped", 2.95))
    item = folded.items["a0"]
    assert (item.played_s, item.stopped_s, item.played_ms) == (1.0, 2.95, 1_950.0)
    assert item.played_by == "server" and item.playback == "finished" and not item.interrupted


@pytest.mark.parametrize("truncated_first", [True, False])
def test_what_was_cut_off_was_played_until_there(truncated_first: bool) -> None:
    folded = conversation()
    played(folded, ("started", 1.0))
    steps = [("cleared", 1.96), ("truncated", 1.97)]
    for step, t_s in steps[::-1] if truncated_first else steps:
        if step == "cleared":
            played(folded, (step, t_s))
        else:
            tell(folded, t_s, "conversation.item.truncated", item_id="a0", audio_end_ms=930)
    item = folded.items["a0"]
    assert (item.played_ms, item.stopped_s) == (930.0, 1.96)
    assert item.playback == "flushed"


def test_of_several_messages_or_without_times_the_length_is_unknown() -> None:
    several = conversation(items=2)
    played(several, ("started", 1.0), ("stopped", 3.0))
    assert [math.isnan(item.played_ms or 0) for item in several.items.values()] == [True, True]
    untimed = conversation()
    played(untimed, ("started", None), ("stopped", None))
    assert math.isnan(untimed.items["a0"].played_ms or 0)
    assert untimed.items["a0"].playback == "finished"


def test_an_own_device_knows_better() -> None:
    folded = conversation()
    folded.apply_playback(PlaybackReport("a0", 0.0, "started", 1.0))
    played(folded, ("started", 1.5), ("cleared", 2.0))
    assert (folded.items["a0"].played_s, folded.items["a0"].stopped_s) == (1.0, None)


def test_what_names_no_response_says_nothing() -> None:
    folded = conversation()
    tell(folded, 1.0, "output_audio_buffer.started")
    played(folded, ("stopped", 2.0))
    assert folded.items["a0"].played_ms is None
