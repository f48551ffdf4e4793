"""How the words and the audio of a spoken message came, and what that tells of where they lie."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from realtime_nb.protocol.pauses import Levels
from realtime_nb.protocol.spoken_length import Word, words_of
from realtime_nb.protocol.wire import Payload
from realtime_nb.protocol.word_times import (
    DEFAULT_PACE,
    Burst,
    Pace,
    Voiced,
    WordTimes,
    place_words,
    voiced_of,
)

__all__ = ["Delivery", "pace_before"]

M = TypeVar("M", bound="Message")

_REMEMBERED = 8
"""Of so many messages before it the pace of a message is known."""
_PLAUSIBLE = (0.4, 2.5)
"""A pace that is another multiple of the usual one is none: text or audio is missing."""


class Message(Protocol):
    """What of an :class:`~realtime_nb.protocol.records.Item` the pace of its voice follows from."""

    @property
    def delivery(self) -> Delivery: ...
    @property
    def parts(self) -> Mapping[int, str]: ...
    @property
    def voiced_ms(self) -> float: ...
    @property
    def spoken_whole(self) -> bool: ...


def pace_before(messages: Sequence[Message], number: int) -> Pace:
    """Returns the pace of a voice by what it said before a message, at speed 1."""
    pace = DEFAULT_PACE
    for item in messages[max(0, number - _REMEMBERED) : number]:
        voiced = item.delivery.voiced(item.parts, item.voiced_ms, whole=item.spoken_whole)
        if voiced.letters > 0 and voiced.ms > 0:
            ratio = voiced.ms / voiced.letters / DEFAULT_PACE.ms_per_letter
            if _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
                pace = pace.with_more(voiced)
    return pace


class Delivery:
    """What is noted while a message comes, and where its words are, once somebody asks.

    Attributes:
        bursts: (content part, its characters so far, ms of audio so far) where text came behind
            audio, or first of all.
        levels: of its audio.
        written: content parts that are written, not spoken.
        whole: whether its response was completed, so that its text ends with its audio.
        speed: that the session asked of the voice.
    """

    def __init__(self) -> None:
        self.bursts: list[tuple[int, int, float]] = []
        self.levels = Levels()
        self.written: set[int] = set()
        self.whole = False
        self.speed = 1.0
        self._messages: Sequence[Message] = ()
        self._number = 0
        self._kept: dict[str, tuple[object, object]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delivery) and self._noted() == other._noted()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Delivery: {len(self.bursts)} bursts of text, speed {self.speed:g}>"

    def _noted(self) -> tuple[object, ...]:
        return self.bursts, self.levels, self.written, self.whole, self.speed

    # --- noting ---

    def begin(self, message: M, messages: list[M], speed: object) -> None:
        """Notes which of a voice's messages this is and how fast it is to speak, the first time."""
        if self._messages:
            return
        messages.append(message)
        self._messages, self._number = messages, len(messages) - 1
        if isinstance(speed, int | float) and 0 < speed < math.inf:
            self.speed = float(speed)

    def add_text(self, part: int, chars: int, audio_ms: float, *, spoken: bool) -> None:
        """Notes that text of a part comes, of which there are so many characters."""
        if not spoken:
            self.written.add(part)
        elif not self.bursts or audio_ms > self.bursts[-1][2] or part != self.bursts[-1][0]:
            self.bursts.append((part, chars, audio_ms))

    def settle_text(
        self, part: int, before: str, text: str, audio_ms: float, *, spoken: bool
    ) -> None:
        """Notes what a part says in the end; where that is not what came, nothing tells its
        place."""
        if not before:
            self.add_text(part, 0, audio_ms, spoken=spoken)
        elif not text.startswith(before):
            pairs = enumerate(zip(before, text, strict=False))
            same = next((i for i, (one, other) in pairs if one != other), len(text))
            self.bursts = [one for one in self.bursts if one[0] != part or one[1] <= same]

    def add_audio(
        self, delta: Payload, duration_ms: float, audio_format: object, pcm: bytes | None
    ) -> None:
        """Notes how loud a delta is: by its audio at 24 kHz, else by what it holds itself."""
        if pcm is not None:
            self.levels.add(pcm)
        elif isinstance(delta, str):
            self.levels.add_payload(_decoded(delta), audio_format)
        else:
            self.levels.skip(duration_ms)

    # --- asking ---

    def words(self, parts: Mapping[int, str], audio_ms: float, *, whole: bool) -> WordTimes:
        """Returns where the words of these parts lie in so much audio."""
        pace = pace_before(self._messages, self._number)
        return self._placed(parts, audio_ms, pace, whole=whole)

    def voiced(self, parts: Mapping[int, str], audio_ms: float, *, whole: bool) -> Voiced:
        """Returns how much of them was spoken in how much time for certain, at speed 1."""
        key = (_said(parts), audio_ms, whole)
        known = self._kept.get("voiced")
        if known is None or known[0] != key:
            known = self._kept["voiced"] = key, self._voiced(parts, audio_ms, whole=whole)
        assert isinstance(known[1], Voiced)
        return known[1]

    def _voiced(self, parts: Mapping[int, str], audio_ms: float, *, whole: bool) -> Voiced:
        if not audio_ms > 0:  # nor is NaN
            return Voiced()
        if whole:
            found = voiced_of(self._words(parts, audio_ms)[1], self.levels.peaks, audio_ms)
        else:
            found = self._placed(parts, audio_ms, DEFAULT_PACE, whole=False).fixed
        return Voiced(found.letters, found.ms * self.speed)

    def _placed(
        self, parts: Mapping[int, str], audio_ms: float, pace: Pace, *, whole: bool
    ) -> WordTimes:
        key = (_said(parts), audio_ms, whole, pace, len(self.bursts), len(self.levels.peaks))
        known = self._kept.get("placed")
        if known is None or known[0] != key:
            text, words, bursts = self._words(parts, audio_ms)
            known_ms = audio_ms if audio_ms > 0 else 0.0
            placed = place_words(
                text,
                words,
                bursts,
                self.levels.peaks if known_ms else b"",
                known_ms,
                Pace(pace.ms_per_letter / self.speed, pace.letters),
                whole=whole and known_ms > 0,
            )
            known = self._kept["placed"] = key, placed
        assert isinstance(known[1], WordTimes)
        return known[1]

    def _words(
        self, parts: Mapping[int, str], audio_ms: float
    ) -> tuple[str, list[Word], list[Burst]]:
        """Returns the text of all parts, its words, of which written ones take no time, and its
        bursts."""
        aloud = audio_ms > 0 and self.written.issuperset(parts)  # what else would the audio say?
        text, words, starts = "", list[Word](), dict[int, int]()
        for part, said in sorted(parts.items()):
            if not said:
                continue
            text += " " if text else ""
            starts[part] = len(text)
            for word in words_of(said):
                silent = part in self.written and not aloud
                words.append(
                    Word(
                        len(text) + word.start,
                        len(text) + word.end,
                        0.0 if silent else word.letters,
                        word.stop,
                    )
                )
            text += said
        bursts = []
        for part, chars, at_ms in self.bursts:
            if part in starts:
                at = starts[part] + chars
                bursts.append(Burst(sum(word.start < at for word in words), at_ms))
        return text, words, bursts


def _decoded(delta: str) -> bytes:
    try:
        return base64.b64decode(delta)
    except ValueError:
        return b""


def _said(parts: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted(parts.items()))
