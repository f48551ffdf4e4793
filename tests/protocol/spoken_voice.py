"""A voice whose every word has a known place: hums for words, silence for pauses.

How long a word lasts is not taken from the package: it is the letters of what is said aloud, each
word a little faster or slower than the one before, as with people.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from realtime_nb.testing import silence, tone

__all__ = ["ANSWERS", "SpokenSentence", "Voice", "answer_events", "heard_by"]

ALOUD = {
    "2026-12-01": "December first, twenty twenty-six",
    "€1,250.50": "one thousand two hundred and fifty euros and fifty cents",
    "8:30": "eight thirty",
    "15%": "fifteen percent",
    "Dr.": "Doctor",
    "Mr.": "Mister",
    "350": "three hundred and fifty",
    "45": "forty-five",
    "NASA": "nasa.",
    "10": "ten",
    "6": "six",
}
ANSWERS = (
    ("We open at 8:30 and close in the evening. ", "Ask for Dr. Alvarez, please. ",
     "Would you like to come tomorrow?"),
    ("Your order was placed on 2026-12-01 and shipped the day after. ",
     "The total comes to €1,250.50 for all of it. ", "Shall I send the invoice?"),
    ("Sure! ", "First, preheat the oven to 350 degrees. ",
     "Then mix the flour, the salt, and the butter. ", "Bake it for 45 minutes or so."),
    ("I heard you. ", "You said that Mr. John Dashwood had then leisure to consider how much "
     "there might prudently be in his power to do for them."),
    ("Yes. ", "Of course. ", "No problem at all. ", "I can do that for you right away, and I will "
     "send you a message as soon as it is done."),
    ("The price, I am afraid, has gone up by 15% since last year. ",
     "The distance is only 10 miles. ", "The weather will be fine."),
)  # fmt: skip
"""Answers in sentences, as a voice is given them."""


@dataclass(frozen=True)
class SpokenSentence:
    """A sentence, its audio, and when each word of it ends, in ms from its beginning."""

    text: str
    pcm: bytes
    ends_ms: list[int]


@dataclass
class Voice:
    """Speaks at so many ms a letter; ``lead_ms`` of silence come first."""

    seed: int
    letter_ms: float = 62.0
    lead_ms: int = 20
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def speak(self, text: str) -> SpokenSentence:
        pcm, at_ms, ends = silence(self.lead_ms), self.lead_ms, []
        for word in text.split():
            bare = word.rstrip(".,!?") if word not in ALOUD else word
            letters = sum(map(str.isalpha, ALOUD.get(bare, ALOUD.get(word, word))))
            # People linger on the last syllable before they pause.
            letters += 2 * (word not in ALOUD and word[-1] in ".,!?")
            length_ms = max(60, 10 * round(letters * self.letter_ms * self._vary(0.25) / 10))
            # A gap between words of 20 ms is no pause.
            pcm += tone(length_ms - 20, hz=200.0) + silence(20)
            at_ms += length_ms
            ends.append(at_ms - 20)
            pause_ms = 0
            if word not in ALOUD and word[-1] in ".!?":
                pause_ms = 10 * round(35 * self._vary(0.3))
            elif word[-1] == ",":
                pause_ms = 10 * round(16 * self._vary(0.5))
            pcm += silence(pause_ms)
            at_ms += pause_ms
        return SpokenSentence(text, pcm, ends)

    def _vary(self, share: float) -> float:
        return self._random.uniform(1 - share, 1 + share)


def answer_events(
    sentences: list[SpokenSentence],
    order: str,
    received_ms: int,
    *,
    item_id: str = "item_1",
    delta_ms: int = 100,
    chooser: random.Random | None = None,
) -> Iterator[tuple[dict[str, Any], bytes | None]]:
    """Yields the events of an answer of which so much audio came, with that audio.

    Args:
        sentences: what is said.
        order: ``sentences``: each sentence before its audio, as the local server does; ``first``:
            all text before all audio; ``ahead``: word by word, a second or so before it is heard;
            ``last``: the text behind the audio of each sentence.
        received_ms: how much audio came; text that would have come later does not come either.
        item_id: whose.
        delta_ms: of audio in an event.
        chooser: of how far text is ahead.
    """
    ids = {"item_id": item_id, "response_id": f"resp_of_{item_id}", "content_index": 0}

    def text_delta(text: str) -> tuple[dict[str, Any], None]:
        return {"type": "response.output_audio_transcript.delta", "delta": text, **ids}, None

    def audio(pcm: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        for start in range(0, len(pcm), delta_ms * 48):
            piece = pcm[start : start + delta_ms * 48]
            delta = base64.b64encode(piece).decode()
            yield {"type": "response.output_audio.delta", "delta": delta, **ids}, piece

    words = [
        (word, begin_ms + end_ms)
        for sentence, begin_ms in _placed(sentences)
        for word, end_ms in zip(sentence.text.split(), sentence.ends_ms, strict=True)
    ]
    whole = b"".join(sentence.pcm for sentence in sentences)[: received_ms * 48]
    yield {"type": "response.created", "response": {"id": ids["response_id"]}}, None
    if order == "first":
        yield from (text_delta(f"{word} ") for word, _ in words)
        yield from audio(whole)
    elif order == "ahead":
        ahead_ms = (chooser or random.Random(0)).randrange(400, 1_600)
        told = 0
        for number, event in enumerate(audio(whole)):
            until_ms = number * delta_ms + ahead_ms
            while told < len(words) and (told == 0 or words[told - 1][1] <= until_ms):
                yield text_delta(f"{words[told][0]} ")
                told += 1
            yield event
    else:
        for sentence, begin_ms in _placed(sentences):
            if begin_ms > received_ms:
                break
            texts = [text_delta(f"{word} ") for word in sentence.text.split()]
            end_ms = begin_ms + len(sentence.pcm) // 48
            if order == "sentences":
                yield from texts
            yield from audio(whole[begin_ms * 48 : end_ms * 48])
            if order == "last" and end_ms <= received_ms:
                yield from texts


def _placed(sentences: list[SpokenSentence]) -> Iterator[tuple[SpokenSentence, int]]:
    begin_ms = 0
    for sentence in sentences:
        yield sentence, begin_ms
        begin_ms += len(sentence.pcm) // 48


def heard_by(sentences: list[SpokenSentence], ms: float) -> int:
    """How many words have ended by then."""
    ends = (begin + end for sentence, begin in _placed(sentences) for end in sentence.ends_ms)
    return sum(end <= ms for end in ends)
