from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.analysis.findings.session import (
    beta_interface,
    context_growth,
    damaged_recording,
    ended_early,
    failed_responses,
    failed_transcriptions,
    rate_limits,
    rejected_requests,
)
from tests.made_recording import MadeRecording


def test_rejections_are_grouped_by_code_and_by_what_was_asked() -> None:
    rec = MadeRecording()
    error = {
        "code": "conversation_already_has_active_response",
        "message": "Conversation already has an active response in progress: resp_1.",
    }
    for moment in (1.0, 2.0):
        rec.sent(moment, "response.create", event_id=f"mine_{moment}")
        rec.got(moment + 0.1, "error", error={**error, "event_id": f"mine_{moment}"})
    rec.got(3.0, "error", error={"code": "unknown_parameter", "message": "Unknown parameter: 'x'."})

    benign, broken = rejected_requests(Evidence(rec))

    assert benign.severity == "note"
    assert benign.text == (
        "2 response.create were rejected because an answer was still running (events 1, 3)."
    )
    assert benign.evidence["events"] == [1, 3]
    assert (benign.start_s, benign.end_s) == (1.1, 2.1)
    assert "create_response=False" in benign.suggestion
    assert broken.severity == "error"
    assert broken.text == (
        "1 request was rejected: Unknown parameter: 'x' (unknown_parameter, event 4)."
    )


@pytest.mark.parametrize(
    ("code", "param", "remedied"),
    [
        ("beta_api_shape_disabled", None, True),
        ("missing_required_parameter", "session.type", True),
        ("unknown_parameter", "session.modalities", True),
        ("unknown_parameter", "response.output_audio_format", True),
        ("unknown_parameter", "session.zebra", False),
        ("unknown_parameter", "response.type", False),
        ("missing_required_parameter", "item.content", False),
        ("invalid_value", "session.voice", False),
    ],
)
def test_what_the_beta_said_otherwise_has_a_remedy(
    code: str, param: str | None, remedied: bool
) -> None:
    rec = MadeRecording()
    rec.got(1.0, "error", error={"code": code, "param": param, "message": "No."})
    (finding,) = rejected_requests(Evidence(rec))
    assert ("rt.ga(" in finding.suggestion) == remedied


def test_a_session_of_the_beta_is_told_so() -> None:
    (finding,) = beta_interface(Evidence(MadeRecording(header={"dialect": "beta"})))
    assert finding.severity == "note"
    assert "beta_api_shape_disabled" in finding.text
    assert "rt.ga(" in finding.suggestion
    assert not list(beta_interface(Evidence(MadeRecording(header={"dialect": "ga"}))))


def test_an_ending_that_is_the_beta_s_has_its_remedy() -> None:
    reason = "invalid_request_error.beta_api_shape_disabled"
    header = {"close_code": 4000, "close_reason": reason}
    (finding,) = ended_early(Evidence(MadeRecording(header=header)))
    assert "rt.ga(" in finding.suggestion


def test_errors_without_any_detail_are_still_told() -> None:
    rec = MadeRecording()
    rec.got(1.0, "error", error=None)

    (finding,) = rejected_requests(Evidence(rec))

    assert finding.text == "1 request was rejected: the server did not say why (error, event 0)."


def test_responses_that_failed_or_broke_off() -> None:
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Hello.")
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Too many tokens."}
    rec.answer(2.0, "resp_1", status="failed", status_details={"type": "failed", "error": error})
    rec.answer(
        3.0,
        "resp_2",
        500,
        status="incomplete",
        status_details={"type": "incomplete", "reason": "max_output_tokens"},
    )
    rec.answer(4.0, "resp_3", 500)

    failed, incomplete = failed_responses(Evidence(rec))

    assert (failed.id, failed.severity, failed.turn) == ("response-failed", "error", 1)
    assert failed.text == ("turn 1: the answer failed (rate_limit_exceeded): Too many tokens.")
    assert failed.evidence["events"] == [3, 4]
    assert (incomplete.id, incomplete.severity) == ("response-incomplete", "warning")
    assert incomplete.text == "turn 1: the answer broke off: it reached max_output_tokens."
    assert incomplete.suggestion.startswith("raise max_output_tokens")


def limits(*left: Any) -> list[dict[str, Any]]:
    return [
        {"name": name, "limit": 1_000, "remaining": remaining, "reset_seconds": 1}
        for name, remaining in zip(("requests", "tokens"), left, strict=True)
    ]


def test_the_lowest_point_of_a_limit() -> None:
    rec = MadeRecording()
    for moment, left in enumerate([(900, 500), (800, 40), (700, 90)]):
        rec.got(float(moment), "rate_limits.updated", rate_limits=limits(*left))

    (finding,) = rate_limits(Evidence(rec))

    assert finding.text == "the rate limit ran low: 40 of 1,000 tokens were left (event 1)."
    assert (finding.severity, finding.start_s) == ("warning", 1.0)


def test_a_limit_that_is_used_up() -> None:
    rec = MadeRecording()
    rec.got(0.0, "rate_limits.updated", rate_limits=limits(900, 0))
    rec.got(1.0, "rate_limits.updated", rate_limits=[{"name": "odd"}])

    (finding,) = rate_limits(Evidence(rec))

    assert finding.severity == "error"


def test_what_is_missing_of_the_recording() -> None:
    rec = MadeRecording(problems=["events.jsonl: line 9 can't be read and is left out."])

    (finding,) = damaged_recording(Evidence(rec))

    assert finding.text == (
        "the recording is not whole: events.jsonl: line 9 can't be read and is left out."
    )


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"complete": False}, "was never closed"),
        (
            {"complete": True, "close_code": 1001, "close_reason": ""},
            "the server ended the session after",
        ),
        ({"complete": True, "close_code": 1006}, "the connection broke after 1.0 min (close code"),
        ({"complete": True, "close_code": 1000}, None),
        ({}, None),
    ],
)
def test_how_a_session_ended(header: dict[str, Any], words: str | None) -> None:
    found = [finding.text for finding in ended_early(Evidence(MadeRecording(header=header)))]

    assert len(found) == (0 if words is None else 1)
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    ("counts", "severity"),
    [
        ([100, 300, 900], None),  # small
        ([1_000, 2_000, 5_000], "note"),
        ([3_000, 4_000, 5_000], None),  # hardly grew
        ([19_000, 20_000], "warning"),
        ([20_000], None),
    ],
)
def test_context_that_grew(counts: list[int], severity: str | None) -> None:
    rec = MadeRecording()
    for number, count in enumerate(counts):
        details = {"text_tokens": count, "audio_tokens": 0, "cached_tokens": count // 2}
        usage = {"input_tokens": count, "output_tokens": 0, "input_token_details": details}
        rec.answer(float(number), f"resp_{number}", usage=usage)

    found = list(context_growth(Evidence(rec)))

    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert f"from {counts[0]:,} to {counts[-1]:,} tokens" in finding.text
        assert "50% of the last from the cache" in finding.text
        assert "retention_ratio" in finding.suggestion


def test_a_transcription_that_failed() -> None:
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Hello.")
    rec.got(2.0, "input_audio_buffer.committed", item_id="user_2")
    rec.got(
        2.5,
        "conversation.item.input_audio_transcription.failed",
        item_id="user_2",
        content_index=0,
        error={"code": "audio_unintelligible"},
    )

    (finding,) = failed_transcriptions(Evidence(rec))

    assert (finding.turn, finding.start_s, finding.end_s) == (2, 2.0, 2.5)
    assert finding.evidence["item_id"] == "user_2"
