"""The sessions of an agent: how they are opened, end and fail."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import ipywidgets  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.agent import agent as agent_module
from realtime_nb.agent.agent import Agent
from realtime_nb.agent.audio import BrowserAudio
from realtime_nb.agent.connection import (
    STEPS,
    AgentConnection,
    ConnectionState,
    Step,
    session_facts,
)
from realtime_nb.agent.io_thread import io_thread
from realtime_nb.agent.register import CellRun
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.session.session import Session
from tests import scripted_session
from tests.agent import agents
from tests.agent.agents import KEY, WAIT_S, MakeAgent, Server, SlowlyConnecting, press, said, until
from tests.widgets.conftest import FakePage

fake_comms, server, voice, make = agents.fake_comms, agents.server, agents.voice, agents.make


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
    agent = make(reconnect=False)
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    for socket in list(server.sockets):
        io_thread().run(socket.close(1000, "Enough.")).result(WAIT_S)
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


def test_what_was_asked_for_last_holds(make: MakeAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    page = SlowlyConnecting(make(audio="browser"), monkeypatch)
    agent = page.agent
    first, ending, second = agent.connect(), agent.disconnect(), agent.connect()
    with pytest.raises(rt.SessionClosedError):
        first.result(WAIT_S)
    ending.result(WAIT_S)
    page.go()
    second.result(WAIT_S)
    assert (agent.connected, agent.status) == (True, "listening")
    ending, again = agent.disconnect(), agent.talk()
    ending.result(WAIT_S)
    again.result(WAIT_S)
    assert agent.connected
    assert agent.panel.talking


def slow_ends(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Sessions close no sooner than this is set."""
    go, close = threading.Event(), Session.close

    async def slowly(session: Session, **options: Any) -> None:
        await asyncio.to_thread(go.wait, WAIT_S)
        await close(session, **options)

    monkeypatch.setattr(Session, "close", slowly)
    return go


def test_the_end_of_one_session_leaves_the_next_alone(
    make: MakeAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make(reconnect=False)
    agent.connect().result(WAIT_S)
    go = slow_ends(monkeypatch)
    for socket in list(server.sockets):
        io_thread().run(socket.close(1000, "Enough.")).result(WAIT_S)
    until(lambda: agent._session is None)
    saying = agent.say("Hello?")
    assert not saying.done()
    go.set()
    saying.result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    until(lambda: agent.status == "listening")
    assert (agent.connected, agent.panel.connected, agent.panel.error) == (True, True, "")


def test_python_waits_for_a_session_that_is_being_ended(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    go = slow_ends(monkeypatch)
    ending = agent.disconnect()
    until(lambda: agent._session is None)
    assert agent.active
    go.set()
    ending.result(WAIT_S)
    assert not agent.active


@pytest.mark.parametrize("fails", [False, True], ids=["opens", "fails"])
def test_settings_changed_while_it_connects_are_in_force_then(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    page = SlowlyConnecting(
        make(audio="browser", instructions="Old.", **({"api_key": "wrong"} if fails else {})),
        monkeypatch,
    )
    agent = page.agent
    connecting, changing = agent.connect(), agent.update(instructions="New.")
    until(lambda: agent.status == "connecting")
    page.go()
    changing.result(WAIT_S)
    assert agent.panel.settings["instructions"] == "New."
    if fails:
        with pytest.raises(rt.ConnectionFailedError):
            connecting.result(WAIT_S)
    else:
        connecting.result(WAIT_S)
        assert agent.conversation.session["instructions"] == "New."


def fail_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    close = Session.close

    async def badly(session: Session, **options: Any) -> None:
        await close(session, **options)
        raise rt.RecordingError("The disk is full.")

    monkeypatch.setattr(Session, "close", badly)


def test_a_session_that_fails_to_close_leaves_no_panel(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make(audio="browser")
    agent.connect().result(WAIT_S)
    fail_to_close(monkeypatch)
    with pytest.raises(rt.RecordingError, match="The disk is full"):
        agent.close()
    assert isinstance(agent._audio, BrowserAudio)
    widgets = (agent.panel, agent.transcript, agent._audio.microphone, agent._audio.page_speaker)
    assert [widget.comm for widget in widgets] == [None] * 4


def test_a_microphone_that_fails_to_close_leaves_no_session(
    make: MakeAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    stop = agent._audio.stop

    async def badly() -> None:
        await stop()
        raise rt.AudioError("It is stuck.")

    monkeypatch.setattr(agent._audio, "stop", badly)
    with pytest.raises(rt.AudioError, match="It is stuck"):
        agent.disconnect().result(WAIT_S)
    until(lambda: server.local.connections == 0)
    assert (agent.status, agent.panel.connected) == ("disconnected", False)
    monkeypatch.setattr(agent._audio, "stop", stop)


def test_an_audio_source_that_fails_to_start_leaves_no_session(
    make: MakeAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def badly(session: Session) -> None:
        raise rt.AudioError("It is stuck.")

    agent = make()
    monkeypatch.setattr(agent._audio, "start", badly)
    with pytest.raises(rt.AudioError, match="It is stuck"):
        agent.connect().result(WAIT_S)
    until(lambda: server.local.connections == 0)
    assert (agent.status, agent.active) == ("disconnected", False)


# --- closed ---


def verbs(agent: Agent) -> list[Callable[[], Any]]:
    return [
        agent.connect,
        agent.talk,
        agent.stop,
        agent.mute,
        agent.interrupt,
        agent.settled,
        lambda: agent.say("Hello?"),
        lambda: agent.update(voice="sage"),
        lambda: agent.send({"type": "input_audio_buffer.clear"}),
        lambda: agent.label("here"),
    ]


def test_a_closed_agent_says_so(make: MakeAgent, server: Server) -> None:
    agent = make(audio="browser")
    agent.say("Hello?").result(WAIT_S)
    page = FakePage(agent.panel)
    agent.close()
    words = "This agent was closed. Make a new one"
    for verb in verbs(agent):
        with pytest.raises(rt.SessionClosedError, match=words):
            verb()
    shown = agent._repr_mimebundle_()[0]["text/plain"]
    assert "a session of" in shown
    assert shown.endswith(f"{words} with rt.Agent(…).")
    with pytest.raises(NotImplementedError):  # so that IPython shows that
        agent._ipython_display_()
    assert repr(agent).endswith(", closed>")
    agent.disconnect().result(WAIT_S)
    page.send({"kind": "command", "name": "connect", "value": None})  # it has not heard of it yet
    assert agent.connected is False
    assert said(agent)[0] == ("user", "Hello?")
    until(lambda: server.local.connections == 0)


def test_what_waits_while_it_is_closed_opens_nothing(
    make: MakeAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make()
    agent.connect().result(WAIT_S)
    go = slow_ends(monkeypatch)
    ending, talking = agent.disconnect(), agent.talk()
    until(lambda: agent._session is None)
    agent._verbs.closed = "It is closed."
    closing = io_thread().run(agent._connection.end_for_good("It is closed."))
    go.set()
    for one in (ending, closing):
        one.result(WAIT_S)
    with pytest.raises(rt.SessionClosedError, match="It is closed"):
        talking.result(WAIT_S)
    until(lambda: server.local.connections == 0)


def test_cells_that_are_run_again_leave_no_agents_and_no_widgets(
    make: MakeAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter(range(9))
    monkeypatch.setattr(agent_module, "running_cell", lambda: CellRun("a", str(next(runs))))

    def widgets() -> int:
        return len(ipywidgets.widgets.widget._instances)

    before = widgets()
    first = make(audio="browser")
    one = widgets() - before
    first.connect().result(WAIT_S)
    made = [first, *(make(audio="browser") for _ in range(4))]
    until(lambda: widgets() == before + one)
    assert not first.connected
    assert "was run again" in first.panel.error
    for verb in verbs(first):
        with pytest.raises(rt.SessionClosedError, match="run again, so this one was closed"):
            verb()
    shown = first._repr_mimebundle_()[0]["text/plain"]
    assert shown.count("was run again") == 1
    assert "Run the cell" not in shown  # which would not bring this one back
    assert first.recording is not None
    assert rt.load(first.recording).complete
    assert made[-1].panel.comm is not None
    made[-1].close()
    until(lambda: widgets() == before)


def test_a_replaced_agent_that_fails_to_end_is_closed_all_the_same(
    make: MakeAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = iter(range(9))
    monkeypatch.setattr(agent_module, "running_cell", lambda: CellRun("a", str(next(runs))))
    agent = make()
    agent.connect().result(WAIT_S)
    fail_to_close(monkeypatch)
    make()
    until(lambda: agent.panel.comm is None)
    assert "The disk is full" in caplog.text


# --- what a saved notebook says ---


def ended_session(duration_s: float, recording: Path | None) -> Session:
    live: Any = scripted_session.LiveSession()
    scripted_session.three_turns(live)
    made = SimpleNamespace(
        conversation=live.conversation, clock=lambda: duration_s, recording=recording
    )
    return cast(Session, made)


def test_the_facts_of_a_session_and_where_its_recording_is() -> None:
    facts = session_facts(ended_session(23.44, Path("recordings/a b")), over=True)
    assert facts == (
        "a session of 23.4 s, 3 turns, 1 function call.\n"
        'Open its recording: rt.load("recordings/a b")'
    )


def test_a_long_one_that_was_not_recorded() -> None:
    facts = session_facts(ended_session(83.6, None), over=True)
    assert facts == "a session of 1 min 24 s, 3 turns, 1 function call. It was not recorded."


def test_one_that_goes_on_has_no_numbers_yet() -> None:
    facts = session_facts(ended_session(5.0, Path("recordings/x")), over=False)
    assert facts.startswith("a session was going on when this was saved.\nOpen its recording:")


def test_no_word_of_it_is_in_the_facts() -> None:
    session = ended_session(5.0, None)
    facts = session_facts(session, over=True)
    for _, text in session.conversation.transcript():
        assert text not in facts


# --- its states, in every order ---


class BriefSession:
    """A session that ends when it is closed, or when the server is told to end it."""

    recording = None

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.closings = 0
        self.over = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self.over.is_set()

    def clock(self) -> float:
        return 1.0

    async def close(self, *, complete: bool = True) -> None:
        await asyncio.sleep(0)
        self.over.set()
        self.closings += 1

    async def __aiter__(self) -> AsyncIterator[object]:
        await self.over.wait()
        for _ in range(3):  # the events before its end are still read
            await asyncio.sleep(0)
            yield None


class Connection(AgentConnection):
    """Between a server, an audio source and a panel that are not there."""

    def __init__(self) -> None:
        nothing: Any = Nothing()
        super().__init__(
            self._made,
            nothing.wait,
            audio=nothing,
            turns=nothing,
            views=nothing,
            show_settings=lambda: None,
        )
        self.refused = False
        self.made: list[BriefSession] = []
        self.steps: list[tuple[ConnectionState, Step]] = []

    async def _made(self) -> Any:
        await asyncio.sleep(0)
        refused, self.refused = self.refused, False
        if refused:
            raise rt.ConnectionFailedError("No.")
        self.made.append(BriefSession())
        return self.made[-1]

    def _step(self, step: Step) -> None:
        self.steps.append((self.state, step))
        super()._step(step)

    async def goes(self, order: list[str]) -> list[object]:
        """Does what is asked without waiting for it, but where the order says so."""
        asked: list[asyncio.Task[None]] = []
        for what in order:
            match what:
                case "open":
                    asked.append(asyncio.create_task(self.open()))
                case "end":
                    asked.append(asyncio.create_task(self.end()))
                case "close":
                    asked.append(asyncio.create_task(self.end_for_good("It is closed.")))
                case "server ends" if self.made:
                    self.made[-1].over.set()
                case "server refuses":
                    self.refused = True
                case "a moment" | "a while":
                    for _ in range(1 if what == "a moment" else 12):
                        await asyncio.sleep(0)
        return await asyncio.gather(*asked, return_exceptions=True)


class Nothing:
    """An audio source, turns, views and a panel that do nothing, some of it slowly."""

    def __init__(self) -> None:
        self.panel = self

    def set(self, **values: object) -> None:
        pass

    def tell_of_session(self, facts: str) -> None:
        pass

    def session_over(self, session: object, recording: object) -> None:
        pass

    async def wait(self, *args: object) -> None:
        await asyncio.sleep(0)

    prepare = start = stop = end = wait


HAPPENS = st.sampled_from(["open", "end", "server ends", "server refuses", "a moment", "a while"])


@given(st.lists(HAPPENS, max_size=12), st.lists(st.sampled_from(["close", "open", "end"])))
@settings(max_examples=500, deadline=None)
def test_it_goes_from_state_to_state_as_the_table_says(before: list[str], last: list[str]) -> None:
    async def run() -> None:
        connection = Connection()
        came = await connection.goes([*before, *last])
        assert {type(one) for one in came} <= {
            type(None),
            rt.SessionClosedError,
            rt.ConnectionFailedError,
        }
        await connection.end()
        assert connection.state == ("closed" if "close" in last else "disconnected")
        assert not connection.active
        assert [session.closings for session in connection.made] == [1] * len(connection.made)
        assert set(connection.steps) <= STEPS.keys()

    asyncio.run(run())


async def test_every_step_of_the_table_is_taken() -> None:
    opened = ["open", "a while"]
    orders = [
        [*opened, "end"],
        [*opened, "server ends", "a while"],
        ["server refuses", *opened],
        ["close", "end"],
    ]
    taken = []
    for order in orders:
        connection = Connection()
        await connection.goes(order)
        taken += connection.steps
    assert set(taken) == STEPS.keys()
