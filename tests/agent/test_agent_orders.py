"""An agent's verbs in any order, awaited or not: their effects, what `settled` waits for, and how
a session ends by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.agent.agent import Agent
from realtime_nb.agent.io_thread import Pending
from realtime_nb.errors import RealtimeError
from realtime_nb.local.llm import Call
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent, Server, press, said, until

fake_comms, voice, make = agents.fake_comms, agents.voice, agents.make

VERBS = (
    *("say", "type", "update", "talk", "stop", "mute", "interrupt"),
    *("disconnect", "connect", "settled"),
)


@pytest.fixture
def server() -> Iterator[Server]:
    """Answers everything in one short word."""
    made = Server(replies=["Yes."] * 999, word_ms=80)
    yield made
    made.close()


def number_of(event: JsonObject) -> int | None:
    """Which step it came of: of a message or of changed instructions."""
    text = (event.get("session") or {}).get("instructions")
    if event.get("type") == "conversation.item.create":
        text = event["item"].get("content", [{}])[0].get("text")
    name, _, number = str(text).partition(" ")
    return int(number) if name == "step" else None


@dataclass
class Sent:
    """The steps that one session was told of, in their order."""

    messages: list[int] = field(default_factory=list)
    all: list[int] = field(default_factory=list)
    opened: bool = False

    def event(self, event: WireEvent) -> None:
        if event.direction != "sent":
            return
        number = number_of(event.raw)
        if number is not None and self.opened:  # what opens it asks for settings of long ago
            self.all.append(number)
            if event.raw["type"] == "conversation.item.create":
                self.messages.append(number)

    def playback(self, report: PlaybackReport) -> None: ...

    def tool(self, report: ToolReport) -> None: ...


class Asking:
    """An agent that is asked for one thing after the other."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.sessions: list[Sent] = []
        self.asked: list[Pending[Any]] = []
        self.too_early: list[int] = []
        follow = agent._views.follow

        def followed(session: rt.Session) -> None:
            follow(session)
            self.sessions.append(Sent())
            session.observe(self.sessions[-1])

        agent._views.follow = followed  # type: ignore[method-assign]
        connect = agent._connect

        async def connected() -> rt.Session:
            session = await connect()
            self.sessions[-1].opened = True
            return session

        agent._connect = connected  # type: ignore[method-assign]

    def do(self, number: int, verb: str, waits: bool) -> None:
        agent, before = self.agent, list(self.asked)
        if verb == "type":
            press(agent, "say", f"step {number}")
            return
        verbs: dict[str, Callable[[], Pending[Any]]] = {
            "say": lambda: agent.say(f"step {number}"),
            "update": lambda: agent.update(instructions=f"step {number}"),
            "mute": lambda: agent.mute(number % 2 == 0),
            "settled": lambda: agent.settled(WAIT_S),
        }
        ask: Callable[[], Pending[Any]] = verbs.get(verb) or getattr(agent, verb)
        pending = ask()
        if verb != "settled":  # which waits for verbs, not for its like
            self.asked.append(pending)
        else:
            pending.then(lambda done: self._settled(number, done, before))
        if waits:
            outcome(pending)

    def _settled(self, number: int, done: Any, before: list[Pending[Any]]) -> None:
        if done.exception() is None and not all(pending.done() for pending in before):
            self.too_early.append(number)


def outcome(pending: Pending[Any]) -> object:
    """What came of a verb, soon; one that a Disconnect withdrew has an error of ours."""
    try:
        return pending.result(WAIT_S)
    except RealtimeError as error:
        return error


@example(steps=[("say", False), ("disconnect", False), ("say", False), ("update", False)])
@example(steps=[("say", False), ("update", False), ("type", False), ("settled", False)])
@example(steps=[("talk", False), ("disconnect", False), ("disconnect", False), ("say", False)])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(st.sampled_from(VERBS), st.booleans()), min_size=2, max_size=9))
def test_verbs_keep_their_order_whatever_is_awaited(
    make: MakeAgent, steps: list[tuple[str, bool]]
) -> None:
    agent = make(record=None)
    asking = Asking(agent)
    try:
        for number, (verb, waits) in enumerate(steps):
            asking.do(number, verb, waits)
        assert outcome(agent.settled(WAIT_S)) is True
        assert asking.too_early == []
        assert all(pending.done() for pending in asking.asked)
        check_order(asking, steps)
    finally:
        agent.close()


def check_order(asking: Asking, steps: list[tuple[str, bool]]) -> None:
    verbs = [verb for verb, _ in steps]
    messages = [number for session in asking.sessions for number in session.messages]
    told = [number for number, verb in enumerate(verbs) if verb in ("say", "type")]
    assert messages == sorted(set(messages)), "each once, in the order of asking"
    assert set(messages) <= set(told)
    for session in asking.sessions:
        assert session.all == sorted(session.all), "messages and settings, too"
    last_end = max((n for n, verb in enumerate(verbs) if verb == "disconnect"), default=-1)
    left = [number for number in told if number > last_end]
    assert [number for number in messages if number > last_end] == left, "nobody withdrew these"
    agent = asking.agent
    if left:
        assert agent.connected
    if left and "interrupt" not in verbs[left[-1] :]:
        assert said(agent)[-1] == ("assistant", "Yes.")
    mutes = [number for number, verb in enumerate(verbs) if verb == "mute"]
    assert agent.panel.muted == (bool(mutes) and mutes[-1] % 2 == 0)
    updates = [number for number, verb in enumerate(verbs) if verb == "update"]
    if updates and updates[-1] > last_end:
        assert agent._options.session["instructions"] == f"step {updates[-1]}"
        if agent.connected:
            assert agent.conversation.session["instructions"] == f"step {updates[-1]}"


# --- a session that ends by itself ---


@pytest.mark.parametrize("after", ["playback", "now"])
def test_a_session_that_was_hung_up_is_told_and_another_can_be_opened(
    make: MakeAgent, after: Literal["playback", "now"]
) -> None:
    agent = make()
    agent.say("Hello").result(WAIT_S)
    assert agent.session is not None
    agent.session.hang_up(after=after)
    until(lambda: agent.status == "disconnected" and bool(agent.panel.error))
    assert agent.panel.error == "The agent hung up. Press Connect for a new session."
    assert not agent.connected
    assert not agent.panel.answering
    assert agent.settled().result(WAIT_S)
    assert agent.recording is not None
    rec = rt.load(agent.recording)
    assert rec.problems == []
    if after == "playback":
        assert said(agent) == [("user", "Hello"), ("assistant", "Yes.")]
    agent.say("Are you there?").result(WAIT_S)
    assert agent.panel.error == ""
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "Are you there?"), ("assistant", "Yes.")]


def test_a_function_that_hangs_up_is_heard_to_its_end_first(make: MakeAgent) -> None:
    def bye(session: rt.Session) -> str:
        """Ends the call."""
        session.hang_up(after="playback")
        return "Ended."

    made = Server(replies=[Call("bye", "{}"), "Good bye then."])
    try:
        agent = make(endpoint=made.local.url, tools=bye)
        agent.say("That was all.").result(WAIT_S)
        until(lambda: agent.panel.error.startswith("The agent hung up"))
        conversation = agent.conversation
        [spoken] = [item for item in conversation.in_order() if item.role == "assistant"]
        assert (spoken.text, spoken.playback) == ("Good bye then.", "finished")
        assert [call.output for call in conversation.calls.values()] == ["Ended."]
    finally:
        made.close()


def test_who_disconnects_is_not_told_that_the_agent_hung_up(make: MakeAgent) -> None:
    agent = make()
    agent.say("Hello").result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    assert agent.panel.error == ""
    agent.connect().result(WAIT_S)
    assert agent.session is not None
    agent.session.hang_up(after="playback")
    agent.disconnect().result(WAIT_S)
    assert not agent.connected
    assert agent.settled().result(WAIT_S)
