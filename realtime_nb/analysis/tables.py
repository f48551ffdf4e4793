"""Tables of a conversation: turns, latency, calls, speech, token usage.

Everything here is computed from a folded :class:`~realtime_nb.protocol.conversation.Conversation`
and from when its audio was sent. Columns carry their unit: ``_ms`` are durations, or positions on
the input-sample clock for ``audio_start_ms``, ``audio_end_ms``, ``onset_ms`` and ``offset_ms``;
``_s`` are moments in seconds since the session began. What is not known is missing, never 0.

Latency is measured from ``E``, when the user's speech ended as far as the ``speech_end_source``
knows, to ``P1``, when the first sample of the answer was played. Its parts are cut where the audio
of that end was sent (``SENT``) and at the receipt of ``speech_stopped`` (``STOP``), of
``response.created`` (``RC``) and of the first audio (``A1``), and add up to it::

    E ─ uplink ─ SENT ─ endpoint_wait ─ STOP ─ commit_wait ─ RC ─ model_first_audio ─ A1
      ─ playout ─ P1

``SENT`` is when the session handed that audio to its connection. What a slow network then keeps
waiting, five seconds of 20-ms chunks at most before :meth:`Session.append` waits, is in
``endpoint_wait``.

Where no device told when it captured the audio, ``E`` is as much before ``SENT`` as the end of
speech lies before the end of its chunk; what the way from the device took is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from realtime_nb.analysis.function_calls import calls
from realtime_nb.analysis.table_cells import between_ms, or_nan, rest_ms, table
from realtime_nb.analysis.turn_moments import (
    SPEECH_END_LABEL,
    Moments,
    boundaries_of,
    find_moments,
)
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.analysis.voices import Voices
from realtime_nb.protocol.conversation import Conversation, Item, Response, Speech
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.records import UNHEARD_MS
from realtime_nb.protocol.reported_usage import cached_split, count_of, details_of
from realtime_nb.protocol.wire import JsonObject

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "calls",
    "latency",
    "needs_voices",
    "speech",
    "turns",
    "usage",
]


def needs_voices(conversation: Conversation) -> bool:
    """Tells whether there is speech whose beginning or end only an offline detector can find.

    That is so with ``semantic_vad``, where audio was committed without turn detection, and where
    ``server_vad`` had no room for its padding.
    """
    reported = {
        heard.item_id
        for heard in conversation.speech
        if heard.onset_ms is not None and heard.offset_ms is not None
    }
    return len(reported) < len({heard.item_id for heard in conversation.speech}) or any(
        item.committed_s is not None and item.id not in reported
        for item in conversation.items.values()
    )


def turns(
    conversation: Conversation,
    clock: InputClock,
    voices: Voices | None = None,
    labels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Returns one row per user turn.

    Args:
        conversation: the session.
        clock: when its audio was captured and sent.
        voices: what the offline detector hears, for speech whose end no server reported
            (see :func:`needs_voices`); without it, that end is unknown.
        labels: marks with ``t_s`` and ``text``. One that says ``speech end`` is taken for the end
            of the user's speech in the turn that it belongs to.

    Columns:
        turn: 1, 2, …
        user_item, user_text: the user's message and what it says, as far as it was transcribed.
        source: ``speech`` or ``typed``.
        audio_start_ms, audio_end_ms: as the server reported them, padding and silence included.
        onset_ms, offset_ms: speech without them.
        onset_source, offset_source: who says so, ``server`` or ``offline_vad``.
        response_ids, agent_items, agent_text: the answer, function calls' continuations included.
        heard_text: the part of it that was heard, by the share of the audio; None where it is not
            known how much was played, or of how much audio.
        interrupted: whether the answer was cut short by the user or the program.
        status, reason: of the last response.
        calls: names of the functions called.
        audio_ms, played_ms, unheard_ms: the agent's audio received, played, and the difference.
        latency_ms: from the end of the user's speech to the first sample played of the answer.
        uplink_ms, endpoint_wait_ms, commit_wait_ms, model_first_audio_ms, playout_ms: its parts.
            Of a turn with function calls, the fourth includes running them.
        latency_note: why ``latency_ms`` is NaN.
        speech_end_source: what ``latency_ms`` is measured from: ``server``, ``offline_vad`` or
            ``label``; None when that end is unknown.
        capture_source: who says when that was captured: the ``device``; or nobody, so that it is
            counted back from the ``sending`` of its chunk, and ``uplink_ms`` has no more in it.
        parts_note: that, and why a part is NaN whose end came before its beginning: the two are
            not of one turn, or a label lies after ``speech_stopped``.
    """
    found = find_user_turns(conversation)
    moments = find_moments(found, clock, voices, _speech_ends(labels))
    rows = [_turn_row(conversation, *both) for both in zip(found, moments, strict=True)]
    return table(rows, _turn_row(Conversation(), _NO_TURN, _NO_MOMENTS))


def _speech_ends(labels: pd.DataFrame | None) -> Sequence[float]:
    if labels is None:
        return ()
    found: list[float] = labels.t_s[labels.text == SPEECH_END_LABEL].tolist()
    return found


def _turn_row(conversation: Conversation, turn: UserTurn, moments: Moments) -> dict[str, object]:
    speech = turn.speech
    audio_ms = sum(item.audio_ms for item in turn.items)
    played_ms = conversation.played_ms(turn.items)
    last = turn.responses[-1] if turn.responses else None
    return {
        "turn": turn.number,
        "user_item": turn.item.id,
        "user_text": turn.item.text,
        "source": turn.source,
        "audio_start_ms": or_nan(speech.audio_start_ms if speech else None),
        "audio_end_ms": or_nan(speech.audio_end_ms if speech else None),
        "onset_ms": moments.boundaries.onset_ms,
        "offset_ms": moments.boundaries.offset_ms,
        "onset_source": moments.boundaries.onset_source,
        "offset_source": moments.boundaries.offset_source,
        "response_ids": [response.id for response in turn.responses],
        "agent_items": [item.id for item in turn.items],
        "agent_text": _joined(item.text for item in turn.items),
        "heard_text": _heard_text(turn, conversation.playback_known),
        "interrupted": turn.interrupted,
        "status": last and last.status,
        "reason": last and last.reason,
        "calls": [call.name for call in turn.calls],
        "audio_ms": audio_ms,
        "played_ms": played_ms,
        "unheard_ms": rest_ms(audio_ms, played_ms),
        **moments.parts_ms(),
        "latency_note": moments.note,
        "speech_end_source": moments.speech_end_source,
        "capture_source": moments.capture_source,
        "parts_note": moments.parts_note,
    }


def latency(
    conversation: Conversation,
    clock: InputClock,
    voices: Voices | None = None,
    labels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Returns one row per user turn with its moments, and the durations between them.

    Args:
        conversation, clock, voices, labels: as for :func:`turns`.

    Columns:
        turn: 1, 2, …
        latency_ms and its parts, latency_note, speech_end_source, capture_source, parts_note: as in
            :func:`turns`.
        speech_end_s, sent_s, stop_s, response_s, first_audio_s, played_s: the moments between the
            parts. Where no ``speech_stopped`` came, as without turn detection, ``stop_s`` is the
            commit. ``sent_s`` is when the connection was given the audio: a network that is too
            slow for it lengthens ``endpoint_wait_ms``.
        stop_source: the event that ``stop_s`` is the receipt of: ``speech_stopped`` or
            ``committed``.
        played_source: who says when the first sample was played: the speaker's ``playback`` report,
            else None. ``response_s`` and ``first_audio_s`` are receipts of the server's events, and
            ``sent_s`` is the session's own clock.
        commit_s: when the user's message was committed, or added if it was typed.
        transcript_ms: from then to the whole transcript.
        answer_ms: from ``response.created`` of the first response to ``response.done`` of the last.
        had_calls, interrupted: what else explains an unusual latency; look at such turns apart.
    """
    found = find_user_turns(conversation)
    moments = find_moments(found, clock, voices, _speech_ends(labels))
    rows = list(map(_latency_row, found, moments))
    return table(rows, _latency_row(_NO_TURN, _NO_MOMENTS))


def _latency_row(turn: UserTurn, moments: Moments) -> dict[str, object]:
    commit_s = turn.began_s
    done_s = max((r.done_s for r in turn.responses if r.done_s is not None), default=None)
    return {
        "turn": turn.number,
        **moments.parts_ms(),
        "latency_note": moments.note,
        "speech_end_source": moments.speech_end_source,
        "capture_source": moments.capture_source,
        "stop_source": moments.stop_source,
        "played_source": None if math.isnan(moments.played_s) else "playback",
        "parts_note": moments.parts_note,
        "speech_end_s": moments.speech_end_s,
        "sent_s": moments.sent_s,
        "stop_s": moments.stop_s,
        "commit_s": commit_s,
        "response_s": moments.response_s,
        "first_audio_s": moments.first_audio_s,
        "played_s": moments.played_s,
        "transcript_ms": between_ms(commit_s, turn.item.transcript_s),
        "answer_ms": between_ms(moments.response_s, done_s),
        "had_calls": bool(turn.calls),
        "interrupted": turn.interrupted,
    }


def speech(
    conversation: Conversation, clock: InputClock, voices: Voices | None = None
) -> pd.DataFrame:
    """Returns one row per stretch that turn detection took for speech.

    Columns:
        item_id: the user message that it became.
        source: who says so: ``server``.
        audio_start_ms, audio_end_ms: as reported, padding and silence window included, and with
            what was sent in former connections, which a server does not count.
        onset_ms, offset_ms, duration_ms: speech without them. Where these windows are unknown (with
            ``semantic_vad`` there are none that are fixed; padding is cut off at the beginning of
            the audio and at the turn before), it is where ``voices`` has it, else unknown.
        onset_source, offset_source: who says where it began and ended, ``server`` or
            ``offline_vad``.
        note: why one of them is unknown.
        onset_s, offset_s: the same two as moments, by when the audio was captured.
        started_s, stopped_s: when the server's reports arrived.
        detection: ``server_vad`` or ``semantic_vad``.
        threshold, prefix_padding_ms, silence_duration_ms: the settings in force when it began; the
            last when it ended.
    """
    rows = [_speech_row(heard, clock, voices) for heard in conversation.speech]
    return table(rows, _speech_row(Speech("", 0), InputClock(), None))


def _speech_row(heard: Speech, clock: InputClock, voices: Voices | None) -> dict[str, object]:
    settings = heard.turn_detection or {}
    at_stop = settings if heard.audio_end_ms is None else heard.stop_detection or {}
    found = boundaries_of(heard, voices)
    return {
        "item_id": heard.item_id,
        "source": "server",
        "audio_start_ms": heard.audio_start_ms,
        "audio_end_ms": or_nan(heard.audio_end_ms),
        "onset_ms": found.onset_ms,
        "offset_ms": found.offset_ms,
        "onset_source": found.onset_source,
        "offset_source": found.offset_source,
        "note": found.note,
        "duration_ms": found.offset_ms - found.onset_ms,
        "onset_s": clock.onset(found.onset_ms),
        "offset_s": clock.wall(found.offset_ms),
        "started_s": or_nan(heard.started_s),
        "stopped_s": or_nan(heard.stopped_s),
        "detection": settings.get("type"),
        "threshold": or_nan(settings.get("threshold")),
        "prefix_padding_ms": or_nan(settings.get("prefix_padding_ms")),
        "silence_duration_ms": or_nan(at_stop.get("silence_duration_ms")),
    }


def usage(conversation: Conversation) -> pd.DataFrame:
    """Returns one row per response with its tokens.

    Columns:
        turn: the user turn that it belongs to, NaN when none.
        response_id, status: which response, and how it ended.
        input_tokens, output_tokens, total_tokens: as the server counted them; NaN when it did not.
        cached_tokens: the part of the input that came from the cache.
        input_text_tokens, input_audio_tokens, cached_text_tokens, cached_audio_tokens,
        output_text_tokens, output_audio_tokens: the same, split.
    """
    numbers = {r.id: turn.number for turn in find_user_turns(conversation) for r in turn.responses}
    rows = [_usage_row(response, numbers) for response in conversation.responses.values()]
    return table(rows, _usage_row(Response(""), {}))


def _usage_row(response: Response, numbers: dict[str, int]) -> dict[str, object]:
    usage = response.usage or {}
    inputs, outputs = details_of(usage, "input"), details_of(usage, "output")
    cached = cached_split(inputs)
    return {
        "turn": or_nan(numbers.get(response.id)),
        "response_id": response.id,
        "status": response.status,
        "input_tokens": _tokens(usage, "input_tokens"),
        "cached_tokens": _tokens(inputs, "cached_tokens"),
        "output_tokens": _tokens(usage, "output_tokens"),
        "total_tokens": _tokens(usage, "total_tokens"),
        "input_text_tokens": _tokens(inputs, "text_tokens"),
        "input_audio_tokens": _tokens(inputs, "audio_tokens"),
        "cached_text_tokens": _tokens(cached, "text_tokens"),
        "cached_audio_tokens": _tokens(cached, "audio_tokens"),
        "output_text_tokens": _tokens(outputs, "text_tokens"),
        "output_audio_tokens": _tokens(outputs, "audio_tokens"),
    }


def _tokens(counts: JsonObject, name: str) -> float:
    return or_nan(count_of(counts.get(name)))


def _heard_text(turn: UserTurn, playback_known: bool) -> str | None:
    running = {response.id for response in turn.responses if response.active}
    parts: list[str] = []
    for item in turn.items:
        if item.truncated_ms is not None or item.audio_ms == 0 or not item.text:
            parts.append(item.heard_text)
            continue
        played_ms = (item.played_ms or 0.0) if playback_known else math.nan
        whole = played_ms >= item.audio_ms - UNHEARD_MS
        if math.isnan(played_ms) or math.isnan(item.audio_ms) or item.response_id in running:
            return None
        parts.append(item.text if whole else item.text_until(played_ms))
    return _joined(parts)


def _joined(texts: Iterable[str]) -> str:
    return " ".join(text for text in texts if text)


_NO_TURN = UserTurn(0, Item(""), "typed", None)
_NO_MOMENTS = next(find_moments([_NO_TURN], InputClock()))
