"""How fast new connections are let to a server's door, from one address and from all."""

from __future__ import annotations

__all__ = ["MOST_WAIT_S", "Door"]

PER_ADDRESS_AT_ONCE, PER_ADDRESS_PER_S = 200, 50.0
IN_ALL_AT_ONCE, IN_ALL_PER_S = 400, 100.0
"""So many new connections are served at once, and so many a second after that."""

MOST_WAIT_S = 2.0
"""Who would have to wait for longer is turned away."""

_MOST_ADDRESSES = 1_000


class KnockPace:
    """So many at once, and so many a second."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._rested_s = 0.0  # when all of ``at_once`` are free again

    def wait_s(self, now_s: float) -> float:
        """Returns how long the next one waits."""
        return max(0.0, self._rested_s - (self._at_once - 1) / self._per_s - now_s)

    def take(self, now_s: float) -> None:
        """Counts one more."""
        self._rested_s = max(self._rested_s, now_s) + 1 / self._per_s

    def rested(self, now_s: float) -> bool:
        """Tells whether it is as if nobody had come."""
        return self._rested_s <= now_s


class Door:
    """Where new connections wait for their turn."""

    def __init__(self) -> None:
        self._in_all = KnockPace(IN_ALL_AT_ONCE, IN_ALL_PER_S)
        self._paces: dict[str, KnockPace] = {}  # of the addresses that came lately

    def wait_s(self, address: str, now_s: float) -> float | None:
        """Returns how long a new connection waits; None: it is turned away, and not counted."""
        pace = self._paces.get(address) or KnockPace(PER_ADDRESS_AT_ONCE, PER_ADDRESS_PER_S)
        wait_s = max(self._in_all.wait_s(now_s), pace.wait_s(now_s))
        if wait_s > MOST_WAIT_S:
            return None
        if len(self._paces) >= _MOST_ADDRESSES:
            self._paces = {a: p for a, p in self._paces.items() if not p.rested(now_s)}
        self._paces[address] = pace
        pace.take(now_s)
        self._in_all.take(now_s)
        return wait_s
