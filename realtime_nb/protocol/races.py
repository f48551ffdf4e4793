"""Refusals that a race between client and server brings about: they change nothing, and are no
errors to anybody.

A client cancels an answer that has just ended, asks for one while the server begins its own, cuts
an item shorter than it still is, or commits what the server has taken already. Which request was
refused tells the ``event_id``, where the server names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import ErrorRecord
from realtime_nb.protocol.wire import JsonObject, text_of

__all__ = ["RACES", "RACE_WORDS", "Races", "is_race"]

RACES = {
    "response_cancel_not_active": "response.cancel",
    "conversation_already_has_active_response": "response.create",
    "input_audio_buffer_commit_empty": "input_audio_buffer.commit",
    "item_truncate_invalid_item_id": "conversation.item.truncate",
}
"""Error codes of lost races, and of which request. Known from the hosted service; where it gives no
code of its own, :data:`RACE_WORDS` tells."""

RACE_WORDS = {
    "already shorter than": "conversation.item.truncate",
    "Only model output audio messages can be truncated": "conversation.item.truncate",
    "already has an active response": "response.create",
}

_MOST_REQUESTS = 256
"""Requests of which it is known what they asked for; a refusal comes soon, or never."""


def is_race(code: str | None, message: str, asked: str = "") -> bool:
    """Tells whether an error is one that a race brings about and that changes nothing.

    Args:
        code: of the error.
        message: of the error.
        asked: the type of the request that was refused; "" where the server does not tell.
    """
    lost = {RACES.get(code or "")}
    lost |= {request for words, request in RACE_WORDS.items() if words in message}
    lost.discard(None)
    return asked in lost if asked else bool(lost)


@dataclass(slots=True)
class Races:
    """The requests of one session that may lose a race.

    Attributes:
        asked: what the latest of them asked for, by ``event_id``.
    """

    asked: dict[str, str] = field(default_factory=dict)

    def sent(self, event: ev.ClientEvent) -> None:
        """Takes note of a request."""
        if not isinstance(event, ev.AudioBufferAppend):
            self.asks(event.event_id, str(event.__struct_config__.tag))

    def asks(self, event_id: str | None, kind: str) -> None:
        """Takes note of what an event asks for."""
        if event_id is None:
            return
        self.asked[event_id] = kind
        if len(self.asked) > _MOST_REQUESTS:
            del self.asked[next(iter(self.asked))]

    def crossed(self, sent: bool, event: JsonObject) -> bool:
        """Takes an event as it is on the wire; tells whether it is the error of a lost race."""
        name, event_id, error = (event.get(key) for key in ("type", "event_id", "error"))
        if sent:
            if isinstance(event_id, str) and name != "input_audio_buffer.append":
                self.asks(event_id, str(name))
            return False
        if name != "error" or not isinstance(error, dict):
            return False
        code, message, cause = (
            text_of(error, key, None) for key in ("code", "message", "event_id")
        )
        return self.lost(code, message or "", cause)

    def record(self, event: ev.ErrorEvent, t_s: float | None) -> ErrorRecord:
        """Returns what a conversation keeps of an error."""
        param = event.error.get("param")
        return ErrorRecord(
            event.message,
            event.code,
            None if param is None else str(param),
            event.caused_by,
            t_s,
            self.lost(event.code, event.message, event.caused_by),
        )

    def lost(self, code: str | None, message: str, caused_by: str | None) -> bool:
        """Tells whether an error is of a request that lost a race."""
        return is_race(code, message, self.asked.get(caused_by or "", ""))
