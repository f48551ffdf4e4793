"""A faulty network in front of a server that speaks TLS: towards the client it does not."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import realtime_nb as rt
from realtime_nb.local.tls import certificate_for
from realtime_nb.testing import Drop, FaultyNetwork, received
from tests.local.fake_engines import fake_server
from tests.testing.networks import ended

SESSION = {"id": "s", "type": "realtime"}


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server of this machine needs, which clients here trust."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made += ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def answering(socket: ServerConnection) -> None:
    async def send(kind: str, **fields: Any) -> None:
        await socket.send(json.dumps({"type": kind, "event_id": "e", **fields}))

    await send("session.created", session=SESSION)
    async for frame in socket:
        event = json.loads(frame)
        if event["type"] == "session.update":
            await send("session.updated", session={**event["session"], **SESSION})
        else:
            await send("own.answer", text="secured")


@pytest.mark.parametrize("tcp", ["fin", "rst"])
async def test_what_crosses_is_read_and_broken_off(certified: ssl.SSLContext, tcp: Any) -> None:
    async with serve(answering, "127.0.0.1", 0, ssl=certified) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        fault = Drop(received("own.answer", 2), tcp=tcp)
        network = FaultyNetwork(f"wss://127.0.0.1:{port}/v1/realtime", [fault])
        async with network as url:
            assert url.startswith("ws://")
            async with rt.connect(url, reconnect=False) as session:
                await session.send({"type": "own.question"})
                answer = await session.wait_for("own.answer", timeout_s=10)
                assert answer.type == "own.answer"
                await session.send({"type": "own.question"})
                assert (await ended(session)).close_code == 1006
            (connection,) = network.connections
            assert connection.passed.received["own.answer"] == 1
            assert connection.passed.sent["own.question"] == 2


async def test_a_local_server_with_tls_is_trusted_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with (
        fake_server(certificate=certificate_for(True)) as server,
        FaultyNetwork(server) as url,
        rt.connect(url, api_key=server.token, model="m", record=None) as session,
    ):
        reply = await session.respond(conversation="none", output_modalities=["text"])
        assert reply.status == "completed"
