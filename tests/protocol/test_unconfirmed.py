"""What a server has not confirmed is told to the next one, and nothing else is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.unconfirmed import Unconfirmed


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def create(item_id: str) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": {"id": item_id}}


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_what_is_told_again_is_what_was_not_confirmed(
    updates: int, items: int, accepted: int, added: int
) -> None:
    unconfirmed = Unconfirmed()
    for n in range(updates):
        unconfirmed.sent(f"u{n}", update(instructions=str(n)))
    for n in range(items):
        unconfirmed.sent(f"i{n}", create(f"item_{n}"))
    for _ in range(accepted):
        unconfirmed.accepted()
    for n in range(added):
        unconfirmed.added({"id": f"item_{n}"})
    again = unconfirmed.again(set())
    assert again == [
        *(update(instructions=str(n)) for n in range(accepted, updates)),
        *(create(f"item_{n}") for n in range(added, items)),
    ]
    if min(accepted, updates):
        assert unconfirmed.settings["instructions"] == str(min(accepted, updates) - 1)


def test_settings_add_up_as_the_server_adds_them_up() -> None:
    unconfirmed = Unconfirmed()
    patches: list[dict[str, Any]] = [
        {"audio": {"input": {"turn_detection": None}, "output": {"voice": "alloy"}}},
        {"instructions": "Be kind."},
        {"audio": {"output": {"speed": 1.2}}},
    ]
    server: dict[str, Any] = {}
    for n, patch in enumerate(patches):
        unconfirmed.sent(str(n), {"type": "session.update", "session": patch})
        unconfirmed.accepted()
        server = merge_session(server, patch)
    assert unconfirmed.settings == server


def test_a_refusal_is_of_settings_or_of_an_item() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.sent("u", update(instructions="no"))
    unconfirmed.sent("i", create("item"))
    assert not unconfirmed.refused(None)
    assert not unconfirmed.refused("i")
    assert unconfirmed.refused("u")
    assert not unconfirmed.refused("u")
    assert unconfirmed.again(set()) == []
    assert unconfirmed.settings == {}


def test_what_a_new_session_begins_with_is_nothing_new() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.sent("u", update(instructions="Be kind."))
    unconfirmed.accepted()
    unconfirmed.sent("late", update(instructions="Be brief."))
    unconfirmed.restoring("r", update(instructions="Be kind. So far: …"))
    assert unconfirmed.accepted() == "r"
    assert unconfirmed.settings["instructions"] == "Be kind."
    assert unconfirmed.accepted() == "late"
    assert unconfirmed.settings["instructions"] == "Be brief."


def test_a_session_that_broke_off_at_once_leaves_nothing() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.restoring("first", update())
    unconfirmed.restoring("second", update())
    assert list(unconfirmed.updates) == ["second"]
    unconfirmed.lost()
    assert unconfirmed.again(set()) == []


def test_what_is_told_anyway_is_not_told_twice() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.sent("a", create("item_a"))
    unconfirmed.sent("b", create("item_b"))
    assert unconfirmed.again({"item_a"}) == [create("item_b")]
