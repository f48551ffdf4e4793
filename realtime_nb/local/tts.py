"""Text to speech on this machine: hibari, at the protocol's own rate of 24 kHz.

The model and its one voice are inside the wheel; nothing is downloaded at run time. The same text,
voice and speed always give the same bytes.
"""

from __future__ import annotations

import re
import threading
import unicodedata
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.errors import ConfigurationError, MissingExtraError
from realtime_nb.local.spoken import MONTHS, WEEKDAYS, any_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hibari import Hibari

__all__ = ["MAX_SPEED", "MIN_SPEED", "TTS", "HibariTTS", "WaitingTTS", "load_tts", "spoken_text"]

MIN_SPEED, MAX_SPEED = 0.25, 1.5  # the range of the protocol's ``speed``

_LEAD_MS, _TAIL_MS = 20, 120  # silence that is left; the engine gives about 320 and 470
_FRAME = SAMPLE_RATE // 200  # 5 ms
_SILENCE_DB = -45.0  # below the loudest frame
_SEED = 0
_LOADING = threading.Lock()

# One recorded voice stands for all of the protocol's: (semitones, pace) tell them apart.
_VARIATIONS = {
    "alloy": (0.0, 1.0),
    "ash": (-2.0, 1.05),
    "ballad": (-1.0, 0.94),
    "cedar": (-2.5, 0.96),
    "coral": (1.0, 1.05),
    "echo": (-1.5, 1.06),
    "marin": (1.0, 0.96),
    "sage": (2.0, 0.95),
    "shimmer": (2.5, 1.05),
    "verse": (-0.5, 1.07),
}


class TTS(Protocol):
    """What the local server needs of a text-to-speech engine."""

    name: str
    """Name of the model, as shown to people."""
    sample_rate: int
    """Samples per second of what :meth:`speak` returns."""

    def speak(self, text: str, voice: str, speed: float = 1.0) -> bytes:
        """Returns one sentence as PCM16 mono, ``b""`` where there is nothing to say.

        Blocks, and is called in several threads at once.
        """
        ...


@runtime_checkable
class WaitingTTS(TTS, Protocol):
    """An engine that waits for another machine rather than computes, or that speaks in pieces.

    It is asked on the server's loop, and stopped at once when an answer is cut off.
    """

    def speak_async(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """Yields what :meth:`speak` returns in pieces, as they come; a piece may end within a
        sample."""
        ...


class HibariTTS:
    """hibari-tts with its voice "heart", one thread per call. English only.

    Each of the protocol's voices is that one voice moved by up to about 2.5 semitones and a little
    in pace; "alloy" is the voice as it is. An unknown name gets the variation of one of them,
    always the same one for the same name.

    Raises:
        MissingExtraError: hibari-tts is not installed.
    """

    name = "hibari"
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        with _LOADING:
            self._engine = _hibari()

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> bytes:
        """Returns ``text`` as PCM16 mono at 24 kHz, ``b""`` when nothing in it can be spoken.

        Silence is cut to 20 ms before and 120 ms behind each sentence.

        Args:
            text: Usually one sentence; several are spoken one after the other.
            voice: One of the protocol's voices, or any other name.
            speed: Pace, 0.25 to 1.5. The engine changes durations; the pitch hardly moves.

        Raises:
            ConfigurationError: ``speed`` is out of range.
        """
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ConfigurationError(f"speed is {speed}; use {MIN_SPEED} to {MAX_SPEED}.")
        semitones, pace = _variation(voice)
        pitch = 2 ** (semitones / 12)
        return b"".join(
            pcm_from_samples(_trimmed(self._samples(phonemes, speed * pace, pitch)))
            for phonemes in self._sentences(text)
        )

    def warm_up(self) -> None:
        """Speaks once, so that the first turn isn't slower than the others."""
        self.speak("Hello, zorblatt.")  # a word that no dictionary has, for the second model

    def _sentences(self, text: str) -> list[str]:
        """Returns the phonemes of each sentence, each with a mark at its end.

        The engine loses the full stop of "at 2:30 p.m.", and with it the fall of the voice.
        """
        sentences = self._engine.phonemize(spoken_text(text))
        spoken = [phonemes for phonemes in sentences if any(map(str.isalpha, phonemes))]
        return [phonemes + "." * phonemes[-1].isalpha() for phonemes in spoken]

    def _samples(self, phonemes: str, speed: float, pitch: float) -> Samples:
        """Synthesises slower or faster than asked for and shifts pitch and pace back together."""
        import soxr

        samples: Samples = self._engine.from_phonemes(phonemes, speed=speed / pitch, seed=_SEED)
        if pitch != 1:
            samples = soxr.resample(samples, SAMPLE_RATE * pitch, SAMPLE_RATE)
        return samples


def load_tts() -> HibariTTS:
    """Returns the speech engine of the local server.

    Raises:
        MissingExtraError: hibari-tts is not installed.
    """
    return HibariTTS()


_URL_SCHEME = re.compile(r"\bhttps?://(?:www\.)?")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_HEADING = re.compile(r"^\s*#+\s+", re.MULTILINE)
_HASH = re.compile(r"#(?=\w*\d)")
_LATIN = {"i.e.": "that is", "e.g.": "for example"}
_LATIN_PATTERN = re.compile(r"\b(?:i\.e\.|e\.g\.)", re.IGNORECASE)
_WEEKDAY = re.compile(
    r"\b(?:(?P<sure>Tue|Wed|Thu|Fri)(?:s|rs|r)?\b\.?"
    rf"|(?P<maybe>Mon|Sat|Sun)\b\.?(?=,? (?:\d|{any_of(month[:3] for month in MONTHS)})))"
)
_WEEKDAYS = {name[:3]: name for name in WEEKDAYS}
_ISO_TIME = re.compile(
    r"\b(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(?:(Z)|[+-]\d{2}:\d{2})?"
)
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2}):([0-5]\d)(?::00)?(?![\d:])(?!\s?[AaPp]\.?[Mm])")
_RANGE = re.compile(r"(?<=[\dmM])\s?[-–]\s?(?=[$£€]\d|\d{1,2}(?::\d{2}|\s?[AaPp]\.?[Mm]))")
_AREA_CODE = re.compile(r"\((\d{3})\)\s?(?=\d{3}-\d{4})")
_REFERENCE = re.compile(
    r"(\b(?:number|code|id|pin|order|booking|reference|confirmation|ticket)\b[\s:#]*(?:is )?)"
    r"(\d{4,})\b(?!:)",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"\d(?:,?\d){15,}")  # the engine has names up to decillions, then fails


def spoken_text(text: str) -> str:
    """Writes out what the engine would misread; it reads other numbers, times and dates well.

    ISO date-times lose seconds and offset, 24-hour times become 12-hour ones, "10:00-11:30" gets
    its "to", reference numbers and endless ones are read digit by digit, and marks of Markdown and
    the web go.
    """
    text = "".join(map(_plain, text))
    text = _HEADING.sub("", _LINK.sub(r"\1", text))
    text = _HASH.sub("number ", _URL_SCHEME.sub("", text))
    text = _LATIN_PATTERN.sub(lambda m: _LATIN[m.group().lower()], text)
    text = _WEEKDAY.sub(lambda m: _WEEKDAYS[m.group("sure") or m.group("maybe")], text)
    text = _ISO_TIME.sub(lambda m: f"{m[1]} at {m[2]}" + (" UTC" if m[3] else ""), text)
    text = _CLOCK.sub(_twelve_hours, _RANGE.sub(" to ", text))
    text = _AREA_CODE.sub(lambda m: " ".join(m[1]) + ", ", text)
    text = _REFERENCE.sub(lambda m: m[1] + " ".join(m[2]), text)
    return _LONG_NUMBER.sub(lambda m: " ".join(m[0].replace(",", "")), text)


def _plain(character: str) -> str:
    """Returns "3" for "③", at which the engine fails; "²" and "³" it knows."""
    if character.isdecimal() or not character.isdigit() or character in "²³":
        return character
    return str(unicodedata.digit(character))


def _twelve_hours(clock: re.Match[str]) -> str:
    """Returns "2:05 PM" for "14:05" and "12:15 AM" for "00:15"; times before 13:00 stay."""
    hour, minute = int(clock[1]), clock[2]
    if clock[1] == "00":
        return f"12:{minute} AM"
    return f"{hour - 12}:{minute} PM" if 13 <= hour < 24 else f"{clock[1]}:{minute}"


def _variation(voice: str) -> tuple[float, float]:
    """Returns semitones and pace of a voice."""
    if voice in _VARIATIONS:
        return _VARIATIONS[voice]
    variations = list(_VARIATIONS.values())
    return variations[zlib.crc32(voice.encode()) % len(variations)]


def _trimmed(samples: Samples) -> Samples:
    """Cuts the silence at both ends to its limits."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(frames).mean(axis=1)
    heard = np.flatnonzero(power > power.max(initial=0) * 10 ** (_SILENCE_DB / 10))
    if not len(heard):
        return samples[:0]
    per_ms = SAMPLE_RATE // 1000
    start = max(0, int(heard[0]) * _FRAME - _LEAD_MS * per_ms)
    return samples[start : (int(heard[-1]) + 1) * _FRAME + _TAIL_MS * per_ms]


@lru_cache(maxsize=1)
def _hibari() -> Hibari:
    try:
        from hibari import Hibari
    except ImportError:
        raise MissingExtraError("hibari-tts", "local") from None
    engine = Hibari(threads=1)
    _ = engine.g2p  # reads the dictionaries here rather than in two threads at once
    return engine
