"""How well engines hear and speak: word error rates against words that are known."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.word_errors import WordErrors, word_errors
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.commands.samples import AUSTEN, CARDS
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.local.registry import stt_engine, tts_engine
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Quality", "transcription_quality", "voice_quality"]

T = TypeVar("T")

Clip = tuple[str | os.PathLike[str] | Samples, str]

_SAMPLE_WORDS: Sequence[Clip] = (
    (AUSTEN, "he was not an ill disposed young man"),
    (CARDS, "eight of spades four of clubs seven of hearts"),
)

_SENTENCES = (
    "The clinic opens at half past eight and closes at five on weekdays.",
    "On Saturdays we are open from nine to twelve. Would you like to book a slot?",
    "The weather will be fine, and the distance is about twelve miles.",
    "I can do that for you right away, and send you a message as soon as it is done.",
    "Please bring your passport and arrive ten minutes before your appointment.",
    "I would recommend the blue one, because it is lighter and costs less.",
)
"""What a voice says on its round trip, where nothing else is given."""


@dataclass(frozen=True)
class Quality:
    """How many words were wrong.

    Attributes:
        engine: whose quality it is; of a voice, with the recogniser that judged it.
        errors: of all texts together.
        table: one row per text.
    """

    engine: str
    errors: WordErrors
    table: pd.DataFrame = field(repr=False)

    @property
    def word_error_rate(self) -> float:
        """Errors by words of all texts; NaN where they have none."""
        return self.errors.rate

    def __repr__(self) -> str:
        found = self.errors
        return (
            f"{self.engine}: {found.rate:.1%} of {found.words} words wrong "
            f"({found.substitutions} misheard, {found.deletions} left out, "
            f"{found.insertions} made up) in {len(self.table)} texts"
        )


@at_call
def transcription_quality(
    stt: STT | str = "moonshine", clips: Sequence[Clip] | None = None
) -> Quality:
    """Returns how well an engine hears words that are known.

    Args:
        stt: an engine, or the name of one.
        clips: recordings, each with its words: a file or samples at 24 kHz, and a text. None: the
            two that come with the package, which are a sign of life and no measure.

    Raises:
        ConfigurationError: there is no such engine, or no clip; MissingExtraError likewise.
        AudioError: a file is not audio.
    """
    engine = stt_engine(stt)
    rows = [_heard(engine, *_clip(one)) for one in _given("clips", clips, _SAMPLE_WORDS)]
    return _quality(_name(engine), rows)


@at_call
def voice_quality(
    tts: TTS | str = "hibari",
    texts: Sequence[str] | None = None,
    *,
    stt: STT | str = "moonshine",
    voice: str = "alloy",
) -> Quality:
    """Returns how much of what a voice says is understood: text, speech, and text again.

    What the recogniser gets wrong by itself is in it; its own rate on recorded people
    (:func:`transcription_quality`) tells how much that may be.

    Args:
        tts: an engine, or the name of one.
        texts: what it says; None: six sentences.
        stt: what hears it.
        voice: which voice.

    Raises:
        ConfigurationError: there is no such engine, or no text; MissingExtraError likewise.
    """
    speaker = tts_engine(tts)
    engine = stt_engine(stt)
    rows = []
    for text in _given("texts", texts, _SENTENCES):
        if not isinstance(text, str):
            raise ConfigurationError(f"texts holds {text!r}; give texts.")
        rows.append(_heard(engine, speaker.speak(text, voice), speaker.sample_rate, text))
    return _quality(f"{_name(speaker)}, heard by {_name(engine)}", rows)


_Row = tuple[dict[str, object], WordErrors]


def _given(name: str, given: Sequence[T] | None, otherwise: Sequence[T]) -> Sequence[T]:
    found = otherwise if given is None else given
    if isinstance(found, str) or not isinstance(found, Sequence) or not found:
        raise ConfigurationError(f"{name} is {given!r}; give a list of one or more.")
    return found


def _clip(given: Clip) -> tuple[bytes, int, str]:
    """Returns a clip as PCM, its samples per second and its words."""
    try:
        sound, words = given
    except (TypeError, ValueError):
        sound, words = given, None  # type: ignore[assignment]
    if not isinstance(words, str):
        raise ConfigurationError(
            f"clips holds {given!r}; give pairs of a file, or samples, and its words."
        )
    samples = load_audio(sound) if isinstance(sound, str | os.PathLike) else sound
    return pcm_from_samples(samples), SAMPLE_RATE, words


def _heard(stt: STT, pcm: bytes, sample_rate: int, words: str) -> _Row:
    began_s = time.perf_counter()
    heard = stt.transcribe(pcm, sample_rate)
    took_ms = (time.perf_counter() - began_s) * 1000
    found = word_errors(words, heard)
    return {
        "reference": words,
        "heard": heard,
        "words": found.words,
        "substitutions": found.substitutions,
        "deletions": found.deletions,
        "insertions": found.insertions,
        "word_error_share": found.rate,
        "note": None if found.words else "the reference has no words",
        "audio_s": len(pcm) / 2 / sample_rate,
        "stt_ms": took_ms,
    }, found


def _quality(engine: str, rows: Sequence[_Row]) -> Quality:
    total = WordErrors(0, 0, 0, 0)
    for _, found in rows:
        total += found
    return Quality(engine, total, frame("word_errors", [row for row, _ in rows]))


def _name(engine: Any) -> str:
    return str(getattr(engine, "name", type(engine).__name__))
