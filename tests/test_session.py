"""A session from its first event to its last: waiting, talking, tools, failures, the end."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import time
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import driver, inbox
from realtime_nb.devices import SimulatedSpeaker
from realtime_nb.endpoints import local
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import Pace
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session import MAX_UNSENT_APPENDS
from realtime_nb.testing import (
    MemoryServer,
    ScriptedServer,
    fake_engines,
    silence,
    tone,
)
from realtime_nb.transport import MemoryTransport, open_websocket
from tests.virtual import virtual

DATA = Path(__file__).parent / "data"
LONG_ANSWER = " ".join(["word"] * 20)  # 5 s of humming


async def scripted(server: ScriptedServer, **options: Any) -> rt.Session:
    """A session with a server that is played by hand, open and configured."""

    async def opened() -> rt.Session:
        return await rt.connect(transport=server.transport, **options)

    opening = asyncio.create_task(opened())
    await server.greet()
    return await opening


def response(status: str, response_id: str = "resp_1") -> JsonObject:
    body = {"id": response_id, "status": status, "conversation_id": "conv", "output": []}
    name = "response.created" if status == "in_progress" else "response.done"
    return {"type": name, "response": body}


async def turns(count: int = 20) -> None:
    """Lets every task go on until all of them wait."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- opening ---


@virtual
async def test_the_session_is_configured_before_it_is_handed_out() -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(
                transport=server.transport, instructions="Be brief.", tools=[look_up]
            ).__aenter__()
        )
        patch = await server.greet()
        session = await opening
        assert patch["instructions"] == "Be brief."
        assert [tool["name"] for tool in patch["tools"]] == ["look_up"]
        assert patch["audio"]["input"]["transcription"] == {"model": "gpt-4o-mini-transcribe"}
        assert list(session.tools) == ["look_up"]
        await session.close()


@pytest.mark.parametrize("transcription", [None, "whisper-1"])
@virtual
async def test_transcription_is_what_was_asked_for(transcription: str | None) -> None:
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, transcription=transcription) as session,
    ):
        audio = session.conversation.session["audio"]["input"]["transcription"]
    assert (audio or {}).get("model") == transcription


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"voise": "ash"}, "Did you mean 'voice'"),
        ({"speed": 0}, "greater than 0"),
        ({"endpoint": "ws://127.0.0.1:9/v1/realtime", "speed": 2}, "local server only"),
        ({"endpoint": "opnai"}, "Unknown endpoint 'opnai'"),
        ({"turn_detection": {"type": "server_vad", "threshold": 3}}, "can't be configured"),
    ],
)
def test_impossible_options_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=words):
        rt.connect(**options)


@virtual
async def test_a_server_that_refuses_the_settings_leaves_nothing_open() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(rt.connect(transport=server.transport).__aenter__())
        await server.emit({"type": "session.created", "session": server.session})
        update = await server.expect("session.update")
        error = {"message": "No.", "code": "invalid_value", "event_id": update["event_id"]}
        await server.emit({"type": "error", "error": error})
        with pytest.raises(rt.ServerError, match=r"refused the settings: No\."):
            await opening
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_server_that_says_something_else_is_not_realtime() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(rt.connect(transport=server.transport).__aenter__())
        await server.emit({"type": "hello"}, {"what": "is this"})
        with pytest.raises(rt.ConnectionFailedError, match="Does it speak the Realtime protocol"):
            await opening


@virtual
async def test_a_server_that_hangs_up_is_not_realtime() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(rt.connect(transport=server.transport).__aenter__())
        await server.vanish(4000, "invalid_request_error")
        with pytest.raises(rt.ConnectionFailedError, match=r"at once.*4000: invalid_request_error"):
            await opening


@virtual
async def test_a_folder_that_cannot_be_written_to_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with MemoryServer() as server:
        with pytest.raises(rt.RecordingError):
            await rt.connect(transport=server.transport, record=tmp_path / "file")
        with pytest.raises(rt.SessionClosedError):
            await server.transport.send({})


# --- waiting ---


@virtual
async def test_wait_for_takes_a_type_or_a_condition() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Hi")
        assert (await session.wait_for("response.created")).type == "response.created"
        done = await session.wait_for(lambda event: event.type.endswith(".done"))
        assert done.type == "conversation.item.done" or done.type.startswith("response.")


@virtual
async def test_wait_for_gives_up_in_words() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(TimeoutError, match=r"No response\.done within 0\.5 s"):
            await session.wait_for("response.done", timeout_s=0.5)
        assert await session.settled(timeout_s=0)


@virtual
async def test_an_error_in_a_condition_belongs_to_who_waits() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        waiting = asyncio.create_task(session.wait_for(lambda event: 1 / 0 > 1))
        await turns()
        await session.say("Hi")
        with pytest.raises(ZeroDivisionError):
            await waiting
        assert await session.settled()


@virtual
async def test_settled_is_false_when_it_takes_too_long() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Talk")
        assert not await session.settled(timeout_s=2.0)
        assert await session.settled()


@virtual
async def test_a_turn_that_will_be_answered_is_not_settled() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        started = {"audio_start_ms": 0, "item_id": "u"}
        await server.emit({"type": "input_audio_buffer.speech_started", **started})
        await turns()
        assert not await session.settled(timeout_s=0)
        await server.emit(
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 500, "item_id": "u"},
            {"type": "input_audio_buffer.committed", "item_id": "u"},
        )
        await turns()
        assert not await session.settled(timeout_s=2.0)
        await server.emit(response("in_progress"), response("completed"))
        assert await session.settled(timeout_s=0.1)
        await session.close()


@virtual
async def test_a_turn_that_is_never_answered_is_waited_for_only_so_long() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        stopped = {"audio_end_ms": 500, "item_id": "u"}
        await server.emit({"type": "input_audio_buffer.speech_stopped", **stopped})
        await turns()
        assert not await session.settled(timeout_s=4)
        assert await session.settled(timeout_s=2)
        await session.close()


@virtual
async def test_settled_waits_for_tools_and_the_response_after_them() -> None:
    released = asyncio.Event()

    async def slow() -> str:
        """Take your time."""
        await released.wait()
        return "done"

    async with (
        MemoryServer(ScriptedLLM([Call("slow", "{}"), "It is done."])) as server,
        rt.connect(transport=server.transport, tools=[slow]) as session,
    ):
        await session.say("Do it")
        assert not await session.settled(timeout_s=5)
        released.set()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "It is done.")


@virtual
async def test_observers_are_shown_when_functions_run() -> None:
    released, watcher = asyncio.Event(), _Watcher()

    async def slow() -> str:
        """Take your time."""
        await released.wait()
        return "done"

    async with (
        MemoryServer(ScriptedLLM([Call("slow", "{}", "call_1"), "It is done."])) as server,
        rt.connect(transport=server.transport, tools=[slow]) as session,
    ):
        session.observe(watcher)
        await session.say("Do it")
        assert not await session.settled(timeout_s=5)
        assert [(report.call_id, report.kind) for report in watcher.tools] == [
            ("call_1", "started")
        ]
        released.set()
        assert await session.settled()
    assert [(report.kind, report.outcome) for report in watcher.tools] == [
        ("started", None),
        ("ended", "ok"),
    ]


@pytest.mark.filterwarnings("default")
@virtual
async def test_events_that_nobody_reads_are_dropped_with_a_warning() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        for number in range(inbox.MAX_UNREAD_EVENTS + 8):
            await server.emit({"type": "noise", "number": number})
        await turns(2_000)
        with pytest.warns(UserWarning, match="10 events that nobody read in time"):
            first = await anext(aiter(session))
        assert getattr(first, "raw")["number"] == 8  # noqa: B009
        await session.close()


# --- talking ---


@virtual
async def test_what_is_said_while_the_agent_speaks_is_answered_after_it() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER, "Two."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("One?")
        await session.wait_for("response.output_audio.delta")
        await session.say("Two?")
        assert await session.settled()
        texts = [text for _, text in session.conversation.transcript()]
        assert texts == ["One?", LONG_ANSWER, "Two?", "Two."]
        assert session.conversation.errors == []


@pytest.mark.parametrize(
    "detection", [rt.ServerVAD(silence_duration_ms=500), rt.SemanticVAD(eagerness="high")]
)
@virtual
async def test_a_clip_is_heard_to_its_end(detection: Any) -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport, turn_detection=detection) as session,
    ):
        await session.speak(tone(500) + silence(200) + tone(300))
        [speech] = session.conversation.speech
        assert speech.audio_end_ms is not None
        assert speech.audio_end_ms >= 1_000


@virtual
async def test_a_clip_that_ends_in_silence_is_over_soon_after_it() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.speak(tone(500) + silence(2_000))
        assert 2_500 + 1_000 <= session.conversation.input_ms <= 2_500 + 1_200


@virtual
async def test_a_late_report_of_speech_is_waited_for_although_an_earlier_one_is_over() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        speech = {"audio_start_ms": 0, "item_id": "u"}
        stopped = {"audio_end_ms": 0, "item_id": "u"}
        await server.emit(
            {"type": "input_audio_buffer.speech_started", **speech},
            {"type": "input_audio_buffer.speech_stopped", **stopped},
            response("in_progress"),
            response("completed"),
        )
        await turns()
        speaking = asyncio.create_task(session.speak(tone(400)))
        for _ in range(15):
            await server.expect("input_audio_buffer.append")
        await server.emit({"type": "input_audio_buffer.speech_started", **speech})
        for _ in range(40):
            await server.expect("input_audio_buffer.append")
        assert not speaking.done()
        await server.emit(
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2_000, "item_id": "v"}
        )
        await speaking
        await session.close()
        server.forgive("input_audio_buffer.append")


@virtual
async def test_after_turn_detection_is_off_the_microphone_is_a_key_to_hold() -> None:
    async with (
        MemoryServer(ScriptedLLM(["One.", "Two."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.speak(tone(500))
        assert await session.settled()
        await session.update(turn_detection=None)
        before_ms = session.conversation.input_ms
        await session.speak(tone(500))
        last = session.conversation.in_order()[-1]
        assert await session.settled()
        assert session.conversation.input_ms - before_ms < 700
        assert last.role in ("user", "assistant")
        assert session.conversation.transcript()[-1] == ("assistant", "Two.")
        assert session.conversation.errors == []


@virtual
async def test_holding_the_key_down_interrupts_the_agent() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER, "Two."])) as server,
        rt.connect(transport=server.transport, turn_detection=None) as session,
    ):
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")
        await session.speak(tone(500))
        assert await session.settled()
        agent = [item for item in session.conversation.in_order() if item.role == "assistant"]
        assert agent[0].interrupted or agent[0].text == "Two."
        assert session.conversation.transcript()[-1] == ("assistant", "Two.")
        assert session.conversation.errors == []


@virtual
async def test_the_recording_knows_when_audio_was_captured(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        session = await scripted(server, record=tmp_path)
        await asyncio.sleep(1)
        for captured_s in (0.9, None):
            await session.append(silence(100), captured_s)
            await server.expect("input_audio_buffer.append")
            await asyncio.sleep(1)
        await session.close()
    assert session.recording is not None
    appends = [line for line in rt.load(session.recording).raw_events() if "audio" in line.event]
    assert [(line.t_s, line.captured) for line in appends] == [(1.0, 0.9), (2.0, None)]


@virtual
async def test_while_the_input_format_changes_no_audio_is_sent() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        updating = asyncio.create_task(session.update(input_format="g711_ulaw"))
        update = (await server.expect("session.update"))["session"]
        appending = asyncio.create_task(session.append(silence(60)))
        await asyncio.sleep(1)
        assert not appending.done()
        server.session["audio"]["input"] |= update["audio"]["input"]
        await server.emit({"type": "session.updated", "session": server.session})
        await updating
        await appending
        append = await server.expect("input_audio_buffer.append")
        assert len(append["audio"]) == 60 * 8 * 4 // 3
        await session.close()


@virtual
async def test_a_format_that_nobody_here_speaks_is_said_so() -> None:
    async with ScriptedServer() as server:
        server.session["audio"]["input"]["format"] = {"type": "audio/pcm", "rate": 16_000}
        server.session["audio"]["output"] = {"format": {"type": "audio/opus"}}
        session = await scripted(server)
        with pytest.raises(rt.ConfigurationError, match="16000 Hz"):
            await session.append(silence(100))
        await server.emit({"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "a"})
        with pytest.raises(rt.ConfigurationError, match="audio/opus"):
            await session.wait_for("response.done")
        await session.close()


# --- settings and tools ---


@virtual
async def test_refused_tools_are_not_taken() -> None:
    def new() -> str:
        """New."""
        return ""

    async with ScriptedServer() as server:
        session = await scripted(server, tools=[_old])
        updating = asyncio.create_task(session.update(tools=[new]))
        await server.expect("session.update")
        error = {"message": "No.", "param": "session.tools", "code": "invalid_value"}
        await server.emit({"type": "error", "error": error})
        with pytest.raises(rt.ServerError) as refused:
            await updating
        assert refused.value.param == "session.tools"
        assert list(session.tools) == ["old"]
        updating = asyncio.create_task(session.update(tools=[new]))
        await server.grant()
        await updating
        assert list(session.tools) == ["new"]
        await session.close()


@rt.tool(name="old")
def _old() -> str:
    """Old."""
    return ""


@virtual
async def test_an_update_that_is_never_confirmed_is_an_error() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        with pytest.raises(rt.ServerError, match="did not confirm"):
            await session.update(instructions="Be brief.")
        await server.expect("session.update")
        await session.close()


@virtual
async def test_a_tool_that_hangs_is_ended_by_its_time() -> None:
    @rt.tool(timeout_s=2.0)
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    async with (
        MemoryServer(ScriptedLLM([Call("hang", "{}", "call_1"), "It took too long."])) as server,
        rt.connect(transport=server.transport, tools=[hang]) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
        assert "took over 2 s" in (session.conversation.calls["call_1"].output or "")
        assert session.conversation.transcript()[-1] == ("assistant", "It took too long.")


@virtual
async def test_when_functions_ran_and_how_they_ended_is_recorded(tmp_path: Path) -> None:
    @rt.tool(timeout_s=2.0)
    async def wait(seconds: float, fail: bool = False) -> str:
        """Wait."""
        await asyncio.sleep(seconds)
        if fail:
            raise ValueError("no")
        return '{"error": "no free slot"}'

    given = ('{"seconds": 1.5}', '{"seconds": 0.5, "fail": true}', '{"seconds": 9}', "{}")
    calls = [Call("wait", arguments, f"call_{i}") for i, arguments in enumerate(given)]
    async with (
        MemoryServer(ScriptedLLM([*calls, "Done."])) as server,
        rt.connect(transport=server.transport, tools=[wait], record=tmp_path) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
    assert session.recording is not None

    table = rt.load(session.recording).calls.round(6).set_index("call_id")

    assert table.run_outcome.to_dict() == {
        "call_0": "ok",
        "call_1": "error",
        "call_2": "timeout",
        "call_3": "invalid",
    }
    assert list(table.outcome) == ["ok", "error", "timeout", "error"]
    assert list(table.run_ms[:3]) == [1_500, 500, 2_000]
    assert list(table.queue_ms[:3]) == list(table.send_ms[:3]) == [0, 0, 0]
    assert table.run_started_s.isna().to_list() == [False, False, False, True]


@virtual
async def test_facts_are_noted_while_something_is_recorded(tmp_path: Path) -> None:
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, record=tmp_path) as session,
    ):
        session.note(room="lab")
        with pytest.raises(rt.ConfigurationError, match="recorder's own"):
            session.note(clocks="mine")
    session.note(room="too late")
    assert session.recording is not None
    assert rt.load(session.recording).header["room"] == "lab"

    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        session.note(room="nowhere")


@virtual
async def test_a_person_marks_moments(tmp_path: Path) -> None:
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, record=tmp_path) as session,
    ):
        await asyncio.sleep(3)
        session.label("that was not me")
        session.label(" speech end ", t_s=1.25)
        for text, t_s in (("", None), (" ", 1.0), ("x", -0.1), ("x", 3.1), ("x", float("nan"))):
            with pytest.raises(rt.ConfigurationError, match=r"A label needs|between 0 and 3 s"):
                session.label(text, t_s)
    with pytest.raises(rt.SessionClosedError):
        session.label("too late")
    assert session.recording is not None
    marks = rt.load(session.recording).labels
    assert list(marks.text) == ["speech end", "that was not me"]
    assert list(marks.t_s) == [1.25, pytest.approx(3, abs=0.1)]

    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(rt.RecordingError, match='record="recordings"'):
            session.label("nowhere")


@virtual
async def test_a_function_that_the_end_of_the_session_cuts_short_is_recorded(
    tmp_path: Path,
) -> None:
    running = asyncio.Event()

    @rt.tool
    async def hang() -> str:
        """Hang."""
        running.set()
        await asyncio.Event().wait()
        return ""

    async with (
        MemoryServer(ScriptedLLM([Call("hang", "{}", "call_1")])) as server,
        rt.connect(transport=server.transport, tools=[hang], record=tmp_path) as session,
    ):
        await session.say("Do it")
        await running.wait()
        await asyncio.sleep(3)
    assert session.recording is not None

    (call,) = rt.load(session.recording).calls.round(6).to_dict("records")

    assert (call["run_outcome"], call["outcome"], call["run_ms"]) == ("cancelled", "orphan", 3_000)


async def test_a_slow_plain_function_holds_nobody_up() -> None:
    gate = threading.Event()

    def slow() -> str:
        """Block the thread."""
        return str(gate.wait(20))

    llm = ScriptedLLM([Call("slow", "{}"), "Hello.", "Done."])
    async with (
        MemoryServer(llm, pace=Pace(speed=50)) as server,
        rt.connect(transport=server.transport, tools=[slow], speed=50) as session,
    ):
        await session.say("Do it")
        await session.wait_for("response.done")
        await session.say("Hi")
        done = await session.wait_for("response.output_audio_transcript.done")
        assert getattr(done, "transcript") == "Hello."  # noqa: B009
        gate.set()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "Done.")


@virtual
async def test_calls_of_bare_definitions_are_left_to_the_reader() -> None:
    definition = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    async with (
        MemoryServer(ScriptedLLM([Call("mine", "{}", "call_1"), "Thanks."])) as server,
        rt.connect(transport=server.transport, tools=[definition]) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
        assert len(session.conversation.responses) == 1
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        await session.send({"type": "conversation.item.create", "item": output})
        await session.create_response()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "Thanks.")


# --- slow connections ---


class BlockedTransport(MemoryTransport):
    """A connection that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, event: JsonObject) -> None:
        await self.open.wait()
        await super().send(event)


@virtual
async def test_a_slow_connection_slows_the_microphone_down_and_loses_nothing() -> None:
    async with ScriptedServer() as server:
        blocked = BlockedTransport()
        server.attach(blocked)
        session = await scripted(server)
        blocked.open.clear()
        appended = 0

        async def microphone() -> None:
            nonlocal appended
            for _ in range(MAX_UNSENT_APPENDS + 50):
                await session.append(silence(20))
                appended += 1

        recording = asyncio.create_task(microphone())
        await asyncio.sleep(5)
        assert appended == MAX_UNSENT_APPENDS + 1
        blocked.open.set()
        await recording
        for _ in range(MAX_UNSENT_APPENDS + 50):
            await server.expect("input_audio_buffer.append")
        await session.close()


@virtual
async def test_who_waits_to_append_learns_that_the_session_is_over() -> None:
    async with ScriptedServer() as server:
        blocked = BlockedTransport()
        server.attach(blocked)
        session = await scripted(server)
        blocked.open.clear()
        for _ in range(MAX_UNSENT_APPENDS + 1):
            await session.append(silence(20))
        waiting = asyncio.create_task(session.append(silence(20)))
        await turns()
        await server.vanish()
        with pytest.raises(rt.SessionClosedError):
            await waiting
        await session.close()


# --- the end ---


@virtual
async def test_when_the_server_vanishes_everybody_who_waits_learns_it(tmp_path: Path) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(transport=server.transport, record=tmp_path)
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")

        async def read() -> None:
            async for _ in session:
                pass

        waiting: list[Awaitable[object]] = [
            session.wait_for("never"),
            session.settled(),
            session.speak(tone(20_000)),
            read(),
        ]
        tasks = [asyncio.ensure_future(work) for work in waiting]
        await asyncio.sleep(1)
        updating = asyncio.create_task(session.update(instructions="Be brief."))
        await asyncio.sleep(0)
        await server.vanish(1006)
        errors = await asyncio.gather(*tasks, updating, return_exceptions=True)
        assert [type(error) for error in errors] == [rt.SessionClosedError] * 5
        assert {getattr(error, "close_code", None) for error in errors} == {1006}
        assert session.closed
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: session.say("Hi"),
            lambda: session.append(silence(20)),
            lambda: session.send({"type": "response.create"}),
            lambda: session.update(instructions=""),
            lambda: session.wait_for("error"),
            lambda: session.interrupt(),
            lambda: session.speak(silence(20)),
        ]
        for call in calls:
            with pytest.raises(rt.SessionClosedError):
                await call()
        await session.close()
    recording = session.recording
    assert recording is not None
    loaded = rt.load(recording)
    written = json.loads((recording / "session.json").read_text())
    assert (written["complete"], written["close_code"]) == (True, 1006)
    assert ("user", "Talk") in loaded.conversation.transcript()


@virtual
async def test_a_normal_close_by_the_server_just_ends_the_events() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        await server.vanish(1000)
        assert [event.type async for event in session] == ["session.created", "session.updated"]
        with pytest.raises(rt.SessionClosedError):
            await session.say("Hi")
        await session.close()


@virtual
async def test_expiry_is_an_end_with_a_reason() -> None:
    async with MemoryServer(session_s=60) as server:
        session = await rt.connect(transport=server.transport)
        with pytest.raises(rt.SessionClosedError, match="maximum duration") as ended:
            await session.wait_for("never", timeout_s=100)
        assert ended.value.close_code == 1001
        await session.close()


@virtual
async def test_closing_leaves_no_task_and_may_be_done_twice() -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(transport=server.transport)
        speaking = asyncio.create_task(session.speak(tone(5_000)))
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")
        await asyncio.gather(session.close(), session.close())
        await session.close()
        with pytest.raises((rt.SessionClosedError, asyncio.CancelledError)):
            await speaking
        assert repr(session) == "<Session local ws://memory closed>"
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_what_was_said_last_still_leaves() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        await session.say("Bye")
        await session.close()
        await server.expect("conversation.item.create")
        await server.expect("response.create")


@virtual
async def test_a_body_that_raises_closes_the_session() -> None:
    async with MemoryServer() as server:
        with pytest.raises(ZeroDivisionError):
            async with rt.connect(transport=server.transport) as session:
                raise ZeroDivisionError
        assert session.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_body_that_is_cancelled_closes_the_session() -> None:
    opened: list[rt.Session] = []

    async def talk(server: MemoryServer) -> None:
        async with rt.connect(transport=server.transport) as session:
            opened.append(session)
            await session.speak(tone(60_000))

    async with MemoryServer() as server:
        talking = asyncio.create_task(talk(server))
        await asyncio.sleep(3)
        talking.cancel()
        await asyncio.sleep(0)
        talking.cancel()  # in the middle of closing
        with pytest.raises(asyncio.CancelledError):
            await talking
        assert opened[0].closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_opening_that_is_cancelled_leaves_nothing_open() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(rt.connect(transport=server.transport).__aenter__())
        await turns()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert asyncio.all_tasks() == {asyncio.current_task()}


class BrokenSpeaker(SimulatedSpeaker):
    def write(self, item_id: str, pcm: bytes) -> None:
        raise OSError("the device is gone")


@virtual
async def test_a_speaker_that_fails_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(
            transport=server.transport,
            speaker=lambda s: BrokenSpeaker(s.clock, s.speed, s.playback_report, s.audio_played),
        )
        await session.say("Talk")
        with pytest.raises(rt.RealtimeError, match="the device is gone"):
            await session.settled()
        await session.close()
    assert [record.name for record in caplog.records] == ["realtime_nb.driver"]


@virtual
async def test_a_speaker_that_cannot_be_made_leaves_nothing_open() -> None:
    def no_device(session: rt.Session) -> SimulatedSpeaker:
        raise OSError("no device")

    async with MemoryServer() as server:
        with pytest.raises(OSError, match="no device"):
            await rt.connect(transport=server.transport, speaker=no_device)
        with pytest.raises(rt.SessionClosedError):
            await server.transport.send({})
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_recording_that_fails_ends_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(transport=server.transport, record=tmp_path)

        def full(*args: object) -> None:
            raise rt.RecordingError("The disk is full. Make room.")

        await session.say("Talk")
        never: list[Awaitable[object]] = [session.wait_for("never"), session.settled(100)]
        waiting = [asyncio.ensure_future(work) for work in never]
        await asyncio.sleep(1)
        monkeypatch.setattr(session._driver.recorder, "event", full)
        for task in waiting:
            with pytest.raises(rt.RecordingError, match="Make room"):
                await task
        with pytest.raises(rt.RecordingError, match="Make room"):
            await session.say("Hi")
        with pytest.raises(rt.RecordingError, match="Make room"):
            async for _ in session:
                pass
        await session.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- recordings ---


@virtual
async def test_g711_is_recorded_on_one_axis_with_its_bytes(tmp_path: Path) -> None:
    formats: dict[str, Any] = {"input_format": "g711_alaw", "output_format": "g711_ulaw"}
    async with (
        MemoryServer(ScriptedLLM(["Good morning."])) as server,
        rt.connect(transport=server.transport, record=tmp_path, **formats) as session,
    ):
        await session.speak(tone(500))
        assert await session.settled()
        await session.close_microphone()
        assert session.conversation.errors == []
        input_ms = session.conversation.input_ms
    folder = session.recording
    assert folder is not None
    audio = {"input.wav": 0, "received.wav": 0}
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)["event"]
        for name in ("audio", "delta"):
            place = event.get(name)
            if isinstance(place, dict) and "file" in place:
                assert place["start"] == audio[place["file"]]
                assert place["samples"] == 3 * place["bytes"]
                audio[place["file"]] += place["samples"]
    assert audio["input.wav"] == input_ms * 24
    for name, samples in audio.items():
        with wave.open(str(folder / name)) as wav:
            assert wav.getnframes() == samples
    assert audio["received.wav"] == 24_000 // 2


@virtual
async def test_what_was_heard_is_recorded_where_it_was_heard(tmp_path: Path) -> None:
    async with (
        MemoryServer(ScriptedLLM(["Good morning to you."])) as server,
        rt.connect(transport=server.transport, record=tmp_path) as session,
    ):
        await asyncio.sleep(2)
        await session.say("Hi")
        assert await session.settled()
        began_s = session.conversation.in_order()[-1].played_s or 0
    assert session.recording is not None
    with wave.open(str(session.recording / "output.wav")) as wav:
        frames = wav.readframes(wav.getnframes())
    first = next(i for i in range(0, len(frames), 2) if frames[i : i + 2] != b"\0\0")
    assert abs(first / 48_000 - began_s) < 0.01
    assert abs(len(frames) / 48_000 - began_s - 1.0) < 0.01


# --- on sockets ---


def fake_server(**options: Any) -> LocalServer:
    defaults = {"port": 0, "token": "a-token", "pace": Pace(speed=20), "session_s": 60}
    return LocalServer(fake_engines(), **{"max_connections": 3, **defaults, **options})


async def test_a_wrong_token_is_a_failed_connection() -> None:
    async with fake_server() as server:
        with pytest.raises(rt.ConnectionFailedError, match="refused the session") as failed:
            await rt.connect(server.url, api_key="wrong-token")
        assert failed.value.code == "invalid_api_key"
        assert server.connections == 0


async def test_a_server_that_stops_ends_the_session(tmp_path: Path) -> None:
    async with fake_server() as server:
        session = await rt.connect(server.url, api_key=server.token, record=tmp_path)
        waiting = asyncio.create_task(session.wait_for("response.done"))
        await asyncio.sleep(0)
    with pytest.raises(rt.SessionClosedError) as ended:
        await waiting
    assert ended.value.close_code == 1001
    await session.close()


async def test_a_server_that_is_silent_is_not_realtime(monkeypatch: pytest.MonkeyPatch) -> None:
    import websockets.asyncio.server as ws

    async def silent(socket: ws.ServerConnection) -> None:
        await socket.wait_closed()

    monkeypatch.setattr(driver, "GREETING_TIMEOUT_S", 0.1)
    async with ws.serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(rt.ConnectionFailedError, match="Does it speak"):
            await rt.connect(f"ws://127.0.0.1:{port}/v1/realtime")


MARKER = "sk-marker-0123456789"


async def test_the_key_is_nowhere_but_in_the_handshake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with fake_server(token=MARKER) as server:
        endpoint = local(server.url, MARKER)
        async with rt.connect(endpoint, record=tmp_path) as session:
            await session.say("Hi")
            assert await session.settled()
            shown = [repr(session), repr(endpoint), repr(session.conversation)]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert MARKER.encode() not in written
    assert all(MARKER not in text for text in shown)
    assert MARKER not in caplog.text


async def test_the_key_is_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    import websockets.asyncio.server as ws

    async def echo(socket: ws.ServerConnection) -> None:
        assert socket.request is not None
        key = socket.request.headers["Authorization"]
        error = {"message": f"Wrong key {key} in {socket.request.path}", "code": "invalid_api_key"}
        await socket.send(json.dumps({"type": "error", "error": error}))
        await socket.close(3000, key[:100])

    caplog.set_level(logging.DEBUG, "realtime_nb")
    async with ws.serve(echo, "127.0.0.1", 0, logger=logging.getLogger("quiet")) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/realtime?key={MARKER}-in-url"
        with pytest.raises(rt.ConnectionFailedError) as failed:
            await rt.connect(url, api_key=MARKER)
    assert "Wrong key" in str(failed.value)
    assert MARKER not in str(failed.value)
    assert MARKER not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("realtime_nb")
    )


# --- the whole of it, with the real engines ---


async def test_a_conversation_with_the_local_server(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    began = time.monotonic()
    async with rt.connect("local", speed=6, record=tmp_path) as session:
        await session.play(DATA / "cards_001.wav")
        assert await session.settled()
        await session.update(input_format="g711_ulaw", output_format="g711_ulaw")
        await session.play(DATA / "cards_003.wav")
        assert await session.settled()
        assert session.conversation.errors == []
        texts = [text for role, text in session.conversation.transcript() if role == "user"]
        assert "clubs" in texts[0].lower()
        assert "seven" in texts[1].lower()
        url = session.endpoint.url
        assert session.clock() > time.monotonic() - began
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    left = [thread for thread in threading.enumerate() if thread not in threads]
    assert [thread.name for thread in left if not thread.name.startswith("asyncio_")] == []
    with pytest.raises(rt.ConnectionFailedError, match="Is the server running"):
        await open_websocket(local(url, "any"))
    assert session.recording is not None
    assert len(rt.load(session.recording).turns) == 2


class _Watcher:
    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[tuple[str, str]] = []
        self.captured_s: list[float | None] = []
        self.reports: list[PlaybackReport] = []
        self.tools: list[ToolReport] = []
        self._fails = fails

    def event(
        self,
        direction: str,
        raw: JsonObject,
        t_s: float,
        pcm: bytes | None,
        captured_s: float | None = None,
    ) -> None:
        self.seen.append((direction, str(raw["type"])))
        if raw["type"] == "input_audio_buffer.append":
            self.captured_s.append(captured_s)
        if self._fails:
            raise ValueError("an observer's own mistake")

    def playback(self, report: PlaybackReport) -> None:
        self.reports.append(report)

    def tool(self, report: ToolReport) -> None:
        self.tools.append(report)


async def test_observers_are_shown_what_crosses_the_wire_and_what_is_played() -> None:
    watcher = _Watcher()
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        session.observe(watcher)

        await session.append(bytes(960), captured_s=0.125)
        await session.append(bytes(960))
        await session.say("Hi")
        await session.settled()

    assert watcher.captured_s == [0.125, None]
    assert ("sent", "response.create") in watcher.seen
    assert ("received", "response.done") in watcher.seen
    assert [report.kind for report in watcher.reports] == ["started", "finished"]


async def test_an_observer_that_fails_is_dropped_and_the_session_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watcher = _Watcher(fails=True)
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        session.observe(watcher)

        await session.say("Hi")

        assert await session.settled()
    assert len(watcher.seen) == 1
    assert "shown nothing more" in caplog.text
