"""Word error rates: how many words of a text are wrong in what was heard of it.

Both texts are normalised first, by :func:`normalized_words` and nothing else:

1. Unicode's compatible forms are one (NFKC), capitals are small letters.
2. ``$5`` is "5 dollars", ``5%`` "5 percent", ``&`` "and"; "Mr.", "Mrs.", "Dr.", "St." are words.
3. Dates, times of day, numbers below a million and ordinals are in words, as the local server's
   voice reads them: "10" is "ten", "2:30" "two thirty in the afternoon" or "in the morning".
4. Apostrophes within words are left out ("don't", "dont"); all other punctuation, hyphens too, is
   space.

So "10 of clubs." and "ten of clubs" are the same. Fillers, contractions ("it is", "it's") and
spellings ("colour", "color") are not made one: they count as errors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from realtime_nb.errors import ConfigurationError, MissingExtraError, at_call
from realtime_nb.local.spoken import ordinal_words, speakable

__all__ = ["WordErrors", "normalized_words", "word_error_rate", "word_errors"]

_TITLES = {"mr": "mister", "mrs": "missis", "dr": "doctor", "st": "saint"}
_TITLE = re.compile(rf"\b({'|'.join(_TITLES)})\b\.?", re.IGNORECASE)
_MONEY = re.compile(r"\$\s?(\d[\d,]*(?:\.\d+)?)")
_ORDINAL = re.compile(r"\b(\d\d?)(?:st|nd|rd|th)\b", re.IGNORECASE)
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """How many words of a reference there are, and what became of them.

    Attributes:
        words: of the reference.
        substitutions, deletions, insertions: those that were heard as others, not at all, and what
            was heard beside them.
    """

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All three together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors by words of the reference, which may exceed 1; NaN where it has none."""
        return self.errors / self.words if self.words else float("nan")

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def normalized_words(text: str) -> list[str]:
    """Returns the words that are compared; the rules are this module's docstring."""
    text = unicodedata.normalize("NFKC", text)
    text = _TITLE.sub(lambda found: _TITLES[found[1].lower()], text)
    text = _MONEY.sub(r"\1 dollars", text).replace("%", " percent ").replace("&", " and ")
    text = _ORDINAL.sub(_ordinal, text)
    text = _APOSTROPHE.sub("", speakable(text).casefold())
    return _NO_WORD.sub(" ", text).split()


def _ordinal(found: re.Match[str]) -> str:
    number = int(found[1])
    return ordinal_words(number) if number else found[0]


def word_errors(reference: str, heard: str) -> WordErrors:
    """Returns the fewest errors that lead from one text to the other.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    jiwer = _jiwer()
    words, others = normalized_words(reference), normalized_words(heard)
    if not words:
        return WordErrors(0, 0, 0, len(others))
    found = jiwer.process_words(" ".join(words), " ".join(others))
    return WordErrors(len(words), found.substitutions, found.deletions, found.insertions)


@at_call
def word_error_rate(reference: str | Sequence[str], heard: str | Sequence[str]) -> float:
    """Returns the word error rate: 0 where all is right, 1 where as many words are wrong as there
    are; more where words were made up.

    Args:
        reference: what was said; several texts count as one.
        heard: what was understood, of each.

    Raises:
        ConfigurationError: they are not as many, are no texts, or the reference has no words.
        MissingExtraError: jiwer is not installed.
    """
    references, others = _texts("reference", reference), _texts("heard", heard)
    if len(references) != len(others):
        raise ConfigurationError(
            f"reference has {len(references)} texts and heard {len(others)}; give one for each."
        )
    found = WordErrors(0, 0, 0, 0)
    for one, other in zip(references, others, strict=True):
        found += word_errors(one, other)
    if not found.words:
        raise ConfigurationError("reference has no words; give what was said.")
    return found.rate


def _texts(name: str, given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(one, str) for one in texts):
        raise ConfigurationError(f"{name} is {given!r}; give a text, or several in a list.")
    return list(texts)


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise MissingExtraError("jiwer", "eval") from None
    return jiwer
