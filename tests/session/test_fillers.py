"""What an agent says while a function runs for long."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.local.llm import Call, Request, ScriptedLLM
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.serving import WORD_FOR_WORD
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.testing import run_on_virtual_clock, tone
from realtime_nb.tools import Tool
from tests.session.lost_connections import Servers
from tests.virtual import virtual

WORDS = "One moment please."


class Booker:
    """A model that says what it is told to, and else calls functions once; then it is done.

    Args:
        calls: the names of the functions, all called in the first answer.
        said: what it says before it calls them.
    """

    name = "booker"

    def __init__(self, *calls: str, said: str = "") -> None:
        self.calls = list(calls)
        self.said = [said] if said else []

    def reply(self, request: Request) -> Any:
        if request.instructions.startswith(WORD_FOR_WORD):
            words = request.instructions.removeprefix(WORD_FOR_WORD).strip()
            return ScriptedLLM([words]).reply(request)
        outputs = sum(item["type"] == "function_call_output" for item in request.items)
        if self.calls:
            names, self.calls = self.calls, []
            calls = [Call(name, "{}", f"call_{name}") for name in names]
            return ScriptedLLM([[*self.said, *calls]]).reply(request)
        return ScriptedLLM([f"{outputs} done."]).reply(request)


class Log:
    """What happened in a session, in order, as it was on the wire and at the loudspeaker.

    It keeps books of its own: nothing here asks the package who speaks.
    """

    def __init__(self) -> None:
        self.fillers: list[str] = []
        self.wrong: list[str] = []
        self.called: set[str] = set()
        self.outputs: list[str] = []
        self.texts: list[str] = []
        self.user_speaks = False
        self.running: set[str] = set()
        self.sounding: set[str] = set()
        self.waits: list[str] = []  # responses that were asked for and have not begun

    def event(self, event: WireEvent) -> None:
        raw, kind = event.raw, str(event.raw["type"])
        if event.direction == "sent" and kind == "response.create":
            self._asked(raw, event.t_s)
        elif event.direction == "sent" and kind == "conversation.item.create":
            if raw["item"]["type"] == "function_call_output" and "status" not in raw["item"]:
                self.outputs.append(raw["item"]["call_id"])
        elif kind == "input_audio_buffer.speech_started":
            self.user_speaks = True
        elif kind == "input_audio_buffer.speech_stopped":
            self.user_speaks = False
        elif kind == "response.created":
            self.running.add(raw["response"]["id"])
            del self.waits[:1]
        elif kind == "response.output_item.done" and raw["item"]["type"] == "function_call":
            self.called.add(raw["item"]["call_id"])
        elif kind == "response.done":
            self.running.discard(raw["response"]["id"])

    def _asked(self, raw: dict[str, Any], t_s: float) -> None:
        if self.running or self.waits:
            self.wrong.append(f"{t_s}: asked while {self.running or self.waits} is under way")
        words = (raw.get("response") or {}).get("instructions", "")
        self.waits.append(words or "answer")
        if WORDS not in words:
            return
        self.fillers.append(words)
        assert raw["response"]["tool_choice"] == "none"
        if self.user_speaks or self.sounding:
            self.wrong.append(f"{t_s}: a filler into speech")
        if self.called <= set(self.outputs):
            self.wrong.append(f"{t_s}: a filler though all is done")

    def playback(self, report: PlaybackReport) -> None:
        if report.kind == "started":
            self.sounding.add(report.item_id)
        elif report.kind in ("finished", "flushed"):
            self.sounding.discard(report.item_id)

    def tool(self, report: ToolReport) -> None:
        pass

    def connection(self, report: ConnectionReport) -> None:
        if report.kind == "lost":
            self.running.clear()
            self.waits.clear()
            self.user_speaks = False


def functions(runs_s: list[float], fills: list[bool], after_s: float = 1.0) -> list[Tool]:
    """Functions a, b, c … that take so long."""

    def made(name: str, run_s: float, filler: str | None) -> Tool:
        async def work() -> str:
            await asyncio.sleep(run_s)
            return f"{name} is done"

        return rt.tool(
            name=name, description="Works.", timeout_s=60, filler=filler, filler_after_s=after_s
        )(work)

    named = zip("abc", runs_s, fills, strict=False)
    return [made(name, run_s, WORDS if filler else None) for name, run_s, filler in named]


async def _conversation(
    runs_s: list[float], fills: list[bool], happens: list[tuple[float, str]], said: str = ""
) -> Log:
    tools = functions(runs_s, fills)
    log = Log()
    async with (
        Servers(Booker(*(tool.name for tool in tools), said=said)) as servers,
        rt.connect(transport=servers.dial, tools=tools) as session,
    ):
        session.observe(log)
        await session.say("Book it")
        speaking = []
        for wait_s, what in happens:
            await asyncio.sleep(wait_s)
            match what:
                case "say":
                    session.say("Hello?")
                case "speak":
                    speaking.append(session.speak(tone(600)))
                case "interrupt":
                    session.interrupt()
                case "drop":
                    await servers.vanish()
                case "cancel":
                    session.cancel_call("call_a")
        await asyncio.gather(*speaking)
        await session._driver.until(lambda: not session.reconnecting, 60)
        assert await session.settled()
        log.texts = [text for role, text in session.conversation.transcript()]
    return log


@virtual
async def test_a_slow_function_is_bridged_once_and_its_result_comes_after() -> None:
    log = await _conversation([3.0], [True], [])
    assert log.wrong == []
    assert log.texts == ["Book it", WORDS, "1 done."]


@virtual
async def test_what_the_agent_says_as_it_calls_is_heard_first() -> None:
    log = await _conversation([9.0], [True], [], said="Let me have a look at the calendar for you.")
    assert (len(log.fillers), log.wrong) == (1, [])


@virtual
async def test_a_function_that_ends_in_time_is_not() -> None:
    log = await _conversation([0.9, 0.5], [True, True], [])
    assert log.fillers == []


@virtual
async def test_without_a_filler_nothing_is_said() -> None:
    log = await _conversation([9.0], [False], [])
    assert log.fillers == []


@virtual
async def test_several_slow_functions_have_one() -> None:
    log = await _conversation([4.0, 5.0, 6.0], [True, True, True], [])
    assert (len(log.fillers), log.wrong) == (1, [])
    assert log.texts == ["Book it", WORDS, "3 done."]


@virtual
async def test_only_the_functions_that_have_one_are_waited_for() -> None:
    log = await _conversation([0.5, 5.0], [True, False], [])
    assert log.fillers == []


@virtual
async def test_who_was_hushed_stays_silent_until_there_is_a_result() -> None:
    log = await _conversation([5.0], [True], [(0.5, "interrupt")])
    assert log.fillers == []
    assert log.texts == ["Book it", "1 done."]


@virtual
async def test_no_filler_after_another_answer() -> None:
    log = await _conversation([9.0], [True], [(0.5, "say")])
    assert log.fillers == []


@virtual
async def test_a_filler_that_the_connection_took_along_is_not_said_again() -> None:
    log = await _conversation([9.0], [True], [(1.05, "drop")])
    assert (len(log.fillers), log.wrong) == (1, [])
    assert log.outputs == ["call_a"]


@virtual
async def test_a_filler_waits_for_the_connection() -> None:
    log = await _conversation([9.0], [True], [(0.9, "drop")])
    assert (len(log.fillers), log.wrong) == (1, [])


_HAPPENS = st.lists(
    st.tuples(
        st.floats(0, 2).map(lambda s: round(s, 2)),
        st.sampled_from(["say", "speak", "speak", "interrupt", "drop", "cancel"]),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(
    runs_s=st.lists(st.floats(0, 6).map(lambda s: round(s, 2)), min_size=1, max_size=3),
    fills=st.tuples(st.booleans(), st.booleans(), st.booleans()).map(list),
    happens=_HAPPENS,
    said=st.sampled_from(["", "Let me have a look at the calendar for you."]),
)
def test_whatever_happens_a_filler_is_said_once_at_most_and_into_silence(
    runs_s: list[float], fills: list[bool], happens: list[tuple[float, str]], said: str
) -> None:
    log = run_on_virtual_clock(_conversation(runs_s, fills, happens, said))
    assert log.wrong == []
    assert len(log.fillers) <= any(fills)
    assert set(log.outputs) == log.called
