"""Events over a WebSocket and in memory."""

from __future__ import annotations

import asyncio
import http
import logging
import traceback
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
QUIET.setLevel(logging.CRITICAL)  # it logs what the client sent, keys among it


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


# --- what is not ours ---


def everything_in(error: BaseException | None) -> str:
    """All that an exception and whatever hangs on it say."""
    said: list[str] = []
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += [str(one), repr(one), repr(one.args), repr(vars(one))]
        said += traceback.format_exception(one)
        said += list(getattr(one, "__notes__", ()))
        todo += [one.__cause__, one.__context__]
    return "\n".join(said)


def test_whoever_looks_for_a_key_in_exceptions_would_find_it() -> None:
    error = ValueError("x")
    error.__context__ = KeyError(KEY)
    error.__suppress_context__ = True
    assert KEY in everything_in(error)


async def test_a_key_that_the_server_repeats_shows_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def parrot(socket: ws.ServerConnection) -> None:
        said = f'{{"type":"error","error":{{"message":"bad {KEY} {KEY}-query"}},"{KEY}":1}}'
        await socket.send(said)
        await socket.close(3000, f"bad {KEY}")

    async with serving(parrot) as endpoint:
        transport = await open_websocket(endpoint)
        event = await transport.receive()
        with pytest.raises(SessionClosedError) as ended:
            await transport.receive()
        with pytest.raises(SessionClosedError) as refused:
            await transport.send({"type": "x"})
    assert KEY not in repr(event)
    assert event["error"]["message"] == "bad [removed] [removed]"
    assert (ended.value.close_code, ended.value.reason) == (3000, "bad [removed]")
    assert KEY not in everything_in(ended.value) + everything_in(refused.value)
    assert KEY not in repr(transport)
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "body", [KEY, f"Bearer {KEY}", f"{'x' * 190}{KEY}", f"masked {KEY[:7]}****{KEY[-4:]}"]
)
async def test_a_refusal_that_repeats_the_key_carries_none_of_it(
    body: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def refuse(connection: ws.ServerConnection, request: Any) -> Any:
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, body)

    async with serving(nobody, process_request=refuse) as endpoint:
        with pytest.raises(ConnectionFailedError, match="HTTP 401") as raised:
            await open_websocket(endpoint)
    said = everything_in(raised.value) + caplog.text
    assert KEY[:7] not in said
    assert raised.value.code == "401"


async def test_failures_to_connect_carry_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for scheme in ("ws", "wss"):
            endpoint = Endpoint(f"{scheme}://127.0.0.1:{port}/?token={KEY}", "m", headers)
            with pytest.raises(ConnectionFailedError, match="Can't connect") as raised:
                await open_websocket(endpoint)
            assert KEY not in everything_in(raised.value)


async def test_tls_against_a_plain_port_says_so() -> None:
    async with serving(nobody) as endpoint:
        secure = Endpoint(endpoint.url.replace("ws://", "wss://"))
        with pytest.raises(ConnectionFailedError, match=r"Can't connect|did not answer") as raised:
            await open_websocket(secure, timeout_s=5)
    assert "ws://" in str(raised.value)


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY"])
async def test_a_server_on_this_computer_is_not_reached_through_a_proxy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "socks5h://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def greet(socket: ws.ServerConnection) -> None:
        await socket.send('{"type":"hello"}')

    async with serving(greet) as endpoint:
        transport = await open_websocket(endpoint)
        assert await transport.receive() == {"type": "hello"}
        await transport.close()


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5h://127.0.0.1:9",
        "socks5://user:word123@127.0.0.1:9",
        "nonsense://x",
        "http://127.0.0.1:9",
    ],
)
async def test_a_proxy_that_cannot_be_used_is_an_error_of_ours(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "https_proxy", "wss_proxy", "socks_proxy"):
        monkeypatch.setenv(name, proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(ConnectionFailedError) as raised:
        await open_websocket(Endpoint("wss://example.invalid/v1", headers={"a": KEY}), 5)
    assert KEY not in everything_in(raised.value)
    assert "word123" not in str(raised.value)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"x","text":"\xff\xfe"}',
        b'{"type":"\xc3"}',
        b"\xff\xff",
        b'{"type":"x"',
        b"",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":1%s}'
        % (b"0" * 400),
        b'{"type":"x","counts":[{"n":-1%s}]}' % (b"0" * 30),
    ],
)
async def test_bytes_that_are_no_json_are_malformed_and_the_session_goes_on(frame: bytes) -> None:
    async def strange(socket: ws.ServerConnection) -> None:
        await socket.send(frame, text=False)
        await socket.send('{"type":"next"}')

    async with serving(strange) as endpoint:
        transport = await open_websocket(endpoint)
        assert (await transport.receive())["type"] == "malformed"
        assert await transport.receive() == {"type": "next"}
        await transport.close()


async def test_millions_of_values_are_malformed_and_cost_no_seconds() -> None:
    frame = '{"type":"x","values":[' + "1," * 20_000_000 + "1]}"

    async def flood(socket: ws.ServerConnection) -> None:
        await socket.send(frame)
        await socket.send('{"type":"next"}')

    async with serving(flood) as endpoint:
        transport = await open_websocket(endpoint)
        assert (await transport.receive())["problem"] == "too many values"
        assert await transport.receive() == {"type": "next"}
        await transport.close()
