"""Which audio of the agent's responses is given out to be played, and where it ends.

What arrives of a response that was interrupted is dropped. It is muted here and not when the device
has flushed: audio that is on its way already must not be queued behind the flush, where it would
sound on.
"""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client_actions import ClientAction, EndAudio, FlushPlayback, PlayAudio
from realtime_nb.protocol.conversation import Conversation

__all__ = ["AnswerAudio"]


class AnswerAudio:
    """The audio of one session's responses.

    Args:
        conversation: the fold.
        do: takes what the device is to do.

    Attributes:
        mute_next: whether the next response is cancelled before it began.
    """

    def __init__(self, conversation: Conversation, do: Callable[[ClientAction], None]) -> None:
        self._conversation = conversation
        self._do = do
        self.mute_next = False
        self._muted: set[str] = set()  # responses whose audio is not played any more
        self._voiced: dict[str, dict[str, bool]] = {}  # response → item given out → ended

    def is_muted(self, response_id: str) -> bool:
        """Tells whether a response is not played any more."""
        return response_id in self._muted

    def take(self, event: ev.OutputAudioDelta, pcm: bytes) -> None:
        """Gives audio out, unless it came too late."""
        response = self._conversation.responses[event.response_id]
        late = response.status == "cancelled"  # some servers send on what they had at hand
        if late or event.response_id in self._muted or not isinstance(event.delta, str):
            return
        self._voiced.setdefault(event.response_id, {})[event.item_id] = False
        self._do(PlayAudio(event.item_id, pcm))
        if response.done:  # nothing will come that says so again
            self.end(event.response_id, event.item_id)

    def end(self, response_id: str, item_id: str) -> None:
        """Says that no more audio of an item comes, once."""
        items = self._voiced.get(response_id, {})
        if items.get(item_id) is False:
            items[item_id] = True
            self._do(EndAudio(item_id))

    def stop(self) -> None:
        """Stops the voice, of whatever runs."""
        self._muted.update(
            response.id for response in self._conversation.responses.values() if response.active
        )
        self._do(FlushPlayback())

    def created(self, response_id: str, withdrawn: bool) -> None:
        """Takes note of a response that begins; ``withdrawn``: nobody wants it any more."""
        if self.mute_next or withdrawn:
            self._muted.add(response_id)
            self.mute_next = False

    def end_all(self, response_id: str) -> None:
        """Says that no more audio of a response comes."""
        for item_id in self._voiced.get(response_id, {}):
            self.end(response_id, item_id)

    def forget(self, response_id: str) -> tuple[bool, dict[str, bool]]:
        """Forgets a response that is done; returns whether it was muted, and what was given out."""
        muted = response_id in self._muted
        self._muted.discard(response_id)
        return muted, self._voiced.pop(response_id, {})

    def end_voices(self) -> None:
        """Says that no more audio of anything comes: the connection is lost."""
        for response_id in self._voiced:
            self.end_all(response_id)

    def lost(self) -> None:
        """Forgets what was of a connection that is lost."""
        self.mute_next = False
        self._muted.clear()
        self._voiced.clear()
