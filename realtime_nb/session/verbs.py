"""The client's events as verbs, named as the ``openai`` package names them.

Code that was written for a connection of that package finds them at the same places of a session::

    await session.session.update(session={"type": "realtime", "instructions": "Be brief."})
    await session.conversation.item.create(item={"type": "message", "role": "user", …})
    await session.response.create(response={"output_modalities": ["text"]})
    await session.input_audio_buffer.append(audio=payload)

Each sends one event as it is, and gives its ``event_id``; verbs of the session itself do more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from realtime_nb.errors import at_call
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.asked import Asked

__all__ = [
    "InputAudioBufferVerbs",
    "ItemVerbs",
    "OutputAudioBufferVerbs",
    "ResponseVerbs",
    "SessionVerbs",
]

_Send = Callable[[JsonObject], Asked[str]]


class _Verbs:
    def __init__(self, send: _Send) -> None:
        self._send = send

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Makes nothing of a copy, in memory or pickled: it belongs to no session."""
        return type(None), ()

    def _event(self, name: str, **fields: Any) -> Asked[str]:
        """Sends an event with those of the fields that are given."""
        given = {key: value for key, value in fields.items() if value is not None}
        return self._send({"type": name, **given})


@at_call
class SessionVerbs(_Verbs):
    """``session.session``: its settings."""

    def update(self, *, session: Mapping[str, Any], event_id: str | None = None) -> Asked[str]:
        """Sends a ``session.update``; :meth:`Session.update` also waits until it is confirmed."""
        return self._event("session.update", session=dict(session), event_id=event_id)


@at_call
class ResponseVerbs(_Verbs):
    """``session.response``: what the model says."""

    def create(
        self, *, response: Mapping[str, Any] | None = None, event_id: str | None = None
    ) -> Asked[str]:
        """Sends a ``response.create``, at once, also while another response runs."""
        fields = None if response is None else dict(response)
        return self._event("response.create", response=fields, event_id=event_id)

    def cancel(self, *, response_id: str | None = None, event_id: str | None = None) -> Asked[str]:
        """Sends a ``response.cancel``; :meth:`Session.interrupt` also stops the voice."""
        return self._event("response.cancel", response_id=response_id, event_id=event_id)


@at_call
class InputAudioBufferVerbs(_Verbs):
    """``session.input_audio_buffer``: what the user says."""

    def append(self, *, audio: str, event_id: str | None = None) -> Asked[str]:
        """Sends audio in the session's input format, in base64; :meth:`Session.append` takes PCM,
        and waits for room."""
        return self._event("input_audio_buffer.append", audio=audio, event_id=event_id)

    def commit(self, *, event_id: str | None = None) -> Asked[str]:
        """Makes a user item of the appended audio."""
        return self._event("input_audio_buffer.commit", event_id=event_id)

    def clear(self, *, event_id: str | None = None) -> Asked[str]:
        """Drops appended audio that is not committed."""
        return self._event("input_audio_buffer.clear", event_id=event_id)


@at_call
class OutputAudioBufferVerbs(_Verbs):
    """``session.output_audio_buffer``: what servers hold that play themselves (WebRTC, SIP)."""

    def clear(self, *, event_id: str | None = None) -> Asked[str]:
        """Drops what was not played; over a WebSocket, :meth:`Session.interrupt` does."""
        return self._event("output_audio_buffer.clear", event_id=event_id)


@at_call
class ItemVerbs(_Verbs):
    """``session.conversation.item``: what the conversation consists of."""

    def create(
        self,
        *,
        item: Mapping[str, Any],
        previous_item_id: Literal["root"] | str | None = None,
        event_id: str | None = None,
    ) -> Asked[str]:
        """Adds an item: a message with texts and images, a call, an output."""
        return self._event(
            "conversation.item.create",
            item=dict(item),
            previous_item_id=previous_item_id,
            event_id=event_id,
        )

    def retrieve(self, *, item_id: str, event_id: str | None = None) -> Asked[str]:
        """Asks for an item, its audio included: ``conversation.item.retrieved``."""
        return self._event("conversation.item.retrieve", item_id=item_id, event_id=event_id)

    def truncate(
        self,
        *,
        item_id: str,
        audio_end_ms: int,
        content_index: int = 0,
        event_id: str | None = None,
    ) -> Asked[str]:
        """Takes from the model's memory what it said after ``audio_end_ms``."""
        return self._event(
            "conversation.item.truncate",
            item_id=item_id,
            content_index=content_index,
            audio_end_ms=audio_end_ms,
            event_id=event_id,
        )

    def delete(self, *, item_id: str, event_id: str | None = None) -> Asked[str]:
        """Removes an item."""
        return self._event("conversation.item.delete", item_id=item_id, event_id=event_id)
