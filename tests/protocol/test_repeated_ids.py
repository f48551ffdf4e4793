"""What has an id that something else had is not mixed with it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation


def tell(folded: Conversation, name: str, **fields: Any) -> None:
    folded.apply(ev.parse_server({"type": name, **fields}), None)


def turn(folded: Conversation, user: str, answer: str, response: str, call: str, tag: int) -> None:
    """A spoken turn, of which each text and count has the tag in it."""
    tell(folded, "input_audio_buffer.speech_started", audio_start_ms=1_000 * tag, item_id=user)
    tell(folded, "input_audio_buffer.speech_stopped", audio_end_ms=1_000 * tag + 500, item_id=user)
    tell(folded, "input_audio_buffer.committed", item_id=user)
    content = [{"type": "input_audio", "transcript": None}]
    item: dict[str, Any] = {"id": user, "type": "message", "role": "user", "content": content}
    tell(folded, "conversation.item.added", item=item)
    heard = "conversation.item.input_audio_transcription.completed"
    tell(folded, heard, item_id=user, transcript=f"asked {tag}")
    tell(folded, "response.created", response={"id": response, "status": "in_progress"})
    says = {"id": answer, "type": "message", "role": "assistant"}
    tell(folded, "response.output_item.added", item=says, response_id=response)
    ids = {"response_id": response, "item_id": answer}
    tell(folded, "response.output_audio_transcript.delta", delta=f"said {tag}", **ids)
    calls = {"id": f"{call}_item", "type": "function_call", "call_id": call, "name": f"do_{tag}"}
    tell(folded, "response.output_item.done", item=calls, response_id=response)
    done = {"id": response, "status": "completed", "usage": {"input_tokens": tag}}
    tell(folded, "response.done", response=done)


NAMES = st.sampled_from(["1", "2"])


@given(turns=st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=1, max_size=5))
def test_turns_are_never_mixed(turns: list[tuple[str, str, str, str]]) -> None:
    folded = Conversation()
    for tag, (user, answer, reply, called) in enumerate(turns, start=1):
        turn(folded, f"u{user}", f"a{answer}", f"r{reply}", f"c{called}", tag)

    tags = range(1, len(turns) + 1)
    messages = [item for item in folded.items.values() if item.type == "message"]
    by_role = {
        role: [item.text for item in messages if item.role == role]
        for role in ("user", "assistant")
    }
    assert sorted(by_role["user"]) == [f"asked {tag}" for tag in tags]
    assert sorted(by_role["assistant"]) == [f"said {tag}" for tag in tags]
    assert sorted((r.usage or {})["input_tokens"] for r in folded.responses.values()) == list(tags)
    assert sorted(call.name for call in folded.calls.values()) == [f"do_{tag}" for tag in tags]
    for response in folded.responses.values():
        tag = (response.usage or {})["input_tokens"]
        texts = {folded.items[one].text for one in response.item_ids if folded.items[one].text}
        assert texts == {f"said {tag}"}
    assert {s.item_id: s.audio_start_ms // 1_000 for s in folded.speech} == {
        item.id: int(item.text.split()[1]) for item in messages if item.role == "user"
    }
    assert list(folded.items) == [item.id for item in folded.items.values()]


def test_a_message_that_is_restored_is_the_same() -> None:
    folded = Conversation()
    content = [{"type": "input_text", "text": "Hello."}]
    item = {"id": "u", "type": "message", "role": "user", "content": content}
    for _ in range(2):
        tell(folded, "session.created", session={})
        tell(folded, "conversation.item.added", item=item)
    assert list(folded.items) == ["u"] and folded.set_apart == []
    other = {**item, "content": [{"type": "input_text", "text": "Bye."}]}
    tell(folded, "conversation.item.added", item=other)
    assert [one.text for one in folded.in_order()] == ["Hello.", "Bye."]


def test_an_event_that_is_only_said_twice_begins_nothing() -> None:
    folded = Conversation()
    for _ in range(2):
        tell(folded, "response.created", response={"id": "r", "status": "in_progress"})
    for _ in range(2):
        tell(folded, "input_audio_buffer.committed", item_id="u")
    assert folded.set_apart == []
    assert folded.responses["r"].repeated and folded.items["u"].repeated
