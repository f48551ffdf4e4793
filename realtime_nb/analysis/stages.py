"""What each stage of a pipeline took in each turn, and what went through it.

A server that hears, thinks and speaks with engines of its own can tell what each of them took
(:class:`realtime_nb.protocol.stages.Stages`); a hosted speech-to-speech service can't, and then the
columns are missing, with that reason. There are three clocks: the session's, for what is voice to
voice; the audio's own, for what turn detection waits for; the server's, for its engines. Every
duration is taken on one of them, and the way between the two ends is what is left of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.columns.frames import frame, records
from realtime_nb.analysis.connection_gaps import across, gap_spans
from realtime_nb.analysis.cost.prices import DurationPrice, PriceTable, find_price
from realtime_nb.analysis.cost.token_counts import Tokens, price_tokens
from realtime_nb.analysis.pace import pace_note
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.turn_moments import doubt_of
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.protocol.conversation import Conversation, Response
from realtime_nb.protocol.stages import Stages

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AMOUNTS", "COSTS", "STAGE_PARTS", "stages"]

STAGE_PARTS = (
    *("vad_ms", "stt_wait_ms", "calls_ms", "llm_first_token_ms"),
    *("llm_sentence_ms", "tts_first_audio_ms", "transport_ms"),
)
"""The columns that add up to ``latency_ms``, in the order of time."""

AMOUNTS = ("stt_audio_s", "input_tokens", "output_tokens", "tts_characters", "tts_audio_s")
"""What went through the stages."""

COSTS = ("stt_usd", "llm_usd", "tts_usd")

_UNTOLD = "the server tells no stages"
_NOT_REACHED = "it did not come to that"
_UNHEARD = "it was not heard by the server's recognition"
_CUT_OFF = "the answer was cut off before the model had said all of it"
_UNCOUNTED = "the engine does not count its tokens"
_SLACK_MS = 1.0

_Cells = dict[str, float]
_Reasons = dict[str, str]


def stages(rec: Recorded, prices: PriceTable | None = None) -> pd.DataFrame:
    """Returns one row per turn that was answered.

    Args:
        rec: the session.
        prices: prices by the engine's name, that come before the built-in ones.
    """
    told = {row["turn"]: row for row in records(rec.turns)}
    found = [
        _row(turn, told[turn.number], rec, prices)
        for turn in find_user_turns(rec.conversation)
        if turn.responses
    ]
    return frame("stages", found)


def _row(
    turn: UserTurn, told: Mapping[str, Any], rec: Recorded, prices: PriceTable | None
) -> dict[str, object]:
    cells, why = _Cells(), _Reasons()
    _take_latency(told, pace_note(rec.header), cells, why)
    _take_vad(turn, told, cells, why)
    doubt = doubt_of(turn)
    known = [] if doubt else [one.stages for one in turn.responses if one.stages is not None]
    untold = _untold(rec.conversation) if not known else None
    missing = doubt or untold or _NOT_REACHED
    _take_moments(turn, rec.conversation, cells, why, missing)
    _take_amounts(turn, known, cells, why, missing)
    _take_transport(cells, why)
    names = {
        name: next((getattr(one, name) for one in known if getattr(one, name)), None)
        for name in ("stt", "llm", "tts")
    }
    usd, cost_why = _costs(names, cells, prices, missing)
    note, cost_note = _noted(why), _noted(cost_why)
    row = {"turn": turn.number, **cells, "stages_note": note, **names, **usd}
    return {**row, "cost_note": cost_note}


def _untold(conversation: Conversation) -> str:
    local = "; the local server does so for clients of this package" * conversation.serving.local
    return f"{_UNTOLD}{local}"


def _take_latency(told: Mapping[str, Any], pace: str | None, cells: _Cells, why: _Reasons) -> None:
    cells["latency_ms"] = float(told["latency_ms"])
    if math.isnan(cells["latency_ms"]):
        why["latency_ms"] = told["latency_note"] or pace or "unknown"


def _take_vad(turn: UserTurn, told: Mapping[str, Any], cells: _Cells, why: _Reasons) -> None:
    cells["vad_ms"] = told["audio_end_ms"] - told["offset_ms"]
    if turn.source == "typed":
        why["vad_ms"] = "typed"
    elif told["speech_end_source"] == "label":
        why["vad_ms"] = "a label says where speech ended"
    elif math.isnan(told["audio_end_ms"]):
        why["vad_ms"] = "no turn detection reported its end"
    elif math.isnan(told["offset_ms"]):
        why["vad_ms"] = told["speech_note"] or "where the voice ended is unknown"
    elif cells["vad_ms"] < 0:
        why["vad_ms"] = "the voice went on after what was reported"
    if "vad_ms" in why:
        cells["vad_ms"] = math.nan


def _take_moments(
    turn: UserTurn, conversation: Conversation, cells: _Cells, why: _Reasons, missing: str
) -> None:
    """Takes the durations on the server's clock: of the first response, and the first that
    spoke."""
    first = turn.responses[0]
    spoken = next((one for one in turn.responses if _sent(one)), first)
    begun, answer = (first.stages, spoken.stages) if missing == _NOT_REACHED else (None, None)
    found = {
        "stt_ms": _between(begun, "heard_from_ms", "heard_ms"),
        "stt_wait_ms": _between(begun, "committed_ms", "asked_ms"),
        "calls_ms": _calls_ms(first, spoken, conversation) if begun and answer else math.nan,
        "llm_first_token_ms": _between(answer, "asked_ms", "first_token_ms"),
        "llm_sentence_ms": _between(answer, "first_token_ms", "sentence_ms"),
        "llm_ms": or_nan(answer.thinking_ms if answer else None),
        "tts_first_audio_ms": _between(answer, "sentence_ms", "sent_ms"),
        "head_start_ms": _head_start_ms(answer),
    }
    cells |= found
    because = dict.fromkeys(found, missing)
    if turn.source == "typed" or begun is not None:
        because |= dict.fromkeys(("stt_ms", "stt_wait_ms"), _why_not_heard(turn))
    if begun is not None and answer is not None:
        because["calls_ms"] = "the connection was lost meanwhile"
    if answer is not None and answer.first_token_ms is not None:
        because["llm_ms"] = _CUT_OFF
        because["head_start_ms"] = _CUT_OFF if _sent(spoken) else missing
    why |= {name: because[name] for name, value in found.items() if math.isnan(value)}


def _why_not_heard(turn: UserTurn) -> str:
    return "typed" if turn.source == "typed" else _UNHEARD


def _sent(response: Response) -> bool:
    return response.stages is not None and response.stages.sent_ms is not None


def _between(stages: Stages | None, earlier: str, later: str) -> float:
    if stages is None:
        return math.nan
    return or_nan(getattr(stages, later)) - or_nan(getattr(stages, earlier))


def _calls_ms(first: Response, spoken: Response, conversation: Conversation) -> float:
    """Returns the time between two requests; another connection has another clock."""
    assert first.stages is not None and spoken.stages is not None
    lost = across(or_nan(first.created_s), or_nan(spoken.done_s), gap_spans(conversation))
    if lost and first is not spoken:
        return math.nan
    return or_nan(spoken.stages.asked_ms) - or_nan(first.stages.asked_ms)


def _head_start_ms(answer: Stages | None) -> float:
    if answer is None:
        return math.nan
    return or_nan(answer.asked_ms) + or_nan(answer.thinking_ms) - or_nan(answer.sent_ms)


def _take_amounts(
    turn: UserTurn, known: list[Stages], cells: _Cells, why: _Reasons, missing: str
) -> None:
    """Adds up what went through the stages in all responses of the turn."""
    whole = len(known) == len(turn.responses)
    heard = [one.stt_audio_ms for one in known if one.stt_audio_ms is not None]
    cells["stt_audio_s"] = sum(heard) / 1000 if heard else math.nan
    for name, amount, scale in (
        *((name, name, 1) for name in ("input_tokens", "cached_tokens", "output_tokens")),
        ("tts_characters", "tts_characters", 1),
        ("tts_audio_s", "tts_audio_ms", 1000),
    ):
        given = [getattr(one, amount) for one in known]
        if name.startswith("tts"):
            given = [one for one in given if one is not None]
        told = whole and given and None not in given
        cells[name] = sum(given) / scale if told else math.nan
    because = dict.fromkeys(AMOUNTS, missing)
    if known:
        because |= {name: _UNCOUNTED for name in AMOUNTS if name.endswith("tokens")}
        because["stt_audio_s"] = _why_not_heard(turn)
    why |= {name: because[name] for name in AMOUNTS if math.isnan(cells[name])}


def _take_transport(cells: _Cells, why: _Reasons) -> None:
    """Takes what is left of the whole."""
    others = [cells[part] for part in STAGE_PARTS if part != "transport_ms"]
    left_ms = cells["latency_ms"] - sum(others)
    if math.isnan(left_ms):
        why["transport_ms"] = "one of the others is"
    elif left_ms < -_SLACK_MS:
        left_ms, why["transport_ms"] = math.nan, "the other stages are longer than the whole"
    cells["transport_ms"] = left_ms


def _costs(
    names: Mapping[str, str | None], cells: _Cells, prices: PriceTable | None, missing: str
) -> tuple[_Cells, _Reasons]:
    found, why = _Cells(), _Reasons()
    for stage, name in names.items():
        usd = _usd(stage, name, cells, prices)
        found[f"{stage}_usd"] = usd
        if math.isnan(usd):
            priced = name is not None and find_price(name, prices) is not None
            unpriced = missing if name is None else f"no price is known for {name}"
            why[f"{stage}_usd"] = "its amount is unknown" if priced else unpriced
    return found, why


def _usd(stage: str, name: str | None, cells: _Cells, prices: PriceTable | None) -> float:
    price = find_price(name, prices)
    if price is None:
        return math.nan
    if isinstance(price, DurationPrice):
        amount_s = {"stt": "stt_audio_s", "tts": "tts_audio_s"}.get(stage)
        return cells[amount_s] / 60 * price.usd_per_minute if amount_s else math.nan
    counts = [cells["input_tokens"], cells["output_tokens"]]
    if stage != "llm" or any(map(math.isnan, counts)):
        return math.nan
    cached = 0 if math.isnan(cells["cached_tokens"]) else int(cells["cached_tokens"])
    read, written = map(int, counts)
    return price_tokens(
        Tokens(fresh_text=read - cached, cached_text=cached, output_text=written), price
    )


def _noted(why: Mapping[str, str]) -> str | None:
    """Returns the reasons, each once, with what it is the reason for."""
    return "; ".join(_grouped(why)) or None


def _grouped(why: Mapping[str, str]) -> Iterator[str]:
    for reason in dict.fromkeys(why.values()):
        yield f"{', '.join(name for name, own in why.items() if own == reason)}: {reason}"
