"""What a session's recording holds of its audio, its functions and what a person noted."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.testing import MemoryServer, ScriptedServer, silence, tone
from tests.session.session_fakes import scripted
from tests.virtual import virtual

# --- audio ---


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
    assert [(line.t_s, line.captured_s) for line in appends] == [(1.0, 0.9), (2.0, None)]


@pytest.mark.feature("µ-law and A-law", "client")
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


# --- functions ---


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


@virtual
async def test_how_far_a_function_was_is_recorded_and_read_back(tmp_path: Path) -> None:
    @rt.tool
    async def search() -> AsyncIterator[str]:
        """Searches."""
        for page in ("page 1", "page 2\n<b>", "page 3"):
            yield page
            await asyncio.sleep(0.5)

    async with (
        MemoryServer(ScriptedLLM([Call("search", "{}", "call_1"), "Found."])) as server,
        rt.connect(transport=server.transport, tools=[search], record=tmp_path) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
    assert session.recording is not None

    lines = [
        json.loads(line) for line in (session.recording / "tools.jsonl").read_text().splitlines()
    ]
    told = [(line["kind"], line.get("progress")) for line in lines]
    assert told == [
        ("started", None),
        *[("progress", page) for page in ("page 1", "page 2\n<b>", "page 3")],
        ("ended", None),
    ]
    assert lines[2]["t"] - lines[1]["t"] == pytest.approx(0.5)
    call = rt.load(session.recording).conversation.calls["call_1"]
    assert (call.progress, call.output) == ("page 3", "page 3")
    assert call.progress == session.conversation.calls["call_1"].progress


@virtual
async def test_calls_that_the_end_of_the_session_drops_are_told_to_nobody(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @rt.tool(filler="One moment.", filler_after_s=2.0)
    async def hang(call: rt.ToolCall) -> str:
        """Hang."""
        call.progress("waiting")
        gate.set()
        await asyncio.Event().wait()
        return "never"

    async with (
        MemoryServer(ScriptedLLM([[Call("hang", "{}", f"call_{n}") for n in (1, 2)]])) as server,
        rt.connect(transport=server.transport, tools=[hang], record=tmp_path) as session,
    ):
        await session.say("Do it")
        await gate.wait()
        await asyncio.sleep(1)
    assert session.recording is not None

    rec = rt.load(session.recording)
    assert rec.complete
    assert list(rec.calls.outcome) == ["orphan", "orphan"]
    assert list(rec.calls.run_outcome) == ["cancelled", "cancelled"]
    assert [call.progress for call in rec.conversation.calls.values()] == ["waiting", "waiting"]
    lines = (session.recording / "events.jsonl").read_text().splitlines()
    assert not [line for line in lines if '"function_call_output"' in line]
    assert "orphan-call" in {finding.id for finding in rec.findings()}


# --- notes ---


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
