"""What a saved notebook says of an agent's last session: facts, and nothing that was said."""

from __future__ import annotations

import json

from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.protocol.words import counted
from realtime_nb.session.session import Session

__all__ = ["session_facts"]


def session_facts(session: Session, *, over: bool) -> str:
    """Returns length, turns and function calls of a session, and how to open its recording.

    Args:
        session: of which nothing but numbers and the recording's folder is told.
        over: whether it has just ended; otherwise its numbers are still to come.
    """
    facts = "a session was going on when this was saved."
    if over:
        turns = counted(len(find_user_turns(session.conversation)), "turn")
        calls = counted(len(session.conversation.calls), "function call")
        facts = f"a session of {_length(session.clock())}, {turns}, {calls}."
    if session.recording is None:
        return f"{facts} It was not recorded."
    folder = json.dumps(str(session.recording), ensure_ascii=False)
    return f"{facts}\nOpen its recording: rt.load({folder})"


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    return f"{minutes} min {rest_s:02d} s"
