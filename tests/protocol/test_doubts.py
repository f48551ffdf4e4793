"""What is in doubt is unknown, with its reason, and nothing else is."""

from __future__ import annotations

import math
from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.doubts import Doubts


def answered() -> Conversation:
    folded = Conversation()
    events: list[dict[str, Any]] = []
    for n in (1, 2):
        item = {"id": f"a{n}", "type": "message", "role": "assistant"}
        ids = {"response_id": f"r{n}", "item_id": f"a{n}"}
        speech = {"type": "input_audio_buffer.speech_started", "item_id": f"u{n}"}
        events += [
            {**speech, "audio_start_ms": 1_000 * n},
            {"type": "response.created", "response": {"id": f"r{n}", "status": "in_progress"}},
            {"type": "response.output_item.added", "item": item, "response_id": f"r{n}"},
            {"type": "response.output_audio.delta", "delta": "AAAA" * 160, **ids},
        ]
    for t_s, event in enumerate(events):
        folded.apply(ev.parse_server(event), float(t_s))
    return folded


def test_times_and_lengths_of_what_is_doubted_are_unknown() -> None:
    folded = answered()

    Doubts(records={"r1": "lost", "a1": "lost"}, speech={1: "moved"}).cast_on(folded)

    first, second = folded.items["a1"], folded.items["a2"]
    assert (first.doubt, first.first_audio_s) == ("lost", None)
    assert math.isnan(first.audio_ms) and second.audio_ms == 10.0
    assert folded.responses["r1"].created_s is None
    assert folded.responses["r2"].created_s == 5.0 and second.doubt is None
    assert folded.speech[0].audio_start_ms == 1_000
    assert math.isnan(folded.speech[1].audio_start_ms) and folded.speech[1].doubt == "moved"
