"""Rules about the session itself: what was rejected, what failed, how it ended, what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

from realtime_nb.analysis.connection_gaps import was_lost
from realtime_nb.analysis.findings.evidence import Evidence, Finding, Rule, Severity
from realtime_nb.protocol.conversation import Response
from realtime_nb.protocol.dialect import BETA_OFF, BETA_REMEDY, is_beta_field
from realtime_nb.protocol.races import is_race
from realtime_nb.protocol.words import counted

__all__ = ["SESSION_RULES"]


BENIGN = {
    "response_cancel_not_active": "no answer was running",
    "conversation_already_has_active_response": "an answer was still running",
    "input_audio_buffer_commit_empty": "the key was pressed for less than 100 ms",
    "item_truncate_invalid_item_id": "the item was gone",
}
"""What errors mean that races between client and server bring about."""

REMEDIES = {
    "response_cancel_not_active": "send response.cancel only while a response runs; harmless",
    "conversation_already_has_active_response": (
        "with turn_detection on, the server answers by itself: wait for response.done before "
        "response.create, or set create_response=False"
    ),
    "input_audio_buffer_commit_empty": "commit at least 100 ms of audio; with turn_detection on, "
    "don't commit: the server does",
    "cannot_update_voice": "set voice before the agent first speaks",
    "unknown_parameter": "remove the parameter: the whole request was dropped with it",
    "invalid_tool_call_id": "answer a call by the call_id that it came with, once",
    BETA_OFF: BETA_REMEDY,
    "session_expired": "sessions end after 60 minutes: open a new one before",
}

RATE_LIMIT_SHARE = 0.1
"""Below this share of a limit left, the next answers are at risk."""

LARGE_INPUT_TOKENS = 20_000
"""Context that is worth a word: 70 % of what a 32k model has left for input (28,224 tokens)."""

GROWTH = 4.0
"""Input that grew this many times, and to more than a few thousand tokens, is worth a note."""

GROWN_TOKENS = 4_000


def rejected_requests(evidence: Evidence) -> Iterator[Finding]:
    """Yields errors that the server answered with, grouped by code and by what was asked."""
    groups: dict[tuple[str, str], list[tuple[int, float, str, str]]] = {}
    for line in evidence.lines("error"):
        error = line.event.get("error")
        error = error if isinstance(error, dict) else {}
        message = str(error.get("message") or line.event.get("message") or "")
        code = str(error.get("code") or error.get("type") or "error")
        asked = evidence.sent_types.get(str(error.get("event_id")), "")
        groups.setdefault((code, asked), []).append(
            (line.seq, line.t_s, message, str(error.get("param") or ""))
        )
    for (code, asked), found in groups.items():
        seqs = [one[0] for one in found]
        message = found[0][2]
        benign = is_race(code, message, asked)
        what = f"{len(found)} {asked}" if asked else counted(len(found), "request")
        what += " was rejected" if len(found) == 1 else " were rejected"
        where = f"event{'s' * (len(seqs) > 1)} {', '.join(map(str, seqs[:8]))}"
        if code in BENIGN:
            text = f"{what} because {BENIGN[code]} ({where})"
        else:
            why = message.rstrip(".") or "the server did not say why"
            text = f"{what}: {why} ({code}, {where})"
        yield evidence.finding(
            "rejected-requests",
            "note" if benign else "error",
            (found[0][1], found[-1][1]),
            text,
            suggestion=_remedy(code, found[0][3]),
            events=seqs,
            code=code,
            message=message,
            benign=benign,
        )


def _remedy(code: str, param: str) -> str:
    if code in ("unknown_parameter", "missing_required_parameter") and is_beta_field(param):
        return f"this is how the beta said it: {BETA_REMEDY}"
    return REMEDIES.get(code, "")


def beta_interface(evidence: Evidence) -> Iterator[Finding]:
    """Yields that a session spoke the beta."""
    if evidence.rec.header.get("dialect") == "beta":
        yield evidence.finding(
            "beta-interface",
            "note",
            (None, None),
            "the session speaks the beta interface, which other vendors may still take; OpenAI "
            f"switched it off on 2026-05-12 and refuses it ({BETA_OFF}, close code 4000)",
            suggestion=f"for OpenAI, {BETA_REMEDY}",
        )


def failed_responses(evidence: Evidence) -> Iterator[Finding]:
    """Yields responses that failed, or that ended before they were whole."""
    for response in evidence.conversation.responses.values():
        if response.status == "failed":
            yield _response_finding(evidence, response, "response-failed", "error")
        elif response.status == "incomplete" and not was_lost(response):
            yield _response_finding(evidence, response, "response-incomplete", "warning")


def _response_finding(
    evidence: Evidence, response: Response, id: str, severity: Severity
) -> Finding:
    error = response.error or {}
    code = str(error.get("code") or error.get("type") or response.reason or "")
    message = str(error.get("message") or "").rstrip(".")
    if severity == "error":
        text = f"the answer failed ({code or 'no reason given'})"
        text += f": {message}" if message else ""
        suggestion = {
            "rate_limit_exceeded": "wait and ask again; fewer or shorter contexts use fewer tokens "
            "a minute",
            "insufficient_quota": "the account's quota is used up: check its billing",
        }.get(code, "ask again with response.create; if it stays, report the response's id")
    else:
        causes = {
            "max_output_tokens": "it reached max_output_tokens",
            "content_filter": "the content filter stopped it",
        }
        text = f"the answer broke off: {causes.get(code, code or 'no reason given')}"
        suggestion = (
            "raise max_output_tokens, or ask for shorter answers in the instructions"
            if code == "max_output_tokens"
            else ""
        )
    return evidence.finding(
        id,
        severity,
        (response.created_s, response.done_s),
        text,
        turn=evidence.turn_of.get(response.id),
        of=(response.id,),
        suggestion=suggestion,
        response_id=response.id,
        code=code,
    )


def rate_limits(evidence: Evidence) -> Iterator[Finding]:
    """Yields limits of requests or tokens that ran low; the lowest point of each."""
    lowest: dict[str, tuple[float, int, float, str]] = {}
    for line in evidence.lines("rate_limits.updated"):
        limits = line.event.get("rate_limits")
        for limit in limits if isinstance(limits, list) else ():
            share = _share_left(limit)
            if share is None:
                continue
            name = str(limit.get("name", "requests"))
            if share < lowest.get(name, (math.inf,))[0]:
                said = f"{limit['remaining']:,.0f} of {limit['limit']:,.0f} {name}"
                lowest[name] = (share, line.seq, line.t_s, said)
    for name, (share, seq, t_s, said) in lowest.items():
        if share < RATE_LIMIT_SHARE:
            yield evidence.finding(
                "rate-limit-low",
                "error" if share <= 0 else "warning",
                (t_s, t_s),
                f"the rate limit ran low: {said} were left (event {seq})",
                suggestion="shorten the context (truncation with retention_ratio), use a mini "
                "model, or ask for a higher tier",
                events=[seq],
                name=name,
                share_left=share,
            )


def _share_left(limit: object) -> float | None:
    if not isinstance(limit, dict):
        return None
    remaining, most = limit.get("remaining"), limit.get("limit")
    if not isinstance(remaining, int | float) or not isinstance(most, int | float) or most <= 0:
        return None
    return remaining / most


def damaged_recording(evidence: Evidence) -> Iterator[Finding]:
    """Yields what of the recording is missing or was left out."""
    problems: list[str] = getattr(evidence.rec, "problems", [])
    for problem in problems:
        yield evidence.finding(
            "recording-damaged",
            "warning",
            (None, None),
            f"the recording is not whole: {problem.rstrip('.')}",
            suggestion="figures of that stretch may be missing; the rest is as it was",
            problem=problem,
        )


def ended_early(evidence: Evidence) -> Iterator[Finding]:
    """Yields a session that somebody else ended, or whose process did."""
    header = evidence.rec.header
    end_s = evidence.rec.duration_s
    code, reason = header.get("close_code"), str(header.get("close_reason") or "")
    if header.get("complete") is False and code is None:
        text = "the recording was never closed: its process was killed, or is still writing"
        suggestion = "close sessions with 'async with', or agent.disconnect()"
    elif isinstance(code, int) and code != 1000:
        refused = next((word for word in reason.split(".") if word in REMEDIES), None)
        expired = code == 1001 or "expired" in reason or "maximum duration" in reason
        what = "the server ended the session" if expired else "the connection broke"
        text = f"{what} after {end_s / 60:.1f} min (close code {code}"
        text += f": {reason.rstrip('.')})" if reason else ")"
        otherwise = REMEDIES[refused] if refused else "check the network and the server"
        suggestion = REMEDIES["session_expired"] if expired else otherwise
    else:
        return
    yield evidence.finding(
        "session-ended-early",
        "warning",
        (end_s, end_s),
        text,
        suggestion=suggestion,
        close_code=code,
        close_reason=reason,
    )


def context_growth(evidence: Evidence) -> Iterator[Finding]:
    """Yields input that grew so much that it is what the session costs, or will be cut."""
    table = evidence.cost.table
    table = table[(table.kind == "response") & (table.input_tokens > 0)]
    if len(table) < 2:
        return
    first, last = float(table.input_tokens.iloc[0]), float(table.input_tokens.iloc[-1])
    if last < LARGE_INPUT_TOKENS and not (last >= GROWN_TOKENS and last >= GROWTH * first):
        return
    cached = float(table.cached_share.iloc[-1])
    yield evidence.finding(
        "context-growth",
        "warning" if last >= LARGE_INPUT_TOKENS else "note",
        (float(table.at_s.iloc[0]), float(table.at_s.iloc[-1])),
        f"each answer reads the whole conversation again: its input grew from {first:,.0f} to "
        f"{last:,.0f} tokens over {len(table)} answers ({cached:.0%} of the last from the cache)",
        of=(str(table.response_id.iloc[-1]),),
        first_input_tokens=first,
        last_input_tokens=last,
        cached_share=cached,
        suggestion="set truncation={'type': 'retention_ratio', 'retention_ratio': 0.8, "
        "'token_limits': {'post_instructions': 8000}}, or delete old audio items in batches",
    )


def failed_transcriptions(evidence: Evidence) -> Iterator[Finding]:
    """Yields user messages that could not be transcribed."""
    for turn in evidence.turns:
        if turn.item.transcript == "failed":
            yield evidence.finding(
                "transcription-failed",
                "warning",
                (turn.began_s, turn.item.transcript_s),
                "what the user said could not be transcribed; the agent may have understood it all "
                "the same",
                turn=turn.number,
                of=(turn.item.id,),
                item_id=turn.item.id,
                suggestion="name the language: transcription={'model': …, 'language': 'en'}",
            )


SESSION_RULES: tuple[Rule, ...] = (
    rejected_requests,
    beta_interface,
    failed_responses,
    rate_limits,
    damaged_recording,
    ended_early,
    context_growth,
    failed_transcriptions,
)
