"""Sessions on sockets, with the key that is nowhere to be seen, and one with the real engines."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.session import driver
from realtime_nb.session.endpoints import local
from realtime_nb.session.transport import open_websocket
from realtime_nb.testing import fake_engines
from tests.paths import DATA


def fake_server(**options: Any) -> LocalServer:
    defaults = {"port": 0, "token": "a-token", "pace": SpeechPace(speed=20), "session_s": 60}
    return LocalServer(fake_engines(), **{"max_connections": 3, **defaults, **options})


async def test_a_wrong_token_is_a_failed_connection() -> None:
    async with fake_server() as server:
        with pytest.raises(rt.ConnectionFailedError, match="refused the session") as failed:
            await rt.connect(server.url, api_key="wrong-token")
        assert failed.value.code == "invalid_api_key"
        assert server.connections == 0


async def test_a_server_that_stops_ends_the_session(tmp_path: Path) -> None:
    async with fake_server() as server:
        session = await rt.connect(server.url, api_key=server.token, record=tmp_path)
        waiting = asyncio.create_task(session.wait_for("response.done"))
        await asyncio.sleep(0)
    with pytest.raises(rt.SessionClosedError) as ended:
        await waiting
    assert ended.value.close_code == 1001
    await session.close()


async def test_a_server_that_is_silent_is_not_realtime(monkeypatch: pytest.MonkeyPatch) -> None:
    import websockets.asyncio.server as ws

    async def silent(socket: ws.ServerConnection) -> None:
        await socket.wait_closed()

    monkeypatch.setattr(driver, "GREETING_TIMEOUT_S", 0.1)
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
