"""How long a silence ends a turn where nobody says: what a session asks for, and what that does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing import MemoryServer, ScriptedServer
from tests.paths import DATA
from tests.session.session_fakes import LONG_ANSWER, scripted
from tests.virtual import virtual

ASKED = {"type": "server_vad", "silence_duration_ms": 500}
"""What OpenAI documents as the default."""

OTHER = {"type": "server_vad", "silence_duration_ms": 200}
SEMANTIC = {"type": "semantic_vad"}


async def asked(server: ScriptedServer, **options: Any) -> JsonObject:
    """Returns what the server is told of the input's side when a session is opened."""
    opening = asyncio.create_task(rt.connect(transport=server.transport, **options).__aenter__())
    patch = await server.greet()
    await (await opening).close()
    told: JsonObject = patch.get("audio", {}).get("input", {})
    return told


# --- what is asked for ---


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ASKED),
        ({"turn_detection": rt.ServerVAD()}, ASKED),
        ({"turn_detection": rt.ServerVAD(threshold=0.7)}, ASKED | {"threshold": 0.7}),
        (
            {"turn_detection": {"type": "server_vad", "create_response": False}},
            ASKED | {"create_response": False},
        ),
        ({"turn_detection": rt.ServerVAD(silence_duration_ms=200)}, OTHER),
        (
            {"turn_detection": rt.ServerVAD(silence_duration_ms=0)},
            OTHER | {"silence_duration_ms": 0},
        ),
        ({"turn_detection": OTHER}, OTHER),
        ({"turn_detection": rt.SemanticVAD()}, SEMANTIC),
        ({"turn_detection": None}, None),
    ],
    ids=str,
)
@virtual
async def test_a_turn_detection_tells_its_silence(options: JsonObject, told: JsonObject) -> None:
    async with ScriptedServer() as server:
        assert (await asked(server, **options))["turn_detection"] == told


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ({"type": "realtime"}, ASKED),  # a server that tells nothing
        ({}, ASKED),
        ({"type": "realtime", "audio": {"input": {"turn_detection": OTHER}}}, ASKED),
        ({"type": "realtime", "audio": {"input": {"turn_detection": None}}}, "nothing"),
        ({"type": "realtime", "audio": {"input": {"turn_detection": SEMANTIC}}}, "nothing"),
        ({"type": "transcription", "audio": {"input": {"turn_detection": OTHER}}}, "nothing"),
    ],
    ids=str,
)
@virtual
async def test_a_server_that_ends_turns_otherwise_is_left_alone(
    session: JsonObject, told: object
) -> None:
    async with ScriptedServer() as server:
        server.session = session
        assert (await asked(server)).get("turn_detection", "nothing") == told


@virtual
async def test_a_change_of_something_else_keeps_the_silence() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        for detection, told in (
            (rt.ServerVAD(threshold=0.7), ASKED | {"threshold": 0.7}),
            (None, None),
            (rt.ServerVAD(), ASKED),
            (rt.ServerVAD(silence_duration_ms=200), OTHER),
        ):
            session.update(turn_detection=detection)
            update = await server.expect("session.update")
            assert update["session"]["audio"]["input"]["turn_detection"] == told
            await server.emit({"type": "session.updated", "session": update["session"]})
        session.update(instructions="Be brief.")
        assert "audio" not in (await server.expect("session.update"))["session"]
        await session.close()


@virtual
async def test_a_recording_is_served_as_it_was(tmp_path: Path) -> None:
    async with (
        MemoryServer(ScriptedLLM(["Hi."])) as server,
        rt.connect(transport=server.transport, record=tmp_path, turn_detection=OTHER) as session,
    ):
        await session.say("Hello")
        assert await session.settled()
    assert session.recording is not None

    async with rt.connect(rt.load(session.recording), record=tmp_path / "served") as served:
        served.say("Hello")
        assert await served.settled()
        assert (served.conversation.turn_detection or {})["silence_duration_ms"] == 200
    assert served.recording is not None
    sent = [one for one in rt.load(served.recording).raw_events() if one.direction == "sent"]
    assert next(one.event["type"] for one in sent) == "session.update"
    assert not any("turn_detection" in str(one.event) for one in sent)


# --- what it does to people ---


def paused(name: str, at_ms: int, pause_ms: int) -> bytes:
    """Somebody's words who hesitates: the room as it was before them, played at ``at_ms``."""
    words = load_audio(DATA / f"{name}.wav")
    room = np.resize(words[: 24 * 100], 24 * pause_ms)
    parts: list[Samples] = [words[: 24 * at_ms], room, words[24 * at_ms :]]
    return pcm_from_samples(np.concatenate(parts))


# He was not … an ill disposed young man. Four … queen of clubs. Eight of spades … four of clubs.
HESITATING = [("austen_0880", 1_100), ("cards_002", 800), ("cards_005", 2_225)]


def hearing_server() -> MemoryServer:
    """A server that hears words, and not only how loud they are."""
    server = MemoryServer(ScriptedLLM([LONG_ANSWER] * 9))
    server._engines = replace(server._engines, detector_for=lambda _: FrameDetector())
    return server


@pytest.mark.parametrize(("name", "at_ms"), HESITATING)
@pytest.mark.parametrize(
    ("options", "turns"), [({}, 1), ({"turn_detection": rt.ServerVAD(silence_duration_ms=200)}, 2)]
)
@virtual
async def test_a_sentence_with_a_pause_is_one_turn(
    name: str, at_ms: int, options: JsonObject, turns: int
) -> None:
    async with (
        hearing_server() as server,
        rt.connect(transport=server.transport, **options) as session,
    ):
        await session.speak(paused(name, at_ms, 300))
        assert await session.settled()
    assert len(session.conversation.speech) == turns
    cut_off = [item for item in session.conversation.in_order() if item.interrupted]
    assert len(cut_off) == turns - 1
