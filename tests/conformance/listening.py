"""A server's core that only listens, what it is told, and how that is cut."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import SpeechEngine
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.testing import CountingIds, silence
from tests.conformance.validate import validate
from tests.paths import DATA

__all__ = ["PCM", "Event", "Listener", "Positions", "cuttings", "recording", "vad"]

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
    """A core that only listens; each of its detectors has a new engine, Silero unless told."""

    def __init__(
        self, form: Event, detection: Event, engine: Callable[[], SpeechEngine] = SileroVAD
    ) -> None:
        self.core = ServerProtocol(
            model="local",
            new_id=CountingIds(),
            detector_for=lambda audio_format: FrameDetector(audio_format["type"], engine()),
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


def vad(settings: TurnSettings) -> Event:
    return {
        "type": "server_vad",
        "threshold": settings.threshold,
        "prefix_padding_ms": settings.prefix_padding_ms,
        "silence_duration_ms": settings.silence_duration_ms,
        "create_response": False,
    }


PCM = {"type": "audio/pcm", "rate": 24_000}
