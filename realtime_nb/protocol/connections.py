"""What becomes of a session whose connection is lost, as the session itself tells it.

A server knows nothing of it: it has one session that broke off, and another that begins. Reports
beside the events make one conversation of both, live and in recordings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol, TypeVar

import msgspec

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import FunctionCall, Item, Response
from realtime_nb.protocol.restoring import is_spoken, remembered_text, why_not_restored
from realtime_nb.protocol.turn_steps import TurnState
from realtime_nb.protocol.user_audio import UserAudio
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "LOST_REASON",
    "ConnectionKind",
    "ConnectionReport",
    "Connections",
    "Reconnection",
    "is_restored",
    "take_report",
]

ConnectionKind = Literal["lost", "retrying", "resumed", "reconnected", "given_up", "ended"]

LOST_REASON = "connection_lost"
"""The ``reason`` of a response that the end of its connection cut off."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a session says of its connection.

    Attributes:
        kind: ``lost``: it ended, and the session means to come back; ``retrying``: it will be tried
            again after a wait; ``resumed``: from here on the server gets the user's audio again;
            ``reconnected``: what can be restored is; ``given_up``: the session ends; ``ended``: so
            it does with the connection, which cut an answer off.
        t_s: when, in seconds since the session began.
        code: the close code, of one that was ``lost`` or ``ended``.
        reason: why it was lost or ended, why the last attempt failed, or why it was given up.
        unsent_ms: user audio, appended before it was lost, that the server never had.
        planned: whether it was replaced before its server ended it, between two turns.
        attempt: counted from 1.
        wait_s: before that attempt.
    """

    kind: ConnectionKind
    t_s: float
    code: int | None = None
    reason: str = ""
    unsent_ms: float = 0.0
    planned: bool = False
    attempt: int = 0
    wait_s: float = 0.0

    @property
    def type(self) -> str:
        """The name by which it stands among the events of a session."""
        return f"connection.{self.kind}"

    def as_event(self) -> JsonObject:
        """Returns it as a row among events, whose time tells when."""
        told = {name: value for name, value in asdict(self).items() if value}
        return {"type": self.type, **{k: v for k, v in told.items() if k not in ("kind", "t_s")}}


@dataclass(slots=True)
class Reconnection:
    """One gap in a session, and what it cost.

    Attributes:
        lost_s: when the connection was lost.
        code, reason: of its end.
        planned: whether it was replaced before its server ended it.
        attempts: how often it was tried.
        resumed_s: when the server got the user's audio again; None before, and if it never did.
        reconnected_s: when all was restored that can be.
        gave_up: why it was given up, None while it was not.
        lost_from_ms: position of the first audio that no server had.
        audio_lost_ms: how much of the user's audio no server ever had.
        user_cut_off: whether the user was speaking.
        cut_response_ids: answers that were cut off.
        restored: ids of items that the new session knows, in order.
        restored_as_audio: ids of those among them that were told as audio: the user's turns whose
            transcripts had not come.
        not_restored: ids of those that it doesn't, and why.
    """

    lost_s: float
    code: int | None = None
    reason: str = ""
    planned: bool = False
    attempts: int = 0
    resumed_s: float | None = None
    reconnected_s: float | None = None
    gave_up: str | None = None
    lost_from_ms: float = 0.0
    audio_lost_ms: float = 0.0
    user_cut_off: bool = False
    cut_response_ids: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    restored_as_audio: list[str] = field(default_factory=list)
    not_restored: dict[str, str] = field(default_factory=dict)

    @property
    def gap_s(self) -> float | None:
        """How long no server heard the user; None while none does."""
        return None if self.resumed_s is None else self.resumed_s - self.lost_s

    @property
    def reasons(self) -> Counter[str]:
        """Why items are not restored, and how many each."""
        return Counter(self.not_restored.values())


E = TypeVar("E", ev.ServerEvent, ev.ClientEvent)


@dataclass(slots=True)
class Connections:
    """The connections of one session, and what the one in force knows of those before it.

    Attributes:
        gaps: between them.
        restored: ids of items that the one in force was told, and has confirmed.
        pending: ids of those that it was told, in order, and has not confirmed yet.
        aliases: ids that a server gave to them instead, and ours.
        unknown: ids of items from before the gap that the one in force has not confirmed.
    """

    gaps: list[Reconnection] = field(default_factory=list)
    restored: set[str] = field(default_factory=set)
    pending: dict[str, JsonObject] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def tells_again(self, event: ev.ItemCreate, holds: Callable[[str], bool]) -> bool:
        """Notes that an item is being created; returns whether it is one from before the gap.

        Args:
            event: that is sent.
            holds: tells whether an item is in the conversation.
        """
        item_id = str(event.item.get("id"))
        if not self.gaps or not (item_id in self.restored or holds(item_id)):
            return False
        self.pending[item_id] = event.item
        return True

    def confirmed(self, raw: JsonObject) -> str | None:
        """Takes an item that a server added; returns our id of it where it is a restored one.

        Servers take events in order, so that one which gives ids of its own gives them in ours.
        """
        if not self.pending:
            return None
        item_id = str(raw.get("id"))
        if item_id not in self.pending:
            first, told = next(iter(self.pending.items()))
            if not _is_alike(raw, told):
                return None
            self.aliases[item_id] = first
            item_id = first
        told = self.pending.pop(item_id)
        if item_id not in self.restored:
            self.gaps[-1].restored.append(item_id)
            if is_spoken(told):
                self.gaps[-1].restored_as_audio.append(item_id)
        self.restored.add(item_id)
        self.unknown.discard(item_id)
        return item_id

    def refused(self, item_id: str) -> None:
        """Notes that the server does not take an item."""
        self.pending.pop(item_id, None)

    def in_our_ids(self, event: E) -> E:
        """Returns an event with our ids, where the server has others."""
        if not self.aliases:
            return event
        ours: JsonObject = {
            name: self.aliases[value]
            for name in ("item_id", "previous_item_id")
            if (value := getattr(event, name, None)) in self.aliases
        }
        item = getattr(event, "item", None)
        if isinstance(item, dict) and item.get("id") in self.aliases:
            ours["item"] = {**item, "id": self.aliases[item["id"]]}
        return msgspec.structs.replace(event, **ours) if ours else event

    def in_their_ids(self, raw: JsonObject) -> JsonObject:
        """Returns an event that is to be sent with the server's ids, where it has others."""
        if not self.aliases:
            return raw
        theirs = {ours: name for name, ours in self.aliases.items()}
        named = {
            name: theirs[raw[name]]
            for name in ("item_id", "previous_item_id")
            if raw.get(name) in theirs
        }
        return {**raw, **named} if named else raw

    def place_after(self, item_id: str, order: list[str]) -> int:
        """Returns the place of what a server puts right after an item: behind those that it doesn't
        know, which were said before."""
        place = len(order) if order[-1] == item_id else order.index(item_id) + 1
        return self._behind_unknown(place, order)

    def first_place(self, order: list[str]) -> int:
        """Returns the place of what a server puts before all that it knows."""
        return self._behind_unknown(0, order)

    def _behind_unknown(self, place: int, order: list[str]) -> int:
        while place < len(order) and order[place] in self.unknown:
            place += 1
        return place

    def lost(self, order: Iterable[str]) -> None:
        """Forgets what the connection knew."""
        self.unknown = set(order)
        self.restored.clear()
        self.pending.clear()
        self.aliases.clear()


def _is_alike(raw: JsonObject, told: JsonObject) -> bool:
    """Tells whether an item says what was told; one that a server makes meanwhile doesn't."""
    same = all(raw.get(name) == told.get(name) for name in ("type", "role", "call_id"))
    return same and _texts(raw) == _texts(told)


def _texts(item: JsonObject) -> list[object]:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return [part.get("text") for part in parts if isinstance(part, dict)]


class _Folded(Protocol):
    """A conversation, as far as a connection's end changes it."""

    items: dict[str, Item]
    deleted: dict[str, Item]
    order: list[str]
    responses: dict[str, Response]
    running: list[str]
    calls: dict[str, FunctionCall]
    audio: UserAudio
    connections: Connections
    turn: TurnState

    def remove(self, item_id: str) -> None:
        """Takes an item out of the conversation."""

    def holds(self, item_id: str) -> bool:
        """Tells whether an item is in the conversation."""


def take_report(conversation: _Folded, report: ConnectionReport) -> None:
    """Folds a report in; one that speaks of a gap that nobody told of changes nothing."""
    gaps = conversation.connections.gaps
    if report.kind == "lost":
        gaps.append(_lost(conversation, report))
        return
    if report.kind == "ended":
        _cut_off(conversation)
        return
    if not gaps:
        return
    gap = gaps[-1]
    match report.kind:
        case "retrying":
            gap.attempts = report.attempt
        case "resumed":
            conversation.audio.connected()
            gap.resumed_s = report.t_s
            gap.audio_lost_ms = conversation.audio.sent_ms - gap.lost_from_ms
        case "reconnected":
            gap.reconnected_s = report.t_s
            gap.not_restored = _not_restored(conversation, gap)
        case "given_up":
            gap.gave_up = report.reason


def is_restored(conversation: _Folded, event: ev.ItemAdded | ev.ItemDone) -> bool:
    """Tells whether a new session says that it has an item from before the gap.

    It stays what it was: to this server it is a text, but that is not how it was said. One that was
    told again, because less of it was heard, is back in its place, and cut.
    """
    connections = conversation.connections
    item_id = connections.confirmed(event.item)
    if item_id is None:
        return event.item.get("id") in connections.restored
    if item_id in conversation.deleted:
        item = conversation.items[item_id] = conversation.deleted.pop(item_id)
        if item.playback_dropped:
            item.truncated_ms = int(item.played_ms or 0)
        order, before = conversation.order, event.previous_item_id
        known = before is not None and conversation.holds(before)
        order.insert(connections.place_after(before or "", order) if known else 0, item_id)
        item.placed = True
    return True


def _lost(conversation: _Folded, report: ConnectionReport) -> Reconnection:
    audio = conversation.audio
    gap = Reconnection(report.t_s, report.code, report.reason, report.planned)
    gap.lost_from_ms = audio.sent_ms - report.unsent_ms
    gap.user_cut_off = conversation.turn == "speaking"
    gap.cut_response_ids += _cut_off(conversation)
    _place_taken_turns(conversation)
    audio.broken_off(report.t_s)
    _drop_unheard(conversation, gap.cut_response_ids)
    conversation.connections.lost(conversation.order)
    return gap


def _cut_off(conversation: _Folded) -> list[str]:
    """Ends what no server goes on with; returns the ids of the responses among it."""
    cut, conversation.running[:] = [*conversation.running], []
    for response_id in cut:
        response = conversation.responses[response_id]
        response.status, response.reason = "incomplete", LOST_REASON
    for item in conversation.items.values():
        if item.status == "in_progress":
            item.status = "incomplete"
    for call in conversation.calls.values():
        if call.status == "in_progress" and call.done_s is None:
            call.status = "incomplete"
    return cut


def _place_taken_turns(conversation: _Folded) -> None:
    """Has turns of the user that the server had begun to take be in the conversation: it will not
    come to say so. What the end of an earlier connection cut short is none of them."""
    audio = conversation.audio
    last = audio.speech[-1] if audio.speech else None
    if last is not None and last.audio_start_ms < audio.connection_ms:
        last = None
    taken = [item.id for item in conversation.items.values() if item.committed_s is not None]
    if last is not None and last.audio_end_ms is not None and last.item_id not in taken:
        taken.append(last.item_id)
    for item_id in taken:
        if not item_id or item_id in conversation.deleted or conversation.holds(item_id):
            continue
        item = conversation.items.setdefault(item_id, Item(item_id))
        item.type, item.role, item.placed = "message", "user", True
        item.content = item.content or [{"type": "input_audio"}]
        item.audio_ms = conversation.audio.length_of(item)
        conversation.order.append(item_id)


def _drop_unheard(conversation: _Folded, response_ids: Iterable[str]) -> None:
    """Takes what was cut off before anybody heard of it out of the conversation, calls that never
    were whole among them: the answer is given anew."""
    for response_id in response_ids:
        for item_id in conversation.responses[response_id].item_ids:
            item = conversation.items.get(item_id)
            if item is None or item.status == "completed":
                continue
            if item.type == "function_call" or not remembered_text(item):
                conversation.remove(item_id)


def _not_restored(conversation: _Folded, gap: Reconnection) -> dict[str, str]:
    """Returns the items from before the gap that the new session does not know, and why.

    What nobody heard is none of them: the server is not to know it.
    """
    known = set(gap.restored)
    missing: dict[str, str] = {}
    for item_id in conversation.order:
        item = conversation.items[item_id]
        if item_id in known or not _is_before(item, gap):
            continue
        why = why_not_restored(item, conversation.calls.get(item.call_id or ""))
        if why is not None:
            missing[item_id] = why
    return missing


def _is_before(item: Item, gap: Reconnection) -> bool:
    """Tells whether an item was in the conversation when the connection was lost."""
    return item.added_s is None or item.added_s <= gap.lost_s
