"""An agent in a page: what is said before there is a session, and pages that go away."""

from __future__ import annotations

import threading

import pytest

import realtime_nb as rt
from realtime_nb.agent import page_speaker, talking
from realtime_nb.agent.audio import BrowserAudio
from realtime_nb.testing import tone
from tests.agent import agents
from tests.agent.agents import WAIT_S, MakeAgent, SlowlyConnecting, press, said, until
from tests.widgets.conftest import FakePage

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make

# --- what is said before there is a session ---


@pytest.mark.parametrize("push_to_talk", [False, True], ids=["hands-free", "push to talk"])
@pytest.mark.parametrize("before", [False, True], ids=["stop after", "stop before"])
def test_words_before_the_session_is_open_are_answered(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, push_to_talk: bool, before: bool
) -> None:
    page = SlowlyConnecting(make(audio="browser", push_to_talk=push_to_talk), monkeypatch)
    agent = page.agent
    press(agent, "talk")
    page.tell("on")
    until(lambda: agent.status == "connecting")
    page.speak(tone(400))
    if before:
        page.stop()
        until(lambda: not agent._audio._input.open)  # type: ignore[attr-defined]
        page.speak(tone(400))  # nobody's any more
        page.go()
    else:
        page.go()
        until(lambda: bool(agent.panel.talking))
        page.speak(tone(200))
        page.stop()
    until(lambda: len(said(agent)) == 2)
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]
    spoken_ms = 400 if before else 600
    silence_ms = agent.conversation.input_ms - spoken_ms
    # The window and a margin; on a busy machine a chunk more leaves before it is over.
    assert silence_ms == 0 if push_to_talk else 900 <= silence_ms <= 1_100
    assert (agent.panel.talking, agent.panel.error) == (False, "")
    assert agent.conversation.errors == []


def test_disconnect_before_the_session_is_open_drops_the_words(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = SlowlyConnecting(make(audio="browser"), monkeypatch)
    agent = page.agent
    held = threading.Event()
    agent._thread.call(held.wait, WAIT_S)  # a busy machine: the words are there before Talk is
    press(agent, "talk")
    page.tell("on")
    page.speak(tone(400))
    held.set()
    until(lambda: agent._audio.kept_ms == 400)
    press(agent, "disconnect")
    page.tell("off")
    until(lambda: agent.status == "disconnected" and agent._audio.kept_ms == 0)
    page.go()
    agent.connect().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert agent.conversation.input_ms == 0
    assert page.microphone.got("stop")


# --- a page that goes away ---


@pytest.mark.parametrize("how", ["unplugged", "closed"])
def test_a_microphone_that_goes_in_the_middle_of_a_turn_ends_it(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    page = SlowlyConnecting(make(audio="browser"), monkeypatch)
    page.go()
    agent = page.agent
    press(agent, "talk")
    page.tell("on")
    until(lambda: bool(agent.panel.talking))
    page.speak(tone(400))
    until(lambda: agent.status == "hearing")
    if how == "unplugged":
        page.tell("ended")
    else:
        page.microphone.send({"kind": "link-bye"})
    until(lambda: ("user", "hello") in said(agent))
    assert agent.settled().result(WAIT_S)
    assert agent.status == "listening"
    assert agent.panel.talking is False


def test_a_microphone_that_is_on_again_at_once_goes_on_with_the_turn(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talking, "_BACK_DUE_S", 0.01)
    page = SlowlyConnecting(make(audio="browser"), monkeypatch)
    page.go()
    agent = page.agent
    press(agent, "talk")
    page.tell("on")
    until(lambda: bool(agent.panel.talking))
    said_open: list[bool] = []
    agent.panel.observe(lambda change: said_open.append(change["new"]), "talking")
    FakePage(agent._audio.microphone, "window 2").send({"kind": "link-claim"})  # type: ignore[attr-defined]
    page.microphone.name = "window 2"
    page.tell("on")
    until(lambda: said_open == [False, True])  # once it has looked again
    page.speak(tone(400))
    until(lambda: agent.conversation.input_ms == 400)
    page.stop()
    until(lambda: ("user", "hello") in said(agent))


@pytest.mark.parametrize("how", ["reloaded", "closed", "crashed"])
def test_of_an_answer_whose_page_goes_away_what_was_heard_is_remembered(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(page_speaker, "_LOOK_EVERY_S", 0.02)
    agent = make(audio="browser")
    assert isinstance(agent._audio, BrowserAudio)
    page = FakePage(agent._audio.page_speaker)
    page.hello()
    agent.say("Hello?").result(WAIT_S)
    until(lambda: bool(page.got("audio")))
    item_id = page.got("audio")[0]["item"]
    page.send({"kind": "started", "item": item_id, "played": 0})
    page.send({"kind": "progress", "item": item_id, "played": 150 * 24})
    if how != "crashed":
        page.send({"kind": "link-bye"})
    if how == "reloaded":
        FakePage(agent._audio.page_speaker, "another").hello()
    until(lambda: "the answer was stopped" in agent.panel.error)
    item = agent.conversation.items[item_id]
    until(lambda: item.truncated_ms is not None)
    assert item.truncated_ms == 150
    assert agent.settled().result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    sent = [line.event["type"] for line in rt.load(agent.recording).raw_events()]
    assert sent.count("conversation.item.truncate") == 1
    (response,) = agent.conversation.responses.values()
    assert response.status in ("cancelled", "completed")  # of which nothing is left to be made
    # It may have been completed while the cancelling was on its way, which the server then says.
    errors = {error.code for error in agent.conversation.errors}
    assert errors <= {"response_cancel_not_active"}
