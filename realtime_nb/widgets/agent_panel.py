"""The panel of an agent: one line to drive it, and what happens below."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import traitlets

from realtime_nb.widgets.live import LiveWidget, Message, module_text

__all__ = ["AgentPanel"]

_STATES = ["disconnected", "connecting", "listening", "hearing", "thinking", "speaking"]


class AgentPanel(LiveWidget):
    """Buttons, state and tabs; what they show are widgets of their own.

    Args:
        on_command: called with the name of what the person wants (``connect``, ``disconnect``,
            ``talk``, ``stop``, ``mute``, ``interrupt``, ``say``, ``update``) and its value, on the
            comm's thread; it must only hand over.
        transcript, events, timeline: the views in the panel.
        microphone, speaker: the page's audio, None where the agent's audio is elsewhere.
        settings: ``endpoint`` (a label) and ``push_to_talk``.
    """

    _esm = module_text("agent_panel.js")

    state = traitlets.Enum(_STATES, "disconnected").tag(sync=True)
    """What the agent does."""
    error = traitlets.Unicode().tag(sync=True)
    """What is wrong and what to do, in words; empty if nothing is."""
    connected = traitlets.Bool(False).tag(sync=True)
    talking = traitlets.Bool(False).tag(sync=True)
    muted = traitlets.Bool(False).tag(sync=True)
    push_to_talk = traitlets.Bool(False).tag(sync=True)
    endpoint = traitlets.Unicode().tag(sync=True)
    latency_ms = traitlets.Int(None, allow_none=True).tag(sync=True)
    """Voice to voice, of the last answer."""
    children = traitlets.Dict().tag(sync=True)
    """Model ids of the views and the audio, by name."""

    def __init__(
        self,
        on_command: Callable[[str, Any], None],
        *,
        transcript: LiveWidget,
        events: LiveWidget,
        timeline: LiveWidget,
        microphone: LiveWidget | None = None,
        speaker: LiveWidget | None = None,
        **settings: object,
    ) -> None:
        self._on_command = on_command
        self._transcript = transcript
        self._setting = threading.Lock()
        super().__init__(**settings)
        parts = {
            "transcript": transcript,
            "events": events,
            "timeline": timeline,
            "microphone": microphone,
            "speaker": speaker,
        }
        self.children = {
            name: widget.model_id for name, widget in parts.items() if widget is not None
        }

    def set(self, **values: Any) -> None:
        """Sets traits, from any thread, one caller at a time."""
        with self._setting:
            for name, value in values.items():
                if getattr(self, name) != value:
                    setattr(self, name, value)

    def on_message(self, message: Message, buffers: list[memoryview]) -> None:
        """Takes what the person wants."""
        if message["kind"] == "command":
            self._on_command(str(message["name"]), message.get("value"))

    def summary(self) -> str:
        """What stays in a saved notebook: that there was an agent, and nothing that was said."""
        return f"Agent ({self.endpoint}). Run the cell to talk to it."
