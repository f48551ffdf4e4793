"""What the server hears does not depend on how the audio is cut into appends.

The speech events of the server's core, with the real detector, are those of the state machine run
over the whole recording, and the turns' audio is cut out at those very positions.
"""

from __future__ import annotations

import base64
import random
from itertools import pairwise
from typing import Any

import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm, ulaw_decode, ulaw_encode
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans
from realtime_nb.testing import CountingIds, silence
from tests.conformance.validate import validate
from tests.paths import DATA

SHORT = ["cards_001.wav", "cards_003.wav"]
ALL = [path.name for path in sorted(DATA.glob("*.wav"))]

Event = dict[str, Any]
Positions = list[tuple[int, int]]


def recording(names: list[str], sample_rate: int = 24_000) -> bytes:
    """Clips between silences, some of them short."""
    pcm = silence(250, sample_rate=sample_rate)
    for number, name in enumerate(names):
        pcm += pcm_from_samples(load_audio(DATA / name, sample_rate))
        pcm += silence((700, 210, 1_300)[number % 3], sample_rate=sample_rate)
    return pcm + silence(600, sample_rate=sample_rate)


def cuttings(length: int, rng: random.Random) -> list[int]:
    """Where to cut: into a few large, many small or very uneven pieces, at odd bytes as well."""
    style = rng.randrange(4)
    if style == 0:
        step = rng.choice([1_000, 960, 1_536, 4_801])
        inner = list(range(rng.randrange(1, step), length, step))
    elif style == 1:
        inner = rng.sample(range(1, length), rng.randrange(0, 12))
    elif style == 2:
        inner = rng.sample(range(1, length), rng.randrange(50, 300))
    else:
        burst = rng.randrange(1, length - 300)
        inner = [*range(burst, burst + 200), *rng.sample(range(1, length), 20)]
    return [0, *sorted(set(inner)), length]


class Listener:
    """A core that only listens."""

    def __init__(self, form: Event, detection: Event) -> None:
        self.core = ServerProtocol(
            model="local",
            new_id=CountingIds(),
            detector_for=lambda audio_format: FrameDetector(audio_format["type"]),
            expires_at=1_800_000_000,
        )
        self.events: list[Event] = []
        session = {
            "type": "realtime",
            "audio": {"input": {"format": form, "turn_detection": detection}},
        }
        self.send({"type": "session.update", "session": session})

    def send(self, event: Event) -> list[Event]:
        self.core.receive(event)
        events = self.core.events_to_send()
        self.core.jobs_to_run()
        self.events += events
        return events

    def append(self, payload: bytes) -> None:
        audio = base64.b64encode(payload).decode()
        for event in self.send({"type": "input_audio_buffer.append", "audio": audio}):
            validate(event)

    @property
    def turns(self) -> Positions:
        starts = [e["audio_start_ms"] for e in self.events if e["type"].endswith("speech_started")]
        ends = [e["audio_end_ms"] for e in self.events if e["type"].endswith("speech_stopped")]
        return list(zip(starts, ends, strict=True))

    def audio_of_turns(self) -> list[bytes]:
        ids = [e["item_id"] for e in self.events if e["type"] == "input_audio_buffer.committed"]
        retrieved = [
            self.send({"type": "conversation.item.retrieve", "item_id": item_id})[0]["item"]
            for item_id in ids
        ]
        return [base64.b64decode(item["content"][0]["audio"]) for item in retrieved]


def expected(probabilities: Any, settings: TurnSettings) -> Positions:
    return [(t.audio_start_ms, t.audio_end_ms) for t in find_speech_spans(probabilities, settings)]


def vad(settings: TurnSettings) -> Event:
    return {
        "type": "server_vad",
        "threshold": settings.threshold,
        "prefix_padding_ms": settings.prefix_padding_ms,
        "silence_duration_ms": settings.silence_duration_ms,
        "create_response": False,
    }


PCM = {"type": "audio/pcm", "rate": 24_000}
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
    for number in range(1_000):
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
