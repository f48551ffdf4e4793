"""What an agent is made with: checked before anything is made of it, and changed while it lives."""

from __future__ import annotations

import difflib
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from realtime_nb import tools as tool_set
from realtime_nb.audio.files import load_audio
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import AudioError, ConfigurationError, ToolError, at_call
from realtime_nb.errors.option_names import refuse_unknown, takes_names
from realtime_nb.protocol.client import Typing
from realtime_nb.protocol.config import (
    SESSION_OPTIONS,
    patient,
    patient_options,
    session_config,
)
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD, TurnDetection
from realtime_nb.protocol.turn_detection import SWITCHES
from realtime_nb.session import connect as connecting
from realtime_nb.session.endpoints import Endpoint, RunningServer, resolve
from realtime_nb.session.greeting import Greeting
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.session import Session

__all__ = [
    "AgentOptions",
    "AudioChoice",
    "BrowserAudioSettings",
    "HostAudioSettings",
    "audio_source",
    "changed_detection",
]

_DETECTIONS: dict[object, type[ServerVAD | SemanticVAD]] = {
    "server_vad": ServerVAD,
    "semantic_vad": SemanticVAD,
}


@at_call
@takes_names
@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserAudioSettings:
    """The page's microphone, as an agent begins with it; its panel can change the switches.

    Attributes:
        chunk_ms: length of the pieces that it sends, 20 to 100. Shorter ones come sooner, and cost
            the page and the connection more.
        echo_cancellation, noise_suppression, auto_gain_control: what the browser is asked to do.
    """

    chunk_ms: int = 40
    echo_cancellation: bool = True
    noise_suppression: bool = True
    auto_gain_control: bool = True

    def __post_init__(self) -> None:
        """Checks the values."""
        _check_chunk(self.chunk_ms)
        for name in ("echo_cancellation", "noise_suppression", "auto_gain_control"):
            _check_switch(name, getattr(self, name))


@at_call
@takes_names
@dataclass(frozen=True, slots=True, kw_only=True)
class HostAudioSettings:
    """The sound card of the computer that the kernel runs on.

    Attributes:
        chunk_ms: length of the pieces that the microphone sends, 20 to 100.
        half_duplex: the microphone hears nothing while the agent speaks, which a loudspeaker
            needs, because nothing here cancels its echo. With headphones, turn it off: then the
            agent can be interrupted by voice.
    """

    chunk_ms: int = 40
    half_duplex: bool = True

    def __post_init__(self) -> None:
        """Checks the values."""
        _check_chunk(self.chunk_ms)
        _check_switch("half_duplex", self.half_duplex)


AudioChoice = BrowserAudioSettings | HostAudioSettings | Path
_BY_NAME: dict[object, Callable[[], AudioChoice]] = {
    "browser": BrowserAudioSettings,
    "host": HostAudioSettings,
}


def audio_source(audio: object) -> AudioChoice:
    """Returns what an agent's ``audio=`` means.

    Raises:
        ConfigurationError: nothing.
        AudioError: a file that is missing or not audio.
    """
    if isinstance(audio, BrowserAudioSettings | HostAudioSettings):
        return audio
    if isinstance(audio, str) and audio in _BY_NAME:
        return _BY_NAME[audio]()
    if not isinstance(audio, str | os.PathLike) or not os.fspath(audio):
        raise ConfigurationError(
            f'audio is {audio!r}; give "browser", "host", the path of a sound file, '
            "rt.BrowserAudioSettings(…) or rt.HostAudioSettings(…)."
        )
    path = Path(os.fspath(audio))
    try:
        load_audio(path)  # says now what is wrong with it
    except AudioError:
        near = difflib.get_close_matches(str(audio).lower(), [str(name) for name in _BY_NAME], n=1)
        if near and not path.exists():
            raise ConfigurationError(
                f"There is no sound file {str(audio)!r}. Did you mean audio={near[0]!r}?"
            ) from None
        raise
    return path


class AgentOptions:
    """Where an agent connects to, and with what.

    Args:
        endpoint, model, api_key, record, typing, greeting, reconnect: as for
            :func:`realtime_nb.connect`.
        push_to_talk: turns turn detection off.
        tools: one of them, or several.
        session: session settings.
        engines: ``vad``, ``stt``, ``llm`` and ``tts``, as for :func:`realtime_nb.connect`.
        main_loop: the notebook's own, for ``main_thread`` tools; None where there is none.
        arguments: names that an agent takes beside ``session``, for who misspelt one.

    Attributes:
        session: the session settings, for this session and the next.
        tools: what the model may call.

    Raises:
        ConfigurationError: an unknown or impossible option, or two that contradict each other.
        ToolError: something else than tools, or one that needs the loop that is not there.
    """

    def __init__(
        self,
        endpoint: str | Endpoint | RunningServer,
        *,
        model: str | None,
        api_key: str | None,
        record: str | Path | None,
        push_to_talk: bool,
        tools: object,
        session: Mapping[str, Any],
        main_loop: AbstractEventLoop | None,
        arguments: Sequence[str] = (),
        typing: Typing = "interrupts",
        greeting: Greeting | None = None,
        reconnect: bool | Reconnect = True,
        engines: Mapping[str, object] | None = None,
    ) -> None:
        _refuse_audio_settings(session)
        refuse_unknown(session, SESSION_OPTIONS, arguments)
        _check_switch("push_to_talk", push_to_talk)
        self.session = dict(session)
        if push_to_talk and self.session.setdefault("turn_detection", None) is not None:
            raise ConfigurationError(
                "push_to_talk=True means that no turn detection ends the user's turns. "
                "Leave out either push_to_talk or turn_detection."
            )
        if record is not None and not isinstance(record, str | os.PathLike):
            raise ConfigurationError(f"record is {record!r}; give a folder, or None for none.")
        self._endpoint = endpoint
        self._main_loop = main_loop
        self.tools = self._tool_list(tools)
        self._arguments = {
            "model": model,
            "api_key": api_key,
            "record": record,
            "typing": typing,
            "greeting": greeting,
            "reconnect": reconnect,
            **(engines or {}),
        }
        self.connecting(None)  # refuses what can't be meant
        found = resolve(endpoint, model, api_key)
        self.label = "local"
        """What the panel calls the endpoint; never with a key."""
        if found is not None:
            self.label = found.shown_url if found.kind == "url" else found.kind
        session_config(**self._in_session())

    def connecting(self, speaker: Callable[[Session], Speaker] | None) -> connecting.connect:
        """Returns what opens a session; ``speed``, which is something else there, is left out."""
        return connecting.connect(
            self._endpoint,
            tools=self.tools,
            speaker=speaker,
            main_loop=self._main_loop,
            **self._arguments,  # type: ignore[arg-type]
            **{name: value for name, value in self.session.items() if name != "speed"},
        )

    def patch(self) -> JsonObject:
        """Returns what a session will be asked for."""
        return session_config(
            **patient_options({"turn_detection": ServerVAD(), **self._in_session()})
        )

    def checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Settings to be changed, with tools as a list; raises as the constructor does."""
        checked = dict(options)
        if "tools" in checked:
            checked["tools"] = self._tool_list(checked["tools"])
            tool_set.collect(checked["tools"])
        self.asked(checked)
        return checked

    def asked(self, options: Mapping[str, Any]) -> JsonObject:
        """Returns what a session is asked for with settings that :meth:`checked` gave."""
        settings = {name: value for name, value in options.items() if name != "tools"}
        return session_config(**patient_options(settings))

    def change(self, options: Mapping[str, Any]) -> None:
        """Takes over what :meth:`checked` gave."""
        changed = dict(options)
        self.tools = changed.pop("tools", self.tools)
        self.session = {**self.session, **changed}

    def _tool_list(self, tools: object) -> list[Any]:
        """Returns them as a list, if they can run here."""
        listed = tool_set.tool_list(tools)
        for one in listed:
            if isinstance(one, tool_set.Tool) and one.main_thread and self._main_loop is None:
                raise ToolError(
                    f"{one.name} needs the notebook's own loop (main_thread=True), and this is no "
                    "notebook. Make the agent in a cell or a coroutine, or leave main_thread out."
                )
        return listed

    def _in_session(self) -> dict[str, Any]:
        return {name: value for name, value in self.session.items() if name in SESSION_OPTIONS}


def changed_detection(
    in_force: JsonObject | None,
    changed: JsonObject,
    earlier: Mapping[object, JsonObject] | None = None,
) -> TurnDetection | None:
    """Turns detection into one with some fields changed: the others stay.

    Fields that the type does not have are left out.

    Args:
        in_force: None while it is off.
        changed: with another ``type`` it begins as it was when that was in force last; ``none``
            turns it off.
        earlier: by type, what was in force last.

    Raises:
        ConfigurationError: it is off, or of a type that is not known here, or a value is wrong.
    """
    kind = changed.get("type", (in_force or {}).get("type", "server_vad"))
    if kind == "none":
        return None
    if in_force is None and "type" not in changed:
        raise ConfigurationError(
            "Turn detection is off: you say when a turn ends, so there is nothing to adjust."
        )
    if in_force is None or kind != in_force.get("type", "server_vad"):
        switches = {name: value for name, value in (in_force or {}).items() if name in SWITCHES}
        in_force = {**(earlier or {}).get(kind, {}), **switches}
    merged = {**in_force, **changed}
    made = _DETECTIONS.get(merged.pop("type", "server_vad"))
    if made is None:
        raise ConfigurationError("This kind of turn detection can't be adjusted here.")
    known = {
        name: value
        for name, value in merged.items()
        if name in made.__struct_fields__ and value is not None
    }
    return patient(made(**known))


def _refuse_audio_settings(options: Mapping[str, Any]) -> None:
    """Says where a setting of the audio goes that was given among those of the session."""
    for made in (BrowserAudioSettings, HostAudioSettings):
        names = {field.name for field in fields(made)} & options.keys()
        if names:
            name = min(names)
            raise ConfigurationError(
                f"{name} is a setting of the audio. "
                f"Give it there: audio=rt.{made.__name__}({name}={options[name]!r})."
            )


def _check_chunk(chunk_ms: object) -> None:
    if isinstance(chunk_ms, bool) or not isinstance(chunk_ms, int) or not 20 <= chunk_ms <= 100:
        raise ConfigurationError(f"chunk_ms is {chunk_ms!r}; give a whole number from 20 to 100.")


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {value!r}; give True or False.")
