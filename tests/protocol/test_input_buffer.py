from __future__ import annotations

import pytest

from realtime_nb.protocol.input_buffer import InputBuffer, turn_settings
from realtime_nb.protocol.turns import SpeechStart, SpeechStop
from realtime_nb.testing import LoudnessDetector, silence, tone

PCM = {"type": "audio/pcm", "rate": 24_000}
VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
}


def buffer(detection: dict[str, object] | None = None, base_ms: int = 0) -> InputBuffer:
    made = InputBuffer(PCM, LoudnessDetector, base_ms)
    made.configure(detection)
    return made


def heard(made: InputBuffer, audio: bytes) -> list[SpeechStart | SpeechStop]:
    return [event for event in made.append(audio) if event is not None]


def test_positions_count_from_the_first_byte_of_the_session() -> None:
    made = buffer(VAD, base_ms=5_000)
    start, stop = heard(made, silence(640) + tone(320) + silence(320))
    assert isinstance(start, SpeechStart)
    assert isinstance(stop, SpeechStop)
    assert start.audio_start_ms == 5_000 + 640 - 300
    assert stop.audio_end_ms == 5_000 + 960 + 224
    assert made.cut(5_640, 5_960) == tone(320)
    made.take_until(5_960)
    assert made.held_ms == 320
    assert made.cut(5_900, 6_000) == silence(40)  # what is gone is gone
    assert made.now_ms == 6_280


def test_without_detection_everything_is_kept() -> None:
    made = buffer()
    assert list(made.append(tone(60_000))) == []
    assert (made.held_ms, made.turn_ms, made.speaking) == (60_000, 60_000, False)
    assert made.take_all() == tone(60_000)
    assert made.held_ms == 0


@pytest.mark.parametrize("padding_ms", [300, 45_000])
def test_silence_is_kept_as_long_as_a_turn_may_reach_back(padding_ms: int) -> None:
    made = buffer({**VAD, "prefix_padding_ms": padding_ms})
    for _ in range(100):
        assert heard(made, silence(1_024)) == []
    kept_ms = max(32_000, padding_ms)
    assert kept_ms <= made.held_ms <= kept_ms + 2_000
    (start,) = heard(made, tone(320))
    assert isinstance(start, SpeechStart)
    turn_ms = made.now_ms - start.audio_start_ms
    assert made.turn_ms == turn_ms
    assert len(made.take_all()) == turn_ms * 48


def test_an_open_turn_is_never_forgotten() -> None:
    made = buffer(VAD)
    heard(made, tone(60_032))
    assert made.speaking
    assert made.take_all() == tone(60_032)
    assert not made.speaking


def test_turning_detection_off_and_on_forgets_the_turn_and_keeps_the_audio() -> None:
    made = buffer(VAD)
    heard(made, tone(640))
    made.configure(None)
    assert not made.speaking
    assert made.held_ms == 640
    made.configure(VAD)
    (start,) = heard(made, tone(64))
    assert isinstance(start, SpeechStart)
    assert start.audio_start_ms == 640


@pytest.mark.parametrize(
    ("eagerness", "longest_ms"),
    [("low", 8_000), ("medium", 4_000), ("auto", 4_000), ("high", 2_000)],
)
def test_semantic_vad_has_a_longest_wait(eagerness: str, longest_ms: int) -> None:
    settings = turn_settings({"type": "semantic_vad", "eagerness": eagerness})
    assert settings.silence_duration_ms == longest_ms
