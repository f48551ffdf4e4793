"""What each metric is, whose word, and when it can't be known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from realtime_nb.analysis.columns.column import unit_of

__all__ = ["DEFINITIONS", "ERRORS", "ERROR_PREFIX", "Metric"]

ERRORS = "Errors"
"""The group that has a row for each code as well."""

_TALK, _HEARD = "Turns and talk", "What was heard"

ERROR_PREFIX = "errors."
"""With what the names of the metrics begin that count the errors of a code."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The definition of a metric.

    Attributes:
        name: in ``rec.metrics()``.
        group: with which it is shown.
        meaning: what it is.
        source: whose word it is; where the local server answered, its times are ``simulated``.
        missing: when it is NaN; ``reason`` says which of these it is.
    """

    name: str
    group: str
    meaning: str
    source: str
    missing: str

    @property
    def unit(self) -> str:
        """As its name has it; of a plain number, ``count``."""
        return unit_of(self.name) or "count"


def _group(group: str, source: str, missing: str, *own: tuple[str, ...]) -> Iterator[Metric]:
    """Yields the metrics of a group: each with its name and meaning and, where they are not those
    of the group, with when it is missing and whose word it is."""
    for name, meaning, *other in own:
        when, whose = [*other, *(missing, source)[len(other) :]]
        yield Metric(name, group, meaning, whose, when)


_METRICS = (
    *_group(
        "Latency",
        "speech_end_source, and the playing device",
        "there is no such turn, or of none both moments are known",
        (
            "latency_ms",
            "Voice to voice: from the end of the user's speech to the first sample played "
            "of the answer, in spoken turns without function calls. Their median is the "
            "latency of cards, reports, comparisons and realtime-nb talk, too.",
        ),
        (
            "uplink_ms",
            "Of that: from the capture of the end of speech to the sending of its chunk.",
        ),
        (
            "endpoint_wait_ms",
            "Of that: until speech_stopped (or the commit, without turn detection).",
        ),
        (
            "commit_wait_ms",
            "Of that: until response.created.",
        ),
        (
            "model_first_audio_ms",
            "Of that: until the first audio of the answer.",
        ),
        (
            "playout_ms",
            "Of that: until its first sample was played.",
        ),
        (
            "latency_undisturbed_ms",
            "latency_ms of turns that are neither the first nor were interrupted.",
        ),
        (
            "latency_interrupted_ms",
            "latency_ms of turns whose answer was cut short.",
        ),
        (
            "latency_first_turn_ms",
            "latency_ms of the first spoken turn, which has to warm up.",
        ),
        (
            "latency_with_calls_ms",
            "Voice to voice, in turns with function calls.",
        ),
        (
            "first_audio_ms",
            "Where the agent speaks first: from the opening of the connection to the first "
            "sample played.",
            "the agent did not speak first, or when the connection opened is not in the log",
            "server",
        ),
    ),
    *_group(
        "Server",
        "server",
        "one of the two did not come, or a log does not tell when",
        (
            "session_created_ms",
            "From the opening of the connection to session.created.",
        ),
        (
            "session_updated_ms",
            "From session.created to the first session.updated.",
        ),
        (
            "update_to_first_audio_ms",
            "Where the agent speaks first: from the first session.updated to its first audio.",
            "the agent did not speak first, or the session was not configured before",
        ),
        (
            "answer_ms",
            "Generation: from response.created to response.done, of completed responses.",
            "no response was completed",
        ),
        (
            "speaking_ms",
            "From the first sample played of a message to the last.",
            "nothing was heard to the end",
            "playback",
        ),
        (
            "transcript_ms",
            "From the commit of the user's audio to its transcript.",
            "nothing was transcribed",
        ),
    ),
    *_group(
        "Function calls",
        "client",
        "no function was called, or of no call both moments are recorded",
        (
            "tool_decide_ms",
            "From response.created to the whole arguments of a function call.",
            "no function was called, or of no call both moments are recorded",
            "server",
        ),
        (
            "tool_queue_ms",
            "From the whole arguments until the function began to run.",
        ),
        (
            "tool_run_ms",
            "From there to the end of its run; where that was not recorded, from the whole "
            "arguments to the sending of the output.",
        ),
        (
            "tool_send_ms",
            "From the end of its run to the sending of the output.",
        ),
        (
            "tool_others_ms",
            "From there to the last output of the calls that one answer followed: waiting "
            "for slower ones.",
            "no answer followed a call",
        ),
        (
            "tool_resume_ms",
            "From that last output to the first audio after it.",
            "no answer followed a call",
            "server",
        ),
        (
            "silent_tool_gap_ms",
            "The longest span with nobody audible between the whole arguments of a function"
            " call and the first audio after its output; of calls that one answer followed,"
            " once.",
            "no answer followed a call, or it is not known when somebody was audible",
            "audio",
        ),
        (
            "tool_errors",
            "Function calls that failed.",
            "there are no events",
            "server",
        ),
        (
            "tool_timeouts",
            "Function calls that took too long.",
            "there are no events",
            "server",
        ),
        (
            "tool_late",
            "Function calls whose output came after the user had taken the floor.",
            "there are no events",
            "server",
        ),
        (
            "tool_orphans",
            "Function calls without an output.",
            "there are no events",
            "server",
        ),
    ),
    *_group(
        "Interruptions",
        "server",
        "there are no events, or what tells it is missing from the recording",
        (
            "interruptions",
            "Messages of the agent that were stopped by the user's speech, or what passed "
            "for it, while they were played.",
        ),
        (
            "stopped_by_program",
            "Messages of the agent that were stopped while nobody spoke.",
        ),
        (
            "false_interruptions",
            "Of these, those that nobody meant; the next five by cause.",
        ),
        (
            "false_interruptions_empty",
            "The user's speech has no words.",
        ),
        (
            "false_interruptions_phantom_phrase",
            "Words that speech recognition makes of noise.",
        ),
        (
            "false_interruptions_short",
            "Speech of less than 250 ms.",
        ),
        (
            "false_interruptions_echo",
            "The agent's own voice.",
        ),
        (
            "false_interruptions_backchannel",
            "A word that does not ask for the floor.",
        ),
        (
            "false_interruption_share",
            "False interruptions by interruptions.",
            "there were no interruptions, or it is not known",
        ),
        (
            "missed_barge_ins",
            "Speech of 300 ms and more over the agent, not its echo, of which the server "
            "reported nothing.",
            "there is no input audio, playback was not reported, or turn detection was off",
            "offline_vad",
        ),
        (
            "late_barge_ins",
            "Such speech that the server reported, but after more than 500 ms.",
            "there is no input audio, playback was not reported, or turn detection was off",
            "offline_vad",
        ),
        (
            "barge_in_response_ms",
            "From the user's onset to the agent's last sample played.",
            "nobody interrupted the agent, or one of the two moments is unknown",
            "playback",
        ),
        (
            "barge_in_detection_ms",
            "Of that: until the receipt of speech_started.",
            "nobody interrupted the agent, or one of the two moments is unknown",
            "source of each interruption",
        ),
        (
            "barge_in_flush_ms",
            "Of that: from there on.",
            "nobody interrupted the agent, or one of the two moments is unknown",
            "playback",
        ),
        (
            "barge_in_success_share",
            "Barge-ins (not false) after which the agent fell silent within 500 ms, by "
            "those of which that is known and those that did not stop it.",
            "nobody interrupted the agent, or it is not known what was missed",
            "playback",
        ),
    ),
    *_group(
        _TALK,
        "offline_vad, audio",
        "the audio of one of the two was not recorded in full",
        (
            "premature_cuts",
            "Turns that were ended in the middle: the user went on before 1.2 s after "
            "speech_stopped and before 500 ms of the reply were played, and the reply was "
            "cut or the words continue the sentence.",
            "turn detection reported no speech, or it is not known what of the reply was heard",
            "server",
        ),
        (
            "agent_over_user",
            "Answers that began to be played while the user was speaking.",
            "the audio of one of the two was not recorded in full",
            "offline_vad",
        ),
        (
            "overlap_s",
            "Time in which both are audible.",
        ),
        (
            "overlap_share",
            "That by the length of the session.",
            "the audio of one of the two was not recorded in full",
        ),
        (
            "user_talk_s",
            "Time in which the user is audible.",
            "the input audio was not recorded in full",
            "offline_vad",
        ),
        (
            "agent_talk_s",
            "Time in which the agent is audible, as played.",
            "what was played was not recorded in full",
            "audio",
        ),
        (
            "talk_ratio",
            "The agent's time by the time of both.",
        ),
        (
            "long_silences",
            "Gaps of more than 2 s in which nobody is audible, after the first speech.",
        ),
        (
            "silence_share",
            "Their length by that of the session after the first speech.",
        ),
        (
            "longest_silence_s",
            "The longest of them.",
            "no gap is longer than 2 s, or it is not known when somebody was audible",
        ),
    ),
    *_group(
        _HEARD,
        "playback",
        "playback was not reported, or not recorded in full",
        (
            "unheard_ms",
            "The agent's audio that was received and not played, summed over its messages.",
        ),
        (
            "unheard_tokens",
            "The audio tokens that were paid for it, by audio tokens of each response, in "
            "the proportion of its audio.",
            "playback was not reported, or the server reported no audio tokens of it",
            "server, playback",
        ),
        (
            "over_remembered_ms",
            "What the model believes that it said and nobody heard: up to the truncation, "
            "else all that was received, less what was played; summed over its messages.",
        ),
        (
            "speech_rate_wpm",
            "Words heard of a message by the minutes in which it is audible.",
            "no message was heard for a second, or playback was not reported",
        ),
    ),
    *_group(
        _TALK,
        "offline_vad",
        "the input audio was not recorded in full",
        (
            "phantom_turns",
            "Committed user messages with less than 150 ms of voice.",
            "the input audio was not recorded in full",
            "offline_vad",
        ),
        (
            "phantom_share",
            "These by all committed user messages.",
            "no user audio was committed, or the input audio was not recorded in full",
            "offline_vad",
        ),
    ),
    *_group(
        _HEARD,
        "playback",
        "playback was not reported, or not recorded in full",
        (
            "underruns",
            "How often the playing device ran dry in the middle of a message.",
        ),
        (
            "underrun_ms",
            "For how long: from the first sample played of such messages to the last, less "
            "what was played.",
        ),
    ),
    *_group(
        "Microphone",
        "audio",
        "there is no input audio",
        (
            "input_lost_ms",
            "Audio that the computer's microphone lost, or that was dropped because it was "
            "taken too late.",
            "no microphone reported what it lost",
            "microphone",
        ),
        (
            "input_level_dbfs",
            "RMS of the user's voice.",
            "there is no voice in the input",
        ),
        (
            "input_peak_dbfs",
            "The loudest sample of the input.",
        ),
        (
            "clipping_share",
            "Share of the input's samples at full scale.",
        ),
        (
            "noise_floor_dbfs",
            "10th percentile of the level where the user is not speaking.",
            "there is no input audio, or the user never pauses",
        ),
        (
            "snr_db",
            "The power of the voice, while it is active, over that of the noise in its pauses.",
            "there is no voice in the input, or nothing but voice, or digital silence "
            "between the words, or the voice is not louder than the noise",
        ),
    ),
    *_group(
        "Tokens and cost",
        "server",
        "the server reported no token counts",
        (
            "context_tokens",
            "Input tokens of a response: what it read of the conversation before it.",
        ),
        (
            "context_growth_tokens",
            "By how much they grew from a turn to the next, by the last response of each.",
            "no two turns in a row have token counts",
        ),
        (
            "cached_share",
            "Of all input tokens, those from the cache.",
        ),
        (
            "turn_usd",
            "Cost of a turn: its responses and the transcription of the user.",
            "a part of each turn has no price",
            "server, prices",
        ),
        (
            "minute_usd",
            "The session's cost by its minutes.",
            "a part of the session has no price, or its length is unknown",
            "server, prices",
        ),
        (
            "talk_minute_usd",
            "The session's cost by minutes in which the user or the agent spoke.",
            "a part of the session has no price, or nobody spoke, or it is not known how long",
            "server, prices",
        ),
    ),
    *_group(
        ERRORS,
        "server",
        "there are no events",
        (
            "errors",
            "error events of the server; of each code, in rows of their own.",
        ),
        (
            "errors_benign",
            "Of these, those that a race brings about and that change nothing.",
        ),
    ),
    *_group(
        "Connection",
        "client",
        "there are no events",
        (
            "reconnects",
            "How often a lost connection was regained, or replaced before its server ended it; "
            "where a log has no reports of that, session.created events after the first.",
            "the beginning of the session was not recorded",
        ),
        (
            "connections_lost",
            "How often the connection was lost, without those that were replaced on purpose.",
            "the beginning of the session was not recorded",
        ),
        (
            "reconnect_gap_ms",
            "How long no server heard the user, of connections that were regained.",
            "the connection was never lost, never regained, or nothing tells when it was lost",
        ),
        (
            "gap_audio_ms",
            "The user's audio that no server ever had as there was no connection, silence "
            "included.",
            "nothing tells what was not sent",
        ),
        (
            "gap_speech_ms",
            "How much of that is speech.",
            "nothing tells what was not sent, or there is no input audio",
            "offline detector",
        ),
    ),
)

DEFINITIONS: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}
"""All metrics by name, in their order. After ``errors_benign`` there is a row ``errors.<code>`` for
each code."""
