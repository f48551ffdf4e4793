"""What the rule-based agent can say without any function."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

from realtime_nb.local.entities import find_numbers
from realtime_nb.local.spoken import clock_words, day_words, listed, number_words, speakable
from realtime_nb.local.tool_arguments import LOOKING_UP, ToolSpec

__all__ = [
    "NATURE",
    "about_the_user",
    "echo",
    "greeting",
    "known",
    "name_in",
    "offer",
    "result_sentence",
    "small_talk",
    "without_pleasantries",
]

NATURE = "I follow fixed rules and am not a language model."
"""What the rules say of themselves."""

LONGEST_COUNT = 30
SHORT_ECHO, LONGEST_ECHO = 8, 12  # words
LONGEST_OFFER = 6
MOST_FIELDS = 6
_EDGES = re.compile(r"^[\s,;:.!?…–—-]+|[\s,;:.!?…–—-]+$")
_VERB_FIRST = re.compile(
    r"(?:book|check|get|find|look|show|list|set|turn|switch|cancel|change|send|make|add|create|play"
    r"|roll|tell|give|search|calculate|compute|order|schedule|reserve|move|convert|start|count"
    r"|return)\b",
    re.I,
)
_NAME_TOLD = re.compile(r"\b(?:my name is|i am called|call me) (?P<name>[^\W\d_]+)", re.I)
_NAME_ONLY = re.compile(rf"^(?:(?:hello|hi|hey)\W+)?{_NAME_TOLD.pattern}(?: [^\W\d_]+)?\W*$", re.I)
_NAME_ASKED = re.compile(
    r"\bwhat(?:'s| is) my name\b|\bwho am i\b|\b(?:know|remember|recall) (?:what )?my name\b", re.I
)
_HOW_TODAY = re.compile(
    r"\b(how (?:are|do|have) you(?: been| do| doing| feel| feeling)?|how(?:'s| is) (?:it going|"
    r"everything|life|your day)) (?:today|tonight|this (?:morning|afternoon|evening))\b",
    re.I,
)
_Responder = Callable[[re.Match[str], datetime.date, str, str], str]


def small_talk(
    text: str, today: datetime.date, last_answer: str, offers: str, nature: str = NATURE
) -> str | None:
    """Returns the answer to a greeting, a thank-you, a question about the agent or the time, and
    such.

    Args:
        text: What was said.
        today: The day, or the moment if the time is known.
        last_answer: What the agent said before, for "say that again".
        offers: A sentence that says what can be asked for.
        nature: A sentence that says who answers.
    """
    plain = _plain_words(text)
    for pattern, respond in _TALK:
        if match := pattern.search(plain):
            return respond(
                match, today, last_answer, f"{offers} {nature}" if respond is _can else offers
            )
    return None


def known(text: str) -> bool:
    """Tells whether small talk has one right answer, which the rules know: the time, what was said,
    what they can do. Any words do for the rest."""
    plain = _plain_words(text)
    responders = (respond for pattern, respond in _TALK if pattern.search(plain))
    return next(responders, None) in _KNOWN


def _plain_words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower().replace("’", "'")))


def without_pleasantries(text: str) -> str:
    """Returns a text without the days and times that a greeting holds, which nobody means: "How are
    you today?" is no date."""
    return _HOW_TODAY.sub(r"\1", text)


def name_in(text: str) -> str:
    """Returns the name that somebody says is theirs; empty where nobody does."""
    told = _NAME_TOLD.search(text)
    return told["name"].capitalize() if told else ""


def about_the_user(text: str, name: str) -> str | None:
    """Returns the answer to who says their name and nothing else, or asks whether it is known.

    Args:
        text: what was said.
        name: that they said, now or before; empty where they never did.
    """
    if _NAME_ASKED.search(text.replace("’", "'")):
        return f"You are {name}." if name else "You have not told me your name."
    return f"Nice to meet you, {name}." if _NAME_ONLY.search(text) else None


def greeting(offers: str) -> str:
    """Returns the first words, when nobody has spoken yet."""
    return f"Hello! I am the local rule-based agent. {offers}"


def offer(tools: Sequence[ToolSpec]) -> str:
    """Returns a sentence that says what can be asked for."""
    phrases = [_phrase(tool) for tool in tools[:3]]
    if not phrases:
        return "You can ask me who I am, the date, or to count to ten."
    return f"I can {listed(phrases, 'or')}."


def _phrase(tool: ToolSpec) -> str:
    sentence = re.split(r"[.!?;:(\n]", tool.description, maxsplit=1)[0].strip()
    if not _VERB_FIRST.match(sentence) or len(sentence.split()) > LONGEST_OFFER:
        return tool.words
    return sentence[0].lower() + sentence[1:]


def echo(text: str) -> str:
    """Returns the answer to anything else: what was heard, in one sentence, and what to ask for
    instead."""
    words = [word for word in text.split() if re.search(r"\w", word)]
    heard = _EDGES.sub("", " ".join(words[:LONGEST_ECHO]))
    heard += ", and so on" if len(words) > LONGEST_ECHO else ""
    hint = "I follow fixed rules, so ask" if len(words) <= SHORT_ECHO else "Ask me"
    return f"I heard you. You said: {heard}. {hint} what I can do."


def _now(match: re.Match[str], today: datetime.date, last_answer: str, offers: str) -> str:
    if isinstance(today, datetime.datetime):
        return f"It is {clock_words(today.time())}."
    return f"I have no clock. Today is {day_words(today)}."


def _today(match: re.Match[str], today: datetime.date, last_answer: str, offers: str) -> str:
    return f"Today is {day_words(today)}."


def _again(match: re.Match[str], today: datetime.date, last_answer: str, offers: str) -> str:
    return f"I said: {last_answer}" if last_answer else "I have not said anything yet."


def _count(match: re.Match[str], today: datetime.date, last_answer: str, offers: str) -> str:
    numbers = find_numbers(match["number"])
    last = int(numbers[0].value) if numbers else 0
    if not 1 <= last <= LONGEST_COUNT:
        return f"I count from one to {number_words(LONGEST_COUNT)} at most."
    return f"Here we go. {_sentence(', '.join(map(number_words, range(1, last + 1))))}"


def _says(answer: str) -> _Responder:
    return lambda match, today, last_answer, offers: answer.format(offers=offers)


_can = _says("Let me tell you. {offers}")
_listening = _says("All right. I am listening.")
_KNOWN = (_count, _now, _today, _again, _can, _listening)

# In the order in which they are tried; the text is lower case, without punctuation.
_TALK: tuple[tuple[re.Pattern[str], _Responder], ...] = tuple(
    (re.compile(pattern), respond)
    for pattern, respond in (
        (r"\bcount (?:up )?(?:from one |from 1 )?to (?P<number>[\w' ]+)", _count),
        (r"\b(?:what time|what's the time|what is the time|how late is it)\b", _now),
        (
            r"\b(?:what|which) (?:day|date) (?:is it|is today|do we have)|what's the date"
            r"|\bwhat is (?:the date|today's date)",
            _today,
        ),
        (
            r"\b(?:who|what) are you\b|\bare you (?:a|an|the|real|human|there a)\b"
            r"|\bwhat's your name\b|\bwhat is your name\b",
            _says(
                "I am a simple stand-in. I run on this computer and follow rules; I am not a "
                "language model. {offers}"
            ),
        ),
        (
            r"\bwhat (?:can|do) you (?:do|help)|\bhow (?:can|could) you help|\bcan you help\b"
            r"|^help\b|\bwhat can i (?:say|ask|do)\b",
            _can,
        ),
        (
            r"\bhow (?:are|do) you(?: doing| do| feel)?\b|\bhow's it going\b",
            _says("I am fine, thank you. {offers}"),
        ),
        (
            r"\b(?:say|repeat) (?:that|it|this)(?: again)?\b|^(?:please )?repeat\b|^pardon\b"
            r"|\bwhat did you (?:just )?say\b|^(?:come )?again(?: please)?$",
            _again,
        ),
        (r"\b(?:good ?bye|bye|see you|good night)\b", _says("Goodbye! Talk to you soon.")),
        (
            r"^(?:no|nope|nothing)(?: thanks| thank you| nothing| more| else| not really)*$",
            _says("All right, then. I am here if you need me."),
        ),
        (r"\b(?:thanks|thank you|cheers)\b", _says("You are welcome. Is there anything else?")),
        (r"\btell me (?:a|another) (?:story|joke)|\bjoke\b", _says("I know none, sorry. {offers}")),
        (
            r"^(?:please |okay |ok )?(?:stop|wait|be quiet|quiet|hold on|shut up|never ?mind"
            r"|forget it|cancel that)\b",
            _listening,
        ),
        (
            r"^(?:(?:um|oh|well) )?(?:hello|hi|hey|good (?:morning|afternoon|evening|day)"
            r"|greetings)\b(?: \w+){0,6}$",
            _says("Hello there! {offers} What would you like?"),
        ),
        (
            r"^(?:yes|yeah|yep|sure|okay|ok|right|fine|great|good)(?: please| sure| then)?$",
            _says("All right. What would you like? {offers}"),
        ),
    )
)


# Results of functions, spoken.


def result_sentence(output: str, value: object, tool_words: str) -> str:
    """Returns the result of a function as sentences.

    Args:
        output: The result as it came.
        value: What it is as JSON; the text itself if it isn't JSON.
        tool_words: The name of the function, as it is said.
    """
    if isinstance(value, dict):
        return _spoken_object(value, tool_words)
    if isinstance(value, list):
        return f"Here it is. {_sentence(_listed(value) or 'There is nothing')}"
    if value is None or output.strip() == "":
        return "Done."
    if isinstance(value, bool):
        return "Yes." if value else "No."
    return _sentence(_plain(value))


def _spoken_object(value: dict[str, object], tool_words: str) -> str:
    error = value.get("error")
    if error:
        text = error.get("message", "") if isinstance(error, dict) else error
        reason = re.sub(r"^[A-Za-z_.]*(?:Error|Exception|Exit|Interrupt):\s*", "", str(text))
        return f"Sorry. {_sentence(_plain(reason or 'that did not work'))}"
    for key in ("message", "summary", "answer", "result", "text"):
        said = value.get(key)
        if isinstance(said, str) and said.strip():
            opening = "Here it is" if LOOKING_UP.match(tool_words) else "Done"
            return f"{opening}. {_sentence(_plain(said))}"
    return f"Here it is. {_sentence(_fields(value) or 'There is nothing')}"


def _fields(value: dict[str, object]) -> str:
    return ", ".join(
        f"{str(key).replace('_', ' ')} {_plain(each)}"
        for key, each in list(value.items())[:MOST_FIELDS]
    )


def _listed(values: Sequence[object]) -> str:
    parts = [_plain(each) for each in values[:MOST_FIELDS]]
    if len(values) > MOST_FIELDS:
        parts.append(f"{number_words(len(values) - MOST_FIELDS)} more")
    return listed(parts, "and")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list):
        return _listed(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return speakable(str(value).replace("_", " ")).strip()


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return "Done."
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")
