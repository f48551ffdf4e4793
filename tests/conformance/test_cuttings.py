"""What the server hears does not depend on how the audio is cut into appends.

The speech events of the server's core, with the real detector, are those of the state machine run
over the whole recording, and the turns' audio is cut out at those very positions.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.pcm import samples_from_pcm, ulaw_decode, ulaw_encode
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans
from tests.conformance.listening import PCM, Event, Listener, Positions, cuttings, recording, vad
from tests.paths import DATA
from tests.tried import tried

SHORT = ["cards_001.wav", "cards_003.wav"]
ALL = [path.name for path in sorted(DATA.glob("*.wav"))]


def expected(probabilities: Any, settings: TurnSettings) -> Positions:
    return [(t.audio_start_ms, t.audio_end_ms) for t in find_speech_spans(probabilities, settings)]


SETTINGS = [
    TurnSettings(),
    TurnSettings(silence_duration_ms=500),
    TurnSettings(threshold=0.8, prefix_padding_ms=0, silence_duration_ms=64),
]


def check(payload: bytes, cuts: list[int], form: Event, settings: TurnSettings) -> Listener:
    listener = Listener(form, vad(settings))
    for start, end in pairwise(cuts):
        listener.append(payload[start:end])
    return listener


def test_a_thousand_cuttings() -> None:
    payload = recording(SHORT)
    probabilities = speech_probabilities(samples_from_pcm(payload))
    wanted = [expected(probabilities, settings) for settings in SETTINGS]
    assert [len(turns) for turns in wanted] == [2, 2, 2]
    assert len(set(map(str, wanted))) == 3
    rng = random.Random(20_261)
    for number in range(tried(1_000, in_ci=150)):
        settings = number % len(SETTINGS)
        cuts = cuttings(len(payload), rng)
        listener = check(payload, cuts, PCM, SETTINGS[settings])
        assert listener.turns == wanted[settings], cuts
        if number % 50 == 0:
            slices = [payload[start * 48 : end * 48] for start, end in wanted[settings]]
            assert listener.audio_of_turns() == slices


@pytest.mark.parametrize("seed", range(5))
def test_all_clips_in_one_session(seed: int) -> None:
    payload = recording(ALL)
    wanted = expected(speech_probabilities(samples_from_pcm(payload)), SETTINGS[1])
    assert len(wanted) >= len(ALL) - 3
    cuts = cuttings(len(payload), random.Random(seed))
    listener = check(payload, cuts, PCM, SETTINGS[1])
    assert listener.turns == wanted
    assert listener.audio_of_turns() == [payload[s * 48 : e * 48] for s, e in wanted]


@pytest.mark.parametrize("seed", range(5))
def test_the_telephone(seed: int) -> None:
    payload = ulaw_encode(recording(SHORT, 8_000))
    heard = samples_from_pcm(ulaw_decode(payload))
    wanted = expected(speech_probabilities(heard, 8_000), SETTINGS[1])
    assert len(wanted) == 2
    cuts = cuttings(len(payload), random.Random(seed))
    listener = check(payload, cuts, {"type": "audio/pcmu"}, SETTINGS[1])
    assert listener.turns == wanted
    assert listener.audio_of_turns() == [payload[s * 8 : e * 8] for s, e in wanted]


def test_one_byte_at_a_time() -> None:
    payload = recording(SHORT[:1])
    wanted = expected(speech_probabilities(samples_from_pcm(payload)), SETTINGS[0])
    assert len(wanted) == 1
    listener = check(payload, list(range(len(payload) + 1)), PCM, SETTINGS[0])
    assert listener.turns == wanted
