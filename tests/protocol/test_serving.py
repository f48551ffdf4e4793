"""Who answered when, as events tell it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.serving import LOCAL_SESSION, NOBODY, Serving, serving_of


def session(
    model: str | None = None, heard_by: object = "no word", session_id: str | None = None
) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "realtime"}
    if model is not None:
        told["model"] = model
    if heard_by != "no word":
        transcription = None if heard_by is None else {"model": heard_by}
        told["audio"] = {"input": {"transcription": transcription}}
    if session_id is not None:
        told["id"] = session_id
    return told


def folded(*events: tuple[str, dict[str, Any]]) -> Conversation:
    conversation = Conversation()
    for kind, fields in events:
        conversation.apply(ev.parse_server({"type": kind, **fields}))
    return conversation


def created(response_id: str) -> tuple[str, dict[str, Any]]:
    return "response.created", {"response": {"id": response_id, "status": "in_progress"}}


def done(response_id: str) -> tuple[str, dict[str, Any]]:
    return "response.done", {"response": {"id": response_id, "status": "completed"}}


def committed(item_id: str) -> tuple[str, dict[str, Any]]:
    return "input_audio_buffer.committed", {"item_id": item_id}


def transcribed(item_id: str) -> tuple[str, dict[str, Any]]:
    name = "conversation.item.input_audio_transcription.completed"
    return name, {"item_id": item_id, "transcript": "Yes."}


def begins(*told: Any) -> tuple[str, dict[str, Any]]:
    return "session.created", {"session": session(*told)}


def changes(*told: Any) -> tuple[str, dict[str, Any]]:
    return "session.updated", {"session": session(*told)}


def test_what_a_session_leaves_out_is_as_it_was() -> None:
    before = Serving("one", "ears", local=True)

    assert serving_of(session(), before) == before
    assert serving_of(session("two"), before) == Serving("two", "ears", local=True)
    assert serving_of(session(None, None), before) == Serving("one", None, local=True)
    assert serving_of(session(None, "other"), before) == Serving("one", "other", local=True)
    assert serving_of(session(session_id="sess_1"), before) == Serving("one", "ears")
    assert serving_of({"model": 7, "id": 7, "audio": 7}, before) == before


@pytest.mark.parametrize(
    ("session_id", "local"),
    [
        (f"{LOCAL_SESSION}_0a", True),
        ("sess_0a", False),
        (f"{LOCAL_SESSION}x_0a", False),
        (f"x_{LOCAL_SESSION}_0a", False),
        ("", False),
    ],
)
def test_the_local_server_is_known_by_the_ids_of_its_sessions(session_id: str, local: bool) -> None:
    assert serving_of(session(session_id=session_id)).local is local


def test_a_response_keeps_who_answered_when_it_began() -> None:
    """It was under way when the server began anew."""
    conversation = folded(
        begins("large"), created("a"), begins("small"), created("b"), done("a"), done("b")
    )

    assert {name: one.serving.model for name, one in conversation.responses.items()} == {
        "a": "large",
        "b": "small",
    }


def test_a_message_keeps_who_heard_it() -> None:
    conversation = folded(
        begins("m", "whisper-1"),
        committed("a"),
        changes("m", "gpt-transcribe"),
        transcribed("a"),
        committed("b"),
        transcribed("b"),
    )

    heard_by = {name: one.serving.transcription_model for name, one in conversation.items.items()}
    assert heard_by == {"a": "whisper-1", "b": "gpt-transcribe"}


def test_a_message_that_nobody_was_to_hear_is_heard_by_who_is_there_then() -> None:
    conversation = folded(
        begins("m", None), committed("a"), changes("m", "whisper-1"), transcribed("a")
    )

    assert conversation.items["a"].serving.transcription_model == "whisper-1"


def test_of_a_log_that_begins_late_the_model_is_the_sessions() -> None:
    """What transcribed can have changed with the update; the model of a session can't."""
    conversation = folded(created("a"), committed("i"), changes("m", "ears"), created("b"))

    assert conversation.responses["a"].serving == Serving("m")
    assert conversation.items["i"].serving == Serving("m")
    assert conversation.responses["b"].serving == Serving("m", "ears")


def test_what_came_before_a_session_began_is_nobodys() -> None:
    conversation = folded(created("a"), begins("m"), changes("m"))

    assert conversation.responses["a"].serving == NOBODY
