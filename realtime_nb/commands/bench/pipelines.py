"""What each stage of a pipeline takes, for several language models on the same spoken turns."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from realtime_nb.analysis.stage_comparison import compare_stages
from realtime_nb.analysis.word_errors import word_error_rate
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.commands.samples import AUSTEN, CARDS
from realtime_nb.commands.talk import heard_items, until_heard_for
from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.chat import ChatLLM
from realtime_nb.local.llm import LLM, Request
from realtime_nb.local.rules import RuleLLM
from realtime_nb.local.server import serve
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.fields import ServerVAD
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.session.connect import connect
from realtime_nb.session.endpoints import local
from realtime_nb.session.session import Session

__all__ = ["CANCEL_TARGET_MS", "MODEL_VARIABLE", "URL_VARIABLE", "chosen_pipelines", "run"]

CANCEL_TARGET_MS = 100.0
"""Within this a cancelled answer is over, and its model no longer asked."""

URL_VARIABLE = "OPENAI_BASE_URL"
MODEL_VARIABLE = "OPENAI_MODEL"
"""Environment variables: a chat-completions server, and its model. The key is OPENAI_API_KEY."""

SILENCE_MS = 200
_PAUSE_MS = 400
_LISTEN_S = 0.3
_CANCELS = 5
_INSTRUCTIONS = "Answer in one or two short sentences."
_MOST_TOKENS = 200
"""Of an answer: small models don't always come to an end by themselves."""
_LONG_QUESTION = "Please tell me a long story about a river, a bridge and a town."
_CARDS_CUT_MS = (0, 1_271, 2_188, None)
"""Between its cards, where the speaker of ``CARDS`` pauses."""
_CARDS_WORDS = ("eight of spades", "four of clubs", "seven of hearts")
_AUSTEN_WORDS = "he was not an ill disposed young man"

_STAGES = {
    "latency_ms": "voice to voice",
    "vad_ms": "  VAD: end of the voice → turn over",
    "stt_wait_ms": "  STT: turn over → model asked",
    "calls_ms": "  function calls",
    "llm_first_token_ms": "  LLM: asked → first token",
    "llm_sentence_ms": "  LLM: first token → first sentence",
    "tts_first_audio_ms": "  TTS: sentence → first audio",
    "transport_ms": "  transport: chunks, network, playing",
    "stt_ms": "STT, whole",
    "llm_ms": "LLM, whole answer",
    "head_start_ms": "first audio before the last token by",
}

_RESTS_ON = (
    "Percentiles are of each stage by itself and do not add up; those of one turn do. VAD is on",
    "the audio's clock, engines are on the server's, voice to voice on the session's; transport",
    f"is what is left. Answers are interrupted after {_LISTEN_S:g} s, once the model has said all",
    f'of it, {_MOST_TOKENS} tokens at most; the instructions are "{_INSTRUCTIONS}"',
    "STT begins within the silence window.",
    "Words are known of the recordings that come with the package; jiwer ([eval]) counts what is",
    "misheard.",
)


@dataclass(slots=True)
class _Watched:
    """A language model, and when its answers were over: (moment, whether it was whole)."""

    llm: LLM
    name: str = field(init=False)
    ends: list[tuple[float, bool]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.name = self.llm.name

    async def reply(self, request: Request) -> AsyncIterator[Any]:
        stream, whole = self.llm.reply(request), False
        try:
            async for piece in stream:
                yield piece
            whole = True
        finally:
            if callable(close := getattr(stream, "aclose", None)):
                await close()
            self.ends.append((time.perf_counter(), whole))
            self._news.set()

    async def over(self, answered: int) -> None:
        """Waits until it has given more answers than these, but no longer than 10 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while len(self.ends) <= answered:
                    self._news.clear()
                    await self._news.wait()

    def done(self, what: str) -> None:
        """Calls ``warm_up`` or ``close``, where the model has it. May block."""
        if callable(do := getattr(self.llm, what, None)):
            do()


@dataclass(frozen=True, slots=True)
class _Measured:
    recording: Recording
    done_ms: list[float]
    stopped_ms: list[float]


def run(
    turns: int = 20,
    audio: Sequence[Path] | None = None,
    pipelines: Mapping[str, LLM | str] | None = None,
    *,
    cancels: int = _CANCELS,
    stt: STT | None = None,
    tts: TTS | None = None,
) -> dict[str, float]:
    """Talks with each pipeline, prints a table and returns the figures.

    Args:
        turns: How often the voice speaks to each.
        audio: Files to use instead of the two that come with the package, each with one turn.
        pipelines: Language models by name; a text instead of one says why it is skipped. None: the
            rules, SmolLM2, and a chat-completions server.
        cancels: How often an answer is cancelled as soon as it begins.
        stt, tts: What hears and speaks; None: the local server's own.

    Returns:
        ``turns``; of each pipeline ``<name>_turns``, ``<name>_<stage>_p50_ms`` and ``…_p95_ms``,
        ``<name>_first_audio_early``, the turns whose first audio left before the model's last
        token, ``<name>_word_error_share``, and ``<name>_cancel_…_p50_ms``, ``…_p95_ms``. What is
        not known is NaN.
    """
    if turns < 1 or cancels < 0:
        raise ConfigurationError(f"turns is {turns}, cancels {cancels}; give 1 and 0, or more.")
    chosen = chosen_pipelines() if pipelines is None else pipelines
    known = _shipped() if audio is None else [(load_audio(path), "") for path in audio]
    clips, words = zip(*islice(cycle(known), turns), strict=True)
    measured: dict[str, _Measured] = {}
    skipped = {name: why for name, why in chosen.items() if isinstance(why, str)}
    with tempfile.TemporaryDirectory() as folder:
        for name, llm in chosen.items():
            if not isinstance(llm, str):
                work = _measure(_Watched(llm), clips, folder, cancels, stt, tts)
                measured[name] = asyncio.run(work)
        figures = {"turns": float(turns)}
        for name, one in measured.items():
            figures |= _figures(name, one, words)
        _print_table(figures, measured, skipped, len(set(map(len, clips))))
    return figures


# --- what is measured -----------------------------------------------------------------------------


def chosen_pipelines() -> dict[str, LLM | str]:
    """Returns the language models that are here, and why others are not."""
    return {"rules": RuleLLM(), "smollm2": _smollm2(), "chat": _chat()}


def _smollm2() -> LLM | str:
    if find_spec("realtime_nb.local.llama") is None:
        return "this version has no language model of its own."
    try:
        model: LLM = import_module("realtime_nb.local.llama").SmolLM2()
    except RealtimeError as missing:
        return str(missing)
    return model


def _chat() -> LLM | str:
    url, model = os.environ.get(URL_VARIABLE), os.environ.get(MODEL_VARIABLE)
    if not url:
        return f"set {URL_VARIABLE} and {MODEL_VARIABLE} to measure a chat-completions server."
    if not model:
        return f"{URL_VARIABLE} is set; set {MODEL_VARIABLE} to the name of a model there, too."
    try:
        return ChatLLM(url, model, os.environ.get("OPENAI_API_KEY"))
    except RealtimeError as missing:
        return str(missing)


def _shipped() -> list[tuple[Samples, str]]:
    """Returns five turns with their words: the two recordings, and the three parts of one."""
    cards = load_audio(CARDS)
    ends = [None if ms is None else ms * SAMPLE_RATE // 1000 for ms in _CARDS_CUT_MS]
    parts = [cards[start:end] for start, end in pairwise(ends)]
    whole = [(load_audio(AUSTEN), _AUSTEN_WORDS), (cards, " ".join(_CARDS_WORDS))]
    return [*whole, *zip(parts, _CARDS_WORDS, strict=True)]


async def _measure(
    llm: _Watched,
    clips: Sequence[Samples],
    folder: str,
    cancels: int,
    stt: STT | None,
    tts: TTS | None,
) -> _Measured:
    await asyncio.to_thread(llm.done, "warm_up")
    detection = ServerVAD(silence_duration_ms=SILENCE_MS)
    hearing: dict[str, Any] = {} if stt is None else {"stt": stt}
    try:
        async with serve(llm=llm, tts=tts, **hearing) as server:
            endpoint = local(server.url, server.token)
            async with connect(
                endpoint,
                record=folder,
                turn_detection=detection,
                instructions=_INSTRUCTIONS,
                max_output_tokens=_MOST_TOKENS,
            ) as session:
                for number, clip in enumerate(clips, 1):
                    print(f"{llm.name}: turn {number} of {len(clips)}", file=sys.stderr)
                    await _take_turn(session, clip, llm)
            assert session.recording is not None
            done_ms, stopped_ms = await _cancelled(llm, endpoint, cancels)
    finally:
        llm.done("close")
    return _Measured(load(session.recording), done_ms, stopped_ms)


async def _take_turn(session: Session, clip: Samples, llm: _Watched) -> None:
    """Speaks, hears the answer begin, and stops it once the model has said all of it."""
    pause: Samples = np.zeros(SAMPLE_RATE * _PAUSE_MS // 1000, np.float32)
    heard_before, answered = heard_items(session), len(llm.ends)
    await session.speak(pcm_from_samples(np.concatenate([pause, clip])))
    await until_heard_for(session, heard_before, _LISTEN_S, timeout_s=60.0)
    if heard_items(session) - heard_before:
        await llm.over(answered)
    await session.interrupt()
    await session.settled()


async def _cancelled(llm: _Watched, endpoint: Any, cancels: int) -> tuple[list[float], list[float]]:
    """Cancels answers at their first audio.

    Returns:
        How long it took from there until the client knew, and until the model was left; only of
        answers that were still going on.
    """
    done_ms, stopped_ms = list[float](), list[float]()
    for _ in range(cancels):
        answered = len(llm.ends)
        async with connect(endpoint) as session:  # each knows nothing of those before
            try:
                before_s, cancelled_s = await _cancel(session)
            except TimeoutError:
                break  # nobody answers any more, so that there is nothing to cancel
        if not math.isnan(cancelled_s):
            done_ms.append((cancelled_s - before_s) * 1000)
        broken_off = (at_s for at_s, whole in llm.ends[answered:] if not whole)
        stopped_ms += [(at_s - before_s) * 1000 for at_s in broken_off]
    return done_ms, stopped_ms


async def _cancel(session: Session) -> tuple[float, float]:
    """Returns when an answer was cancelled, and when the client knew; NaN of one that was over.

    Raises:
        TimeoutError: nothing was answered.
    """
    begun = asyncio.create_task(session.wait_for("response.output_audio.delta", 60.0))
    await session.say(_LONG_QUESTION)
    await begun
    ended = asyncio.create_task(session.wait_for("response.done", 60.0))
    before_s = time.perf_counter()
    await session.response.cancel()
    done: Any = await ended
    over = done.response.get("status") != "cancelled"
    return before_s, math.nan if over else time.perf_counter()


# --- figures --------------------------------------------------------------------------------------


def _figures(name: str, measured: _Measured, words: Sequence[str]) -> dict[str, float]:
    table = compare_stages({name: measured.recording}).set_index("stage")
    found = {f"{name}_turns": float(len(measured.recording.stages))}
    for stage in _STAGES:
        key = f"{name}_{stage.removesuffix('_ms')}"
        found |= {f"{key}_{p}_ms": round(float(table[p][stage]), 1) for p in ("p50", "p95")}
    found[f"{name}_word_error_share"] = _misheard(measured.recording, words)
    early = measured.recording.stages.head_start_ms.dropna() > 0
    found[f"{name}_first_audio_early"] = float(early.sum()) if len(early) else math.nan
    for what, values in (("done", measured.done_ms), ("stopped", measured.stopped_ms)):
        for p in (50, 95):
            value = float(np.percentile(values, p)) if values else math.nan
            found[f"{name}_cancel_{what}_p{p}_ms"] = round(value, 1)
    return found


def _misheard(recording: Recording, words: Sequence[str]) -> float:
    """Returns the word error rate of the turns; NaN where their words are not known, some turn was
    split or missed, or jiwer is not there."""
    heard = [str(text) for text in recording.turns.user_text.fillna("")]
    if len(heard) != len(words) or not any(words):
        return math.nan
    try:
        return round(word_error_rate(list(words), heard), 4)
    except MissingExtraError:
        return math.nan


def _print_table(
    figures: Mapping[str, float],
    measured: Mapping[str, _Measured],
    skipped: Mapping[str, str],
    different: int,
) -> None:
    print(
        f"{figures['turns']:.0f} spoken turns with each pipeline in real time, {different} "
        f"different ones; silence window {SILENCE_MS} ms"
    )
    if measured:
        print(" " * 44 + "".join(f"{name:>18}" for name in measured))
        print(" " * 44 + "".join(f"{'p50':>9}{'p95':>9}" for _ in measured) + "  ms")
    for stage, words in _STAGES.items():
        _print_row(words, stage.removesuffix("_ms"), figures, measured)
    _print_row("cancel → the client knows", "cancel_done", figures, measured)
    _print_row("cancel → the model is left", "cancel_stopped", figures, measured)
    for name, one in measured.items():
        print(f"  {name}: {_told(name, one, figures)}")
    for name, why in skipped.items():
        print(f"  {name} is skipped: {why}")
    for line in _RESTS_ON:
        print(f"  {line}")
    cancelled_ms = {name: figures[f"{name}_cancel_done_p95_ms"] for name in measured}
    known = {name: ms for name, ms in cancelled_ms.items() if not math.isnan(ms)}
    slow = [name for name, ms in known.items() if ms > CANCEL_TARGET_MS]
    verdict = f"missed: {', '.join(slow)}" if slow else "reached" if known else "not measured"
    print(f"  target: cancelled within {CANCEL_TARGET_MS:g} ms (p95): {verdict}")


def _told(name: str, measured: _Measured, figures: Mapping[str, float]) -> str:
    """Returns what a pipeline's figures are of."""
    stages = measured.recording.stages
    used = (stages[kind].dropna() for kind in ("stt", "llm", "tts"))
    parts = [", ".join(str(names.iloc[0]) for names in used if len(names))]
    parts.append(f"{figures[f'{name}_turns']:.0f} turns answered")
    early, wrong = figures[f"{name}_first_audio_early"], figures[f"{name}_word_error_share"]
    if not math.isnan(early):
        parts.append(f"first audio before the last token in {early:.0f}")
    if not math.isnan(wrong):
        parts.append(f"{wrong:.1%} of the words misheard")
    cancelled = f"{len(measured.done_ms)} answers cancelled"
    parts.append(f"{cancelled}, {len(measured.stopped_ms)} of them still being written")
    return "; ".join(parts)


def _print_row(
    words: str, key: str, figures: Mapping[str, float], measured: Mapping[str, _Measured]
) -> None:
    values = [figures[f"{name}_{key}_{p}_ms"] for name in measured for p in ("p50", "p95")]
    cells = "".join(f"{'–' if math.isnan(value) else f'{value:.0f}':>9}" for value in values)
    print(f"  {words:<42}{cells}")
