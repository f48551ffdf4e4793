"""Metrics of who spoke when: turns, talk, silence, what was heard, and the microphone."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from realtime_nb.analysis import figures
from realtime_nb.analysis.figures import Figure
from realtime_nb.analysis.input_health import InputHealth, input_health
from realtime_nb.analysis.interruptions import playback_spans
from realtime_nb.analysis.silences import long_silences, merged
from realtime_nb.analysis.turn_faults import phantom_turns, premature_cuts
from realtime_nb.analysis.user_turns import Turn, find_turns
from realtime_nb.analysis.voices import Span, common_spans, spans_length
from realtime_nb.protocol.conversation import Item

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = ["talk_figures"]

_NAN = math.nan
_SHORTEST_SPEECH_S = 1.0
"""A speech rate of less than a second of speech says nothing."""

_NO_INPUT = "there is no input audio"
_NO_OUTPUT = "what was played is not recorded"
_NO_PLAYBACK = "playback was not reported"


def talk_figures(rec: Recorded) -> dict[str, Figure]:
    """Every metric of who was audible when, as :mod:`realtime_nb.analysis.metrics` defines it."""
    found = find_turns(rec.conversation)
    return {
        "premature_cuts": _premature_cuts(rec, found),
        "agent_over_user": _agent_over_user(rec, found),
        **_talk(rec),
        **_silence(rec),
        **_unheard(rec),
        "speech_rate_wpm": _speech_rate(rec),
        **_phantoms(rec, found),
        **_input(rec),
    }


def _playback_known(rec: Recorded) -> bool:
    return any(item.played_ms is not None for item in rec.conversation.items.values())


# --- turns ---


def _premature_cuts(rec: Recorded, found: list[Turn]) -> Figure:
    if not any(turn.speech is not None for turn in found):
        return figures.unknown("count", "turn detection reported no speech")
    return figures.count(len(premature_cuts(rec)), "server")


def _agent_over_user(rec: Recorded, found: list[Turn]) -> Figure:
    if not len(rec.input):
        return figures.unknown("count", _NO_INPUT)
    if not _playback_known(rec):
        return figures.unknown("count", _NO_PLAYBACK)
    begun_s = [
        min((item.played_s for item in turn.items if item.played_s is not None), default=_NAN)
        for turn in found
    ]
    return figures.count(
        sum(_inside(moment_s, rec.voices.user) for moment_s in begun_s), rec.voices.source
    )


def _inside(moment_s: float, spans: list[Span]) -> bool:
    index = bisect_right(spans, moment_s, key=lambda span: span[0]) - 1
    return index >= 0 and moment_s < spans[index][1]


def _phantoms(rec: Recorded, found: list[Turn]) -> dict[str, Figure]:
    if not len(rec.input):
        return {
            "phantom_turns": figures.unknown("count", _NO_INPUT),
            "phantom_share": figures.unknown("share", _NO_INPUT),
        }
    committed = sum(turn.source == "speech" for turn in found)
    phantoms, source = len(phantom_turns(rec)), rec.voices.source
    return {
        "phantom_turns": figures.count(phantoms, source),
        "phantom_share": figures.share(phantoms, committed, source, "no user audio was committed"),
    }


# --- talk and silence ---


def _talk(rec: Recorded) -> dict[str, Figure]:
    voices = rec.voices
    user_s, agent_s = spans_length(voices.user), spans_length(voices.agent)
    both_s = spans_length(common_spans(voices.user, voices.agent))
    reason = _NO_INPUT if not len(rec.input) else None if len(rec.output) else _NO_OUTPUT
    lone: dict[str, Figure] = {
        "user_talk_s": figures.total((e - s for s, e in voices.user), "s", voices.source)
        if len(rec.input)
        else figures.unknown("s", _NO_INPUT),
        "agent_talk_s": figures.total((e - s for s, e in voices.agent), "s", "audio")
        if len(rec.output)
        else figures.unknown("s", _NO_OUTPUT),
    }
    if reason is not None:
        units = {"overlap_s": "s", "overlap_share": "share", "talk_ratio": "share"}
        return lone | {name: figures.unknown(unit, reason) for name, unit in units.items()}
    source = f"{voices.source} + audio"
    return lone | {
        "overlap_s": Figure(both_s, "s", source=source),
        "overlap_share": figures.share(both_s, rec.duration_s, source, "the session has no length"),
        "talk_ratio": figures.share(agent_s, agent_s + user_s, source, "nobody spoke"),
    }


def _silence(rec: Recorded) -> dict[str, Figure]:
    audible = merged(rec.voices.user, rec.voices.agent)
    reason = None
    if not len(rec.input):
        reason = _NO_INPUT
    elif not len(rec.output):
        reason = _NO_OUTPUT
    elif not audible:
        reason = "nobody spoke"
    if reason is not None:
        units = {"long_silences": "count", "silence_share": "share", "longest_silence_s": "s"}
        return {name: figures.unknown(unit, reason) for name, unit in units.items()}
    gaps = long_silences(audible, rec.duration_s)
    source = f"{rec.voices.source} + audio"
    return {
        "long_silences": figures.count(len(gaps), source),
        "silence_share": figures.share(
            spans_length(gaps), rec.duration_s - audible[0][0], source, "nobody spoke"
        ),
        "longest_silence_s": figures.largest(
            (end_s - start_s for start_s, end_s in gaps), "s", source, "no gap is longer than 2 s"
        ),
    }


# --- what was heard ---


def _unheard(rec: Recorded) -> dict[str, Figure]:
    if not _playback_known(rec):
        return {
            "unheard_ms": figures.unknown("ms", _NO_PLAYBACK),
            "over_remembered_ms": figures.unknown("ms", _NO_PLAYBACK),
            "underruns": figures.unknown("count", _NO_PLAYBACK),
            "underrun_ms": figures.unknown("ms", _NO_PLAYBACK),
        }
    spoken = [
        item
        for item in rec.conversation.items.values()
        if item.role == "assistant" and item.audio_ms > 0
    ]
    return {
        "unheard_ms": figures.total(
            (max(0.0, item.audio_ms - (item.played_ms or 0.0)) for item in spoken), "ms", "playback"
        ),
        "over_remembered_ms": figures.total(
            (max(0.0, _remembered_ms(item) - (item.played_ms or 0.0)) for item in spoken),
            "ms",
            "playback",
        ),
        "underruns": figures.count(sum(item.underruns for item in spoken), "playback"),
        "underrun_ms": figures.total(
            (_dry_ms(item) for item in spoken if item.underruns), "ms", "playback"
        ),
    }


def _remembered_ms(item: Item) -> float:
    return item.audio_ms if item.truncated_ms is None else float(item.truncated_ms)


def _dry_ms(item: Item) -> float:
    """How much longer its playback took than what was played; NaN while it is played."""
    if item.played_s is None or item.stopped_s is None:
        return _NAN
    return max(0.0, (item.stopped_s - item.played_s) * 1000 - (item.played_ms or 0.0))


def _speech_rate(rec: Recorded) -> Figure:
    if not len(rec.output):
        return figures.unknown("words/min", _NO_OUTPUT)
    agent = rec.voices.agent
    rates = []
    for (begin_s, end_s), item in playback_spans(rec.conversation, rec.duration_s):
        first = bisect_right(agent, begin_s, key=lambda span: span[1])
        last = bisect_left(agent, end_s, key=lambda span: span[0])
        voiced_s = spans_length(common_spans(agent[first:last], [(begin_s, end_s)]))
        if voiced_s >= _SHORTEST_SPEECH_S and item.text and item.audio_ms > 0:
            heard = min(1.0, (item.played_ms or 0.0) / item.audio_ms)
            rates.append(len(item.text.split()) * heard / (voiced_s / 60))
    reason = "no message was heard for a second" if _playback_known(rec) else _NO_PLAYBACK
    return figures.spread(rates, "words/min", "playback", reason)


# --- the microphone ---


def _input(rec: Recorded) -> dict[str, Figure]:
    health = input_health(rec.input, rec.voices.user_ms)
    reason = None if len(rec.input) else _NO_INPUT
    levels = {
        "input_level_dbfs": (health.level_dbfs, "dBFS", "no voice in the input"),
        "input_peak_dbfs": (health.peak_dbfs, "dBFS", ""),
        "clipping_share": (health.clipping_share, "share", ""),
        "noise_floor_dbfs": (health.noise_floor_dbfs, "dBFS", "the user never pauses"),
        "snr_db": (health.snr_db, "dB", _why_no_snr(health)),
    }
    return {
        name: figures.unknown(unit, reason or why)
        if math.isnan(value)
        else Figure(value, unit, source="audio")
        for name, (value, unit, why) in levels.items()
    }


def _why_no_snr(health: InputHealth) -> str:
    if not health.voiced_frames:
        return "no voice in the input"
    if not health.unvoiced_frames:
        return "the user never pauses"
    return "there is digital silence between the words"
