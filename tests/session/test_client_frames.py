"""Servers that flood a client, over real sockets; each runs in a thread of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import realtime_nb as rt
from realtime_nb.session import client_frames
from realtime_nb.session.client_frames import MOST_FRAGMENTS, MOST_SMALL_FRAMES, BoundedConnection
from realtime_nb.session.transport import open_websocket

PING, PONG, EMPTY_PART = b"\x89\x00", b"\x8a\x00", b"\x00\x00"
FIRST_PART = b"\x01\x00"


def message(kind: str) -> bytes:
    text = json.dumps({"type": kind, "event_id": "e", "session": {"id": "s", "type": "realtime"}})
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text.encode()


@contextmanager
def flooding(first: bytes, again: bytes, times: int) -> Iterator[str]:
    """A server that opens a session and then sends the same again and again."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            client, _ = listening.accept()
            with client:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(4096)
                key = next(
                    line.split(b": ")[1]
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"sec-websocket-key")
                )
                magic = key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(magic).digest())
                client.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
                client.sendall(message("session.created") + message("session.updated") + first)
                for _ in range(times):
                    client.sendall(again)
                while client.recv(4096):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime"
    finally:
        listening.close()
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", PING * 20_000),
        (b"", PONG * 20_000),
        (FIRST_PART, EMPTY_PART * 20_000),
        (b"", (b"\x89\x7d" + b"x" * 125) * 2_000),
        (FIRST_PART, (EMPTY_PART + PING) * 10_000),
    ],
    ids=["pings", "pongs", "empty fragments", "long pings", "both"],
)
async def test_a_flood_ends_the_session(
    first: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    process = BoundedConnection.process_event

    def counted(self: BoundedConnection, event: object) -> None:
        nonlocal seen
        seen += not self._flooded
        process(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(client_frames.BoundedConnection, "process_event", counted)
    with flooding(first, again, 50) as url:
        with pytest.raises(rt.SessionClosedError, match="flood of small frames") as ended:
            session = await rt.connect(url, reconnect=False)
            await session.wait_for("never", timeout_s=30)
        assert ended.value.close_code == 1006
    assert seen < 50_000


async def test_what_servers_send_is_no_flood() -> None:
    event = b'{"type": "response.created", "text": "' + b"x" * 3_000 + b'"}'
    parts = [event[at : at + 50] for at in range(0, len(event), 50)]
    frames = [b"\x01\x32" + parts[0]]
    frames += [b"\x00" + bytes([len(part)]) + part for part in parts[1:-1]]
    frames += [b"\x80" + bytes([len(parts[-1])]) + parts[-1]]
    few = b"".join(frames) + PING * 20
    assert len(frames) * 2 + 60 < MOST_SMALL_FRAMES < MOST_FRAGMENTS
    with flooding(b"", few, 2) as url:
        transport = await open_websocket(rt.Endpoint(url, "m"))
        kinds = [(await transport.receive())["type"] for _ in range(4)]
        await transport.close()
    assert kinds == ["session.created", "session.updated", *["response.created"] * 2]
