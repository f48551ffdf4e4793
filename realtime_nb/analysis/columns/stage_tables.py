"""Columns of the tables of stages: what hearing, thinking and speaking took, and used."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import DERIVED, PRICES, TURN

__all__ = ["STAGES", "STAGE_COMPARISON", "WORD_ERRORS"]

_CLOCK = "the local server's own clock"
_ENGINE = "the engine, by the local server"
_COUNTED = "counted by the local server"
_WHY = ("stages_note",)
_WHY_NO_COST = ("cost_note",)
_UNTOLD = "the server tells no stages, or it did not come to that"


def _stage(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, _CLOCK, _UNTOLD, _WHY)


STAGES = Table(
    "stages",
    "One row per turn of the user that was answered, `rec.stages`: what each stage took, and what "
    "went through it. `latency_ms` is the sum of `vad_ms`, `stt_wait_ms`, `calls_ms`, "
    "`llm_first_token_ms`, `llm_sentence_ms`, `tts_first_audio_ms` and `transport_ms`.",
    (
        TURN,
        Column(
            *("latency_ms", "number"),
            "Voice to voice, as in `rec.latency`.",
            "the session's clock",
            missing="one of the two moments is unknown, or there is no spoken answer",
            notes=_WHY,
        ),
        Column(
            *("vad_ms", "number"),
            "From the end of the user's voice to where the server took the turn for over, silence "
            "window included: `audio_end_ms` less `offset_ms`.",
            "the input-sample clock",
            missing="it was typed, a label says where speech ended, or one of the two is unknown",
            notes=_WHY,
        ),
        _stage(
            "stt_ms",
            "What the recognition that counted took. It begins within the silence window, so that "
            "only `stt_wait_ms` of it is waited for.",
        ),
        _stage(
            "stt_wait_ms",
            "From there, where the turn is committed, until the language model is asked.",
        ),
        _stage(
            "calls_ms",
            "From the first request of the language model to the one whose answer was spoken "
            "first: what it decided, and what the functions took; 0 where that is the same.",
        ),
        _stage("llm_first_token_ms", "From the request to the first of what the model says."),
        _stage("llm_sentence_ms", "From there until the voice has a whole sentence."),
        _stage(
            "llm_ms",
            "How long the model was waited for until its last token; what the voice kept it "
            "waiting is not in it.",
        ),
        _stage(
            "tts_first_audio_ms",
            "From the first sentence until its first audio was handed to the connection.",
        ),
        Column(
            *("transport_ms", "number"),
            "What is left of `latency_ms`: capturing, chunks, both ways over the network, playing.",
            "durations of the three clocks, each taken on its own",
            missing="one of the others is, or they are longer than the whole",
            notes=_WHY,
        ),
        Column(
            *("head_start_ms", "number"),
            "How long before the model's last token the first audio left; below 0 where it left "
            "after it.",
            _CLOCK,
            missing=_UNTOLD,
            notes=_WHY,
        ),
        Column(
            *("stages_note", "text", "Which of these are missing, and why.", DERIVED),
            missing="none is",
        ),
        Column(
            *("stt", "text", "The engine that heard it.", _ENGINE),
            missing="the server does not tell, or the turn was typed",
        ),
        Column(
            *("llm", "text", "The language model.", _ENGINE), missing="the server does not tell"
        ),
        Column(
            *("tts", "text", "The voice.", _ENGINE),
            missing="the server does not tell, or nothing was said",
        ),
        Column(
            *("stt_audio_s", "number"),
            "Audio that was recognised, in all attempts at the turn.",
            _COUNTED,
            missing=_UNTOLD,
            notes=_WHY,
        ),
        Column(
            *("input_tokens", "count", "Tokens that the model read, in all its answers.", _ENGINE),
            missing="the engine does not count them, or an answer was cut off before it did",
            notes=_WHY,
        ),
        Column(
            *("cached_tokens", "count", "Those of them that came from a cache.", _ENGINE),
            missing="the engine does not tell",
        ),
        Column(
            *("output_tokens", "count", "Tokens that it wrote.", _ENGINE),
            missing="the engine does not count them, or an answer was cut off before it did",
            notes=_WHY,
        ),
        Column(
            *("tts_characters", "count", "Characters that the voice was given.", _COUNTED),
            missing=_UNTOLD,
            notes=_WHY,
            said_unit="number",
        ),
        Column(
            *("tts_audio_s", "number", "Speech that it made of them, heard or not.", _COUNTED),
            missing=_UNTOLD,
            notes=_WHY,
        ),
        Column(
            *("stt_usd", "number", "What the recognition cost.", PRICES),
            missing="the amount is unknown, or no price is known for the engine's name",
            notes=_WHY_NO_COST,
        ),
        Column(
            *("llm_usd", "number", "What the model cost, cached tokens at their price.", PRICES),
            missing="the amount is unknown, or no price is known for the engine's name",
            notes=_WHY_NO_COST,
        ),
        Column(
            *("tts_usd", "number", "What the voice cost.", PRICES),
            missing="the amount is unknown, or no price is known for the engine's name",
            notes=_WHY_NO_COST,
        ),
        Column(
            *("cost_note", "text", "Which of the three are missing, and why.", DERIVED),
            missing="none is",
        ),
    ),
)

STAGE_COMPARISON = Table(
    "stage_comparison",
    "One row per pipeline and stage, `rt.compare_stages({name: rec, …})`.",
    (
        Column("pipeline", "text", "What the recording is called.", "the caller"),
        Column("stage", "text", "The stage, as the columns of `rec.stages` call it.", DERIVED),
        Column(
            *("n", "count", "Turns in which it is known.", DERIVED),
            said_unit="number",
        ),
        Column(
            *("p50", "number", "The median of its turns.", DERIVED),
            missing="it is known of no turn",
            notes=("note",),
            said_unit="the stage's",
        ),
        Column(
            *("p95", "number", "The 95th percentile.", DERIVED),
            missing="it is known of no turn",
            notes=("note",),
            said_unit="the stage's",
        ),
        Column(
            *("total", "number", "The sum of all turns, of amounts and costs.", DERIVED),
            missing="the stage is a time, or it is not known of every turn",
            said_unit="the stage's",
        ),
        Column(
            *("note", "text", "Why figures are missing, or of how many turns they are.", DERIVED),
            missing="there is nothing to say",
        ),
    ),
)

_COMPARED = "this package, of normalised words"

WORD_ERRORS = Table(
    "word_errors",
    "One row per text, `rt.transcription_quality(…).table` and `rt.voice_quality(…).table`. How "
    "both texts are normalised, `realtime_nb.analysis.word_errors` says.",
    (
        Column("reference", "text", "What was said, or given to the voice.", "the caller"),
        Column("heard", "text", "What the recogniser understood.", "the engine"),
        Column(*("words", "count", "Words of the reference.", _COMPARED), said_unit="number"),
        Column(
            *("substitutions", "count", "Words that were heard as others.", _COMPARED),
            said_unit="number",
        ),
        Column(
            *("deletions", "count", "Words that were not heard.", _COMPARED), said_unit="number"
        ),
        Column(*("insertions", "count", "Words that nobody said.", _COMPARED), said_unit="number"),
        Column(
            *("word_error_share", "number", "These three by `words`; may exceed 1.", _COMPARED),
            missing="the reference has no words",
            notes=("note",),
        ),
        Column(
            *("note", "text", "Why that is missing.", DERIVED),
            missing="it is not",
        ),
        Column("audio_s", "number", "How long the audio is.", DERIVED),
        Column("stt_ms", "number", "What the recogniser took.", "this computer's clock"),
    ),
)
