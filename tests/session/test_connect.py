"""Opening a session, and what remains of one that never began."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import FakeSTT, FakeTTS, MemoryServer, ScriptedServer
from tests.virtual import virtual

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
        ({"recrod": "x"}, "Did you mean 'record'"),
        ({"speed": 0}, "speed is 0; give a number greater than 0"),
        ({"pace": 0}, "pace is 0; give a number greater than 0"),
        ({"endpoint": "ws://127.0.0.1:9/v1/realtime", "speed": 2}, "local server only"),
        ({"endpoint": "ws://127.0.0.1:9/v1/realtime", "pace": 2}, "local server only"),
        ({"endpoint": "ws://127.0.0.1:9/v1/realtime", "lead_ms": 9}, "starts no local server"),
        ({"lead_ms": -1}, "lead_ms is -1; give milliseconds"),
        ({"lead_ms": "1 s"}, "lead_ms is '1 s'; give milliseconds"),
        ({"endpoint": "opnai"}, "Unknown endpoint 'opnai'"),
        ({"stt": "moonshin"}, "Unknown stt 'moonshin'.* Did you mean 'moonshine'"),
        ({"llm": 3}, r"llm is 3, which has no method reply\(\)"),
        ({"tts": "hibary"}, "Did you mean 'hibari'"),
        ({"vad": rt.ServerVAD()}, r"vad is ServerVAD\(.*; give a name.* turn_detection"),
        ({"endpoint": "ws://127.0.0.1:9/v1", "stt": "whisper"}, "stt is an engine of the local se"),
        ({"transport": object(), "llm": "rules"}, "llm is an engine .* Leave llm out"),
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


@pytest.mark.parametrize("option", ["pace", "speed"])
@virtual
async def test_the_pace_is_known_by_its_former_name_too(option: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"record": tmp_path, option: 4.0}
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, **options) as session,
    ):
        assert session.pace == session.speed == 4.0
    assert session.recording is not None
    assert rt.load(session.recording).header["speed"] == 4.0


async def test_several_faster_than_life_share_one_running_server() -> None:
    engines = {"stt": FakeSTT(), "llm": ScriptedLLM(["Yes.", "No."]), "tts": FakeTTS()}
    async with rt.serve(max_connections=2, speed=8, **engines) as server:  # type: ignore[arg-type]
        for said in ("Yes.", "No."):
            async with rt.connect(server, pace=8) as session:
                begun_s, begun_at_s = session.clock(), time.monotonic()
                await session.say("Hi?")
                assert await session.settled(timeout_s=400)
                assert session.conversation.transcript()[-1] == ("assistant", said)
                passed_s = time.monotonic() - begun_at_s
                assert session.clock() - begun_s == pytest.approx(8 * passed_s, rel=0.05)


@virtual
async def test_a_function_may_be_given_alone() -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, tools=look_up) as session,
    ):
        assert list(session.tools) == ["look_up"]
        await session.update(tools=rt.tool(look_up, name="find"))
        assert list(session.tools) == ["find"]
        assert [tool["name"] for tool in session.conversation.session["tools"]] == ["find"]


@pytest.mark.parametrize("tools", ["look_up", 3, None])
def test_what_are_no_tools_is_said(tools: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match=r"tools is .*; give functions, rt\.tool"):
        rt.connect("local", tools=tools)


# --- what remains ---


@virtual
async def test_a_server_that_says_nothing_leaves_no_recording(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        connecting = rt.connect(transport=server.transport, record=tmp_path / "recordings")
        opening = asyncio.create_task(connecting.__aenter__())
        await server.vanish(1011)
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(transport=server.transport, record=tmp_path).__aenter__()
        )
        await server.vanish(1011)
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_is_not_there_leaves_no_recording(tmp_path: Path) -> None:
    with pytest.raises(rt.ConnectionFailedError):
        await rt.connect("ws://127.0.0.1:9/v1/realtime", record=tmp_path / "recordings")

    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_refusal_that_was_received_is_kept(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(transport=server.transport, record=tmp_path).__aenter__()
        )
        await server.emit({"type": "error", "error": {"message": "No more sessions."}})
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    (recording,) = tmp_path.iterdir()
    assert rt.load(recording).conversation.errors[0].message == "No more sessions."


@virtual
async def test_the_transport_is_there_once_it_is_open() -> None:
    async with MemoryServer() as server:
        connection = rt.connect(transport=server.transport)
        async with connection:
            assert connection.transport is server.transport


async def test_the_local_server_is_started_with_the_engines_that_are_given() -> None:
    llm, tts = ScriptedLLM(["It is noon."]), FakeTTS(20)
    async with rt.connect("local", pace=20, stt=FakeSTT(), llm=llm, tts=tts) as session:
        await session.say("What time is it?")
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "It is noon.")
