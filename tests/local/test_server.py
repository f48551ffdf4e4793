from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import threading
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from realtime_nb.errors import ConfigurationError
from realtime_nb.local import client_socket
from realtime_nb.local import server as server_module
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer, serve
from realtime_nb.session.connect import connect as connect_session
from tests.local.fake_engines import WatchedSTT, WatchedTTS, fake_server
from tests.local.raw_client import become_true, joined, turn

Headers = dict[str, str]
TOKEN = {"Authorization": "Bearer a-token"}


others: set[threading.Thread] = set()
"""Threads of tests before this one: those of engines without a server end with the process."""


@pytest.fixture(autouse=True)
def _no_others() -> None:
    others.clear()
    others.update(threading.enumerate())


def engine_threads() -> list[str]:
    own = [thread.name for thread in threading.enumerate() if thread not in others]
    return [name for name in own if name.startswith("realtime_nb-") and name != "realtime_nb-io"]


# --- Entering ---


async def test_a_server_is_entered_once_at_a_time() -> None:
    server = fake_server()
    async with server:
        with pytest.raises(
            ConfigurationError, match=f"runs already, at ws://127.0.0.1:{server.port}"
        ):
            await server.__aenter__()
        async with joined(server) as client:  # the first one goes on
            assert (await client.ask())["status"] == "completed"
    assert server.connections == 0


async def test_a_server_that_ended_is_not_entered_again() -> None:
    server = fake_server()
    for _ in range(3):
        with (
            pytest.raises(ConfigurationError, match=r"rt\.serve\(\)")
            if server._entered
            else (contextlib.nullcontext())
        ):
            async with server:
                pass


async def test_a_server_that_is_starting_is_not_entered_again() -> None:
    server = fake_server()
    both = await asyncio.gather(server.__aenter__(), server.__aenter__(), return_exceptions=True)
    assert both[0] is server
    assert isinstance(both[1], ConfigurationError)
    async with joined(server) as client:
        assert (await client.ask())["status"] == "completed"
    await server.__aexit__(None, None, None)


async def test_a_server_that_could_not_start_says_so_the_second_time() -> None:
    async with fake_server() as first:
        second = fake_server()
        second.port = first.port
        with pytest.raises(ConfigurationError, match="can't be used"):
            await second.__aenter__()
        with pytest.raises(ConfigurationError, match="entered before"):
            await second.__aenter__()
    assert engine_threads() == []


async def test_small_events_are_sent_at_once() -> None:
    async with fake_server() as server, joined(server):
        (connection,) = server._connections
        wire = connection._socket.transport.get_extra_info("socket")
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- Who may come in ---


async def refused(server: LocalServer, query: str, **options: Any) -> tuple[Any, int, str]:
    """The error event and the CLOSE of a client that is turned away after the upgrade."""
    async with connect(f"{server.url}{query}", **options) as client:
        error = json.loads(await client.recv())["error"]
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code is not None
        return error, client.close_code, client.close_reason or ""


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Missing"),
        ({"Authorization": ""}, "Missing"),
        ({"Authorization": "Bearer "}, "Missing"),
        ({"Authorization": "Basic a-token"}, "Missing"),
        ({"Authorization": "Bearer wrong"}, "Incorrect"),
        ({"Authorization": "Bearer a-toke"}, "Incorrect"),
        ({"Authorization": "Bearer a-tökén"}, "Incorrect"),
        ({"api-key": "wrong"}, "Incorrect"),
    ],
)
async def test_a_wrong_key_is_refused_before_the_upgrade(headers: Headers, words: str) -> None:
    async with fake_server() as server:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{server.url}?model=m", additional_headers=headers)
        assert server.connections == 0
    response = refusal.value.response
    assert response.status_code == 401
    body = (response.body or b"").decode()
    assert json.loads(body)["error"]["message"].startswith(words)
    assert "a-token" not in body


@pytest.mark.parametrize("query", ["", "?model=", "?intent=realtime"])
async def test_a_missing_model_is_told_and_closed(query: str) -> None:
    async with fake_server() as server:
        error, closed, why = await refused(server, query, additional_headers=TOKEN)
        assert server.connections == 0
    assert error["type"] == "invalid_request_error"
    assert (error["code"], closed) == ("missing_model", 4000)
    assert why == "invalid_request_error.missing_model"


async def test_an_intent_that_is_none_is_told_and_closed() -> None:
    """A conversation is not what somebody wants who asks for intent=transcribe."""
    async with fake_server() as server:
        query = "?model=m&intent=transcribe"
        error, closed, _ = await refused(server, query, additional_headers=TOKEN)
    assert (error["code"], error["param"], closed) == ("invalid_value", "intent", 4000)
    assert "'realtime' and 'transcription'" in error["message"]


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        ({"Authorization": "Bearer a-token"}, None),
        ({"authorization": "bearer   a-token "}, None),
        ({"api-key": "a-token"}, None),
        ({}, ["realtime", "openai-insecure-api-key.a-token"]),
        ({}, ["openai-insecure-api-key.a-token", "realtime"]),
    ],
)
async def test_the_token_may_come_in_three_ways(
    headers: Headers, protocols: list[str] | None
) -> None:
    offered = [Subprotocol(name) for name in protocols or []]
    async with (
        fake_server() as server,
        connect(
            f"{server.url}?model=m", additional_headers=headers, subprotocols=offered or None
        ) as client,
    ):
        assert json.loads(await client.recv())["type"] == "session.created"
        assert client.subprotocol == ("realtime" if protocols else None)


async def test_a_token_need_not_be_ascii() -> None:
    server = fake_server()
    server.token = "schlüssel"
    async with server:
        headers = {"Authorization": "Bearer schlüssel"}
        async with connect(f"{server.url}?model=m", additional_headers=headers) as client:
            assert json.loads(await client.recv())["type"] == "session.created"


async def http(server: LocalServer, request_line: str, *headers: str) -> str:
    """The first line of the answer to a handshake written by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    lines = [request_line, *upgrade, *headers, "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    status = (await reader.readline()).decode().strip()
    writer.close()
    await writer.wait_closed()
    return status


HERE = "Host: 127.0.0.1:80"
KEY = "Authorization: Bearer a-token"
GET = "GET /v1/realtime?model=m HTTP/1.1"


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        (GET, [HERE, KEY], "101"),
        (GET, ["Host: localhost", KEY], "101"),
        (GET, ["Host: LOCALHOST:1", KEY], "101"),
        (GET, ["Host: [::1]:1", KEY], "101"),
        ("GET /v1/realtime/?model=m HTTP/1.1", [HERE, KEY], "101"),
        (GET, [HERE], "401"),
        (GET, [HERE, "Authorization: Bearer \x80\xff"], "401"),
        ("GET / HTTP/1.1", [HERE, KEY], "404"),
        (GET, [HERE, "Origin: http://localhost:8888"], "403"),
        (GET, [HERE, "Origin: null"], "403"),
        (GET, [HERE, "Origin: "], "403"),
        (GET, [HERE, "Origin: a", "Origin: b"], "403"),
        (GET, ["Host: evil.example"], "403"),
        (GET, ["Host: 127.0.0.1.evil.example"], "403"),
        (GET, ["Host: evil.example#127.0.0.1"], "403"),
        (GET, ["Host: 127.0.0.1@evil.example"], "403"),
        (GET, ["Host: ["], "403"),
        (GET, ["Host: "], "403"),
        (GET, [], "403"),
        (GET, [HERE, HERE], "403"),
        ("GET / HTTP/1.1", [HERE], "404"),
        ("GET /v1/realtime2?model=m HTTP/1.1", [HERE], "404"),
        ("GET /v1/realtime/translations HTTP/1.1", [HERE], "404"),
        ("GET /v1/../v1/realtime HTTP/1.1", [HERE], "404"),
        ("GET //[?model=m HTTP/1.1", [HERE], "404"),
        ("POST /v1/realtime HTTP/1.1", [HERE], "405"),
    ],
)
async def test_handshakes(request_line: str, headers: list[str], status: str) -> None:
    async with fake_server() as server:
        line = await http(server, request_line, *headers)
        assert line.split(" ")[1:2] == ([status] if status else [])
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"


async def test_repeated_headers_do_no_harm() -> None:
    keys = ["Authorization: Bearer a-token", "Authorization: Bearer b", "api-key: c", "api-key: d"]
    async with fake_server() as server:
        assert "101" in await http(server, GET, HERE, *keys)
        assert "401" in await http(server, GET, HERE, *keys[2:])
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"


async def test_web_pages_are_refused_by_their_own_words() -> None:
    async with fake_server() as server:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{server.url}?model=m", origin="http://evil.example")  # type: ignore[arg-type]
    assert refusal.value.response.status_code == 403
    assert b"web pages" in (refusal.value.response.body or b"")


async def test_no_more_than_so_many_connections() -> None:
    async with fake_server(max_connections=3) as server:
        async with joined(server) as one, joined(server), joined(server):
            flood = [refused(server, "?model=m", additional_headers=TOKEN) for _ in range(50)]
            for error, code, reason in await asyncio.gather(*flood):
                assert error["code"] == "session_limit_reached"
                assert (code, reason) == (1013, "invalid_request_error.session_limit_reached")
            assert server.connections == 3
            assert (await one.ask())["status"] == "completed"
        await become_true(lambda: server.connections == 0)
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"


async def test_a_transcription_session_needs_no_model() -> None:
    async with fake_server() as server, joined(server, "intent=transcription") as client:
        assert client.events[0]["session"]["type"] == "transcription"
        await client.append(turn())
        await client.until("conversation.item.done")
        await client.send("response.create")
        await client.until("error")
    assert "response.created" not in client.kinds


async def test_the_model_s_name_is_the_client_s() -> None:
    async with fake_server() as server, joined(server, "model=gpt%2Drealtime%2D2.1") as client:
        assert client.events[0]["session"]["model"] == "gpt-realtime-2.1"


# --- Beginning and end ---


async def test_it_listens_on_this_machine_only() -> None:
    async with fake_server() as server:
        assert server._server is not None
        assert [s.getsockname()[0] for s in server._server.sockets] == ["127.0.0.1"]
        assert server.url == f"ws://127.0.0.1:{server.port}/v1/realtime"
        engines = "stt=fake-stt, llm=scripted, tts=fake-tts"
        assert repr(server) == f"<LocalServer {server.url}, 0 connections; {engines}>"
    assert repr(server) == f"<LocalServer not running, 0 connections; {engines}>"


async def test_engines_are_warm_before_the_first_client() -> None:
    class Warm(WatchedSTT):
        warm = False

        def warm_up(self) -> None:
            self.warm = True

    stt = Warm()
    async with fake_server(stt=stt):
        assert stt.warm


async def test_a_language_model_is_warmed_up_too() -> None:
    class Warm(ScriptedLLM):
        warm = False

        def warm_up(self) -> None:
            self.warm = True

    llm = Warm([])
    async with fake_server(llm=llm):
        assert llm.warm


async def test_an_engine_that_fails_at_once_keeps_the_server_from_starting() -> None:
    class Broken(WatchedTTS):
        def warm_up(self) -> None:
            raise OSError("no model")

    told = "tts 'fake-tts' could not be started: OSError: no model"
    with pytest.raises(ConfigurationError, match=told):
        async with fake_server(tts=Broken()):
            raise AssertionError
    assert engine_threads() == []


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = fake_server(stt=WatchedSTT())
        server.port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {server.port} can't be used"):
            async with server:
                raise AssertionError
    assert engine_threads() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": -1}, "port is -1"),
        ({"port": 65_536}, "port is 65536"),
        ({"speed": 0}, "speed is 0"),
        ({"speed": float("nan")}, "speed is nan"),
        ({"speed": float("inf")}, "speed is inf"),
        ({"session_minutes": -1}, "session_minutes is -1"),
        ({"lead_ms": -1}, "lead_ms is -1"),
        ({"lead_ms": float("nan")}, "lead_ms is nan"),
        ({"lead_ms": "1 s"}, "lead_ms is '1 s'; give milliseconds"),
        ({"lead_ms": True}, "lead_ms is True"),
        ({"max_connections": 0}, "max_connections is 0"),
        ({"strict_ga": "yes"}, "strict_ga is 'yes'"),
        ({"stt": "nonesuch"}, "nonesuch"),
    ],
)
def test_values_that_can_not_be_meant(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        serve(**options)


def test_every_server_has_a_token_of_its_own() -> None:
    engines: dict[str, Any] = {"stt": WatchedSTT(), "tts": WatchedTTS()}
    tokens = {serve(**engines).token for _ in range(10)}
    assert len(tokens) == 10
    assert min(map(len, tokens)) >= 20
    assert serve(**engines, token="mine").token == "mine"


async def test_closing_ends_sessions_tasks_and_threads() -> None:
    before = asyncio.all_tasks()
    gate = threading.Event()
    tts = WatchedTTS(gate=gate)
    server = fake_server(llm=ScriptedLLM(["One. Two. Three."] * 3), tts=tts)
    async with server, joined(server) as talking, joined(server) as idle:
        await talking.append(turn())
        await talking.send("response.create")
        await asyncio.to_thread(tts.called.wait, 20)
        assert engine_threads() != []
        threading.Timer(0.05, gate.set).start()
        await server.__aexit__(None, None, None)
        assert (await talking.close_code())[0] == 1001
        assert (await idle.close_code())[0] == 1001
        assert server.connections == 0
        assert engine_threads() == []
        assert repr(server).startswith("<LocalServer not running")
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert left == set()


async def test_closing_waits_for_no_client_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "CLOSE_S", 0.1)
    server = fake_server(tts=WatchedTTS(60_000))
    async with server, joined(server, reads=False) as deaf, joined(server) as other:
        for _ in range(5):
            await deaf.send("response.create", response={"conversation": "none"})
        await become_true(
            lambda: any(
                c._unsent_answers.amount > c._unsent_answers.limit
                and c._socket.transport.get_write_buffer_size()
                for c in server._connections
            )
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        await server.__aexit__(None, None, None)
        assert loop.time() - began < 3
        assert (await other.close_code())[0] == 1001
        deaf.socket.transport.abort()
    assert server.connections == 0


@pytest.mark.parametrize("rounds", range(8))
def test_closing_loses_no_client_that_comes_at_that_moment(
    rounds: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def knock_and_close() -> list[bytes]:
        async with contextlib.AsyncExitStack() as clients:
            async with fake_server() as server:
                coming = [socket.socket() for _ in range(30)]
                for client in coming:
                    clients.callback(client.close)
                    client.setblocking(False)
                    client.connect_ex(("127.0.0.1", server.port))
                for _ in range(rounds):
                    await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(5):
                return [await said_to(client, loop) for client in coming]

    async def said_to(client: socket.socket, loop: asyncio.AbstractEventLoop) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await loop.sock_recv(client, 1_000)
        return b""

    assert set(asyncio.run(knock_and_close())) == {b""}  # nobody is left waiting
    assert caplog.text == ""
    gc.collect()  # an unclosed socket warns, which fails the test


async def test_closing_does_not_wait_for_ever_for_an_engine(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "CLOSE_S", 0.1)
    gate = threading.Event()
    tts = WatchedTTS(gate=gate)
    async with fake_server(llm=ScriptedLLM(["One."]), tts=tts) as server:
        async with joined(server) as client:
            await client.send("response.create")
            await asyncio.to_thread(tts.called.wait, 20)
        await server.__aexit__(None, None, None)
        gate.set()
    assert "still at work" in caplog.text


async def test_a_client_that_closes_gets_its_own_code_back() -> None:
    async with fake_server() as server, joined(server) as client:
        await client.socket.close(1000, "bye")
        assert client.socket.close_code == 1000
        await asyncio.wait_for(client.socket.wait_closed(), 20)


@pytest.mark.feature("pings", "server")
async def test_pings_are_answered_and_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_server() as server, joined(server) as client:
        (connection,) = server._connections
        assert connection._socket.ping_interval == client_socket.PING_S
        assert connection._socket.close_timeout == client_socket.CLOSE_S
        await asyncio.wait_for(await client.socket.ping(), 20)


async def test_it_runs_from_cell_to_cell_and_sessions_take_it_as_it_is() -> None:
    server = await serve(llm=ScriptedLLM(["Good morning."]))
    async with connect_session(server) as session:
        await session.say("Hello.")
        assert await session.settled()
    assert session.conversation.transcript()[-1] == ("assistant", "Good morning.")
    await server.close()
    await server.close()
    assert not server.running
    for unfit in (server, serve()):
        with pytest.raises(ConfigurationError, match="does not run"):
            connect_session(unfit)
