"""Realtime against speech-to-text, a text model and text-to-speech, by stated assumptions.

A conversation is taken as exchanges: the user speaks, the agent answers. A response reads all that
came before it again, so the input grows with every exchange; that is a part of its own in the
result. No context is truncated, and silence costs nothing in either case. What the table of
``cost.prices`` does not state is an *example* and to be replaced by one's own figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.cost.prices import TOKENS_PRICED, Price, PriceTable, find_price
from realtime_nb.analysis.cost.token_counts import Tokens, price_tokens
from realtime_nb.analysis.recorded import Recorded, refuse_unrecorded
from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.errors import ConfigurationError, at_call

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PipelineAssumptions", "compare_costs"]

_EXAMPLE_LLM = Price(text_in=0.60, text_cached=0.06, text_out=2.40)
_EXAMPLE_TTS = 0.024
_GIVE = "give a recording with turns, or minutes greater than 0"


@at_call
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
    tts_usd_per_minute: float = _EXAMPLE_TTS

    @classmethod
    def here(cls) -> PipelineAssumptions:
        """Returns those of engines on one's own machine, which nobody bills."""
        return cls(stt_usd_per_minute=0.0, llm=Price(0.0, 0.0, 0.0), tts_usd_per_minute=0.0)

    def __post_init__(self) -> None:
        if not 0 <= self.cached_share <= 1:
            raise ConfigurationError(
                f"cached_share is {self.cached_share}; give a share from 0 to 1."
            )


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What was said in a turn; NaN where unknown.

    ``user_tokens`` and ``agent_tokens`` are of text, of what was said. Of what was ``typed``, there
    is no audio.
    """

    user_s: float
    agent_s: float
    user_tokens: float
    agent_tokens: float
    typed: bool = False


@at_call
def compare_costs(
    talk: Recorded | float,
    *,
    user_share: float = 0.5,
    exchanges: int | None = None,
    models: Sequence[str] = ("gpt-realtime-2.1", "gpt-realtime-2.1-mini"),
    prices: PriceTable | None = None,
    assumptions: PipelineAssumptions | None = None,
    pipelines: Mapping[str, PipelineAssumptions] | None = None,
) -> pd.DataFrame:
    """Returns what a conversation costs with Realtime models and with pipelines of three services.

    Args:
        talk: A recording, whose turns, durations and texts are taken; or minutes of talk, the
            user's and the agent's together.
        user_share: Of minutes of talk, the user's part.
        exchanges: Into how many equal exchanges minutes of talk are cut; six a minute if left out.
        models: Realtime models to compare with the pipeline.
        prices: Prices that come before the built-in ones.
        assumptions: What is taken for granted.
        pipelines: Several of them by name, each with what it takes for granted, instead of the one
            of ``assumptions``; ``PipelineAssumptions.here()`` is one on your own machine.

    Raises:
        ConfigurationError: No recording, no talk to compare, a share outside 0 to 1, or no whole
            number of exchanges.
    """
    given = assumptions or PipelineAssumptions()
    named = _named(pipelines, given)
    conversation: Sequence[_Exchange]
    if isinstance(talk, int | float):
        if not 0 < talk < math.inf:
            raise ConfigurationError(f"There is no talk to compare in {talk} minutes; {_GIVE}.")
        conversation = _equal_exchanges(float(talk), user_share, exchanges, given)
        minutes = float(talk)
    else:
        refuse_unrecorded(talk)
        conversation, minutes = _recorded_exchanges(talk, given), talk.duration_s / 60
        if not conversation or minutes <= 0:
            raise ConfigurationError(f"There is no talk to compare in {talk.path}; {_GIVE}.")
    rows: list[tuple[str, str, float, str]] = []
    for model in models:
        price = find_price(model, prices)
        parts = _realtime(conversation, price if isinstance(price, Price) else Price(), given)
        if not isinstance(price, Price):
            why = f"no price by tokens is known for {model}"
            parts = ((part, math.nan, why) for part, _, _ in parts)
        rows += _with_total(model, parts, minutes)
    for name, own in named.items():
        rows += _with_total(name, _pipeline(conversation, own), minutes)
    names = ("variant", "part", "usd_per_conversation", "usd_per_minute", "basis")
    found = ((variant, part, usd, usd / minutes, basis) for variant, part, usd, basis in rows)
    table = frame("cost_variants", [dict(zip(names, row, strict=True)) for row in found])
    table.attrs["assumptions"] = repr(given)
    if pipelines is not None:
        table.attrs["pipelines"] = {name: repr(own) for name, own in named.items()}
    return table


def _named(
    pipelines: Mapping[str, PipelineAssumptions] | None, given: PipelineAssumptions
) -> Mapping[str, PipelineAssumptions]:
    if pipelines is None:
        return {"stt + llm + tts": given}
    if not isinstance(pipelines, Mapping):
        raise ConfigurationError(f"pipelines is {pipelines!r}; give assumptions by their names.")
    for name, own in pipelines.items():
        if not isinstance(own, PipelineAssumptions):
            raise ConfigurationError(
                f"pipelines[{name!r}] is {own!r}; give rt.PipelineAssumptions(…)."
            )
    return {str(name): own for name, own in pipelines.items()}


def _with_total(
    variant: str, parts: Iterable[tuple[str, float, str]], minutes: float
) -> Iterator[tuple[str, str, float, str]]:
    total, notes = 0.0, []
    for part, usd, basis in parts:
        total += usd
        if usd != usd:
            notes.append(basis)
        yield variant, part, usd, basis
    if minutes != minutes:
        notes.append("how long the session was is not known")
    yield variant, "total", total, "; ".join(dict.fromkeys(notes))


# --- what was said --------------------------------------------------------------------------------


def _equal_exchanges(
    minutes: float, user_share: float, exchanges: int | None, given: PipelineAssumptions
) -> list[_Exchange]:
    if not 0 <= user_share <= 1:
        raise ConfigurationError(f"user_share is {user_share}; give a share from 0 to 1.")
    count = max(1, round(minutes * 6)) if exchanges is None else exchanges
    if not isinstance(count, int) or count < 1:
        raise ConfigurationError(f"exchanges is {count}; give a whole number from 1 on.")
    user_s = minutes * 60 * user_share / count
    agent_s = minutes * 60 * (1 - user_share) / count
    one = _Exchange(user_s, agent_s, _spoken_tokens(user_s, given), _spoken_tokens(agent_s, given))
    return [one] * count


def _recorded_exchanges(rec: Recorded, given: PipelineAssumptions) -> list[_Exchange]:
    table = rec.turns
    speech_ms = dict(zip(table.turn, table.offset_ms - table.onset_ms, strict=True))
    found = []
    for turn in find_user_turns(rec.conversation):
        typed = turn.source == "typed"
        user_s = 0.0 if typed else float(speech_ms[turn.number]) / 1000
        agent_s = sum((item.audio_ms for item in turn.items), 0.0) / 1000
        said = " ".join(item.text for item in turn.items)
        found.append(
            _Exchange(
                user_s,
                agent_s,
                _text_tokens(turn.item.text, given) or _spoken_tokens(user_s, given),
                _text_tokens(said, given) or _spoken_tokens(agent_s, given),
                typed,
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
    typed = sum(one.user_tokens for one in conversation if one.typed)
    again = sum(
        _reading(given.instructions_tokens + text, audio, price, given.cached_share)
        for text, audio in _histories(conversation, given)
    )
    rate = f"{given.user_tokens_per_s:g} tokens/s"
    usd = _token_usd(price, fresh_audio=user_s * given.user_tokens_per_s, fresh_text=typed)
    basis = f"{user_s:.1f} s of audio, {rate}"
    yield "user's input", usd, _user_gap(conversation) or basis
    rate = f"{given.agent_tokens_per_s:g} tokens/s"
    usd = _token_usd(price, output_audio=agent_s * given.agent_tokens_per_s)
    yield "agent's audio", usd, _agent_gap(conversation) or f"{agent_s:.1f} s, {rate}"
    usd = _token_usd(price, output_text=said)
    unsaid = _unknown_in("what the agent said", [one.agent_tokens for one in conversation])
    yield "agent's transcript", usd, unsaid or f"{said:.0f} text tokens"
    basis = f"{len(conversation)} responses, {given.cached_share:.0%} of it cached"
    yield "context read again", again, _context_gap(conversation, again) or basis
    usd = user_s / 60 * given.realtime_transcription_usd_per_minute
    basis = f"${given.realtime_transcription_usd_per_minute:g}/min of the user's speech"
    yield "user's transcript", usd, _user_gap(conversation) or basis


def _token_usd(price: Price, **counts: float) -> float:
    if any(math.isnan(count) for count in counts.values()):
        return math.nan
    return price_tokens(Tokens(**{name: round(count) for name, count in counts.items()}), price)


def _user_gap(conversation: Sequence[_Exchange]) -> str | None:
    return _unknown_in("how long the user spoke", [one.user_s for one in conversation])


def _agent_gap(conversation: Sequence[_Exchange]) -> str | None:
    return _unknown_in("how long the agent's audio is", [one.agent_s for one in conversation])


def _context_gap(conversation: Sequence[_Exchange], usd: float) -> str | None:
    """Returns why the price of the context is unknown; the last turn is no context of another."""
    if usd == usd:
        return None
    return _user_gap(conversation[:-1]) or _agent_gap(conversation[:-1])


def _unknown_in(what: str, values: Sequence[float]) -> str | None:
    """Returns what is not known of some of the turns; None if nothing."""
    unknown = sum(map(math.isnan, values))
    return f"{what} is not known in {unknown} of {len(values)} turns" if unknown else None


def _histories(
    conversation: list[_Exchange], given: PipelineAssumptions
) -> Iterator[tuple[float, float]]:
    """Yields the text and audio tokens that each response reads again: all before its turn."""
    text = audio = 0.0
    for one in conversation:
        yield text, audio
        text += one.agent_tokens + (one.user_tokens if one.typed else 0.0)
        audio += one.user_s * given.user_tokens_per_s + one.agent_s * given.agent_tokens_per_s


def _reading(text: float, audio: float, price: Price, cached: float) -> float:
    usd = text * (cached * price.text_cached + (1 - cached) * price.text_in)
    if audio:
        usd += audio * (cached * price.audio_cached + (1 - cached) * price.audio_in)
    return usd / TOKENS_PRICED


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
    unsaid = _unknown_in(
        "what was said", [one.user_tokens + one.agent_tokens for one in conversation]
    )
    basis = f"{user_s:.1f} s at ${given.stt_usd_per_minute:g}/min"
    yield "stt", user_s / 60 * given.stt_usd_per_minute, _user_gap(conversation) or basis
    new = (asked * given.llm.text_in + said * given.llm.text_out) / TOKENS_PRICED
    example = "; an example price" if given.llm == _EXAMPLE_LLM else ""
    basis = f"{asked:.0f} text tokens in, {said:.0f} out{example}"
    yield "llm", new, unsaid or basis
    basis = f"{len(conversation)} responses, {given.cached_share:.0%} of it cached"
    yield "context read again", again, basis if again == again else unsaid or basis
    example = "; an example price" if given.tts_usd_per_minute == _EXAMPLE_TTS else ""
    basis = f"{agent_s:.1f} s at ${given.tts_usd_per_minute:g}/min{example}"
    yield "tts", agent_s / 60 * given.tts_usd_per_minute, _agent_gap(conversation) or basis
