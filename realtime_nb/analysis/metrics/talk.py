"""Metrics of who spoke when: turns, talk, silence, what was heard, and the microphone."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from realtime_nb.analysis.input_health import InputHealth, input_health
from realtime_nb.analysis.interruptions import playback_spans
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import NO_INPUT, NO_OUTPUT, NO_PLAYBACK, Figure, gap
from realtime_nb.analysis.silences import long_silences, merged
from realtime_nb.analysis.table_cells import rest_ms
from realtime_nb.analysis.turn_faults import (
    count_undecided_cuts,
    find_phantom_turns,
    find_premature_cuts,
)
from realtime_nb.analysis.turn_moments import first_played_s
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.analysis.voices import TimeSpan, common_spans, spans_length
from realtime_nb.audio.levels import DIGITAL_SILENCE_DBFS
from realtime_nb.protocol.conversation import Item

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = ["talk_figures"]

_SHORTEST_SPEECH_S = 1.0
"""A speech rate of less than a second of speech says nothing."""


def talk_figures(rec: Recorded) -> dict[str, Figure]:
    """Returns every metric of who was audible when; see
    :data:`realtime_nb.analysis.metrics.definitions.DEFINITIONS`."""
    found = find_user_turns(rec.conversation)
    return {
        "premature_cuts": _premature_cuts(rec, found),
        "agent_over_user": _agent_over_user(rec, found),
        **_talk(rec),
        **_silence(rec),
        **_unheard_figures(rec),
        "speech_rate_wpm": _speech_rate(rec),
        **_phantoms(rec, found),
        **_input(rec),
    }


# --- what can't be known ---


def _lost(rec: Recorded, *types: str) -> str | None:
    """Tells whether events of some types could not be understood, in words."""
    found = [name for name in types if name in rec.conversation.malformed]
    return f"some {found[0]} events can't be understood" if found else None


def _no_user(rec: Recorded) -> str | None:
    """Returns why it is not known when the user was audible."""
    if not len(rec.sound("input")):
        return NO_INPUT
    return gap(rec, "input.wav", "input", "times", "events.jsonl")


def _no_agent(rec: Recorded) -> str | None:
    """Returns why it is not known when the agent was audible."""
    return gap(rec, "output.wav", "times") if len(rec.sound("output")) else NO_OUTPUT


def _no_playback(rec: Recorded) -> str | None:
    """Returns why nothing is known of what was played."""
    if not rec.conversation.playback_known:
        return gap(rec, "playback.jsonl") or NO_PLAYBACK
    return gap(rec, "events.jsonl")


def _no_turns(rec: Recorded) -> str | None:
    """Returns why the turns that were detected are not all there."""
    return gap(rec, "events.jsonl") or _lost(rec, *_DETECTION)


_AUDIO = "response.output_audio.delta"
_DETECTION = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
)


# --- turns ---


def _premature_cuts(rec: Recorded, found: list[UserTurn]) -> Figure:
    reason = _no_turns(rec) or gap(rec, "times")
    if reason is None and not any(turn.speech is not None for turn in found):
        reason = "turn detection reported no speech"
    if reason is None and count_undecided_cuts(rec):
        reason = gap(rec, "playback.jsonl", "output.wav") or NO_PLAYBACK
    if reason is not None:
        return figures.unknown("count", reason)
    return figures.count(len(find_premature_cuts(rec)), "server")


def _agent_over_user(rec: Recorded, found: list[UserTurn]) -> Figure:
    reason = _no_user(rec) or _no_playback(rec) or _no_turns(rec)
    if reason is not None:
        return figures.unknown("count", reason)
    begun_s = [first_played_s(turn.items) for turn in found]
    return figures.count(
        sum(_inside(moment_s, rec.voices.user) for moment_s in begun_s), rec.voices.source
    )


def _inside(moment_s: float, spans: list[TimeSpan]) -> bool:
    index = bisect_right(spans, moment_s, key=lambda span: span[0]) - 1
    return index >= 0 and moment_s < spans[index][1]


def _phantoms(rec: Recorded, found: list[UserTurn]) -> dict[str, Figure]:
    reason = _no_user(rec) or _no_turns(rec)
    if reason is not None:
        return figures.all_unknown({"phantom_turns": "count", "phantom_share": "share"}, reason)
    committed = sum(turn.source == "speech" for turn in found)
    phantoms, source = len(find_phantom_turns(rec)), rec.voices.source
    return {
        "phantom_turns": figures.count(phantoms, source),
        "phantom_share": figures.share(phantoms, committed, source, "no user audio was committed"),
    }


# --- talk and silence ---


def _talk(rec: Recorded) -> dict[str, Figure]:
    voices = rec.voices
    user_s, agent_s = spans_length(voices.user), spans_length(voices.agent)
    both_s = spans_length(common_spans(voices.user, voices.agent))
    no_user, no_agent = _no_user(rec), _no_agent(rec)
    lone: dict[str, Figure] = {
        "user_talk_s": figures.unless(
            no_user, figures.total((e - s for s, e in voices.user), "s", voices.source)
        ),
        "agent_talk_s": figures.unless(
            no_agent, figures.total((e - s for s, e in voices.agent), "s", "audio")
        ),
    }
    reason = no_user or no_agent
    if reason is not None:
        units = {"overlap_s": "s", "overlap_share": "share", "talk_ratio": "share"}
        return lone | figures.all_unknown(units, reason)
    source = f"{voices.source} + audio"
    return lone | {
        "overlap_s": Figure(both_s, "s", source=source),
        "overlap_share": figures.share(both_s, rec.duration_s, source, "the session has no length"),
        "talk_ratio": figures.share(agent_s, agent_s + user_s, source, "nobody spoke"),
    }


def _silence(rec: Recorded) -> dict[str, Figure]:
    audible = merged(rec.voices.user, rec.voices.agent)
    reason = _no_user(rec) or _no_agent(rec) or (None if audible else "nobody spoke")
    if reason is not None:
        units = {"long_silences": "count", "silence_share": "share", "longest_silence_s": "s"}
        return figures.all_unknown(units, reason)
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


def _unheard_figures(rec: Recorded) -> dict[str, Figure]:
    reason = _no_playback(rec)
    if reason is not None:
        units = dict.fromkeys(("unheard_ms", "over_remembered_ms", "underrun_ms"), "ms")
        return figures.all_unknown({**units, "underruns": "count"}, reason)
    spoken = [
        item
        for item in rec.conversation.items.values()
        if item.role == "assistant" and item.audio_ms != 0  # nor is NaN
    ]
    why = _lost(rec, _AUDIO) or gap(rec, "playback.jsonl", "output.wav") or NO_PLAYBACK
    cut = _lost(rec, "conversation.item.truncated")
    lost = gap(rec, "playback.jsonl")
    return {
        "unheard_ms": _sum_ms(
            (rest_ms(item.audio_ms, item.played_ms or 0.0) for item in spoken), why
        ),
        "over_remembered_ms": figures.unless(
            cut,
            _sum_ms((rest_ms(item.remembered_ms, item.played_ms or 0.0) for item in spoken), why),
        ),
        "underruns": figures.unless(
            lost, figures.count(sum(item.underruns for item in spoken), "playback")
        ),
        "underrun_ms": figures.unless(
            lost,
            figures.total((_dry_ms(item) for item in spoken if item.underruns), "ms", "playback"),
        ),
    }


def _sum_ms(values: Iterable[float], reason: str) -> Figure:
    """Returns a sum, which is not known unless all of it is."""
    parts = list(values)
    if any(math.isnan(part) for part in parts):
        return figures.unknown("ms", reason)
    return figures.total(parts, "ms", "playback")


def _dry_ms(item: Item) -> float:
    """Returns how much longer its playback took than what was played; NaN while it is played."""
    if item.played_s is None or item.stopped_s is None:
        return math.nan
    return max(0.0, (item.stopped_s - item.played_s) * 1000 - (item.played_ms or 0.0))


def _speech_rate(rec: Recorded) -> Figure:
    reason = _no_agent(rec)
    if reason is not None:
        return figures.unknown("words/min", reason)
    agent = rec.voices.agent
    rates = []
    for (begin_s, end_s), item in playback_spans(rec.conversation, rec.duration_s):
        first = bisect_right(agent, begin_s, key=lambda span: span[1])
        last = bisect_left(agent, end_s, key=lambda span: span[0])
        voiced_s = spans_length(common_spans(agent[first:last], [(begin_s, end_s)]))
        words = _words_heard(rec, item)
        if voiced_s >= _SHORTEST_SPEECH_S and words > 0:  # nor is NaN
            rates.append(words / (voiced_s / 60))
    reason = gap(rec, "playback.jsonl") or "no message was heard for a second"
    if not rec.conversation.playback_known:
        reason = _no_playback(rec) or reason
    return figures.spread(rates, "words/min", "playback", reason)


def _words_heard(rec: Recorded, item: Item) -> float:
    """Returns how many of its words were heard, that in the middle by its share; NaN where more
    audio of them was to come."""
    response = rec.conversation.responses.get(item.response_id or "")
    known = item.audio_ms > 0 and (response is None or not response.active)
    return item.words.words_until(item.played_ms or 0.0) if known else math.nan


# --- the microphone ---


def _input(rec: Recorded) -> dict[str, Figure]:
    health = input_health(rec.sound("input"), rec.voices.user_ms)
    reason = gap(rec, "input.wav", "input") if len(rec.sound("input")) else NO_INPUT
    levels = {
        "input_level_dbfs": (health.level_dbfs, "dBFS", "no voice in the input"),
        "input_peak_dbfs": (health.peak_dbfs, "dBFS", ""),
        "clipping_share": (health.clipping_share, "share", ""),
        "noise_floor_dbfs": (health.noise_floor_dbfs, "dBFS", "the user never pauses"),
        "snr_db": (health.snr_db, "dB", _why_no_snr(health)),
    }
    return {
        name: figures.unknown(unit, reason or why)
        if reason is not None or math.isnan(value)
        else Figure(value, unit, source="audio")
        for name, (value, unit, why) in levels.items()
    }


def _why_no_snr(health: InputHealth) -> str:
    if not health.voiced_frames:
        return "no voice in the input"
    if not health.unvoiced_frames:
        return "the user never pauses"
    if health.noise_floor_dbfs > DIGITAL_SILENCE_DBFS:
        return "the voice is not louder than the noise"
    return "there is digital silence between the words"
