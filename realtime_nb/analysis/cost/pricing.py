"""By whose prices each response and each transcription of a session is priced, and why not.

Each is priced by the model that was in force when it began: a server may begin anew with another
one, and the model that transcribes may change while a session goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from realtime_nb.analysis.cost.prices import DurationPrice, Price, PriceTable, find_price
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.protocol.conversation import Item, Response
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.serving import Serving

__all__ = ["LOCAL", "Bill", "Pricing", "is_duration", "pricing_of"]

LOCAL = "the local server: no price"
_AS_IF_TRANSCRIPTION = "gpt-transcribe"
_EXAMPLE = "gpt-realtime"

Kind = Literal["response", "transcription"]


@dataclass(frozen=True, slots=True)
class Bill:
    """What something is priced by.

    Attributes:
        model: whose price it is, None where that is not told.
        price: None where there is none.
        why: why there is none.
    """

    model: str | None
    price: Price | DurationPrice | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Pricing:
    """The prices of a session.

    Attributes:
        prices: the caller's.
        as_if: price the responses as this model's.
        unnamed: the model of a session whose server never tells it.
        local: whether all of it is the local server's; else a session's id tells.
        assumption: as what it is priced, when not as what it was.
    """

    prices: PriceTable | None
    as_if: str | None
    unnamed: str | None
    local: bool
    assumption: str | None = None

    def response(self, response: Response) -> Bill:
        """Returns what a response is priced by."""
        if self.as_if is not None:
            return self._listed(self.as_if, "response")
        model = response.serving.model or self.unnamed
        return (
            self._own(model, "response")
            if self._is_local(response.serving)
            else (self._listed(model, "response"))
        )

    def transcription(self, item: Item, usage: JsonObject | None) -> Bill:
        """Returns what the transcription of an item is priced by."""
        model, by_duration = item.serving.transcription_model, is_duration(usage)
        if not self._is_local(item.serving):
            return self._listed(model, "transcription", by_duration)
        if self.as_if is not None and model not in (self.prices or {}):
            return self._listed(_stand_in(model, by_duration), "transcription", by_duration)
        return self._own(model, "transcription")

    def _is_local(self, serving: Serving) -> bool:
        return self.local or serving.local

    def _own(self, model: str | None, kind: Kind) -> Bill:
        """Returns the price that the caller gives to a name; on the local server, names mean
        nothing."""
        price = (self.prices or {}).get(model or "")
        return Bill(model, price, LOCAL if price is None else None)

    def _listed(self, model: str | None, kind: Kind, by_duration: bool = False) -> Bill:
        price = find_price(model, self.prices)
        return Bill(model, price, _no_price(model, kind, by_duration) if price is None else None)


def pricing_of(rec: Recorded, prices: PriceTable | None, model: str | None) -> Pricing:
    """Returns the prices of a session; arguments as in
    :func:`realtime_nb.analysis.cost.costs.costs`."""
    conversation = rec.conversation
    named = rec.header.get("model") if conversation.serving.model is None else None
    unnamed = named if isinstance(named, str) else None
    local = rec.simulated and not conversation.serving.local
    pricing = Pricing(prices, None, unnamed, local)
    if model is None:
        return pricing
    ran_on = _ran_on(pricing, conversation.responses.values(), conversation.serving)
    if ran_on == [model]:
        return pricing
    assumption = f"priced as if by {model}; the session ran on {' and '.join(ran_on)}"
    as_if = Pricing(prices, model, unnamed, local)
    heard = (*conversation.items.values(), *conversation.deleted.values())
    if _LOCAL_NAME in ran_on and not any(_has_own_price(item, prices) for item in heard):
        names = {
            _stand_in(item.serving.transcription_model, is_duration(usage))
            for item in heard
            for usage in item.transcription_usages.values()
        }
        whose = " and ".join(sorted(names) or [_AS_IF_TRANSCRIPTION])
        assumption += f", and its transcription as if by {whose}"
    return Pricing(prices, as_if.as_if, unnamed, local, assumption)


def is_duration(usage: JsonObject | None) -> bool:
    """Tells whether a transcription is billed by its duration."""
    return usage is not None and "seconds" in usage


def _stand_in(model: str | None, by_duration: bool) -> str:
    """Returns whose price counts for what the local server transcribed: one that is billed alike.

    It counts as the model that was asked for is billed, so that tokens are that one's.
    """
    billed_by_tokens = not by_duration and isinstance(find_price(model, None), Price)
    return model if model is not None and billed_by_tokens else _AS_IF_TRANSCRIPTION


_LOCAL_NAME = "the local server"


def _ran_on(pricing: Pricing, responses: Iterable[Response], now: Serving) -> list[str]:
    """Returns the names of what answered, in order; of a session without responses, what would."""
    servings = [response.serving for response in responses] or [now]
    names = [
        _LOCAL_NAME
        if pricing.local or serving.local
        else serving.model or pricing.unnamed or "an unknown model"
        for serving in servings
    ]
    return list(dict.fromkeys(names))


def _has_own_price(item: Item, prices: PriceTable | None) -> bool:
    return item.serving.transcription_model in (prices or {})


def _no_price(model: str | None, kind: Kind, by_duration: bool) -> str:
    if model is None:
        hint = f'; rec.cost(model="{_EXAMPLE}") prices them as that one\'s' * (kind == "response")
        return f"the session does not tell the model of its {kind}s{hint}"
    if by_duration:
        price, whose = "rt.DurationPrice(usd_per_minute=0.006)", "whisper-1"
    else:
        price, whose = (
            "rt.Price(text_in=4, text_cached=0.4, text_out=16, "
            "audio_in=32, audio_cached=0.4, audio_out=64)",
            _EXAMPLE,
        )
    return (
        f"no price is known for {model}; give its own, as here {whose}'s: "
        f"rec.cost(prices={{{model!r}: {price}}})"
    )
