from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent import agent as agent_module
from realtime_nb.agent.agent import Agent
from realtime_nb.agent.register import CellRun
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.protocol.events import ResponseDone
from realtime_nb.testing import tone
from tests.agent import agents
from tests.agent.agents import KEY, WAIT_S, MakeAgent, SlowlyConnecting, press, said, until
from tests.paths import DATA

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make

# --- talking ---


def test_a_conversation_in_a_plain_script(make: MakeAgent) -> None:
    agent = make(audio=DATA / "cards_001.wav")
    assert (agent.status, agent.connected, agent.recording) == ("disconnected", False, None)
    agent.connect().result(WAIT_S)
    assert (agent.status, agent.connected) == ("listening", True)
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]
    assert agent.panel.latency_ms is not None
    assert 0 < agent.panel.latency_ms < 5000
    assert agent.panel.talking is False
    agent.disconnect().result(WAIT_S)
    assert (agent.status, agent.connected) == ("disconnected", False)
    assert agent.recording is not None
    recording = rt.load(agent.recording)
    assert recording.complete
    assert recording.conversation.transcript() == agent.conversation.transcript()


async def test_the_verbs_can_be_awaited_or_left_alone(make: MakeAgent) -> None:
    agent = make()
    agent.say("Hello?")  # connects, too
    await agent.connect()
    await asyncio.to_thread(until, lambda: len(said(agent)) == 2)
    assert await agent.settled(WAIT_S)
    await agent.disconnect()
    assert said(agent) == [("user", "Hello?"), ("assistant", "Hello.")]


def test_the_panels_views_show_what_views_of_its_session_show(make: MakeAgent) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    others = [rt.Timeline(agent), rt.Transcript(agent)]
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    agent.disconnect().result(WAIT_S)
    for other, own in zip(others, [agent.timeline, agent.transcript], strict=True):
        shown = [list(view._changes(afresh=True)) for view in (own, other)]
        assert shown[0] == shown[1] != []
        assert "speech" in str(shown) or "Hello." in str(shown)
        other.close()


def test_moments_are_marked(make: MakeAgent) -> None:
    agent = make()
    with pytest.raises(rt.SessionClosedError, match=r"rt.load\(agent.recording\).label"):
        agent.label("nothing yet").result(WAIT_S)
    agent.connect().result(WAIT_S)
    agent.label("that was not me")
    agent.label("speech end", t_s=0).result(WAIT_S)
    with pytest.raises(rt.ConfigurationError, match="needs a text"):
        agent.label("").result(WAIT_S)
    assert "needs a text" in agent.panel.error
    with pytest.raises(rt.ConfigurationError, match="outside the session"):
        agent.label("x", t_s=3_600).result(WAIT_S)
    assert agent.connected
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    marks = rt.load(agent.recording).labels
    assert list(marks.text) == ["speech end", "that was not me"]
    assert 0 == marks.t_s[0] < marks.t_s[1] < WAIT_S


def test_typed_messages_have_no_latency_and_tools_are_run(make: MakeAgent) -> None:
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    agent = make(tools=[add])
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    agent.say("And what is two and three?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent)[-1] == ("assistant", "It is five.")
    assert agent.panel.latency_ms is None
    (call,) = agent.conversation.calls.values()
    assert (call.name, call.output) == ("add", "5")


def test_the_state_goes_through_hearing_and_speaking_and_back(make: MakeAgent) -> None:
    agent = make()
    states: list[str] = []
    agent.panel.observe(lambda change: states.append(change["new"]), "state")
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    until(lambda: agent.status == "listening")
    order = [state for state in states if state != "listening"]
    assert order[:2] == ["connecting", "hearing"]
    assert order[-1] == "speaking"
    assert states[-1] == "listening"


def test_push_to_talk_ends_the_turn_itself(make: MakeAgent) -> None:
    agent = make(push_to_talk=True)
    agent.talk().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]
    assert agent.conversation.turn_detection is None
    assert agent.panel.push_to_talk


def test_what_was_said_until_the_key_was_let_go_is_answered(make: MakeAgent, voice: Path) -> None:
    soundfile.write(voice, samples_from_pcm(tone(8000)), 24_000, subtype="PCM_16")
    agent = make(push_to_talk=True)
    agent.talk().result(WAIT_S)
    until(lambda: agent.conversation.uncommitted_ms >= 200)
    agent.stop().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]
    assert agent.conversation.input_ms < 6000
    agent.stop().result(WAIT_S)  # nothing was said since: nothing to answer
    assert agent.settled().result(WAIT_S)
    assert len(said(agent)) == 2
    assert agent.conversation.errors == []


def test_stop_ends_a_turn_that_the_server_listens_for(make: MakeAgent, voice: Path) -> None:
    soundfile.write(voice, samples_from_pcm(tone(8000)), 24_000, subtype="PCM_16")
    agent = make()
    agent.talk().result(WAIT_S)
    until(lambda: agent.status == "hearing" and agent.conversation.uncommitted_ms >= 400)
    agent.stop().result(WAIT_S)
    until(lambda: agent.status != "hearing")
    assert agent.settled().result(WAIT_S)
    assert said(agent) == [("user", "hello"), ("assistant", "Hello.")]


def appended_s(agent: Agent) -> list[float]:
    """When each append was sent, in the recording of the last session."""
    agent.disconnect().result(WAIT_S)
    assert agent.recording is not None
    lines = rt.load(agent.recording).raw_events()
    return [line.t_s for line in lines if line.event["type"] == "input_audio_buffer.append"]


def test_the_silence_after_stop_takes_as_long_as_in_life(make: MakeAgent, voice: Path) -> None:
    soundfile.write(voice, samples_from_pcm(tone(8000)), 24_000, subtype="PCM_16")
    agent = make(turn_detection=rt.ServerVAD(silence_duration_ms=200))
    agent.talk().result(WAIT_S)
    until(lambda: agent.conversation.uncommitted_ms >= 400)
    agent.stop().result(WAIT_S)
    began_ms = agent.conversation.input_ms
    assert agent.settled().result(WAIT_S)
    assert agent.conversation.input_ms == pytest.approx(began_ms + 600, abs=80)
    times_s = appended_s(agent)[-15:]  # of 40 ms each
    assert times_s[-1] - times_s[0] >= 0.5


@pytest.mark.parametrize("end", ["talk", "disconnect"])
def test_the_silence_after_stop_makes_room(make: MakeAgent, voice: Path, end: str) -> None:
    soundfile.write(voice, samples_from_pcm(tone(8000)), 24_000, subtype="PCM_16")
    agent = make(turn_detection=rt.ServerVAD(silence_duration_ms=5000))
    agent.talk().result(WAIT_S)
    until(lambda: agent.conversation.uncommitted_ms >= 400)
    agent.stop().result(WAIT_S)
    silence = agent._turns._silence
    assert silence is not None
    assert not silence.done()
    getattr(agent, end)().result(WAIT_S)
    until(silence.done)
    assert agent.conversation.input_ms < 2500
    assert agent.panel.error == ""


def test_an_answer_can_be_interrupted(make: MakeAgent) -> None:
    agent = make(instructions="Talk.")
    agent.interrupt().result(WAIT_S)  # nothing to interrupt, and no reason to connect
    assert not agent.connected
    agent.say("Hello?").result(WAIT_S)
    until(lambda: agent.status == "speaking")
    (item,) = [item for item in agent.conversation.items.values() if item.role == "assistant"]
    session = agent._session
    assert session is not None
    until(lambda: item.played_s is not None and session.clock() > item.played_s + 0.1)
    agent.interrupt().result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    until(lambda: item.truncated_ms is not None)
    assert item.truncated_ms is not None
    assert 100 <= item.truncated_ms < 400


# --- several agents ---


def test_one_agent_has_the_page_and_the_others_say_so(make: MakeAgent) -> None:
    first, second, beside = make(audio="browser"), make(audio="browser"), make()
    first.connect().result(WAIT_S)
    beside.connect().result(WAIT_S)
    second.connect().result(WAIT_S)
    assert [one.connected for one in (first, second, beside)] == [False, True, True]
    assert "Another agent took over the page's microphone" in first.panel.error
    assert (second.panel.error, beside.panel.error) == ("", "")
    assert first.recording is not None
    assert rt.load(first.recording).complete
    first.say("Hello?").result(WAIT_S)  # it takes over in turn
    assert [one.connected for one in (first, second, beside)] == [True, False, True]
    assert first.panel.error == ""


def test_an_agent_that_is_still_connecting_makes_room_too(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, second = SlowlyConnecting(make(audio="browser"), monkeypatch), make(audio="browser")
    connecting = page.agent.connect()
    until(lambda: page.agent.status == "connecting")
    second.connect().result(WAIT_S)
    with pytest.raises(rt.SessionClosedError):
        connecting.result(WAIT_S)
    page.go()
    assert (page.agent.connected, second.connected) == (False, True)


def test_a_cell_that_is_run_again_replaces_its_agent(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter([("a", "1"), ("a", "1"), ("b", "2"), ("a", "3")])
    monkeypatch.setattr(agent_module, "running_cell", lambda: CellRun(*next(runs)))
    made = [make(), make(), make()]
    for one in made:
        one.connect().result(WAIT_S)
    assert all(one.connected for one in made)  # two of one run don't disturb each other
    make()
    until(lambda: [one.connected for one in made] == [False, False, True])
    assert made[2].panel.error == ""


# --- the panel ---


def test_the_buttons_do_what_the_verbs_do(make: MakeAgent) -> None:
    agent = make()
    press(agent, "connect")
    until(lambda: agent.connected)
    press(agent, "mute", True)
    until(lambda: agent.panel.muted)
    press(agent, "mute", False)
    press(agent, "talk")
    until(lambda: agent.panel.talking)
    press(agent, "stop")
    until(lambda: not agent.panel.talking)
    press(agent, "say", "Hello?")
    until(lambda: ("user", "Hello?") in said(agent))
    press(agent, "interrupt")
    press(agent, "an unknown wish")
    press(agent, "disconnect")
    until(lambda: agent.status == "disconnected")
    assert not agent.connected
    assert agent.panel.error == ""
    assert agent.recording is not None
    crossed = list(rt.load(agent.recording).raw_events())
    assert len(agent.events) == len(crossed)


def test_what_is_shown_and_saved_holds_neither_key_nor_words(make: MakeAgent) -> None:
    agent = make(endpoint=f"{make().panel.endpoint}?api-key={KEY}", api_key=None)
    assert KEY not in agent.panel.endpoint
    agent = make()
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    bundle = agent._repr_mimebundle_()
    assert bundle is not None
    assert "agent" in bundle[0]["text/plain"].lower()
    state = str([widget.get_state() for widget in (agent.panel, agent.transcript, agent.timeline)])
    for secret in (KEY, "Hello?", "Hello."):
        assert secret not in str(bundle)
        assert secret not in state
    assert KEY not in repr(agent)


def test_a_function_that_runs_is_cancelled_on_request(make: MakeAgent) -> None:
    begun = threading.Event()

    async def add(a: int, b: int) -> int:
        """Add."""
        begun.set()
        await asyncio.Event().wait()
        return a + b

    agent = make(tools=[add])
    assert agent.cancel_call("call_1").result(WAIT_S) is False
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    agent.say("Add two and three.")
    waiting = agent.settled()
    assert begun.wait(WAIT_S)
    [call_id] = agent.conversation.calls
    assert agent.cancel_call("another").result(WAIT_S) is False
    assert agent.cancel_call(call_id).result(WAIT_S) is True
    assert waiting.result(WAIT_S)
    assert agent.conversation.calls[call_id].run_outcome == "cancelled"
    assert said(agent)[-1] == ("assistant", "It is five.")


async def test_an_event_is_waited_for_from_when_it_is_asked(make: MakeAgent) -> None:
    agent = make()
    agent.connect()
    answered = agent.wait_for("response.done", WAIT_S)  # while the session is being opened
    agent.say("Hello?")
    assert (await answered).type == "response.done"
    again = agent.wait_for(lambda event: event.type == "session.updated", WAIT_S)
    agent.update(instructions="Hm.")
    assert (await again).type == "session.updated"


async def test_a_session_that_another_cell_opens_is_waited_for(make: MakeAgent) -> None:
    agent = make()
    for _ in range(2):  # and the next one, after one that was ended
        answered = agent.wait_for(ResponseDone, WAIT_S)
        agent.say("Hello?")
        assert (await answered).response["status"] == "completed"
        await agent.disconnect()
    endless = agent.wait_for("response.done")
    agent.close()
    with pytest.raises(rt.SessionClosedError, match=r"rt\.Agent"):
        await endless


async def test_a_wait_ends_with_an_opening_that_fails_or_is_withdrawn(make: MakeAgent) -> None:
    agent = make(endpoint="ws://127.0.0.1:9/v1/realtime")  # where nobody listens
    answered = agent.wait_for("response.done", WAIT_S)
    agent.connect()
    with pytest.raises(rt.ConnectionFailedError):
        await answered
    again = agent.wait_for("response.done", WAIT_S)
    agent.connect()
    agent.disconnect()
    with pytest.raises(rt.RealtimeError):
        await again


async def test_what_is_waited_for_and_does_not_come_is_told(make: MakeAgent) -> None:
    agent = make()
    with pytest.raises(TimeoutError, match=r"No session was open .* await agent\.connect\(\)"):
        await agent.wait_for("response.done", timeout_s=0.05)
    await agent.connect()
    with pytest.raises(TimeoutError, match=r"^No response\.done within 0\.0"):
        await agent.wait_for("response.done", timeout_s=0.05)
    assert agent.panel.error == ""  # nothing failed
    with pytest.raises(rt.ConfigurationError, match="event is 3; give the type of an event"):
        await agent.wait_for(3)  # type: ignore[call-overload]
    assert await agent.settled(WAIT_S)  # which no wait holds up
    endless = agent.wait_for("response.done")
    await agent.disconnect()
    with pytest.raises(rt.SessionClosedError):
        await endless
    agent.close()
    with pytest.raises(rt.SessionClosedError, match=r"rt\.Agent"):
        agent.wait_for("response.done")
