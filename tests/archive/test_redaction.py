"""No secret reaches a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.archive.redaction import without_known, without_secrets
from realtime_nb.errors.secret_shapes import without_shapes
from realtime_nb.protocol.wire import WireEvent
from tests.archive.written_files import recorded, stored


def test_secrets_reach_no_file(tmp_path: Path) -> None:
    secret = "marker-5eCr3t"
    server = {
        "type": "mcp",
        "server_label": "books",
        "authorization": secret,
        "headers": {"X-Api-Key": secret, "Cookie": secret},
    }
    events: list[dict[str, Any]] = [
        {"type": "session.update", "session": {"tools": [server]}},
        {"type": "session.created", "session": {"client_secret": {"value": secret}}},
        {"type": "later.version", "deep": [{"API-Key": secret}, {"token": secret}]},
        {"type": "later.version", "headers.x": secret, "headers": [secret]},
    ]
    recorder = Recorder(tmp_path, {"api_key": secret, "endpoint": {"headers": {"a": secret}}})
    for event in events:
        recorder.event(WireEvent("sent", event, 0.0))
    recorder.close(connection={"token": secret})

    for file in recorder.path.iterdir():
        assert secret.encode() not in file.read_bytes(), file
    tool = stored(recorder.path)[0]["session"]["tools"][0]
    assert tool["headers"] == {"X-Api-Key": "[removed]", "Cookie": "[removed]"}
    assert tool["server_label"] == "books"
    assert server["authorization"] == secret


def test_parameter_that_is_called_token_keeps_its_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    tool = {"type": "function", "name": "redeem", "parameters": schema}
    event = {"type": "session.update", "session": {"tools": [tool]}}

    assert stored(recorded(tmp_path, event)) == [event]


MARKER = "mArk3r-5eCr3t"


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Proxy-Authorization", "api_key", "apikey", "apiKey", "X-Api-Key"),
        *("OPENAI_API_KEY", "client_secret", "clientSecret", "secret", "aws_secret_access_key"),
        *("access_token", "accessToken", "refresh-token", "id_token", "token", "auth_token"),
        *("password", "Password", "db_password", "passphrase", "ephemeral_key", "private_key"),
        *("Cookie", "set-cookie", "credentials", "Ocp-Apim-Subscription-Key"),
    ],
)
def test_a_field_that_is_named_like_a_secret_is_removed_wherever_it_is(
    name: str, tmp_path: Path
) -> None:
    arguments = json.dumps({name: MARKER, "city": "Paris"})
    events: list[dict[str, Any]] = [
        {"type": "x", name: MARKER},
        {"type": "x", "list": [{"deep": {name: {"value": MARKER}}}]},
        {"type": "x", "item": {"type": "function_call", "arguments": arguments}},
        {"type": "x", "item": {"output": json.dumps({"inner": arguments, "ok": 1})}},
        {"type": "x", "delta": f"{name}={MARKER}&next=1"},
    ]
    folder = recorded(tmp_path, *events)

    for file in folder.iterdir():
        assert MARKER.encode() not in file.read_bytes(), file
    kept = json.loads(stored(folder)[2]["item"]["arguments"])
    assert kept == {name: "[removed]", "city": "Paris"}


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-a1B2c3D4e5F6g7H8",
        "sk-abcd********wxyz",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "ek_68af296e8e408191a1120ab6383263c2",
        "sess-Tc8Zb0dVnL9qQm2XyW1r",
        "gsk_8fj3kd93jfk3jd93kd93jd",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "hf_AbCdEfGhIjKlMnOpQrStUvWx",
        "AIzaSyA1b2C3d4E5f6G7h8I9j0KlMnOpQrStUvW",
        "xoxb-123456789012-abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s1gn4ture",
    ],
)
@pytest.mark.parametrize("around", ["{}", "the key {}.", '{{"x":"{}"}}', "a\n{}\nb", "k={},"])
def test_a_key_is_known_by_its_shape(secret: str, around: str) -> None:
    assert secret not in str(without_secrets({"text": around.format(secret)}))


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {MARKER}",
        f"bearer {MARKER}",
        "Authorization: Basic dXNlcjptQXJrM3ItNWVDcjN0",
        f"https://user:{MARKER}@host/path",
        f"wss://host/v1?token={MARKER}&model=m",
        f"wss://host/v1?model=m&api-key={MARKER}",
        f"https://host/blob?sig={MARKER}",
        f"OPENAI_API_KEY='{MARKER}'",
        f"x-api-key: {MARKER}",
        f"{{'password': '{MARKER} and more'}}",
    ],
)
def test_what_stands_where_a_secret_does_is_removed_from_texts(text: str) -> None:
    cleaned = without_shapes(text)
    assert MARKER not in cleaned
    assert "dXNl" not in cleaned
    assert "[removed]" in cleaned


def test_the_query_of_a_server_url_is_removed() -> None:
    tool = {"type": "mcp", "server_url": f"https://mcp.example/sse?session={MARKER}&b=1#x"}
    assert without_secrets(tool)["server_url"] == "https://mcp.example/sse?[removed]"


@pytest.mark.parametrize(
    "content",
    [
        {"usage": {"total_tokens": 12, "input_token_details": {"cached_tokens": 3}}},
        {"truncation": {"token_limits": {"post_instructions": 8000}}, "max_output_tokens": "inf"},
        {"logprobs": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105]}]},
        {"transcript": "The bearer of good news: my token of thanks. Password: forgotten, sorry."},
        {"transcript": "A task-oriented, risk-averse basic understanding of secrets."},
        {"arguments": '{"key": "C major", "keys": 88, "author": "Austen"}'},
        {"image_url": "data:image/png;base64,AAAA"},
        {"event_id": "event_a1", "call_id": "call_a1", "id": "sess_B1c2D3e4F5g6H7i8J9k0"},
    ],
)
def test_what_is_no_secret_stays(content: dict[str, Any]) -> None:
    assert without_secrets(content) == content


def test_what_somebody_knows_is_removed_in_keys_and_values() -> None:
    content = {"a": [f"said {MARKER}!", 1, None], MARKER: {"b": True}}
    cleaned = without_known(content, [MARKER, "no", ""])
    assert cleaned == {"a": ["said [removed]!", 1, None], "[removed]": {"b": True}}


def test_known_secrets_reach_no_file(tmp_path: Path) -> None:
    secret = 'plain words "quoted" / slashed'
    recorder = Recorder(tmp_path, {"endpoint": {"note": secret}}, [secret])
    recorder.event(WireEvent("received", {"type": "error", "error": {"message": secret}}, 0.0))
    recorder.event(WireEvent("sent", {"type": "x", "output": f"<{secret}>"}, 0.0))
    recorder.label(0.0, f"see {secret}")
    recorder.note(remark=secret)
    recorder.close(close_reason=secret)

    for file in recorder.path.iterdir():
        text = file.read_text("utf-8", "replace")
        assert "plain words" not in text, file
    assert stored(recorder.path)[1]["output"] == "<[removed]>"
