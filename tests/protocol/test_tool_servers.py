"""Tools of the kind ``mcp``: told to fail, once each, and the session goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Event, Peer, types

LISTED = [
    "conversation.item.added",
    "mcp_list_tools.in_progress",
    "mcp_list_tools.failed",
    "conversation.item.done",
]
LOOK_UP = {"type": "function", "name": "look_up"}


def server_of(label: str = "weather", **fields: Any) -> Event:
    return {"type": "mcp", "server_label": label, "server_url": "https://x.example/mcp", **fields}


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_a_server_is_asked_in_vain_and_the_session_goes_on(peer: Peer) -> None:
    before = peer.write()
    updated, *listed = peer.update(tools=[server_of(), LOOK_UP])
    assert updated["session"]["tools"] == [server_of(), LOOK_UP]
    assert types(listed) == LISTED
    added, begun, failed, done = listed
    assert added["previous_item_id"] == done["previous_item_id"] == before
    assert added["item"]["type"] == "mcp_list_tools"
    assert added["item"]["server_label"] == "weather"
    assert begun["item_id"] == failed["item_id"] == added["item"]["id"] == done["item"]["id"]
    assert done["item"]["tools"] == []
    for told in (failed["error"], done["item"]["error"]):
        assert "'weather'" in told["message"]
        assert "as functions" in told["message"]

    peer.send("response.create")
    job = peer.responding()
    assert [tool["name"] for tool in job.settings.tools] == ["look_up"]
    assert [item["type"] for item in job.items] == ["message"]
    peer.speak(job.response_id)
    assert types(peer.finish(job.response_id))[-2:] == ["response.done", "rate_limits.updated"]


@pytest.mark.parametrize(
    "place",
    [{"server_url": "http://a"}, {"connector_id": "connector_gmail"}, {"tunnel_id": "t"}],
)
def test_each_way_to_name_a_place(peer: Peer, place: Event) -> None:
    assert types(peer.update(tools=[{"type": "mcp", "server_label": "a", **place}]))[1:] == LISTED


def test_a_server_is_asked_again_where_it_is_described_otherwise(peer: Peer) -> None:
    assert types(peer.update(tools=[server_of("a"), server_of("b")]))[1:] == LISTED * 2
    assert types(peer.update(tools=[server_of("b"), server_of("a")])) == ["session.updated"]
    assert types(peer.update(instructions="x")) == ["session.updated"]
    other = server_of("a", authorization="key")
    assert types(peer.update(tools=[other, server_of("b")]))[1:] == LISTED


@pytest.mark.parametrize("apart", ["auto", "none"])
def test_a_response_may_bring_servers_of_its_own(peer: Peer, apart: str) -> None:
    events = peer.send("response.create", response={"tools": [server_of()], "conversation": apart})
    assert types(events) == ["response.created", *LISTED]
    assert peer.responding().settings.tools == []


@pytest.mark.parametrize("place", [{}, {"server_url": ""}, {"connector_id": ""}])
def test_a_server_needs_a_place(peer: Peer, place: Event) -> None:
    tools = [LOOK_UP, {"type": "mcp", "server_label": "a", **place}]
    error = peer.refused("session.update", session={"type": "realtime", "tools": tools})
    assert error["code"] == "missing_required_parameter"
    assert error["param"] == "session.tools[1].server_url"
    error = peer.refused("response.create", response={"tools": tools})
    assert error["param"] == "response.tools[1].server_url"


def test_one_that_an_ephemeral_key_brings_is_told_of_at_the_start() -> None:
    peer = Peer()
    peer.core.begin_as({"type": "realtime", "tools": [server_of()]})
    peer.core.start()
    assert types(peer.collect()) == ["session.created", *LISTED]


# --- items ---

CALL = {"type": "mcp_call", "id": "i", "server_label": "l", "name": "n", "arguments": "{}"}
REQUEST = {**CALL, "type": "mcp_approval_request"}
RESPONSE = {
    "type": "mcp_approval_response",
    "id": "i",
    "approval_request_id": "r",
    "approve": True,
}
LIST = {
    "type": "mcp_list_tools",
    "server_label": "l",
    "tools": [{"name": "n", "input_schema": {"type": "object"}}],
}


@pytest.mark.parametrize(
    "item",
    [
        RESPONSE,
        {**RESPONSE, "approve": False, "reason": "not now"},
        {**RESPONSE, "reason": None},
        REQUEST,
        CALL,
        {**CALL, "output": "5", "approval_request_id": None, "error": None},
        {**CALL, "error": {"type": "http_error", "code": 500, "message": "m"}},
        {**CALL, "error": {"type": "protocol_error", "code": -32600, "message": "m"}},
        {**CALL, "error": {"type": "tool_execution_error", "message": "m"}},
        LIST,
        {**LIST, "id": "i", "tools": []},
    ],
)
def test_items_of_mcp_are_taken_and_no_model_is_told(peer: Peer, item: Event) -> None:
    events = peer.send("conversation.item.create", item=item)
    assert types(events) == ["conversation.item.added", "conversation.item.done"]
    told = events[-1]["item"]
    assert told.items() >= {k: v for k, v in item.items() if v is not None}.items()
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=told["id"])
    assert retrieved["item"]["type"] == item["type"]

    peer.send("response.create")
    assert peer.responding().items == []


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        *(
            ({k: v for k, v in whole.items() if k != name}, "missing_required_parameter", name)
            for whole in (RESPONSE, REQUEST, CALL)
            for name in whole
        ),
        ({"type": "mcp_list_tools", "tools": []}, "missing_required_parameter", "server_label"),
        ({**LIST, "tools": [{"name": "n"}]}, "missing_required_parameter", "tools[0].input_schema"),
        ({**RESPONSE, "approve": "yes"}, "invalid_type", "approve"),
        ({**RESPONSE, "approve": None}, "invalid_type", "approve"),
        ({**RESPONSE, "approved": True}, "unknown_parameter", "approved"),
        ({**CALL, "error": {"type": "x"}}, "invalid_value", "error.type"),
        ({**CALL, "arguments": {}}, "invalid_type", "arguments"),
        ({"type": "mcp_nothing"}, "invalid_value", "type"),
    ],
)
def test_an_item_of_mcp_that_is_none(peer: Peer, item: Event, code: str, param: str) -> None:
    error = peer.refused("conversation.item.create", item=item)
    assert error["code"] == code
    assert error["param"] == f"item.{param}"
