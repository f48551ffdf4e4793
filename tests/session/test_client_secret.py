"""Ephemeral keys, made at a server of this test and used at the local one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

import realtime_nb as rt

KEY = "sk-account-0123456789"
GIVEN = {
    "value": "ek_0123456789abcdef",
    "expires_at": 1_800_000_000,
    "session": {"type": "realtime"},
}


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[Any]]]:
    asked: list[Any] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, dict(self.headers), json.loads(content)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.server_port}/v1/realtime", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endpoint_at(url: str, **headers: str) -> rt.Endpoint:
    return rt.Endpoint(url, "gpt-realtime", {"Authorization": f"Bearer {KEY}", **headers})


async def test_its_sessions_begin_with_functions() -> None:
    def opening_hours(day: str) -> str:
        """Says when the practice is open."""
        return day

    with answering(200, json.dumps(GIVEN).encode()) as (url, asked):
        for tools in (opening_hours, [opening_hours], [rt.tool(opening_hours)]):
            await rt.client_secret(endpoint_at(url), tools=tools)
        await rt.client_secret(endpoint_at(url), tools=())
        await rt.client_secret(endpoint_at(url))
    sent = [body["session"].get("tools") for _, _, body in asked]
    assert [tool["name"] for [tool] in sent[:3]] == ["opening_hours"] * 3
    assert sent[0][0]["parameters"]["required"] == ["day"]
    assert sent[3:] == [[], None]
    with pytest.raises(rt.ConfigurationError, match="tools is 'x'"):
        await rt.client_secret(endpoint_at(url), tools="x")  # type: ignore[arg-type]
    with pytest.raises(rt.ConfigurationError, match=r"'tolls'\. Did you mean 'tools'"):
        await rt.client_secret(endpoint_at(url), tolls=[])


def test_a_cell_shows_it_in_words_that_fit_a_line() -> None:
    shown = repr(
        rt.EphemeralKey(
            "ek_0123", datetime(2026, 11, 29, 21, 2, 28, tzinfo=UTC), rt.openai(api_key="sk-1")
        )
    )
    words = "<EphemeralKey until 2026-11-29 21:02:28 UTC wss://api.openai.com/v1/realtime>"
    assert shown == words
    assert len(shown) < 80


@pytest.mark.feature("ephemeral keys", "client")
async def test_it_is_made_with_settings_and_replaces_the_key() -> None:
    with answering(200, json.dumps(GIVEN).encode()) as (url, asked):
        endpoint = endpoint_at(url, **{"OpenAI-Safety-Identifier": "person-1"})
        secret = await rt.client_secret(endpoint, expires_s=60, voice="ash")

    ((path, headers, body),) = asked
    assert path == "/v1/realtime/client_secrets"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {
        "session": {
            "type": "realtime",
            "model": "gpt-realtime",
            "audio": {"output": {"voice": "ash"}},
        },
        "expires_after": {"anchor": "created_at", "seconds": 60},
    }
    assert secret.value == GIVEN["value"]
    assert secret.expires_at.timestamp() == GIVEN["expires_at"]
    assert secret.endpoint.headers == {
        "OpenAI-Safety-Identifier": "person-1",
        "Authorization": f"Bearer {GIVEN['value']}",
    }
    assert GIVEN["value"] not in repr(secret)
    assert endpoint.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "body", "words", "code"),
    [
        (
            401,
            b'{"error": {"message": "No such key: %s"}}' % KEY.encode(),
            "HTTP 401: No such",
            "401",
        ),
        (500, b"", "HTTP 500", "500"),
        (302, b"", "HTTP 302", "302"),
        (200, b"[]", "JSON object", None),
        (200, b"<html>", "gave no ephemeral key", None),
        (200, b"{}", "without a key", None),
        (200, b'{"value": "ek_1", "expires_at": "soon"}', "without a key", None),
    ],
)
async def test_what_a_server_may_answer_otherwise(
    status: int, body: bytes, words: str, code: str | None
) -> None:
    with (
        answering(status, body, Location="http://127.0.0.1:9/") as (url, asked),
        pytest.raises(rt.ConnectionFailedError, match=words) as failed,
    ):
        await rt.client_secret(endpoint_at(url))
    assert len(asked) == 1
    assert failed.value.code == code
    assert KEY not in str(failed.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expires_s": 9}, "10 to 7,200"),
        ({"expires_s": 7_201}, "10 to 7,200"),
        ({"expires_s": 60.5}, "whole seconds"),
        ({"expires_s": True}, "whole seconds"),
        ({"voyce": "ash"}, "voyce"),
        ({"endpoint": "local"}, "one that runs"),
        ({"endpoint": "acme"}, "Unknown endpoint"),
    ],
)
async def test_values_that_can_not_be_meant(options: dict[str, Any], words: str) -> None:
    given = {"endpoint": endpoint_at("ws://127.0.0.1:9/v1/realtime"), **options}
    with pytest.raises(rt.ConfigurationError, match=words):
        await rt.client_secret(**given)


async def test_a_running_server_gives_one_that_opens_a_session_there() -> None:
    async with rt.serve() as server:
        secret = await rt.client_secret(server, instructions="Be brief.")
        async with rt.connect(secret.endpoint) as session:
            told = session.conversation.session

    assert secret.value.startswith("ek_")
    assert server.token not in str(secret.endpoint.headers)
    assert told["instructions"] == "Be brief."


@pytest.mark.parametrize("query", ["", "?model=named-in-the-url"])
async def test_a_key_made_without_a_model_opens_what_the_server_told(query: str) -> None:
    async with rt.serve() as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        secret = await rt.client_secret(rt.Endpoint(server.url + query, headers=headers))
        async with rt.connect(secret.endpoint) as session:
            model = session.conversation.session.get("model")

    told = secret.session["model"]
    assert told
    assert model == ("named-in-the-url" if query else told)


async def test_a_key_opens_sessions_of_its_kind_only() -> None:
    async with rt.serve() as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        url = f"{server.url}?intent=transcription"
        secret = await rt.client_secret(rt.Endpoint(url, headers=headers))
        with pytest.raises(rt.ConnectionFailedError, match="opens realtime sessions, and the URL"):
            await rt.connect(secret.endpoint)
