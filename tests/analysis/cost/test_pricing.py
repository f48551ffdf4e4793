from __future__ import annotations

import math
import re
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.analysis.cost.costs import cost_summary, costs
from realtime_nb.analysis.cost.prices import DurationPrice, Price
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.protocol.serving import LOCAL_SESSION
from tests.analysis.cost.priced_session import WORKED, WORKED_USD, begun, two_turns
from tests.made_recording import MadeRecording


def test_the_local_server_costs_nothing_that_could_be_named() -> None:
    rec = two_turns(model="local", transcription="gpt-4o-mini-transcribe", simulated=True)

    table = costs(rec)
    assert table.usd.isna().all()
    assert set(table.reason) == {"the local server: no price"}
    as_if = cost_summary(rec, model="gpt-realtime")
    assert as_if.total_usd == pytest.approx(0.0221272)
    assert as_if.assumption == (
        "priced as if by gpt-realtime; the session ran on the local server, "
        "and its transcription as if by gpt-transcribe"
    )
    assert "as if" in repr(as_if)


def test_tokens_of_a_local_transcription_are_of_the_model_that_was_asked_for() -> None:
    rec = begun(model="local", transcription="gpt-4o-mini-transcribe", simulated=True)
    details = {"text_tokens": 0, "audio_tokens": 20}
    usage = {
        "type": "tokens",
        "total_tokens": 30,
        "input_tokens": 20,
        "input_token_details": details,
        "output_tokens": 10,
    }
    rec.user(1.0, "user_1", "Hello.", usage=usage)
    rec.answer(2.0, "resp_1", 4_000, "Hello to you.", usage=WORKED)

    cost = cost_summary(rec, model="gpt-realtime")
    # $1.25 for a million tokens of audio, $5 for one of text: half of gpt-4o-transcribe's.
    assert cost.transcription_usd == pytest.approx((20 * 1.25 + 10 * 5) / 1e6)
    assert cost.assumption is not None
    assert cost.assumption.endswith("its transcription as if by gpt-4o-mini-transcribe")


def test_a_name_has_no_price_on_the_local_server() -> None:
    rec = two_turns(simulated=True)  # "gpt-realtime", but played by the local server

    assert costs(rec).usd.isna().all()
    as_if = cost_summary(rec, model="gpt-realtime")
    assert as_if.total_usd == pytest.approx(0.0221272)
    assert as_if.assumption is not None
    own = cost_summary(rec, {"gpt-realtime": Price(1, 1, 1, 1, 1, 1)})
    assert own.responses_usd == pytest.approx(2 * 320 / 1e6)
    assert own.assumption is None


def test_a_hosted_session_as_if_by_another_model() -> None:
    cost = cost_summary(two_turns(), model="gpt-realtime-mini")

    expected = 59 * 0.6 + 9 * 10 + 64 * 0.3 + 41 * 2.4 + 147 * 20
    assert cost.responses_usd == pytest.approx(2 * expected / 1e6)
    assert cost.transcription_usd == pytest.approx(0.0009)
    assert cost.assumption is not None
    assert "the session ran on gpt-realtime" in cost.assumption


# --- who answered then ----------------------------------------------------------------------------


def usage_of(text: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": text,
        "output_tokens": output,
        "input_token_details": {"text_tokens": text, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
    }


def test_each_response_by_the_model_of_its_own_session() -> None:
    rec = begun("gpt-realtime")
    rec.answer(1.0, "resp_1", usage=usage_of(1_000, 100))
    rec.got(2.0, "session.created", session={"model": "gpt-realtime-mini"})
    rec.answer(3.0, "resp_2", usage=usage_of(1_000, 100))

    table = costs(rec)

    assert list(table.model) == ["gpt-realtime", "gpt-realtime-mini"]
    assert list(table.usd) == pytest.approx(
        [(1_000 * 4 + 100 * 16) / 1e6, (1_000 * 0.6 + 100 * 2.4) / 1e6]
    )


def test_a_response_that_was_under_way_is_the_first_models() -> None:
    rec = begun("gpt-realtime")
    running = {"id": "resp_1", "status": "in_progress"}
    rec.got(1.0, "response.created", response=running)
    rec.got(2.0, "session.updated", session={"model": "gpt-realtime-mini"})
    done = {"id": "resp_1", "status": "completed", "usage": usage_of(1_000, 100)}
    rec.got(3.0, "response.done", response=done)
    # Beside the conversation, too.
    aside = {"id": "resp_2", "status": "in_progress", "conversation_id": None}
    rec.got(4.0, "response.created", response=aside)
    rec.got(5.0, "response.done", response={**done, "id": "resp_2", "conversation_id": None})

    assert list(costs(rec).model) == ["gpt-realtime", "gpt-realtime-mini"]
    assert list(costs(rec).usd) == pytest.approx([0.0056, 0.00084])


@pytest.mark.feature("transcription usage", "client")
def test_each_transcription_by_the_model_that_heard_it() -> None:
    """A minute at 1.7 cents, then one at 0.45 cents."""
    rec = begun(transcription="gpt-realtime-whisper")
    rec.got(1.0, "input_audio_buffer.committed", item_id="a")
    heard = {"transcript": "Yes.", "usage": {"type": "duration", "seconds": 60}}
    name = "conversation.item.input_audio_transcription.completed"
    audio = {"input": {"transcription": {"model": "gpt-transcribe"}}}
    rec.got(2.0, "session.updated", session={"model": "gpt-realtime", "audio": audio})
    rec.got(3.0, name, item_id="a", **heard)
    rec.got(4.0, "input_audio_buffer.committed", item_id="b")
    rec.got(5.0, name, item_id="b", **heard)

    assert list(costs(rec).usd) == pytest.approx([0.017, 0.0045])


def test_a_message_of_two_parts_is_billed_for_both() -> None:
    rec = begun(transcription="whisper-1")
    name = "conversation.item.input_audio_transcription.completed"
    for index, seconds in enumerate((60, 30)):
        usage = {"type": "duration", "seconds": seconds}
        rec.got(2.0, name, item_id="a", content_index=index, transcript="Yes.", usage=usage)

    assert list(costs(rec).usd) == pytest.approx([0.006, 0.003])


def test_a_model_that_is_only_in_the_header() -> None:
    rec = MadeRecording(header={"model": "gpt-realtime"})
    rec.got(0.1, "session.created", session={"type": "realtime"})
    rec.answer(1.0, "resp_1", usage=WORKED)
    assert costs(rec).usd[0] == pytest.approx(WORKED_USD)

    # It is that of a later session, and not of what came before it.
    late = MadeRecording(header={"model": "gpt-realtime"})
    late.answer(0.5, "resp_0", usage=WORKED)
    late.got(0.8, "session.created", session={"model": "gpt-realtime"})
    assert math.isnan(costs(late).usd[0])
    assert "does not tell the model" in costs(late).reason[0]


def test_our_session_and_a_hosted_one_in_one_recording() -> None:
    rec = MadeRecording()
    for number, name in enumerate((f"{LOCAL_SESSION}_1", "sess_1")):
        session = {"id": name, "model": "gpt-realtime"}
        rec.got(number * 2 + 0.5, "session.created", session=session)
        rec.answer(number * 2 + 1.0, f"resp_{number}", usage=WORKED)

    table = costs(rec)

    assert table.reason[0] == "the local server: no price"
    assert table.usd[1] == pytest.approx(WORKED_USD)
    as_if = cost_summary(rec, model="gpt-realtime")
    assert as_if.total_usd == pytest.approx(2 * WORKED_USD)
    assert (as_if.assumption or "").startswith(
        "priced as if by gpt-realtime; the session ran on the local server and gpt-realtime"
    )


def test_a_published_usage_of_a_preview() -> None:
    """By hand from the prices of its time; topic 1060242 of the service's forum asked for it."""
    rec = begun("gpt-4o-realtime-preview-2024-12-17", "gpt-4o-transcribe")
    usage = {
        "total_tokens": 821,
        "input_tokens": 789,
        "output_tokens": 32,
        "input_token_details": {
            "text_tokens": 313,
            "audio_tokens": 476,
            "cached_tokens": 640,
            "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 384},
        },
        "output_token_details": {"text_tokens": 9, "audio_tokens": 23},
    }
    rec.answer(1.0, "resp_1", usage=usage)
    heard = {
        "type": "tokens",
        "input_tokens": 13,
        "output_tokens": 9,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 13},
    }
    rec.user(2.0, "user_1", "Hello.", usage=heard)

    cost = cost_summary(rec)

    text = (313 - 256) * 5 + 256 * 2.5
    audio = (476 - 384) * 40 + 384 * 2.5
    assert text + audio + 9 * 20 + 23 * 80 == 7_585
    assert cost.responses_usd == pytest.approx(0.007585)
    assert cost.transcription_usd == pytest.approx((13 * 2.5 + 9 * 10) / 1e6)


# --- hints ----------------------------------------------------------------------------------------


def pasted(hint: str, rec: MadeRecording) -> Cost:
    """What a hint's code returns, as a person runs it who has ``rt`` and a recording."""

    class Loaded:
        def cost(self, **options: Any) -> Cost:
            return cost_summary(rec, **options)

    code = re.search(r"rec\.cost\(.*?\)(?=$| prices|;)", hint)
    assert code is not None
    result: Cost = eval(code[0], {"rt": rt, "rec": Loaded()})
    return result


@pytest.mark.parametrize("model", ["someone-elses", "it's", 'a "b"', "x\\y"])
def test_the_hint_for_a_model_works_when_pasted(model: str) -> None:
    rec = begun(model)
    rec.answer(1.0, "resp_1", usage=WORKED)
    reason = cost_summary(rec).reason
    assert reason is not None
    assert "give its own, as here gpt-realtime's" in reason

    assert pasted(reason, rec).total_usd == pytest.approx(WORKED_USD)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"type": "duration", "seconds": 30}, 0.003),
        ({"type": "duration", "seconds": "30"}, 0.003),
        (
            {
                "type": "tokens",
                "input_tokens": 100,
                "output_tokens": 10,
                "input_token_details": {"audio_tokens": 100},
            },
            (100 * 32 + 10 * 16) / 1e6,
        ),
    ],
)
def test_the_hint_for_a_transcription_is_of_the_kind_that_is_billed(
    usage: dict[str, Any], usd: float
) -> None:
    rec = begun(transcription="someone-elses-ears")
    rec.user(1.0, "user_1", "Hello.", usage=usage)
    reason = cost_summary(rec).reason
    assert reason is not None

    assert pasted(reason, rec).total_usd == pytest.approx(usd)


def test_the_hint_for_a_session_without_a_model_works_when_pasted() -> None:
    rec = begun(None)
    rec.answer(1.0, "resp_1", usage=WORKED)
    reason = cost_summary(rec).reason
    assert reason is not None

    assert pasted(reason, rec).total_usd == pytest.approx(WORKED_USD)


def test_the_hint_for_the_local_server_works_when_pasted() -> None:
    rec = two_turns(simulated=True)
    reason = cost_summary(rec).reason
    assert reason is not None
    _, _, option = reason.partition("; ")

    found = pasted(f"rec.cost({option.split(' prices')[0]})", rec)

    assert found.total_usd > 0


def test_a_text_model_needs_no_split() -> None:
    rec = begun("texts")
    rec.answer(1.0, "resp_1", usage={"input_tokens": 1_000, "output_tokens": 100})

    cost = cost_summary(rec, {"texts": Price(text_in=1.0, text_cached=0.1, text_out=2.0)})

    assert cost.total_usd == pytest.approx(0.0012)
    assert math.isnan(cost_summary(rec, {"texts": DurationPrice(1.0)}).total_usd)
