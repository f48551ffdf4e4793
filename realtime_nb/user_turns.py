"""What the user said or typed, and what each of it led to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from realtime_nb.protocol.conversation import (
    Conversation,
    FunctionCall,
    Item,
    Response,
    Speech,
)

__all__ = ["Turn", "find_turns"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that the user said or typed, and what it led to.

    Attributes:
        number: 1 for the first.
        item: the user's message.
        source: how it came in.
        speech: what turn detection heard of it, None when it had no part in it.
        responses: the responses to it, those that go on after function calls included.
        items: the agent's messages in them.
        calls: the function calls in them.
    """

    number: int
    item: Item
    source: Literal["speech", "typed"]
    speech: Speech | None
    responses: list[Response] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    calls: list[FunctionCall] = field(default_factory=list)

    @property
    def began_s(self) -> float:
        """When the message was committed, or added if it was typed; NaN when that is unknown."""
        return _began_s(self.item)


def find_turns(conversation: Conversation) -> list[Turn]:
    """Return the user's turns in order of time.

    A response belongs to the last user message before it. One that answers a function call's output
    belongs to the turn of the call: that is the first response after the output was sent, unless
    the user took a turn in between. Responses outside the conversation belong to no turn.
    """
    found = sorted(
        (item for item in conversation.items.values() if _is_user_turn(item)), key=_began_s
    )
    heard = {speech.item_id: speech for speech in conversation.speech}
    turns = [
        Turn(number, item, _source(item), heard.get(item.id))
        for number, item in enumerate(found, start=1)
    ]
    calls: dict[str, list[FunctionCall]] = {}
    for call in conversation.calls.values():
        calls.setdefault(call.response_id, []).append(call)
    for response, turn in _assigned(conversation, turns):
        turn.responses.append(response)
        turn.items.extend(_messages(conversation, response))
        turn.calls.extend(calls.get(response.id, ()))
    return turns


def _is_user_turn(item: Item) -> bool:
    if item.type != "message" or item.role not in ("user", None):
        return False
    return item.committed_s is not None or (item.role == "user" and item.added_s is not None)


def _began_s(item: Item) -> float:
    moment = item.added_s if item.committed_s is None else item.committed_s
    return math.nan if moment is None else moment


def _source(item: Item) -> Literal["speech", "typed"]:
    spoken = item.committed_s is not None or any(
        part.get("type") == "input_audio" for part in item.content
    )
    return "speech" if spoken else "typed"


def _assigned(conversation: Conversation, turns: Sequence[Turn]) -> Iterable[tuple[Response, Turn]]:
    """Walks through turns, outputs of calls and responses in order of time."""
    steps: list[tuple[float, int, Turn | FunctionCall | Response]] = []
    steps += [(turn.began_s, 0, turn) for turn in turns]
    steps += [
        (call.output_s, 1, call)
        for call in conversation.calls.values()
        if call.output_s is not None
    ]
    steps += [
        (_response_began_s(response), 2, response)
        for response in conversation.responses.values()
        if response.in_conversation
    ]
    turn_of: dict[str, Turn] = {}
    current = calling = None
    for _, _, step in sorted(steps, key=lambda entry: entry[:2]):
        if isinstance(step, Turn):
            current, calling = step, None
        elif isinstance(step, FunctionCall):
            calling = turn_of.get(step.response_id)
        else:
            turn, calling = calling or current, None
            if turn is not None:
                turn_of[step.id] = turn
                yield step, turn


def _response_began_s(response: Response) -> float:
    moments = (
        response.created_s,
        response.first_text_s,
        response.first_audio_s,
        response.done_s,
    )
    return next((moment for moment in moments if moment is not None), math.inf)


def _messages(conversation: Conversation, response: Response) -> list[Item]:
    items = (conversation.items.get(item_id) for item_id in response.item_ids)
    return [item for item in items if item is not None and item.type == "message"]
