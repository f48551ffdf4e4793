"""How well it is known which words of an interrupted answer were heard."""

from __future__ import annotations

import asyncio
import base64
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.commands.talk import heard_items, until_heard_for
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.spoken import speakable
from realtime_nb.local.stt import STT, load_stt
from realtime_nb.local.tts import HibariTTS, load_tts
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.records import Item
from realtime_nb.recordings.recording import load
from realtime_nb.session.connect import connect
from realtime_nb.session.session import Session
from realtime_nb.testing import CountingIds, MemoryServer

__all__ = ["TARGETS", "run", "words_heard_in"]

TARGETS = {
    "local_p50_words": 1.0,
    "local_p95_words": 2.0,
    "text_first_p50_words": 2.0,
    "pace_error": 0.1,
}
"""What the figures are to stay below."""

_PACE = 8.0
_SEED = 1
_DELTA_MS = 200
_AHEAD_MS = (200, 500, 1_000, 3_000)
_WHOLE_ANSWERS = 4
_ANSWERS = (
    "The clinic opens at half past eight and closes at five on weekdays. On Saturdays we are open "
    "from nine to twelve. Would you like to book a slot?",
    "Well, let me think about that for a moment. There are three things to keep in mind: the "
    "weather, the distance, and the price. The weather will be fine. The distance is about 12 "
    "miles. And the price, I am afraid, has gone up by 15% since last year.",
    "In the beginning the river was narrow and quiet, winding through meadows where cattle grazed "
    "and children played until the evening bells called them home. Later it grew wide and fast.",
    "Yes. Of course. No problem at all. I can do that for you right away, and I will send you a "
    "message as soon as it is done.",
    "Your appointment is on Tuesday, December 1, at 2:30 in the afternoon. The fee is $125, "
    "payable on the day. Please bring your passport. Shall I confirm it?",
    "Sure! First, preheat the oven to 350 degrees. Then mix two cups of flour with a little salt. "
    "Add the butter, a piece at a time, and stir until it is smooth. Bake it for 45 minutes.",
    "Thanks for asking. I would recommend the blue one, because it is lighter, it costs less, and "
    "it comes with a warranty of two years. The red one is prettier, though.",
    "There was once a king who had three daughters, and the youngest was so beautiful that the sun "
    "itself was astonished whenever it shone in her face. Close by the castle lay a dark forest.",
)


@dataclass(frozen=True, slots=True)
class _Cut:
    """An answer, its audio up to where it was cut, and what is said to have been heard of it."""

    text: str
    audio: bytes
    heard: str


def run(cuts: int = 60) -> dict[str, float]:
    """Interrupts answers, prints a table and returns the figures.

    The local server speaks and is interrupted at random moments, several times faster than life.
    Then the same answers come as from a server that sends all of the text first. What was heard in
    truth tells the speech recogniser, by the audio up to the cut.

    Args:
        cuts: How many interruptions of each kind.

    Returns:
        ``cuts``; of both kinds ``…_p50_words`` and ``…_p95_words``, the error in words, and
        ``…_bias_words``, above 0 where too much is told; ``interrupted_wpm``, ``whole_wpm``,
        medians of the pace of answers that were and were not interrupted, and ``pace_error``, the
        share by which they differ.
    """
    if cuts < 1:
        raise ConfigurationError(f"cuts is {cuts}; give 1 or more.")
    chooser = random.Random(_SEED)
    stt, tts = load_stt(), load_tts()
    with tempfile.TemporaryDirectory() as folder:
        answers = list(islice(cycle(_ANSWERS), cuts))
        local, interrupted = asyncio.run(_interrupted(answers, chooser, stt, tts, folder))
        _, whole = asyncio.run(_interrupted(_ANSWERS[:_WHOLE_ANSWERS], None, stt, tts, folder))
        interrupted_wpm, whole_wpm = _pace(interrupted), _pace(whole)
    text_first = list(_text_first(answers, chooser, tts))
    figures = {
        "cuts": float(cuts),
        **_errors("local", local, stt),
        **_errors("text_first", text_first, stt),
        "interrupted_wpm": round(interrupted_wpm, 1),
        "whole_wpm": round(whole_wpm, 1),
        "pace_error": round(abs(interrupted_wpm / whole_wpm - 1), 3),
    }
    _print_table(figures)
    return figures


# --- the local server -----------------------------------------------------------------------------


async def _interrupted(
    answers: Sequence[str], chooser: random.Random | None, stt: STT, tts: HibariTTS, folder: str
) -> tuple[list[_Cut], Path]:
    """Has answers spoken and interrupts each; without a ``chooser``, none."""
    async with (
        MemoryServer(
            ScriptedLLM(answers), stt=stt, tts=tts, pace=SpeechPace(speed=_PACE)
        ) as server,
        connect(transport=server.transport, record=folder, pace=_PACE) as session,
    ):
        for _ in answers:
            await session.say("Go on.")
            if chooser is not None:
                await _interrupt(session, chooser.uniform(0.5, 9.0))
            await session.settled()
        items = [item for item in session.conversation.in_order() if item.interrupted]
    assert session.recording is not None
    return list(_cuts(session.recording, items, answers)), session.recording


async def _interrupt(session: Session, heard_s: float) -> None:
    """Interrupts the answer that comes once so much of it was heard, unless it is shorter."""

    await until_heard_for(session, heard_items(session), heard_s, timeout_s=60.0)
    await session.interrupt()


def _cuts(recording: Path, items: Sequence[Item], answers: Sequence[str]) -> Iterator[_Cut]:
    """Yields the interrupted answers of a recording, as it tells them."""
    rec = load(recording)
    for item in items:
        told = rec.conversation.items[item.id]
        # What of the text had not come yet when it was cut was not heard either.
        text = next(answer for answer in answers if answer.startswith(told.text))
        assert told.played_s is not None and told.truncated_ms is not None
        begin = round(told.played_s * SAMPLE_RATE)
        samples = rec.output[begin : begin + told.truncated_ms * SAMPLE_RATE // 1000]
        audio = (samples * 32_767).astype("<i2").tobytes()
        yield _Cut(text, audio, told.heard_text)


def _pace(recording: Path) -> float:
    return float(load(recording).metrics().value["speech_rate_wpm"])


# --- a server that sends all text first -----------------------------------------------------------


def _text_first(answers: Sequence[str], chooser: random.Random, tts: HibariTTS) -> Iterator[_Cut]:
    """Yields answers whose text came at once, and whose audio was cut on its way."""
    protocol = ClientProtocol(CountingIds())
    voiced = {answer: tts.speak(answer) for answer in _ANSWERS}
    for number, answer in enumerate(answers):
        audio = voiced[answer]
        length_ms = len(audio) // BYTES_PER_MS
        cut_ms = chooser.randrange(500, length_ms - 200)
        received_ms = min(length_ms, cut_ms + chooser.choice(_AHEAD_MS))
        item_id = f"item_{number}"
        ids: JsonObject = {"item_id": item_id, "response_id": f"resp_{number}", "content_index": 0}
        _receive(protocol, "response.created", response={"id": ids["response_id"]})
        for word in re.findall(r"\S+\s*", answer):
            _receive(protocol, "response.output_audio_transcript.delta", delta=word, **ids)
        for start in range(0, received_ms, _DELTA_MS):
            piece = audio[start * BYTES_PER_MS : min(start + _DELTA_MS, received_ms) * BYTES_PER_MS]
            delta = base64.b64encode(piece).decode("ascii")
            _receive(protocol, "response.output_audio.delta", piece, delta=delta, **ids)
        cut: JsonObject = {"item_id": item_id, "content_index": 0, "audio_end_ms": cut_ms}
        _receive(protocol, "conversation.item.truncated", **cut)
        done = {"id": ids["response_id"], "status": "cancelled"}
        _receive(protocol, "response.done", response=done)
        heard = protocol.conversation.items[item_id].heard_text
        yield _Cut(answer, audio[: cut_ms * BYTES_PER_MS], heard)


def _receive(
    protocol: ClientProtocol, event_type: str, pcm: bytes | None = None, **fields: Any
) -> None:
    protocol.receive({"type": event_type, **fields}, 0.0, pcm)


# --- the truth ------------------------------------------------------------------------------------


def _errors(kind: str, cuts: Sequence[_Cut], stt: STT) -> dict[str, float]:
    errors = [
        len(cut.heard.split()) - words_heard_in(stt.transcribe(cut.audio, SAMPLE_RATE), cut.text)
        for cut in cuts
    ]
    amiss = np.abs(errors)
    return {
        f"{kind}_p50_words": float(np.median(amiss)),
        f"{kind}_p95_words": float(np.percentile(amiss, 95)),
        f"{kind}_bias_words": round(float(np.mean(errors)), 2),
    }


def words_heard_in(transcript: str, text: str) -> int:
    """Returns how many words of a text a transcript of its beginning holds.

    Both are laid side by side as well as can be; what counts is up to the last word that is in
    both. A recogniser makes up words of a voice that breaks off, and these are not of the text.
    """
    heard = _spoken(transcript)
    spoken = [(word, number) for number, one in enumerate(text.split(), 1) for word in _spoken(one)]
    # differences[j], counts[j]: of the transcript so far from the first j words of the text, and
    # the last word that both have.
    differences, counts = list(range(len(spoken) + 1)), [0] * (len(spoken) + 1)
    for i, word in enumerate(heard, start=1):
        ways, differences = differences, [i]
        before, counts = counts, [0]
        for j, (other, number) in enumerate(spoken, start=1):
            same = word == other
            cost, last = min(
                (ways[j - 1] + (not same), number if same else before[j - 1]),
                (ways[j] + 1, before[j]),
                (differences[j - 1] + 1, counts[j - 1]),
            )
            differences.append(cost)
            counts.append(last)
    return min(zip(differences, counts, strict=True))[1]


def _spoken(text: str) -> list[str]:
    """Returns the words of a text as they sound."""
    plain = text.lower().replace("$", "").replace("%", " percent")
    return re.findall(r"[a-z]+", speakable(plain).replace("'", ""))


def _print_table(figures: dict[str, float]) -> None:
    print(f"words heard of {figures['cuts']:.0f} interrupted answers, beside a transcript of them")
    print(f"{'':44}{'p50':>8}{'p95':>8}{'bias':>8}  words")
    for kind, words in (("local", "the local server"), ("text_first", "all text first")):
        values = (figures[f"{kind}_{name}_words"] for name in ("p50", "p95", "bias"))
        print(f"  {words:<42}" + "".join(f"{value:>8.1f}" for value in values))
    print(
        f"  pace: {figures['interrupted_wpm']:.0f} words/min interrupted, "
        f"{figures['whole_wpm']:.0f} not: {figures['pace_error']:.1%} apart"
    )
    missed = [name for name, most in TARGETS.items() if not figures[name] <= most]
    print(f"  targets: {'reached' if not missed else 'missed: ' + ', '.join(missed)}")
