"""A recording as a server: what :func:`realtime_nb.connect` needs to serve one to client code."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import quote

from realtime_nb.archive.lines import RecordedEvent, audio_reference
from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.audio.wav import read_wav_pcm
from realtime_nb.audio.wire import WireEncoder
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import PCM, format_of, session_format
from realtime_nb.protocol.dialect import audio_field, server_to_ga
from realtime_nb.protocol.events import AudioRef, JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.recorded_transport import RecordedTransport

__all__ = ["ServedRecording", "StoredAudio", "recorded_endpoint", "recorded_server"]


class ServedRecording(Protocol):
    """What is served of a recording; :class:`realtime_nb.recordings.recording.Recording` is one."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def header(self) -> JsonObject:
        """What ``session.json`` says."""

    @property
    def duration_s(self) -> float:
        """How long the session was."""

    @property
    def received(self) -> Samples:
        """The agent's audio as it arrived."""

    def raw_events(self) -> Iterator[RecordedEvent]:
        """Returns all events in order."""


def recorded_endpoint(recording: ServedRecording) -> Endpoint:
    """Returns what a session with a recording says it talks to."""
    header = recording.header
    model, recorded = header.get("model"), header.get("endpoint")
    of = (recorded.get("of") or recorded.get("kind")) if isinstance(recorded, dict) else None
    return Endpoint(
        f"ws://recording/{quote(recording.path.name)}",
        str(model) if model else None,
        dialect="beta" if header.get("dialect") == "beta" else "ga",
        kind="recording",
        transcription_model=None,
        of=str(of) if of else None,
    )


def recorded_server(recording: ServedRecording, pace: float = 1.0) -> RecordedTransport:
    """Returns a transport with that recording's server at its other end.

    Raises:
        ConfigurationError: the recording holds no events of a server.
    """
    events = [
        WireEvent(line.direction, line.event, line.t_s)
        for line in recording.raw_events()
        if line.event.get("type") != "input_audio_buffer.append"
    ]
    if not any(event.direction == "received" for event in events):
        raise ConfigurationError(
            f"{recording.path} holds no events of a server, so there is nothing to serve. "
            "rt.replay sends its audio to a server."
        )
    code = recording.header.get("close_code")
    return RecordedTransport(
        events,
        pace=pace,
        with_audio=StoredAudio(recording),
        end_s=recording.duration_s,
        close_code=code if isinstance(code, int) else 1000,
        reason=str(recording.header.get("close_reason") or ""),
    )


class StoredAudio:
    """Puts the audio of a recording back into its events, base64 in the session's format.

    PCM comes back as it was; G.711 of the same length, through the filters once more. To be called
    with the server's events in order: the formats are those that they tell.
    """

    def __init__(self, recording: ServedRecording) -> None:
        self._recording = recording
        self._format = PCM
        self._encoder: WireEncoder | None = None

    def __call__(self, raw: JsonObject) -> JsonObject:
        """Returns the event as it was on the wire."""
        name = raw.get("type")
        if audio_field(name) == ("delta", "output"):
            reference = audio_reference(raw.get("delta"))
            return raw if reference is None else {**raw, "delta": self._delta(reference)}
        for event in server_to_ga(raw) if name in ("session.created", "session.updated") else ():
            self._follow(event)
        return cast("JsonObject", self._nested(raw)) if self._item_pcm else raw

    def _follow(self, event: dict[str, object]) -> None:
        wanted = format_of(session_format(event.get("session"), "output"))
        if wanted != self._format:
            self._format = wanted
            self._encoder = None if wanted is PCM else WireEncoder(wanted.type)

    def _delta(self, reference: AudioRef) -> str:
        end = reference.start + reference.samples
        pcm = pcm_from_samples(self._recording.received[reference.start : end])
        payload = pcm if self._encoder is None else self._encoder.encode(pcm)
        return base64.b64encode(payload).decode("ascii")

    @cached_property
    def _item_pcm(self) -> bytes:
        """Audio inside items; the recording has a file for it where there is any."""
        path = self._recording.path / "items.wav"
        return read_wav_pcm(path)[0] if path.exists() else b""

    def _nested(self, value: object) -> object:
        if isinstance(value, list):
            return [self._nested(part) for part in value]
        if not isinstance(value, dict):
            return value
        reference = audio_reference(value)
        if reference is None or reference.file != "items.wav":
            return {key: self._nested(part) for key, part in value.items()}
        end = reference.start + reference.samples
        return base64.b64encode(self._item_pcm[2 * reference.start : 2 * end]).decode("ascii")
