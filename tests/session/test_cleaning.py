"""Keys that a user sends: on the wire as they are, in what is remembered and shown not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.cleaning import Cleaning
from realtime_nb.testing import ScriptedServer
from realtime_nb.widgets.event_inspector import EventInspector
from tests.session.session_fakes import scripted, turns
from tests.virtual import virtual

KEY = "0123456789abcdef0123456789abcdef"
SHAPED = "sk-proj-0123456789"


def shown(raw: dict[str, Any], pcm: bytes | None = None) -> dict[str, Any]:
    return Cleaning([KEY]).shown(WireEvent("sent", raw, 1.5, pcm)).raw


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "x", "text": f"it is {KEY}."},
        {"type": "x", KEY: [KEY, {"deep": [KEY]}]},
        {"type": "x", "note": f"Bearer {SHAPED}"},
        {"type": "x", "session": {"tools": [{"type": "mcp", "authorization": "short"}]}},
        {"type": "x", "headers": {"X-Any": "short"}},
        {"type": "x", "server_url": f"https://m.example/?q={KEY}"},
        {"type": "x", "apiKey": "short", "client_secret": {"value": "short"}},
    ],
)
def test_views_get_no_key(raw: dict[str, Any]) -> None:
    before = json.dumps(raw)
    words = json.dumps(shown(raw))
    assert not any(one in words for one in (KEY, SHAPED, "short"))
    assert "[removed]" in words
    assert json.dumps(raw) == before


def test_what_holds_none_stays_and_audio_is_not_looked_at() -> None:
    plain = {"type": "response.create", "response": {"metadata": {"n": "1"}}}
    assert shown(plain) == plain
    crossed = WireEvent("sent", {"type": "input_audio_buffer.append", "audio": "AAAA"}, 1.5, b"1")
    assert Cleaning([KEY]).shown(crossed) is crossed


def test_what_can_not_be_shown_says_so() -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = {"key": deep}
    seen = shown({"type": "x", "deep": deep, "password": "short"})
    assert seen["type"] == "x"
    assert "short" not in json.dumps(seen)


@virtual
async def test_it_crosses_the_wire_and_is_kept_nowhere() -> None:
    inspector = EventInspector()
    endpoint = rt.Endpoint("ws://memory", "m", headers={"Authorization": f"Bearer {KEY}"})
    async with ScriptedServer() as server:
        session = await scripted(server, endpoint=endpoint)
        inspector.follow(session)
        part = {"type": "input_text", "text": f"The key is {KEY}."}
        item = {"id": "i", "type": "message", "role": "user", "content": [part]}
        await session.send({"type": "conversation.item.create", "item": item})
        await session.send({"type": "own.event", "password": "short", "text": SHAPED})
        await turns()
        got = await server.expect("conversation.item.create")
        assert got["item"]["content"] == [part]
        got = await server.expect("own.event")
        assert (got["password"], got["text"]) == ("short", SHAPED)
        kept = repr([one.content for one in inspector._events]) + inspector.picture()
        assert "own.event" in kept
        assert not any(one in kept for one in (KEY, SHAPED, "short"))
        assert KEY not in repr(session.conversation.items)
        await session.close()
