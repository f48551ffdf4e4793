"""No secret reaches a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtime_nb.archive.recorder import Recorder
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
