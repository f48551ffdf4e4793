"""Tables of a conversation: turns, latency, calls, speech, token usage.

Everything here is computed from a folded :class:`~realtime_nb.protocol.conversation.Conversation`
and from when its audio was sent. What each column is, :mod:`realtime_nb.analysis.columns` says, and
``attrs["columns"]`` of every table. What is not known is missing, never 0.

Latency is measured from ``E``, when the user's voice ended by the audio itself (see
:mod:`realtime_nb.audio.speech_ends`; ``speech_end_source`` says who knows), to ``P1``, when the
first sample of the answer was played. Its parts are cut where the audio of that end was sent
(``SENT``) and at the receipt of ``speech_stopped`` (``STOP``), of
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
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.connection_gaps import gap_spans
from realtime_nb.analysis.function_calls import calls
from realtime_nb.analysis.latency_rows import latency_row
from realtime_nb.analysis.table_cells import or_nan, rest_ms
from realtime_nb.analysis.turn_moments import (
    AUDIO_LOST,
    SPEECH_END_LABEL,
    Moments,
    boundaries_of,
    doubt_of,
    find_moments,
)
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.analysis.voices import Voices
from realtime_nb.protocol.conversation import Conversation, Response, Speech
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.records import UNHEARD_MS
from realtime_nb.protocol.reported_usage import cached_split, count_of, details_of
from realtime_nb.protocol.word_times import HeardSource

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "calls",
    "is_untold",
    "latency",
    "needs_voices",
    "speech",
    "turns",
    "usage",
]


def is_untold(conversation: Conversation) -> bool:
    """Tells whether there is speech whose beginning or end no server reported.

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


def needs_voices(conversation: Conversation) -> bool:
    """Tells whether anything was said whose end is to be found in the audio."""
    return bool(conversation.speech) or any(
        item.committed_s is not None for item in conversation.items.values()
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
        voices: what the offline detector hears, if anything was said (see :func:`needs_voices`);
            without it, speech ends where the server said.
        labels: marks with ``t_s`` and ``text``. One that says ``speech end`` is taken for the end
            of the user's speech in the turn that it belongs to.
    """
    timed = _timed_turns(conversation, clock, voices, labels)
    return frame("turns", [_turn_row(conversation, turn, moments) for turn, moments in timed])


def _timed_turns(
    conversation: Conversation,
    clock: InputClock,
    voices: Voices | None,
    labels: pd.DataFrame | None,
) -> Iterator[tuple[UserTurn, Moments]]:
    """Yields the turns with their moments."""
    found = find_user_turns(conversation)
    gaps = gap_spans(conversation)
    return zip(found, find_moments(found, clock, voices, _speech_ends(labels), gaps), strict=True)


def _speech_ends(labels: pd.DataFrame | None) -> Sequence[float]:
    if labels is None:
        return ()
    found: list[float] = labels.t_s[labels.text == SPEECH_END_LABEL].tolist()
    return found


def _turn_row(conversation: Conversation, turn: UserTurn, moments: Moments) -> dict[str, object]:
    speech = turn.speech
    audio_ms = sum(item.audio_ms for item in turn.items)
    if any(response.doubt for response in turn.responses):
        audio_ms = math.nan
    played_ms = conversation.played_ms(turn.items)
    last = turn.responses[-1] if turn.responses else None
    heard_text, heard_source = _heard(turn, conversation.playback_known)
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
        "server_offset_ms": or_nan(speech.offset_ms if speech else None),
        "response_ids": [response.id for response in turn.responses],
        "agent_items": [item.id for item in turn.items],
        "agent_text": _joined(item.text for item in turn.items),
        "heard_text": heard_text,
        "heard_source": heard_source,
        "interrupted": turn.interrupted,
        "status": last and last.status,
        "reason": last and last.reason,
        "calls": [call.name for call in turn.calls],
        "audio_ms": audio_ms,
        "played_ms": played_ms,
        "unheard_ms": rest_ms(audio_ms, played_ms),
        "audio_note": _audio_note(conversation, turn, audio_ms, played_ms),
        "speech_note": "typed" if turn.source == "typed" else moments.boundaries.note,
        **moments.parts_ms(),
        "latency_note": moments.note,
        "speech_end_source": moments.speech_end_source,
        "capture_source": moments.capture_source,
        "parts_note": moments.parts_note,
    }


def _audio_note(
    conversation: Conversation, turn: UserTurn, audio_ms: float, played_ms: float
) -> str | None:
    """Returns why it is not known how much of the answer there was, or was heard."""
    if math.isnan(audio_ms):
        return doubt_of(turn) or conversation.gaps.get("output") or AUDIO_LOST
    if math.isnan(played_ms):
        return "playback was not reported"
    if any(response.active for response in turn.responses):
        return "it was still spoken when the session ended"
    return None if turn.items else "there was no answer"


def latency(
    conversation: Conversation,
    clock: InputClock,
    voices: Voices | None = None,
    labels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Returns one row per user turn with its moments, and the durations between them.

    Args:
        conversation, clock, voices, labels: as for :func:`turns`.
    """
    timed = _timed_turns(conversation, clock, voices, labels)
    return frame("latency", [latency_row(turn, moments) for turn, moments in timed])


def speech(
    conversation: Conversation, clock: InputClock, voices: Voices | None = None
) -> pd.DataFrame:
    """Returns one row per stretch that turn detection took for speech."""
    return frame("speech", [_speech_row(heard, clock, voices) for heard in conversation.speech])


def _speech_row(heard: Speech, clock: InputClock, voices: Voices | None) -> dict[str, object]:
    settings = heard.turn_detection or {}
    at_stop = settings if heard.audio_end_ms is None else heard.stop_detection or {}
    found = boundaries_of(heard, voices)
    onset_s, offset_s = clock.onset(found.onset_ms), clock.wall(found.offset_ms)
    return {
        "item_id": heard.item_id,
        "source": "server",
        "audio_start_ms": heard.audio_start_ms,
        "audio_end_ms": or_nan(heard.audio_end_ms),
        "onset_ms": found.onset_ms,
        "offset_ms": found.offset_ms,
        "onset_source": found.onset_source,
        "offset_source": found.offset_source,
        "note": found.note or _uncaptured_note(onset_s, offset_s),
        "duration_ms": found.offset_ms - found.onset_ms,
        "onset_s": onset_s,
        "offset_s": offset_s,
        "started_s": or_nan(heard.started_s),
        "stopped_s": or_nan(heard.stopped_s),
        "detection": settings.get("type"),
        "threshold": or_nan(settings.get("threshold")),
        "prefix_padding_ms": or_nan(settings.get("prefix_padding_ms")),
        "silence_duration_ms": or_nan(at_stop.get("silence_duration_ms")),
    }


def _uncaptured_note(onset_s: float, offset_s: float) -> str | None:
    lost = [name for name, t_s in (("onset", onset_s), ("offset", offset_s)) if math.isnan(t_s)]
    return f"when the audio of {' and '.join(lost)} was captured is unknown" if lost else None


def usage(conversation: Conversation) -> pd.DataFrame:
    """Returns one row per response with its tokens."""
    numbers = {r.id: turn.number for turn in find_user_turns(conversation) for r in turn.responses}
    rows = [_usage_row(response, numbers) for response in conversation.responses.values()]
    return frame("usage", rows)


def _usage_row(response: Response, numbers: dict[str, int]) -> dict[str, object]:
    usage = response.usage or {}
    inputs, outputs = details_of(usage, "input"), details_of(usage, "output")
    cached = cached_split(inputs)
    counts = {
        "input_tokens": count_of(usage.get("input_tokens")),
        "cached_tokens": count_of(inputs.get("cached_tokens")),
        "output_tokens": count_of(usage.get("output_tokens")),
        "total_tokens": count_of(usage.get("total_tokens")),
        "input_text_tokens": count_of(inputs.get("text_tokens")),
        "input_audio_tokens": count_of(inputs.get("audio_tokens")),
        "cached_text_tokens": count_of(cached.get("text_tokens")),
        "cached_audio_tokens": count_of(cached.get("audio_tokens")),
        "output_text_tokens": count_of(outputs.get("text_tokens")),
        "output_audio_tokens": count_of(outputs.get("audio_tokens")),
    }
    return {
        "turn": numbers.get(response.id),
        "response_id": response.id,
        "status": response.status,
        **counts,
        "note": _usage_note(response, counts),
    }


def _usage_note(response: Response, counts: dict[str, int | None]) -> str | None:
    """Returns which tokens are not known, and why."""
    lost = [name for name, count in counts.items() if count is None]
    if lost and response.active:
        return "it was still running when the session ended"
    if len(lost) == len(counts):
        return "the server reported no token counts"
    return f"the server reported no {', '.join(lost)}" if lost else None


def _heard(turn: UserTurn, playback_known: bool) -> tuple[str | None, HeardSource | None]:
    """Returns what was heard of an answer, and how the last word of it is known."""
    running = {response.id for response in turn.responses if response.active}
    parts: list[str] = []
    source: HeardSource = "whole"
    for item in turn.items:
        if item.silent:
            parts.append(item.heard_text)
            continue
        ms = math.inf if item.truncated_ms is None else float(item.truncated_ms)
        if item.truncated_ms is None and item.audio_ms != 0 and item.text:
            ms = (item.played_ms or 0.0) if playback_known else math.nan
            if math.isnan(ms) or item.response_id in running:
                return None, None
            if ms >= item.voiced_ms - UNHEARD_MS and item.spoken_whole:
                ms = math.inf
        parts.append(item.text if ms == math.inf else item.text_until(ms))
        source = source if ms == math.inf else item.heard_source(ms)
    return _joined(parts), source


def _joined(texts: Iterable[str]) -> str:
    return " ".join(text for text in texts if text)
