"""Realtime against speech-to-text, a text model and text-to-speech, by stated assumptions.

A conversation is taken as exchanges: the user speaks, the agent answers. A response reads all that
came before it again, so the input grows with every exchange; that is a part of its own in the
result. No context is truncated, and silence costs nothing in either case. What the table of
:mod:`realtime_nb.analysis.prices` does not state is an *example* and to be replaced by one's own
figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime_nb.analysis.prices import Price, PriceTable, find_price
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.token_counts import Tokens, price_tokens
from realtime_nb.analysis.user_turns import find_turns
from realtime_nb.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PipelineAssumptions", "compare_costs"]

_EXAMPLE_LLM = Price(text_in=0.60, text_cached=0.06, text_out=2.40)
_COLUMNS = ("variant", "part", "usd_per_conversation", "usd_per_minute", "basis")


@dataclass(frozen=True, slots=True)
class PipelineAssumptions:
    """What a comparison takes for granted; each field is there to be replaced.

    Attributes:
        user_tokens_per_s: Audio tokens of the user's speech, by the hosted service's rule.
        agent_tokens_per_s: Audio tokens of the agent's speech, by the same.
        words_per_minute: How fast both speak, where there is no transcript. Assumed.
        tokens_per_word: Text tokens of a word of English. A rule of thumb.
        instructions_tokens: Instructions and tools, read again by every response. Assumed.
        cached_share: The part of what a response reads again that comes from the cache. Assumed;
            caching is best effort, and this figure moves the result more than any other.
        realtime_transcription_usd_per_minute: For the transcript of the user in a Realtime session,
            by minute of speech: gpt-transcribe's price; 0 for none.
        stt_usd_per_minute: Speech-to-text, by minute of the user's speech: gpt-transcribe's price.
        llm: Text model of the pipeline. The example is the text price of gpt-realtime-mini.
        tts_usd_per_minute: Text-to-speech, by minute of the agent's speech. The example is what a
            minute of speech of gpt-realtime-mini costs.
    """

    user_tokens_per_s: float = 10.0
    agent_tokens_per_s: float = 20.0
    words_per_minute: float = 150.0
    tokens_per_word: float = 4 / 3
    instructions_tokens: float = 500.0
    cached_share: float = 0.8
    realtime_transcription_usd_per_minute: float = 0.0045
    stt_usd_per_minute: float = 0.0045
    llm: Price = _EXAMPLE_LLM
    tts_usd_per_minute: float = 0.024

    def __post_init__(self) -> None:
        if not 0 <= self.cached_share <= 1:
            raise ConfigurationError(
                f"cached_share is {self.cached_share}; give a share from 0 to 1."
            )


@dataclass(frozen=True, slots=True)
class _Exchange:
    user_s: float
    agent_s: float
    user_tokens: float
    agent_tokens: float
    """Of text, of what was said."""


def compare_costs(
    talk: Recorded | float,
    *,
    user_share: float = 0.5,
    exchanges: int | None = None,
    models: Sequence[str] = ("gpt-realtime-2.1", "gpt-realtime-2.1-mini"),
    prices: PriceTable | None = None,
    assumptions: PipelineAssumptions | None = None,
) -> pd.DataFrame:
    """Return what a conversation costs with Realtime models and with a pipeline of three services.

    Args:
        talk: A recording, whose turns, durations and texts are taken; or minutes of talk, the
            user's and the agent's together.
        user_share: Of minutes of talk, the user's part.
        exchanges: Into how many equal exchanges minutes of talk are cut; six a minute if left out.
        models: Realtime models to compare with the pipeline.
        prices: Prices that come before the built-in ones.
        assumptions: What is taken for granted.

    Columns:
        variant: a model's name, or ``stt + llm + tts``.
        part: what is paid for; ``total`` last.
        usd_per_conversation: NaN for a model without a known price.
        usd_per_minute: by minute of the session, or of talk if minutes were given.
        basis: how it was worked out.

    Raises:
        ConfigurationError: No talk to compare, or a share outside 0 to 1.
    """
    import pandas as pd

    given = assumptions or PipelineAssumptions()
    if isinstance(talk, int | float):
        conversation = _equal_exchanges(float(talk), user_share, exchanges, given)
        minutes = float(talk)
    else:
        conversation, minutes = _recorded_exchanges(talk, given), talk.duration_s / 60
    if not conversation or minutes <= 0:
        raise ConfigurationError(
            "There is no talk to compare: give a recording with turns, or minutes greater than 0."
        )
    rows: list[tuple[str, str, float, str]] = []
    for model in models:
        price = find_price(model, prices)
        parts = _realtime(conversation, price if isinstance(price, Price) else Price(), given)
        rows += _with_total(model, parts)
    rows += _with_total("stt + llm + tts", _pipeline(conversation, given))
    table = pd.DataFrame(
        [(variant, part, usd, usd / minutes, basis) for variant, part, usd, basis in rows],
        columns=list(_COLUMNS),
    )
    table.attrs["assumptions"] = repr(given)
    return table


def _with_total(
    variant: str, parts: Iterator[tuple[str, float, str]]
) -> Iterator[tuple[str, str, float, str]]:
    total = 0.0
    for part, usd, basis in parts:
        total += usd
        yield variant, part, usd, basis
    yield variant, "total", total, ""


# --- what was said --------------------------------------------------------------------------------


def _equal_exchanges(
    minutes: float, user_share: float, exchanges: int | None, given: PipelineAssumptions
) -> list[_Exchange]:
    if not 0 <= user_share <= 1:
        raise ConfigurationError(f"user_share is {user_share}; give a share from 0 to 1.")
    count = max(1, round(minutes * 6)) if exchanges is None else exchanges
    if count < 1 or minutes <= 0:
        return []
    user_s = minutes * 60 * user_share / count
    agent_s = minutes * 60 * (1 - user_share) / count
    one = _Exchange(user_s, agent_s, _spoken_tokens(user_s, given), _spoken_tokens(agent_s, given))
    return [one] * count


def _recorded_exchanges(rec: Recorded, given: PipelineAssumptions) -> list[_Exchange]:
    found = []
    for turn in find_turns(rec.conversation):
        spoken = turn.source == "speech"
        user_s = turn.item.audio_ms / 1000 if spoken else 0.0
        agent_s = sum(item.audio_ms for item in turn.items) / 1000
        said = " ".join(item.text for item in turn.items)
        found.append(
            _Exchange(
                user_s,
                agent_s,
                _text_tokens(turn.item.text, given) or _spoken_tokens(user_s, given),
                _text_tokens(said, given) or _spoken_tokens(agent_s, given),
            )
        )
    return found


def _spoken_tokens(seconds: float, given: PipelineAssumptions) -> float:
    return seconds / 60 * given.words_per_minute * given.tokens_per_word


def _text_tokens(text: str, given: PipelineAssumptions) -> float:
    return len(text.split()) * given.tokens_per_word


# --- what it costs --------------------------------------------------------------------------------


def _realtime(
    conversation: list[_Exchange], price: Price, given: PipelineAssumptions
) -> Iterator[tuple[str, float, str]]:
    user_s = sum(one.user_s for one in conversation)
    agent_s = sum(one.agent_s for one in conversation)
    said = sum(one.agent_tokens for one in conversation)
    typed = sum(one.user_tokens for one in conversation if not one.user_s)
    again = sum(
        _reading(given.instructions_tokens + text, audio, price, given.cached_share)
        for text, audio in _histories(conversation, given)
    )
    heard = Tokens(fresh_audio=round(user_s * given.user_tokens_per_s), fresh_text=round(typed))
    spoken = Tokens(output_audio=round(agent_s * given.agent_tokens_per_s))
    rate = f"{given.user_tokens_per_s:g} tokens/s"
    yield "user's input", price_tokens(heard, price), f"{user_s:.1f} s of audio, {rate}"
    rate = f"{given.agent_tokens_per_s:g} tokens/s"
    yield "agent's audio", price_tokens(spoken, price), f"{agent_s:.1f} s, {rate}"
    text = price_tokens(Tokens(output_text=round(said)), price)
    yield "agent's transcript", text, f"{said:.0f} text tokens"
    basis = f"{len(conversation)} responses, {given.cached_share:.0%} of it cached"
    yield "context read again", again, basis
    usd = user_s / 60 * given.realtime_transcription_usd_per_minute
    basis = f"${given.realtime_transcription_usd_per_minute:g}/min of the user's speech"
    yield "user's transcript", usd, basis


def _histories(
    conversation: list[_Exchange], given: PipelineAssumptions
) -> Iterator[tuple[float, float]]:
    """Text and audio tokens that each response reads again: everything before its user turn."""
    text = audio = 0.0
    for one in conversation:
        yield text, audio
        text += one.agent_tokens + (0.0 if one.user_s else one.user_tokens)
        audio += one.user_s * given.user_tokens_per_s + one.agent_s * given.agent_tokens_per_s


def _reading(text: float, audio: float, price: Price, cached: float) -> float:
    usd = text * (cached * price.text_cached + (1 - cached) * price.text_in)
    if audio:
        usd += audio * (cached * price.audio_cached + (1 - cached) * price.audio_in)
    return usd / 1_000_000


def _pipeline(
    conversation: list[_Exchange], given: PipelineAssumptions
) -> Iterator[tuple[str, float, str]]:
    user_s = sum(one.user_s for one in conversation)
    agent_s = sum(one.agent_s for one in conversation)
    asked = sum(one.user_tokens for one in conversation)
    said = sum(one.agent_tokens for one in conversation)
    again, before = 0.0, given.instructions_tokens
    for one in conversation:
        again += _reading(before, 0.0, given.llm, given.cached_share)
        before += one.user_tokens + one.agent_tokens
    yield (
        "stt",
        user_s / 60 * given.stt_usd_per_minute,
        f"{user_s:.1f} s at ${given.stt_usd_per_minute:g}/min",
    )
    new = (asked * given.llm.text_in + said * given.llm.text_out) / 1_000_000
    yield "llm", new, f"{asked:.0f} text tokens in, {said:.0f} out; an example price unless given"
    basis = f"{len(conversation)} responses, {given.cached_share:.0%} of it cached"
    yield "context read again", again, basis
    yield (
        "tts",
        agent_s / 60 * given.tts_usd_per_minute,
        f"{agent_s:.1f} s at ${given.tts_usd_per_minute:g}/min; an example price unless given",
    )
