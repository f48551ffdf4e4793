"""What counts as something that happens in a session, and what as silence."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.activity import Activity
from realtime_nb.testing import LoudnessDetector, silence, tone


class Session:
    """As much of a session as activity looks at."""

    def __init__(self, *, detects: bool = True) -> None:
        self.conversation = Conversation()
        self.user_speaking = False
        self.reconnecting = False
        detection = {"type": "server_vad"} if detects else None
        self.conversation.session = {"audio": {"input": {"turn_detection": detection}}}


class Watched:
    """An activity on a clock of its own, and when it says that something happened."""

    def __init__(self, **options: Any) -> None:
        self.session = Session(**options)
        self.now_s = 0.0
        self.activity = Activity(
            self.session, lambda: self.now_s, lambda name: LoudnessDetector({"type": name})
        )

    def happens(self, direction: Any, event: str, **fields: Any) -> bool:
        self.now_s += 1
        self.activity.event(WireEvent(direction, {"type": event, **fields}, self.now_s))
        return self.activity.last_s == self.now_s

    def hears(self, pcm: bytes) -> bool:
        audio = base64.b64encode(pcm).decode()
        return self.happens("sent", "input_audio_buffer.append", audio=audio)


def test_silence_is_nothing_and_speech_is_something_by_the_servers_ear() -> None:
    watched = Watched()
    assert not watched.hears(silence(100))
    assert not watched.hears(tone(100))  # loud, but the server hears nobody
    assert watched.happens("received", "input_audio_buffer.speech_started")
    watched.session.user_speaking = True
    assert watched.hears(silence(100))  # a pause within a turn
    assert watched.activity.what == "speech"
    watched.session.user_speaking = False
    assert not watched.hears(silence(100))


@pytest.mark.parametrize("law", ["audio/pcm", "audio/pcmu"])
def test_without_turn_detection_the_audio_is_listened_to(law: str) -> None:
    watched = Watched(detects=False)
    watched.session.conversation.session["audio"]["input"]["format"] = {"type": law}
    quiet, loud = silence(100), tone(100)
    if law == "audio/pcmu":
        quiet, loud = b"\xff" * 800, b"\x10\x90" * 400
    assert not watched.hears(quiet)
    assert watched.hears(loud)
    assert not watched.happens("sent", "input_audio_buffer.append", audio="%")
    assert not watched.happens("sent", "input_audio_buffer.append", audio=None)


def test_the_packaged_detector_tells_a_voice_from_noise() -> None:
    from realtime_nb.audio.files import read_audio
    from realtime_nb.audio.pcm import pcm_from_samples
    from tests.paths import ROOT

    session = Session(detects=False)
    clock = iter(range(1_000))
    activity = Activity(session, lambda: float(next(clock)))
    voice = read_audio(ROOT / "realtime_nb/samples/austen_0880.wav").samples[:72_000]

    def hear(pcm: bytes) -> float:
        audio = base64.b64encode(pcm).decode()
        raw = {"type": "input_audio_buffer.append", "audio": audio}
        activity.event(WireEvent("sent", raw, 0.0))
        return activity.last_s

    assert hear(tone(3_000, hz=50, level=0.5)) == 0.0  # a hum is no voice
    assert hear(pcm_from_samples(voice)) > 0.0


@pytest.mark.parametrize(
    ("direction", "event", "counts"),
    [
        ("sent", "response.create", True),
        ("sent", "input_audio_buffer.commit", True),
        ("sent", "session.update", True),
        ("received", "response.output_audio.delta", True),
        ("received", "response.audio.delta", True),
        ("received", "conversation.item.added", True),
        ("received", "something.new", True),
        ("received", "session.updated", False),
        ("received", "rate_limits.updated", False),
        ("received", "error", False),
    ],
)
def test_events(direction: str, event: str, counts: bool) -> None:
    assert Watched().happens(direction, event) == counts


def test_what_a_server_says_to_silence_is_silence_until_somebody_is_there() -> None:
    watched = Watched()
    assert not watched.happens("received", "input_audio_buffer.timeout_triggered")
    assert not watched.happens("received", "response.created")
    assert not watched.happens("received", "response.output_audio.delta")
    watched.now_s += 1
    watched.activity.playback(PlaybackReport("item", 10, "started", 1))
    watched.activity.goes_on(playing=True)
    assert watched.activity.what == "created"
    assert watched.happens("received", "input_audio_buffer.speech_started")
    assert watched.happens("received", "response.created")


def test_functions_and_playback_are_something_while_they_go_on() -> None:
    watched = Watched()
    activity = watched.activity
    activity.tool(ToolReport("call", "started", 0))
    watched.now_s = 50
    activity.goes_on(playing=False)
    assert (activity.last_s, activity.what) == (50, "tool")
    activity.tool(ToolReport("call", "ended", 50, "ok"))
    watched.now_s = 60
    activity.goes_on(playing=True)
    assert (activity.last_s, activity.what) == (60, "playback")
    watched.now_s = 70
    activity.goes_on(playing=False)
    assert activity.last_s == 60


def test_what_is_said_again_to_a_new_connection_is_nothing() -> None:
    watched = Watched()
    watched.session.reconnecting = True
    assert not watched.happens("sent", "conversation.item.create")
    watched.session.reconnecting = False
    assert watched.happens("sent", "conversation.item.create")
