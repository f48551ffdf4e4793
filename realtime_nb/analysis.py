"""Tables of a conversation: turns, latency, calls, speech, token usage.

Everything here is computed from a folded :class:`~realtime_nb.protocol.conversation.Conversation`
and from when its audio was sent. Columns carry their unit: ``_ms`` are durations, or positions on
the input-sample clock for ``audio_start_ms``, ``audio_end_ms``, ``onset_ms`` and ``offset_ms``;
``_s`` are moments in seconds since the session began. What is not known is missing, never 0.

Latency is measured from ``E``, the end of the user's speech as it was detected, to ``P1``, the
first sample of the answer that was played. Its parts are cut at the receipt of ``speech_stopped``
(``STOP``), of ``response.created`` (``RC``) and of the first audio (``A1``), and add up to it::

    E ── endpoint_wait ── STOP ── commit_wait ── RC ── model_first_audio ── A1 ── playout ── P1
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from realtime_nb.input_clock import InputClock
from realtime_nb.protocol.conversation import (
    Conversation,
    FunctionCall,
    Item,
    Response,
    Speech,
)
from realtime_nb.user_turns import Turn, find_turns

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LATENCY_PARTS",
    "InputClock",
    "calls",
    "latency",
    "played_ms",
    "speech",
    "turns",
    "usage",
]

LATENCY_PARTS = ("endpoint_wait_ms", "commit_wait_ms", "model_first_audio_ms", "playout_ms")
"""The columns that add up to ``latency_ms``, in the order of time."""

_NAN = math.nan
_UNHEARD_MS = 50.0
"""Playback that stopped this close to the end of an item's audio counts as complete."""


# --- latency --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moments:
    """The moments between which a turn's latency is measured; NaN where unknown."""

    speech_end_s: float
    stop_s: float
    response_s: float
    first_audio_s: float
    played_s: float
    note: str | None

    def parts_ms(self) -> dict[str, float]:
        edges = (
            self.speech_end_s,
            self.stop_s,
            self.response_s,
            self.first_audio_s,
            self.played_s,
        )
        parts = [(later - earlier) * 1000 for earlier, later in pairwise(edges)]
        return {
            "latency_ms": (self.played_s - self.speech_end_s) * 1000,
            **dict(zip(LATENCY_PARTS, parts, strict=True)),
        }


def _moments(turn: Turn, clock: InputClock) -> _Moments:
    speech_end_s, note = _speech_end(turn, clock)
    first_audio_s = _earliest(item.first_audio_s for item in turn.items)
    played_s = _earliest(item.played_s for item in turn.items)
    if note is None and math.isnan(first_audio_s):
        note = "no spoken answer"
    elif note is None and math.isnan(played_s):
        note = "playback was not reported"
    return _Moments(
        speech_end_s=speech_end_s,
        stop_s=_NAN if turn.speech is None else _number(turn.speech.stopped_s),
        response_s=_earliest(response.created_s for response in turn.responses),
        first_audio_s=first_audio_s,
        played_s=played_s,
        note=note,
    )


def _speech_end(turn: Turn, clock: InputClock) -> tuple[float, str | None]:
    """``E`` and, where it can't be known, why."""
    speech = turn.speech
    if turn.source == "typed":
        return _NAN, "typed"
    if speech is None or speech.offset_ms is None:
        return _NAN, "no end of speech was reported"
    if (speech.turn_detection or {}).get("type") == "semantic_vad":
        return _NAN, "semantic_vad does not tell when speech ended"
    if not clock.real_time(speech.audio_start_ms, speech.offset_ms):
        return _NAN, "input was not sent in real time"
    return clock.wall(speech.offset_ms), None


def _earliest(moments: Iterable[float | None]) -> float:
    return min((moment for moment in moments if moment is not None), default=_NAN)


# --- what was heard -------------------------------------------------------------------------------


def played_ms(conversation: Conversation, items: Iterable[Item]) -> float:
    """Return how much of these items' audio was played; NaN when nothing reports playback.

    Once a device reports at all, an item that it never mentions was not played.
    """
    if all(item.played_ms is None for item in conversation.items.values()):
        return _NAN
    return sum(item.played_ms or 0.0 for item in items)


def _is_interrupted(turn: Turn) -> bool:
    """Cut by the server, cancelled because the user spoke, or dropped by the playing device."""
    if any(r.status == "cancelled" and r.reason == "turn_detected" for r in turn.responses):
        return True
    return any(
        item.interrupted
        or (
            item.stopped_s is not None
            and item.played_ms is not None
            and item.played_ms < item.audio_ms - _UNHEARD_MS
        )
        for item in turn.items
    )


# --- tables ---------------------------------------------------------------------------------------


def turns(conversation: Conversation, clock: InputClock) -> pd.DataFrame:
    """Return one row per user turn.

    Columns:
        turn: 1, 2, …
        user_item, user_text: the user's message and what it says, as far as it was transcribed.
        source: ``speech`` or ``typed``.
        audio_start_ms, audio_end_ms: as the server reported them, padding and silence included.
        onset_ms, offset_ms: speech as detected.
        response_ids, agent_items, agent_text: the answer, function calls' continuations included.
        heard_text: the part of it that was heard, by the share of the audio.
        interrupted: whether the answer was cut short by the user or the program.
        status, reason: of the last response.
        calls: names of the functions called.
        audio_ms, played_ms, unheard_ms: the agent's audio received, played, and the difference.
        latency_ms: from the end of the user's speech to the first sample played of the answer.
        endpoint_wait_ms, commit_wait_ms, model_first_audio_ms, playout_ms: its parts. Of a turn
            with function calls, the third includes running them.
        latency_note: why ``latency_ms`` is NaN.
    """
    rows = [_turn_row(conversation, turn, clock) for turn in find_turns(conversation)]
    return _table(rows, _turn_row(Conversation(), _NO_TURN, InputClock()))


def _turn_row(conversation: Conversation, turn: Turn, clock: InputClock) -> dict[str, object]:
    speech = turn.speech
    moments = _moments(turn, clock)
    audio_ms = sum(item.audio_ms for item in turn.items)
    heard_ms = played_ms(conversation, turn.items)
    last = turn.responses[-1] if turn.responses else None
    return {
        "turn": turn.number,
        "user_item": turn.item.id,
        "user_text": turn.item.text,
        "source": turn.source,
        "audio_start_ms": _number(speech.audio_start_ms if speech else None),
        "audio_end_ms": _number(speech.audio_end_ms if speech else None),
        "onset_ms": _number(speech.onset_ms if speech else None),
        "offset_ms": _number(speech.offset_ms if speech else None),
        "response_ids": [response.id for response in turn.responses],
        "agent_items": [item.id for item in turn.items],
        "agent_text": _joined(item.text for item in turn.items),
        "heard_text": _joined(item.heard_text for item in turn.items),
        "interrupted": _is_interrupted(turn),
        "status": last and last.status,
        "reason": last and last.reason,
        "calls": [call.name for call in turn.calls],
        "audio_ms": audio_ms,
        "played_ms": heard_ms,
        "unheard_ms": max(0.0, audio_ms - heard_ms) if heard_ms == heard_ms else _NAN,
        **moments.parts_ms(),
        "latency_note": moments.note,
    }


def latency(conversation: Conversation, clock: InputClock) -> pd.DataFrame:
    """Return one row per user turn with its moments, and the durations between them.

    Columns:
        turn: 1, 2, …
        latency_ms and its parts, latency_note: as in :func:`turns`.
        speech_end_s, stop_s, response_s, first_audio_s, played_s: the moments between the parts.
        commit_s: when the user's message was committed, or added if it was typed.
        transcript_ms: from then to the whole transcript.
        answer_ms: from ``response.created`` of the first response to ``response.done`` of the last.
        had_calls, interrupted: what else explains an unusual latency; look at such turns apart.
    """
    rows = [_latency_row(turn, clock) for turn in find_turns(conversation)]
    return _table(rows, _latency_row(_NO_TURN, InputClock()))


def _latency_row(turn: Turn, clock: InputClock) -> dict[str, object]:
    moments = _moments(turn, clock)
    commit_s = turn.began_s
    done_s = max((_number(r.done_s) for r in turn.responses), default=_NAN)
    return {
        "turn": turn.number,
        **moments.parts_ms(),
        "latency_note": moments.note,
        "speech_end_s": moments.speech_end_s,
        "stop_s": moments.stop_s,
        "commit_s": commit_s,
        "response_s": moments.response_s,
        "first_audio_s": moments.first_audio_s,
        "played_s": moments.played_s,
        "transcript_ms": _between_ms(commit_s, turn.item.transcript_s),
        "answer_ms": (done_s - moments.response_s) * 1000,
        "had_calls": bool(turn.calls),
        "interrupted": _is_interrupted(turn),
    }


def calls(conversation: Conversation) -> pd.DataFrame:
    """Return one row per function call.

    Columns:
        turn: the user turn that it belongs to, NaN when none.
        call_id, name, arguments, output: as on the wire; ``output`` is None until there is one.
        status: ``completed``, ``incomplete`` (its response was cut short) or ``in_progress``.
        response_id, item_id: where it is.
        started_s, done_s, output_s: when it was announced, its arguments whole, its output sent.
        decide_ms: from ``response.created`` to whole arguments.
        run_ms: from whole arguments to the output.
        resume_ms: from the output to the first audio of the response that follows it.
    """
    numbers = {
        call.call_id: turn.number for turn in find_turns(conversation) for call in turn.calls
    }
    rows = [_call_row(conversation, call, numbers) for call in conversation.calls.values()]
    return _table(rows, _call_row(Conversation(), FunctionCall(""), {}))


def _call_row(
    conversation: Conversation, call: FunctionCall, numbers: dict[str, int]
) -> dict[str, object]:
    response = conversation.responses.get(call.response_id)
    output_s = _number(call.output_s)
    resumed_s = _earliest(
        later.first_audio_s
        for later in conversation.responses.values()
        if later.in_conversation and _number(later.created_s) >= output_s
    )
    return {
        "turn": _number(numbers.get(call.call_id)),
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
        "output": call.output,
        "status": call.status,
        "response_id": call.response_id,
        "item_id": call.item_id,
        "started_s": _number(call.started_s),
        "done_s": _number(call.done_s),
        "output_s": output_s,
        "decide_ms": _between_ms(response.created_s if response else None, call.done_s),
        "run_ms": _between_ms(call.done_s, call.output_s),
        "resume_ms": _between_ms(output_s, resumed_s),
    }


def speech(conversation: Conversation, clock: InputClock) -> pd.DataFrame:
    """Return one row per stretch that turn detection took for speech.

    Columns:
        item_id: the user message that it became.
        audio_start_ms, audio_end_ms: as reported, padding and silence window included.
        onset_ms, offset_ms, duration_ms: speech as detected. With ``semantic_vad`` there is no
            fixed window to take off, so ``offset_ms`` is the reported end.
        onset_s, offset_s: the same two as moments, by when the audio was sent.
        started_s, stopped_s: when the server's reports arrived.
        detection: ``server_vad`` or ``semantic_vad``.
        threshold, prefix_padding_ms, silence_duration_ms: the settings in force.
    """
    rows = [_speech_row(heard, clock) for heard in conversation.speech]
    return _table(rows, _speech_row(Speech("", 0), InputClock()))


def _speech_row(heard: Speech, clock: InputClock) -> dict[str, object]:
    settings = heard.turn_detection or {}
    offset_ms = _number(heard.offset_ms)
    return {
        "item_id": heard.item_id,
        "audio_start_ms": float(heard.audio_start_ms),
        "audio_end_ms": _number(heard.audio_end_ms),
        "onset_ms": float(heard.onset_ms),
        "offset_ms": offset_ms,
        "duration_ms": offset_ms - heard.onset_ms,
        "onset_s": clock.wall(heard.onset_ms),
        "offset_s": clock.wall(offset_ms),
        "started_s": _number(heard.started_s),
        "stopped_s": _number(heard.stopped_s),
        "detection": settings.get("type"),
        "threshold": _number(settings.get("threshold")),
        "prefix_padding_ms": _number(settings.get("prefix_padding_ms")),
        "silence_duration_ms": _number(settings.get("silence_duration_ms")),
    }


def usage(conversation: Conversation) -> pd.DataFrame:
    """Return one row per response with its tokens.

    Columns:
        turn: the user turn that it belongs to, NaN when none.
        response_id, status: which response, and how it ended.
        input_tokens, output_tokens, total_tokens: as the server counted them; NaN when it did not.
        cached_tokens: the part of the input that came from the cache.
        input_text_tokens, input_audio_tokens, cached_text_tokens, cached_audio_tokens,
        output_text_tokens, output_audio_tokens: the same, split.
    """
    numbers = {r.id: turn.number for turn in find_turns(conversation) for r in turn.responses}
    rows = [_usage_row(response, numbers) for response in conversation.responses.values()]
    return _table(rows, _usage_row(Response(""), {}))


def _usage_row(response: Response, numbers: dict[str, int]) -> dict[str, object]:
    counts = response.usage or {}
    inputs = counts.get("input_token_details") or {}
    cached = inputs.get("cached_tokens_details") or {}
    outputs = counts.get("output_token_details") or {}
    return {
        "turn": _number(numbers.get(response.id)),
        "response_id": response.id,
        "status": response.status,
        "input_tokens": _number(counts.get("input_tokens")),
        "cached_tokens": _number(inputs.get("cached_tokens")),
        "output_tokens": _number(counts.get("output_tokens")),
        "total_tokens": _number(counts.get("total_tokens")),
        "input_text_tokens": _number(inputs.get("text_tokens")),
        "input_audio_tokens": _number(inputs.get("audio_tokens")),
        "cached_text_tokens": _number(cached.get("text_tokens")),
        "cached_audio_tokens": _number(cached.get("audio_tokens")),
        "output_text_tokens": _number(outputs.get("text_tokens")),
        "output_audio_tokens": _number(outputs.get("audio_tokens")),
    }


def _between_ms(earlier: float | None, later: float | None) -> float:
    return (_number(later) - _number(earlier)) * 1000


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)


def _joined(texts: Iterable[str]) -> str:
    return " ".join(text for text in texts if text)


def _table(rows: list[dict[str, object]], blank: dict[str, object]) -> pd.DataFrame:
    """A table that has the columns of a blank row even when it has no rows."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(blank))


_NO_TURN = Turn(0, Item(""), "typed", None)
