from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.wire import decoded


@given(st.binary(max_size=50))
def test_the_size_of_a_payload_is_known_without_decoding_it(audio: bytes) -> None:
    assert ev.payload_bytes(base64.b64encode(audio).decode()) == len(audio)


def test_the_size_of_audio_in_a_recording() -> None:
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400)) == 4_800
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400), 1, 8_000) == 800
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400, bytes=801)) == 801


@pytest.mark.parametrize(
    "place", ["%d", "[%d]", '{"a": {"b": [1, %d]}}', '{"a": {"b": 2, "c": %d}}']
)
@given(st.integers() | st.sampled_from([2**64 - 1, 2**64, 1 - 2**64, -(2**64), 10**400]))
def test_numbers_that_64_bits_hold_are_read_and_others_refused(place: str, number: int) -> None:
    text = place % number
    if abs(number) < 2**64:
        assert decoded(text) == json.loads(text)
    else:
        with pytest.raises(msgspec.DecodeError, match="out of range"):
            decoded(text)
