"""Sessions in which nothing came from the cache, each for a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.findings.caching import nothing_cached
from realtime_nb.analysis.findings.evidence import Evidence, Finding
from tests.made_recording import MadeRecording


def usage(tokens: int, cached: int | None = 0) -> dict[str, Any]:
    details = {"text_tokens": tokens, "audio_tokens": 0}
    if cached is not None:
        details["cached_tokens"] = cached
    return {
        "input_tokens": tokens,
        "output_tokens": 5,
        "input_token_details": details,
        "output_token_details": {"text_tokens": 5, "audio_tokens": 0},
    }


def begun(**fields: Any) -> MadeRecording:
    rec = MadeRecording(**fields)
    rec.got(0.1, "session.created", session={"model": "m", "instructions": "Be brief."})
    return rec


def answered(
    rec: MadeRecording, number: int, tokens: int | None = None, cached: int | None = 0
) -> None:
    """One answer every ten seconds, whose input grows by 100 tokens."""
    rec.answer(10.0 * number, f"r{number}", usage=usage(tokens or 900 + 100 * number, cached))


def told(rec: MadeRecording) -> list[Finding]:
    return list(nothing_cached(Evidence(rec)))


@pytest.mark.parametrize("how", ["session.updated", "session.update", "response.create"])
def test_instructions_that_change_before_each_answer(how: str) -> None:
    rec = begun()
    for number in range(1, 7):
        settings = {"instructions": f"It is {number} o'clock."}
        if how == "session.updated":
            rec.got(10.0 * number - 1, how, session=settings)
        elif how == "session.update":
            rec.sent(10.0 * number - 1, how, session={"type": "realtime", **settings})
        else:
            rec.sent(10.0 * number - 1, how, response=settings)
        answered(rec, number)

    (found,) = told(rec)

    assert (found.id, found.severity) == ("nothing-cached", "warning")
    assert found.text == (
        "6 answers read nothing from the cache and 6,500 tokens at the full price: the "
        "instructions changed before 5 of the 5 that followed the first."
    )  # 1,100 + 1,200 + 1,300 + 1,400 + 1,500
    assert "as a message" in found.suggestion
    assert len(found.evidence["events"]) == 5  # type: ignore[arg-type]
    assert (found.start_s, found.end_s) == (10.0, 60.0)


def test_instructions_that_are_only_sent_again_change_nothing() -> None:
    rec = begun()
    for number in range(1, 7):
        rec.sent(10.0 * number - 1, "response.create", response={"instructions": "Be brief."})
        answered(rec, number)

    (found,) = told(rec)

    assert found.text.endswith("at the full price: nothing in the session explains it.")


def test_tools_that_change() -> None:
    rec = begun()
    for number in range(1, 7):
        tools = [{"type": "function", "name": f"tool_{number}"}]
        rec.got(10.0 * number - 1, "session.updated", session={"tools": tools})
        answered(rec, number)

    assert "the tools changed before 5 of the 5" in told(rec)[0].text


def test_a_session_for_each_answer() -> None:
    rec = begun()
    for number in range(1, 7):
        rec.got(10.0 * number - 1, "session.created", session={"instructions": "Be brief."})
        answered(rec, number)

    assert "a new session began before 5 of the 5" in told(rec)[0].text


def test_the_beginning_is_deleted_before_each_answer() -> None:
    rec = begun()
    for number in range(1, 13):
        item = {"id": f"i{number}", "type": "message", "role": "user"}
        rec.got(0.2, "conversation.item.added", item=item)
    for number in range(1, 7):
        rec.got(10.0 * number - 1, "conversation.item.deleted", item_id=f"i{number}")
        answered(rec, number)

    assert "the beginning of the conversation was deleted before 5 of the 5" in told(rec)[0].text


def test_what_is_deleted_at_the_end_leaves_the_beginning_as_it_was() -> None:
    rec = begun()
    for number in range(1, 13):
        item = {"id": f"i{number}", "type": "message", "role": "user"}
        rec.got(0.2, "conversation.item.added", item=item)
    for number in range(1, 7):
        rec.got(10.0 * number - 1, "conversation.item.deleted", item_id=f"i{13 - number}")
        answered(rec, number)

    assert told(rec)[0].evidence["times"] == 0


def test_input_that_is_cut_by_the_server() -> None:
    rec = begun()
    for number in range(1, 7):
        answered(rec, number, tokens=28_000 - number)

    (found,) = told(rec)

    assert "the server had cut the beginning" in found.text
    assert "retention_ratio" in found.suggestion


def test_long_silences() -> None:
    rec = begun()
    for number in range(1, 7):
        rec.answer(400.0 * number, f"r{number}", usage=usage(900 + 100 * number))

    assert "more than 5 minutes had passed before 5 of the 5" in told(rec)[0].text


def test_without_times_the_cause_is_found_all_the_same() -> None:
    rec = begun()
    for number in range(1, 7):
        rec.got(float("nan"), "session.updated", session={"instructions": f"Turn {number}."})
        rec.answer(float("nan"), f"r{number}", usage=usage(900 + 100 * number))

    assert "the instructions changed before 5 of the 5" in told(rec)[0].text


@pytest.mark.parametrize(
    ("answers", "cached", "tokens", "fields"),
    [
        (4, 0, 1_000, {}),  # too few to tell
        (8, None, 1_000, {}),  # this server does not count what it cached
        (8, 0, 120, {}),  # too short for a cache
        (8, 64, 1_000, {}),
        (8, 0, 1_000, {"simulated": True}),
    ],
)
def test_nothing_to_say(
    answers: int, cached: int | None, tokens: int, fields: dict[str, Any]
) -> None:
    rec = begun(**fields)
    for number in range(1, answers + 1):
        answered(rec, number, tokens, cached)

    assert told(rec) == []
