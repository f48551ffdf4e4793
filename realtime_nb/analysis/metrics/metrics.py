"""The figures by which voice agents are judged, each with how it was come by.

:data:`DEFINITIONS` says what each of them is. Turns with function calls are never in one percentile
with turns without; what can't be known is NaN with a reason, never 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import Figure
from realtime_nb.analysis.metrics.latency import latency_figures
from realtime_nb.analysis.metrics.session import ERROR_PREFIX, session_figures
from realtime_nb.analysis.metrics.talk import talk_figures
from realtime_nb.analysis.pace import ENGINE_METRICS, pace_note

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = ["DEFINITIONS", "METRIC_COLUMNS", "metrics"]

METRIC_COLUMNS = ("value", "unit", "n", "p50", "p90", "p95", "min", "max", "reason", "source")

DEFINITIONS: dict[str, str] = {
    "latency_ms": "Voice to voice: from the end of the user's speech to the first sample played of "
    "the answer, in spoken turns without function calls. Their median is the latency of cards, "
    "reports, comparisons and realtime-nb talk, too.",
    "uplink_ms": "Of that: from the capture of the end of speech to the sending of its chunk.",
    "endpoint_wait_ms": "Of that: until speech_stopped (or the commit, without turn detection).",
    "commit_wait_ms": "Of that: until response.created.",
    "model_first_audio_ms": "Of that: until the first audio of the answer.",
    "playout_ms": "Of that: until its first sample was played.",
    "latency_undisturbed_ms": "latency_ms of turns that are neither the first nor were "
    "interrupted.",
    "latency_interrupted_ms": "latency_ms of turns whose answer was cut short.",
    "latency_first_turn_ms": "latency_ms of the first spoken turn, which has to warm up.",
    "latency_with_calls_ms": "Voice to voice, in turns with function calls.",
    "first_audio_ms": "Where the agent speaks first: from the opening of the connection to the "
    "first sample played.",
    "session_created_ms": "From the opening of the connection to session.created.",
    "session_updated_ms": "From session.created to the first session.updated.",
    "update_to_first_audio_ms": "Where the agent speaks first: from the first session.updated to "
    "its first audio.",
    "answer_ms": "Generation: from response.created to response.done, of completed responses.",
    "speaking_ms": "From the first sample played of a message to the last.",
    "transcript_ms": "From the commit of the user's audio to its transcript.",
    "tool_decide_ms": "From response.created to the whole arguments of a function call.",
    "tool_queue_ms": "From the whole arguments until the function began to run.",
    "tool_run_ms": "From there to the end of its run; where that was not recorded, from the whole "
    "arguments to the sending of the output.",
    "tool_send_ms": "From the end of its run to the sending of the output.",
    "tool_others_ms": "From there to the last output of the calls that one answer followed: "
    "waiting for slower ones.",
    "tool_resume_ms": "From that last output to the first audio after it.",
    "silent_tool_gap_ms": "The longest span with nobody audible between the whole arguments of a "
    "function call and the first audio after its output; of calls that one answer followed, once.",
    "tool_errors": "Function calls that failed.",
    "tool_timeouts": "Function calls that took too long.",
    "tool_late": "Function calls whose output came after the user had taken the floor.",
    "tool_orphans": "Function calls without an output.",
    "interruptions": "Messages of the agent that were stopped by the user's speech, or what passed "
    "for it, while they were played.",
    "stopped_by_program": "Messages of the agent that were stopped while nobody spoke.",
    "false_interruptions": "Of these, those that nobody meant; the next five by cause.",
    "false_interruptions_empty": "The user's speech has no words.",
    "false_interruptions_phantom_phrase": "Words that speech recognition makes of noise.",
    "false_interruptions_short": "Speech of less than 250 ms.",
    "false_interruptions_echo": "The agent's own voice.",
    "false_interruptions_backchannel": "A word that does not ask for the floor.",
    "false_interruption_share": "False interruptions by interruptions.",
    "missed_barge_ins": "Speech of 300 ms and more over the agent, not its echo, of which the "
    "server reported nothing.",
    "late_barge_ins": "Such speech that the server reported, but after more than 500 ms.",
    "barge_in_response_ms": "From the user's onset to the agent's last sample played.",
    "barge_in_detection_ms": "Of that: until the receipt of speech_started.",
    "barge_in_flush_ms": "Of that: from there on.",
    "barge_in_success_share": "Barge-ins (not false) after which the agent fell silent within "
    "500 ms, by those of which that is known and those that did not stop it.",
    "premature_cuts": "Turns that were ended in the middle: the user went on within 1.2 s of "
    "speech_stopped and before 500 ms of the reply were played, and the reply was cut or the words "
    "continue the sentence.",
    "agent_over_user": "Answers that began to be played while the user was speaking.",
    "overlap_s": "Time in which both are audible.",
    "overlap_share": "That by the length of the session.",
    "user_talk_s": "Time in which the user is audible.",
    "agent_talk_s": "Time in which the agent is audible, as played.",
    "talk_ratio": "The agent's time by the time of both.",
    "long_silences": "Gaps of more than 2 s in which nobody is audible, after the first speech.",
    "silence_share": "Their length by that of the session after the first speech.",
    "longest_silence_s": "The longest of them.",
    "unheard_ms": "The agent's audio that was received and not played, summed over its messages.",
    "unheard_tokens": "The audio tokens that were paid for it, by audio tokens of each response, "
    "in the proportion of its audio.",
    "over_remembered_ms": "What the model believes that it said and nobody heard: up to the "
    "truncation, else all that was received, less what was played; summed over its messages.",
    "speech_rate_wpm": "Words heard of a message by the minutes in which it is audible.",
    "phantom_turns": "Committed user messages with less than 150 ms of voice.",
    "phantom_share": "These by all committed user messages.",
    "underruns": "How often the playing device ran dry in the middle of a message.",
    "underrun_ms": "For how long: from the first sample played of such messages to the last, less "
    "what was played.",
    "input_lost_ms": "Audio that the computer's microphone lost, or that was dropped because it "
    "was taken too late.",
    "input_level_dbfs": "RMS of the user's voice.",
    "input_peak_dbfs": "The loudest sample of the input.",
    "clipping_share": "Share of the input's samples at full scale.",
    "noise_floor_dbfs": "10th percentile of the level where the user is not speaking.",
    "snr_db": "The level of the voice over the noise floor.",
    "context_tokens": "Input tokens of a response: what it read of the conversation before it.",
    "context_growth_tokens": "By how much they grew from a turn to the next, by the last response "
    "of each.",
    "cached_share": "Of all input tokens, those from the cache.",
    "turn_usd": "Cost of a turn: its responses and the transcription of the user.",
    "minute_usd": "The session's cost by its minutes.",
    "talk_minute_usd": "The session's cost by minutes in which the user or the agent spoke.",
    "errors": "error events of the server; of each code, in rows of their own.",
    "errors_benign": "Of these, those that a race brings about and that change nothing.",
    "reconnects": "session.created events after the first.",
}
"""What each metric is. After ``errors_benign`` there is a row ``errors.<code>`` for each code."""

_SUCCESS_MS = 500.0
_FALSE_CAUSES = ("empty", "phantom_phrase", "short", "echo", "backchannel")


def metrics(rec: Recorded) -> pd.DataFrame:
    """Returns one row per metric of :data:`DEFINITIONS`, and per code of the errors, by name.

    Columns:
        value: the headline: the median of a duration or a rate, else a count, a sum or a share.
        unit: ``ms``, ``s``, ``count``, ``share`` (0 to 1), ``tokens``, ``usd``, ``dBFS``, ``dB`` or
            ``words/min``.
        n: how many values there are behind it; 0 for plain counts and shares.
        p50, p90, p95, min, max: of these values; NaN when there are none.
        reason: why ``value`` is NaN.
        source: whose word it is: ``server``, ``offline_vad``, ``label``, ``playback``, ``audio``,
            ``client``, ``microphone``; with ``simulated`` where a time is that of the local server.
    """
    import pandas as pd

    found: dict[str, Figure] = {}
    found |= latency_figures(rec)
    found |= _interruption_figures(rec)
    found |= talk_figures(rec)
    found |= _server_figures(rec)
    found |= session_figures(rec)
    note = pace_note(rec.header)
    if note is not None:
        found |= {name: figures.unknown("ms", note) for name in ENGINE_METRICS}
    names = list(DEFINITIONS)
    after = names.index("errors_benign") + 1
    names[after:after] = [name for name in found if name.startswith(ERROR_PREFIX)]
    rows = [found[name].row() for name in names]
    return pd.DataFrame(rows, index=pd.Index(names, name="metric"), columns=METRIC_COLUMNS)


def _server_figures(rec: Recorded) -> dict[str, Figure]:
    if not rec.conversation.events_applied:
        return figures.all_unknown({"errors": "count", "reconnects": "count"}, figures.NO_EVENTS)
    sessions = rec.conversation.sessions
    reconnects = (
        figures.count(sessions - 1, "server")
        if sessions
        else figures.unknown("count", "the beginning of the session was not recorded")
    )
    return {
        "errors": figures.count(len(rec.conversation.errors), "server"),
        "reconnects": reconnects,
    }


def _interruption_figures(rec: Recorded) -> dict[str, Figure]:
    if not rec.conversation.events_applied:
        return _no_interruption_figures(figures.NO_EVENTS)
    lost = figures.gap(rec, "events.jsonl", "playback.jsonl")
    if lost is not None:
        return _no_interruption_figures(lost)
    table = rec.interruptions()
    stopped = table[table.kind == "interruption"]
    cut = stopped[stopped.cause != "program"]
    false = cut[cut["false"].astype(bool)]
    by_cause = {
        f"false_interruptions_{cause}": figures.count(int((false.cause == cause).sum()), "server")
        for cause in _FALSE_CAUSES
    }
    return {
        "interruptions": figures.count(len(cut), "server"),
        "stopped_by_program": figures.count(len(stopped) - len(cut), "server"),
        "false_interruptions": figures.count(len(false), "server"),
        **by_cause,
        "false_interruption_share": figures.share(
            len(false), len(cut), "server", "there were no interruptions"
        ),
        **_barge_in_figures(rec, table),
    }


def _no_interruption_figures(reason: str) -> dict[str, Figure]:
    by_cause = (f"false_interruptions_{cause}" for cause in _FALSE_CAUSES)
    counts = (
        *("interruptions", "stopped_by_program", "false_interruptions"),
        *("missed_barge_ins", "late_barge_ins"),
    )
    times = ("barge_in_response_ms", "barge_in_detection_ms", "barge_in_flush_ms")
    shares = ("false_interruption_share", "barge_in_success_share")
    units = {**dict.fromkeys((*counts, *by_cause), "count"), **dict.fromkeys(times, "ms")}
    units |= dict.fromkeys(shares, "share")
    return figures.all_unknown(units, reason)


def _barge_in_figures(rec: Recorded, table: pd.DataFrame) -> dict[str, Figure]:
    missed, late = (table[table.kind == kind] for kind in ("missed", "late"))
    spoken = table[(table.kind == "interruption") & (table.cause != "program")]
    meant = spoken[spoken.cause == "user"]
    known_ms = meant.response_ms.dropna()
    in_time = int((known_ms <= _SUCCESS_MS).sum())
    in_vain = len(missed) + int((~late.user_item.isin(spoken.user_item)).sum())
    untimed = figures.gap(rec, "times")
    reason = untimed or _why_nothing_is_missed(rec)
    unknown_stop = untimed or _UNKNOWN_STOP
    none = "nobody interrupted the agent"
    whose = " + ".join(sorted({str(one) for one in spoken.source.dropna()})) or "server"
    return {
        "missed_barge_ins": figures.unless(reason, figures.count(len(missed), rec.voices.source)),
        "late_barge_ins": figures.unless(reason, figures.count(len(late), rec.voices.source)),
        "barge_in_response_ms": figures.spread(
            spoken.response_ms, "ms", "playback", none if spoken.empty else unknown_stop
        ),
        "barge_in_detection_ms": figures.spread(
            spoken.detection_ms,
            "ms",
            whose + (", simulated" if rec.simulated else ""),
            none if spoken.empty else untimed or "when the user began to speak is unknown",
        ),
        "barge_in_flush_ms": figures.spread(
            spoken.flush_ms, "ms", "playback", none if spoken.empty else unknown_stop
        ),
        "barge_in_success_share": figures.unless(
            reason,
            figures.share(
                in_time, len(known_ms) + in_vain, "playback", none if meant.empty else unknown_stop
            ),
        ),
    }


_UNKNOWN_STOP = "when the agent fell silent is unknown"


def _why_nothing_is_missed(rec: Recorded) -> str | None:
    """Returns why it can't be known whether a barge-in was missed."""
    if not len(rec.input):
        return figures.NO_INPUT
    lost = figures.gap(rec, "input.wav", "input")
    if lost is not None:
        return lost
    if all(item.played_s is None for item in rec.conversation.items.values()):
        return figures.NO_PLAYBACK
    if rec.conversation.turn_detection is None and not rec.conversation.speech:
        return "turn detection was off"
    return None
