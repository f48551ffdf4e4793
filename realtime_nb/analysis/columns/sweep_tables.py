"""Columns of the table that compares settings of turn detection on the same audio."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table

__all__ = ["FALSE_STARTS", "MISSED_TURNS", "SPLIT_TURNS", "SWEEP"]

SPLIT_TURNS = "Labelled turns whose end was decided before it had come: the user was cut off."
FALSE_STARTS = "Turns taken that are of no labelled turn."
MISSED_TURNS = "Labelled turns of which no turn was taken."

_ASKED = "what was asked for"
_MACHINE = "the state machine of the local server, over the engine's probabilities"
_LABELS = "the labels, and the state machine"
_UNLABELLED = "there are no labels"
_SEMANTIC = "semantic_vad has none"
_NOTE = ("note",)


def _share(name: str, meaning: str, missing: str = _UNLABELLED) -> tuple[Column, ...]:
    """Returns a share and its interval."""
    interval = "of its 95 % interval (Wilson's)."
    return (
        Column(f"{name}_share", "number", meaning, _LABELS, missing, _NOTE),
        Column(f"{name}_low_share", "number", f"Lower end {interval}", _LABELS, missing, _NOTE),
        Column(f"{name}_high_share", "number", f"Upper end {interval}", _LABELS, missing, _NOTE),
    )


def _wait_interval(name: str) -> tuple[Column, ...]:
    interval = "of its 95 % interval: bootstrap over the waits, so never beyond those that were."
    missing = "fewer than six waits are known"
    return (
        Column(f"{name}_low_ms", "number", f"Lower end {interval}", "wait_source", missing),
        Column(f"{name}_high_ms", "number", f"Upper end {interval}", "wait_source", missing),
    )


def _count(name: str, meaning: str, source: str = _LABELS, missing: str = _UNLABELLED) -> Column:
    notes = _NOTE if missing else ()
    return Column(name, "count", meaning, source, missing, notes, said_unit="count")


SWEEP = Table(
    "sweep",
    "One row per setting, `rt.sweep(…).table`: what it would have done to the same audio. Open "
    "loop: had a turn ended elsewhere, the agent would have answered otherwise, and the user, too. "
    "A turn that was taken is *of* a labelled one where its speech overlaps it; that it is over is "
    "decided at its `audio_end_ms`, when its silence has been heard out.",
    (
        Column("engine", "text", "What made the speech probabilities.", _ASKED),
        Column(
            *("threshold", "number", "Speech probability from which a frame opens a turn."),
            *(_ASKED, _SEMANTIC),
            said_unit="probability",
        ),
        Column(
            *("silence_duration_ms", "number", "The silence that ends a turn.", _ASKED, _SEMANTIC),
        ),
        Column(
            *("prefix_padding_ms", "number", "Audio before speech that belongs to it."),
            *(_ASKED, _SEMANTIC),
        ),
        Column(
            *("eagerness", "text", "Of `semantic_vad`, whose pauses the turn model judges."),
            *(_ASKED, "it is `server_vad`"),
        ),
        Column(
            *("mark", "text"),
            "`in use`: that of the recording, when it ended; `default`: what clients of this "
            "package ask for; `server default`: what a server takes that nobody asks.",
            "this package",
            missing="it is none of these",
        ),
        _count("turns", "Turns that were taken.", _MACHINE, ""),
        _count("labelled_turns", "Turns that are labelled."),
        _count("split_turns", SPLIT_TURNS),
        *_share(
            "split",
            "The part of the labelled turns that was split.",
            f"{_UNLABELLED}, or no turn is labelled",
        ),
        _count("false_starts", FALSE_STARTS),
        *_share(
            "false_start",
            "The part of the turns taken that are false starts.",
            f"{_UNLABELLED}, or no turn was taken",
        ),
        _count("missed_turns", MISSED_TURNS),
        *_share(
            "missed",
            "The part of the labelled turns that was missed.",
            f"{_UNLABELLED}, or no turn is labelled",
        ),
        Column(
            *("missed_speech_ms", "number"),
            "Of all labelled turns, what lies before the audio of the first turn taken of it, or "
            "after that of the last; of missed ones, all.",
            _LABELS,
            _UNLABELLED,
            _NOTE,
        ),
        _count(
            "merged_turns",
            "Labelled turns that were not over when the next one began: nobody was answered.",
        ),
        *(
            Column(name, "number", meaning, _LABELS, missing)
            for name, meaning, missing in (
                (
                    "onset_error_p50_ms",
                    "Median of where speech was heard to begin, less where it is labelled to.",
                    "no labelled turn was heard, or no label tells a beginning",
                ),
                (
                    "onset_error_p95_ms",
                    "95 % of these, without their signs, are not above it.",
                    "no labelled turn was heard, or no label tells a beginning",
                ),
                (
                    "end_error_p50_ms",
                    "Median of where speech was heard to end, less where it is labelled to.",
                    "no labelled turn was heard to its end",
                ),
                (
                    "end_error_p95_ms",
                    "95 % of these, without their signs, are not above it.",
                    "no labelled turn was heard to its end",
                ),
            )
        ),
        Column(
            *("endpoint_wait_p50_ms", "number"),
            "Median of the time from the end of a turn until that was decided: what a user waits "
            "before anything else can begin, without the network. Without labels, from the last "
            "end of a voice in it that the offline detector hears.",
            "wait_source",
            missing="no wait is known",
        ),
        *_wait_interval("endpoint_wait_p50"),
        Column(
            *("endpoint_wait_p95_ms", "number", "95 % of these are not above it.", "wait_source"),
            missing="no wait is known",
        ),
        *_wait_interval("endpoint_wait_p95"),
        _count(
            "waits",
            "Turns of which the wait is known: not where one was missed, merged, cut off and not "
            "taken up again, or the audio ends first.",
            "wait_source",
            "",
        ),
        Column("audio_sent_s", "number", "How long the audio of all turns taken is.", _MACHINE),
        Column(
            *("audio_sent_share", "number", "The part that it is of all audio."),
            *(_MACHINE, "there is no audio"),
        ),
        Column(
            *("hour_usd", "number"),
            "What such audio of an hour costs as fresh input, at a token for 100 ms; what is read "
            "again with each answer is not in it.",
            *("priced_as, and the table of prices", "there is no audio"),
        ),
        Column("priced_as", "text", "The model whose price that is.", _ASKED),
        Column(
            *("wait_source", "text", "`label` or `offline_vad`: whose end is waited after."),
            *("this package", "no wait is known"),
        ),
        Column(
            "note", "text", "Why figures are missing; empty where none need be.", "this package"
        ),
    ),
)
