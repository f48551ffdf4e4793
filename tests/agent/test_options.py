"""What an agent can be made with, and how that is changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
import pytest

import realtime_nb as rt
from realtime_nb.agent.agent import Agent
from realtime_nb.agent.audio import BrowserAudio
from realtime_nb.agent.options import BrowserAudioSettings, HostAudioSettings, changed_detection
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent, press, said, until

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make


def test_unknown_options_are_refused_at_once() -> None:
    with pytest.raises(rt.ConfigurationError, match="Did you mean 'instructions'"):
        Agent("local", instruction="Be brief.")
    with pytest.raises(rt.ConfigurationError, match=r"Did you mean 'push_to_talk'.* audio, "):
        Agent("local", pushtotalk=True)
    with pytest.raises(rt.ConfigurationError, match="Unknown option 'pace'"):
        Agent("local", pace=2.0)
    with pytest.raises(rt.ConfigurationError, match="speed"):
        Agent("local", speed=2.0)
    with pytest.raises(rt.ConfigurationError, match="Unknown endpoint"):
        Agent("lokal")
    with pytest.raises(rt.ConfigurationError, match="Unknown stt 'ears'"):
        Agent("local", stt="ears")
    with pytest.raises(rt.ConfigurationError, match="llm is an engine of the local server"):
        Agent("ws://127.0.0.1:9/v1/realtime", llm="rules")
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


# --- turn detection, from the panel and from code ---


@pytest.mark.parametrize(
    ("detection", "changed", "made"),
    [
        (
            rt.ServerVAD(
                threshold=0.7, silence_duration_ms=200, create_response=False, idle_timeout_ms=6000
            ),
            {"prefix_padding_ms": 400},
            {
                "type": "server_vad",
                "threshold": 0.7,
                "prefix_padding_ms": 400,
                "silence_duration_ms": 200,
                "create_response": False,
                "interrupt_response": True,
                "idle_timeout_ms": 6000,
            },
        ),
        (
            rt.SemanticVAD(eagerness="low", interrupt_response=False),
            {"threshold": 0.8, "eagerness": "high"},
            {
                "type": "semantic_vad",
                "eagerness": "high",
                "create_response": True,
                "interrupt_response": False,
            },
        ),
    ],
    ids=["server_vad", "semantic_vad"],
)
@pytest.mark.parametrize("connected", [True, False])
def test_a_field_of_the_panel_changes_nothing_else(
    make: MakeAgent, detection: Any, changed: dict[str, Any], made: dict[str, Any], connected: bool
) -> None:
    agent = make(turn_detection=detection)
    if connected:
        agent.connect().result(WAIT_S)
    field, value = list(changed.items())[-1]
    press(agent, "update", {"turn_detection": changed})
    until(lambda: agent.panel.settings["turn_detection"].get(field) == value)
    agent.connect().result(WAIT_S)
    in_force = {"idle_timeout_ms": None, **(agent.conversation.turn_detection or {})}
    assert in_force == {"idle_timeout_ms": None, **made}
    assert agent.panel.error == ""
    until(lambda: agent.panel.settings["turn_detection"] == agent.conversation.turn_detection)


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"push_to_talk": True}, 500),
        ({}, 500),
        ({"turn_detection": rt.ServerVAD(threshold=0.7)}, 500),
        ({"turn_detection": rt.SemanticVAD()}, 500),
        ({"turn_detection": rt.ServerVAD(silence_duration_ms=200)}, 200),
    ],
    ids=str,
)
def test_the_silence_is_shown_and_stays_through_push_to_talk(
    make: MakeAgent, settings: dict[str, Any], kept: int, connected: bool
) -> None:
    agent = make(**settings)

    def shown() -> dict[str, Any]:
        return dict(agent.panel.settings["turn_detection"] or {})

    if "push_to_talk" not in settings:
        first = None if isinstance(settings.get("turn_detection"), rt.SemanticVAD) else kept
        assert shown().get("silence_duration_ms") == first
    if connected:
        agent.connect().result(WAIT_S)
    for kind in ("none", "server_vad"):
        press(agent, "update", {"turn_detection": {"type": kind}})
        until(lambda kind=kind: by_hand(agent) == (kind == "none"))  # type: ignore[misc]
    until(lambda: shown().get("type") == "server_vad")
    assert shown()["silence_duration_ms"] == kept
    assert f"silence_duration_ms={kept}" in agent.panel.settings["code"]
    agent.connect().result(WAIT_S)
    assert (agent.conversation.turn_detection or {})["silence_duration_ms"] == kept
    assert shown() == agent.conversation.turn_detection


def test_detection_that_is_off_or_unknown_has_no_fields_to_change() -> None:
    with pytest.raises(rt.ConfigurationError, match="Turn detection is off"):
        changed_detection(None, {"threshold": 0.7})
    with pytest.raises(rt.ConfigurationError, match="kind of turn detection"):
        changed_detection({"type": "clairvoyance"}, {"threshold": 0.7})
    asked = rt.ServerVAD(threshold=0.7, silence_duration_ms=500)
    assert changed_detection({}, {"threshold": 0.7}) == asked


def test_the_panel_shows_what_is_where_a_field_can_not_be(make: MakeAgent) -> None:
    agent = make(push_to_talk=True)
    revision = agent.panel.settings["revision"]
    press(agent, "update", {"turn_detection": {"threshold": 0.7}})
    until(lambda: "Turn detection is off" in agent.panel.error)
    until(lambda: agent.panel.settings["revision"] > revision)
    assert agent.panel.settings["turn_detection"] is None


def by_hand(agent: Agent) -> bool:
    return bool(agent.panel.push_to_talk)


@pytest.mark.parametrize("connected", [True, False])
def test_who_ends_a_turn_follows_the_detection_in_force(make: MakeAgent, connected: bool) -> None:
    agent = make()
    if connected:
        agent.connect().result(WAIT_S)
    assert not by_hand(agent)
    agent.update(turn_detection=None).result(WAIT_S)
    assert by_hand(agent)
    agent.talk().result(WAIT_S)  # as with push_to_talk=True: the end of the file is that of a turn
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]
    agent.update(turn_detection=rt.ServerVAD()).result(WAIT_S)
    assert not by_hand(agent)
    agent.disconnect().result(WAIT_S)
    assert not by_hand(agent)


def test_who_ends_a_turn_is_seen_where_an_event_changes_it(make: MakeAgent) -> None:
    agent = make(push_to_talk=True)
    assert by_hand(agent)
    agent.connect().result(WAIT_S)
    detection = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    session = {"type": "realtime", **detection}
    agent.send({"type": "session.update", "session": session}).result(WAIT_S)
    until(lambda: not by_hand(agent))
    agent.disconnect().result(WAIT_S)
    assert by_hand(agent)  # as the next session will be


# --- what can't be meant ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"audio": None}, 'audio is None; give "browser"'),
        ({"audio": ""}, "audio is ''; give"),
        ({"audio": "Browser"}, "Did you mean audio='browser'"),
        ({"audio": "hosts"}, "Did you mean audio='host'"),
        ({"push_to_talk": "yes"}, "push_to_talk is 'yes'; give True or False"),
        (
            {"push_to_talk": True, "turn_detection": rt.ServerVAD()},
            "Leave out either push_to_talk or turn_detection",
        ),
        ({"record": 5}, "record is 5; give a folder, or None"),
        ({"tools": "weather"}, "tools is 'weather'; give functions"),
        ({"tools": None}, "tools is None; give functions"),
        ({"voice": 5}, "voice"),
        (
            {"echo_cancellation": False},
            "Give it there: audio=rt.BrowserAudioSettings(echo_cancellation=False).",
        ),
        ({"half_duplex": False}, "audio=rt.HostAudioSettings(half_duplex=False)."),
    ],
    ids=str,
)
def test_what_can_not_be_meant_is_a_sentence_and_leaves_nothing(
    settings: dict[str, Any], words: str
) -> None:
    before = len(ipywidgets.widgets.widget._instances)
    with pytest.raises(rt.ConfigurationError, match=re.escape(words)):
        Agent("local", **settings)
    assert len(ipywidgets.widgets.widget._instances) == before


@pytest.mark.parametrize(
    ("made", "settings", "words"),
    [
        (BrowserAudioSettings, {"chunk_ms": 10}, "chunk_ms is 10; give a whole number from 20"),
        (HostAudioSettings, {"chunk_ms": 40.5}, "chunk_ms is 40.5"),
        (BrowserAudioSettings, {"echo_cancellation": None}, "echo_cancellation is None; give True"),
        (HostAudioSettings, {"half_duplex": "off"}, "half_duplex is 'off'"),
    ],
)
def test_audio_settings_are_checked(made: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=re.escape(words)):
        made(**settings)


def test_a_folder_that_cannot_be_written_to_is_told_when_it_connects(make: MakeAgent) -> None:
    agent = make(record="/proc/nope")
    with pytest.raises(rt.RecordingError, match="/proc/nope"):
        agent.connect().result(WAIT_S)
    assert "/proc/nope" in agent.panel.error
    assert agent.status == "disconnected"


def test_a_tool_may_come_alone(make: MakeAgent) -> None:
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    agent = make(tools=add)
    agent.connect().result(WAIT_S)
    assert [tool["name"] for tool in agent.conversation.session["tools"]] == ["add"]
    agent.update(tools=rt.tool(add)).result(WAIT_S)
    assert [tool["name"] for tool in agent.conversation.session["tools"]] == ["add"]
    definition = {"type": "function", "name": "sub", "parameters": {}}
    agent.update(tools=definition).result(WAIT_S)
    assert [tool["name"] for tool in agent.conversation.session["tools"]] == ["sub"]
    with pytest.raises(rt.ConfigurationError, match="tools is 5"):
        agent.update(tools=5).result(WAIT_S)


# --- audio ---


def test_a_tool_of_the_notebooks_loop_needs_one(make: MakeAgent) -> None:
    @rt.tool(main_thread=True)
    def press_it() -> None:
        """Press."""

    with pytest.raises(rt.ToolError, match="press_it needs the notebook's own loop"):
        make(tools=press_it)
    agent = make()
    with pytest.raises(rt.ToolError, match="this is no notebook"):
        agent.update(tools=[press_it]).result(WAIT_S)


def test_the_page_microphone_begins_with_what_was_set(make: MakeAgent) -> None:
    settings = BrowserAudioSettings(chunk_ms=20, echo_cancellation=False, auto_gain_control=False)
    agent = make(audio=settings)
    assert isinstance(agent._audio, BrowserAudio)
    assert agent.in_page
    microphone = agent._audio.microphone
    assert (microphone.chunk_ms, microphone.noise_suppression) == (20, True)
    assert (microphone.echo_cancellation, microphone.auto_gain_control) == (False, False)


def test_a_file_that_has_gone_is_told_by_who_wants_to_talk(make: MakeAgent, voice: Path) -> None:
    agent = make(push_to_talk=True)
    voice.unlink()
    with pytest.raises(rt.AudioError, match="does not exist"):
        agent.talk().result(WAIT_S)
    assert "does not exist" in agent.panel.error
    assert agent.panel.talking is False
    assert agent.settled().result(WAIT_S)


def test_a_muted_file_says_nothing(make: MakeAgent) -> None:
    agent = make()
    agent.mute().result(WAIT_S)
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent) == []
    assert agent.conversation.input_ms > 600
    agent.mute(False).result(WAIT_S)
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent)[0] == ("user", "hello")


def test_settings_choose_how_turns_end_and_remember_what_was(make: MakeAgent) -> None:
    agent = make(turn_detection=rt.ServerVAD(silence_duration_ms=640))
    agent.connect().result(WAIT_S)
    asked = (
        {"type": "semantic_vad"},
        {"eagerness": "low"},
        {"type": "none"},
        {"type": "server_vad"},
    )
    kinds = ("semantic_vad", "semantic_vad", None, "server_vad")
    for change, kind in zip(asked, kinds, strict=True):
        press(agent, "update", {"turn_detection": change})
        until(lambda kind=kind: (agent.conversation.turn_detection or {}).get("type") == kind)  # type: ignore[misc]
        until(lambda: agent.panel.pending == {})
        assert agent.panel.push_to_talk is (kind is None)
    detection = agent.conversation.turn_detection or {}
    assert detection["silence_duration_ms"] == 640
    assert agent.panel.error == ""
    words = [change.words for change in agent.conversation.settings.all]
    assert "turn_detection server_vad → semantic_vad" in words


def test_a_voice_that_is_refused_is_explained_and_taken_by_the_next_session(
    make: MakeAgent,
) -> None:
    agent = make()
    agent.say("Hello").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    press(agent, "update", {"voice": "sage"})
    until(lambda: "Press Disconnect" in agent.panel.error)
    assert agent.panel.settings["voice"] == "alloy"
    assert agent.panel.settings["later"] == {"voice": "sage"}
    assert agent.panel.pending == {}
    agent.disconnect().result(WAIT_S)
    agent.connect().result(WAIT_S)
    assert agent.conversation.session["audio"]["output"]["voice"] == "sage"
    assert not agent.panel.settings.get("later")
