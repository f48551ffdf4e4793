from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import comm
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb import agent as agent_module
from realtime_nb import page_speaker
from realtime_nb.agent import Agent
from realtime_nb.agent_audio import BrowserAudio
from realtime_nb.agent_register import CellRun
from realtime_nb.audio import samples_from_pcm
from realtime_nb.background import io_thread
from realtime_nb.local.llm import Call, Script, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import Pace
from realtime_nb.testing import FakeTTS, fake_engines, silence, tone
from tests.widgets.conftest import FakeComm, FakePage

KEY = "sk-a-key-that-nobody-may-see"
WAIT_S = 20.0
MakeAgent = Callable[..., Agent]


class Server:
    """The local server without models, on the agents' thread."""

    def __init__(self, session_s: float = 3_600.0) -> None:
        replies: list[Script] = ["Hello.", Call("add", '{"a": 2, "b": 3}'), "It is five.", "Well."]
        engines = fake_engines(ScriptedLLM([*replies]), tts=FakeTTS(400))
        self.local = LocalServer(
            engines, port=0, token=KEY, pace=Pace(), session_s=session_s, max_connections=9
        )
        io_thread().run(self.local.__aenter__()).result(WAIT_S)

    def close(self) -> None:
        io_thread().run(self.local.__aexit__(None, None, None)).result(WAIT_S)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fake_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", FakeComm)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A file with somebody humming in it."""
    path = tmp_path / "voice.wav"
    pcm = silence(100) + tone(400) + silence(100)
    soundfile.write(path, samples_from_pcm(pcm), 24_000, subtype="PCM_16")
    return path


@pytest.fixture
def make(server: Server, voice: Path, tmp_path: Path) -> Iterator[MakeAgent]:
    made: list[Agent] = []

    def agent(**settings: Any) -> Agent:
        given = {"audio": voice, "api_key": KEY, "record": tmp_path / "recordings", **settings}
        made.append(Agent(given.pop("endpoint", server.local.url), **given))
        return made[-1]

    yield agent
    for one in made:
        one.close()


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Waits for something that happens on another thread."""
    gone, until_s = threading.Event(), time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until_s, what
        gone.wait(0.01)


def press(agent: Agent, name: str, value: Any = None) -> None:
    FakePage(agent.panel).send({"kind": "command", "name": name, "value": value})


def said(agent: Agent) -> list[tuple[str, str]]:
    return [(role, text) for role, text in agent.conversation.transcript()]


# --- talking ---


def test_a_conversation_in_a_plain_script(make: MakeAgent) -> None:
    agent = make()
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
    until(lambda: agent._views.uncommitted_ms >= 200)
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
    until(lambda: agent.status == "hearing" and agent._views.uncommitted_ms >= 400)
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
    agent = make()
    agent.talk().result(WAIT_S)
    until(lambda: agent._views.uncommitted_ms >= 400)
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
    until(lambda: agent._views.uncommitted_ms >= 400)
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


def test_the_speed_is_that_of_the_voice(make: MakeAgent) -> None:
    agent = make(speed=1.25)
    agent.connect().result(WAIT_S)
    assert agent.conversation.session["audio"]["output"]["speed"] == 1.25
    assert agent._session is not None
    assert agent._session.speed == 1.0


# --- what is said before there is a session ---


class SlowlyConnecting:
    """An agent in a page whose connecting takes until it is told to go on."""

    def __init__(self, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        assert isinstance(agent._audio, BrowserAudio)
        self.agent = agent
        self.microphone = FakePage(agent._audio.microphone)
        self.microphone.hello()
        self.position = 0
        self._go = threading.Event()
        connect = agent._connect

        async def slowly() -> Any:
            await asyncio.to_thread(self._go.wait, WAIT_S)
            return await connect()

        monkeypatch.setattr(agent, "_connect", slowly)

    def tell(self, status: str) -> None:
        state = {"status": status, "error": "", "devices": [], "applied": {}}
        self.microphone.send({"kind": "state", "t": time.time() * 1000, **state})

    def speak(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), 1920):
            facts = {"capture": "c", "seq": self.position // 960, "position": self.position}
            now = {"t": time.time() * 1000}
            self.microphone.send({"kind": "audio", **facts, **now}, [pcm[at : at + 1920]])
            self.position += 960

    def stop(self) -> None:
        """As the page does when Stop is pressed."""
        self.tell("off")
        press(self.agent, "stop")

    def go(self) -> None:
        self._go.set()


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
    # On a busy machine a chunk more leaves before it is over.
    assert silence_ms == 0 if push_to_talk else 600 <= silence_ms <= 800
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
    monkeypatch.setattr(agent_module, "_BACK_DUE_S", 0.01)
    page = SlowlyConnecting(make(audio="browser"), monkeypatch)
    page.go()
    agent = page.agent
    press(agent, "talk")
    page.tell("on")
    until(lambda: bool(agent.panel.talking))
    FakePage(agent._audio.microphone, "window 2").send({"kind": "link-claim"})  # type: ignore[attr-defined]
    page.microphone.name = "window 2"
    page.tell("on")
    until(lambda: agent._ending_turn is not None and agent._ending_turn.done())
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
    until(lambda: "was run again" in made[0].panel.error)
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
    assert agent.panel.event_count == len(agent.events) == len(crossed)


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


# --- what can go wrong ---


def test_unknown_options_are_refused_at_once() -> None:
    with pytest.raises(rt.ConfigurationError, match="Did you mean 'instructions'"):
        Agent("local", instruction="Be brief.")
    with pytest.raises(rt.ConfigurationError, match="speed"):
        Agent("local", speed=2.0)
    with pytest.raises(rt.ConfigurationError, match="Unknown endpoint"):
        Agent("lokal")
    with pytest.raises(rt.AudioError, match=r"nowhere\.wav"):
        Agent("local", audio="nowhere.wav")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": "wrong"}, "401|key|token"),
        ({"endpoint": "ws://127.0.0.1:9/v1/realtime"}, "127.0.0.1:9"),
    ],
    ids=["wrong key", "unreachable"],
)
def test_why_it_does_not_connect_is_said_and_raised(
    make: MakeAgent, settings: dict[str, Any], words: str
) -> None:
    agent = make(**settings)
    with pytest.raises(rt.ConnectionFailedError, match=words):
        agent.connect().result(WAIT_S)
    assert agent.status == "disconnected"
    assert agent.panel.error
    agent.panel.set(error="")
    press(agent, "talk")  # nobody awaits it
    until(lambda: agent.panel.error != "")
    assert agent.panel.talking is False
    with pytest.raises(rt.ConnectionFailedError):
        agent.say("Hello?").result(WAIT_S)


def test_when_the_server_ends_the_session_the_recording_is_whole(
    make: MakeAgent, server: Server
) -> None:
    agent = make()
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    for socket in list(server.local._sockets):
        io_thread().run(socket.close(1001, "Enough.")).result(WAIT_S)
    until(lambda: not agent.connected and "Press Connect" in agent.panel.error)
    until(lambda: agent.status == "disconnected")
    assert agent.recording is not None
    recording = rt.load(agent.recording)
    assert recording.complete
    assert recording.conversation.transcript() == [("user", "Hello?"), ("assistant", "Hello.")]
    assert agent.settled().result(WAIT_S)
    agent.connect().result(WAIT_S)  # and a new one can be opened
    assert agent.connected
    assert agent.panel.error == ""


def test_disconnecting_while_connecting_withdraws_it(make: MakeAgent) -> None:
    agent = make()
    connecting = agent.connect()
    agent.disconnect().result(WAIT_S)
    with pytest.raises(rt.SessionClosedError):
        connecting.result(WAIT_S)
    assert (agent.status, agent.panel.error, agent.connected) == ("disconnected", "", False)


def test_stop_while_connecting_keeps_the_microphone_shut(make: MakeAgent) -> None:
    agent = make()
    talking = agent.talk()
    agent.stop().result(WAIT_S)
    talking.result(WAIT_S)
    assert agent.connected
    assert agent.panel.talking is False
    assert agent.conversation.input_ms == 0


def test_many_at_once_open_one_session(make: MakeAgent, server: Server) -> None:
    agent = make()
    all_of_them = [agent.connect() for _ in range(5)]
    for one in all_of_them:
        one.result(WAIT_S)
    assert server.local.connections == 1


def test_closing_leaves_nothing_and_can_be_done_twice(make: MakeAgent, server: Server) -> None:
    agent = make()
    agent.say("Hello?").result(WAIT_S)
    agent.close()
    agent.close()
    assert agent.panel.comm is None
    until(lambda: server.local.connections == 0)
    assert agent.recording is not None
    assert rt.load(agent.recording).complete


def test_the_end_of_python_completes_the_recording(tmp_path: Path, server: Server) -> None:
    script = f"""
import realtime_nb as rt
agent = rt.Agent({server.local.url!r}, api_key={KEY!r}, record={str(tmp_path / "r")!r})
agent.say("Hello?").result(20)
print(agent.recording)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    header = json.loads((Path(done.stdout.strip()) / "session.json").read_text())
    assert header["complete"] is True
