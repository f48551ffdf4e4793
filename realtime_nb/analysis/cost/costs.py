"""What a recorded session cost: per response, per turn, per minute, and what was never heard.

Input tokens are priced by modality, and cached tokens are a part of them. For each of text, audio
and image::

    (input - cached) * price_in + cached * price_cached

and output tokens come on top. Where a server tells how many tokens were cached but not of which
modality, they are taken to be text first, then audio, then image. The transcription of the user's
audio is billed apart, by its own model, by tokens or by duration.

What can't be priced has ``usd`` NaN and a ``reason``; it is never 0 and never guessed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.cost.prices import (
    TOKENS_PRICED,
    DurationPrice,
    Price,
    PriceTable,
    find_price,
)
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.cost.token_counts import MODALITIES, Tokens, price_tokens, tokens_of
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.table_cells import or_nan, rest_ms
from realtime_nb.analysis.talk_time import spoken_messages, talk_time
from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cost_summary", "costs"]

_TURN_COLUMNS = (
    *("turn", "usd", "cumulative_usd", "responses_usd", "responses"),
    *("input_tokens", "cached_share"),
)
_LOCAL = "the local server: no price"
_AS_IF_TRANSCRIPTION = "gpt-transcribe"


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pricing:
    """By which prices a session is priced."""

    model: str | None
    transcription_model: str | None
    prices: PriceTable | None
    local: bool
    assumption: str | None

    def of(self, model: str | None) -> Price | DurationPrice | None:
        """Returns a model's price. On the local server a model's name means nothing; only what the
        caller gives it as a price counts."""
        if self.local:
            return (self.prices or {}).get(model or "")
        return find_price(model, self.prices)


def _pricing(rec: Recorded, prices: PriceTable | None, model: str | None) -> _Pricing:
    session = rec.conversation.session
    own = session.get("model") or rec.header.get("model")
    own = own if isinstance(own, str) else None
    heard_by = _transcription_model(session)
    if model is None or (model == own and not rec.simulated):
        return _Pricing(own, heard_by, prices, rec.simulated, None)
    ran_on = "the local server" if rec.simulated else own or "an unknown model"
    assumption = f"priced as if by {model}; the session ran on {ran_on}"
    if rec.simulated and find_price(heard_by, prices) is None:
        heard_by = _AS_IF_TRANSCRIPTION
        assumption += f", and its transcription as if by {heard_by}"
    return _Pricing(model, heard_by, prices, False, assumption)


def _transcription_model(session: JsonObject) -> str | None:
    value: object = session
    for key in ("audio", "input", "transcription", "model"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def costs(
    rec: Recorded, prices: PriceTable | None = None, model: str | None = None
) -> pd.DataFrame:
    """Returns what each response and each transcription cost, in order of time.

    Args:
        rec: The recorded session.
        prices: Prices by model name that come before those of
            :data:`realtime_nb.analysis.cost.prices.PRICES`.
        model: Price the responses as if they were this model's. The local server's own have no
            price; with a model named, its transcription counts as gpt-transcribe's unless
            ``prices`` has one for what the session names.

    Columns:
        turn: the user turn that it belongs to, NaN when none.
        kind: ``response`` or ``transcription``.
        response_id, item_id: which response, or which user message was transcribed.
        model: by whose price.
        at_s: when it was done.
        fresh_text_tokens, fresh_audio_tokens, fresh_image_tokens: input, but for what was cached.
        cached_text_tokens, cached_audio_tokens, cached_image_tokens: input from the cache.
        output_text_tokens, output_audio_tokens: output. All are NaN where they are not known.
        input_tokens: fresh and cached together.
        cached_share: the cached part of the input, 0 to 1.
        audio_s: of a transcription billed by duration, the seconds billed.
        usd: its price, NaN when that is not known.
        cumulative_usd: of all up to here that could be priced.
        reason: why ``usd`` is NaN.

    ``attrs["assumption"]`` names the model it was priced as, when that is not the session's.
    """
    import pandas as pd

    pricing = _pricing(rec, prices, model)
    rows = list(_rows(rec.conversation, pricing))
    blank = _response_row(Response(""), math.nan, pricing)
    table = pd.DataFrame(rows, columns=list(blank)).sort_values("at_s", kind="stable")
    table = table.reset_index(drop=True)
    table["cumulative_usd"] = table.usd.astype(float).fillna(0.0).cumsum()
    table.attrs["assumption"] = pricing.assumption
    return table


def _rows(conversation: Conversation, pricing: _Pricing) -> Iterator[dict[str, object]]:
    turns = find_user_turns(conversation)
    turn_of = {response.id: turn.number for turn in turns for response in turn.responses}
    turn_of |= {turn.item.id: turn.number for turn in turns}
    for response in conversation.responses.values():
        yield _response_row(response, turn_of.get(response.id, math.nan), pricing)
    for item in (*conversation.items.values(), *conversation.deleted.values()):
        if item.transcript == "completed" or item.transcription_usage is not None:
            yield _transcription_row(item, turn_of.get(item.id, math.nan), pricing)


def _response_row(response: Response, turn: float, pricing: _Pricing) -> dict[str, object]:
    tokens = tokens_of(response.usage)
    price = pricing.of(pricing.model)
    usd, reason = _priced(tokens, price, pricing.model, "response", pricing.local)
    if isinstance(price, DurationPrice):
        reason = f"{pricing.model} is billed by duration, not by responses"
    if response.active:
        reason = "it was still running when the session ended"
    return {
        "turn": turn,
        "kind": "response",
        "response_id": response.id,
        "item_id": None,
        "model": pricing.model,
        "at_s": or_nan(response.done_s),
        **_token_columns(tokens),
        "audio_s": math.nan,
        "usd": usd,
        "cumulative_usd": math.nan,
        "reason": reason,
    }


def _transcription_row(item: Item, turn: float, pricing: _Pricing) -> dict[str, object]:
    usage = item.transcription_usage
    seconds = usage.get("seconds") if usage is not None else None
    audio_s = float(seconds) if isinstance(seconds, int | float) else math.nan
    price = pricing.of(pricing.transcription_model)
    tokens = tokens_of(usage)
    if audio_s == audio_s:
        tokens = "its usage is a duration, and the price is one of tokens"
    usd, reason = _priced(
        tokens, price, pricing.transcription_model, "transcription", pricing.local
    )
    if isinstance(price, DurationPrice):
        usd = audio_s / 60 * price.usd_per_minute
        reason = None if usd == usd else "it is billed by duration, which the server did not report"
    return {
        "turn": turn,
        "kind": "transcription",
        "response_id": None,
        "item_id": item.id,
        "model": pricing.transcription_model,
        "at_s": or_nan(item.transcript_s),
        **_token_columns(tokens),
        "audio_s": audio_s,
        "usd": usd,
        "cumulative_usd": math.nan,
        "reason": reason,
    }


def _priced(
    tokens: Tokens | str,
    price: Price | DurationPrice | None,
    model: str | None,
    kind: str,
    local: bool,
) -> tuple[float, str | None]:
    """Returns USD, or NaN and why."""
    if local and price is None:
        return math.nan, _LOCAL
    if not isinstance(price, Price):
        return math.nan, _no_price(model, kind)
    if isinstance(tokens, str):
        return math.nan, tokens
    usd = price_tokens(tokens, price)
    return usd, None if usd == usd else f"{model} has no price for some of these tokens"


def _no_price(model: str | None, kind: str) -> str:
    if model is None:
        return f"the session does not tell the model of its {kind}s"
    return f'no price is known for {model}; give one: prices={{"{model}": rt.Price(…)}}'


def _token_columns(tokens: Tokens | str) -> dict[str, float]:
    known = tokens if isinstance(tokens, Tokens) else None
    names = [f"{kind}_{modality}" for kind in ("fresh", "cached") for modality in MODALITIES]
    names += ["output_text", "output_audio"]
    columns = {
        f"{name}_tokens": math.nan if known is None else float(getattr(known, name))
        for name in names
    }
    cached = sum(columns[f"cached_{modality}_tokens"] for modality in MODALITIES)
    columns["input_tokens"] = cached + sum(columns[f"fresh_{name}_tokens"] for name in MODALITIES)
    columns["cached_share"] = (
        cached / columns["input_tokens"] if columns["input_tokens"] > 0 else math.nan
    )
    return columns


# --- the summary ----------------------------------------------------------------------------------


def cost_summary(rec: Recorded, prices: PriceTable | None = None, model: str | None = None) -> Cost:
    """Returns what a session cost. Arguments as in :func:`costs`."""
    table = costs(rec, prices, model)
    responses, transcriptions = (
        table[table.kind == kind].usd for kind in ("response", "transcription")
    )
    priced = float(table.usd.sum()) if table.usd.notna().any() or table.empty else math.nan
    unheard = _unheard_audio_cost(rec.conversation, table, _pricing(rec, prices, model))
    talk = talk_time(rec)
    unknown = {
        "per_minute_usd": None if rec.duration_s > 0 else "how long the session was is not known",
        "per_talk_minute_usd": talk.reason if talk.reason or talk.both_s else "nobody spoke",
        "unheard_tokens": unheard.reason,
        "unheard_share": unheard.reason if unheard.share != unheard.share else None,
        "unheard_usd": unheard.reason,
    }
    return Cost(
        total_usd=float(table.usd.sum(skipna=False)),
        priced_usd=priced,
        responses_usd=float(responses.sum(skipna=False)),
        transcription_usd=float(transcriptions.sum(skipna=False)),
        per_minute_usd=_per_minute(priced, rec.duration_s),
        per_talk_minute_usd=_per_minute(priced, talk.both_s),
        unheard_usd=unheard.usd,
        unheard_tokens=unheard.tokens,
        unheard_share=unheard.share,
        by_turn=_by_turn(table),
        table=table,
        assumption=table.attrs["assumption"],
        reason=_why_unpriced(table),
        unknown={name: why for name, why in unknown.items() if why is not None},
    )


def _per_minute(usd: float, seconds: float) -> float:
    return usd / (seconds / 60) if seconds > 0 else math.nan


def _by_turn(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    names = ["turn", "kind", "usd", "input_tokens", "cached_share"]
    known = table.loc[table.turn.notna(), names].sort_values("turn", kind="stable")
    rows = []
    cumulative_usd = 0.0
    for turn, part in groupby(known.to_dict("records"), lambda row: row["turn"]):
        row = _cost_of_turn(int(turn), list(part))
        cumulative_usd += row["usd"]
        rows.append({**row, "cumulative_usd": cumulative_usd})
    return pd.DataFrame(rows, columns=list(_TURN_COLUMNS))


def _cost_of_turn(turn: int, part: list[dict[Any, Any]]) -> dict[str, float]:
    responses = [row for row in part if row["kind"] == "response"]
    known = [row for row in responses if row["input_tokens"] > 0]
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
    conversation: Conversation, table: pd.DataFrame, pricing: _Pricing
) -> _Unheard:
    items = spoken_messages(conversation)
    if all(item.played_ms is None for item in items):
        return _Unheard(reason="playback was not reported" if items else "the agent did not speak")
    received_ms = sum(item.audio_ms for item in items)
    unheard_ms = sum(rest_ms(item.audio_ms, item.played_ms or 0.0) for item in items)
    if math.isnan(received_ms + unheard_ms):
        return _Unheard(reason="how much of the agent was played is not known")
    share = unheard_ms / received_ms if received_ms else math.nan
    counts = table[table.kind == "response"].set_index("response_id").output_audio_tokens
    whole_ms: dict[str | None, float] = defaultdict(float)
    lost_ms: dict[str | None, float] = defaultdict(float)
    for item in items:
        whole_ms[item.response_id] += item.audio_ms
        lost_ms[item.response_id] += rest_ms(item.audio_ms, item.played_ms or 0.0)
    tokens = sum(
        (
            float(counts.get(response_id, math.nan)) * ms / whole_ms[response_id]
            for response_id, ms in lost_ms.items()
            if ms
        ),
        0.0,
    )
    reason = None if tokens == tokens else "the server reported no audio tokens of it"
    price = pricing.of(pricing.model)
    usd = tokens * price.audio_out / TOKENS_PRICED if isinstance(price, Price) else math.nan
    return _Unheard(usd, tokens, share, reason)


def _why_unpriced(table: pd.DataFrame) -> str | None:
    missing = table[table.usd.isna()]
    if len(missing) and (missing.reason == _LOCAL).all():
        return f'{_LOCAL}; model="gpt-realtime-2.1" prices its tokens as if they were that one\'s'
    counts = Counter(zip(missing.kind, missing.reason, strict=True))
    parts = [f"{counted(count, kind)}: {why}" for (kind, why), count in counts.items()]
    return "; ".join(parts) or None
