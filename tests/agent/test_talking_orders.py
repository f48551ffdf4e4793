"""Talk, Stop, connecting and pages that come and go, in any order: who has the microphone then."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realtime_nb.agent import audio as agent_audio
from realtime_nb.agent import talking
from tests.agent import agents
from tests.agent.agents import MakeAgent, SlowlyConnecting, until
from tests.widgets.conftest import FakePage

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make

STEPS = ("talk", "code talk", "stop", "connected", "hidden", "shown", "reload", "allowed", "reply")


class Page(SlowlyConnecting):
    """A page that keeps to the page's rule: unseen, its microphone stays off and says so."""

    def begin(self) -> None:
        self.seen, self.asking, self.on, self.taken = True, False, False, 0

    def answer(self) -> None:
        """Obeys what the kernel has asked for since the last time."""
        orders = [
            one
            for one, _ in self.microphone.messages()
            if one["kind"] in ("start", "stop") and one.get("page") in (None, self.microphone.name)
        ]
        for order in orders[self.taken :]:
            self.open() if order["kind"] == "start" else self.off()
        self.taken = len(orders)

    def open(self) -> None:
        if not (self.asking or self.on):
            self.asking = self.seen
            self.tell("asking")
            if not self.seen:
                self.tell("off")

    def off(self) -> None:
        was, self.asking, self.on = self.asking or self.on, False, False
        if was:
            self.tell("off")

    def do(self, step: str) -> None:
        if step == "talk" and self.seen:
            self.open()
            agents.press(self.agent, "talk")
        elif step == "code talk":
            self.agent.talk()
        elif step == "stop" and self.seen:
            self.off()
            agents.press(self.agent, "stop")
        elif step == "connected":
            self.go()
        elif step in ("hidden", "shown"):
            self.seen = step == "shown"
            if not self.seen:
                self.off()
        elif step == "reload":
            self.microphone.send({"kind": "link-bye"})
            self.asking = self.on = False
            self.microphone = FakePage(self.agent._audio.microphone, f"page {id(step)}{self.taken}")  # type: ignore[attr-defined]
            self.taken = 0
            self.microphone.hello()
        elif step == "allowed" and self.asking:
            self.asking, self.on = False, True
            self.tell("on")
        elif step == "reply":
            self.agent.say("Hello?")


@example(steps=[("talk", False), ("stop", False), ("talk", True)])  # off is told after Talk
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.booleans()), min_size=2, max_size=8))
def test_no_microphone_that_nobody_sees_in_any_order(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, bool]]
) -> None:
    monkeypatch.setattr(talking, "_BACK_DUE_S", 0.01)
    monkeypatch.setattr(agent_audio, "_LAST_CHUNK_S", 0.0)
    monkeypatch.setattr(agent_audio, "_PAGE_DUE_S", 0.2)
    page = Page(make(audio="browser"), monkeypatch)
    page.begin()
    agent = page.agent
    try:
        for step, answered in steps:
            page.do(step)
            if answered:
                page.answer()
        page.go()
        settle(page, lambda: agreed(page))
        assert agreed(page), (page.on, page.asking, agent.panel.talking, steps)
        assert page.seen or not (page.on or page.asking)
    finally:
        agent.close()


def agreed(page: Page) -> bool:
    """Whether page and kernel say the same of the microphone."""
    agent = page.agent
    is_open = page.on or page.asking
    is_taken = bool(agent._audio._input.open)  # type: ignore[attr-defined]
    return is_open == bool(agent.panel.talking) == is_taken


def settle(page: Page, done: Callable[[], bool]) -> None:
    """Lets page and kernel answer each other until nothing changes any more."""
    agent, calm = page.agent, 0
    gone = threading.Event()

    def step() -> bool:
        nonlocal calm
        before = page.taken
        page.answer()
        gone.wait(0.02)
        is_calm = page.taken == before and not page.agent._connection._changing.locked()
        calm = calm + 1 if is_calm and done() else 0
        return calm >= 5

    until(step, f"{agent.status}, {agent.panel.talking}, {page.on}, {page.asking}")
