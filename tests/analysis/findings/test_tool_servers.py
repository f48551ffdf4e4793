"""What is said of MCP servers that failed, or wait."""

from __future__ import annotations

from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.analysis.findings.tool_servers import failed_tool_servers, unanswered_approvals
from realtime_nb.testing import MemoryServer
from tests.made_recording import MadeRecording
from tests.virtual import virtual


def listing(rec: MadeRecording, t_s: float, item_id: str, label: str, error: Any = None) -> None:
    """A server is asked for its tools: in vain where there is an error, of the item or nowhere."""
    item = {"id": item_id, "type": "mcp_list_tools", "server_label": label, "tools": []}
    rec.got(t_s, "conversation.item.added", item=item)
    rec.got(t_s, "mcp_list_tools.in_progress", item_id=item_id)
    if error is None:
        rec.got(t_s + 1, "mcp_list_tools.completed", item_id=item_id)
        rec.got(t_s + 1, "conversation.item.done", item=item)
    else:
        rec.got(t_s + 1, "mcp_list_tools.failed", item_id=item_id)
        if error:
            rec.got(t_s + 1, "conversation.item.done", item={**item, "error": error})


def called(rec: MadeRecording, t_s: float, item_id: str, **done: Any) -> None:
    """A tool of a server is called in the first answer."""
    item = {"id": item_id, "type": "mcp_call", "server_label": "docs", "name": "search"}
    ids = {"response_id": "resp_1", "output_index": 0}
    rec.got(t_s, "response.output_item.added", item=item, **ids)
    rec.got(t_s, "response.mcp_call.in_progress", item_id=item_id, output_index=0)
    kind = "failed" if done.get("error") else "completed"
    rec.got(t_s + 2, f"response.mcp_call.{kind}", item_id=item_id, output_index=0)
    rec.got(t_s + 2, "response.output_item.done", item={**item, **done}, **ids)


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        ({}, "the server did not say why", "server_url can be reached"),
        ("gone", "gone", "server_url can be reached"),
        ({"code": 401, "message": "Unauthorized."}, "Unauthorized, 401", "check authorization"),
        ({"type": "http_error", "code": "403"}, "did not say why, 403", "check authorization"),
        ({"code": "mcp_not_supported", "message": "No."}, "No, mcp_not", "as functions"),
        ({"type": "protocol_error", "message": "Bad."}, "Bad, protocol_error", "server_url"),
    ],
)
def test_a_list_that_failed_says_why_and_what_to_do(error: Any, said: str, remedy: str) -> None:
    rec = MadeRecording()
    listing(rec, 1.0, "mcpl_1", "weather")
    listing(rec, 2.0, "mcpl_2", "docs", error)

    (finding,) = failed_tool_servers(Evidence(rec))

    assert (finding.id, finding.severity, finding.turn) == ("tool-server-failed", "error", None)
    assert (finding.start_s, finding.end_s) == (2.0, 3.0)
    assert "MCP server docs could not be listed: the model has none of them" in finding.text
    assert said in finding.text
    assert remedy in finding.suggestion
    assert finding.evidence["events"] == [4, 5, 6, 7][: 4 if error else 3]


def test_a_call_that_failed_belongs_to_its_turn() -> None:
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Look it up.")
    rec.answer(1.5, "resp_1", 500, "Well.")
    called(rec, 2.0, "mcp_1", output="[]")
    called(rec, 5.0, "mcp_2", error={"type": "tool_execution_error", "message": "No index."})

    (finding,) = failed_tool_servers(Evidence(rec))

    assert (finding.id, finding.turn) == ("tool-server-call-failed", 1)
    assert (finding.start_s, finding.end_s) == (5.0, 7.0)
    assert "search of the MCP server docs failed (No index, tool_execution_error)" in finding.text


@pytest.mark.parametrize("answer", [None, True, False])
def test_an_approval_that_nobody_gave_nor_refused(answer: bool | None) -> None:
    rec = MadeRecording()
    item = {"type": "mcp_approval_request", "server_label": "docs", "name": "drop"}
    for number in (1, 2):
        request = {**item, "id": f"mcpr_{number}", "arguments": "{}"}
        rec.got(number, "response.output_item.done", item=request, response_id="resp_1")
    for number in (1,) if answer is None else (1, 2):
        told = {"type": "mcp_approval_response", "approval_request_id": f"mcpr_{number}"}
        rec.sent(9.0, "conversation.item.create", item={**told, "approve": answer is not False})

    found = list(unanswered_approvals(Evidence(rec)))

    assert [one.evidence["item_id"] for one in found] == ([] if answer is not None else ["mcpr_2"])
    assert all("'approval_request_id': 'mcpr_2'" in one.suggestion for one in found)


@virtual
async def test_the_local_servers_own_refusal_is_found(tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, record=folder) as session,
    ):
        tool = {"type": "mcp", "server_label": "docs", "server_url": "https://example.com"}
        await session.session.update(session={"type": "realtime", "tools": [tool]})
        await session.wait_for("mcp_list_tools.failed")
        assert session.recording is not None
        path = session.recording
    found = [one for one in rt.load(path).findings() if one.id == "tool-server-failed"]
    assert len(found) == 1
    assert "docs" in found[0].text
    assert "as functions" in found[0].suggestion
