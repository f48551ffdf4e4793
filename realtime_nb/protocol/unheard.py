"""What the server is told when the user did not hear all of an answer.

It remembers what it sent. So it is told where the user stopped listening, and what nobody heard at
all is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.restoring import history_items, remembered_text

__all__ = ["Unheard"]


class Unheard:
    """The answers that were cut short.

    Args:
        conversation: what the server remembers, and what was played of it.
        send: sends an event.
    """

    def __init__(self, conversation: Conversation, send: Callable[[JsonObject], object]) -> None:
        self._conversation = conversation
        self._send = send
        self._to_delete: dict[str, list[str]] = {}  # response → items, once it is done

    def flushed(self, item_id: str, played_ms: float) -> None:
        """Tells the server how much was heard of an item whose playback was stopped."""
        item = self._conversation.items.get(item_id)
        # Cut once: a second report of the same flush, or one after the server's own cut, would ask
        # for audio back that is gone.
        if item is None or item.interrupted or item.audio_ms <= 0:
            return
        if item_id in self._conversation.connections.restored:
            self._tell_again(item)
            return
        response = self._conversation.responses.get(item.response_id or "")
        if response is not None and not response.in_conversation:
            return
        running = response is not None and response.active
        # All that came was heard, but is it all? While the response runs the server may be ahead
        # of what has arrived, so it is told where the user stopped listening.
        final = item.status in ("completed", "incomplete") or not running
        if final and played_ms >= item.audio_ms - 1:
            return
        heard_ms = int(min(played_ms, item.audio_ms))
        if heard_ms < 1:
            self._delete(item_id, response)
            return
        self._send(
            {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": 0,
                "audio_end_ms": heard_ms,
            }
        )

    def _tell_again(self, item: Item) -> None:
        """Has the server remember less of an item that it knows as a text only."""
        text = remembered_text(item)
        if text == item.text:
            return
        order = self._conversation.order
        place = order.index(item.id) if item.id in order else 0
        self._send({"type": "conversation.item.delete", "item_id": item.id})
        others = [one for one in order if one != item.id]
        told = history_items(self._conversation, skip=others)
        if told:
            unknown = self._conversation.connections.unknown
            known = [one for one in order[:place] if one not in unknown]
            previous = known[-1] if known else "root"
            self._send(
                {
                    "type": "conversation.item.create",
                    "previous_item_id": previous,
                    "item": told[0],
                }
            )

    def done(self, response: Response | None, muted: bool, voiced: Collection[str]) -> None:
        """Deletes the items of an interrupted response that never reached the speaker.

        Args:
            response: which is over.
            muted: whether it was interrupted.
            voiced: ids of its items that were given to the speaker.
        """
        if response is None:
            return
        unheard = self._to_delete.pop(response.id, [])
        if muted and response.in_conversation:
            unheard += [
                item_id
                for item_id in response.item_ids
                if item_id not in voiced and self._was_spoken(item_id)
            ]
        for item_id in unheard:
            self._send({"type": "conversation.item.delete", "item_id": item_id})

    def lost(self) -> None:
        """Forgets what is to be deleted: the next session is not told of it."""
        self._to_delete.clear()

    def _was_spoken(self, item_id: str) -> bool:
        item = self._conversation.items.get(item_id)
        if item is None or item.type != "message":
            return False
        as_audio = any(part.get("type") in ("audio", "output_audio") for part in item.content)
        return item.audio_ms > 0 or (as_audio and bool(item.text))

    def _delete(self, item_id: str, response: Response | None) -> None:
        # Nothing of it was heard. A truncation to 0 ms is refused, so the item goes; while its
        # response runs it can't be deleted yet.
        if response is not None and response.active:
            self._to_delete.setdefault(response.id, []).append(item_id)
        else:
            self._send({"type": "conversation.item.delete", "item_id": item_id})
