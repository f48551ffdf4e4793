"""Which of the declared functions somebody is asking for, judged by the words.

The words of the request are compared with those of each function's name and description, after
light stemming and with a small table of words that mean much the same. A request needs more than
one sign, so that a word dropped in passing doesn't start a call.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from realtime_nb.local.spoken import split_words
from realtime_nb.local.tool_arguments import ToolSpec

__all__ = ["Match", "best_match"]

ENOUGH = 6
SHORT_REQUEST = 3
ARGUMENT = 2
MOST_ARGUMENTS = 2
NAME_WORD, LITERAL_WORD, IMPLIED, DESCRIPTION_WORD = 4, 1, 2, 2
MOST_FROM_DESCRIPTION = 4

_GROUPS = {
    "make": "book schedule reserve make arrange create add plan register reservation booking",
    "check": "check find look show list see search lookup query get fetch know tell",
    "available": "available availability free open vacant slot opening",
    "cancel": "cancel delete remove drop cancellation",
    "change": "change reschedule update edit modify shift postpone",
    "send": "send email text message write",
    "switch": "turn switch set toggle dim",
    "move": "move go drive walk",
    "weather": "weather forecast temperature rain sunny snow umbrella",
    "order": "order buy purchase",
    "roll": "roll throw toss",
    "dice": "dice die",
    "calculate": "calculate compute sum multiply plus times minus divide",
    "appointment": "appointment meeting visit",
}
_STOP_WORDS = frozenset(
    split_words(
        """a an and any anything are as at be been but by can could did do does for from get give
        had has have he her his how i if in into is it its just let like me might more much my
        need no not of on one or our out please she should so some something that the their them
        then there they this to up us want was we were what when where which who will with would
        yes you your given using"""
    )
)
_NOT_A_REQUEST = re.compile(  # a book to read is not a booking
    r"\b(?:an?|the|this|that|my|your|his|her|their|good|of|read(?:ing)?)\s+books?\b", re.I
)
_QUESTION = re.compile(
    r"^\W*any(?:thing)?\b"
    r"|\b(?:do you have|have you got|(?:is|are) there|what|when|which|how (?:is|are)|whether)\b",
    re.I,
)
_WISH = re.compile(
    r"\b(?:needs?|want|like|get|have|looking for|come in"
    r"|(?:put|pencil|sign|fit|squeeze) (?:me|us|him|her|them) (?:down|in|up))\b",
    re.I,
)
_ANYTHING_FREE = re.compile(
    r"\b(?:is there|do you have|have you got) (?:any|some)thing "
    r"(?:on|for|at|in|before|after|between|around|left|this|next|tomorrow|today|(?:\w+day)\b)",
    re.I,
)
_CHECKUP = re.compile(r"\bcheck[\s-]+(up)\b", re.I)


@dataclass(frozen=True, slots=True)
class Match:
    """A function that fits, how well, and how many words of its name were said."""

    tool: ToolSpec
    score: int
    named: int


def best_match(
    tools: Sequence[ToolSpec], text: str, filled: Callable[[ToolSpec], int]
) -> Match | None:
    """Returns the function that a text asks for, or None.

    Args:
        tools: The declared functions.
        text: What was said.
        filled: How many arguments of a function the text gives.
    """
    request = _Request(_CHECKUP.sub(r"check\1", _NOT_A_REQUEST.sub(" ", text)))
    able = [tool for tool in tools if request.undoing <= _words_of(tool.words)]
    matches = [_match(tool, request, filled) for tool in able]
    fitting = [
        match
        for match in matches
        if match.score >= ENOUGH or (match.named and len(request.literal) <= SHORT_REQUEST)
    ]
    return max(fitting, key=lambda match: match.score, default=None)


class _Request:
    """The words of a request: as they were said, and what they mean."""

    def __init__(self, text: str) -> None:
        self.literal = _literal_words(text)
        free = frozenset({"available"}) if _ANYTHING_FREE.search(text) else frozenset()
        self.meanings = _words_of(text) | free
        self.implied = _implied(text, self.meanings)
        # To cancel is no task for a function that books.
        self.undoing = self.meanings & {"cancel"}


def _match(tool: ToolSpec, request: _Request, filled: Callable[[ToolSpec], int]) -> Match:
    name = _words_of(tool.words)
    literal = _literal_words(tool.words) & request.literal
    # "see", "know" and "tell" are said all the time: unless it is the function's own word, "check"
    # weighs no more than a question does.
    vague = frozenset() if literal & _CHECKING else frozenset({"check"})
    said = {word for word in name - vague if _heard(word, request.meanings)}
    implied = ((request.implied | (request.meanings & vague)) & _verbs_of(tool)) - said
    described = (_words_of(_description(tool)) - name - vague) & request.meanings
    score = (
        NAME_WORD * len(said)
        + LITERAL_WORD * len(literal)
        + IMPLIED * len(implied)
        + min(MOST_FROM_DESCRIPTION, DESCRIPTION_WORD * len(described))
    )
    if score:
        score += ARGUMENT * min(filled(tool), MOST_ARGUMENTS)
    return Match(tool, score, len(said))


def _description(tool: ToolSpec) -> str:
    """Returns what the function says of itself, with the values that it lists."""
    values = [str(each) for parameter in tool.parameters for each in parameter.choices]
    return " ".join([tool.description, *values]).replace("_", " ")


def _heard(word: str, spoken: frozenset[str]) -> bool:
    if word in spoken:
        return True
    return len(word) >= 6 and bool(difflib.get_close_matches(word, spoken, n=1, cutoff=0.85))


def _implied(text: str, spoken: frozenset[str]) -> frozenset[str]:
    """Returns what a question asks for, to check, and a wish without another verb, to make."""
    if spoken & {"make", "cancel", "change", "send", "switch", "order"}:
        return frozenset()
    if _QUESTION.search(text):
        return frozenset({"check"})
    if _literal_words(text) & _LOOKING:
        return frozenset()
    return frozenset({"make"}) if _WISH.search(text) else frozenset()


def _words_of(text: str) -> frozenset[str]:
    return frozenset(map(_meaning, _literal_words(text)))


def _literal_words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower().replace("'", ""))) - _STOP_WORDS


def _verbs_of(tool: ToolSpec) -> frozenset[str]:
    # "get" says what a function does, though it says nothing in a request.
    return _words_of(tool.words) | ({"check"} if "get" in tool.words.split() else frozenset())


def _meaning(word: str) -> str:
    stem = _stem(word)
    return _MEANINGS.get(stem, stem)


def _stem(word: str) -> str:
    for endings in ((("ies", "y"), ("es", "e"), ("s", "")), (("ing", ""), ("ed", ""))):
        for ending, replacement in endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
                word = word[: -len(ending)] + replacement
                break
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


_LOOKING = frozenset(split_words("check find look lookup search query fetch show list"))
_CHECKING = frozenset(_GROUPS["check"].split())
_MEANINGS = {_stem(word): meaning for meaning, words in _GROUPS.items() for word in words.split()}
