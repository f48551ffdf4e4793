"""A rule-based agent in the place of a language model, and honest about it.

It answers small talk, calls the declared functions when the words match, asks for what is missing,
speaks the results, and says back what it heard otherwise. It keeps no state: where a dialogue
stands is worked out from the items of the request.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from realtime_nb.local.llm import Call, Request, Text, word_deltas
from realtime_nb.local.offered import offered, with_choice
from realtime_nb.local.small_talk import (
    NATURE,
    about_the_user,
    echo,
    greeting,
    known,
    name_in,
    offer,
    result_sentence,
    small_talk,
    without_pleasantries,
)
from realtime_nb.local.threads import WorkThreads
from realtime_nb.local.tool_arguments import (
    Parameter,
    ToolSpec,
    Utterance,
    fill,
    question,
    read_tool,
)
from realtime_nb.local.tool_matching import best_match
from realtime_nb.protocol.serving import WORD_FOR_WORD

__all__ = ["RuleLLM", "RulesAnswer"]

# Bounds of what is looked back on, so that a long conversation stays as fast as a short one.
LAST_ITEMS = 24
LAST_TURNS = 8
LONGEST_TURN = 800  # characters
MOST_MISSES = 3
MOST_TOOLS = 32
LONGEST_THOUGHT_S = 2.0

SHORT_ANSWER = 4  # words
_TAKES = re.compile(r"\b(?:take|have|book|choose|do|prefer|want|like)\b", re.I)
_OTHER_DAY = re.compile(r"\b(?:how|what) about\b|^\W*(?:and|or|then|okay|ok|no)\b", re.I)
_RANGE = re.compile(r"\b(?:after|before|between|until|till|from)\b", re.I)
_ASKS_BACK = re.compile(
    r"\?\s*$|^\W*(?:(?:by the way|oh|so|and|but|well|hey|um)\W+)*"
    r"(?:do|does|did|are|is|have|can|could|would|will|who|why|how|where|what|tell me)\b",
    re.I,
)
_ABANDON = re.compile(
    r"\b(?:never ?mind|forget (?:it|that|about)|cancel (?:that|it)|stop|drop it|leave it)\b", re.I
)


@dataclass(frozen=True, slots=True)
class RulesAnswer:
    """What the rules have to say, in the order in which it is said.

    Attributes:
        known: What only they can say: results, what they understood, the time, a name.
        chat: Their words for small talk, and for what they make nothing of; empty if the text was
            neither. Whoever talks better says something else in its place.
        asking: What they ask for a function that is still to be called.
        call: A function to call, instead of all that.
    """

    known: str = ""
    chat: str = ""
    asking: str = ""
    call: Call | None = None

    @property
    def text(self) -> str:
        """All of it, in the rules' own words."""
        return " ".join(filter(None, (self.known, self.chat, self.asking)))


class RuleLLM:
    """Answers by fixed rules, at once, without a model.

    Args:
        clock: Today's date, or the present moment if the agent shall know the time, too.
        nature: What it says of itself when asked what it can do.
    """

    def __init__(
        self,
        clock: Callable[[], datetime.date] = datetime.datetime.now,
        nature: str = NATURE,
    ) -> None:
        self.name = "rules"
        self.clock = clock
        self.nature = nature
        self._threads = self._new_threads()

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the answer: the text word by word, or one function call."""
        return self._stream(request)

    def close(self) -> None:
        """Ends the thread that thinks; another one begins if it is asked again."""
        self._threads.shutdown(wait=False)
        self._threads = self._new_threads()

    def _new_threads(self) -> WorkThreads:
        threads = WorkThreads(1, "thinking")  # more would only wait for each other
        weakref.finalize(self, threads.shutdown, wait=False)  # for who doesn't close it
        return threads

    async def answer(self, request: Request) -> RulesAnswer:
        """Returns the answer in its parts."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, _answer, request, self.clock(), self.nature
        )

    async def _stream(self, request: Request) -> AsyncIterator[Text | Call]:
        answer = await self.answer(request)
        if answer.call is not None:
            yield answer.call
            return
        for delta in word_deltas(answer.text):
            yield Text(delta)


def _answer(request: Request, now: datetime.date, nature: str) -> RulesAnswer:
    if request.instructions.startswith(WORD_FOR_WORD):
        return RulesAnswer(request.instructions.removeprefix(WORD_FOR_WORD).strip())
    items = [item for item in request.items if item.get("role") != "system"][-LAST_ITEMS:]
    tools = [spec for one in _likeliest(request.tools, items) if (spec := read_tool(one))]
    offers = offer(tools)
    if not items:
        return RulesAnswer(greeting(offers))
    results, last = _spoken_results(items), _unanswered(items)
    if last is None:
        return RulesAnswer(results or "Are you still there? I am listening.")
    allowed = _allowed(tools, request.tool_choice)
    dialogue = _Dialogue(allowed, request.tool_choice, now, offers, nature)
    answer = dialogue.replay(_with_last(items, last))
    if answer.call is not None:
        return answer  # what it comes to is told with the other results
    return replace(answer, known=f"{results} {answer.known}".strip())


def _likeliest(
    tools: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns the functions, of very many those that share the most words with what was said."""
    if len(tools) <= MOST_TOOLS:
        return list(tools)
    said = _words(" ".join(map(_text_of, items)))
    called = {item.get("name") for item in items if item.get("type") == "function_call"}

    def likeness(number: int) -> tuple[bool, int, int]:
        name = str(tools[number].get("name"))
        words = _words(f"{name} {tools[number].get('description')}"[:LONGEST_TURN])
        return name in called, len(words & said), -number

    best = sorted(range(len(tools)), key=likeness, reverse=True)[:MOST_TOOLS]
    return [tools[number] for number in sorted(best)]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]{3,}", text.lower()))


def _allowed(tools: list[ToolSpec], choice: str | dict[str, Any]) -> list[ToolSpec]:
    if choice == "none":
        return []
    if isinstance(choice, dict):
        return [tool for tool in tools if tool.name == choice.get("name")]
    return tools


@dataclass
class _Dialogue:
    """Where a conversation stands: which function is meant, what was said for it and asked."""

    tools: list[ToolSpec]
    choice: str | dict[str, Any]
    now: datetime.date
    offers: str
    nature: str = NATURE
    tool: ToolSpec | None = None
    turns: list[Utterance] = field(default_factory=list)
    asked: tuple[str, ...] = ()
    misses: int = 0
    last_answer: str = ""
    user_name: str = ""
    calls: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    earlier: tuple[str, dict[str, Any]] = ("", {})
    failed: bool = False
    refused: tuple[str, dict[str, Any]] = ("", {})
    offered: list[str] = field(default_factory=list)

    @property
    def today(self) -> datetime.date:
        """The day, without the time that the clock may give along with it."""
        return self.now.date() if isinstance(self.now, datetime.datetime) else self.now

    def replay(self, items: Sequence[dict[str, Any]]) -> RulesAnswer:
        """Follows the items up to the last one, and answers that."""
        until_s = time.monotonic() + LONGEST_THOUGHT_S
        for item in items[:-1]:
            if time.monotonic() > until_s:
                return RulesAnswer(
                    "Sorry, that is more than my rules can follow. Could you say it in short?"
                )
            self._follow(item)
        return self._hear(_text_of(items[-1]), last=True)

    def _follow(self, item: dict[str, Any]) -> None:
        kind = item.get("type")
        if item.get("role") == "user":
            self._hear(_text_of(item))
        elif item.get("role") == "assistant":
            self.last_answer = _text_of(item) or self.last_answer
        elif kind == "function_call":
            arguments = _json(str(item.get("arguments") or "{}"))
            known = arguments if isinstance(arguments, dict) else {}
            self.calls[str(item.get("call_id"))] = (str(item.get("name")), known)
            called = self._named(str(item.get("name")))
            said = self.turns if called and called.looks_up else []
            self._start_over()
            self.turns = [turn for turn in said if not _RANGE.search(turn.text)]
        elif kind == "function_call_output":
            self.earlier = self.calls.get(str(item.get("call_id")), ("", {}))
            output = _json(str(item.get("output") or ""))
            self.failed = isinstance(output, dict) and bool(output.get("error"))
            self.offered = offered(output)
            if self.failed or self.refused[0] == self.earlier[0]:
                self.refused = self.earlier if self.failed else ("", {})

    def _named(self, name: str) -> ToolSpec | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def _start_over(self) -> None:
        self.tool, self.turns, self.asked, self.misses = None, [], (), 0

    def _hear(self, text: str, last: bool = False) -> RulesAnswer:
        if not re.search(r"\w", text):
            return RulesAnswer("Sorry, I did not hear any words. Could you say it again?")
        text = with_choice(text, self.offered, self.failed)
        chat = small_talk(text, self.now, self.last_answer, self.offers, self.nature)
        mine = known(text)
        text = without_pleasantries(text)
        matched = best_match(
            self.tools, text, lambda tool: len(fill(tool, [Utterance(text)], self.today))
        )
        self.user_name = name_in(text) or self.user_name
        if self.tool is None and (told := about_the_user(text, self.user_name)):
            chat, mine = told, True  # else a name may be what was asked for
        if not matched and _ABANDON.search(text) and (self.tool or self.refused[0]):
            self._start_over()
            self.refused, self.failed = ("", {}), False
            return RulesAnswer("All right, I dropped that. What else can I do?")
        if matched and (self.tool or not chat or matched.named):
            self._turn_to(matched.tool)
        turn = Utterance(text, self.asked)
        if self.tool is None and (not chat or _TAKES.search(text)):
            turn = self._meant_without_words(turn, last)
        self.turns = [*self.turns, turn][-LAST_TURNS:]
        if self.tool is None:
            self.turns[-1] = Utterance(text, about=False)
            return RulesAnswer(chat or "") if mine else RulesAnswer(chat=chat or echo(text))
        return self._proceed(self.tool, turn, chat, mine, fresh=bool(matched))

    def _turn_to(self, tool: ToolSpec) -> None:
        if self.tool is not tool:
            if self.tool is None and tool.name == self.earlier[0]:  # asked anew
                self.turns = [Utterance(turn.text, about=False) for turn in self.turns]
            self.tool, self.asked, self.misses = tool, (), 0

    def _meant_without_words(self, turn: Utterance, last: bool) -> Utterance:
        """Finds the function where another value is enough, after a call, or where it is forced."""
        for tool in self.tools:
            short = self.failed or len(turn.text.split()) <= SHORT_ANSWER
            answer = Utterance(turn.text, _dates_of(tool) if short else ())
            if self._follows(tool, answer):
                self._turn_to(tool)
                return answer
        if last and self.tools and self.choice not in ("auto", "none"):
            self._turn_to(self.tools[0])
        return turn

    def _follows(self, tool: ToolSpec, turn: Utterance) -> bool:
        """Tells whether a turn goes on from the last call: another value for it, or the next step.

        After a refusal that is any other value. After a look-up it is another day to look at
        ("how about Friday?"), or a time for the function that needs what was looked up.
        """
        name, known = self.earlier
        said = fill(tool, [turn], self.today)
        if self.failed:
            return tool.name == name and any(known.get(key) != said[key] for key in said)
        before = self._named(name)
        if before is None or not before.looks_up:
            return False
        news = [key for key in _dates_of(tool) if key in said and known.get(key) != said[key]]
        if tool is before:
            return bool(news and (_OTHER_DAY.search(turn.text) or turn.asked))
        shared = {each.name for each in before.parameters if each.required}
        further = {each.name for each in tool.parameters if each.required} - shared
        return bool(further & set(news)) and shared <= {each.name for each in tool.parameters}

    def _proceed(
        self, tool: ToolSpec, turn: Utterance, chat: str | None, mine: bool, fresh: bool
    ) -> RulesAnswer:
        """Calls the function, or asks for what is missing."""
        values = {**self._known_before(tool, fresh), **fill(tool, self.turns, self.today)}
        if (tool.name, values) == self.refused:  # the same again would be refused again
            values = {key: values[key] for key in values if key not in _dates_of(tool)}
        missing = [each for each in tool.parameters if each.required and each.name not in values]
        if not missing:
            ordered = {
                each.name: values[each.name] for each in tool.parameters if each.name in values
            }
            return RulesAnswer(call=Call(tool.name, json.dumps(ordered, ensure_ascii=False)))
        asking = question(tool, missing)
        if fresh or fill(tool, [turn], self.today):
            self._ask(missing)
            return RulesAnswer("All right.", asking=asking)
        if chat:
            return (
                RulesAnswer(chat, asking=asking) if mine else RulesAnswer(chat=chat, asking=asking)
            )
        self.misses += 1
        if self.misses >= MOST_MISSES:
            self._start_over()
            return RulesAnswer(f"Let us leave that. {self.offers}")
        missed = "Sorry, I did not get that."
        if _ASKS_BACK.search(turn.text):
            return RulesAnswer(chat=missed, asking=asking)
        return RulesAnswer(missed, asking=asking)

    def _ask(self, missing: Sequence[Parameter]) -> None:
        self.asked, self.misses = tuple(each.name for each in missing[:3]), 0

    def _known_before(self, tool: ToolSpec, fresh: bool) -> dict[str, Any]:
        """Returns what holds on: what was refused, and what was said for a call of another
        function."""
        name, said = self.earlier
        known = self.refused[1] if self.refused[0] == tool.name else {}
        if not self.failed and (name != tool.name or not fresh):
            known = {**known, **said}
        return {each.name: known[each.name] for each in tool.parameters if each.name in known}


def _dates_of(tool: ToolSpec) -> tuple[str, ...]:
    kinds = ("day", "weekday", "time", "moment")
    return tuple(each.name for each in tool.parameters if each.kind in kinds)


def _text_of(item: dict[str, Any]) -> str:
    """Returns what a message says: typed, spoken or transcribed."""
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    said = [
        str(part.get("text") or part.get("transcript") or "")
        for part in parts
        if isinstance(part, dict)
    ]
    text = " ".join(" ".join(said).split())
    if len(text) <= LONGEST_TURN:
        return text
    return text[:LONGEST_TURN].rsplit(" ", 1)[0]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unanswered(items: Sequence[dict[str, Any]]) -> int | None:
    """Returns where the last message of the user is, if nothing was said or done about it yet."""
    for index in reversed(range(len(items))):
        if items[index].get("role") == "user":
            return index
        if items[index].get("role") == "assistant" or items[index].get("type") == "function_call":
            return None
    return None


def _with_last(items: Sequence[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    """Returns the items up to an unanswered message; results that came after it were before it."""
    return [*items[:index], *items[index + 1 :], items[index]]


def _spoken_results(items: Sequence[dict[str, Any]]) -> str:
    """Returns every result since the agent spoke, in order."""
    names = {
        str(item.get("call_id")): str(item.get("name") or "")
        for item in items
        if item.get("type") == "function_call"
    }
    sentences: list[str] = []
    for item in reversed(items):
        if item.get("role") == "assistant":
            break
        if item.get("type") == "function_call_output":
            output = str(item.get("output") or "")
            tool_words = names.get(str(item.get("call_id")), "").replace("_", " ")
            sentences.append(result_sentence(output, _json(output), tool_words))
    return " ".join(reversed(sentences))
