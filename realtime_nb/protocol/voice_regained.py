"""An agent that answers in writing after its history was restored is brought back to its voice.

Restored answers are texts, and some models go on as the conversation began: they write, though the
session is to speak. Such an answer is deleted and asked for again, spoken, a few times at most.
"""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.protocol.conversation import Conversation, Response
from realtime_nb.protocol.events import JsonObject

__all__ = ["MOST_ATTEMPTS", "VoiceRegained"]

MOST_ATTEMPTS = 2
"""How often one answer is asked for again."""


class VoiceRegained:
    """Watches the answers of a session that came back.

    Args:
        conversation: of the session.
        send: sends an event.
        ask: asks for a response with these fields.
    """

    def __init__(
        self,
        conversation: Conversation,
        send: Callable[[JsonObject], object],
        ask: Callable[[JsonObject], None],
    ) -> None:
        self._conversation = conversation
        self._send = send
        self._ask = ask
        self._attempts = 0

    def done(self, response: Response | None) -> None:
        """Looks at a response that is over."""
        if response is None or not self._conversation.connections.restored:
            return
        written = self._written(response)
        if not written:
            self._attempts = 0
            return
        if self._attempts >= MOST_ATTEMPTS:
            return
        self._attempts += 1
        for item_id in written:
            self._send({"type": "conversation.item.delete", "item_id": item_id})
        self._ask({"output_modalities": ["audio"]})

    def _written(self, response: Response) -> list[str]:
        """Returns the messages of a response that was to speak and only wrote; else none."""
        session = self._conversation.session.get("output_modalities", ["audio"])
        asked = response.output_modalities or session
        whole = response.in_conversation and response.status == "completed"
        if not whole or "audio" not in asked or response.audio_ms:
            return []
        items = [self._conversation.items.get(item_id) for item_id in response.item_ids]
        if any(item is None or item.type != "message" for item in items):
            return []
        return [item.id for item in items if item is not None and item.text]
