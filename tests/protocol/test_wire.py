from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev


@given(st.binary(max_size=50))
def test_the_size_of_a_payload_is_known_without_decoding_it(audio: bytes) -> None:
    assert ev.payload_bytes(base64.b64encode(audio).decode()) == len(audio)


def test_the_size_of_audio_in_a_recording() -> None:
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400)) == 4_800
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400), 1, 8_000) == 800
    assert ev.payload_bytes(ev.AudioRef("input.wav", 0, 2_400, bytes=801)) == 801
