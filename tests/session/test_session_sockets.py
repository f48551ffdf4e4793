"""Sessions on sockets, with the key that is nowhere to be seen, and one with the real engines."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import websockets.asyncio.server as ws
from websockets.asyncio.client import connect

import realtime_nb as rt
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.session import open_connection
from realtime_nb.session.endpoints import local
from realtime_nb.session.transport import open_websocket
from realtime_nb.testing import fake_engines
from tests.paths import DATA


def fake_server(**options: Any) -> LocalServer:
    defaults = {"port": 0, "token": "a-token", "pace": SpeechPace(speed=20), "session_s": 60}
    return LocalServer(fake_engines(), **{"max_connections": 3, **defaults, **options})


@pytest.mark.feature("wrong key", "client")
async def test_a_wrong_token_is_a_failed_connection() -> None:
    async with fake_server() as server:
        with pytest.raises(rt.ConnectionFailedError, match="HTTP 401: Incorrect API key") as failed:
            await rt.connect(server.url, api_key="wrong-token")
        assert failed.value.code == "401"
        assert server.connections == 0


async def test_a_server_that_stops_ends_the_session(tmp_path: Path) -> None:
    async with fake_server() as server:
        session = await rt.connect(
            server.url, api_key=server.token, record=tmp_path, reconnect=False
        )
        waiting = asyncio.create_task(session.wait_for("response.done"))
        await asyncio.sleep(0)
    with pytest.raises(rt.SessionClosedError) as ended:
        await waiting
    assert ended.value.close_code == 1001
    await session.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_local_server_by_its_url_is_the_local_server(tmp_path: Path, host: str) -> None:
    """Under the name of a hosted model, too: it costs nothing that could be stated."""
    async with fake_server() as server:
        url = server.url.replace("127.0.0.1", host)
        async with rt.connect(
            url, api_key=server.token, model="gpt-realtime", record=tmp_path
        ) as session:
            await session.say("Hello.")
            await session.wait_for("response.done")

    assert session.recording is not None
    recording = rt.load(session.recording)
    assert recording.header["endpoint"]["kind"] == "url"
    assert recording.simulated
    assert recording.header["model"] == "gpt-realtime"
    assert math.isnan(recording.cost().priced_usd)
    assert "the local server: no price" in (recording.cost().reason or "")


@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_the_local_server_is_known_in_the_log_of_another_program(
    tmp_path: Path, dialect: str
) -> None:
    headers = {"Authorization": "Bearer a-token"}
    if dialect == "beta":
        headers["OpenAI-Beta"] = "realtime=v1"
    async with fake_server() as server:
        url = f"{server.url}?model=gpt-realtime"
        async with connect(url, additional_headers=headers) as socket:
            lines = [await socket.recv()]
            await socket.send('{"type": "response.create"}')
            while '"response.done"' not in str(lines[-1]):
                lines.append(str(await socket.recv()))
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(str, lines)))

    recording = rt.load(path)

    assert recording.simulated
    assert "the local server: no price" in (recording.cost().reason or "")


async def test_somebody_elses_server_on_this_machine_is_not_ours(tmp_path: Path) -> None:
    """It speaks just as ours does, but names its sessions otherwise."""

    async def another(socket: Any) -> None:
        session = {"id": "sess_1", "type": "realtime", "model": "gpt-realtime", "audio": {}}
        await socket.send(json.dumps({"type": "session.created", "session": session}))
        async for message in socket:
            if json.loads(message)["type"] == "session.update":
                await socket.send(json.dumps({"type": "session.updated", "session": session}))

    async with ws.serve(another, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        async with rt.connect(url, record=tmp_path) as session:
            pass

    assert session.recording is not None
    recording = rt.load(session.recording)
    assert not recording.simulated
    assert recording.cost().total_usd == 0.0


async def test_a_server_that_is_silent_is_not_realtime(monkeypatch: pytest.MonkeyPatch) -> None:
    import websockets.asyncio.server as ws

    async def silent(socket: ws.ServerConnection) -> None:
        await socket.wait_closed()

    monkeypatch.setattr(open_connection, "GREETING_TIMEOUT_S", 0.1)
    async with ws.serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(rt.ConnectionFailedError, match="Does it speak"):
            await rt.connect(f"ws://127.0.0.1:{port}/v1/realtime")


MARKER = "sk-marker-0123456789"


async def test_the_key_is_nowhere_but_in_the_handshake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with fake_server(token=MARKER) as server:
        endpoint = local(server.url, MARKER)
        async with rt.connect(endpoint, record=tmp_path) as session:
            await session.say("Hi")
            assert await session.settled()
            shown = [repr(session), repr(endpoint), repr(session.conversation)]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert MARKER.encode() not in written
    assert all(MARKER not in text for text in shown)
    assert MARKER not in caplog.text


async def test_the_key_is_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    import websockets.asyncio.server as ws

    async def echo(socket: ws.ServerConnection) -> None:
        assert socket.request is not None
        key = socket.request.headers["Authorization"]
        error = {"message": f"Wrong key {key} in {socket.request.path}", "code": "invalid_api_key"}
        await socket.send(json.dumps({"type": "error", "error": error}))
        await socket.close(3000, key[:100])

    caplog.set_level(logging.DEBUG, "realtime_nb")
    async with ws.serve(echo, "127.0.0.1", 0, logger=logging.getLogger("quiet")) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/realtime?key={MARKER}-in-url"
        with pytest.raises(rt.ConnectionFailedError) as failed:
            await rt.connect(url, api_key=MARKER)
    assert "Wrong key" in str(failed.value)
    assert MARKER not in str(failed.value)
    assert MARKER not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("realtime_nb")
    )


# --- the whole of it, with the real engines ---


async def test_a_conversation_with_the_local_server(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    began = time.monotonic()
    async with rt.connect("local", speed=6, record=tmp_path) as session:
        await session.play(DATA / "cards_001.wav")
        assert await session.settled()
        await session.update(input_format="g711_ulaw", output_format="g711_ulaw")
        await session.play(DATA / "cards_003.wav")
        assert await session.settled()
        assert session.conversation.errors == []
        texts = [text for role, text in session.conversation.transcript() if role == "user"]
        assert "clubs" in texts[0].lower()
        assert "seven" in texts[1].lower()
        url = session.endpoint.url
        assert session.clock() > time.monotonic() - began
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    left = [thread for thread in threading.enumerate() if thread not in threads]
    assert [thread.name for thread in left if not thread.name.startswith("asyncio_")] == []
    with pytest.raises(rt.ConnectionFailedError, match="Is the server running"):
        await open_websocket(local(url, "any"))
    assert session.recording is not None
    assert len(rt.load(session.recording).turns) == 2
