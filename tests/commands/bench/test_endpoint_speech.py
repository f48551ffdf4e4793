from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench import endpoint_speech
from realtime_nb.commands.bench.endpoint_speech import (
    PROMPTS_VARIABLE,
    prompts_folder,
    reported,
    shipped,
    with_pause,
)
from tests.paths import DATA


def test_a_pause_lies_where_it_is_told_and_nothing_is_lost() -> None:
    first, second = shipped()
    assert (first.place_ms, second.place_ms) == (1_271, 2_188)
    said = with_pause(second, 500.0, np.random.default_rng(0))
    assert said.voice_end_ms == pytest.approx(300 + 3_316 + 500, abs=0.1)
    place = (300 + 2_188) * 24
    pause = said.samples[place : place + 500 * 24]
    assert np.sqrt(np.mean(pause**2)) < 0.02 * np.abs(said.samples).max()
    original = load_audio(DATA / "cards_005.wav")
    faded = 5 * 24
    before = said.samples[300 * 24 + faded : place - faded]
    assert np.array_equal(before, original[faded : 2_188 * 24 - faded])
    after = said.samples[place + 500 * 24 + faded :][: 1_000 * 24]
    assert np.array_equal(after, original[2_188 * 24 + faded :][: 1_000 * 24])
    assert len(said.samples) / 24 - said.voice_end_ms > 8_000  # the longest wait fits


def test_prompts_are_looked_for_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROMPTS_VARIABLE, str(tmp_path))
    assert prompts_folder() == tmp_path
    assert reported() == []
    (tmp_path / "agent-pass.wav").write_bytes((DATA / "cards_005.wav").read_bytes())
    (sentence,) = reported()
    assert (sentence.name, sentence.place_ms) == ("agent-pass.wav", 1_626)
    monkeypatch.delenv(PROMPTS_VARIABLE)
    assert prompts_folder().name == "en_US_f_Allison"


def test_every_place_lies_within_its_voice() -> None:
    for places in endpoint_speech._PROMPTS.values():
        inside = (*places.open_ms, *places.whole_ms)
        assert inside
        assert all(400 < place_ms < places.voice_end_ms - 400 for place_ms in inside)
