from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.commands.bench import pipelines
from realtime_nb.commands.cli import BENCHMARKS
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import Request, Text
from realtime_nb.testing import FakeSTT, FakeTTS
from tests.paths import DATA


class SlowLLM:
    """Says a sentence, and goes on for almost a second."""

    name = "slow"

    async def reply(self, request: Request) -> AsyncIterator[Text]:
        assert isinstance(request.max_output_tokens, int) or "story" in str(request.items)
        for _ in range(8):
            yield Text("We open at nine in the morning. ")
            await asyncio.sleep(0.1)


@pytest.mark.live
def test_figures_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = pipelines.run(
        turns=2,
        audio=[DATA / "cards_001.wav"],
        pipelines={"slow": SlowLLM(), "absent": "it is not installed."},
        cancels=1,
        stt=FakeSTT("ten of clubs"),
        tts=FakeTTS(word_ms=50),
    )

    assert figures["slow_turns"] == 2
    parts = ("vad", "stt_wait", "calls", "llm_first_token", "llm_sentence", "tts_first_audio")
    # Of two turns the median is the mean, so that the parts add up.
    whole_ms = sum(figures[f"slow_{part}_p50_ms"] for part in (*parts, "transport"))
    assert figures["slow_latency_p50_ms"] == pytest.approx(whole_ms, abs=1)
    assert figures["slow_vad_p50_ms"] > 200
    assert figures["slow_first_audio_early"] == 2
    assert 600 < figures["slow_llm_p50_ms"] < 2_000
    assert 0 < figures["slow_cancel_done_p50_ms"] < 1_000
    assert 0 < figures["slow_cancel_stopped_p50_ms"] < 1_000
    printed, progress = capsys.readouterr()
    assert progress.splitlines() == ["slow: turn 1 of 2", "slow: turn 2 of 2"]
    assert "2 spoken turns with each pipeline" in printed
    assert "absent is skipped: it is not installed." in printed
    assert "slow: fake, slow, fake; 2 turns answered" in printed


def test_nobody_to_talk_with_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    figures = pipelines.run(turns=1, pipelines={"absent": "it is not installed."})

    assert figures == {"turns": 1}
    assert "absent is skipped" in capsys.readouterr().out


def test_a_chat_server_is_chosen_where_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(pipelines.URL_VARIABLE, raising=False)
    chosen = pipelines.chosen_pipelines()
    assert list(chosen) == ["rules", "smollm2", "chat"]
    assert "OPENAI_BASE_URL" in str(chosen["chat"])

    monkeypatch.setenv(pipelines.URL_VARIABLE, "http://127.0.0.1:9/v1")
    monkeypatch.delenv(pipelines.MODEL_VARIABLE, raising=False)
    assert "OPENAI_MODEL" in str(pipelines.chosen_pipelines()["chat"])

    monkeypatch.setenv(pipelines.MODEL_VARIABLE, "some-model")
    assert getattr(pipelines.chosen_pipelines()["chat"], "name", None) == "some-model"


@pytest.mark.parametrize(("turns", "cancels"), [(0, 1), (1, -1)])
def test_impossible_numbers(turns: int, cancels: int) -> None:
    with pytest.raises(ConfigurationError, match="turns"):
        pipelines.run(turns=turns, cancels=cancels)


def test_the_words_of_the_turns_are_those_of_the_recordings() -> None:
    known = pipelines._shipped()

    assert [len(words.split()) for _, words in known] == [8, 9, 3, 3, 3]
    whole, *parts = (samples for samples, _ in known[1:])
    assert np.array_equal(np.concatenate(parts), whole)


def test_it_is_a_benchmark() -> None:
    assert "pipelines" in BENCHMARKS


def test_silence_is_no_turn(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(2_400), 24_000)

    figures = pipelines.run(
        turns=1,
        audio=[path],
        pipelines={"slow": SlowLLM()},
        cancels=0,
        stt=FakeSTT(),
        tts=FakeTTS(),
    )

    assert figures["slow_turns"] == 0
    assert math.isnan(figures["slow_latency_p50_ms"])
