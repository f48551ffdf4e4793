"""What a conversation holds that is not to be believed, as who reads a damaged log finds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.records import FunctionCall, Item, Response

__all__ = ["Doubts"]

_MOMENTS = {
    Item: (
        *("added_s", "committed_s", "transcript_s", "first_audio_s", "last_audio_s"),
        *("played_s", "stopped_s", "done_s"),
    ),
    Response: ("created_s", "first_text_s", "first_audio_s", "done_s"),
    FunctionCall: ("started_s", "done_s", "output_s", "run_started_s", "run_ended_s"),
}


@dataclass(frozen=True, slots=True)
class Doubts:
    """Reasons why times and lengths are unknown.

    Attributes:
        records: of responses and items, by their ids.
        speech: of stretches of speech, by their number in the conversation, of which it is not
            known where in the audio they lie.
    """

    records: Mapping[str, str] = field(default_factory=dict)
    speech: Mapping[int, str] = field(default_factory=dict)

    def cast_on(self, conversation: Conversation) -> None:
        """Makes unknown what is in doubt; what depends on it is then unknown by itself."""
        for number, reason in self.speech.items():
            _forget_place(conversation, number, reason)
        for number, speech in enumerate(conversation.speech):
            if speech.item_id in self.records:
                _forget_place(conversation, number, self.records[speech.item_id])
                speech.started_s = speech.stopped_s = None
        for holder in (conversation.items, conversation.deleted, conversation.responses):
            for one, record in holder.items():
                if one in self.records:
                    _forget_times(record, self.records[one])
        for call in conversation.calls.values():
            if call.response_id in self.records or call.item_id in self.records:
                _forget_moments(call)


def _forget_place(conversation: Conversation, number: int, reason: str) -> None:
    speech = conversation.speech[number]
    speech.doubt = reason
    speech.audio_start_ms = math.nan
    if speech.audio_end_ms is not None:
        speech.audio_end_ms = math.nan


def _forget_times(record: Item | Response, reason: str) -> None:
    record.doubt = reason
    _forget_moments(record)
    if isinstance(record, Response) or record.role == "assistant":
        record.audio_ms = math.nan
    if isinstance(record, Item) and record.played_ms is not None:
        record.played_ms = math.nan


def _forget_moments(record: Item | Response | FunctionCall) -> None:
    for name in _MOMENTS[type(record)]:
        setattr(record, name, None)
