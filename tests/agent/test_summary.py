from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from realtime_nb.agent.summary import session_facts
from realtime_nb.session.session import Session
from tests.scripted_session import LiveSession, three_turns


def ended(duration_s: float, recording: Path | None) -> Session:
    live: Any = LiveSession()
    three_turns(live)
    made = SimpleNamespace(
        conversation=live.conversation, clock=lambda: duration_s, recording=recording
    )
    return cast(Session, made)


def test_the_facts_of_a_session_and_where_its_recording_is() -> None:
    facts = session_facts(ended(23.44, Path("recordings/a b")), over=True)
    assert facts == (
        "a session of 23.4 s, 3 turns, 1 function call.\n"
        'Open its recording: rt.load("recordings/a b")'
    )


def test_a_long_one_that_was_not_recorded() -> None:
    facts = session_facts(ended(83.6, None), over=True)
    assert facts == "a session of 1 min 24 s, 3 turns, 1 function call. It was not recorded."


def test_one_that_goes_on_has_no_numbers_yet() -> None:
    facts = session_facts(ended(5.0, Path("recordings/x")), over=False)
    assert facts.startswith("a session was going on when this was saved.\nOpen its recording:")


def test_no_word_of_it_is_in_the_facts() -> None:
    session = ended(5.0, None)
    facts = session_facts(session, over=True)
    for _, text in session.conversation.transcript():
        assert text not in facts
