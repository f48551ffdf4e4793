"""One session among many: its name, its state, and what there is to tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from realtime_nb.protocol.records import Item
from realtime_nb.session.activity import Activity
from realtime_nb.session.session import Session

__all__ = ["ManagedSession"]


@dataclass(slots=True, eq=False)
class ManagedSession:
    """A session that somebody else opens, watches and closes.

    Attributes:
        name: by which it is asked for.
        now: the clock, in seconds.
        state: where it is in its life.
        because: why it is being closed, or was.
        session: None before it is open and after it was closed.
        activity: when something last happened in it.
        opening, ending: what opens it, what closes it.
    """

    name: str
    now: Callable[[], float]
    state: Literal["opening", "open", "closing", "closed"] = "opening"
    because: str | None = None
    session: Session | None = None
    activity: Activity | None = None
    opening: asyncio.Task[Session] | None = None
    ending: asyncio.Task[None] | None = None
    _created: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began_s: float = field(init=False)
    _last_row: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self._began_s = self.now()

    def opened(self, session: Session) -> None:
        """Takes the session, once it is open."""
        self.session = session
        self.state = "open"
        self.activity = Activity(session, self.now)
        session.observe(self.activity)

    def closed(self) -> None:
        """Keeps what there is to tell, and lets go of the session."""
        self._last_row = {**self.row(), "state": "closed"}
        self.state = "closed"
        self.session = self.activity = self.opening = self.ending = None

    @property
    def age_s(self) -> float:
        """How long ago it was created."""
        return self.now() - self._began_s

    @property
    def idle_s(self) -> float:
        """How long nothing has happened in it."""
        if self.activity is None or self.session is None:
            return self.age_s
        self.activity.goes_on(self.session.speaker.playing)
        return self.now() - self.activity.last_s

    def row(self) -> dict[str, Any]:
        """Returns its row of the table of sessions."""
        if self._last_row is not None:
            return self._last_row
        row: dict[str, Any] = {
            "session": self.name,
            "state": self.state,
            "because": self.because,
            "created": self._created.isoformat(timespec="seconds"),
            "age_s": round(self.age_s, 3),
            "idle_s": round(self.idle_s, 3),
            "last_activity": "created" if self.activity is None else self.activity.what,
        }
        return row if self.session is None else {**row, **self._figures(self.session)}

    def _figures(self, session: Session) -> dict[str, Any]:
        conversation = session.conversation
        reconnecting = self.state == "open" and getattr(session, "reconnecting", False)
        return {
            **({"state": "reconnecting"} if reconnecting else {}),
            "endpoint": session.endpoint.shown_url,
            "user_messages": sum(map(_is_users, conversation.items.values())),
            "responses": len(conversation.responses),
            "function_calls": len(conversation.calls),
            "running_calls": 0 if self.activity is None else len(self.activity.running),
            "errors": len(conversation.refused),
            "reconnects": max(0, conversation.sessions - 1),
            "audio_sent_ms": conversation.input_ms,
            "recording": None if session.recording is None else str(session.recording),
        }


def _is_users(item: Item) -> bool:
    return item.type == "message" and item.role == "user"
