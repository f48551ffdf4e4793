from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.user_turns import TurnFinder, find_user_turns
from tests.made_recording import MadeRecording

STEPS = st.lists(
    st.sampled_from(["speak", "type", "answer", "aside", "call", "output", "delete"]), max_size=25
)


def happens(rec: MadeRecording, step: str, number: int) -> None:
    """One thing more in a session, named after its number."""
    t_s, response = float(number), {"id": f"r{number}", "status": "in_progress"}
    if step == "speak":
        rec.got(t_s, "input_audio_buffer.speech_started", audio_start_ms=0, item_id=f"u{number}")
        rec.user(t_s, f"u{number}", "words")
    elif step == "type":
        item = {"id": f"u{number}", "type": "message", "role": "user"}
        rec.got(t_s, "conversation.item.added", item=item)
    elif step == "answer":
        rec.answer(t_s, f"r{number}", 200, "an answer")
    elif step == "aside":
        rec.got(t_s, "response.created", response={**response, "conversation_id": None})
    elif step == "call":
        call = {"id": f"f{number}", "type": "function_call", "call_id": f"c{number}", "name": "add"}
        rec.got(t_s, "response.created", response={**response, "conversation_id": "conv"})
        rec.got(t_s, "response.output_item.added", item=call, response_id=f"r{number}")
    elif step == "delete":
        rec.got(t_s, "conversation.item.deleted", item_id=f"u{number - 2}")
        rec.got(t_s, "conversation.item.deleted", item_id=f"r{number - 1}_item")
    elif rec.conversation.calls:
        call_id = list(rec.conversation.calls)[number % len(rec.conversation.calls)]
        output = {"type": "function_call_output", "call_id": call_id, "output": "5"}
        rec.sent(t_s, "conversation.item.create", item=output)


@given(STEPS)
def test_turns_found_along_the_way_are_those_found_at_the_end(steps: list[str]) -> None:
    rec = MadeRecording()
    finder = TurnFinder(rec.conversation)
    for number, step in enumerate(steps):
        happens(rec, step, number)
        found = find_user_turns(rec.conversation)
        of = {response.id: turn for turn in found for response in turn.responses}
        for response_id in rec.conversation.responses:
            assert finder.answered_by(response_id) == of.get(response_id)
        assert finder.turns() == found


def test_a_turn_that_is_handed_out_stays_as_it_was() -> None:
    rec = MadeRecording()
    finder = TurnFinder(rec.conversation)
    happens(rec, "speak", 1)
    happens(rec, "answer", 2)
    (before,) = finder.turns()
    happens(rec, "answer", 3)
    assert [response.id for response in before.responses] == ["r2"]
    assert [response.id for response in finder.turns()[0].responses] == ["r2", "r3"]


def test_what_was_deleted_was_said_all_the_same() -> None:
    rec = MadeRecording()
    for number, step in enumerate(["speak", "answer", "speak", "answer"]):
        happens(rec, step, number)
    rec.played("r3_item", 0.0, "started", 3.5)
    before = find_user_turns(rec.conversation)
    assert [[one.id for one in turn.items] for turn in before] == [["r1_item"], ["r3_item"]]
    for item_id in ("u2", "r3_item"):
        rec.got(5.0, "conversation.item.deleted", item_id=item_id)
    assert find_user_turns(rec.conversation) == before
    assert list(rec.turns.user_text) == ["words", "words"]
    assert rec.latency.played_s[1] == 3.5


def test_what_is_unknown_is_no_turn() -> None:
    finder = TurnFinder(MadeRecording().conversation)
    assert (finder.turns(), finder.answered_by("r"), finder.began_s(0)) == ([], None, float("-inf"))


def test_an_answer_is_due_until_it_sounds_or_can_not_any_more() -> None:
    rec = MadeRecording()
    finder = TurnFinder(rec.conversation)
    happens(rec, "speak", 0)
    assert finder.turns()[0].answer_due
    happens(rec, "call", 1)
    rec.got(1.5, "response.done", response={"id": "r1", "status": "completed"})
    assert finder.turns()[0].answer_due
    happens(rec, "output", 2)
    assert finder.turns()[0].answer_due
    rec.answer(3.0, "r3", 200, "an answer")
    assert finder.turns()[0].answer_due  # it has come, and is not heard yet
    rec.played("r3_item", 0.0, "started", 3.5)
    assert not finder.turns()[0].answer_due


def test_an_answer_without_a_sound_is_not_due() -> None:
    rec = MadeRecording()
    happens(rec, "type", 0)
    rec.got(1.0, "response.created", response={"id": "r", "status": "in_progress"})
    assert find_user_turns(rec.conversation)[0].answer_due
    rec.got(1.5, "response.done", response={"id": "r", "status": "failed"})
    assert not find_user_turns(rec.conversation)[0].answer_due
