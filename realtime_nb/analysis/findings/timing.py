"""Rules about waiting: slow answers and what they waited for, functions, dead air."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from realtime_nb.analysis.call_gaps import CallGap, find_call_gaps, why_no_gaps
from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.findings.evidence import (
    Evidence,
    Finding,
    Microphone,
    Rule,
    Severity,
    seconds,
)
from realtime_nb.analysis.function_calls import decoded
from realtime_nb.analysis.silences import LONG_SILENCE_S
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.protocol.words import counted, shortened

__all__ = ["TIMING_RULES"]

SLOW_MS = 1_700.0
"""Deployed agents typically answer in 1.2 to 1.7 s at the median; slower is worth a word."""

VERY_SLOW_MS = 3_000.0
"""Where deployed agents have their slowest tenth."""

ENDPOINT_SHARE = 0.5
ENDPOINT_WAIT_MS = 500.0
"""The documented silence window of the hosted service. A wait for the end of the turn that is
longer, and more than half of the latency, is what to tune first."""

SLOW_CALL_MS = 2_000.0
GROUP_FROM = 4
"""From so many slow answers with the same cause on, one finding speaks for all."""

PARTS = {
    "uplink_ms": (
        "getting the user's audio to the server",
        "send smaller chunks, and look at the network between microphone and kernel",
    ),
    "endpoint_wait_ms": (
        "waiting for the user to have finished",
        "lower silence_duration_ms (rt.replay shows which turns that would have split), or use "
        "semantic_vad with eagerness='high'",
    ),
    "commit_wait_ms": (
        "the step from the end of the turn to the answer's begin",
        "with create_response=False or push-to-talk, send response.create sooner; what runs "
        "before it (guardrails, look-ups) counts here",
    ),
    "model_first_audio_ms": (
        "the model's first audio",
        "shorten instructions, tools and context, lower reasoning effort, or try a mini model",
    ),
    "playout_ms": (
        "the wait until audio that had arrived was played",
        "look at the playing device's buffer; doctor() measures the path to the page",
    ),
}
"""The parts of a latency: what each is, and what shortens it."""


def slow_answers(evidence: Evidence) -> Iterator[Finding]:
    """Yields answers that began later than users take well, by the largest part of the wait.

    Turns with function calls are left to the rules about those.
    """
    by_part: dict[str, list[Any]] = {}
    for row in evidence.latency.values():
        if row.latency_ms > SLOW_MS and not row.had_calls:
            by_part.setdefault(_largest_part(row), []).append(row)
    for part, slow in by_part.items():
        if len(slow) >= GROUP_FROM:
            yield _slow_group(evidence, part, slow)
        else:
            for row in slow:
                yield _slow_answer(evidence, part, row)


def _parts_ms(row: Any) -> dict[str, float]:
    return {name: float(getattr(row, name)) for name in LATENCY_PARTS}


def _largest_part(row: Any) -> str:
    parts = {name: ms for name, ms in _parts_ms(row).items() if ms == ms}
    return max(parts, key=lambda name: parts[name]) if parts else "model_first_audio_ms"


def _slow_answer(evidence: Evidence, part: str, row: Any) -> Finding:
    turn = evidence.turns[row.turn - 1]
    what, remedy = PARTS[part]
    parts = _parts_ms(row)
    return evidence.finding(
        "slow-answer",
        "error" if row.latency_ms > VERY_SLOW_MS else "warning",
        (row.speech_end_s, row.played_s),
        f"the answer was heard {seconds(row.latency_ms)} after the user had finished; "
        f"{seconds(parts[part])} of it was {what}",
        turn=turn.number,
        of=(turn.item.id, *(response.id for response in turn.responses[:1])),
        suggestion=remedy,
        latency_ms=row.latency_ms,
        **parts,
    )


def _slow_group(evidence: Evidence, part: str, slow: list[Any]) -> Finding:
    answered = sum(row.latency_ms == row.latency_ms for row in evidence.latency.values())
    what, remedy = PARTS[part]
    whole_ms = median(row.latency_ms for row in slow)
    part_ms = median(_parts_ms(row)[part] for row in slow)
    worst = max(slow, key=lambda row: float(row.latency_ms))
    return evidence.finding(
        "slow-answer",
        "error" if whole_ms > VERY_SLOW_MS else "warning",
        (slow[0].speech_end_s, slow[-1].played_s),
        f"{len(slow)} of {answered} answers took longer than {seconds(SLOW_MS)} (median "
        f"{seconds(whole_ms)}), most of it {what} (median {seconds(part_ms)}); the slowest was "
        f"turn {worst.turn} with {seconds(worst.latency_ms)}",
        of=_items(evidence, slow),
        suggestion=remedy,
        turns=[row.turn for row in slow],
        median_latency_ms=whole_ms,
        **{f"median_{part}": part_ms},
    )


def _items(evidence: Evidence, rows: list[Any]) -> list[str]:
    """Returns the ids of the user's messages in some turns."""
    return [evidence.turns[row.turn - 1].item.id for row in rows]


def endpoint_wait_dominates(evidence: Evidence) -> Iterator[Finding]:
    """Yields turns whose answer mostly waited for the silence that ends a turn."""
    known = [
        row
        for row in evidence.latency.values()
        if row.latency_ms == row.latency_ms and row.endpoint_wait_ms == row.endpoint_wait_ms
    ]
    if not known:
        return
    wait = median(row.endpoint_wait_ms for row in known)
    whole = median(row.latency_ms for row in known)
    if wait <= ENDPOINT_WAIT_MS or wait <= ENDPOINT_SHARE * whole:
        return
    settings = evidence.turn_detection
    now = settings.get("silence_duration_ms")
    if settings.get("type") == "semantic_vad":
        remedy = "raise eagerness to 'high', or use server_vad with silence_duration_ms=500"
    elif isinstance(now, int | float) and now < wait / 2:
        remedy = (
            f"the window is {now:g} ms, so the rest is on the way there or the server's: look at "
            "the network, and at whether it follows silence_duration_ms at all"
        )
    else:
        shown = f" from {now:g}" if isinstance(now, int | float) else ""
        remedy = f"lower silence_duration_ms{shown}; rt.replay shows which turns that would split"
    yield evidence.finding(
        "endpoint-wait-dominates",
        "note",
        (known[0].speech_end_s, known[-1].played_s),
        f"of {seconds(whole)} until the answer was heard, {seconds(wait)} was waiting for the "
        f"end of the turn (medians of {counted(len(known), 'turn')})",
        of=_items(evidence, known),
        suggestion=remedy,
        median_endpoint_wait_ms=wait,
        median_latency_ms=whole,
        silence_duration_ms=now,
    )


def calls_that_took_long(evidence: Evidence) -> Iterator[Finding]:
    """Yields silences that the user had to sit through, each once with the call that was slowest,
    and other functions that ran long."""
    told = set()
    for gap in [] if why_no_gaps(evidence.rec) else find_call_gaps(evidence.rec):
        if gap.silent_s > LONG_SILENCE_S:
            told.add(gap.slowest.call_id)
            yield _dead_air(evidence, gap)
    for call in table_rows(evidence.rec.calls):
        if call.run_ms > SLOW_CALL_MS and call.call_id not in told:
            yield evidence.finding(
                "slow-tool",
                "note",
                (call.done_s, call.output_s),
                f"{call.name} took {seconds(call.run_ms)}",
                turn=call.turn,
                of=(call.call_id,),
                call_id=call.call_id,
                run_ms=call.run_ms,
                suggestion="make the function faster",
            )


def _dead_air(evidence: Evidence, gap: CallGap) -> Finding:
    call, number = gap.slowest, len(gap.calls)
    among = f", the slowest of {number} calls," if number > 1 else ""
    remedy = (
        f"make {'the function' if number == 1 else call.name} faster"
        if call.run_ms > SLOW_CALL_MS
        else "the function was quick: the model took long to go on; shorten its output"
    )
    return evidence.finding(
        "dead-air",
        "warning",
        (gap.silent_from_s, gap.silent_to_s),
        f"{call.name}{among} took {seconds(call.run_ms)} with nothing audible for "
        f"{seconds(gap.silent_s * 1000)}",
        turn=call.turn,
        of=[one.call_id for one in gap.calls],
        call_id=call.call_id,
        call_ids=[one.call_id for one in gap.calls],
        run_ms=call.run_ms,
        silent_s=gap.silent_s,
        suggestion=f"{remedy}, or tell the agent in its instructions to say first what it does",
    )


OUTCOMES: dict[str, tuple[str, Severity, str, str]] = {
    "error": (
        "failed-tool",
        "error",
        "the agent was told that {name} failed: {output}",
        "run it again with these arguments: rt.CallInspector(rec)",
    ),
    "timeout": (
        "failed-tool",
        "error",
        "{name} ran out of time: {output}",
        "raise the tool's timeout, or make the function faster",
    ),
    "late": (
        "late-output",
        "warning",
        "the output of {name} came when the user spoke again",
        "make the function faster, or have it answer at once and tell the result later",
    ),
    "orphan": (
        "orphan-call",
        "error",
        "{name} was called and never answered",
        "send a function_call_output for every call_id, even when it failed",
    ),
}
"""By the outcome of a call: the finding's id and severity, its sentence, and what helps."""


def calls_that_failed(evidence: Evidence) -> Iterator[Finding]:
    """Yields calls that failed, came too late, or were never answered."""
    for call in table_rows(evidence.rec.calls):
        if call.outcome not in OUTCOMES:
            continue
        id, severity, form, remedy = OUTCOMES[call.outcome]
        said = form.format(name=call.name or call.call_id, output=_what_failed(call.output))
        end_s = call.output_s if call.output_s == call.output_s else call.done_s
        yield evidence.finding(
            id,
            severity,
            (call.done_s, end_s),
            said,
            turn=call.turn,
            of=(call.call_id,),
            suggestion=remedy,
            call_id=call.call_id,
            arguments=call.arguments,
            output=call.output,
        )


def _what_failed(output: str | None) -> str:
    """Returns the ``error`` of an output that has one, else the output, in a line."""
    content = decoded(output or "")
    text = str(content.get("error", output)) if isinstance(content, dict) else output or ""
    return shortened(" ".join(text.split()).rstrip("."), 80)


PACES: dict[Microphone, str] = {
    "browser": "the page's microphone came in bursts: keep the notebook's tab in the foreground "
    "and the kernel free; doctor() measures the path from the page",
    "computer": "the computer's microphone was taken late: keep the machine and the kernel free; "
    "doctor() measures it",
    "program": "send the audio at the pace at which it was spoken: session.play() does",
    "unknown": "send the audio at the pace at which it was spoken, in chunks of 20 to 100 ms",
}
"""What keeps the pace, by what sent the audio."""


def pushed_input(evidence: Evidence) -> Iterator[Finding]:
    """Yields input that was sent faster than it was spoken, so that nobody can tell the latency."""
    fast = [row for row in evidence.latency.values() if "real time" in str(row.latency_note)]
    if not fast:
        return
    yield evidence.finding(
        "input-not-real-time",
        "note",
        (fast[0].commit_s, fast[-1].commit_s),
        f"the audio of {counted(len(fast), 'turn')} was not sent in real time, so their "
        "latencies are not known",
        turns=[row.turn for row in fast],
        suggestion=PACES[evidence.microphone],
    )


TIMING_RULES: tuple[Rule, ...] = (
    slow_answers,
    endpoint_wait_dominates,
    calls_that_took_long,
    calls_that_failed,
    pushed_input,
)
