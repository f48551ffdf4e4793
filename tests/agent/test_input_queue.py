from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from realtime_nb.agent import input_queue as queued_input
from realtime_nb.agent.input_queue import MAX_KEPT_MS, MAX_QUEUED_MS, QueuedInput
from realtime_nb.agent.io_thread import IoThread
from tests.agent import agents
from tests.agent.agents import CHUNK, Ears

thread = agents.thread


class Way:
    """The queue, its session and what people are told. Made where they live."""

    def __init__(self, thread: IoThread) -> None:
        self.problems: list[str] = []
        self.queue = QueuedInput(thread, self.problems.append)
        self.ears = Ears()

    def start(self) -> None:
        self.queue.start(self.ears)  # type: ignore[arg-type]


async def test_audio_waits_for_its_turn_and_no_longer_than_two_seconds(thread: IoThread) -> None:
    way = Way(thread)
    queued, ears = way.queue, way.ears
    queued.put(CHUNK, 0.0)  # not open yet
    way.start()
    queued.put(CHUNK, 0.0)
    queued.open = True
    ears.free.clear()
    for _ in range(2 * MAX_QUEUED_MS // 40):
        queued.put(CHUNK, 0.0)
        await asyncio.sleep(0)
    assert queued.dropped_ms > 0
    ears.free.set()
    await queued.sent()
    assert MAX_QUEUED_MS <= 40 * len(ears.heard) <= MAX_QUEUED_MS + 120
    assert 40 * len(ears.heard) + queued.dropped_ms == 2 * MAX_QUEUED_MS
    assert way.problems == ["The connection is too slow: microphone audio is being dropped."]
    await queued.stop()


async def test_nobody_waits_for_audio_that_a_closed_session_will_not_take(thread: IoThread) -> None:
    way = Way(thread)
    way.start()
    way.queue.open = way.ears.closed = True
    way.queue.put(CHUNK, 0.0)
    way.queue.put(CHUNK, 0.0)
    await way.queue.sent()
    await way.queue.stop()
    await way.queue.sent()
    assert way.ears.heard == []


def chunks(count: int, start: int = 0) -> list[bytes]:
    return [n.to_bytes(2, "little") * 960 for n in range(start, start + count)]


async def test_what_is_held_is_sent_later_in_order(thread: IoThread) -> None:
    way = Way(thread)
    said = chunks(100)
    way.queue.hold()
    for chunk in said[:40]:
        way.queue.put(chunk, 0.0)
    way.start()  # connected, and not to be sent yet
    await way.queue.sent()
    assert way.ears.heard == []
    for chunk in said[40:60]:
        way.queue.put(chunk, 0.0)
    assert way.queue.queued_ms == 2400
    way.queue.flow()
    for chunk in said[60:]:  # beyond the usual two seconds until the rest has gone
        way.queue.put(chunk, 0.0)
    await way.queue.sent()
    assert way.ears.heard == said
    assert (way.queue.dropped_ms, way.problems) == (0, [])
    way.ears.free.clear()
    for _ in range(2 * MAX_QUEUED_MS // 40):
        way.queue.put(CHUNK, 0.0)
    assert way.queue.dropped_ms > 0
    await way.queue.stop()


async def test_of_more_than_ten_seconds_the_last_are_kept_and_the_rest_is_told(
    thread: IoThread,
) -> None:
    way = Way(thread)
    said = chunks(MAX_KEPT_MS // 40 + 50)
    way.queue.hold()
    for chunk in said:
        way.queue.put(chunk, 0.0)
    way.start()
    assert way.problems == []
    way.queue.flow()
    await way.queue.sent()
    assert way.ears.heard == said[-len(way.ears.heard) :]
    assert MAX_KEPT_MS <= 40 * len(way.ears.heard) <= MAX_KEPT_MS + 40
    assert way.queue.dropped_ms == pytest.approx(40 * (len(said) - len(way.ears.heard)))
    words = "Connecting took long: the first 2.0 s of what you said were left out."
    assert way.problems == [words]
    await way.queue.stop()


async def test_what_is_held_can_be_forgotten(thread: IoThread) -> None:
    way = Way(thread)
    way.queue.hold()
    way.queue.put(CHUNK, 0.0)
    way.start()
    way.queue.forget()
    way.queue.flow()
    await way.queue.sent()
    assert way.ears.heard == []
    way.queue.hold()
    way.queue.put(CHUNK, 0.0)
    await way.queue.stop()
    assert way.queue.queued_ms == 0


async def test_the_session_is_told_when_it_was_captured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(queued_input, "monotonic", lambda: now_s[0])
    here = SimpleNamespace(call=lambda function, *values: function(*values))
    way = Way(cast(IoThread, here))
    monkeypatch.setattr(way.ears, "clock", lambda: now_s[0] - 99.0)
    way.queue.hold()
    way.queue.push(CHUNK, 99.75)
    way.queue.put(CHUNK, 100.0)
    now_s[0] = 100.5
    way.queue.put(CHUNK, 100.5)
    now_s[0] = 101.0
    way.start()
    way.queue.flow()
    await way.queue.sent()
    assert way.ears.captured_s == pytest.approx([0.75, 1.0, 1.5])
    way.queue.hold()
    way.queue.push(CHUNK, 96.0)  # before the session began
    way.queue.flow()
    await way.queue.sent()
    assert way.ears.captured_s[-1] == -3.0
    await way.queue.stop()
