"""What each response and each transcription of a recorded session cost.

Input tokens are priced by modality, and cached tokens are a part of them. For each of text, audio
and image::

    (input - cached) * price_in + cached * price_cached

and output tokens come on top. The transcription of the user's audio is billed apart, by its own
model, by tokens or by duration.

Where a server tells how many tokens were cached but not of which modality, the price has two
bounds: they are those that save least, which is what ``usd`` says, or those that save most.

What can't be priced has ``usd`` NaN and a ``reason``; it is never 0 and never guessed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.columns.frames import frame, records
from realtime_nb.analysis.cost.prices import (
    PRICES_DATE,
    TOKENS_PRICED,
    DurationPrice,
    Price,
    PriceTable,
)
from realtime_nb.analysis.cost.pricing import LOCAL, Bill, Pricing, is_duration, pricing_of
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.cost.token_counts import (
    MODALITIES,
    Tokens,
    least_price,
    price_tokens,
    tokens_of,
)
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.table_cells import or_nan, rest_ms
from realtime_nb.analysis.talk_time import spoken_messages, talk_time
from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.reported_usage import number_of
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cost_summary", "costs"]

_BILLED = (
    "response.created",
    "response.done",
    "conversation.item.input_audio_transcription.completed",
)
"""Events without which something that was billed is missing."""

_KINDS = ("response", "transcription")

_TWO = "its id was given twice, so that its usage is not known"


@dataclass(frozen=True, slots=True)
class _Priced:
    """What was used, what it cost at most and at least, and why that is not known."""

    tokens: Tokens | str
    audio_s: float = math.nan
    usd: float = math.nan
    least_usd: float = math.nan
    reason: str | None = None


def costs(
    rec: Recorded, prices: PriceTable | None = None, model: str | None = None
) -> pd.DataFrame:
    """Returns what each response and each transcription cost, in order of time.

    Args:
        rec: The recorded session.
        prices: Prices by model name that come before those of
            :data:`realtime_nb.analysis.cost.prices.PRICES`.
        model: Price the responses as if they were this model's. The local server's own have no
            price; with a model named, its transcription counts as that of the model that the
            session names where it is reported in tokens, else as gpt-transcribe's, unless
            ``prices`` has one for what the session names.

    ``attrs["assumption"]`` names the model it was priced as, when that is not the session's;
    ``attrs["price_dates"]`` by model the date of its price, where the price tells it.
    """
    pricing = pricing_of(rec, prices, model)
    dates: dict[str, str] = {}
    table = frame("costs", list(_rows(rec.conversation, pricing, dates)))
    table = table.sort_values("at_s", kind="stable").reset_index(drop=True)
    table["cumulative_usd"] = table.usd.fillna(0.0).cumsum()
    table.attrs["assumption"] = pricing.assumption
    table.attrs["price_dates"] = dates
    return table


def _rows(
    conversation: Conversation, pricing: Pricing, dates: dict[str, str]
) -> Iterator[dict[str, object]]:
    turns = find_user_turns(conversation)
    turn_of = {response.id: turn.number for turn in turns for response in turn.responses}
    turn_of |= {turn.item.id: turn.number for turn in turns}
    for response in conversation.responses.values():
        bill = pricing.response(response)
        _note_date(bill, dates)
        yield _row(response, turn_of.get(response.id), bill, _priced_response(response, bill))
    for item in (*conversation.items.values(), *conversation.deleted.values()):
        for usage in item.transcription_usages.values():
            bill = pricing.transcription(item, usage)
            _note_date(bill, dates)
            yield _row(item, turn_of.get(item.id), bill, _priced_transcription(item, usage, bill))


def _note_date(bill: Bill, dates: dict[str, str]) -> None:
    if bill.model is not None and bill.price is not None and bill.price.as_of:
        dates[bill.model] = bill.price.as_of


def _row(what: Response | Item, turn: int | None, bill: Bill, priced: _Priced) -> dict[str, object]:
    of_response = isinstance(what, Response)
    return {
        "turn": turn,
        "kind": "response" if of_response else "transcription",
        "response_id": what.id if of_response else None,
        "item_id": None if of_response else what.id,
        "model": bill.model,
        "at_s": or_nan(what.done_s if isinstance(what, Response) else what.transcript_s),
        **_token_columns(priced.tokens),
        "audio_s": priced.audio_s,
        "usd": priced.usd,
        "least_usd": priced.least_usd,
        "reason": priced.reason,
    }


# --- prices ---------------------------------------------------------------------------------------


def _priced_response(response: Response, bill: Bill) -> _Priced:
    text_output = response.output_modalities == ["text"]
    tokens = tokens_of(response.usage, text_only=_text_only(bill), text_output=text_output)
    if response.active:
        return _Priced(tokens, reason="it was still running when the session ended")
    if response.repeated:
        return _Priced(_TWO, reason=_TWO)
    if isinstance(bill.price, DurationPrice):
        return _Priced(tokens, reason=f"{bill.model} is billed by duration, not by responses")
    return _priced_tokens(tokens, bill)


def _priced_transcription(item: Item, usage: JsonObject | None, bill: Bill) -> _Priced:
    if item.repeated:
        return _Priced(_TWO, reason=_TWO)
    seconds = None if usage is None else number_of(usage.get("seconds"))
    audio_s = or_nan(seconds)
    if isinstance(bill.price, DurationPrice):
        usd = audio_s / 60 * bill.price.usd_per_minute
        why = "it is billed by duration, which the server did not report"
        return _Priced(tokens_of(usage), audio_s, usd, usd, why if math.isnan(usd) else None)
    tokens = tokens_of(usage, text_only=_text_only(bill), text_output=True)
    if is_duration(usage):
        tokens = "its usage is a duration, and the price is one of tokens"
    return replace(_priced_tokens(tokens, bill), audio_s=audio_s)


def _priced_tokens(tokens: Tokens | str, bill: Bill) -> _Priced:
    if not isinstance(bill.price, Price):
        return _Priced(tokens, reason=bill.why)
    if isinstance(tokens, str):
        return _Priced(tokens, reason=tokens)
    usd, least_usd = price_tokens(tokens, bill.price), least_price(tokens, bill.price)
    why = f"{bill.model} has no price for some of these tokens" if math.isnan(usd) else None
    return _Priced(tokens, usd=usd, least_usd=least_usd, reason=why)


def _text_only(bill: Bill) -> bool:
    return isinstance(bill.price, Price) and bill.price.text_only


def _token_columns(tokens: Tokens | str) -> dict[str, float]:
    known = tokens if isinstance(tokens, Tokens) else None
    names = [f"{kind}_{modality}" for kind in ("fresh", "cached") for modality in MODALITIES]
    names += ["output_text", "output_audio"]
    counts = {
        name: math.nan if known is None else float(getattr(known, name))
        for name in (*names, "unsplit_cached")
    }
    cached = sum(counts[f"cached_{name}"] for name in MODALITIES) + counts["unsplit_cached"]
    fresh = sum(counts[f"fresh_{name}"] for name in MODALITIES) - counts["unsplit_cached"]
    for name in MODALITIES:
        if known is not None and getattr(known, f"open_{name}"):
            counts[f"fresh_{name}"] = counts[f"cached_{name}"] = math.nan
    return {
        **{f"{name}_tokens": counts[name] for name in names},
        "input_tokens": fresh + cached,
        "cached_share": cached / (fresh + cached) if fresh + cached > 0 else math.nan,
        "unsplit_cached_tokens": counts["unsplit_cached"],
    }


# --- the summary ----------------------------------------------------------------------------------


def cost_summary(rec: Recorded, prices: PriceTable | None = None, model: str | None = None) -> Cost:
    """Returns what a session cost. Arguments as in :func:`costs`."""
    table = costs(rec, prices, model)
    missing = _not_in_table(rec.conversation)
    total, responses, transcriptions = (
        math.nan if missing else float(part.sum(skipna=False))
        for part in (table.usd, *(table.usd[table.kind == kind] for kind in _KINDS))
    )
    nothing = not table.usd.notna().any() and (len(table) or missing)
    priced = math.nan if nothing else float(table.usd.sum())
    unheard = _unheard_audio_cost(rec.conversation, table, pricing_of(rec, prices, model))
    talk = talk_time(rec)
    unknown = {
        "per_minute_usd": None if rec.duration_s > 0 else "how long the session was is not known",
        "per_talk_minute_usd": talk.reason if talk.reason or talk.both_s else "nobody spoke",
        "unheard_tokens": unheard.reason,
        "unheard_share": unheard.reason if unheard.share != unheard.share else None,
        "unheard_usd": unheard.reason,
    }
    return Cost(
        total_usd=total,
        least_usd=math.nan if missing else float(table.least_usd.sum(skipna=False)),
        priced_usd=priced,
        responses_usd=responses,
        transcription_usd=transcriptions,
        per_minute_usd=_per_minute(priced, rec.duration_s),
        per_talk_minute_usd=_per_minute(priced, talk.both_s),
        unheard_usd=unheard.usd,
        unheard_tokens=unheard.tokens,
        unheard_share=unheard.share,
        by_turn=_by_turn(table),
        table=table,
        price_dates={
            model: date for model, date in table.attrs["price_dates"].items() if date != PRICES_DATE
        },
        assumption="; ".join(filter(None, [table.attrs["assumption"], _counted(table)])) or None,
        reason="; ".join(filter(None, [*missing, _why_unpriced(table)])) or None,
        unknown={name: why for name, why in unknown.items() if why is not None},
    )


def _per_minute(usd: float, seconds: float) -> float:
    return usd / (seconds / 60) if seconds > 0 else math.nan


def _by_turn(table: pd.DataFrame) -> pd.DataFrame:
    known = table[table.turn.notna()].sort_values("turn", kind="stable")
    rows = []
    cumulative_usd = 0.0
    for turn, part in groupby(records(known), lambda row: row["turn"]):
        row = _cost_of_turn(turn, list(part))
        cumulative_usd += row["usd"]
        rows.append({**row, "cumulative_usd": cumulative_usd})
    return frame("cost_turns", rows)


def _cost_of_turn(turn: int, part: list[dict[str, Any]]) -> dict[str, float]:
    responses = [row for row in part if row["kind"] == "response"]
    known = [row for row in responses if row["input_tokens"]]
    return {
        "turn": turn,
        "usd": sum((row["usd"] for row in part), 0.0),
        "responses_usd": sum((row["usd"] for row in responses), 0.0),
        "responses": len(responses),
        "input_tokens": known[-1]["input_tokens"] if known else math.nan,
        "cached_share": known[-1]["cached_share"] if known else math.nan,
    }


@dataclass(frozen=True, slots=True)
class _Unheard:
    """The agent's audio that was never played; NaN, and why, where that is not known."""

    usd: float = math.nan
    tokens: float = math.nan
    share: float = math.nan
    reason: str | None = None


def _unheard_audio_cost(
    conversation: Conversation, table: pd.DataFrame, pricing: Pricing
) -> _Unheard:
    items = spoken_messages(conversation)
    if all(item.played_ms is None for item in items):
        return _Unheard(reason="playback was not reported" if items else "the agent did not speak")
    received_ms = sum(item.audio_ms for item in items)
    unheard_ms = sum(rest_ms(item.audio_ms, item.played_ms or 0.0) for item in items)
    if math.isnan(received_ms + unheard_ms):
        return _Unheard(reason="how much of the agent was played is not known")
    share = unheard_ms / received_ms if received_ms else math.nan
    counts = (
        table[table.kind == "response"].set_index("response_id").output_audio_tokens.astype(float)
    )
    whole_ms: dict[str | None, float] = defaultdict(float)
    lost_ms: dict[str | None, float] = defaultdict(float)
    for item in items:
        whole_ms[item.response_id] += item.audio_ms
        lost_ms[item.response_id] += rest_ms(item.audio_ms, item.played_ms or 0.0)
    tokens, usd = 0.0, 0.0
    for response_id, ms in lost_ms.items():
        if ms:
            lost = float(counts.get(response_id, math.nan)) * ms / whole_ms[response_id]
            tokens += lost
            usd += lost * _audio_usd(conversation, response_id, pricing)
    reason = None if tokens == tokens else "the server reported no audio tokens of it"
    return _Unheard(usd, tokens, share, reason)


def _audio_usd(conversation: Conversation, response_id: str | None, pricing: Pricing) -> float:
    """Returns what one token of a response's audio cost; NaN where that is not known."""
    response = conversation.responses.get(response_id or "")
    price = None if response is None else pricing.response(response).price
    return price.audio_out / TOKENS_PRICED if isinstance(price, Price) else math.nan


# --- what is not known, and what is assumed -------------------------------------------------------


def _not_in_table(conversation: Conversation) -> list[str]:
    """Returns what may have been billed, but is not in the table, and why."""
    if not conversation.events_applied:
        return ["there are no events"]
    found = [
        conversation.gaps[name] for name in ("usage", "events.jsonl") if name in conversation.gaps
    ]
    found += [
        f"{counted(conversation.malformed[name], f'{name} event')} can't be understood"
        for name in _BILLED
        if name in conversation.malformed
    ]
    if not conversation.responses:
        items = (*conversation.items.values(), *conversation.deleted.values())
        if any(item.role == "assistant" or item.type == "function_call" for item in items):
            found.append("there are answers, but nothing tells of their responses")
        elif not conversation.session:
            found.append("nothing tells of a session or a response")
    return found


def _counted(table: pd.DataFrame) -> str | None:
    """Returns how cached tokens were counted of which the server does not tell what they were."""
    unsplit = table[(table.unsplit_cached_tokens > 0) & table.usd.notna()]
    if unsplit.empty:
        return None
    return (
        f"the server does not tell what {unsplit.unsplit_cached_tokens.sum():,.0f} cached tokens "
        "were: at most, those that save least (text); at least, those that save most (audio)"
    )


def _why_unpriced(table: pd.DataFrame) -> str | None:
    missing = table[table.usd.isna()]
    if len(missing) and (missing.reason == LOCAL).all():
        return f'{LOCAL}; model="gpt-realtime-2.1" prices its tokens as if they were that one\'s'
    counts = Counter(zip(missing.kind, missing.reason, strict=True))
    parts = [f"{counted(count, kind)}: {why}" for (kind, why), count in counts.items()]
    return "; ".join(parts) or None
