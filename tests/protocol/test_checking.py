"""What a server takes for an event."""

from __future__ import annotations

import msgspec
import pytest

from tests.protocol.peer import Peer, peer_with_something_to_lose


@pytest.fixture
def peer() -> Peer:
    return peer_with_something_to_lose()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("NaN", "invalid_json"),
        ('{"type": "response.create", "x": NaN}', "invalid_json"),
        ('"\\ud800"', "invalid_json"),
        ("\ud800", "invalid_json"),
        ("1" * 5_000, "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"type": ' * 900 + "1" + "}" * 900, "invalid_type"),
        ("null", "invalid_event"),
        ("[]", "invalid_event"),
        ("5", "invalid_event"),
        ("{}", "invalid_event"),
        ('{"type": null}', "invalid_event"),
        ('{"type": 5}', "invalid_type"),
        ('{"type": ""}', "invalid_value"),
        (
            '{"type": "response.create", "response": ' + '{"a":' * 100 + "1" + "}" * 101,
            "invalid_event",
        ),
        (
            '{"type": "response.create", "response": {"max_output_tokens": ' + "9" * 4_000 + "}}",
            None,
        ),
        (b'{"type": "response.create"}', "invalid_event"),
    ],
)
def test_frames_that_are_no_events(peer: Peer, frame: str | bytes, code: str | None) -> None:
    before = peer.state()
    (event,) = peer.send_frame(frame)
    assert event["type"] == "error"
    assert code is None or event["error"]["code"] == code
    assert event["error"]["event_id"] is None
    assert peer.state() == before


def test_an_event_id_is_text_of_at_most_512_characters(peer: Peer) -> None:
    for event_id, echoed in (("e" * 513, None), (5, None), ("e" * 512, "e" * 512)):
        (event,) = peer.send("response.cancel", event_id=event_id)
        assert event["error"]["event_id"] == echoed
        assert event["error"]["param"] == (None if echoed else "event_id")


def test_an_append_is_bounded(peer: Peer) -> None:
    audio = "A" * (15 * 1024 * 1024 + 4)
    frame = msgspec.json.encode({"type": "input_audio_buffer.append", "audio": audio}).decode()
    (event,) = peer.send_frame(frame)
    assert event["error"]["code"] == "string_above_max_length"


def test_four_bad_events_leave_the_session_usable(peer: Peer) -> None:
    for frame in ("{", "[]", '{"type": "x"}', b"\0"):
        peer.send_frame(frame)
    peer.answer()
