"""What the user said or typed, and what each of it led to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from realtime_nb.analysis.connection_gaps import was_lost
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.protocol.conversation import (
    Conversation,
    FunctionCall,
    Item,
    Response,
    Speech,
)

__all__ = ["TurnFinder", "UserTurn", "find_user_turns"]


@dataclass(frozen=True, slots=True)
class UserTurn:
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
        moment = self.item.added_s if self.item.committed_s is None else self.item.committed_s
        return or_nan(moment)

    @property
    def answer_due(self) -> bool:
        """Whether its answer may still begin to sound."""
        if any(item.played_s is not None or item.interrupted for item in self.items):
            return False
        if not self.responses or any(response.active for response in self.responses):
            return True
        after_s = self.responses[-1].created_s
        runs = (
            call.output is None or or_nan(call.output_s) > or_nan(after_s) for call in self.calls
        )
        return any(runs) or any(item.first_audio_s is not None for item in self.items)

    @property
    def interrupted(self) -> bool:
        """Whether its answer was cancelled by the user's voice, or cut short by anybody.

        What a lost connection cut off, nobody interrupted.
        """
        lost = {response.id for response in self.responses if was_lost(response)}
        return any(response.interrupted for response in self.responses) or any(
            item.cut_short for item in self.items if item.response_id not in lost
        )


class TurnFinder:
    """Finds the user's turns of a conversation that goes on; each of its steps is looked at once.

    A response belongs to the last user message before it. One that answers a function call's output
    belongs to the turn of the call: that is the first response after the output was sent, unless
    the user took a turn in between. Responses outside the conversation belong to no turn. A message
    that was deleted stays a turn, or a part of its answer.

    Args:
        conversation: what events and reports are folded into.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._steps = 0
        self._speeches = 0
        self._heard: dict[str, Speech] = {}
        self._turns: list[UserTurn] = []
        self._turn_of: dict[str, UserTurn] = {}
        self._calling: UserTurn | None = None

    @property
    def count(self) -> int:
        """How many there are, as of the last look."""
        return len(self._turns)

    def turns(self) -> list[UserTurn]:
        """Returns all of them so far, in the order in which they came."""
        self.look()
        return self.latest(len(self._turns))

    def latest(self, count: int) -> list[UserTurn]:
        """Returns the last of them, as of the last look: also for another thread than looks, which
        meets a RuntimeError where the conversation grows meanwhile."""
        calls: dict[str, list[FunctionCall]] = {}
        for call in self._conversation.calls.values():
            calls.setdefault(call.response_id, []).append(call)
        return [self._with_answer(turn, calls) for turn in self._turns[-count:] if count]

    def answered_by(self, response_id: str) -> UserTurn | None:
        """Returns the turn that a response belongs to, None when it belongs to none."""
        self.look()
        turn = self._turn_of.get(response_id)
        if turn is None:
            return None
        calls: dict[str, list[FunctionCall]] = {response.id: [] for response in turn.responses}
        for call in self._conversation.calls.values():
            if call.response_id in calls:
                calls[call.response_id].append(call)
        return self._with_answer(turn, calls)

    def began_s(self, number: int) -> float:
        """Returns when the turn of that number began, in seconds; -inf of the one before the
        first."""
        return self._turns[number - 1].began_s if number else -math.inf

    def look(self) -> None:
        """Takes what has come since the last look."""
        conversation = self._conversation
        if len(conversation.history) == self._steps:
            return
        for speech in islice(conversation.speech, self._speeches, None):
            self._heard[speech.item_id] = speech
        self._speeches = len(conversation.speech)
        for step, name in islice(conversation.history, self._steps, None):
            self._take(step, name)
        self._steps = len(conversation.history)

    def _take(self, step: str, name: str) -> None:
        conversation = self._conversation
        if step in ("committed", "added"):
            item = _item(conversation, name)
            if item is not None and _is_user_turn(item, step):
                number, source = len(self._turns) + 1, _source(item, step)
                self._turns.append(UserTurn(number, item, source, self._heard.get(item.id)))
                self._calling = None
        elif step == "output":
            self._calling = self._turn_of.get(conversation.calls[name].response_id)
        elif self._turns and conversation.responses[name].in_conversation:
            turn, self._calling = self._calling or self._turns[-1], None
            self._turn_of[name] = turn
            turn.responses.append(conversation.responses[name])

    def _with_answer(self, turn: UserTurn, calls: dict[str, list[FunctionCall]]) -> UserTurn:
        """Returns the turn with what its responses consist of, which grows after the step that they
        are."""
        responses = list(turn.responses)
        return replace(
            turn,
            responses=responses,
            items=[item for each in responses for item in _messages(self._conversation, each)],
            calls=[call for each in responses for call in calls.get(each.id, ())],
        )


def find_user_turns(conversation: Conversation) -> list[UserTurn]:
    """Returns the user's turns in the order in which they came; see :class:`TurnFinder`."""
    return TurnFinder(conversation).turns()


def _is_user_turn(item: Item, step: str) -> bool:
    if item.type != "message" or item.role not in ("user", None):
        return False
    return step == "committed" or item.role == "user"


def _source(item: Item, step: str) -> Literal["speech", "typed"]:
    spoken = step == "committed" or any(part.get("type") == "input_audio" for part in item.content)
    return "speech" if spoken else "typed"


def _item(conversation: Conversation, item_id: str) -> Item | None:
    """Returns an item, be it deleted: that was said all the same."""
    return conversation.items.get(item_id) or conversation.deleted.get(item_id)


def _messages(conversation: Conversation, response: Response) -> list[Item]:
    items = (_item(conversation, item_id) for item_id in response.item_ids)
    return [item for item in items if item is not None and item.type == "message"]
