"""What an agent can be made with, and how that is changed."""

from __future__ import annotations

import pytest

import realtime_nb as rt
from realtime_nb.agent import Agent
from tests import agents
from tests.agents import WAIT_S, MakeAgent, press, until

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make


def test_unknown_options_are_refused_at_once() -> None:
    with pytest.raises(rt.ConfigurationError, match="Did you mean 'instructions'"):
        Agent("local", instruction="Be brief.")
    with pytest.raises(rt.ConfigurationError, match="speed"):
        Agent("local", speed=2.0)
    with pytest.raises(rt.ConfigurationError, match="Unknown endpoint"):
        Agent("lokal")
    with pytest.raises(rt.AudioError, match=r"nowhere\.wav"):
        Agent("local", audio="nowhere.wav")


def test_settings_change_now_and_for_later_sessions(make: MakeAgent) -> None:
    agent = make(instructions="Be brief.")
    assert agent.panel.settings["instructions"] == "Be brief."
    agent.update(instructions="Be long.", voice="sage").result(WAIT_S)
    agent.connect().result(WAIT_S)
    assert agent.conversation.session["instructions"] == "Be long."
    press(agent, "update", {"turn_detection": {"threshold": 0.8, "silence_duration_ms": 700}})
    until(lambda: (agent.conversation.turn_detection or {}).get("threshold") == 0.8)
    until(lambda: agent.panel.settings["turn_detection"].get("silence_duration_ms") == 700)
    agent.disconnect().result(WAIT_S)
    agent.connect().result(WAIT_S)
    assert (agent.conversation.turn_detection or {})["threshold"] == 0.8
    assert agent.conversation.session["audio"]["output"]["voice"] == "sage"
    agent.update(speed=1.2).result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    agent.connect().result(WAIT_S)
    assert agent.conversation.session["audio"]["output"]["speed"] == 1.2
    sent = agent.send({"type": "input_audio_buffer.clear"}).result(WAIT_S)
    assert sent.startswith("event")


def test_a_setting_that_can_not_be_leaves_everything_and_the_panel_shows_what_is(
    make: MakeAgent,
) -> None:
    agent = make()
    before = dict(agent.panel.settings)
    with pytest.raises(rt.ConfigurationError, match="treshold"):
        agent.update(treshold=1).result(WAIT_S)
    press(agent, "update", {"turn_detection": {"threshold": 7}})
    until(lambda: "threshold must be between" in agent.panel.error)
    after = dict(agent.panel.settings)
    assert after.pop("revision") > before.pop("revision", 0)
    assert after == before
