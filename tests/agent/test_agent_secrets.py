"""Keys that servers and functions repeat: nowhere in what is kept of an agent's sessions."""

from __future__ import annotations

import asyncio
import http
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
import matplotlib
import pytest
from websockets.asyncio.server import ServerConnection, serve

import realtime_nb as rt
from realtime_nb.agent.agent import Agent
from realtime_nb.agent.io_thread import io_thread
from realtime_nb.local.llm import Call
from tests.agent import agents
from tests.agent.agents import WAIT_S, Server, until

fake_comms, voice = agents.fake_comms, agents.voice
matplotlib.use("Agg")

KEYS = [agents.KEY, "0123456789abcdef0123456789abcdef", 'odd"key\\with<signs>&more']


def everything(agent: Agent, folder: Path) -> Iterator[tuple[str, str]]:
    """Yields where something is kept, and what."""
    for widget in list(ipywidgets.widgets.widget._instances.values()):
        yield f"state of {type(widget).__name__}", repr(widget.get_state())
    for view in (agent.panel, agent.transcript, agent.events, agent.calls, agent.timeline):
        yield f"saved {type(view).__name__}", repr(view._as_saved())
        yield f"repr of {type(view).__name__}", repr(view)
    yield "agent", repr(agent) + repr(agent.session) + repr(agent.conversation)
    yield "errors", repr(agent.conversation.errors) + agent.panel.error
    yield (
        "items",
        repr(
            [
                vars(one) if hasattr(one, "__dict__") else one
                for one in agent.conversation.items.values()
            ]
        ),
    )
    yield "calls", repr(list(agent.conversation.calls.values()))
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".wav":
            yield path.name, path.read_text(errors="replace")


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Returns what was logged, but for the test's own server, which logs what it is sent."""
    own = [one for one in caplog.records if one.name != "websockets.server"]
    return "\n".join(map(logging.Formatter().format, own))


def check(key: str, agent: Agent, folder: Path, log: str) -> None:
    forms = {key, json.dumps(key)[1:-1], repr(key)[1:-1]}
    for where, content in [*everything(agent, folder), ("log", log)]:
        for form in forms:
            assert form not in content, where


@pytest.mark.parametrize("key", KEYS)
def test_functions_that_return_the_key(
    key: str, voice: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(
        replies=[Call("returns", "{}"), "A.", Call("raises", "{}"), "B.", Call("steps", "{}"), "C."]
    )

    def returns() -> dict[str, str]:
        return {"key": key, key: "as a name"}

    def raises() -> str:
        raise PermissionError(f"the key {key} is refused")

    def steps() -> Iterator[str]:
        yield f"first {key}"
        yield f"Bearer {key}"

    agent = Agent(
        rt.Endpoint(
            server.local.url, "m", headers={"Authorization": f"Bearer {agents.KEY}", "X-Other": key}
        ),
        audio=voice,
        record=tmp_path / "recordings",
        tools=[returns, raises, steps],
    )
    try:
        for words in ("One?", "Two?", "Three?"):
            agent.say(words).result(WAIT_S)
            assert agent.settled().result(WAIT_S)
        agent.disconnect().result(WAIT_S)
        outputs = [call.output for call in agent.conversation.calls.values()]
        assert len(outputs) == 3 and all("[removed]" in str(one) for one in outputs)
        assert agent.recording is not None
        rt.load(agent.recording).report(tmp_path / "report.html")
        rt.load(agent.recording).to_csv(tmp_path / "csv")
        check(key, agent, tmp_path, logged(caplog))
    finally:
        agent.close()
        server.close()


class Repeating:
    """A server that repeats the key in every way, closes with it, and refuses who comes back."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.connections = 0
        self.url = ""
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._served = io_thread().run(self._serve())
        assert self._ready.wait(WAIT_S)

    def close(self) -> None:
        io_thread().call(self._stop.set)
        self._served.result(WAIT_S)

    async def _serve(self) -> None:
        def refuse(socket: ServerConnection, _: object) -> Any:
            self.connections += 1
            if self.connections > 1:
                return socket.respond(http.HTTPStatus.FORBIDDEN, f"{self.key} is wrong")
            return None

        async with serve(self._talk, "127.0.0.1", 0, process_request=refuse) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/realtime"
            self._ready.set()
            await self._stop.wait()

    async def _talk(self, socket: ServerConnection) -> None:
        async def send(name: str, **fields: Any) -> None:
            await socket.send(json.dumps({"type": name, "event_id": "e", **fields}))

        await send("session.created", session={"id": "s", "type": "realtime"})
        async for frame in socket:
            event = json.loads(frame)
            if event["type"] == "session.update":
                told = {**event["session"], "id": "s", "instructions": f"Not {self.key}"}
                await send("session.updated", session=told)
            if event["type"] == "response.create":
                break
        error = {"type": "invalid_request_error", "code": self.key, "message": f"Bad {self.key}"}
        await send("error", error=error)
        await send("response.created", response={"id": "r", "status": "in_progress", "output": []})
        item = {"id": "i", "type": "message", "role": "assistant", "content": []}
        place = {"response_id": "r", "output_index": 0}
        await send("response.output_item.added", **place, item=item)
        place |= {"item_id": "i", "content_index": 0}
        await send("response.content_part.added", **place, part={"type": "audio", "transcript": ""})
        for letter in f"It is {self.key}, yes":
            await send("response.output_audio_transcript.delta", **place, delta=letter)
        await send(f"unknown.{self.key}", more=[{self.key: self.key}])
        await socket.send(f"no JSON {self.key}")
        await socket.close(1011, f"{self.key} broke it")


@pytest.mark.parametrize("key", KEYS)
def test_a_server_that_repeats_the_key_and_goes(
    key: str, voice: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Repeating(key)
    agent = Agent(
        rt.Endpoint(server.url, "m", {"Authorization": f"Bearer {key}"}),
        audio=voice,
        record=tmp_path / "recordings",
    )
    try:
        agent.say("One?").result(WAIT_S)
        until(lambda: server.connections > 1 and not agent.connected)
        raised = []
        try:
            agent.connect().result(WAIT_S)
        except rt.RealtimeError as error:
            raised = traceback.format_exception(error)
        agent.disconnect().result(WAIT_S)
        told = str(agent.conversation.items["i"])
        assert "[removed], yes" in told and key[:4] not in told
        assert agent.recording is not None
        rt.load(agent.recording).report(tmp_path / "report.html")
        check(key, agent, tmp_path, logged(caplog) + agent.panel.error + "".join(raised))
    finally:
        agent.close()
        server.close()
