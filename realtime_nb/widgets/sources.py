"""What a view can be given: a session, an agent, a recording or the path of one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from inspect import getattr_static
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.widgets.view import LiveSession

if TYPE_CHECKING:
    from realtime_nb.recordings.recording import Recording

__all__ = ["ConversationSource", "SessionOwner", "SessionSource", "Source", "find_source"]


class ConversationSource(Protocol):
    """What a view of the fold alone needs of a recording."""

    @property
    def conversation(self) -> Conversation: ...  # noqa: D102


class SessionOwner(ConversationSource, Protocol):
    """What a view needs of an agent."""

    @property
    def session(self) -> LiveSession | None: ...  # noqa: D102
    @property
    def recording(self) -> Path | None: ...  # noqa: D102


SessionSource: TypeAlias = LiveSession | SessionOwner | str | os.PathLike[str]
"""What every view takes, beside recordings."""

_ABSENT = object()
_NOT_KEPT = "This session is over and was not recorded, so its events and its audio were not kept."


@dataclass(frozen=True, slots=True)
class Source:
    """What a view shows.

    Attributes:
        session: a session that is open: what it does from now on is to be followed.
        recording: what was recorded of one that is over.
        known: the fold of one that is over and of which there is no recording.
        note: why there is none.
    """

    session: LiveSession | None = None
    recording: Any = None
    known: Conversation | None = None
    note: str = ""

    @property
    def conversation(self) -> Conversation:
        """The fold; that of a recording may have to be made."""
        if self.session is not None:
            return self.session.conversation
        if self.known is not None:
            return self.known
        conversation: Conversation = self.recording.conversation
        return conversation


def find_source(given: object, view: str, needs: str, besides: str = "") -> Source:
    """Finds out what it is that a view was given.

    Of an agent it is the open session, else the last one; of a session that is over, its recording.

    Args:
        given: whatever somebody passed.
        view: the view's name.
        needs: what of a recording this view shows, by the attribute's name.
        besides: what else this view takes, for the error.

    Raises:
        ConfigurationError: it is nothing that a view could show, or an agent that never had a
            session.
        RecordingError: the path is not that of a recording.
    """
    if isinstance(given, str | os.PathLike):
        return Source(recording=_load(Path(given)))
    if _has(given, "conversation", "observe"):
        return _of_session(given)
    if _has(given, "session", "conversation", "recording"):
        return _of_agent(given, view, needs)
    if _has(given, needs):
        return Source(recording=given)
    raise ConfigurationError(
        f"{view} shows a session, an agent, a recording or the path of one{besides}, "
        f"not {given!r:.100}."
    )


def _of_agent(agent: Any, view: str, needs: str) -> Source:
    if agent.session is not None:
        return find_source(agent.session, view, needs)
    if not agent.conversation.events_applied:
        raise ConfigurationError(
            f"This agent has had no session yet that {view} could show: connect it first. "
            "agent.transcript, agent.events, agent.timeline, agent.calls and agent.timing follow "
            "every session of it."
        )
    return _over(agent.conversation, agent.recording)


def _of_session(session: Any) -> Source:
    if getattr(session, "closed", False):
        return _over(session.conversation, getattr(session, "recording", None))
    return Source(session=session)


def _over(conversation: Conversation, recording: Path | None) -> Source:
    if recording is None:
        return Source(known=conversation, note=_NOT_KEPT)
    try:
        return Source(recording=_load(recording))
    except RealtimeError as error:
        note = f"This session is over, and its recording can't be opened: {error}"
        return Source(known=conversation, note=note)


def _load(path: Path) -> Recording:
    from realtime_nb.recordings.recording import load  # which brings pandas and matplotlib along

    return load(path)


def _has(given: object, *names: str) -> bool:
    """Tells whether it has all of these, none of which is computed for that."""
    return all(getattr_static(given, name, _ABSENT) is not _ABSENT for name in names)
