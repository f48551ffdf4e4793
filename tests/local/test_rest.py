"""The local server over plain HTTP, by the SDK and by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime_nb.errors import ConfigurationError
from realtime_nb.local.server import LocalServer, serve
from tests.local.fake_engines import fake_server

PAGE = "http://localhost:3000"


async def asked(
    server: LocalServer, method: str, path: str, body: bytes = b"", *headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the answer to a request written by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    own = ["Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines = [f"{method} {path} HTTP/1.1", *own, *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split(" ")[1]), fields, json.loads(content) if content else None


def key(value: str = "a-token") -> str:
    return f"Authorization: Bearer {value}"


def openai_of(server: LocalServer, api_key: str = "a-token") -> AsyncOpenAI:
    base = f"http://127.0.0.1:{server.port}/v1"
    return AsyncOpenAI(api_key=api_key, base_url=base, max_retries=0)


@pytest.mark.feature("ephemeral keys", "server")
async def test_an_ephemeral_key_by_the_sdk_opens_the_session_that_it_was_made_with() -> None:
    async with fake_server() as server, openai_of(server) as client:
        made = await client.realtime.client_secrets.create(
            session={"type": "realtime", "model": "m", "instructions": "Be brief."},
            expires_after={"anchor": "created_at", "seconds": 60},
        )
        names = ["local", "fake-stt", "scripted", "fake-tts"]
        assert [model.id async for model in client.models.list()] == names
        for _ in range(2):
            headers = {"Authorization": f"Bearer {made.value}"}
            async with connect(server.url, additional_headers=headers) as socket:
                created = json.loads(await socket.recv())
            assert created["type"] == "session.created"
            assert created["session"]["instructions"] == "Be brief."
            assert created["session"]["model"] == "m"
        async with openai_of(server, made.value) as page:
            with pytest.raises(AuthenticationError, match="opens sessions and does nothing else"):
                await page.realtime.client_secrets.create()
        with pytest.raises(BadRequestError) as refused:
            await client.realtime.client_secrets.create(
                session={"type": "realtime", "max_output_tokens": 0}
            )
        assert refused.value.code == "integer_below_min_value"
        assert refused.value.param == "session.max_output_tokens"


async def test_a_transcription_key_opens_transcriptions() -> None:
    async with fake_server() as server:
        body = json.dumps({"session": {"type": "transcription"}}).encode()
        status, _, made = await asked(server, "POST", "/v1/realtime/client_secrets", body, key())
        assert status == 200
        headers = {"Authorization": f"Bearer {made['value']}"}
        async with connect(server.url, additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["session"]["type"] == "transcription"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("OPTIONS", "/v1/realtime", [], 405, "method_not_allowed"),
        ("POST", "/v1/realtime", [key()], 405, "method_not_allowed"),
        ("GET", "/v1/realtime?model=m", [key()], 426, "upgrade_required"),
        ("GET", "/v1/realtime?model=m", [key(), "Upgrade: h2c"], 426, "upgrade_required"),
        ("GET", "/v1/realtime?model=m", [], 401, None),
        ("PUT", "/v1/models", [key()], 405, "method_not_allowed"),
        ("DELETE", "/v1/realtime/client_secrets", [key()], 405, "method_not_allowed"),
        ("PATCH", "/", [key()], 404, "not_found"),
        ("POST", "/v1/realtime/sessions", [key()], 404, "not_found"),
        ("POST", "/v1/realtime/client_secrets", [], 401, None),
        ("POST", "/v1/realtime/client_secrets", [key("wrong")], 401, "invalid_api_key"),
        ("POST", "/v1/realtime/client_secrets", [key(), f"Origin: {PAGE}"], 403, None),
        ("OPTIONS", "/v1/realtime/client_secrets", [f"Origin: {PAGE}"], 403, None),
    ],
)
async def test_every_method_is_answered_in_json(
    method: str, path: str, headers: list[str], status: int, code: str | None
) -> None:
    async with fake_server() as server:
        got, fields, answer = await asked(server, method, path, b"", *headers)
        assert got == status
        assert fields["content-type"] == "application/json"
        assert answer["error"]["message"].endswith(".")
        assert code is None or answer["error"]["code"] == code
        assert ("allow" in fields) == (status == 405)


@pytest.mark.parametrize("headers", [[], [key("wrong")]])
async def test_a_refused_key_says_where_the_right_one_is_found(headers: list[str]) -> None:
    async with fake_server() as server:
        _, _, answer = await asked(server, "GET", "/v1/models", b"", *headers)
        assert "`server.token`" in answer["error"]["message"]
        assert "`realtime-nb serve`" in answer["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"\xff", b'{"session": []}'])
async def test_bodies_that_are_nothing(body: bytes) -> None:
    async with fake_server() as server:
        status, _, answer = await asked(server, "POST", "/v1/realtime/client_secrets", body, key())
        assert status == 400
        assert answer["error"]["code"] in ("invalid_json", "invalid_type")


async def test_a_page_of_an_allowed_origin_connects_and_no_other() -> None:
    async with fake_server(allow_origins=[PAGE]) as server:
        path = "/v1/realtime/client_secrets"
        status, fields, _ = await asked(server, "OPTIONS", path, b"", f"Origin: {PAGE}")
        assert (status, fields["access-control-allow-origin"]) == (204, PAGE)
        assert "Authorization" in fields["access-control-allow-headers"]
        status, fields, _ = await asked(server, "POST", path, b"", f"Origin: {PAGE}", key())
        assert (status, fields["access-control-allow-origin"]) == (200, PAGE)
        offered = ["realtime", f"openai-insecure-api-key.{server.token}"]
        for origin, allowed in ((PAGE, True), ("http://localhost:3001", False)):
            opening = connect(
                f"{server.url}?model=m",
                origin=origin,  # type: ignore[arg-type]
                subprotocols=offered,  # type: ignore[arg-type]
            )
            if allowed:
                async with opening as socket:
                    assert json.loads(await socket.recv())["type"] == "session.created"
            else:
                with pytest.raises(InvalidStatus):
                    await opening


@pytest.mark.parametrize(
    "origins", ["http://a", ["a"], ["http://a/"], ["*"], [None], ["HTTP://A"], ["http://*"]]
)
def test_origins_that_are_none(origins: Any) -> None:
    with pytest.raises(ConfigurationError, match="allow_origins"):
        serve(allow_origins=origins)


async def test_a_call_to_be_joined_is_not_found() -> None:
    async with fake_server() as server:
        for query in ("call_id=rtc_1", "model=m&call_id=rtc_1"):
            with pytest.raises(InvalidStatus) as caught:
                await connect(
                    f"{server.url}?{query}",
                    additional_headers={"Authorization": f"Bearer {server.token}"},
                )
            response = caught.value.response
            assert response.status_code == 404
            error = json.loads(response.body or b"")["error"]
            assert error["param"] == "call_id"
            assert "no WebRTC or SIP" in error["message"]
