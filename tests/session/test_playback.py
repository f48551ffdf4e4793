from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest

from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.client_actions import EndAudio, FlushPlayback, PlayAudio
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session import unplayed
from realtime_nb.session.observers import Observers
from realtime_nb.session.playback import Playback
from realtime_nb.session.writing import Writing
from tests.session.test_unplayed import Told

SECOND = bytes(48_000)


class Speaker:
    """Notes what it is asked, and is silent when it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.playing = False
        self.silent: asyncio.Future[list[tuple[str, float]]] = asyncio.Future()

    def write(self, item_id: str, pcm: bytes) -> None:
        self.asked.append(("write", item_id, len(pcm)))
        self.playing = True

    def end(self, item_id: str) -> None:
        self.asked.append(("end", item_id))

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        self.asked.append(("flush",))
        return self.silent

    async def close(self) -> None: ...


class Played:
    """Playback with everything around it."""

    def __init__(self) -> None:
        self.protocol = ClientProtocol(lambda prefix: f"{prefix}_1")
        self.told = Told()
        self.proceeded = 0
        self.tasks: list[asyncio.Task[None]] = []
        observers = Observers()
        observers.add(self.told)
        writing = Writing(None, lambda failure: None)
        self.playback = Playback(
            self.protocol, writing, observers, start=self._start, proceed=self._proceed
        )
        self.speaker = self.playback.speaker = Speaker()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _proceed(self) -> None:
        self.proceeded += 1


async def test_the_speaker_gets_what_the_protocol_wants() -> None:
    one = Played()
    assert not one.playback.sounding
    one.playback.do(PlayAudio("a", SECOND))
    one.playback.do(EndAudio("a"))
    assert one.speaker.asked == [("write", "a", 48_000), ("end", "a")]
    assert one.playback.sounding


async def test_it_sounds_until_it_was_told_what_was_heard() -> None:
    one = Played()
    one.playback.do(PlayAudio("a", SECOND))
    one.playback.do(FlushPlayback())
    one.speaker.playing = False
    before = (one.playback.sounding, one.proceeded)
    one.speaker.silent.set_result([("a", 250.0)])
    await asyncio.gather(*one.tasks)
    after = (one.playback.sounding, one.proceeded)
    assert (before, after) == ((True, 0), (False, 1))  # to proceed tells the server


async def test_reports_are_folded_in() -> None:
    one = Played()
    one.playback.reported(PlaybackReport("a", 0.0, "started", 1.0))
    one.playback.reported(PlaybackReport("a", 300.0, "finished", 1.3))
    item = one.protocol.conversation.items["a"]
    assert (item.played_s, item.played_ms, item.playback) == (1.0, 300.0, "finished")


@pytest.mark.parametrize(
    ("heard", "ends"), [(None, True), ("played", False), ("finished", False), ("flushed", False)]
)
async def test_too_much_to_hear_ends_and_is_told_once(
    heard: str | None, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplayed, "MOST_UNPLAYED_MS", 1_500)
    one = Played()
    one.playback.do(PlayAudio("a", SECOND))
    if heard == "played":
        one.playback.played("a", SECOND, 0.0)
    elif heard is not None:
        one.playback.reported(PlaybackReport("a", 0.0, heard, 1.0))  # type: ignore[arg-type]
    one.playback.do(PlayAudio("b", SECOND))
    assert one.playback.end_what_is_too_long() is ends
    assert one.told.problems == [unplayed.TOO_LONG] * ends
    assert not one.playback.end_what_is_too_long()
