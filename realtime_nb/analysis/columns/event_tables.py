"""Columns of the tables of events, function calls, tokens, labels and interruptions."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import (
    AUDIO,
    CLIENT,
    COUNTED,
    DERIVED,
    DEVICE,
    ITS_TURN,
    RECEIPT,
    SERVER,
    SESSION,
    SPEECH,
    WIRE,
    moment,
)

__all__ = ["CALLS", "EVENTS", "INTERRUPTIONS", "LABELS", "USAGE"]

EVENTS = Table(
    "events",
    "One row per event, `rec.events`.",
    (
        Column(
            *("seq", "count", "Its number.", WIRE),
            said_unit="number",
            missing="it is what the session told of its connection",
        ),
        moment("t_s", "When it was sent or received.", SESSION, "a log does not tell"),
        Column("direction", "text", "`sent` or `received`.", WIRE),
        Column("type", "text", "Its type.", WIRE, missing="it names none"),
        Column(
            *("text", "text", "Its `delta`, `transcript`, `text`, `arguments` or error message."),
            WIRE,
            missing="it has none of them",
        ),
        Column(
            *("audio_ms", "number", "How long the audio is that it carries.", WIRE),
            missing="it carries none",
        ),
        *(
            Column(name, "text", f"Id of {what} that it names.", WIRE, missing="it names none")
            for name, what in (
                ("item_id", "the item"),
                ("response_id", "the response"),
                ("call_id", "the function call"),
                ("event_id", "the event"),
            )
        ),
    ),
)

CALLS = Table(
    "calls",
    "One row per function call, `rec.calls`.",
    (
        ITS_TURN,
        Column("name", "text", "The function's name.", SERVER),
        Column("arguments", "text", "Its arguments, as on the wire.", SERVER),
        Column(
            *("output", "text", "What was returned, as on the wire.", CLIENT),
            missing="no output was sent; then `outcome` is `orphan`",
        ),
        Column(
            *("outcome", "text"),
            "`ok`; `error`, `timeout` or `cancelled` (on request), as the session reports or, "
            'where it does not, as our tools tell the model (`{"error": …}`); `late` when the user '
            "took the floor before the output was sent; `orphan` when none ever was.",
            "the client and the server",
        ),
        Column(
            *("decide_ms", "number", "From `response.created` to whole arguments.", RECEIPT),
            missing="one of the two is unknown, or the session ran at another speed than life's",
        ),
        Column(
            *("queue_ms", "number", "From there until the function began to run.", CLIENT),
            missing="when it began to run is not recorded, or it was not run",
            notes=("queue_note",),
        ),
        Column(*("queue_note", "text", "Why `queue_ms` is missing.", DERIVED), missing="it is not"),
        Column(
            *("run_ms", "number"),
            "From the beginning of its run to the end where both were reported, else from whole "
            "arguments to the output, with what it waited.",
            CLIENT,
            missing="it was not run, or has no output",
            notes=("run_note",),
        ),
        Column("run_note", "text", "Which of the two `run_ms` is, or why it is missing.", DERIVED),
        Column(
            *("send_ms", "number", "From the end of its run to the output.", CLIENT),
            missing="when it ended is not recorded, or no output was sent",
        ),
        Column(
            *("others_ms", "number"),
            "From the output to the last output of the calls that one answer followed: how long it "
            "waited for slower ones, or for those that the agent made next; 0 of the last.",
            SESSION,
            missing="no output was sent, or no spoken answer followed it before another turn",
            notes=("resume_note",),
        ),
        Column(
            *("resume_ms", "number"),
            "From that last output to the first audio of the response that follows it in the same "
            "turn.",
            RECEIPT,
            missing="no output was sent, or no spoken answer followed it before another turn",
            notes=("resume_note",),
        ),
        Column(
            *("resume_note", "text", "Why the two are missing.", DERIVED), missing="they are not"
        ),
        moment("started_s", "When it was announced.", RECEIPT, "a log does not tell"),
        moment("done_s", "When its arguments were whole.", RECEIPT, "they never were"),
        moment("output_s", "When its output was sent.", SESSION, "none was"),
        moment("run_started_s", "When it began to run.", CLIENT, "that is not recorded"),
        moment("run_ended_s", "When its run had ended.", CLIENT, "that is not recorded"),
        Column(
            *("run_outcome", "text"),
            "How it ended: `ok`, `error`, `timeout`, `invalid` (its arguments don't fit, it was "
            "not run) or `cancelled` (on request, or because the session ended first).",
            CLIENT,
            missing="that is not recorded",
        ),
        Column(
            *("status", "text"),
            "`completed`, `incomplete` (its response was cut short) or `in_progress`.",
            SERVER,
        ),
        Column("call_id", "text", "Its id.", SERVER),
        Column("response_id", "text", "The response that called it.", SERVER),
        Column("item_id", "text", "The item that holds it.", SERVER),
    ),
)


def _tokens(name: str, meaning: str) -> Column:
    why = "the server did not count them, or gave no number"
    return Column(name, "count", meaning, SERVER, missing=why, notes=("note",))


USAGE = Table(
    "usage",
    "One row per response, `rec.usage`: its tokens.",
    (
        ITS_TURN,
        Column("status", "text", "How it ended.", SERVER),
        _tokens("input_tokens", "What it read."),
        _tokens("cached_tokens", "The part of that which came from the cache."),
        _tokens("output_tokens", "What it wrote."),
        _tokens("total_tokens", "Both."),
        _tokens("input_text_tokens", "Of the input, text; cached ones included."),
        _tokens("input_audio_tokens", "Of the input, audio; cached ones included."),
        _tokens("cached_text_tokens", "Of the cached, text."),
        _tokens("cached_audio_tokens", "Of the cached, audio."),
        _tokens("output_text_tokens", "Of the output, text."),
        _tokens("output_audio_tokens", "Of the output, audio."),
        Column("note", "text", "Which are missing, and why.", DERIVED, missing="none is"),
        Column("response_id", "text", "Its id.", SERVER),
    ),
)

LABELS = Table(
    "labels",
    "One row per mark made by a person, `rec.labels`, in order of time.",
    (
        Column("t_s", "number", "The moment that it marks.", "who made it"),
        Column(
            "text", "text", "What it says; `speech end`: the user's speech ended.", "who made it"
        ),
    ),
)

_MISSED_HAS_NONE = "the barge-in was missed or heard late, or one of the two is unknown"

INTERRUPTIONS = Table(
    "interruptions",
    "One row per interruption of the agent, and per barge-in that was missed or heard late, "
    "`rec.interruptions()`.",
    (
        Column(
            "turn",
            "count",
            "The turn in which the agent spoke.",
            COUNTED,
            said_unit="number",
            missing="it was before the user's first",
        ),
        Column(
            *("kind", "text"),
            "`interruption`, `missed` or `late`. What was heard late and stopped the agent has a "
            "row of each.",
            DERIVED,
        ),
        Column(
            *("cause", "text"),
            "What stopped the agent: `user`; `echo` of its own voice; speech with an `empty` "
            "transcript or one of noise only, or a `phantom_phrase` that recognition makes of "
            'noise; a `backchannel` such as "uh-huh"; `short` speech; or the `program`, when '
            "there was no speech. The first of these that fits, but for `user`.",
            DERIVED,
        ),
        Column(
            *("false", "flag", "Whether it should not have been: all but `user` and `program`."),
            DERIVED,
        ),
        Column(
            *("user_text", "text", "What the user said.", SERVER),
            missing="there was no speech, or it did not become a message",
            notes=("note",),
        ),
        Column(
            *("response_ms", "number", "From the user's onset to the agent's last sample played."),
            SPEECH,
            missing=_MISSED_HAS_NONE,
            notes=("note",),
        ),
        Column(
            *("detection_ms", "number", "Of that: until the server's report of it came."),
            SPEECH,
            missing=_MISSED_HAS_NONE,
            notes=("note",),
        ),
        Column(
            *("flush_ms", "number", "Of that: from there on.", DEVICE),
            missing=_MISSED_HAS_NONE,
            notes=("note",),
        ),
        Column(
            *("received_ms", "number", "How much audio of the message was received.", COUNTED),
            missing="the barge-in was missed or heard late, or its events can't be understood",
        ),
        Column(
            *("played_ms", "number", "How much of it was played.", DEVICE),
            missing="the barge-in was missed or heard late, or playback was not reported",
            notes=("note",),
        ),
        Column(
            *("unheard_ms", "number", "The difference.", DERIVED),
            missing="one of them is",
        ),
        Column(
            *("remembered_ms", "number"),
            "How much of it the model believes that it said: up to the truncation, else all that "
            "was received.",
            SERVER,
            missing="the barge-in was missed or heard late, or how much was received is unknown",
        ),
        Column(
            *("over_remembered_ms", "number", "By how much that is more than what was played."),
            DERIVED,
            missing="one of them is",
        ),
        Column(
            *("onset_s", "number", "When the user began.", SPEECH),
            missing="there was no speech, or nobody can tell",
            notes=("note",),
        ),
        moment(
            *("detected_s", "When the server's report of it came.", RECEIPT),
            "the server reported no speech",
        ),
        moment(
            *("stopped_s", "When the agent's last sample was played.", DEVICE),
            "the barge-in was missed or heard late, or playback was not reported",
        ),
        Column(
            *("echo_score", "number"),
            "How much the user's audio is what was played before it, from 0 to 1.",
            AUDIO,
            missing="there was no speech, or one of the two was not recorded",
            said_unit="share",
        ),
        Column("note", "text", "What is missing, and why.", DERIVED, missing="nothing is"),
        Column("item_id", "text", "The agent's message.", SERVER),
        Column(
            *("user_item", "text", "What the user's speech became.", SERVER),
            missing="the server reported no speech",
            notes=("note",),
        ),
        Column(
            *("source", "text", "Who says `onset_s`: `server` or `offline_vad`.", DERIVED),
            missing="nobody does",
            notes=("note",),
        ),
    ),
)
