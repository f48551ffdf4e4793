"""What can go wrong between a client and a server, and when: told what crosses, a plan says what
strikes. Pure, so that a seed decides everything.

``sent`` and ``received`` are the client's: what it sends, what it receives.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from realtime_nb.errors import ConfigurationError
from realtime_nb.errors.option_names import takes_names
from realtime_nb.protocol.events import JsonObject

__all__ = [
    "EXPIRED",
    "Corrupt",
    "Crossing",
    "Delay",
    "Direction",
    "Drop",
    "Duplicate",
    "Fault",
    "FaultPlan",
    "HalfOpen",
    "Moment",
    "Refuse",
    "SlowHandshake",
    "Throttle",
    "When",
    "expiry",
    "randomly",
    "received",
    "received_bytes",
    "sent",
    "sent_bytes",
]

Direction = Literal["sent", "received"]

EXPIRED = "Your session hit the maximum duration of {minutes:g} minutes."
"""What OpenAI's server says with the 1001 at the end of a session."""


# --- when ---


@takes_names
@dataclass(frozen=True, slots=True)
class Moment:
    """When a fault strikes. Made by :func:`sent`, :func:`received`, :func:`sent_bytes`,
    :func:`received_bytes` and :func:`randomly`.

    Attributes:
        direction: of the events or bytes that count; None: both.
        matches: which events count; None: all.
        nth: which of them it is, from 1.
        byte: which byte of that direction it is, from 0, instead of an event.
        after_s: seconds since the connection was opened, instead of an event.
        share: of those events that it strikes, by chance, instead of the n-th.
    """

    direction: Direction | None = None
    matches: Callable[[JsonObject], bool] | None = None
    nth: int = 1
    byte: int | None = None
    after_s: float | None = None
    share: float | None = None


When = Moment | float | str | Callable[[JsonObject], bool]
"""A :class:`Moment`; seconds since the connection was opened; the type of an event, or a function
that is true of one, in either direction."""


def sent(which: int | str | Callable[[JsonObject], bool] = 1, nth: int = 1) -> Moment:
    """Returns the moment at which the client sends an event.

    Args:
        which: its number, from 1; or its type, or a function that is true of it.
        nth: which of that type, or of those of which the function is true.
    """
    return _event("sent", which, nth)


def received(which: int | str | Callable[[JsonObject], bool] = 1, nth: int = 1) -> Moment:
    """Returns the moment at which an event comes from the server; as :func:`sent`."""
    return _event("received", which, nth)


def sent_bytes(byte: int) -> Moment:
    """Returns the moment at which the client has sent so many bytes: frames, not the handshake."""
    return _byte("sent", byte)


def received_bytes(byte: int) -> Moment:
    """Returns the moment at which so many bytes have come from the server."""
    return _byte("received", byte)


def randomly(share: float, direction: Direction | None = None) -> Moment:
    """Returns a moment that each event is with that probability, decided by the seed."""
    if not 0 <= share <= 1:
        raise ConfigurationError(f"share is {share}; give a probability from 0 to 1.")
    return Moment(direction, share=share)


def _event(
    direction: Direction, which: int | str | Callable[[JsonObject], bool], nth: int
) -> Moment:
    number = which if isinstance(which, int) else nth
    if number < 1:
        raise ConfigurationError(f"Events count from 1; there is none with the number {number}.")
    return Moment(direction, None if isinstance(which, int) else _matching(which), number)


def _byte(direction: Direction, byte: int) -> Moment:
    if byte < 0:
        raise ConfigurationError(f"Bytes count from 0; there is none with the number {byte}.")
    return Moment(direction, byte=byte)


def _matching(which: str | Callable[[JsonObject], bool]) -> Callable[[JsonObject], bool]:
    return (lambda event: event.get("type") == which) if isinstance(which, str) else which


def _moment(at: When) -> Moment:
    if isinstance(at, Moment):
        return at
    if isinstance(at, int | float):
        if not at >= 0:
            raise ConfigurationError(f"at is {at}; give seconds since the connection, 0 or more.")
        return Moment(after_s=float(at))
    return Moment(matches=_matching(at))


# --- what ---


@takes_names
@dataclass(frozen=True, slots=True)
class Drop:
    """The connection ends.

    Attributes:
        at: when; by default as soon as it is open.
        code: of the CLOSE that the client gets; 1006: none comes, the connection is just gone.
        reason: what that CLOSE says.
        passes: whether the event at which it ends still passes.
        tcp: how a connection without CLOSE goes: ``"fin"``, in order, or ``"rst"``, reset.
    """

    at: When = 0.0
    code: int = 1006
    reason: str = ""
    passes: bool = False
    tcp: Literal["fin", "rst"] = "fin"


def expiry(at: When, minutes: float = 60) -> Drop:
    """Returns the end of a session that is too old: 1001, with OpenAI's words."""
    return Drop(at, 1001, EXPIRED.format(minutes=minutes))


@takes_names
@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Nothing passes any more, and nobody is told: sends vanish, nothing comes, pings neither.

    Attributes:
        at: when.
        direction: what vanishes; None: both ways.
        passes: whether the event at which it begins still passes.
    """

    at: When = 0.0
    direction: Direction | None = None
    passes: bool = False


@takes_names
@dataclass(frozen=True, slots=True)
class Delay:
    """Events come late; those behind them wait, as their order stays.

    Attributes:
        at: when the first one does.
        ms: how late; of a pair, something between the two, by the seed.
        times: how many do; None: all that follow and are such as `at` says.
    """

    at: When = 0.0
    ms: float | tuple[float, float] = 500.0
    times: int | None = None


@takes_names
@dataclass(frozen=True, slots=True)
class Duplicate:
    """Events come twice.

    Attributes:
        at: when the first one does.
        times: how many do; None: all that follow and are such as `at` says.
    """

    at: When = 0.0
    times: int | None = 1


@takes_names
@dataclass(frozen=True, slots=True)
class Corrupt:
    """Events come broken.

    Attributes:
        at: when the first one does.
        what: ``"json"``: the text is no JSON; ``"utf8"``: no UTF-8; ``"frame"``: the frame is none
            of a WebSocket, which ends the connection: with the server's 1002, or 1006 here.
        times: how many do; None: all that follow and are such as `at` says.
    """

    at: When = 0.0
    what: Literal["json", "utf8", "frame"] = "json"
    times: int | None = 1


@takes_names
@dataclass(frozen=True, slots=True)
class Throttle:
    """The connection is slow.

    Attributes:
        at: from when on.
        bytes_per_s: how much passes each way.
        direction: which way; None: both.
    """

    at: When = 0.0
    bytes_per_s: float = 16_000.0
    direction: Direction | None = None


@takes_names
@dataclass(frozen=True, slots=True)
class Refuse:
    """Handshakes are refused, and the one after them is let through.

    Attributes:
        times: how many.
        status: the HTTP status; None: the connection is closed without an answer.
        retry_after_s: what the header ``Retry-After`` says; None: there is none.
        body: what is said.
    """

    times: int = 1
    status: int | None = 503
    retry_after_s: float | None = None
    body: str = ""


@takes_names
@dataclass(frozen=True, slots=True)
class SlowHandshake:
    """The answer to the handshake comes late; with ``math.inf``, never."""

    seconds: float = 5.0


Fault = Drop | HalfOpen | Delay | Duplicate | Corrupt | Throttle | Refuse | SlowHandshake
_Timed = Drop | HalfOpen | Throttle


# --- the plan ---


@dataclass(slots=True)
class Crossing:
    """What becomes of one event, or of a piece of the connection that is none.

    Attributes:
        copies: how often it passes; 0: never.
        delay_ms: how late.
        corrupt: how it is broken.
        cut: how many of its bytes pass, when not all do.
        strikes: what happens to the connection, after it has passed or not.
    """

    copies: int = 1
    delay_ms: float = 0.0
    corrupt: Corrupt | None = None
    cut: int | None = None
    strikes: list[_Timed] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """A fault that is still to strike."""

    fault: _Timed | Delay | Duplicate | Corrupt
    when: Moment
    seen: int = 0
    struck: int = 0

    @property
    def times(self) -> int | None:
        """How often it strikes."""
        return getattr(self.fault, "times", 1)


class FaultPlan:
    """The faults of one connection; those of its handshake are somebody else's.

    Args:
        faults: in any order.
        seed: decides what is left to chance.
    """

    def __init__(self, faults: Iterable[Fault], seed: int = 0) -> None:
        self.random = random.Random(seed)
        self._bytes: dict[Direction, int] = {"sent": 0, "received": 0}
        self._waiting = [
            _Waiting(fault, _moment(fault.at))
            for fault in faults
            if not isinstance(fault, Refuse | SlowHandshake)
        ]

    def timed(self) -> list[tuple[float, _Timed]]:
        """Returns what strikes at a time, whether anything crosses or not."""
        return [
            (waiting.when.after_s, waiting.fault)
            for waiting in self._waiting
            if waiting.when.after_s is not None and isinstance(waiting.fault, _Timed)
        ]

    def now(self, fault: Fault) -> _Timed | None:
        """Adds a fault that strikes now, or at the next event; returns what is to be done now."""
        if isinstance(fault, Refuse | SlowHandshake):
            raise ConfigurationError(f"{fault} is a fault of handshakes, and this one is over.")
        if isinstance(fault, _Timed):
            return fault
        self._waiting.append(_Waiting(replace(fault, at=0.0), Moment()))
        return None

    def crossing(
        self, direction: Direction, event: JsonObject | None, size: int, t_s: float
    ) -> Crossing:
        """Returns what becomes of the next thing that crosses.

        Args:
            direction: which way.
            event: what it is; None for what is no event, such as a ping.
            size: its bytes.
            t_s: since the connection was opened.
        """
        crossing = Crossing()
        start = self._bytes[direction]
        self._bytes[direction] = start + size
        for waiting in self._waiting:
            if self._due(waiting, direction, event, start, size, t_s):
                waiting.struck += 1
                self._apply(waiting, crossing, direction, start)
        return crossing

    def _due(
        self,
        waiting: _Waiting,
        direction: Direction,
        event: JsonObject | None,
        start: int,
        size: int,
        t_s: float,
    ) -> bool:
        when = waiting.when
        if waiting.times is not None and waiting.struck >= waiting.times:
            return False
        if when.direction not in (None, direction):
            return False
        if when.byte is not None:
            whole = event is not None or isinstance(waiting.fault, _Timed)
            return whole and start + size > when.byte
        if event is None:
            return False
        if when.after_s is not None:
            return t_s >= when.after_s and not isinstance(waiting.fault, _Timed)
        if when.matches is not None and not when.matches(event):
            return False
        if when.share is not None:
            return self.random.random() < when.share
        waiting.seen += 1
        return waiting.seen >= when.nth

    def _apply(
        self, waiting: _Waiting, crossing: Crossing, direction: Direction, start: int
    ) -> None:
        fault, byte = waiting.fault, waiting.when.byte
        match fault:
            case Delay():
                crossing.delay_ms += self._ms(fault.ms)
            case Duplicate():
                crossing.copies += 1
            case Corrupt():
                crossing.corrupt = fault
            case Throttle():
                crossing.strikes.append(fault)
            case Drop() | HalfOpen():
                crossing.strikes.append(fault)
                if isinstance(fault, HalfOpen) and fault.direction not in (None, direction):
                    return
                if byte is not None:
                    crossing.cut = byte - start
                elif not fault.passes:
                    crossing.copies = 0

    def _ms(self, ms: float | tuple[float, float]) -> float:
        return self.random.uniform(*ms) if isinstance(ms, tuple) else ms
