"""An agent whose session is lost for good: its recording says so, and nothing goes on silently."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import realtime_nb as rt
from realtime_nb.agent.io_thread import io_thread
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent, Server, until

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make

VERBS: dict[str, Callable[[rt.Agent], object]] = {
    "say": lambda agent: agent.say("Who am I?").result(WAIT_S),
    "send": lambda agent: agent.send({"type": "response.create"}).result(WAIT_S),
    "talk": lambda agent: agent.talk().result(WAIT_S),
}


def lost(make: MakeAgent, server: Server) -> rt.Agent:
    agent = make()
    agent.say("My name is Ada.").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    for socket in list(server.sockets):
        io_thread().run(socket.close(4000, "Not you.")).result(WAIT_S)
    return agent


def test_its_recording_says_that_it_broke_off(make: MakeAgent, server: Server) -> None:
    agent = lost(make, server)
    until(lambda: agent.status == "disconnected")

    assert agent.recording is not None
    header = json.loads((agent.recording / "session.json").read_text())
    assert (header["complete"], header["close_code"]) == (False, 4000)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_opens_one_that_knows_nothing(make: MakeAgent, server: Server, verb: str) -> None:
    agent = lost(make, server)
    for _ in range(2):  # before and after anybody noticed
        with pytest.raises(rt.SessionClosedError, match="would know nothing of what was said"):
            VERBS[verb](agent)
    assert not agent.connected
    assert "know nothing" in agent.panel.error

    agent.connect().result(WAIT_S)
    VERBS[verb](agent)
    assert agent.connected


def test_what_was_ended_on_purpose_is_not_lost(make: MakeAgent, server: Server) -> None:
    agent = lost(make, server)
    until(lambda: agent.status == "disconnected")
    agent.disconnect().result(WAIT_S)

    agent.say("Hello?").result(WAIT_S)
    assert agent.connected
