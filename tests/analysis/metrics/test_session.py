"""Metrics of tokens, cost and errors, as paper has them."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.metrics.session import session_figures
from tests.analysis.cost.priced_session import WORKED_USD, two_turns
from tests.analysis.cost.priced_session import begun as begun_on
from tests.analysis.metrics.made_calls import why
from tests.made_recording import MadeRecording
from tests.spoken_recording import begun


def usage(inputs: int, cached: int) -> dict[str, Any]:
    return {
        "input_tokens": inputs,
        "output_tokens": 0,
        "total_tokens": inputs,
        "input_token_details": {"text_tokens": inputs, "cached_tokens": cached},
        "output_token_details": {},
    }


def test_cost_of_turns_and_minutes() -> None:
    """Two turns of $0.0110636 in 30 s, of which 5 s of the agent were heard."""
    found = session_figures(two_turns())

    turn_usd = found["turn_usd"]
    assert list(turn_usd.values) == pytest.approx([WORKED_USD + 0.00045] * 2)
    assert turn_usd.source is not None and turn_usd.source.startswith("server, prices of ")
    assert found["minute_usd"].value == pytest.approx(0.0442544)
    assert why(found["talk_minute_usd"]) == "how long the user spoke is not known"
    assert found["unheard_tokens"].value == pytest.approx(0.75 * 147)


def test_a_part_of_the_cost_is_not_the_cost_by_the_minute() -> None:
    found = session_figures(two_turns(transcription="whisper-9"))

    for name in ("turn_usd", "minute_usd", "talk_minute_usd"):
        assert "no price is known for whisper-9" in (why(found[name]) or "")


def test_the_context_grows() -> None:
    rec = begun_on()
    for number, (inputs, cached) in enumerate(((100, 0), (250, 100), (500, 250))):
        rec.user(number * 10.0, f"user_{number}", "Go on.")
        rec.answer(number * 10.0 + 1, f"resp_{number}", usage=usage(inputs, cached))

    found = session_figures(rec)

    assert list(found["context_tokens"].values) == [100, 250, 500]
    assert list(found["context_growth_tokens"].values) == [150, 250]
    assert found["context_growth_tokens"].value == 200
    assert found["cached_share"].value == pytest.approx(350 / 850)


def test_growth_is_from_a_turn_to_the_next() -> None:
    rec = begun_on()
    for number, inputs in enumerate((100, 0, 500)):
        rec.user(number * 10.0, f"user_{number}", "Go on.")
        counted = usage(inputs, 0) if inputs else None
        rec.answer(number * 10.0 + 1, f"resp_{number}", usage=counted)

    assert why(session_figures(rec)["context_growth_tokens"]) == (
        "no two turns in a row have token counts"
    )


def test_errors_by_code() -> None:
    rec = begun()
    for code in ("response_cancel_not_active", "unknown_parameter", "unknown_parameter", None):
        rec.got(5.0, "error", error={"code": code, "message": "No."})

    found = session_figures(rec)

    assert {name: one.value for name, one in found.items() if name.startswith("errors")} == {
        "errors_benign": 1,
        "errors.no code": 1,
        "errors.response_cancel_not_active": 1,
        "errors.unknown_parameter": 2,
    }
    assert why(session_figures(MadeRecording())["errors_benign"]) == "there are no events"


def test_what_the_microphone_lost() -> None:
    lost = {"source": "host", "lost_ms": 20.0, "overflows": 1, "dropped_ms": 100}

    assert session_figures(MadeRecording(header={"microphone": lost}))["input_lost_ms"].value == 120
    page = {"sample_rate": 48_000}
    assert why(session_figures(MadeRecording(header={"microphone": page}))["input_lost_ms"]) == (
        "no microphone reported what it lost"
    )
