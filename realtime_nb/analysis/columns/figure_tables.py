"""Columns of the tables of metrics, findings, comparisons and costs."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table, unit_of
from realtime_nb.analysis.columns.shared import (
    COUNTED,
    DERIVED,
    ITS_TURN,
    PRICES,
    RECEIPT,
    SERVER,
    TURN,
    WIRE,
    moment,
)

__all__ = [
    "COMPARED",
    "COMPARED_TURNS",
    "COMPARISON",
    "COSTS",
    "COST_TURNS",
    "COST_VARIANTS",
    "FINDINGS",
    "METRICS",
]

_NO_VALUES = "it is a count, a sum or a share, or there are no values"


def _statistic(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, DERIVED, missing=_NO_VALUES, said_unit="as in `unit`")


METRICS = Table(
    "metrics",
    "One row per metric, `rec.metrics()`; what each is, is told below.",
    (
        Column("metric", "text", "Its name; the index of `rec.metrics()`.", "this package"),
        Column(
            *("value", "number"),
            "The headline: the median of a duration or a rate, else a count, a sum or a share.",
            "source",
            missing="it can't be known",
            notes=("reason",),
            said_unit="as in `unit`",
        ),
        Column(
            *("unit", "text"),
            "`ms`, `s`, `count`, `share` (0 to 1), `tokens`, `usd`, `dBFS`, `dB` or `words/min`.",
            "this package",
        ),
        Column(
            *("n", "count", "How many values are behind it; 0 for plain counts and shares."),
            DERIVED,
            said_unit="count",
        ),
        _statistic("p50", "The median of these values."),
        _statistic("p90", "90 % of them are not above it."),
        _statistic("p95", "95 % of them are not above it."),
        _statistic("min", "The least of them."),
        _statistic("max", "The greatest."),
        Column("reason", "text", "Why `value` is missing.", DERIVED, missing="it is not"),
        Column(
            *("source", "text"),
            "Whose word it is: `server`, `offline_vad`, `label`, `playback`, `audio`, `client`, "
            "`microphone`; with `simulated` where a time is that of the local server.",
            DERIVED,
            missing="`value` is",
            notes=("reason",),
        ),
    ),
)

FINDINGS = Table(
    "findings",
    "One row per finding, `rec.findings().table`, worst first.",
    (
        Column(
            *("turn", "count", "The turn that it belongs to.", COUNTED),
            missing="it belongs to none",
            said_unit="number",
        ),
        Column(
            *("severity", "text"),
            "`error`: it went wrong; `warning`: users notice; `note`: good to know.",
            "this package",
        ),
        Column("text", "text", "What happened, in a sentence.", DERIVED),
        Column("suggestion", "text", "What to change; empty when nothing.", "this package"),
        moment("start_s", "Where to look: from.", DERIVED, "it has no place in time"),
        moment("end_s", "Where to look: until.", DERIVED, "it has no place in time"),
        Column("id", "text", "Its kind, such as `slow-answer`.", "this package"),
        Column(
            *("evidence", "object"),
            "What it rests on: `events` are the `seq` numbers of the recording's events, the rest "
            "are ids and figures.",
            DERIVED,
        ),
    ),
)

_COMPARED = "both recordings"
_NO_AVERAGE = "there is no such pair, or the row tells of differences only"


def _compared(name: str, meaning: str, missing: str) -> Column:
    return Column(name, "number", meaning, _COMPARED, missing, said_unit="that of the metric")


COMPARISON = Table(
    "comparison",
    "One row per figure, `rt.compare(a, b).table`.",
    (
        Column("metric", "text", "What is compared.", "this package"),
        Column("n", "count", "Pairs of turns in which both have it.", COUNTED, said_unit="count"),
        Column(
            *("average", "text"),
            "Which `a` and `b` are: the `median` of times, as in `rec.metrics()`, else the `mean`.",
            "this package",
            missing=_NO_AVERAGE,
        ),
        _compared("a", "The average over those in the first recording.", _NO_AVERAGE),
        _compared("b", "The average over those in the second.", _NO_AVERAGE),
        _compared("delta", "The mean of b − a within the pairs.", "there is no such pair"),
        _compared(
            "low", "From where on it lies but for chance.", "there are too few pairs to tell"
        ),
        _compared("high", "Up to where.", "there are too few pairs to tell"),
        Column("verdict", "text", "Which is lower, if 0 lies outside.", DERIVED),
    ),
)

COMPARED = (
    *("latency_ms", "uplink_ms", "endpoint_wait_ms", "commit_wait_ms", "model_first_audio_ms"),
    *("playout_ms", "latency_with_calls_ms", "interrupted", "unheard_ms"),
    *("input_tokens", "cached_tokens", "output_tokens", "responses_usd"),
)
"""The figures of turns that are compared."""

COMPARED_TURNS = Table(
    "comparison_turns",
    "One row per pair of turns, `rt.compare(a, b).turns`.",
    (
        Column("turn_a", "count", "The turn in the first recording.", COUNTED, said_unit="number"),
        Column("turn_b", "count", "The turn in the second.", COUNTED, said_unit="number"),
        Column("user_text_a", "text", "What was said in the first.", SERVER),
        Column("user_text_b", "text", "What was said in the second.", SERVER),
        Column(
            *("text_differences", "count", "Words that differ between the two.", DERIVED),
            missing="neither was transcribed",
            said_unit="count",
        ),
        *(
            Column(
                f"{figure}_{side}",
                "number",
                f"`{figure}` of the turn in the {which} recording.",
                _COMPARED,
                missing="it is missing there",
                said_unit=unit_of(figure) or "0 or 1",
            )
            for figure in COMPARED
            for side, which in (("a", "first"), ("b", "second"))
        ),
    ),
)

_UNCOUNTED = "the server did not count them, or does not split them"


def _billed(kind: str, meaning: str, *modalities: str) -> tuple[Column, ...]:
    return tuple(
        Column(
            *(f"{kind}_{modality}_tokens", "count", meaning.format(modality)),
            SERVER,
            missing=_UNCOUNTED,
        )
        for modality in modalities
    )


COSTS = Table(
    "costs",
    "One row per response and per transcription, `rec.cost().table`, in order of time.",
    (
        ITS_TURN,
        Column("kind", "text", "`response` or `transcription`.", WIRE),
        Column(
            *("usd", "number"),
            "Its price; at most, where there are unsplit cached tokens.",
            PRICES,
            missing="its tokens or their price are not known",
            notes=("reason",),
        ),
        Column(
            *("least_usd", "number", "Its price at least: the same, but for these.", PRICES),
            missing="its tokens or their price are not known",
            notes=("reason",),
        ),
        Column("reason", "text", "Why `usd` is missing.", DERIVED, missing="it is not"),
        Column("cumulative_usd", "number", "Of all up to here that could be priced.", PRICES),
        Column(
            "model",
            "text",
            "By whose price: that of the model in force when it began.",
            SERVER,
            missing="the session does not tell",
        ),
        Column(*("input_tokens", "count", "Fresh and cached input.", SERVER), missing=_UNCOUNTED),
        Column(
            *("cached_share", "number", "The cached part of it, 0 to 1.", SERVER),
            missing="there is no input, or it was not counted",
        ),
        *_billed("fresh", "Input of {}, but for what was cached.", "text", "audio", "image"),
        *_billed("cached", "Input of {} from the cache.", "text", "audio", "image"),
        *_billed("output", "Output of {}.", "text", "audio"),
        Column(
            *("unsplit_cached_tokens", "count"),
            "Cached tokens of which it is not told what they are.",
            SERVER,
            missing=_UNCOUNTED,
        ),
        Column(
            *("audio_s", "number", "The seconds billed.", SERVER),
            missing="it is not billed by duration",
        ),
        moment("at_s", "When it was done.", RECEIPT, "it was not, or a log does not tell"),
        Column(
            *("response_id", "text", "Which response.", SERVER),
            missing="the row is of a transcription",
        ),
        Column(
            *("item_id", "text", "Which user message was transcribed.", SERVER),
            missing="the row is of a response",
        ),
    ),
)

COST_TURNS = Table(
    "cost_turns",
    "One row per turn, `rec.cost().by_turn`.",
    (
        TURN,
        Column(
            *("usd", "number", "What it cost, with its transcription.", PRICES),
            missing="a part of it has no price",
        ),
        Column(
            *("cumulative_usd", "number", "All turns up to it.", PRICES),
            missing="a part of them has no price",
        ),
        Column(
            *("responses_usd", "number", "What its responses cost.", PRICES),
            missing="one of them has no price",
        ),
        Column("responses", "count", "How many there were.", COUNTED, said_unit="count"),
        Column(
            *("input_tokens", "count", "What the last of them read.", SERVER),
            missing="the server did not count it",
        ),
        Column(
            *("cached_share", "number", "The cached part of that, 0 to 1.", SERVER),
            missing="the server did not count it",
        ),
    ),
)

COST_VARIANTS = Table(
    "cost_variants",
    "One row per part of the price of each way to do it, `rt.compare_costs(…)`.",
    (
        Column("variant", "text", "A model's name, or `stt + llm + tts`.", "this package"),
        Column("part", "text", "What is paid for; `total` last.", "this package"),
        Column(
            *("usd_per_conversation", "number", "Its price."),
            "the assumptions and the table of prices",
            missing="the model has no known price, or it is not known how long somebody spoke",
            notes=("basis",),
            said_unit="usd",
        ),
        Column(
            *("usd_per_minute", "number"),
            "By minute of the session, or of talk if minutes were given.",
            "the assumptions and the table of prices",
            missing="its price is, or a log does not tell how long the session was",
            said_unit="usd",
        ),
        Column("basis", "text", "How it was worked out, or why it is missing.", DERIVED),
    ),
)
