from __future__ import annotations

from realtime_nb.agent.refusals import VOICE_LOCKED, explained
from realtime_nb.errors import ServerError


def test_a_refusal_says_what_stays_and_what_to_do() -> None:
    locked = explained(ServerError("Cannot update…", VOICE_LOCKED), {"voice": "sage"})
    assert "Press Disconnect, then Connect" in str(locked)
    assert "'sage'" in str(locked)
    assert locked.code == VOICE_LOCKED
    other = explained(
        ServerError("Invalid voice.", "invalid_value", "session.audio.output.voice", "e1"),
        {"voice": "nobody"},
    )
    assert "Invalid voice." in str(other)
    assert "changed nothing" in str(other)
    assert (other.code, other.event_id) == ("invalid_value", "e1")


def test_an_answer_that_never_came_is_no_refusal() -> None:
    silent = ServerError("The server did not confirm…")
    assert explained(silent, {"voice": "sage"}) is silent
