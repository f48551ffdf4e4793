"""Long conversations: what an item costs does not depend on how many there are."""

from __future__ import annotations

import gc
import time
from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.testing import CountingIds, LoudnessDetector

FEW, MANY = 1_000, 8_000


def fold_s(count: int) -> float:
    """Seconds of processor time for so many items: spoken, answered and typed in turns."""
    conversation, previous = Conversation(), None
    began_s = time.thread_time()
    for number in range(count):
        item_id = f"item_{number}"
        item: dict[str, Any] = {"id": item_id, "type": "message", "role": "user"}
        if number % 3 == 0:
            for event in spoken(number, item_id):
                conversation.apply(ev.parse_server({"event_id": "e", **event}))
            item["content"] = [{"type": "input_audio", "transcript": "x"}]
        elif number % 3 == 1:
            item |= {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
        else:
            item["content"] = [{"type": "input_text", "text": "x"}]
        for kind in ("conversation.item.added", "conversation.item.done"):
            added = {"type": kind, "event_id": "e", "previous_item_id": previous, "item": item}
            conversation.apply(ev.parse_server(added))
        previous = item_id
    assert len(conversation.order) == count
    return time.thread_time() - began_s


def spoken(number: int, item_id: str) -> list[dict[str, Any]]:
    start_ms = 100 * number
    return [
        {
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": start_ms,
            "item_id": item_id,
        },
        {
            "type": "input_audio_buffer.speech_stopped",
            "audio_end_ms": start_ms + 50,
            "item_id": item_id,
        },
        {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None},
    ]


def serve_s(count: int) -> float:
    core = ServerProtocol(
        model="m", new_id=CountingIds(), detector_for=LoudnessDetector, expires_at=0
    )
    content = [{"type": "input_text", "text": "x"}]
    item = {"type": "message", "role": "user", "content": content}
    began_s = time.thread_time()
    for _ in range(count):
        core.receive({"type": "conversation.item.create", "item": item})
        core.events_to_send()
    assert len(core.conversation.order) == count
    return time.thread_time() - began_s


def test_folding_and_serving_are_linear_in_items() -> None:
    """Eight times as many take about eight times as long; where each looked at all, 64 times."""
    gc.disable()  # what other tests have left behind would be looked through, and counted here
    try:
        for seconds in (fold_s, serve_s):
            few = min(seconds(FEW) for _ in range(3))
            assert min(seconds(MANY) for _ in range(2)) < 24 * few
    finally:
        gc.enable()


def test_what_a_response_forgets_does_not_depend_on_what_was_heard() -> None:
    """It looks at texts of items that the conversation does not hold, and at no others."""
    conversation = Conversation()
    store = ItemStore(conversation)
    for number in range(MANY):
        store.add({"id": f"i{number}", "type": "message"}, b"", 0.0)
        store.hear(f"i{number}", "x")
    store.hear("apart", "of one response")
    store.hear("waiting", "of one that is to come")
    before, looked = store.heard, list[str]()

    class Watched(dict[str, dict[str, Any]]):
        def __contains__(self, key: object) -> bool:
            looked.append(str(key))
            return super().__contains__(key)

    store._wires = Watched(store._wires)
    store.forget_unheard_of({"waiting"})
    assert store.heard is before
    assert len(looked) <= 2
    assert set(store.heard) == {*(f"i{number}" for number in range(MANY)), "waiting"}
    store.forget_unheard_of(set())
    assert "waiting" not in store.heard
