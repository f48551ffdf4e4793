"""Build, tune and study voice agents that speak the OpenAI Realtime protocol, in Jupyter.

::

    import realtime_nb as rt

    async with rt.connect("local", record="recordings/") as session:
        await session.play("hello.wav")
        await session.settled()
        for who, words in session.conversation.transcript():
            print(f"{who}: {words}")

    rec = rt.load(session.recording)
    rec.turns

The names below are all public names; each is imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
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
    "SemanticVAD": "protocol.fields",
    "ServerVAD": "protocol.fields",
    "Conversation": "protocol.conversation",
    "ga": "archive.ga",
    "Endpoint": "session.endpoints",
    "azure": "session.endpoints",
    "openai": "session.endpoints",
    "EphemeralKey": "session.client_secret",
    "client_secret": "session.client_secret",
    "Session": "session.session",
    "connect": "session.connect",
    "Reconnect": "session.reconnecting",
    "tool": "tools",
    "ChatLLM": "local.chat",
    "HttpSTT": "local.http_stt",
    "HttpTTS": "local.http_tts",
    "LlamaLLM": "local.llama",
    "LocalServer": "local.server",
    "serve": "local.server",
    "engine_names": "local.registry",
    "stt_engine": "local.registry",
    "tts_engine": "local.registry",
    "Recording": "recordings.recording",
    "Recordings": "recordings.collection",
    "load": "recordings.recording",
    "read_labels": "recordings.label_files",
    "samples": "recordings.samples",
    "load_audio": "audio.files",
    "pcm_from_samples": "audio.pcm",
    "samples_from_pcm": "audio.pcm",
    "ulaw_decode": "audio.pcm",
    "ulaw_encode": "audio.pcm",
    "alaw_decode": "audio.pcm",
    "alaw_encode": "audio.pcm",
    "replay": "recordings.replay",
    "verify": "recordings.verify",
    "plot_style": "plots.style",
    "plot_vad": "plots.vad",
    "speech_probabilities": "audio.frame_detector",
    "sweep": "recordings.sweeping",
    "compare": "analysis.comparison",
    "compare_stages": "analysis.stage_comparison",
    "word_error_rate": "analysis.word_errors",
    "transcription_quality": "commands.quality",
    "voice_quality": "commands.quality",
    "DurationPrice": "analysis.cost.prices",
    "PRICES": "analysis.cost.prices",
    "PipelineAssumptions": "analysis.cost.comparison",
    "Price": "analysis.cost.prices",
    "compare_costs": "analysis.cost.comparison",
    "doctor": "commands.doctor",
    "Agent": "agent.agent",
    "SessionManager": "agent.session_manager",
    "BrowserAudioSettings": "agent.options",
    "HostAudioSettings": "agent.options",
    "HostMicrophone": "devices.host_microphone",
    "HostSpeaker": "devices.host_speaker",
    "VADLab": "agent.vad_lab",
    "CallInspector": "widgets.call_inspector",
    "EventInspector": "widgets.event_inspector",
    "Timeline": "widgets.timeline",
    "Timing": "widgets.timing",
    "ToolCall": "tools",
    "Transcript": "widgets.transcript",
}
"""Every public name and the module that it lives in."""

_ROOMS = {"testing": "testing", "events": "protocol.events"}
"""Modules that are used by a name of their own, such as ``rt.testing.FaultyNetwork``."""

__all__ = [
    "PRICES",
    "Agent",
    "AudioError",
    "BrowserAudioSettings",
    "CallInspector",
    "ChatLLM",
    "ConfigurationError",
    "ConnectionFailedError",
    "Conversation",
    "DurationPrice",
    "Endpoint",
    "EphemeralKey",
    "EventInspector",
    "HostAudioSettings",
    "HostMicrophone",
    "HostSpeaker",
    "HttpSTT",
    "HttpTTS",
    "LlamaLLM",
    "LocalServer",
    "MissingExtraError",
    "PipelineAssumptions",
    "Price",
    "RealtimeError",
    "Reconnect",
    "Recording",
    "RecordingError",
    "Recordings",
    "SemanticVAD",
    "ServerError",
    "ServerVAD",
    "Session",
    "SessionClosedError",
    "SessionManager",
    "Timeline",
    "Timing",
    "ToolCall",
    "ToolError",
    "Transcript",
    "VADLab",
    "__version__",
    "alaw_decode",
    "alaw_encode",
    "azure",
    "client_secret",
    "compare",
    "compare_costs",
    "compare_stages",
    "connect",
    "doctor",
    "engine_names",
    "events",
    "ga",
    "load",
    "load_audio",
    "openai",
    "pcm_from_samples",
    "plot_style",
    "plot_vad",
    "read_labels",
    "replay",
    "samples",
    "samples_from_pcm",
    "serve",
    "speech_probabilities",
    "stt_engine",
    "sweep",
    "testing",
    "tool",
    "transcription_quality",
    "tts_engine",
    "ulaw_decode",
    "ulaw_encode",
    "verify",
    "voice_quality",
    "word_error_rate",
]

if TYPE_CHECKING:
    from realtime_nb import testing
    from realtime_nb.agent.agent import Agent
    from realtime_nb.agent.options import BrowserAudioSettings, HostAudioSettings
    from realtime_nb.agent.session_manager import SessionManager
    from realtime_nb.agent.vad_lab import VADLab
    from realtime_nb.analysis.comparison import compare
    from realtime_nb.analysis.cost.comparison import PipelineAssumptions, compare_costs
    from realtime_nb.analysis.cost.prices import PRICES, DurationPrice, Price
    from realtime_nb.analysis.stage_comparison import compare_stages
    from realtime_nb.analysis.word_errors import word_error_rate
    from realtime_nb.archive.ga import ga
    from realtime_nb.audio.files import load_audio
    from realtime_nb.audio.frame_detector import speech_probabilities
    from realtime_nb.audio.pcm import (
        alaw_decode,
        alaw_encode,
        pcm_from_samples,
        samples_from_pcm,
        ulaw_decode,
        ulaw_encode,
    )
    from realtime_nb.commands.doctor import doctor
    from realtime_nb.commands.quality import transcription_quality, voice_quality
    from realtime_nb.devices.host_microphone import HostMicrophone
    from realtime_nb.devices.host_speaker import HostSpeaker
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
    from realtime_nb.local.chat import ChatLLM
    from realtime_nb.local.http_stt import HttpSTT
    from realtime_nb.local.http_tts import HttpTTS
    from realtime_nb.local.llama import LlamaLLM
    from realtime_nb.local.registry import engine_names, stt_engine, tts_engine
    from realtime_nb.local.server import LocalServer, serve
    from realtime_nb.plots.style import plot_style
    from realtime_nb.plots.vad import plot_vad
    from realtime_nb.protocol import events
    from realtime_nb.protocol.conversation import Conversation
    from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
    from realtime_nb.recordings.collection import Recordings
    from realtime_nb.recordings.label_files import read_labels
    from realtime_nb.recordings.recording import Recording, load
    from realtime_nb.recordings.replay import replay
    from realtime_nb.recordings.samples import samples
    from realtime_nb.recordings.sweeping import sweep
    from realtime_nb.recordings.verify import verify
    from realtime_nb.session.client_secret import EphemeralKey, client_secret
    from realtime_nb.session.connect import connect
    from realtime_nb.session.endpoints import Endpoint, azure, openai
    from realtime_nb.session.reconnecting import Reconnect
    from realtime_nb.session.session import Session
    from realtime_nb.tools import ToolCall, tool
    from realtime_nb.widgets.call_inspector import CallInspector
    from realtime_nb.widgets.event_inspector import EventInspector
    from realtime_nb.widgets.timeline import Timeline
    from realtime_nb.widgets.timing import Timing
    from realtime_nb.widgets.transcript import Transcript


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"realtime_nb.{_ROOMS[name]}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'realtime_nb' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"realtime_nb.{home}"), name)
    globals()[name] = value
    return value


def load_ipython_extension(ipython: object) -> None:
    """Lets ``asyncio.run(main())`` run in cells; IPython asks for it at ``%load_ext realtime_nb``.

    Raises:
        MissingExtraError: nest_asyncio2 is not installed.
    """
    importlib.import_module("realtime_nb.commands.extension").allow_nested_run()


_SHOWN_BY = {
    ("analysis.findings.findings", "Findings"): ("findings_view", "show_findings"),
    ("analysis.clips", "ClipSound"): ("clip_view", "show_clip"),
}
"""What notebooks show with buttons to listen, and what shows it."""


def _teach_notebook() -> None:
    """Tells IPython's kernel of :data:`_SHOWN_BY`; the analysis knows no widgets."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return
    formatter = shell.display_formatter.ipython_display_formatter
    for (module, name), (view, show) in _SHOWN_BY.items():
        formatter.for_type_by_name(f"realtime_nb.{module}", name, _shower(view, show))


def _shower(view: str, show: str) -> Callable[[object], None]:
    """Returns what shows an object; its module is imported when there is one."""

    def shown(value: object) -> None:
        getattr(importlib.import_module(f"realtime_nb.widgets.{view}"), show)(value)

    return shown


_teach_notebook()


def __dir__() -> list[str]:
    return sorted(__all__)
