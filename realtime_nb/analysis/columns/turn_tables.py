"""Columns of the tables of turns, latencies and speech.

Positions in ms are on the input-sample clock, where the user's audio counts from 0; moments in
seconds count from the beginning of the session.
"""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import (
    COUNTED,
    DERIVED,
    DEVICE,
    INTERRUPTED,
    RECEIPT,
    SERVER,
    SESSION,
    SPEECH,
    TURN,
    WIRE,
    moment,
)

__all__ = ["LATENCIES", "SPEECH_TABLE", "TURNS"]

_WHY_NO_LATENCY = ("latency_note",)
_WHY_NO_PART = ("latency_note", "parts_note")

_LATENCY = Column(
    "latency_ms",
    "number",
    "Voice to voice: from the end of the user's speech to the first sample played of the answer. "
    "Of a turn with function calls, it includes running them.",
    "speech_end_source, and the playing device's reports",
    missing="one of the two moments is unknown, or there is no spoken answer",
    notes=_WHY_NO_LATENCY,
)
_LATENCY_NOTE = Column(
    *("latency_note", "text", "Why `latency_ms` is missing.", DERIVED), missing="it is not"
)
_PARTS = (
    Column(
        *("uplink_ms", "number"),
        "Of the latency: from the capture of the end of speech until its audio was handed to the "
        "connection. Where no device told when it captured the audio, only as much as the end of "
        "speech lies before the end of its chunk.",
        "capture_source, and the session's clock",
        missing="the end of speech is unknown, or came after its sending",
        notes=_WHY_NO_PART,
    ),
    Column(
        *("endpoint_wait_ms", "number"),
        "Of the latency: from there until `speech_stopped`; without turn detection, until the "
        "commit. What a slow network keeps waiting is in it.",
        RECEIPT,
        missing="one of the two is unknown, or came after the other",
        notes=_WHY_NO_PART,
    ),
    Column(
        *("commit_wait_ms", "number", "Of the latency: from there until `response.created`."),
        RECEIPT,
        missing="one of the two is unknown, or came after the other",
        notes=_WHY_NO_PART,
    ),
    Column(
        *("model_first_audio_ms", "number"),
        "Of the latency: from there until the first audio of the answer.",
        RECEIPT,
        missing="one of the two is unknown, or came after the other",
        notes=_WHY_NO_PART,
    ),
    Column(
        *("playout_ms", "number", "Of the latency: from there until its first sample was played."),
        "the session's clock and the playing device's reports",
        missing="one of the two is unknown, or came after the other",
        notes=_WHY_NO_PART,
    ),
    Column(
        *("parts_note", "text"),
        "What there is to say of single parts: that no device told when it captured the audio; "
        "that one is missing because its end came before its beginning, so that the two are not of "
        "one turn, or a label lies after `speech_stopped`.",
        DERIVED,
        missing="there is nothing to say",
    ),
)
_END_SOURCES = (
    Column(
        *("speech_end_source", "text"),
        "What `latency_ms` is measured from: `offline_vad`, the end of the voice in the audio; "
        "`server`, its report, where there is no audio; `label`, a person's mark; `server_report` "
        "where the server plays the answer itself, so that no audio is recorded: the receipt of "
        "`speech_stopped`, less the silence window.",
        DERIVED,
        missing="the end of speech is unknown",
        notes=_WHY_NO_LATENCY,
    ),
    Column(
        *("capture_source", "text"),
        "Who says when that was captured: the `device`; or nobody, so that it is counted back from "
        "the `sending` of its chunk.",
        DERIVED,
        missing="the end of speech is unknown",
        notes=_WHY_NO_LATENCY,
    ),
)

TURNS = Table(
    "turns",
    "One row per turn of the user, `rec.turns`.",
    (
        TURN,
        Column(
            *("user_text", "text"),
            "What the user said, as far as it was transcribed, or typed.",
            SERVER,
        ),
        Column(
            *("agent_text", "text"),
            "The answer, with what follows function calls of the turn.",
            SERVER,
        ),
        Column(
            *("heard_text", "text"),
            "The words of it whose end was heard, by what was played of its audio.",
            "the server and the playing device's reports",
            missing="it is not known how much was played",
            notes=("audio_note",),
        ),
        INTERRUPTED,
        _LATENCY,
        _LATENCY_NOTE,
        Column("calls", "list", "Names of the functions called.", SERVER),
        *_PARTS,
        Column(
            *("audio_ms", "number", "The agent's audio that was received.", COUNTED),
            missing="the events of its audio can't be understood",
            notes=("audio_note",),
        ),
        Column(
            *("played_ms", "number", "How much of it was played.", DEVICE),
            missing="playback was not reported",
            notes=("audio_note",),
        ),
        Column(
            *("unheard_ms", "number", "`audio_ms` less `played_ms`.", DERIVED),
            missing="one of them is",
            notes=("audio_note",),
        ),
        Column(
            *("audio_note", "text"),
            "Why one of the three, `heard_text` or `heard_source` is missing.",
            DERIVED,
            missing="none is",
        ),
        Column(
            *("onset_ms", "number", "Where the user's speech began, without padding.", SPEECH),
            missing="it was typed, or nobody can tell",
            notes=("speech_note",),
        ),
        Column(
            *("offset_ms", "number"),
            "Where the user's voice ended by the audio itself, which no setting moves; only where "
            "there is no audio of it, what the server reported, without the silence window.",
            SPEECH,
            missing="it was typed, or nobody can tell",
            notes=("speech_note",),
        ),
        Column(
            *("speech_note", "text", "Why one of them is missing.", DERIVED),
            missing="neither is",
        ),
        Column(
            *("audio_start_ms", "number"),
            "Where the server reported the beginning of speech, padding included.",
            SERVER,
            missing="it reported none: the turn was typed, or there was no turn detection",
        ),
        Column(
            *("audio_end_ms", "number"),
            "Where it reported the end, silence included.",
            SERVER,
            missing="it reported none: the turn was typed, or there was no turn detection",
        ),
        Column(
            *("server_offset_ms", "number"),
            "Where the server took the voice to end: `audio_end_ms` without the silence window.",
            SERVER,
            missing="it reported no end, or its silence window is unknown",
        ),
        Column(
            *(
                "status",
                "text",
                "How the last response ended, such as `completed` or `cancelled`.",
                SERVER,
            ),
            missing="there was no response",
        ),
        Column(
            *("reason", "text", "Why it was cut short, such as `turn_detected`.", SERVER),
            missing="it was not, or the server gave no reason",
        ),
        Column("source", "text", "How it came: `speech` or `typed`.", WIRE),
        Column(
            *("heard_source", "text"),
            "How it is known which words `heard_text` has: `whole`, nothing was cut, or said; by "
            "the order of text and audio (`interleaved`), the `pauses` around them, the `length` "
            "of the whole audio, the `pace` of this session's voice, or, for want of one, that of "
            "voices in general (`default pace`).",
            DERIVED,
            missing="`heard_text` is",
            notes=("audio_note",),
        ),
        Column("user_item", "text", "Id of the user's message.", SERVER),
        Column("agent_items", "list", "Ids of the agent's messages.", SERVER),
        Column("response_ids", "list", "Ids of the responses.", SERVER),
        Column(
            *("onset_source", "text", "Who says it of `onset_ms`: `server` or `offline_vad`."),
            DERIVED,
            missing="nobody does",
            notes=("speech_note",),
        ),
        Column(
            *("offset_source", "text", "Who says it of `offset_ms`: `server` or `offline_vad`."),
            DERIVED,
            missing="nobody does",
            notes=("speech_note",),
        ),
        *_END_SOURCES,
    ),
)


LATENCIES = Table(
    "latency",
    "One row per turn of the user, `rec.latency`: the moments, and what lies between them.",
    (
        TURN,
        _LATENCY,
        _LATENCY_NOTE,
        *_PARTS,
        Column(
            "had_calls", "flag", "Whether functions were called; look at such turns apart.", SERVER
        ),
        INTERRUPTED,
        Column(
            *("transcript_ms", "number", "From `commit_s` to the whole transcript.", RECEIPT),
            missing="it was typed, or not transcribed",
        ),
        Column(
            *("answer_ms", "number"),
            "From `response.created` of the first response to `response.done` of the last.",
            RECEIPT,
            missing="there was no response, or it did not end",
        ),
        moment(
            *("speech_end_s", "When the user's speech ended.", "speech_end_source"),
            "nobody can tell; see latency_note",
        ),
        moment(
            *("sent_s", "When its audio was handed to the connection.", SESSION),
            "the end of speech is unknown; see latency_note",
        ),
        moment(
            *("stop_s", "Receipt of `speech_stopped`; where none came, of the commit.", RECEIPT),
            "neither came, as of typed turns",
        ),
        moment(
            *("commit_s", "When the user's message was committed; added, if it was typed."),
            RECEIPT,
            "a log does not tell the time",
        ),
        moment("response_s", "Receipt of `response.created`.", RECEIPT, "there was no response"),
        moment(
            *("first_audio_s", "Receipt of the answer's first audio.", RECEIPT),
            "there is no spoken answer",
        ),
        moment(
            *("played_s", "When its first sample was played.", DEVICE),
            "there is no spoken answer, or playback was not reported",
        ),
        *_END_SOURCES,
        Column(
            *("stop_source", "text", "Of what `stop_s` is: `speech_stopped` or `committed`."),
            DERIVED,
            missing="neither came",
        ),
        Column(
            *("played_source", "text"),
            "Who says `played_s`: `playback`, the device's report, or the server's "
            "`output_audio_buffer` events.",
            DERIVED,
            missing="nobody does",
        ),
    ),
)

SPEECH_TABLE = Table(
    "speech",
    "One row per stretch that turn detection took for speech, `rec.speech`.",
    (
        Column(
            *("onset_s", "number", "When the speech began, by when its audio was captured."),
            SPEECH,
            missing="where, or when that was captured, is unknown",
            notes=("note",),
        ),
        Column(
            *("offset_s", "number", "When it ended, likewise.", SPEECH),
            missing="where, or when that was captured, is unknown",
            notes=("note",),
        ),
        Column(
            *("duration_ms", "number", "How long it was.", SPEECH),
            missing="where it began or ended is unknown",
            notes=("note",),
        ),
        Column(
            *("onset_ms", "number", "Where it began, without padding.", SPEECH),
            missing="nobody can tell",
            notes=("note",),
        ),
        Column(
            *("offset_ms", "number", "Where it ended, without the silence window.", SPEECH),
            missing="nobody can tell",
            notes=("note",),
        ),
        Column(
            *("note", "text", "What of it is unknown, and why.", DERIVED),
            missing="all is known",
        ),
        Column(
            *("audio_start_ms", "number"),
            "Where the server reported the beginning, padding included, and with what was sent in "
            "former connections, which a server does not count.",
            SERVER,
            missing="the server began to count anew",
            notes=("note",),
        ),
        Column(
            *("audio_end_ms", "number", "Where it reported the end, silence included.", SERVER),
            missing="it reported none, or began to count anew",
            notes=("note",),
        ),
        Column(
            *("started_s", "number", "When its report of the beginning arrived.", RECEIPT),
            missing="a log does not tell the time",
        ),
        Column(
            *("stopped_s", "number", "When its report of the end arrived.", RECEIPT),
            missing="none came, or a log does not tell the time",
        ),
        Column(
            *("detection", "text", "What was in force: `server_vad` or `semantic_vad`.", SERVER),
            missing="the session does not tell",
        ),
        Column(
            *("threshold", "number", "Of `server_vad`, when it began.", SERVER),
            missing="semantic_vad has none, or the session does not tell",
            said_unit="probability",
        ),
        Column(
            *("prefix_padding_ms", "number", "Likewise.", SERVER),
            missing="semantic_vad has none, or the session does not tell",
        ),
        Column(
            *("silence_duration_ms", "number", "Of `server_vad`, when it ended.", SERVER),
            missing="semantic_vad has none, or the session does not tell",
        ),
        Column("item_id", "text", "The user message that it became.", SERVER),
        Column("source", "text", "Who took it for speech: `server`.", SERVER),
        Column(
            *("onset_source", "text", "Who says where it began: `server` or `offline_vad`."),
            DERIVED,
            missing="nobody does",
            notes=("note",),
        ),
        Column(
            *("offset_source", "text", "Who says where it ended: `server` or `offline_vad`."),
            DERIVED,
            missing="nobody does",
            notes=("note",),
        ),
    ),
)
