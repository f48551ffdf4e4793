"""Events over a WebSocket and in memory."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets.asyncio.server as ws

from realtime_nb.errors import ConnectionFailedError, SessionClosedError
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.transport import memory_pair, open_websocket
from realtime_nb.testing import MemoryServer
from tests.virtual import virtual

KEY = "sk-marker-0123456789"
QUIET = logging.getLogger("tests.transport.server")


@asynccontextmanager
async def serving(
    handler: Callable[[ws.ServerConnection], Awaitable[None]], **options: Any
) -> AsyncIterator[Endpoint]:
    async with ws.serve(handler, "127.0.0.1", 0, logger=QUIET, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Endpoint(
            f"ws://127.0.0.1:{port}/v1/realtime?key={KEY}-query",
            "m",
            {"Authorization": f"Bearer {KEY}"},
        )


async def nobody(socket: ws.ServerConnection) -> None:
    raise AssertionError("must not get here")


# --- WebSocket ---


async def test_events_travel_both_ways_as_json_text() -> None:
    async def echo(socket: ws.ServerConnection) -> None:
        frame = await socket.recv()
        assert isinstance(frame, str)
        await socket.send(frame)

    async with serving(echo) as endpoint:
        transport = await open_websocket(endpoint)
        await transport.send({"type": "hello", "text": "Grüße", "n": [1, None, 2.5]})
        assert await transport.receive() == {"type": "hello", "text": "Grüße", "n": [1, None, 2.5]}
        await transport.close()
        await transport.close()


async def test_the_handshake_carries_headers_and_model_and_no_beta() -> None:
    seen: list[Any] = []

    async def look(socket: ws.ServerConnection) -> None:
        seen.append(socket.request)

    async with serving(look) as endpoint:
        await (await open_websocket(endpoint)).close()
    [request] = seen
    assert request.path == f"/v1/realtime?key={KEY}-query&model=m"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "OpenAI-Beta" not in request.headers
    assert "Sec-WebSocket-Extensions" not in request.headers


@pytest.mark.parametrize("frame", ["", "{", "[1]", "5", b"\xff\xfe", b"{}", "[" * 100_000])
async def test_a_frame_that_is_no_event_becomes_one(frame: str | bytes) -> None:
    async def babble(socket: ws.ServerConnection) -> None:
        await socket.send(frame)
        await socket.send('{"type": "next"}')

    async with serving(babble) as endpoint:
        transport = await open_websocket(endpoint)
        first = await transport.receive()
        assert first == {} if frame == b"{}" else first["type"] == "malformed"
        assert await transport.receive() == {"type": "next"}
        await transport.close()


async def test_large_events_arrive_whole() -> None:
    async def echo(socket: ws.ServerConnection) -> None:
        await socket.send(await socket.recv())

    async with serving(echo, max_size=None) as endpoint:
        transport = await open_websocket(endpoint)
        event = {"type": "big", "audio": "A" * 20_000_000}
        await transport.send(event)
        assert await transport.receive() == event
        await transport.close()


@pytest.mark.parametrize(("code", "reason"), [(1001, "expired"), (4000, "bad"), (1000, "")])
async def test_the_end_comes_with_its_code_and_reason(code: int, reason: str) -> None:
    async def leave(socket: ws.ServerConnection) -> None:
        await socket.close(code, reason)

    async with serving(leave) as endpoint:
        transport = await open_websocket(endpoint)
        for _ in range(2):
            with pytest.raises(SessionClosedError) as ended:
                await transport.receive()
            assert (ended.value.close_code, ended.value.reason) == (code, reason)
        with pytest.raises(SessionClosedError):
            await transport.send({})
        await transport.close()


async def test_a_lost_connection_is_1006() -> None:
    async def vanish(socket: ws.ServerConnection) -> None:
        socket.transport.abort()

    async with serving(vanish) as endpoint:
        transport = await open_websocket(endpoint)
        with pytest.raises(SessionClosedError) as ended:
            await transport.receive()
        assert ended.value.close_code == 1006
        await transport.close()


async def test_nobody_there() -> None:
    async with serving(nobody) as endpoint:
        pass
    with pytest.raises(ConnectionFailedError, match="Is the server running there") as failed:
        await open_websocket(endpoint)
    assert KEY not in str(failed.value)


async def test_an_http_refusal_names_its_status_and_words_without_the_key() -> None:
    def refuse(socket: ws.ServerConnection, request: Any) -> Any:
        return socket.respond(http.HTTPStatus.FORBIDDEN, f"No entry with {KEY}\n")

    async with serving(nobody, process_request=refuse) as endpoint:
        with pytest.raises(ConnectionFailedError, match=r"HTTP 403: No entry with") as failed:
            await open_websocket(endpoint)
    assert failed.value.code == "403"
    assert KEY not in str(failed.value)


async def test_a_redirect_is_not_followed() -> None:
    def redirect(socket: ws.ServerConnection, request: Any) -> Any:
        response = socket.respond(http.HTTPStatus.FOUND, "elsewhere\n")
        response.headers["Location"] = "/elsewhere"
        return response

    requests: list[str] = []

    def count(socket: ws.ServerConnection, request: Any) -> Any:
        requests.append(request.path)
        return redirect(socket, request)

    async with serving(nobody, process_request=count) as endpoint:
        with pytest.raises(ConnectionFailedError, match="HTTP 302"):
            await open_websocket(endpoint)
    assert len(requests) == 1


async def test_a_server_that_never_answers_the_handshake() -> None:
    over = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailedError, match=r"did not answer within 0\.1 s"):
            await open_websocket(Endpoint(f"ws://127.0.0.1:{port}/"), timeout_s=0.1)
        await over.wait()


async def test_a_server_that_speaks_something_else() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailedError, match="Can't connect to"):
            await open_websocket(Endpoint(f"ws://127.0.0.1:{port}/"), timeout_s=5)


async def test_the_log_has_no_headers_however_much_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def leave(socket: ws.ServerConnection) -> None:
        await socket.close()

    caplog.set_level(logging.DEBUG)
    logging.getLogger("realtime_nb.session.transport.websocket").setLevel(logging.DEBUG)
    QUIET.setLevel(logging.ERROR)
    async with serving(leave) as endpoint:
        transport = await open_websocket(endpoint)
        with pytest.raises(SessionClosedError):
            await transport.receive()
    assert KEY not in caplog.text


# --- in memory ---


@virtual
async def test_what_one_end_sends_the_other_receives_as_a_copy() -> None:
    client, server = memory_pair()
    event: dict[str, Any] = {"type": "a", "list": [1]}
    await client.send(event)
    event["list"].append(2)
    assert await server.receive() == {"type": "a", "list": [1]}
    await server.send({"type": "b"})
    assert await client.receive() == {"type": "b"}


@virtual
async def test_what_was_sent_before_the_end_still_arrives() -> None:
    client, server = memory_pair()
    await server.send({"type": "last"})
    await server.close(1001, "expired")
    await server.close(1000)
    assert await client.receive() == {"type": "last"}
    for end in (client, server):
        for _ in range(2):
            with pytest.raises(SessionClosedError, match=r"1001: expired") as ended:
                await end.receive()
            assert (ended.value.close_code, ended.value.reason) == (1001, "expired")
        with pytest.raises(SessionClosedError):
            await end.send({"type": "late"})


@virtual
async def test_whoever_waits_learns_of_the_end() -> None:
    client, server = memory_pair()
    waiting = [asyncio.create_task(end.receive()) for end in (client, server, client)]
    await asyncio.sleep(0)
    await client.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [SessionClosedError] * 3


@virtual
async def test_the_server_in_memory_ends_with_its_client() -> None:
    async with MemoryServer() as server:
        assert (await server.transport.receive())["type"] == "session.created"
        await server.transport.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
