"""The same words under other settings: what the server takes for their end moves, latency not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.recordings.recording import Recording
from realtime_nb.recordings.replay import replay
from realtime_nb.testing import MemoryServer
from tests.paths import DATA
from tests.virtual import virtual

CARDS = [load_audio(DATA / f"cards_00{number}.wav") for number in (1, 2, 3)]
ENDS_MS = [945, 1_690, 1_245]
"""Where their words end, read off the curve of their level."""


def hearing_server() -> MemoryServer:
    """A server that hears words, and not only how loud they are."""
    server = MemoryServer(ScriptedLLM(["Yes."] * 9))
    server._engines = replace(server._engines, detector_for=lambda _: FrameDetector())
    return server


async def told(folder: Path) -> Recording:
    """Somebody reads three cards, each after the answer to the one before."""
    async with (
        hearing_server() as server,
        rt.connect(transport=server.transport, record=folder) as session,
    ):
        for card in CARDS:
            quiet = np.zeros(24 * 600, np.float32)
            await session.speak(pcm_from_samples(np.concatenate([quiet, card, quiet])))
            assert await session.settled()
    assert session.recording is not None
    return rt.load(session.recording)


@virtual
async def test_the_end_does_not_move_with_the_threshold(tmp_path: Path) -> None:
    first = await told(tmp_path)
    again = []
    for threshold in (0.2, 0.5, 0.8):
        detection = {"type": "server_vad", "threshold": threshold, "silence_duration_ms": 200}
        async with hearing_server() as server:
            again.append(
                await replay(
                    first, transport=server.transport, record=tmp_path, turn_detection=detection
                )
            )
    ends = np.array([rec.turns.offset_ms.tolist() for rec in again])
    servers = np.array([rec.turns.server_offset_ms.tolist() for rec in again])
    assert ends.shape == (3, 3)

    assert (np.ptp(ends, axis=0) <= 10).all()
    assert (np.ptp(servers, axis=0) > 30).any()  # which is what it was measured from before
    sent = pcm_from_samples(first.input)
    begun_ms = [sent.find(pcm_from_samples(card)) / 48 for card in CARDS]
    assert ends[0] - begun_ms == pytest.approx(ENDS_MS, abs=35)
    for rec in again:
        assert rec.latency.speech_end_source.tolist() == ["offline_vad"] * 3
        assert rec.latency.speech_end_s.tolist() == pytest.approx(
            [rec.input_clock.wall(end_ms) for end_ms in rec.turns.offset_ms]
        )


@pytest.mark.parametrize(
    ("recorded", "again", "asked_ms"),
    [
        (rt.ServerVAD(silence_duration_ms=200), {}, 200),
        (rt.ServerVAD(silence_duration_ms=700), {}, 700),
        (rt.ServerVAD(), {}, 500),
        (rt.ServerVAD(silence_duration_ms=200), {"turn_detection": rt.ServerVAD()}, 500),
        (None, {}, None),
    ],
    ids=str,
)
@virtual
async def test_a_replay_asks_for_the_silence_that_was_recorded(
    tmp_path: Path, recorded: Any, again: dict[str, Any], asked_ms: int | None
) -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport, record=tmp_path, turn_detection=recorded) as session,
    ):
        await session.say("Hello?")
        assert await session.settled()
    assert session.recording is not None
    async with MemoryServer(ScriptedLLM(["Yes."])) as server:
        rec = await replay(
            rt.load(session.recording), transport=server.transport, record=tmp_path, **again
        )
    detection = rec.conversation.turn_detection
    assert (detection and detection["silence_duration_ms"]) == asked_ms


@virtual
async def test_a_silence_that_a_log_does_not_tell_is_that_of_servers(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    side = {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.6}}}
    content = [{"type": "input_text", "text": "Hi."}]
    events = [
        {"type": "session.created", "session": {"id": "s", "type": "realtime", "audio": side}},
        {
            "type": "conversation.item.create",
            "event_id": "e",
            "item": {"id": "i", "type": "message", "role": "user", "content": content},
        },
    ]
    log.write_text("\n".join(json.dumps(event) for event in events))
    async with MemoryServer(ScriptedLLM(["Yes."])) as server:
        rec = await replay(rt.load(log), transport=server.transport, record=tmp_path / "again")
    detection = rec.conversation.turn_detection or {}
    assert (detection["threshold"], detection["silence_duration_ms"]) == (0.6, 200)


@virtual
async def test_a_file_is_asked_for_as_by_anybody(tmp_path: Path) -> None:
    async with hearing_server() as server:
        rec = await replay(
            rt.load(DATA / "cards_001.wav"), transport=server.transport, record=tmp_path
        )
    assert (rec.conversation.turn_detection or {})["silence_duration_ms"] == 500
