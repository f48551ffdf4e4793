"""Settings of an agent: those in force are shown, whoever changes them."""

from __future__ import annotations

import realtime_nb as rt
from realtime_nb.agent.io_thread import io_thread
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make


def test_settings_are_shown_whoever_changes_them(make: MakeAgent) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    assert agent.session is not None
    changed = agent.session.update(turn_detection=rt.ServerVAD(threshold=0.9), instructions="Hm.")
    io_thread().run(changed).result(WAIT_S)
    assert agent.panel.settings["turn_detection"]["threshold"] == 0.9
    assert (agent.panel.settings["instructions"], agent.panel.push_to_talk) == ("Hm.", False)
    io_thread().run(agent.session.update(turn_detection=None)).result(WAIT_S)
    assert (agent.panel.settings["turn_detection"], agent.panel.push_to_talk) == (None, True)


def test_the_speed_is_that_of_the_voice(make: MakeAgent) -> None:
    agent = make(speed=1.25)
    agent.connect().result(WAIT_S)
    assert agent.conversation.session["audio"]["output"]["speed"] == 1.25
    assert agent._session is not None
    assert agent._session.speed == 1.0
