from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.text import Text

import realtime_nb as rt
from realtime_nb.testing import MemoryServer, run_on_virtual_clock
from tests.paths import DATA


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rt.Recording:
    folder = tmp_path_factory.mktemp("recordings")

    async def talk() -> Path:
        async with (
            MemoryServer(stages=True) as server,
            rt.connect(transport=server.transport, record=folder) as session,
        ):
            await session.play(DATA / "cards_001.wav")
            await session.settled()
        assert session.recording is not None
        return session.recording

    return rt.load(run_on_virtual_clock(talk()))


def test_the_waterfall_shows_the_stages_that_the_server_told(recording: rt.Recording) -> None:
    ax = recording.plot_waterfall(stages=True)
    legend = ax.get_legend()

    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    assert named[0] == "vad"
    assert named[-1] == "transport"
    assert any(" ms" in text.get_text() for text in ax.findobj(Text))


def test_stages_are_a_table_like_all_others(recording: rt.Recording, tmp_path: Path) -> None:
    (row,) = recording.stages.to_dict("records")

    assert (row["stt"], row["llm"], row["tts"]) == ("fake", "scripted", "fake")
    assert row["transport_ms"] >= 0
    (file,) = recording.to_csv(tmp_path, ["stages"])
    assert file.read_text().startswith("turn,latency_ms,vad_ms")
    assert len(rt.Recordings([recording.path]).stages) == 1


def test_a_served_recording_tells_the_same_stages_again(
    recording: rt.Recording, tmp_path: Path
) -> None:
    async def again() -> Path:
        async with rt.connect(recording, record=tmp_path) as session:
            await session.play(DATA / "cards_001.wav")
            await session.settled()
        assert session.recording is not None
        return session.recording

    other = rt.load(run_on_virtual_clock(again()))

    same = ["stt_wait_ms", "llm_first_token_ms", "tts_first_audio_ms", "tts_characters"]
    assert other.stages[same].equals(recording.stages[same])
