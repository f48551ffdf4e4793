"""A rule about the cache: input that is read again and again at the full price, and why.

A server serves from its cache what a response has in front of it exactly as the one before had,
from the beginning on. Whatever changes at the beginning, such as the instructions, makes all that
follows it new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from realtime_nb.analysis.findings.evidence import Evidence, Finding, Rule
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.words import counted

__all__ = ["CACHING_RULES"]

FEWEST_ANSWERS = 5
"""So many answers without a token from the cache are no accident."""

CACHEABLE_TOKENS = 256
"""Input of fewer may be too short for a cache; hosted sessions were seen to cache of 120."""

KEPT_S = 300.0
"""A cache is kept for some minutes of silence."""

_HEAD = ("instructions", "tools")
"""What comes before everything else that a response reads."""


@dataclass(slots=True)
class _Read:
    """What a response read.

    Attributes:
        began_s: when it began, NaN where that is not known.
        tokens: how much it read.
        head: the instructions and tools in front of it.
        session: of which session it was, counted from 0.
        deleted: whether the beginning of the conversation was deleted since the one before.
        seqs: of the events that changed what is in front of it.
    """

    response_id: str
    began_s: float
    tokens: float
    head: dict[str, str]
    session: int
    deleted: bool
    seqs: list[int]


@dataclass(slots=True)
class _Follower:
    """Follows what a response would have in front of it."""

    head: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    session: int = -1
    deleted: bool = False
    seqs: list[int] = field(default_factory=list)
    first_items: list[str] = field(default_factory=list)

    def take(self, seq: int, direction: str, event: JsonObject) -> None:
        """Takes in an event, of either dialect."""
        kind = event.get("type")
        if kind == "session.created":
            self.session += 1
        if kind in ("session.created", "session.updated", "session.update"):
            told = _head(event.get("session"))
            if any(self.head.get(name) != value for name, value in told.items()):
                self.seqs.append(seq)
            self.head |= told
        elif kind == "response.create" and direction == "sent":
            self.own = _head(event.get("response"))
            if self.own:
                self.seqs.append(seq)
        elif kind in ("conversation.item.added", "conversation.item.created"):
            item = event.get("item")
            self.first_items.append(str(item.get("id")) if isinstance(item, dict) else "")
        elif kind == "conversation.item.deleted" and event.get("item_id") in self.first_items:
            place = self.first_items.index(str(event["item_id"]))
            del self.first_items[place]
            if place <= len(self.first_items) // 2:
                self.deleted = True
                self.seqs.append(seq)

    def read(self, response_id: str, began_s: float, tokens: float) -> _Read:
        """Returns what a response that begins now has in front of it."""
        head = self.head | self.own
        found = _Read(response_id, began_s, tokens, head, self.session, self.deleted, self.seqs)
        self.own, self.deleted, self.seqs = {}, False, []
        return found


def nothing_cached(evidence: Evidence) -> Iterator[Finding]:
    """Yields that of many answers nothing was read from the cache, with the likely cause."""
    usage = evidence.rec.usage
    read = usage[(usage.input_tokens >= CACHEABLE_TOKENS) & usage.cached_tokens.notna()]
    if evidence.rec.simulated or len(read) < FEWEST_ANSWERS or read.cached_tokens.sum() > 0:
        return
    reads = _reads(evidence, dict(zip(read.response_id, read.input_tokens, strict=True)))
    if len(reads) < FEWEST_ANSWERS:
        return
    cause, times, suggestion = _cause(reads)
    again = sum(one.tokens for one in reads[1:])
    of = len(reads) - 1
    why = f"{cause} before {times} of the {of} that followed the first" if times else cause
    yield Finding(
        id="nothing-cached",
        severity="warning",
        turn=None,
        start_s=reads[0].began_s,
        end_s=reads[-1].began_s,
        text=f"{counted(len(reads), 'answer')} read nothing from the cache and {again:,.0f} tokens "
        f"at the full price: {why}.",
        evidence={
            "events": sorted({seq for one in reads[1:] for seq in one.seqs}),
            "answers": len(reads),
            "input_tokens": again,
            "cause": cause,
            "times": times,
        },
        suggestion=suggestion,
    )


def _reads(evidence: Evidence, tokens: dict[str, float]) -> list[_Read]:
    """Returns what each of these responses had in front of it, in order."""
    follower = _Follower()
    found: dict[str, _Read] = {}
    for line in evidence.rec.raw_events():
        event: dict[str, Any] = line.event
        if event.get("type") not in ("response.created", "response.done"):
            follower.take(line.seq, line.direction, event)
            continue
        response = event.get("response")
        name = response.get("id") if isinstance(response, dict) else None
        if isinstance(name, str) and name in tokens and name not in found:
            found[name] = follower.read(name, line.t_s, tokens[name])
    return list(found.values())


def _head(settings: object) -> dict[str, str]:
    told = settings if isinstance(settings, dict) else {}
    return {
        name: json.dumps(told[name], sort_keys=True) for name in _HEAD if told.get(name) is not None
    }


def _cause(reads: list[_Read]) -> tuple[str, int, str]:
    """Returns the likeliest cause, before how many responses it was there, and what to do."""
    pairs = list(pairwise(reads))
    stable = "; what a response reads is cached from its beginning up to the first change"
    changes = {
        name: sum(one.head.get(name) != two.head.get(name) for one, two in pairs) for name in _HEAD
    }
    causes = [
        (
            f"the {name} changed",
            times,
            f"leave the {name} as they are and add what changes as a message "
            f"(conversation.item.create, role system){stable}",
        )
        for name, times in changes.items()
    ]
    causes += [
        (
            "a new session began",
            sum(one.session != two.session for one, two in pairs),
            "keep one session for the whole conversation",
        ),
        (
            "the beginning of the conversation was deleted",
            sum(two.deleted for _, two in pairs),
            f"delete old items in batches, and rarely{stable}",
        ),
        (
            "the server had cut the beginning of the conversation (the input did not grow)",
            sum(two.tokens <= one.tokens and not two.deleted for one, two in pairs),
            "set truncation={'type': 'retention_ratio', 'retention_ratio': 0.8}: it cuts more at "
            "once, and seldom",
        ),
        (
            "more than 5 minutes had passed",
            sum(two.began_s - one.began_s > KEPT_S for one, two in pairs),
            "nothing, if people are that slow; a cache is kept for some minutes",
        ),
    ]
    cause, times, suggestion = max(causes, key=lambda one: one[1])
    if times * 2 >= len(pairs):
        return cause, times, suggestion
    return (
        "nothing in the session explains it",
        0,
        "ask whether this server and this model have a cache; their prices say so",
    )


CACHING_RULES: tuple[Rule, ...] = (nothing_cached,)
