from __future__ import annotations

import random

import numpy as np
import pytest

from realtime_nb.audio.pcm import decode, encode
from realtime_nb.protocol.pauses import FRAME_MS, UNKNOWN, Levels, Pause, VoicedTime, pauses_of
from realtime_nb.testing import silence, tone


def levels(pcm: bytes, cuts: int = 0) -> Levels:
    chooser, found = random.Random(cuts), Levels()
    places = sorted(chooser.randrange(len(pcm)) for _ in range(cuts))
    for start, end in zip([0, *places], [*places, len(pcm)], strict=True):
        found.add(pcm[start:end])
    return found


@pytest.mark.parametrize("cuts", [1, 7, 300])
def test_levels_do_not_depend_on_how_audio_was_cut(cuts: int) -> None:
    pcm = tone(333) + silence(127) + tone(41) + silence(9)
    assert levels(pcm, cuts) == levels(pcm)
    assert len(levels(pcm).peaks) == (333 + 127 + 41 + 9) // FRAME_MS


def test_pauses_are_where_silence_is() -> None:
    voice = silence(150) + tone(400) + silence(200) + tone(300) + silence(60) + tone(200)
    found = pauses_of(levels(voice + silence(100)).peaks)
    assert [(pause.start_ms, pause.end_ms) for pause in found] == [
        (0, 150),
        (550, 750),
        (1_310, 1_410),  # the 60 ms between are none
    ]
    assert found[1].length_ms == 200


@pytest.mark.parametrize("level", [0.05, 0.3, 0.95])
@pytest.mark.parametrize("noise", [0, 200])
def test_pauses_of_loud_and_low_voices_with_a_little_noise(level: float, noise: int) -> None:
    pcm = tone(500, level=level) + silence(200) + tone(500, level=level)
    samples = np.frombuffer(pcm, "<i2") + np.random.default_rng(1).integers(
        -noise, noise + 1, 28_800
    )
    found = pauses_of(levels(samples.astype("<i2").tobytes()).peaks)
    assert [(pause.start_ms, pause.end_ms) for pause in found] == [(500, 700)]


def test_silence_is_a_pause_and_what_is_too_faint_or_unknown_is_none() -> None:
    assert pauses_of(levels(silence(500)).peaks) == [Pause(0, 500)]
    assert pauses_of(levels(tone(300, level=0.01) + silence(300)).peaks) == []
    assert pauses_of([]) == []
    lost = levels(tone(100))
    lost.skip(300)
    assert list(lost.peaks[-30:]) == [UNKNOWN] * 30
    assert pauses_of(lost.peaks) == []


@pytest.mark.parametrize("audio_format", ["audio/pcmu", "audio/pcma"])
def test_levels_of_g711_are_those_of_what_it_stands_for(audio_format: str) -> None:
    codes = bytes(range(256))
    told = Levels()
    told.add_payload(b"".join(bytes([code]) * 80 for code in codes), {"type": audio_format})
    samples = np.frombuffer(decode(audio_format, codes), "<i2").astype(int)
    assert list(told.peaks) == [min(s >> 8 & 255, 255 - (s >> 8 & 255)) for s in np.abs(samples)]
    pieces = Levels()
    payload = encode(audio_format, tone(300, sample_rate=8_000) + silence(200, sample_rate=8_000))
    for start in range(0, len(payload), 33):
        pieces.add_payload(payload[start : start + 33], {"type": audio_format})
    assert pauses_of(pieces.peaks) == [Pause(300, 500)]


def test_pcm_payloads_are_pcm() -> None:
    told = Levels()
    told.add_payload(tone(100), {"type": "audio/pcm"})
    assert told == levels(tone(100))


def test_time_without_pauses_and_back() -> None:
    time = VoicedTime([Pause(0, 100), Pause(500, 700), Pause(900, 1_000)])
    assert [time.voiced(ms) for ms in (0, 50, 100, 300, 500, 600, 700, 800, 1_200)] == [
        *(0, 0, 0, 200, 400, 400, 400, 500, 800),
    ]
    assert [time.end(ms) for ms in (200, 400, 500, 800)] == [300, 500, 800, 1_200]
    assert [time.start(ms) for ms in (0, 200, 400, 500, 800)] == [100, 300, 700, 800, 1_200]
    assert VoicedTime([]).voiced(70) == VoicedTime([]).end(70) == VoicedTime([]).start(70) == 70
