"""Answers in writing after a restored history are asked for again, spoken."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.voice_regained import MOST_ATTEMPTS, VoiceRegained


class Talk:
    def __init__(self, *, restored: bool = True, modalities: str = "audio") -> None:
        self.conversation = Conversation()
        self.deleted: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.voice = VoiceRegained(
            self.conversation,
            lambda event: self.deleted.append(event["item_id"]),
            self.asked.append,
        )
        session = {"type": "realtime", "output_modalities": [modalities]}
        self.conversation.apply(ev.SessionCreated(session=session), 0.0)
        old = {"id": "old", "type": "message", "role": "user", "content": []}
        self.conversation.apply(ev.ItemAdded(item=old), 0.0)
        if restored:
            self.conversation.apply_connection(ConnectionReport("lost", 1.0))
            self.conversation.apply(ev.ItemCreate(item=old), 2.0)
            self.conversation.apply(ev.ItemAdded(item=old), 2.0)

    def answer(self, name: str, kind: str = "message", audio: str = "", **fields: Any) -> None:
        response = {"id": f"resp_{name}", "status": "in_progress", **fields}
        self.conversation.apply(ev.ResponseCreated(response=response), 3.0)
        item: dict[str, Any] = {"id": name, "type": kind, "status": "completed"}
        if kind == "message":
            item |= {"role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
        added = ev.OutputItemAdded(response_id=f"resp_{name}", item=item)
        self.conversation.apply(added, 3.0)
        if audio:
            delta = ev.OutputAudioDelta(response_id=f"resp_{name}", item_id=name, delta=audio)
            self.conversation.apply(delta, 3.0)
        done = {"id": f"resp_{name}", "status": "completed", **fields}
        self.conversation.apply(ev.ResponseDone(response=done), 3.1)
        self.voice.done(self.conversation.responses[f"resp_{name}"])


SPOKEN = [{"output_modalities": ["audio"]}]


def test_an_answer_in_writing_is_asked_for_again_spoken() -> None:
    talk = Talk()
    talk.answer("a")
    assert talk.deleted == ["a"]
    assert talk.asked == SPOKEN


def test_not_for_ever_and_anew_after_a_spoken_one() -> None:
    talk = Talk()
    for n in range(5):
        talk.answer(f"a{n}")
    assert talk.asked == SPOKEN * MOST_ATTEMPTS
    talk.answer("spoken", audio="AAAAAAAA")
    talk.answer("b")
    assert talk.asked == SPOKEN * (MOST_ATTEMPTS + 1)


@pytest.mark.parametrize(
    ("session", "answer"),
    [
        ({"restored": False}, {}),
        ({"modalities": "text"}, {}),
        ({}, {"output_modalities": ["text"]}),
        ({}, {"conversation_id": None}),
        ({}, {"audio": "AAAAAAAA"}),
        ({}, {"kind": "function_call"}),
    ],
)
def test_what_was_meant_to_be_written_or_was_spoken_is_left_alone(
    session: dict[str, Any], answer: dict[str, Any]
) -> None:
    talk = Talk(**session)
    talk.answer("a", **answer)
    assert talk.deleted == []
    assert talk.asked == []
