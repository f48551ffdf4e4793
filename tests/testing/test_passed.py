"""What crossed, counted in the formats that the server said."""

from __future__ import annotations

import base64

import pytest

from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing import Passed


def append(payload_bytes: int) -> JsonObject:
    audio = base64.b64encode(bytes(payload_bytes)).decode()
    return {"type": "input_audio_buffer.append", "audio": audio}


def delta(name: str, payload_bytes: int) -> JsonObject:
    return {"type": name, "delta": base64.b64encode(bytes(payload_bytes)).decode()}


@pytest.mark.parametrize("payload_bytes", [0, 1, 2, 47, 48, 4_800])
def test_base64_is_measured_exactly(payload_bytes: int) -> None:
    passed = Passed()
    passed.take("sent", append(payload_bytes), 10)
    passed.lose("sent", append(payload_bytes))
    assert passed.sent_audio_ms == passed.lost_audio_ms == payload_bytes / 48
    assert passed.sent_bytes == 10


@pytest.mark.parametrize(
    ("session", "input_bytes", "output_bytes"),
    [
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, 8, 48),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}}}, 48, 8),
        ({"input_audio_format": "g711_alaw", "output_audio_format": "pcm16"}, 8, 48),
        ({"audio": {"input": {"format": {"type": "of tomorrow"}}}}, 48, 48),
        ("no session", 48, 48),
    ],
)
def test_formats_are_followed_in_both_dialects(
    session: object, input_bytes: int, output_bytes: int
) -> None:
    passed = Passed()
    passed.take("received", {"type": "session.updated", "session": session}, 1)
    passed.take("sent", append(480), 1)
    for name in ("response.output_audio.delta", "response.audio.delta"):
        passed.take("received", delta(name, 480), 1)
    assert passed.sent_audio_ms == 480 / input_bytes
    assert passed.received_audio_ms == 2 * 480 / output_bytes


def test_what_is_no_event_has_bytes_only() -> None:
    passed = Passed()
    passed.take("received", None, 6)
    passed.lose("received", {"type": "x"})
    assert (passed.received_bytes, passed.received, passed.lost) == (6, {}, {})
