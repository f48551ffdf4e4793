"""What the user said or typed, and what each of it led to."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
    """Return the user's turns in the order in which they came.

    A response belongs to the last user message before it. One that answers a function call's output
    belongs to the turn of the call: that is the first response after the output was sent, unless
    the user took a turn in between. Responses outside the conversation belong to no turn.
    """
    heard = {speech.item_id: speech for speech in conversation.speech}
    calls: dict[str, list[FunctionCall]] = {}
    for call in conversation.calls.values():
        calls.setdefault(call.response_id, []).append(call)
    turns: list[Turn] = []
    turn_of: dict[str, Turn] = {}
    calling: Turn | None = None
    for step, name in conversation.history:
        if step in ("committed", "added"):
            item = conversation.items.get(name)
            if item is not None and _is_user_turn(item, step):
                source = _source(item, step)
                turns.append(Turn(len(turns) + 1, item, source, heard.get(item.id)))
                calling = None
        elif step == "output":
            calling = turn_of.get(conversation.calls[name].response_id)
        elif turns and conversation.responses[name].in_conversation:
            turn, calling = calling or turns[-1], None
            turn_of[name] = turn
            _answer(turn, conversation, conversation.responses[name], calls.get(name, ()))
    return turns


def _answer(
    turn: Turn, conversation: Conversation, response: Response, calls: Iterable[FunctionCall]
) -> None:
    turn.responses.append(response)
    turn.items.extend(_messages(conversation, response))
    turn.calls.extend(calls)


def _is_user_turn(item: Item, step: str) -> bool:
    if item.type != "message" or item.role not in ("user", None):
        return False
    return step == "committed" or item.role == "user"


def _began_s(item: Item) -> float:
    moment = item.added_s if item.committed_s is None else item.committed_s
    return math.nan if moment is None else moment


def _source(item: Item, step: str) -> Literal["speech", "typed"]:
    spoken = step == "committed" or any(part.get("type") == "input_audio" for part in item.content)
    return "speech" if spoken else "typed"


def _messages(conversation: Conversation, response: Response) -> list[Item]:
    items = (conversation.items.get(item_id) for item_id in response.item_ids)
    return [item for item in items if item is not None and item.type == "message"]
