"""Server events that few sessions see: tool servers, several speakers, telephones."""

from __future__ import annotations

from realtime_nb.protocol.wire import ServerEvent

__all__ = [
    "DtmfReceived",
    "McpCallArgumentsDelta",
    "McpCallArgumentsDone",
    "McpCallCompleted",
    "McpCallFailed",
    "McpCallInProgress",
    "McpEvent",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "TranscriptionSegment",
]


class McpEvent(ServerEvent, frozen=True, kw_only=True):
    """What goes on at a tool server that the server uses itself."""

    item_id: str
    output_index: int = 0


class McpCallArgumentsDelta(
    McpEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"
):
    """The next piece of the arguments of a call that the server makes itself."""

    response_id: str = ""
    delta: str = ""


class McpCallArgumentsDone(
    McpEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"
):
    """All arguments of such a call."""

    arguments: str
    response_id: str = ""


class McpCallInProgress(McpEvent, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"):
    """The call has begun."""


class McpCallCompleted(McpEvent, frozen=True, kw_only=True, tag="response.mcp_call.completed"):
    """The call has come to something: see its item."""


class McpCallFailed(McpEvent, frozen=True, kw_only=True, tag="response.mcp_call.failed"):
    """The call has failed: see its item."""


class McpListToolsInProgress(McpEvent, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"):
    """The tools are being asked for."""


class McpListToolsCompleted(McpEvent, frozen=True, kw_only=True, tag="mcp_list_tools.completed"):
    """The tools are known: see the item."""


class McpListToolsFailed(McpEvent, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    """The tools can't be asked for."""


class TranscriptionSegment(
    ServerEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.segment",
):
    """What one speaker said, from ``start`` to ``end`` in seconds; of models that tell speakers
    apart."""

    item_id: str
    text: str
    id: str = ""
    speaker: str = ""
    start: float = 0.0
    end: float = 0.0
    content_index: int = 0


class DtmfReceived(
    ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """A key was pressed on the telephone, at ``received_at`` in seconds since 1970."""

    event: str
    received_at: float = 0.0
