"""Build, tune and study voice agents that speak the OpenAI Realtime protocol, in Jupyter.

::

    import realtime_nb as rt

    async with rt.connect("local", record="recordings/") as session:
        await session.play("hello.wav")
        await session.settled()
        print(session.conversation.transcript())

    rec = rt.load(session.recording)
    rec.turns

The names below are all public names; each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "AudioError": "errors",
    "ConfigurationError": "errors",
    "ConnectionFailedError": "errors",
    "MissingExtraError": "errors",
    "RealtimeError": "errors",
    "RecordingError": "errors",
    "ServerError": "errors",
    "SessionClosedError": "errors",
    "ToolError": "errors",
    "SemanticVAD": "protocol.config",
    "ServerVAD": "protocol.config",
    "Conversation": "protocol.conversation",
    "Endpoint": "endpoints",
    "azure": "endpoints",
    "Session": "session",
    "connect": "connecting",
    "tool": "tools",
    "LocalServer": "local.server",
    "serve": "local.server",
    "Recording": "recording",
    "Recordings": "recordings",
    "load": "recording",
    "replay": "replaying",
    "compare": "analysis.comparison",
    "Price": "analysis.prices",
    "compare_costs": "analysis.cost_comparison",
    "doctor": "diagnosis",
    "Agent": "agent",
    "BrowserAudioSettings": "agent_options",
    "HostAudioSettings": "agent_options",
    "CallInspector": "widgets.call_inspector",
    "EventInspector": "widgets.event_inspector",
    "Timeline": "widgets.timeline",
    "Transcript": "widgets.transcript",
}
"""Every public name and the module that it lives in."""

__all__ = [
    "Agent",
    "AudioError",
    "BrowserAudioSettings",
    "CallInspector",
    "ConfigurationError",
    "ConnectionFailedError",
    "Conversation",
    "Endpoint",
    "EventInspector",
    "HostAudioSettings",
    "LocalServer",
    "MissingExtraError",
    "Price",
    "RealtimeError",
    "Recording",
    "RecordingError",
    "Recordings",
    "SemanticVAD",
    "ServerError",
    "ServerVAD",
    "Session",
    "SessionClosedError",
    "Timeline",
    "ToolError",
    "Transcript",
    "__version__",
    "azure",
    "compare",
    "compare_costs",
    "connect",
    "doctor",
    "load",
    "replay",
    "serve",
    "tool",
]

if TYPE_CHECKING:
    from realtime_nb.agent import Agent
    from realtime_nb.agent_options import BrowserAudioSettings, HostAudioSettings
    from realtime_nb.analysis.comparison import compare
    from realtime_nb.analysis.cost_comparison import compare_costs
    from realtime_nb.analysis.prices import Price
    from realtime_nb.connecting import connect
    from realtime_nb.diagnosis import doctor
    from realtime_nb.endpoints import Endpoint, azure
    from realtime_nb.errors import (
        AudioError,
        ConfigurationError,
        ConnectionFailedError,
        MissingExtraError,
        RealtimeError,
        RecordingError,
        ServerError,
        SessionClosedError,
        ToolError,
    )
    from realtime_nb.local.server import LocalServer, serve
    from realtime_nb.protocol.config import SemanticVAD, ServerVAD
    from realtime_nb.protocol.conversation import Conversation
    from realtime_nb.recording import Recording, load
    from realtime_nb.recordings import Recordings
    from realtime_nb.replaying import replay
    from realtime_nb.session import Session
    from realtime_nb.tools import tool
    from realtime_nb.widgets.call_inspector import CallInspector
    from realtime_nb.widgets.event_inspector import EventInspector
    from realtime_nb.widgets.timeline import Timeline
    from realtime_nb.widgets.transcript import Transcript


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'realtime_nb' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"realtime_nb.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
