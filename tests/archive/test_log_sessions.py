"""Sessions of one log are told apart, or not at all."""

from __future__ import annotations

from typing import Any

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_sessions import sessions_in


def entry(name: str, beside: str | None = None, **fields: Any) -> LogEntry:
    return LogEntry(1, {"type": name, **fields}, "received", session=beside)


def created(name: str, beside: str | None = None) -> LogEntry:
    return entry("session.created", beside, session={"id": name})


def response(step: str, name: str, beside: str | None = None) -> LogEntry:
    return entry(f"response.{step}", beside, response={"id": name})


def test_one_after_the_other() -> None:
    one = [created("s1"), response("created", "r"), response("done", "r")]
    other = [created("s2"), response("created", "r"), response("done", "r")]

    found = sessions_in([*one, *other])

    assert list(found.parts) == [one, other]
    assert (found.apart, found.mixed) == (False, None)
    assert len(sessions_in(one).parts) == 1


def test_what_goes_on_after_another_has_begun_is_mixed() -> None:
    found = sessions_in(
        [created("s1"), response("created", "r1"), created("s2"), response("done", "r1")]
    )

    assert found.mixed == "r1 goes on after another session has begun"


def test_two_that_begin_together_are_mixed() -> None:
    updated = [entry("session.updated", session={"id": name}) for name in ("s1", "s2")]

    assert sessions_in([created("s1"), created("s2"), *updated]).mixed is not None


def test_the_log_may_name_them() -> None:
    lines = [created("s1", "a"), created("s2", "b"), response("created", "r", "a")]

    found = sessions_in([*lines, response("created", "r", "b")])

    assert [[one.session for one in part] for part in found.parts] == [["a", "a"], ["b", "b"]]
    assert found.apart
