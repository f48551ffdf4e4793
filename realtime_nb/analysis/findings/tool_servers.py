"""Rules about MCP servers: lists of tools and calls that failed, and approvals that nobody gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from realtime_nb.analysis.findings.evidence import Evidence, Finding, Rule
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.protocol.events import JsonObject

__all__ = ["TOOL_SERVER_RULES"]

_ITEM_EVENTS = (
    *("conversation.item.created", "conversation.item.added", "response.output_item.added"),
    *("conversation.item.done", "response.output_item.done"),
)
_FAILURES = ("mcp_list_tools.failed", "response.mcp_call.failed")

_DECLARE = "declare the tools as functions, and call the MCP server from your own code"
_REACHABLE = (
    "the model's server calls it, not this machine: check that server_url can be reached from "
    "there, then authorization and headers, and set the tools again with session.update"
)
_KEY = "check authorization (the whole value, such as a token) and headers of this tool"
_CALL = "the model was told; look at the arguments that it gave, and at the MCP server's own log"


@dataclass
class _Asked:
    """What an MCP server was asked for: an item of the conversation."""

    id: str
    item: JsonObject = field(default_factory=dict)
    error: object = None
    failed: bool = False
    began_s: float | None = None
    ended_s: float | None = None
    response_id: str | None = None

    def take(self, line: RecordedEvent) -> None:
        """Takes in an event that tells of it."""
        event = line.event
        item = event.get("item")
        if isinstance(item, dict):
            self.item = {**self.item, **item}
        if isinstance(event.get("response_id"), str):
            self.response_id = event["response_id"]
        self.error = event.get("error") or self.item.get("error") or self.error
        self.failed = self.failed or event.get("type") in _FAILURES or self.error is not None
        self.began_s = line.t_s if self.began_s is None else self.began_s
        self.ended_s = line.t_s

    def named(self, key: str) -> str:
        """Returns a name that its item has, or ``?``."""
        return str(self.item.get(key) or "?")


def failed_tool_servers(evidence: Evidence) -> Iterator[Finding]:
    """Yields lists of tools and calls of MCP servers that failed."""
    for asked in _asked(evidence):
        if asked.failed:
            yield _failure(evidence, asked)


def _failure(evidence: Evidence, asked: _Asked) -> Finding:
    code, message = _told(asked.error)
    label = asked.named("server_label")
    if asked.item.get("type") == "mcp_call":
        id, what = "tool-server-call-failed", f"{asked.named('name')} of the MCP server {label}"
        text, suggestion = f"{what} failed", _CALL
    else:
        id = "tool-server-failed"
        text = (
            f"the tools of the MCP server {label} could not be listed: the model has none of them"
        )
        suggestion = _DECLARE if code == "mcp_not_supported" else _REACHABLE
    if code in ("401", "403"):
        suggestion = _KEY
    why = message or "the server did not say why"
    text += f" ({why}{f', {code}' if code else ''})"
    return evidence.finding(
        id,
        "error",
        (asked.began_s, asked.ended_s),
        text,
        turn=evidence.turn_of.get(asked.response_id or ""),
        of=(asked.id,),
        suggestion=suggestion,
        item_id=asked.id,
        server_label=label,
        code=code,
        message=message,
    )


def unanswered_approvals(evidence: Evidence) -> Iterator[Finding]:
    """Yields calls of MCP servers that were to be approved, and were neither that nor refused."""
    answered = {
        line.event["item"].get("approval_request_id")
        for line in evidence.sent("conversation.item.create")
        if isinstance(line.event.get("item"), dict)
    }
    for asked in _asked(evidence):
        if asked.item.get("type") != "mcp_approval_request" or asked.id in answered:
            continue
        yield evidence.finding(
            "approval-unanswered",
            "warning",
            (asked.began_s, asked.ended_s),
            f"{asked.named('name')} of the MCP server {asked.named('server_label')} waits for an "
            "approval that was not given",
            turn=evidence.turn_of.get(asked.response_id or ""),
            of=(asked.id,),
            suggestion="answer with conversation.item.create of an item {'type': "
            f"'mcp_approval_response', 'approval_request_id': '{asked.id}', 'approve': True}}, or "
            "set require_approval='never' in the tool",
            item_id=asked.id,
        )


def _asked(evidence: Evidence) -> list[_Asked]:
    """Returns what MCP servers were asked for, in order."""
    found: dict[str, _Asked] = {}
    lines = [line for kind in (*_ITEM_EVENTS, *_FAILURES) for line in evidence.lines(kind)]
    for line in sorted(lines, key=lambda one: one.seq):
        item = line.event.get("item")
        named = item.get("id") if isinstance(item, dict) else line.event.get("item_id")
        if isinstance(named, str):
            found.setdefault(named, _Asked(named)).take(line)
    return list(found.values())


def _told(error: object) -> tuple[str, str]:
    """Returns code and message of an error, as far as it has them."""
    if not isinstance(error, dict):
        return "", str(error or "").rstrip(".")
    code = error.get("code") or error.get("type") or ""
    return str(code), str(error.get("message") or "").rstrip(".")


TOOL_SERVER_RULES: tuple[Rule, ...] = (failed_tool_servers, unanswered_approvals)
