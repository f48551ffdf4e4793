"""What a server does otherwise: ``rt.doctor(endpoint)`` asks it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.session.connect import connect
from realtime_nb.session.profiles import profile_of

if TYPE_CHECKING:
    from realtime_nb.session.endpoints import Endpoint, RunningServer
    from realtime_nb.session.session import Session
    from realtime_nb.session.transport import Transport

__all__ = ["ServerCheck", "examine"]

_ANSWER_S = 30.0
_DETECTION = {"threshold": 0.62, "prefix_padding_ms": 280, "silence_duration_ms": 640}
_ASKED: dict[str, Any] = {
    "output_modalities": ["text"],
    "max_output_tokens": 400,
    "speed": 1.1,
    "turn_detection": SemanticVAD(eagerness="low"),
}
_PLACES = {
    "output_modalities": ("output_modalities",),
    "max_output_tokens": ("max_output_tokens",),
    "speed": ("audio", "output", "speed"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
_BETA_NAMES = "events have the beta's names"


class ServerCheck(NamedTuple):
    """One thing that was found, as a :class:`~realtime_nb.commands.doctor.Check` tells it."""

    name: str
    status: Literal["ok", "warning", "missing"]
    words: str
    remedy: str = ""
    needed: bool = True


class _Heard:
    """What the server sent, as it was on the wire."""

    def __init__(self) -> None:
        self.events: list[JsonObject] = []

    def event(self, event: Any) -> None:
        """Implements an observer."""
        if event.direction == "received":
            self.events.append(event.raw)

    def playback(self, report: object) -> None:
        """Implements an observer."""

    def tool(self, report: object) -> None:
        """Implements an observer."""

    @property
    def names(self) -> set[str]:
        return {str(event.get("type")) for event in self.events}


async def examine(
    endpoint: str | Endpoint | RunningServer, transport: Transport | None = None
) -> list[ServerCheck]:
    """Connects, asks for settings one by one and for one short written answer.

    Args:
        endpoint: as :func:`realtime_nb.connect` takes it.
        transport: an open one to that server, instead of connecting.
    """
    began = time.perf_counter()
    try:
        async with connect(endpoint, transport=transport, reconnect=False) as session:
            taken = f"{(time.perf_counter() - began) * 1000:.0f} ms"
            return [one async for one in _conversation(session, taken)]
    except RealtimeError as error:
        return [ServerCheck("connection", "missing", " ".join(str(error).split()))]


async def _conversation(session: Session, taken: str) -> Any:
    model = session.conversation.session.get("model") or "a model that it does not name"
    yield ServerCheck("connection", "ok", f"{session.endpoint.shown_url} in {taken}, {model}")
    heard = _Heard()
    session.observe(heard)
    differs = [*await _detection(session)]
    for name, value in _ASKED.items():
        differs += await _setting(session, name, value)
    if differs:
        yield ServerCheck("settings", "warning", "; ".join(differs), needed=False)
    else:
        yield ServerCheck("settings", "ok", "all that were tried are in force when confirmed")
    yield await _answer(session, heard)
    events = list(_differences(heard))
    words = "; ".join(events) or "as OpenAI's GA interface sends them"
    yield ServerCheck("events", "ok", words, needed=False)
    known = profile_of(session.endpoint.kind)
    if known is not None and (known.differs or known.lacks):
        lacks = [f"it lacks {one}" for one in known.lacks]
        said = "; ".join([*known.differs, *lacks])
        yield ServerCheck(f"known of {known.title}", "ok", said, needed=False)


async def _detection(session: Session) -> list[str]:
    wanted = ServerVAD(**_DETECTION)  # type: ignore[arg-type]
    try:
        await session.update(turn_detection=wanted)
    except RealtimeError as error:
        return [f"turn_detection is refused here: {error}"]
    said = session.conversation.turn_detection or {}
    found = (_compared(name, value, said.get(name)) for name, value in _DETECTION.items())
    return [one for one in found if one]


async def _setting(session: Session, name: str, value: Any) -> list[str]:
    shown = "semantic_vad" if name == "turn_detection" else name
    try:
        await session.update(**{name: value})
    except RealtimeError as error:
        return [f"{shown} is refused here: {error}"]
    said: Any = session.conversation.session
    for key in _PLACES[name]:
        said = said.get(key) if isinstance(said, dict) else None
    if name == "turn_detection":
        value, said = "semantic_vad", said.get("type") if isinstance(said, dict) else said
    found = _compared(shown, value, said)
    return [found] if found else []


def _compared(name: str, asked: object, said: object) -> str | None:
    """Returns in words what became of a setting; None where it is in force."""
    if said == asked:
        return None
    if said is None:
        return f"of {name} the server does not say whether it took it"
    return f"{name} is ignored here (asked for {asked!r}, it says {said!r})"


async def _answer(session: Session, heard: _Heard) -> ServerCheck:
    began = time.perf_counter()
    try:
        await session.say("Answer with one word: ready?")
        done: Any = await session.wait_for("response.done", _ANSWER_S)
    except (RealtimeError, TimeoutError) as error:
        return ServerCheck("answer", "missing", f"to a typed message there is none: {error}")
    seconds = time.perf_counter() - began
    status = done.response.get("status")
    words = f"to a typed message in {seconds:.1f} s, {status}"
    if not done.response.get("usage"):
        words += "; no usage is told, so costs are unknown"
    if status != "completed":
        details = done.response.get("status_details")
        return ServerCheck("answer", "missing", f"{words} ({details})")
    return ServerCheck("answer", "ok", words)


def _differences(heard: _Heard) -> Iterator[str]:
    from realtime_nb.protocol.dialect import BETA_SERVER_EVENTS
    from realtime_nb.protocol.events import SERVER_EVENTS

    names = heard.names
    beta = sorted(names & set(BETA_SERVER_EVENTS))
    if beta:
        yield f"{_BETA_NAMES} ({', '.join(beta)})"
    own = sorted(names - set(SERVER_EVENTS) - set(BETA_SERVER_EVENTS))
    if own:
        yield f"it sends events of its own ({', '.join(own)})"
    for name in ("response.output_item.added", "response.content_part.added"):
        if name not in names:
            yield f"there is no {name}"
    flat = [key for event in heard.events for key in _flat_keys(event)]
    if flat:
        yield f"of its session these are at the top: {', '.join(dict.fromkeys(flat))}"


def _flat_keys(event: JsonObject) -> Iterator[str]:
    session = event.get("session")
    if event.get("type") == "session.updated" and isinstance(session, dict):
        yield from (key for key in ("voice", "turn_detection", "modalities") if key in session)
