"""Transcripts of user audio: which attempt counts, what the client is told, what is known early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.usage import transcription_usage

__all__ = ["Transcribe", "Transcripts"]

_EVENT = "conversation.item.input_audio_transcription"


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Turn a user item's audio into text; answer with ``receive_transcript``."""

    item_id: str
    attempt: int
    audio: bytes
    audio_format: JsonObject


@dataclass(slots=True)
class _Ahead:
    """A transcript begun before its turn's end; void once speech goes on."""

    item_id: str
    attempt: int
    text: str | None = None


class Transcripts:
    """Asks for transcripts and takes them in; only the last attempt at an item counts.

    Args:
        items: where the texts are kept.
        emit: takes the events for the client.
        start: takes the jobs.
        heard: called whenever an item that was waited for is known, or known to have failed.

    Attributes:
        asked: what the session asks for, None: no transcription events.
        logprobs: whether it asked for the probabilities of words, too. The engines here tell none,
            so that it gets null.
    """

    def __init__(
        self,
        items: ItemStore,
        emit: Callable[[JsonObject], None],
        start: Callable[[Transcribe], None],
        heard: Callable[[], None],
    ) -> None:
        self.asked: JsonObject | None = None
        self.logprobs = False
        self._items = items
        self._emit = emit
        self._start = start
        self._heard = heard
        self._attempts: dict[str, int] = {}
        self._ahead: _Ahead | None = None

    def awaited(self, item_id: str) -> bool:
        """Tells whether the item's text is still to come."""
        return item_id in self._attempts

    def request(self, item_id: str, audio: bytes, audio_format: JsonObject) -> int:
        """Asks for an item's text; earlier attempts at it are void. Returns the attempt."""
        attempt = self._attempts.get(item_id, 0) + 1
        self._attempts[item_id] = attempt
        self._start(Transcribe(item_id, attempt, audio, audio_format))
        return attempt

    # --- ahead of the turn's end ---

    @property
    def ahead_text(self) -> str | None:
        """What the open turn seems to say, where that is known by now."""
        return None if self._ahead is None else self._ahead.text

    def request_ahead(self, item_id: str, audio: bytes, audio_format: JsonObject) -> None:
        """Asks for the text of an open turn that has fallen silent."""
        self._ahead = _Ahead(item_id, self.request(item_id, audio, audio_format))

    def void_ahead(self) -> None:
        """Gives up what was asked for ahead: speech went on, so that was not the whole turn."""
        self._ahead = None

    def drop_turn(self, item_id: str | None) -> None:
        """Forgets the open turn, which will not become an item."""
        self._ahead = None
        if item_id is not None:
            self._attempts.pop(item_id, None)

    def committed(self, item_id: str, audio: bytes, audio_format: JsonObject) -> None:
        """Takes an item that is there now: its text was asked for ahead, or is asked for now."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.item_id != item_id:
            self.request(item_id, audio, audio_format)
        elif ahead.text is not None:
            self._settle(item_id, ahead.text)

    # --- results ---

    def receive(self, item_id: str, attempt: int, text: str) -> None:
        """Takes the text of a job."""
        if self._attempts.get(item_id) != attempt:
            return
        ahead = self._ahead
        if ahead is not None and ahead.item_id == item_id:
            ahead.text = text
        elif item_id != self._items.announced:
            self._settle(item_id, text)

    def receive_failure(self, item_id: str, attempt: int, message: str) -> None:
        """Takes the failure of a job: an open turn is tried again at its end, an item is not."""
        if self._attempts.get(item_id) != attempt:
            return
        if item_id == self._items.announced:
            self._ahead = None
            return
        del self._attempts[item_id]
        self._items.hear(item_id, "")
        index = self._items.audio_part_index(item_id)
        if self.asked is not None and index is not None:
            error = {
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": message,
                "param": None,
            }
            ids = {"item_id": item_id, "content_index": index}
            self._emit({"type": f"{_EVENT}.failed", **ids, "error": error})
        self._heard()

    def _settle(self, item_id: str, text: str) -> None:
        del self._attempts[item_id]
        self._items.hear(item_id, text)
        index = self._items.audio_part_index(item_id)
        if self.asked is not None and index is not None:
            ids: JsonObject = {"item_id": item_id, "content_index": index}
            if self.logprobs:
                ids["logprobs"] = None
            if text:
                self._emit({"type": f"{_EVENT}.delta", **ids, "delta": text})
            usage = transcription_usage(self.asked, self._items.audio_ms(item_id), text)
            self._emit({"type": f"{_EVENT}.completed", **ids, "transcript": text, "usage": usage})
        self._heard()
