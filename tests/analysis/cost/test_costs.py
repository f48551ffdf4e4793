from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from realtime_nb.analysis.cost.costs import cost_summary, costs
from realtime_nb.analysis.cost.prices import DurationPrice, Price
from tests.analysis.cost.priced_session import WORKED_USD, ZEROS, begun, two_turns


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
    assert pd.isna(table.input_tokens["resp_2"])
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
