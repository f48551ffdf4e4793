from __future__ import annotations

import math

import pandas as pd
import pytest

from realtime_nb.analysis.cost.costs import cost_summary
from realtime_nb.analysis.cost.prices import DurationPrice, Price, PriceTable
from realtime_nb.analysis.cost.summary import Cost
from tests.analysis.cost.priced_session import WORKED, WORKED_USD, begun, two_turns
from tests.made_recording import MadeRecording


def test_summary_of_two_turns() -> None:
    cost = cost_summary(two_turns())

    assert cost.responses_usd == pytest.approx(2 * WORKED_USD)
    assert cost.transcription_usd == pytest.approx(0.0009)
    assert cost.total_usd == cost.priced_usd == pytest.approx(0.0221272)
    assert cost.per_minute_usd == pytest.approx(0.0221272 * 2)  # 30 s
    assert math.isnan(cost.per_talk_minute_usd)  # 5 s were played; of the user, nothing is known
    assert cost.unheard_tokens == pytest.approx(0.75 * 147)
    assert cost.unheard_share == pytest.approx(3 / 8)
    assert cost.unheard_usd == pytest.approx(0.75 * 147 * 64 / 1e6)
    assert cost.reason is None
    assert cost.unknown == {"per_talk_minute_usd": "how long the user spoke is not known"}
    assert list(cost.by_turn.turn) == [1, 2]
    assert list(cost.by_turn.usd.round(9)) == [0.0110636] * 2
    assert list(cost.by_turn.cumulative_usd.round(9)) == [0.0110636, 0.0221272]
    assert list(cost.by_turn.input_tokens) == [132, 132]


def test_the_rest_is_priced_where_a_price_is_missing() -> None:
    cost = cost_summary(two_turns(transcription="whisper-9"))

    assert cost.responses_usd == pytest.approx(2 * WORKED_USD)
    assert math.isnan(cost.transcription_usd)
    assert math.isnan(cost.total_usd)
    assert cost.priced_usd == pytest.approx(2 * WORKED_USD)
    assert cost.reason is not None
    assert cost.reason.startswith("2 transcriptions: no price is known for whisper-9")
    assert "$0.0212 and what could not be priced" in repr(cost)


def test_own_prices() -> None:
    prices: PriceTable = {"someone-elses": Price(1, 1, 1, 1, 1, 1), "asr": DurationPrice(1.0)}

    cost = cost_summary(two_turns(model="someone-elses", transcription="asr"), prices)

    assert cost.responses_usd == pytest.approx(2 * 320 / 1e6)
    assert cost.transcription_usd == pytest.approx(0.2)


def test_nothing_happened() -> None:
    """A session without a response costs nothing; of one without events, nothing is known."""
    cost = cost_summary(begun())
    assert cost.total_usd == cost.least_usd == cost.priced_usd == 0.0
    assert math.isnan(cost.unheard_usd)
    assert list(cost.by_turn.columns)[:2] == ["turn", "usd"]

    nothing = cost_summary(MadeRecording())
    assert math.isnan(nothing.total_usd)
    assert math.isnan(nothing.priced_usd)
    assert nothing.reason == "there are no events"
    assert repr(nothing).startswith("cost: not known")


def test_the_bounds_of_a_cost_are_stated_with_what_they_assume() -> None:
    """640 of 300 of text and 700 of audio came from the cache, by a server that tells no more."""
    usage = {
        "input_tokens": 1_000,
        "output_tokens": 60,
        "input_token_details": {"text_tokens": 300, "audio_tokens": 700, "cached_tokens": 640},
        "output_token_details": {"text_tokens": 10, "audio_tokens": 50},
    }
    rec = begun()
    rec.answer(1.0, "resp_1", usage=usage)

    cost = cost_summary(rec)

    output = 10 * 16 + 50 * 64
    assert cost.total_usd == pytest.approx(
        (300 * 0.4 + 340 * 0.4 + 360 * 32 + output) / 1e6
    )  # all text from the cache, and the rest of it audio
    assert cost.least_usd == pytest.approx((300 * 4 + 640 * 0.4 + 60 * 32 + output) / 1e6)
    assert cost.amount == "$0.0067 to $0.0151"
    assert cost.assumption is not None
    assert cost.assumption.startswith("the server does not tell what 640 cached tokens were")
    assert cost.reason is None
    row = cost.table.iloc[0]
    assert (row.input_tokens, row.unsplit_cached_tokens) == (1_000, 640)
    assert row.cached_share == pytest.approx(0.64)
    assert pd.isna(row.fresh_text_tokens)
    assert pd.isna(row.cached_audio_tokens)
    assert (row.fresh_image_tokens, row.cached_image_tokens) == (0, 0)

    told = cost_summary(two_turns())
    assert told.least_usd == pytest.approx(told.total_usd)
    assert told.assumption is None


def lost(how: str) -> MadeRecording:
    rec = begun()
    rec.answer(1.0, "resp_1", usage=WORKED)
    if how == "a line":
        rec.conversation.gaps["usage"] = "line 7 of the log can't be read"
    elif how == "the end":
        rec.conversation.gaps["events.jsonl"] = "events.jsonl lacks its end"
    elif how == "done":
        rec.got(2.0, "response.done", response="resp_2")
    elif how == "created":
        rec.got(2.0, "response.created", response=None)
    else:
        name = "conversation.item.input_audio_transcription.completed"
        rec.got(2.0, name, item_id=7, transcript="Hello.")
    return rec


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("a line", "line 7 of the log can't be read"),
        ("the end", "events.jsonl lacks its end"),
        ("done", "1 response.done event can't be understood"),
        ("created", "1 response.created event can't be understood"),
        ("heard", "input_audio_transcription.completed event can't be understood"),
    ],
)
def test_what_may_be_missing_leaves_the_whole_unknown(how: str, why: str) -> None:
    cost = cost_summary(lost(how))

    for usd in (cost.total_usd, cost.least_usd, cost.responses_usd, cost.transcription_usd):
        assert math.isnan(usd)
    assert cost.priced_usd == pytest.approx(WORKED_USD)
    assert why in (cost.reason or "")
    assert cost.amount == "$0.0106 and what could not be priced"


def test_answers_of_which_no_response_tells() -> None:
    rec = begun()
    rec.got(1.0, "conversation.item.added", item={"id": "a", "type": "message", "role": "user"})
    assert cost_summary(rec).total_usd == 0.0

    answer = {"id": "b", "type": "message", "role": "assistant"}
    rec.got(2.0, "conversation.item.added", item=answer)

    cost = cost_summary(rec)
    assert math.isnan(cost.total_usd)
    assert math.isnan(cost.priced_usd)
    assert cost.reason == "there are answers, but nothing tells of their responses"


def test_a_log_of_the_client_alone_has_no_cost() -> None:
    rec = MadeRecording()
    rec.sent(1.0, "response.create")

    assert math.isnan(cost_summary(rec).total_usd)
    assert cost_summary(rec).reason == "nothing tells of a session or a response"


def test_answers_of_one_id_cost_what_each_costs() -> None:
    rec = begun()
    rec.answer(1.0, "resp_1", usage=WORKED)
    rec.answer(3.0, "resp_1", usage=WORKED)

    assert cost_summary(rec).total_usd == pytest.approx(2 * WORKED_USD)


def test_two_ends_of_one_answer_have_no_cost() -> None:
    rec = begun()
    rec.answer(1.0, "resp_1", usage=WORKED)
    other = {"id": "resp_1", "status": "completed", "usage": {**WORKED, "output_tokens": 1}}
    rec.got(3.0, "response.done", response=other)

    cost = cost_summary(rec)

    assert math.isnan(cost.priced_usd)
    assert cost.reason == ("1 response: its id was given twice, so that its usage is not known")


def test_answers_without_an_id_are_not_taken_for_one() -> None:
    rec = begun()
    done = {"status": "completed", "usage": WORKED}
    rec.got(1.0, "response.done", response=done)
    assert cost_summary(rec).total_usd == pytest.approx(WORKED_USD)

    rec.got(2.0, "response.done", response=done)
    assert math.isnan(cost_summary(rec).total_usd)


def test_a_line_that_is_there_twice_is_one_answer() -> None:
    rec = begun()
    for moment in (1.0, 1.0):
        done = {"id": "resp_1", "status": "completed", "usage": WORKED}
        rec.got(moment, "response.done", response=done)

    assert cost_summary(rec).total_usd == pytest.approx(WORKED_USD)


def test_dates_of_prices_that_are_not_of_today() -> None:
    cost = cost_summary(two_turns(model="gpt-4o-realtime-preview-2024-12-17"))

    assert cost.price_dates == {"gpt-4o-realtime-preview-2024-12-17": "2024-12-18"}
    assert repr(cost).endswith(
        "prices: of late 2026, unless given; gpt-4o-realtime-preview-2024-12-17: of 2024-12-18"
    )
    assert cost_summary(two_turns()).price_dates == {}


def test_html_is_escaped() -> None:
    cost: Cost = cost_summary(two_turns(model="<b>"))

    assert "<b>" not in cost._repr_html_()
    assert "&lt;b&gt;" in cost._repr_html_()
