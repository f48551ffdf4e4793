"""``semantic_vad`` on the local server: the turn model beside the loop, and what it hears."""

from __future__ import annotations

import asyncio
import logging
import threading

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.audio.turn_model import NO_TURN_MODEL, SpokenAudio, turn_model
from realtime_nb.local import connection
from realtime_nb.local.engines import Engines
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.protocol.semantic_turns import find_semantic_spans, semantic_settings
from realtime_nb.testing import silence, tone
from tests.local.connections import session
from tests.local.fake_engines import WatchedSTT, WatchedTTS, WatchedTurnModel, fake_server
from tests.local.raw_client import Event, RawClient, joined, turn
from tests.paths import DATA

STOPPED = "input_audio_buffer.speech_stopped"


def semantic(eagerness: str = "auto") -> Event:
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    return {"audio": {"input": {"turn_detection": detection}}}


async def test_the_model_ends_the_turn_on_a_thread_of_its_own() -> None:
    model = WatchedTurnModel(0.9)
    async with session(turn_model=model) as client:
        await client.update(**semantic())
        await client.append(turn())
        stopped = await client.until(STOPPED)
        await client.until("response.done")
    assert stopped["audio_end_ms"] % 32 == 0
    assert stopped["audio_end_ms"] == 512 + 224  # the last loud frame ends at 512
    assert len(model.calls) == 1
    assert all("judging" in name for name in model.threads)


async def test_while_a_model_ponders_other_sessions_talk() -> None:
    gate = threading.Event()
    model = WatchedTurnModel(0.9, gate)
    async with fake_server(turn_model=model) as server, joined(server) as slow:
        await slow.update(**semantic())
        await slow.append(turn())
        assert await asyncio.to_thread(model.called.wait, 20)
        async with joined(server) as other:
            await other.append(turn())
            await other.until("response.done")
        assert STOPPED not in slow.kinds
        gate.set()
        await slow.until("response.done")


async def test_what_the_client_says_next_comes_after_the_decision() -> None:
    gate = threading.Event()
    async with session(turn_model=WatchedTurnModel(0.9, gate)) as client:
        await client.update(**semantic())
        await client.append(turn())
        await client.append(tone(300))
        await client.send("input_audio_buffer.commit")
        asyncio.get_running_loop().call_later(0.05, gate.set)
        await client.until("input_audio_buffer.committed", times=2)
    told = [kind for kind in client.kinds if kind.startswith("input_audio_buffer.")]
    assert told == [
        f"input_audio_buffer.{e}"
        for e in ("speech_started", "speech_stopped", "committed", "speech_started", "committed")
    ]


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_model_that_is_no_use_leaves_the_longest_wait(
    how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(audio: bytes) -> float:
        raise RuntimeError("out of order")

    gate = threading.Event()
    model = WatchedTurnModel(fails) if how == "fails" else WatchedTurnModel(0.9, gate)
    monkeypatch.setattr(connection, "JUDGING_S", 0.05)
    async with session(turn_model=model) as client:
        await client.update(**semantic("high"))
        await client.append(turn(pause_ms=2_500))
        stopped = await client.until(STOPPED)
        gate.set()
        await client.until("response.done")
    assert stopped["audio_end_ms"] == 512 + 2_016
    assert "The turn model failed" in caplog.text


async def test_superseded_questions_are_not_asked() -> None:
    gate = threading.Event()
    model = WatchedTurnModel(0.0, gate)
    async with session(turn_model=model) as client:
        await client.update(**semantic())
        await client.append(silence(100) + 20 * (tone(300) + silence(192)))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        gate.set()
        await client.ask()
    assert len(model.calls) <= 2  # that which ran when the others came, and the last one


async def test_the_log_says_once_where_there_is_no_model(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with session() as client:
        await client.update(audio={"input": {"turn_detection": None}})
        assert NO_TURN_MODEL not in caplog.text
        for eagerness in ("low", "high"):
            await client.update(**semantic(eagerness))
    assert caplog.text.count(NO_TURN_MODEL) == 1


# --- the real model, on a real voice ---


def said() -> bytes:
    """“Unless to be rather cold hearted and rather selfish”, a breath, “is to be ill disposed”."""
    samples = load_audio(DATA / "austen_0890.wav")
    before, after = samples[: 3_887 * 24], samples[3_887 * 24 :]
    breath = np.zeros(400 * 24, np.float32)
    return pcm_from_samples(np.concatenate([before, breath, after])) + silence(4_500)


def real_server() -> LocalServer:
    engines = Engines(
        stt=WatchedSTT(),
        llm=ScriptedLLM(["Yes."] * 9),
        tts=WatchedTTS(),
        detector_for=lambda audio_format: FrameDetector(audio_format["type"]),
        turn_model=turn_model(),
    )
    pace = SpeechPace(speed=100.0)
    return LocalServer(
        engines, port=0, token="a-token", pace=pace, session_s=600.0, max_connections=9
    )


async def talk(client: RawClient, audio: bytes, piece_ms: int) -> list[tuple[int, int]]:
    """Says it; the turns that were heard."""
    size = piece_ms * SAMPLE_RATE * 2 // 1000
    for start in range(0, len(audio), size):
        await client.append(audio[start : start + size])
    await client.update()
    ends = [event["audio_end_ms"] for event in client.of(STOPPED)]
    starts = [e["audio_start_ms"] for e in client.of("input_audio_buffer.speech_started")]
    return list(zip(starts, ends, strict=True))


async def test_a_breath_in_a_sentence_splits_it_for_server_vad_and_not_for_the_model() -> None:
    audio = said()
    async with real_server() as server:
        async with joined(server) as client:
            heard = await talk(client, audio, 100)
        assert len(heard) == 2
        found = {}
        for eagerness in ("low", "auto", "high"):
            async with joined(server) as client:
                await client.update(**semantic(eagerness))
                found[eagerness] = await talk(client, audio, 100)
        async with joined(server) as client:  # cut otherwise, it is the same
            await client.update(**semantic())
            assert await talk(client, audio, 1_700) == found["auto"]
    assert len(found["auto"]) == 1
    samples = (np.frombuffer(audio, "<i2") / 32_768).astype(np.float32)
    spoken = SpokenAudio(samples, turn_model())  # type: ignore[arg-type]
    probabilities = speech_probabilities(samples).tolist()
    for eagerness, turns in found.items():
        spans, _ = find_semantic_spans(
            probabilities, semantic_settings(eagerness), spoken.completeness
        )
        assert turns == [(span.audio_start_ms, span.audio_end_ms) for span in spans]
