"""Other vendors' servers, played: the local one without models, with their documented ways."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import LLM
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.dialect import client_to_ga, lifted, server_to_beta
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import Transport
from realtime_nb.testing.servers import MemoryServer

__all__ = ["VENDORS", "VendorServer"]

Told = list[JsonObject]


@dataclass(frozen=True, slots=True)
class _Ways:
    """What a vendor does otherwise.

    Attributes:
        dialect: what its server speaks.
        input_rate: of the PCM that it takes.
        takes: what a client's event becomes; None: it is unknown there, and refused.
        tells: what an event of a GA server becomes; its second argument is the last settings.
    """

    dialect: Literal["ga", "beta"] = "ga"
    input_rate: int = SAMPLE_RATE
    takes: Callable[[JsonObject], JsonObject | None] = lambda event: event
    tells: Callable[[JsonObject], Told] = lambda event: [event]


# --- Azure ----------------------------------------------------------------------------------------


def _azure_takes(event: JsonObject) -> JsonObject | None:
    """Refuses OpenAI's names of transcription models: there they are names of deployments."""
    audio = (event.get("session") or {}).get("audio") or {}
    transcription = (audio.get("input") or {}).get("transcription") or {}
    return None if str(transcription.get("model", "")).startswith("gpt-") else event


def _azure_tells(event: JsonObject) -> Told:
    item = event.get("item")
    if isinstance(item, dict) and item.get("role") == "assistant":
        return [{**event, "item": {**item, "phase": "final_answer"}}]
    return [event]


# --- xAI ------------------------------------------------------------------------------------------

_XAI_FLAT = ("voice", "turn_detection")


def _xai_takes(event: JsonObject) -> JsonObject | None:
    """Takes some settings at the top of the session only."""
    session = event.get("session")
    if event.get("type") != "session.update" or not isinstance(session, dict):
        return event
    audio = {"audio": session["audio"]} if session.get("audio") else {}
    counts = lifted({"type": "session.update", "session": audio}, _XAI_FLAT)["session"]
    rest = {key: value for key, value in session.items() if key != "audio"}
    audio = {key: value for key, value in counts.items() if key == "audio"}
    return client_to_ga({**event, "session": {**rest, **audio}})[0]


def _xai_tells(event: JsonObject) -> Told:
    name = event["type"]
    if name in ("session.created", "session.updated"):
        told = lifted({"type": "session.update", "session": event["session"]}, _XAI_FLAT)
        event = {**event, "session": told["session"]}
    if name == "session.created":
        conversation = {"id": "conv_1", "object": "realtime.conversation"}
        return [event, {"type": "conversation.created", "conversation": conversation}]
    details = (event.get("response") or {}).get("status_details")
    if name == "response.done" and isinstance(details, dict):
        return [{**event, "response": {**event["response"], "status_details": details["reason"]}}]
    return [event]


# --- local servers --------------------------------------------------------------------------------


def _speaches_takes(event: JsonObject) -> JsonObject | None:
    apart = (event.get("response") or {}).get("conversation") == "none"
    lacks = ("response.cancel", "conversation.item.truncate")
    return None if apart or event.get("type") in lacks else event


def _localai_tells(event: JsonObject) -> Told:
    if event["type"] == "input_audio_buffer.committed":
        speaker = {"type": "conversation.item.speaker", "item_id": event["item_id"], "speaker": "a"}
        return [event, speaker]
    return [event]


_HUGGINGFACE_LACKS = (
    *("response.content_part.added", "response.content_part.done"),
    *("conversation.item.done", "conversation.item.truncated"),
)


def _huggingface_tells(event: JsonObject) -> Told:
    """Tells of items as the beta did, and neither of content parts nor that something was cut."""
    if event["type"] in _HUGGINGFACE_LACKS:
        return []
    if event["type"] == "conversation.item.added":
        return [{**event, "type": "conversation.item.created"}]
    if event["type"] == "response.created":
        return [event, {"type": "speech_to_speech.session.snapshot", "state": "answering"}]
    return [event]


# --- Alibaba --------------------------------------------------------------------------------------


def _alibaba_takes(event: JsonObject) -> JsonObject | None:
    """Refuses functions that are not wrapped."""
    tools = (event.get("session") or {}).get("tools") or []
    return event if all("function" in tool for tool in tools) else None


def _alibaba_tells(event: JsonObject) -> Told:
    response = event.get("response")
    if event["type"] != "response.done" or not isinstance(response, dict):
        return [event]
    usage = {
        key.replace("_token_details", "_tokens_details"): value
        for key, value in (response.get("usage") or {}).items()
    }
    return [{**event, "response": {**response, "usage": usage}}]


VENDORS: dict[str, Any] = {
    "openai": _Ways(),
    "azure": _Ways(takes=_azure_takes, tells=_azure_tells),
    "xai": _Ways(takes=_xai_takes, tells=_xai_tells),
    "speaches": _Ways("beta", takes=_speaches_takes),
    "localai": _Ways(tells=_localai_tells),
    "huggingface": _Ways(tells=_huggingface_tells),
    "alibaba": _Ways("beta", 16_000, _alibaba_takes, _alibaba_tells),
}
"""Whose server can be played, by the names of ``rt.Endpoint.named``."""


class VendorServer:
    """A vendor's server for one client, in memory, that plays its documented ways.

    ::

        async with VendorServer("alibaba", ScriptedLLM(["Hi."])) as server:
            endpoint = rt.Endpoint.named("alibaba", api_key="k")
            async with rt.connect(endpoint, transport=server.transport) as session: ...

    Args:
        name: one of ``VENDORS``.
        llm: what it answers.
        ignored: settings that it takes and ignores, by their path in ``audio.input``, such as
            ``turn_detection.silence_duration_ms``.

    Attributes:
        transport: the client's end.
        taken: what the client sent, as it was on the wire.
        refused: of it, what the server does not know.
    """

    def __init__(self, name: str, llm: LLM | None = None, *, ignored: tuple[str, ...] = ()) -> None:
        if name not in VENDORS:
            raise ConfigurationError(f"{name!r} can't be played; give one of {', '.join(VENDORS)}.")
        self._ways: _Ways = VENDORS[name]
        self._server = MemoryServer(llm)
        self._ignored = ignored
        self.taken: list[JsonObject] = []
        self.refused: list[JsonObject] = []
        self.transport: Transport = _VendorTransport(self, self._server)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._server.__aexit__(*raised)

    def take(self, event: JsonObject) -> JsonObject | None:
        """Returns a client's event as the GA server behind it gets it; None where it is refused."""
        self.taken.append(event)
        taken = self._ways.takes(event)
        if taken is None:
            self.refused.append(event)
            return None
        if self._ways.dialect == "beta":
            (taken,) = client_to_ga(taken)
        if taken.get("type") == "session.update":
            taken = self._without_ignored(taken)
        return taken

    def _without_ignored(self, event: JsonObject) -> JsonObject:
        event = {**event, "session": merge_session(event["session"], {})}
        for path in self._ignored:
            *holders, leaf = path.split(".")
            place: Any = event["session"].get("audio", {}).get("input", {})
            for holder in holders:
                place = (place or {}).get(holder)
            if isinstance(place, dict):
                place.pop(leaf, None)
        return event

    def tell(self, event: JsonObject) -> Told:
        """Returns what an event of the GA server behind it becomes."""
        told = self._ways.tells(event)
        if self._ways.dialect == "beta":
            told = [beta for one in told for beta in server_to_beta(one)]
        return told

    @property
    def conversation(self) -> Conversation:
        """What the server remembers, once it is entered."""
        return self._server.conversation

    @property
    def input_rate(self) -> int:
        """Samples per second of the PCM that it takes."""
        return self._ways.input_rate


class _VendorTransport:
    """The client's end of a vendor's server."""

    def __init__(self, vendor: VendorServer, server: MemoryServer) -> None:
        self._vendor = vendor
        self._server = server
        self._heard = Resampler(vendor.input_rate, SAMPLE_RATE)
        self._waiting: deque[JsonObject] = deque()

    async def send(self, event: JsonObject) -> None:
        taken = self._vendor.take(event)
        if taken is None:
            error = {
                "type": "invalid_request_error",
                "code": "unknown_event",
                "message": f"{event.get('type')} is not supported.",
                "event_id": event.get("event_id"),
            }
            await self._server.emit({"type": "error", "event_id": "event_0", "error": error})
            return
        if taken.get("type") == "input_audio_buffer.append":
            pcm = self._heard.process_pcm(base64.b64decode(taken["audio"]))
            taken = {**taken, "audio": base64.b64encode(pcm).decode()}
        await self._server.transport.send(taken)

    async def receive(self) -> JsonObject:
        while not self._waiting:
            self._waiting.extend(self._vendor.tell(await self._server.transport.receive()))
        return self._waiting.popleft()

    async def close(self) -> None:
        await self._server.transport.close()
