"""The panel of an agent: one line to drive it, and what happens below."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import traitlets

from realtime_nb.protocol.turn_detection import (
    CLIENT_SILENCE_MS,
    EAGERNESS,
    KINDS,
    SERVER_VAD,
    SWITCHES,
    Words,
)
from realtime_nb.widgets.live import LiveWidget, PageMessage
from realtime_nb.widgets.page_text import module_text, style_text

__all__ = ["AgentPanel", "turn_table"]

_STATES = [
    *("disconnected", "connecting", "reconnecting"),
    *("listening", "hearing", "thinking", "speaking"),
]
_SLIDERS = ("threshold", "silence_duration_ms", "prefix_padding_ms")


class AgentPanel(LiveWidget):
    """Buttons, state and tabs; what they show are widgets of their own.

    Args:
        on_command: called with the name of what the person wants (``connect``, ``disconnect``,
            ``talk``, ``stop``, ``mute``, ``interrupt``, ``say``, ``update``, ``report``) and its
            value, on the comm's thread; it must only hand over.
        transcript, events, timeline, calls, timing: the views in the panel.
        microphone, speaker: the page's audio, None where the agent's audio is elsewhere.
        settings: ``endpoint`` (a label), ``push_to_talk``, ``voices`` and ``settings``.
    """

    _esm = module_text("agent_panel.js")
    _css: str = style_text("theme.css", "views.css", "agent_panel.css")

    state = traitlets.Enum(_STATES, "disconnected").tag(sync=True)
    """What the agent does."""
    error = traitlets.Unicode().tag(sync=True)
    """What is wrong and what to do, in words; empty if nothing is."""
    note = traitlets.Unicode().tag(sync=True)
    """What has become of a connection that was lost, in words; empty if there is nothing to say."""
    connected = traitlets.Bool(False).tag(sync=True)
    talking = traitlets.Bool(False).tag(sync=True)
    muted = traitlets.Bool(False).tag(sync=True)
    answering = traitlets.Bool(False).tag(sync=True)
    """Whether there is an answer that could be stopped: spoken, or still worked on."""
    push_to_talk = traitlets.Bool(False).tag(sync=True)
    endpoint = traitlets.Unicode().tag(sync=True)
    latency_ms = traitlets.Int(None, allow_none=True).tag(sync=True)
    """Voice to voice, of the last answer."""
    call_count = traitlets.Int(0).tag(sync=True)
    """How many function calls there were in this session."""
    voices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """What can be chosen."""
    turn_table = traitlets.Dict().tag(sync=True)
    """What there is to choose of turn detection, as the protocol has it: ``kinds``, ``sliders``,
    ``eagerness`` and ``switches``. A slider grows to a value outside its ends."""
    settings = traitlets.Dict().tag(sync=True)
    """``instructions``, ``voice`` and ``turn_detection`` as they are in force, or, unless a session
    is ``open``, as the next one will be asked for; ``confirmed_s``: when the server said so;
    ``later``: what only the next session can have; ``code``: the line of turn detection."""
    pending = traitlets.Dict().tag(sync=True)
    """What the server has been asked for and has neither confirmed nor refused; of turn detection,
    the fields."""
    last_session = traitlets.Dict().tag(sync=True)
    """Of the session that ended last, shown while none is open: ``words``, the ``path`` of its
    recording, the ``code`` that opens it, or ``advice`` where there is none; ``report``: its
    ``state`` (writing, done, failed), its ``path`` and ``link`` (from the notebook's folder on), or
    ``words`` of what went wrong and ``code`` that helps."""
    children = traitlets.Dict().tag(sync=True)
    """References to the views and the audio, by name, as anywidget's ``host.getWidget`` takes."""

    def __init__(
        self,
        on_command: Callable[[str, Any], None],
        *,
        transcript: LiveWidget,
        events: LiveWidget,
        timeline: LiveWidget,
        calls: LiveWidget,
        timing: LiveWidget,
        microphone: LiveWidget | None = None,
        speaker: LiveWidget | None = None,
        **settings: object,
    ) -> None:
        self._on_command = on_command
        self._setting = threading.RLock()
        self._session_facts = ""
        self._closed = ""
        parts = {
            "transcript": transcript,
            "events": events,
            "timeline": timeline,
            "calls": calls,
            "timing": timing,
            "microphone": microphone,
            "speaker": speaker,
        }
        references = {
            name: f"anywidget:{widget.model_id}"
            for name, widget in parts.items()
            if widget is not None
        }
        self._asked: list[dict[str, Any]] = []
        super().__init__(**settings, children=references, turn_table=turn_table())

    def set(self, **values: Any) -> None:
        """Sets traits, from any thread, one caller at a time; does nothing after `close`."""
        with self._setting:
            for name, value in values.items():
                if getattr(self, name) != value:
                    setattr(self, name, value)

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Shows what is in force, also where the person has just tried something else."""
        revision = int(self.settings.get("revision", 0)) + 1
        self.set(settings={**settings, "revision": revision})

    @contextmanager
    def asking(self, settings: dict[str, Any]) -> Iterator[None]:
        """Shows settings as pending, while the server is asked for them."""
        with self._setting:
            self._asked.append(settings)
            self.set(pending=self._all_asked())
        try:
            yield
        finally:
            with self._setting:
                self._asked.remove(settings)
                self.set(pending=self._all_asked())

    def _all_asked(self) -> dict[str, Any]:
        return {name: value for asked in self._asked for name, value in asked.items()}

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes what the person wants."""
        if message["kind"] == "command":
            self._on_command(str(message["name"]), message.get("value"))

    def tell_of_session(self, facts: str) -> None:
        """Takes what a saved notebook says of the last session, in words that anybody may read."""
        self._session_facts = facts
        self._stand_in.refresh()

    def tell_of_closing(self, words: str) -> None:
        """Takes why its agent was closed, and what to do: what is said in its place from now on."""
        self._closed = words

    def summary(self) -> str:
        """Returns what stays in a saved notebook: facts about the last session, nothing that was
        said."""
        if not self._session_facts:
            return f"Agent ({self.endpoint}). {self._closed or 'Run the cell to talk to it.'}"
        next_step = self._closed or "Run the cell to talk to it again."
        return f"Agent ({self.endpoint}): {self._session_facts}\n{next_step}"


def turn_table() -> dict[str, Any]:
    """Returns what a person can choose of turn detection, as a page takes it."""
    waits = {
        name: Words(name, f"Waits {one.longest_ms / 1000:g} s at most before it takes the turn.")
        for name, one in EAGERNESS.items()
    }
    return {
        "kinds": _named(KINDS),
        "sliders": [_slider(name) for name in _SLIDERS],
        "eagerness": _named(waits),
        "switches": _named(SWITCHES),
    }


def _named(words: Mapping[str, Words]) -> list[dict[str, str]]:
    return [{"name": name, **asdict(one)} for name, one in words.items()]


def _slider(name: str) -> dict[str, Any]:
    limits = SERVER_VAD[name]
    least, most, step = limits.handy
    unit = " ms" if name.endswith("_ms") else ""
    usual = CLIENT_SILENCE_MS if name == "silence_duration_ms" else limits.usual
    ends = {"min": least, "max": most, "step": step, "usual": usual, "unit": unit}
    return {"name": name, **asdict(limits.words), **ends}
