"""Whatever happens to a session between two bytes of audio, its speech events are those of the
state machine over the whole of it, however the audio is cut.

Settings change, the client commits or clears, detection is turned off and on: at any byte, also in
the middle of a frame or of a sample.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import encode, pcm_from_samples
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import EnergyVAD, SpeechEngine
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.protocol.turns import SpeechStart, SpeechStop, TurnDetector, TurnSettings
from tests.conformance.listening import PCM, Event, Listener, cuttings, recording, vad

FORMATS: list[Event] = [PCM, {"type": "audio/pcmu"}, {"type": "audio/pcma"}]
Step = tuple[int, str, TurnSettings]
"""At which byte what happens: ``update``, ``commit``, ``clear`` or ``restart``."""
Told = list[tuple[str, int]]

SPEECH_EVENTS = {
    "input_audio_buffer.speech_started": "audio_start_ms",
    "input_audio_buffer.speech_stopped": "audio_end_ms",
}


def some_settings(rng: random.Random) -> TurnSettings:
    return TurnSettings(
        rng.choice([0.1, 0.5, 0.8]), rng.choice([0, 40, 300]), rng.choice([0, 64, 200, 500])
    )


def some_steps(rng: random.Random, length: int) -> list[Step]:
    kinds = ["update", "commit", "clear", "restart"]
    places = sorted(rng.randrange(1, length) for _ in range(rng.randrange(1, 7)))
    return [(at, rng.choice(kinds), some_settings(rng)) for at in places]


def wanted(
    payload: bytes,
    form: str,
    settings: TurnSettings,
    steps: list[Step],
    engine: Callable[[], SpeechEngine],
) -> tuple[Told, int]:
    """What the state machine tells, and how many commits are refused: one byte stream, steps
    between its frames, nothing of the server."""
    audio = wire_format(form)
    frame_bytes = 32 * audio.bytes_per_ms
    told: Told = []
    refused = 0
    begin, frames = 0, 0  # where the detector's first frame begins, and how many there were
    held_ms = 0.0  # up to where audio was committed or cleared
    probabilities = FrameDetector(form, engine()).push(payload)
    turns = TurnDetector(settings)
    for at, kind, changed in [*steps, (len(payload), "", settings)]:
        complete = max(0, (at - begin) // frame_bytes)
        for probability in probabilities[frames:complete]:
            match turns.step(probability):
                case SpeechStart(audio_start_ms=start_ms):
                    told.append(("input_audio_buffer.speech_started", start_ms))
                case SpeechStop(audio_end_ms=end_ms):
                    told.append(("input_audio_buffer.speech_stopped", end_ms))
                    held_ms = end_ms
        frames = complete
        whole_ms = (at - at % audio.bytes_per_sample) / audio.bytes_per_ms
        if kind == "update":
            turns.configure(changed)
        elif kind == "restart":
            begin, frames = at + at % audio.bytes_per_sample, 0
            probabilities = FrameDetector(form, engine()).push(payload[begin:])
            turns = TurnDetector(changed, base_ms=at // audio.bytes_per_ms)
        elif kind == "commit" and whole_ms - (turns.audio_start_ms or held_ms) < 100:
            refused += 1
        elif kind:
            turns.end_turn(at // audio.bytes_per_ms)
            held_ms = whole_ms
    return told, refused


def listened(
    payload: bytes,
    form: Event,
    settings: TurnSettings,
    steps: list[Step],
    cuts: list[int],
    engine: Callable[[], SpeechEngine],
) -> tuple[Told, int]:
    """What the server's core tells."""
    listener = Listener(form, vad(settings), engine)
    rest = list(steps)
    for start, end in pairwise(sorted({*cuts, *(at for at, *_ in steps)})):
        listener.append(payload[start:end])
        while rest and rest[0][0] == end:
            for event in events_of(rest.pop(0)):
                listener.send(event)
    errors = [event for event in listener.events if event["type"] == "error"]
    assert {event["error"]["code"] for event in errors} <= {"input_audio_buffer_commit_empty"}
    told = [
        (event["type"], event[SPEECH_EVENTS[event["type"]]])
        for event in listener.events
        if event["type"] in SPEECH_EVENTS
    ]
    return told, len(errors)


def events_of(step: Step) -> list[Event]:
    _, kind, settings = step
    if kind in ("commit", "clear"):
        return [{"type": f"input_audio_buffer.{kind}"}]
    detections: list[Any] = [vad(settings)] if kind == "update" else [None, vad(settings)]
    return [
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": detection}}},
        }
        for detection in detections
    ]


def loud_and_quiet(rng: np.random.Generator, form: str) -> bytes:
    """Two seconds of noise whose level jumps every few frames: any probability, in any order."""
    rate = wire_format(form).sample_rate
    levels = 10 ** (rng.uniform(-70, -15, 30) / 20)
    lengths = rng.integers(rate // 50, rate // 8, 30)
    noise = rng.standard_normal(int(lengths.sum())) * np.repeat(levels, lengths)
    return encode(form, pcm_from_samples(np.clip(noise[: 2 * rate], -1, 1).astype(np.float32)))


def test_a_thousand_sessions_to_which_anything_happens() -> None:
    rng = random.Random(29)
    told: list[str] = []
    refusals = 0
    for number in range(1_000):
        form = FORMATS[number % len(FORMATS)]
        payload = loud_and_quiet(np.random.default_rng(number), form["type"])
        settings, steps = some_settings(rng), some_steps(rng, len(payload))
        found = wanted(payload, form["type"], settings, steps, EnergyVAD)
        count = rng.choice([0, 5, 30])
        cuts = [0, *rng.sample(range(1, len(payload)), count), len(payload)]
        heard = listened(payload, form, settings, steps, cuts, EnergyVAD)
        assert heard == found, (number, steps, cuts)
        told += [name for name, _ in found[0]]
        refusals += found[1]
    assert min(told.count(name) for name in SPEECH_EVENTS) > 1_000
    assert refusals > 50


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form["type"])
def test_speech_is_heard_the_same_whatever_happens(form: Event) -> None:
    rate = wire_format(form["type"]).sample_rate
    payload = encode(form["type"], recording(["cards_001.wav", "cards_003.wav"], rate))
    rng = random.Random(7)
    heard: Told = []
    for _ in range(8):
        steps = some_steps(rng, len(payload))
        settings = some_settings(rng)
        found = wanted(payload, form["type"], settings, steps, SileroVAD)
        cuts = cuttings(len(payload), rng)
        assert listened(payload, form, settings, steps, cuts, SileroVAD) == found
        heard += found[0]
    assert len(heard) >= 16
