from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio import vad
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.errors import AudioError
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans
from tests.paths import DATA


def test_speech_is_found_where_it_is() -> None:
    # The level of the clip jumps by 13 dB at 0.26 s.
    (turn,) = vad.find_speech(DATA / "austen_0880.wav", TurnSettings(prefix_padding_ms=100))
    assert turn.onset_ms == pytest.approx(260, abs=64)
    assert turn.audio_start_ms == turn.onset_ms - 100


def test_words_apart_become_turns_of_their_own() -> None:
    word = load_audio(DATA / "cards_001.wav")
    pause = np.zeros(24_000, np.float32)
    samples = np.concatenate([word, pause, word, pause])
    turns = vad.find_speech(samples)
    assert len(turns) == 2
    period_ms = (len(word) + len(pause)) / 24
    assert turns[1].onset_ms - turns[0].onset_ms == pytest.approx(period_ms, abs=64)
    # 1.4 s of pause and quiet edges of the clip do not end a turn that waits for 2 s.
    assert len(vad.find_speech(samples, TurnSettings(silence_duration_ms=2_000))) == 1


@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_the_end_of_speech_is_not_the_end_of_the_file(noise: float) -> None:
    """Wherever the file ends in the silence after the words, and whatever the window is."""
    word = load_audio(DATA / "cards_001.wav")
    rest = noise * np.random.default_rng(2).standard_normal(5 * 24_000)
    long = np.concatenate([word, rest]).astype(np.float32)
    (whole,) = vad.find_speech(long, TurnSettings(silence_duration_ms=200))
    assert whole.offset_ms < len(word) / 24 + 64 and not whole.cut
    probabilities = speech_probabilities(long)
    settings = [TurnSettings(silence_duration_ms=window) for window in (100, 200, 500, 1_000)]
    settings.append(TurnSettings(silence_duration_ms=5_000))
    for end in range(whole.offset_ms // 32, len(probabilities) + 1):
        for one, found in zip(
            settings, vad.sweep_turns(probabilities[:end], settings), strict=True
        ):
            (span,) = found
            assert (span.onset_ms, span.offset_ms) == (whole.onset_ms, whole.offset_ms)
            assert span.cut == (32 * end - span.offset_ms < one.silence_duration_ms)


def test_headerless_files_are_found_at_their_rate() -> None:
    (turn,) = vad.find_speech(DATA / "goforward.raw", raw_sample_rate=16_000)
    assert turn.audio_end_ms <= 89_160 / 2 / 16
    with pytest.raises(AudioError):
        vad.find_speech(DATA / "nothing.raw")


def test_silence_holds_no_speech() -> None:
    assert vad.find_speech(np.zeros(48_000, np.float32)) == []
    assert vad.find_speech(np.zeros(0, np.float32)) == []


@given(
    st.lists(st.sampled_from([0.0, 0.005, 0.2, 0.35, 0.4, 0.5, 0.9]), max_size=100),
    st.lists(
        st.builds(
            TurnSettings,
            threshold=st.sampled_from([0.0, 0.35, 0.5, 1.0]),
            silence_duration_ms=st.integers(0, 300),
            min_speech_ms=st.integers(0, 100),
        ),
        max_size=5,
    ),
    st.integers(0, 1_000),
)
def test_a_sweep_finds_what_single_runs_find(
    probabilities: list[float], many: list[TurnSettings], base_ms: int
) -> None:
    stored = np.array(probabilities, np.float32)
    expected = [find_speech_spans(stored, one, base_ms) for one in many]
    assert vad.sweep_turns(stored, many, base_ms) == expected
