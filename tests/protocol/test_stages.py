from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.stages import STAGES_HEADER, Stages, wants_stages

TOLD: dict[str, Any] = {
    "type": "realtime_nb.stages",
    "event_id": "event_1",
    "response_id": "resp_1",
    "asked_ms": 12.5,
    "output_tokens": 7,
}


def test_what_is_told_is_read_and_written_as_it_came() -> None:
    event = ev.parse_server(TOLD)

    assert isinstance(event, Stages)
    assert (event.asked_ms, event.output_tokens, event.sent_ms) == (12.5, 7, None)
    assert ev.dump(event) == TOLD


@pytest.mark.parametrize(
    "wrong",
    [{"asked_ms": -1.0}, {"asked_ms": "soon"}, {"output_tokens": 1.5}, {"response_id": None}],
)
def test_what_makes_no_sense_is_kept_and_believed_of_nobody(wrong: dict[str, Any]) -> None:
    event = ev.parse_server({**TOLD, **wrong})

    assert isinstance(event, ev.UnknownEvent)
    assert event.problem is not None


def test_the_fold_keeps_it_with_its_response() -> None:
    conversation = Conversation()
    for raw in (
        TOLD,  # of a response that nobody knows
        {"type": "response.created", "response": {"id": "resp_1"}},
        TOLD,
    ):
        conversation.apply(ev.parse_server(raw))

    assert list(conversation.responses) == ["resp_1"]
    stages = conversation.responses["resp_1"].stages
    assert stages is not None
    assert stages.asked_ms == 12.5


@pytest.mark.parametrize(
    ("values", "wanted"), [(["1"], True), ([" 1 "], True), (["0"], False), (["yes"], False)]
)
def test_a_header_asks_for_it(values: list[str], wanted: bool) -> None:
    assert wants_stages({STAGES_HEADER.lower(): values}) is wanted
    assert not wants_stages({"authorization": values})
