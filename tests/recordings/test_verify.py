"""A server's turns beside those of the emulator, over the audio of a recording."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.turn_model import turn_model
from realtime_nb.audio.vad import find_speech
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.recordings.verify import Verification, verify
from realtime_nb.testing import MemoryServer, tone
from tests.paths import DATA
from tests.recordings.replayed import Record, push_to_talk
from tests.virtual import virtual

CARDS = DATA / "cards_001.wav"


def hearing_server() -> MemoryServer:
    """A server that hears words, and not only how loud they are."""
    server = MemoryServer()
    server._engines = replace(
        server._engines,
        detector_for=lambda form: FrameDetector(form["type"]),
        turn_model=turn_model(),
    )
    return server


async def verified(source: Any, config: Any = None, **options: Any) -> Verification:
    async with hearing_server() as server:
        conversation = server.conversation
        found = await verify(source, config, transport=server.transport, **options)
        assert conversation.responses == {}
        return found


def joined(folder: Path, *names: str) -> Path:
    """Clips with half a second between them, and no silence at the end."""
    pause = np.zeros(12_000, np.float32)
    clips = [part for name in names for part in (pause, load_audio(DATA / f"{name}.wav"))]
    path = folder / "joined.wav"
    soundfile.write(path, np.concatenate(clips), 24_000)
    return path


@pytest.mark.parametrize(
    ("config", "turns"),
    [
        (rt.ServerVAD(silence_duration_ms=200), 3),
        (rt.ServerVAD(silence_duration_ms=2_000), 1),
        ({"type": "server_vad", "threshold": 0.8, "prefix_padding_ms": 0}, None),
    ],
    ids=str,
)
@virtual
async def test_on_the_local_server_every_turn_agrees(
    tmp_path: Path, config: Any, turns: int | None
) -> None:
    path = joined(tmp_path, "cards_001", "cards_002", "cards_003")
    found = await verified(path, config)
    agreed = found.agreement
    assert (found.percent, agreed.offset_ms) == (100, 0)
    assert [agreed.start_p95_ms, agreed.end_p95_ms] == [0, 0]
    assert found.notes == ()
    assert turns in (None, len(agreed.turns))
    told = found.turn_detection
    settings = TurnSettings(
        told["threshold"], told["prefix_padding_ms"], told["silence_duration_ms"]
    )
    pause = np.zeros(24 * 2_400, np.float32)
    spans = find_speech(np.concatenate([load_audio(path), pause]), settings)
    assert [(turn.server_start_ms, turn.server_end_ms) for turn in agreed.turns] == [
        (span.audio_start_ms, span.audio_end_ms) for span in spans
    ]


@virtual
async def test_every_recording_that_the_tests_have() -> None:
    for path in [*sorted(DATA.glob("*.wav")), DATA / "written_before"]:
        found = await verified(path)
        assert found.percent == 100, path
        assert set(found.table.start_difference_ms) | set(found.table.end_difference_ms) == {0}
    assert found.turn_detection["threshold"] == 0.6  # as it was recorded


@pytest.mark.parametrize("form", ["g711_ulaw", "g711_alaw"])
@virtual
async def test_the_emulator_hears_the_bytes_that_were_sent(tmp_path: Path, form: str) -> None:
    path = joined(tmp_path, "austen_0880", "cards_005")
    found = await verified(path, rt.ServerVAD(silence_duration_ms=200), input_format=form)
    assert len(found.agreement.turns) >= 2
    assert (found.percent, found.agreement.end_p95_ms) == (100, 0)


@pytest.mark.parametrize("form", [None, "g711_ulaw"])
@pytest.mark.parametrize("eagerness", ["high", "low"])
async def test_where_the_same_model_runs_semantic_turns_agree_to_the_millisecond(
    tmp_path: Path, eagerness: Any, form: str | None
) -> None:
    pytest.importorskip("onnxruntime")
    path = joined(tmp_path, "cards_001", "cards_002", "cards_003")
    found = await verified(path, rt.SemanticVAD(eagerness=eagerness), input_format=form)
    agreed = found.agreement
    assert (found.percent, agreed.start_p95_ms, agreed.end_p95_ms) == (100, 0, 0)
    assert found.table.emulator_end_ms.notna().all()
    assert found.notes == ()


@pytest.mark.parametrize("eagerness", ["high", "low"])
@virtual
async def test_where_the_model_is_not_here_beginnings_are_compared(
    tmp_path: Path, eagerness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_nb.recordings.verify.turn_model", lambda: None)
    path = joined(tmp_path, "cards_001", "cards_002", "cards_003")
    found = await verified(path, rt.SemanticVAD(eagerness=eagerness))
    assert (found.percent, found.agreement.start_p95_ms) == (100, 0)
    assert math.isnan(found.agreement.end_p50_ms)
    assert found.table.emulator_end_ms.isna().all() and found.table.server_end_ms.notna().all()
    assert found.notes[0].startswith("semantic_vad ends turns by what was said")


@virtual
async def test_a_server_that_hears_otherwise(tmp_path: Path) -> None:
    """This one takes whatever is loud for speech: a tone, too, which the emulator does not."""
    beep = np.frombuffer(tone(600), "<i2") / 32_768
    pause = np.zeros(24_000)
    path = tmp_path / "beep.wav"
    soundfile.write(path, np.concatenate([beep, pause, load_audio(CARDS)]), 24_000)
    async with MemoryServer() as server:
        found = await verify(
            path, rt.ServerVAD(silence_duration_ms=300), transport=server.transport
        )
    assert next(turn.heard_by for turn in found.agreement.turns) == "server"
    assert found.percent < 100
    assert "1 heard by the server only" in repr(found)


@virtual
async def test_it_can_be_recorded_and_says_what_it_is(tmp_path: Path) -> None:
    config = rt.ServerVAD(threshold=0.6, idle_timeout_ms=6_000)
    found = await verified(rt.load(CARDS), config, record=tmp_path)
    assert found.recording is not None
    again = rt.load(found.recording)
    assert again.conversation.turn_detection is not None
    assert again.conversation.turn_detection["create_response"] is False
    assert again.conversation.turn_detection["idle_timeout_ms"] is None
    assert again.input[: len(load_audio(CARDS))] == pytest.approx(load_audio(CARDS), abs=1e-4)
    shown = repr(found).splitlines()
    assert shown[0] == (
        "cards_001.wav at ws://memory: server_vad, threshold=0.6, prefix_padding_ms=300, "
        "silence_duration_ms=500"
    )
    assert shown[1].startswith("100 % agreement: 1 of 1 turns;")
    assert shown[-1] == "note: idle_timeout_ms is left out: it makes the server speak."
    assert found._repr_html_().count("<p>") == 3 and "<table" in found._repr_html_()


@virtual
async def test_other_servers_hear_it_at_the_pace_of_life() -> None:
    begun_s = asyncio.get_running_loop().time()
    found = await verified(CARDS, endpoint=rt.Endpoint("ws://elsewhere"))
    took_s = asyncio.get_running_loop().time() - begun_s
    assert found.percent == 100
    assert took_s == pytest.approx(len(load_audio(CARDS)) / 24_000 + 0.8, abs=0.15)


@virtual
async def test_silence_is_nothing_to_compare(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 24_000)
    found = await verified(tmp_path / "silence.wav")
    assert math.isnan(found.percent)
    assert "Neither the server nor the emulator heard speech" in repr(found)


@virtual
async def test_a_session_that_ends_early_is_told() -> None:
    async with hearing_server() as server:
        task = asyncio.create_task(
            verify(CARDS, transport=server.transport, endpoint=rt.Endpoint("ws://elsewhere"))
        )
        await asyncio.sleep(0.5)
        await server.vanish()
        with pytest.raises(rt.SessionClosedError):
            await task


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("local",), {}, "config is 'local'; give an rt.ServerVAD or an rt.SemanticVAD"),
        (({"type": "server_vad", "threshold": 2},), {}, "configured like that.*threshold"),
        (({"type": "loud"},), {}, "can't be configured like that"),
        ((), {"pace": 0}, "pace is 0; give a number greater than 0"),
        ((), {"timeout_s": math.nan}, "timeout_s is nan; give seconds"),
        ((), {"tolerance_ms": -1}, "tolerance_ms is -1; give milliseconds"),
        ((), {"engine": "ears"}, "ears"),
        ((), {"input_format": "mp3"}, "input_format must be one of"),
    ],
)
@virtual
async def test_what_can_not_be_meant_is_refused_before_anything_is_sent(
    arguments: tuple[Any, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(rt.ConfigurationError, match=words):
        await verify(CARDS, *arguments, **{"endpoint": "ws://127.0.0.1:9", **options})


def test_a_recording_without_turn_detection_needs_settings(record: Record) -> None:
    rec = record(lambda live: live.microphone(load_audio(CARDS), 1_000), push_to_talk())
    with pytest.raises(rt.ConfigurationError, match=r"recorded without turn detection.*ServerVAD"):
        asyncio.run(verify(rec))


def test_a_recording_without_audio_is_refused(record: Record) -> None:
    rec = record(lambda live: None)
    with pytest.raises(rt.ConfigurationError, match="There is no audio of a user in"):
        asyncio.run(verify(rec))
