from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_nb.analysis.cost.costs import cost_summary, costs
from realtime_nb.analysis.cost.prices import DurationPrice, Price, PriceTable
from tests.analysis.cost.priced_session import WORKED_USD, begun, two_turns
from tests.made_recording import MadeRecording

ZEROS = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}


def test_ledger_of_two_turns() -> None:
    table = costs(two_turns())

    assert list(table.kind) == ["transcription", "response"] * 2
    assert list(table.turn) == [1, 1, 2, 2]
    assert list(table.model) == ["gpt-transcribe", "gpt-realtime"] * 2
    assert list(table.usd.round(9)) == [0.00045, WORKED_USD] * 2
    assert list(table.cumulative_usd.round(9)) == [0.00045, 0.0110636, 0.0115136, 0.0221272]
    assert table.reason.isna().all()
    response = table.iloc[1]
    assert (response.fresh_text_tokens, response.fresh_audio_tokens) == (59, 9)
    assert (response.cached_text_tokens, response.cached_audio_tokens) == (0, 64)
    assert (response.output_text_tokens, response.output_audio_tokens) == (41, 147)
    assert response.input_tokens == 132
    assert response.cached_share == pytest.approx(64 / 132)
    assert table.attrs["assumption"] is None


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
    cost = cost_summary(two_turns(transcription="whisper-1"))

    assert cost.responses_usd == pytest.approx(2 * WORKED_USD)
    assert math.isnan(cost.transcription_usd)
    assert math.isnan(cost.total_usd)
    assert cost.priced_usd == pytest.approx(2 * WORKED_USD)
    assert cost.reason is not None
    assert cost.reason.startswith("2 transcriptions: no price is known for whisper-1")
    assert "$0.0212 and what could not be priced" in repr(cost)


def test_unknown_model_has_tokens_only() -> None:
    table = costs(two_turns(model="someone-elses"))

    responses = table[table.kind == "response"]
    assert list(responses.input_tokens) == [132, 132]
    assert responses.usd.isna().all()
    assert responses.reason.str.contains("someone-elses").all()
    cost = cost_summary(two_turns(model="someone-elses", transcription="too"))
    assert math.isnan(cost.priced_usd)
    assert math.isnan(cost.per_minute_usd)
    assert repr(cost).startswith("cost: not known")


def test_own_prices() -> None:
    prices: PriceTable = {"someone-elses": Price(1, 1, 1, 1, 1, 1), "asr": DurationPrice(1.0)}

    cost = cost_summary(two_turns(model="someone-elses", transcription="asr"), prices)

    assert cost.responses_usd == pytest.approx(2 * 320 / 1e6)
    assert cost.transcription_usd == pytest.approx(0.2)


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


def test_cancelled_with_zeros_is_free_and_no_usage_is_unknown() -> None:
    rec = begun()
    rec.answer(1.0, "resp_1", usage=ZEROS, status="cancelled")
    rec.answer(2.0, "resp_2", usage=None)
    rec.got(3.0, "response.created", response={"id": "resp_3", "status": "in_progress"})

    table = costs(rec).set_index("response_id")

    assert table.usd["resp_1"] == 0.0
    assert table.reason.isna()["resp_1"]
    assert math.isnan(table.usd["resp_2"])
    assert table.reason["resp_2"] == "the server reported no usage"
    assert math.isnan(table.input_tokens["resp_2"])
    assert table.reason["resp_3"] == "it was still running when the session ended"
    assert cost_summary(rec).priced_usd == 0.0


@pytest.mark.parametrize(
    ("usage", "price", "usd", "reason"),
    [
        ({"type": "duration", "seconds": 30}, DurationPrice(0.017), 0.0085, None),
        ({"type": "duration", "seconds": 30}, Price(1, 1, 1, 1, 1, 1), None, "is a duration"),
        (None, DurationPrice(0.017), None, "did not report"),
        (
            {
                "type": "tokens",
                "input_tokens": 100,
                "output_tokens": 10,
                "input_token_details": {"audio_tokens": 100},
            },
            Price(text_out=5.0, audio_in=3.0),
            350e-6,
            None,
        ),
    ],
)
def test_transcription(usage: Any, price: Any, usd: float | None, reason: str | None) -> None:
    rec = begun(transcription="asr")
    rec.user(1.0, "user_1", "Hello.", usage=usage)

    (row,) = costs(rec, {"asr": price}).to_dict("records")

    assert row["kind"] == "transcription"
    assert row["usd"] == pytest.approx(usd) if usd else math.isnan(row["usd"])
    assert (reason in row["reason"]) if reason else row["reason"] is None


def test_nothing_happened() -> None:
    cost = cost_summary(MadeRecording())

    assert len(costs(MadeRecording())) == 0
    assert cost.total_usd == cost.priced_usd == 0.0
    assert math.isnan(cost.unheard_usd)
    assert list(cost.by_turn.columns)[:2] == ["turn", "usd"]
