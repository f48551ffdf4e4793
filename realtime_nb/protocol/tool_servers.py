"""Tools of the kind ``mcp``, which a Realtime server calls itself.

This one calls none: it tells so where the hosted server tells that it can't reach one, and the
session goes on without these tools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.problems import Problem, Refused

__all__ = ["ToolServers", "check_tool_servers"]

_PLACES = ("server_url", "connector_id", "tunnel_id")


def check_tool_servers(tools: Iterable[JsonObject], path: str) -> None:
    """Refuses (checked) tools of the kind ``mcp`` that don't say where they are."""
    for index, tool in enumerate(tools):
        if tool["type"] == "mcp" and not any(tool.get(place) for place in _PLACES):
            param = f"{path}[{index}].server_url"
            message = f"Missing required parameter: '{param}'."
            raise Refused(Problem("missing_required_parameter", message, param))


class ToolServers:
    """What a session's MCP servers came to.

    Args:
        items: where the lists of tools go.
        new_id: makes ids.
        emit: takes the events for the client.
    """

    def __init__(
        self,
        items: ItemStore,
        new_id: Callable[[str], str],
        emit: Callable[[JsonObject], None],
    ) -> None:
        self._items = items
        self._new_id = new_id
        self._emit = emit
        self._asked: set[bytes] = set()

    def list_tools(self, tools: Iterable[JsonObject]) -> None:
        """Asks each server for its tools, once unless it is described otherwise; in vain here."""
        for tool in tools:
            description = msgspec.json.encode(tool, order="sorted")
            if tool["type"] == "mcp" and description not in self._asked:
                self._asked.add(description)
                self._fail(tool["server_label"])

    def _fail(self, label: str) -> None:
        item_id, previous = self._new_id("mcpl"), self._items.last_id
        item: JsonObject = {
            "id": item_id,
            "object": "realtime.item",
            "type": "mcp_list_tools",
            "server_label": label,
            "tools": [],
            "status": "in_progress",
        }
        message = (
            f"Error retrieving tool list from MCP server: '{label}'. This local server calls no "
            "MCP servers. Declare the tools that you need as functions, and call the server from "
            "your own code."
        )
        error = {
            "type": "external_connector_error",
            "code": "mcp_not_supported",
            "message": message,
        }
        done = {**item, "status": "incomplete", "error": error}
        self._items.add(item, b"", 0)
        placed = {"previous_item_id": previous}
        self._emit({"type": "conversation.item.added", **placed, "item": item})
        self._emit({"type": "mcp_list_tools.in_progress", "item_id": item_id})
        self._emit({"type": "mcp_list_tools.failed", "item_id": item_id, "error": error})
        self._emit({"type": "conversation.item.done", **placed, "item": done})
