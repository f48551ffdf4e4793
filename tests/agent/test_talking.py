from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from realtime_nb.agent import talking as agent_turns
from realtime_nb.agent.talking import UserTurns
from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol import turn_detection
from realtime_nb.protocol.turn_detection import Eagerness

SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 40}


class Audio:
    """A microphone that tells what it was told."""

    def __init__(self, session: Session) -> None:
        self.told: list[str] = []
        self.kept_ms = 0.0
        self.opening = asyncio.Event()
        self.opening.set()
        self._session = session

    async def listen(self) -> None:
        self.told.append("listen")

    async def reachable(self) -> None:
        pass

    async def talk(self) -> None:
        await self.opening.wait()
        self.told.append("talk")

    async def hush(self) -> None:
        self.told.append("hush")

    async def send_kept(self) -> None:
        self.told.append("send_kept")
        self._session.uncommitted_ms, self.kept_ms = self.kept_ms, 0.0

    def forget(self) -> None:
        self.told.append("forget")


class Panel:
    def __init__(self) -> None:
        self.talking = False

    def set(self, talking: bool) -> None:
        self.talking = talking


class Session:
    """Keeps what it is asked to do."""

    pace = 1.0
    busy = False
    closed = False

    def __init__(self, detection: dict[str, Any] | None) -> None:
        self.turn_detection = detection
        self.conversation = self
        self.speaker = self
        self.playing = False
        self.uncommitted_ms = 0.0
        self.done: list[str] = []
        self.appended: list[tuple[float, int]] = []
        self.refuses = False

    def clock(self) -> float:
        return time.monotonic()

    async def append(self, pcm: bytes, captured_s: float) -> None:
        if self.refuses:
            raise SessionClosedError("It is over.")
        assert not any(pcm)
        self.appended.append((captured_s, len(pcm) // 48))

    async def interrupt(self) -> None:
        self.done.append("interrupt")

    async def clear(self) -> None:
        self.done.append("clear")

    async def commit(self) -> None:
        self.done.append("commit")

    async def create_response(self) -> None:
        self.done.append("create_response")


class Made:
    def __init__(self, push_to_talk: bool) -> None:
        self.session = Session(None if push_to_talk else SERVER_VAD)
        self.panel = Panel()
        self.audio = Audio(self.session)
        self.turns = UserTurns(self.audio, self.panel)  # type: ignore[arg-type]

    async def begin(self) -> None:
        await self.turns.begin(self.session)  # type: ignore[arg-type]


@pytest.fixture
def hands_free(monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(agent_turns, "_SILENCE_MARGIN_MS", 80)
    return Made(push_to_talk=False)


@pytest.fixture
def by_hand() -> Made:
    return Made(push_to_talk=True)


async def test_a_turn_that_the_server_ends_is_followed_by_silence(hands_free: Made) -> None:
    turns, session = hands_free.turns, hands_free.session
    await turns.listen(turns.stops)
    await hands_free.begin()
    talking = [hands_free.panel.talking]
    await turns.stop()
    assert [*talking, hands_free.panel.talking] == [True, False]
    assert hands_free.audio.told == ["listen", "talk", "hush"]
    await turns.fallen_silent()
    count = len(session.appended)
    assert 3 <= count <= 5  # on a busy machine a chunk more leaves before it is over
    assert {length_ms for _, length_ms in session.appended} == {40}
    captured_s = [at_s for at_s, _ in session.appended]
    assert captured_s[2] - captured_s[0] == pytest.approx(0.08, abs=0.001)
    assert session.done == []
    await turns.stop()  # once more: there is no turn left to end
    assert len(session.appended) == count


async def test_semantic_turn_detection_gets_the_longest_silence(
    hands_free: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_detection, "EAGERNESS", {"low": Eagerness(80, 160)})
    hands_free.session.turn_detection = {"type": "semantic_vad"}
    await hands_free.turns.listen(hands_free.turns.stops)
    await hands_free.begin()
    await hands_free.turns.stop()
    await hands_free.turns.fallen_silent()
    assert 6 <= len(hands_free.session.appended) <= 8


async def test_the_next_turn_and_the_sessions_end_cut_the_silence(hands_free: Made) -> None:
    for cut in (hands_free.begin, hands_free.turns.end):
        hands_free.session.turn_detection = {"silence_duration_ms": 60_000}
        await hands_free.turns.listen(hands_free.turns.stops)
        await hands_free.begin()
        await hands_free.turns.stop()
        silence = hands_free.turns._silence
        assert silence is not None
        await hands_free.turns.listen(hands_free.turns.stops)
        await cut()
        await asyncio.wait([silence], timeout=5)
        assert silence.cancelled()


async def test_a_session_that_is_over_takes_no_silence(hands_free: Made) -> None:
    hands_free.session.refuses = True
    await hands_free.turns.listen(hands_free.turns.stops)
    await hands_free.begin()
    await hands_free.turns.stop()
    silence = hands_free.turns._silence
    assert silence is not None
    await asyncio.wait_for(silence, 5)
    await hands_free.turns.listen(hands_free.turns.stops)
    await hands_free.begin()
    hands_free.session.closed = True
    await hands_free.turns.stop()
    assert hands_free.turns._silence is None


@pytest.mark.parametrize(
    ("said_ms", "done"),
    [(400.0, ["commit", "create_response"]), (40.0, ["clear"]), (0.0, [])],
)
async def test_letting_the_key_go_commits_what_was_said(
    by_hand: Made, said_ms: float, done: list[str]
) -> None:
    await by_hand.turns.listen(by_hand.turns.stops)
    await by_hand.begin()
    by_hand.session.uncommitted_ms = said_ms
    await by_hand.turns.stop()
    assert by_hand.session.done == done


async def test_pressing_the_key_takes_the_floor(by_hand: Made) -> None:
    by_hand.session.playing = True
    by_hand.session.uncommitted_ms = 300.0
    await by_hand.turns.listen(by_hand.turns.stops)
    await by_hand.begin()
    assert by_hand.session.done == ["interrupt", "clear"]


async def test_stop_before_the_session_is_open_ends_the_turn_then(by_hand: Made) -> None:
    await by_hand.turns.listen(by_hand.turns.stops)
    by_hand.audio.kept_ms = 500.0
    await by_hand.turns.stop()
    assert by_hand.session.done == []
    await by_hand.begin()
    assert by_hand.audio.told == ["listen", "hush", "send_kept"]
    assert by_hand.session.done == ["commit", "create_response"]
    assert not by_hand.panel.talking


async def test_stop_before_anything_was_said_does_nothing(by_hand: Made) -> None:
    by_hand.session.playing = True
    await by_hand.turns.listen(by_hand.turns.stops)
    await by_hand.turns.stop()
    await by_hand.begin()
    assert by_hand.audio.told == ["listen", "hush"]
    assert by_hand.session.done == []


async def test_stop_waits_for_a_microphone_that_is_being_opened(by_hand: Made) -> None:
    by_hand.audio.opening.clear()
    await by_hand.turns.listen(by_hand.turns.stops)
    beginning = asyncio.create_task(by_hand.begin())
    await asyncio.sleep(0)
    by_hand.session.uncommitted_ms = 400.0
    stopping = asyncio.create_task(by_hand.turns.stop())
    await asyncio.sleep(0)
    by_hand.audio.opening.set()
    await asyncio.gather(beginning, stopping)
    assert by_hand.audio.told == ["listen", "talk", "hush"]
    assert by_hand.session.done[-2:] == ["commit", "create_response"]
    assert not by_hand.panel.talking


async def test_a_session_that_ends_while_the_microphone_opens_closes_it(by_hand: Made) -> None:
    by_hand.audio.opening.clear()
    await by_hand.turns.listen(by_hand.turns.stops)
    beginning = asyncio.create_task(by_hand.begin())
    await asyncio.sleep(0)
    await by_hand.turns.end()
    by_hand.audio.opening.set()
    await beginning
    assert by_hand.audio.told == ["listen", "talk", "hush"]
    assert not by_hand.panel.talking


async def test_without_a_session_what_was_kept_is_dropped(by_hand: Made) -> None:
    await by_hand.turns.listen(by_hand.turns.stops)
    await by_hand.turns.give_up()
    assert by_hand.audio.told == ["listen", "hush", "forget"]


async def test_a_look_whether_the_microphone_is_on_again_ends_with_the_session(
    hands_free: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_turns, "_BACK_DUE_S", 60.0)
    before = asyncio.all_tasks()
    hands_free.turns.went_off(hands_free.audio)  # type: ignore[arg-type]
    assert len(asyncio.all_tasks() - before) == 1
    await hands_free.turns.end()
    assert asyncio.all_tasks() == before
