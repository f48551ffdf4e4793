from __future__ import annotations

import threading
from collections.abc import Callable

from realtime_nb.widgets.feed import Feed

PATIENCE_S = 5.0


class Sent:
    """Counts, and lets a test wait for the next."""

    def __init__(self) -> None:
        self.count = 0
        self.threads: list[str] = []
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self.threads.append(threading.current_thread().name)
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, PATIENCE_S)


def feed_threads() -> int:
    return sum(thread.name == "realtime_nb feed" for thread in threading.enumerate())


def test_many_changes_are_sent_at_once_and_from_elsewhere() -> None:
    sent = Sent()
    feed = Feed(sent, interval_s=0.02)
    for _ in range(1_000):
        feed.changed()
    assert sent.until(lambda: sent.count >= 1)
    assert set(sent.threads) == {"realtime_nb feed"}
    assert sent.count < 100
    feed.close()


def test_each_change_is_sent_after_it_was_made() -> None:
    made = 0
    seen: list[int] = []
    arrived = threading.Event()

    def send() -> None:
        seen.append(made)
        if made == 500:
            arrived.set()

    feed = Feed(send, interval_s=0.001)
    while made < 500:
        made += 1
        feed.changed()
    assert arrived.wait(PATIENCE_S)
    feed.close()


def test_flush_sends_now_on_this_thread() -> None:
    sent = Sent()
    feed = Feed(sent)
    feed.flush()
    assert sent.threads == [threading.current_thread().name]


def test_nothing_is_sent_once_it_is_closed() -> None:
    sent = Sent()
    feed = Feed(sent, interval_s=60)
    feed.changed()
    before = feed_threads()
    assert before == 1
    feed.close()
    feed.changed()
    feed.flush()
    for thread in threading.enumerate():
        if thread.name == "realtime_nb feed":
            thread.join(PATIENCE_S)
    assert (sent.count, feed_threads()) == (0, 0)
