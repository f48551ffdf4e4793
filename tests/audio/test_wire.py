"""Audio on its way to and from a session's format: exact positions, no seams, one clear refusal."""

from __future__ import annotations

import base64
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio.pcm import level_dbfs, samples_from_pcm
from realtime_nb.audio.wire import WireAudio, WireDecoder, WireEncoder
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing import tone

G711 = ["audio/pcmu", "audio/pcma"]


def cut(audio: bytes, seed: int) -> list[bytes]:
    """The audio in pieces of random sizes, empty ones and half samples among them."""
    chance = random.Random(seed)
    pieces = []
    while audio:
        size = chance.choice([0, 1, 5, 160, 961, 4_800])
        pieces.append(audio[:size])
        audio = audio[size:]
    return pieces


@given(st.sampled_from(["audio/pcm", *G711]), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_cuts_make_no_difference(format_type: str, seed: int) -> None:
    pcm = tone(200)
    whole = WireEncoder(format_type).encode(pcm)
    encoder, decoder = WireEncoder(format_type), WireDecoder(format_type)
    pieces = [encoder.encode(piece) for piece in cut(pcm, seed)]
    assert b"".join(pieces) == whole
    back = b"".join(decoder.decode(piece) for piece in cut(whole, seed + 1))
    assert back == WireDecoder(format_type).decode(whole)


def test_pcm_passes_as_it_is() -> None:
    assert WireEncoder("audio/pcm").encode(tone(50)) == tone(50)
    assert WireDecoder("audio/pcm").decode(tone(50)) == tone(50)


@pytest.mark.parametrize("format_type", G711)
def test_a_byte_of_g711_is_three_samples(format_type: str) -> None:
    payload = WireEncoder(format_type).encode(tone(1_000))
    assert len(payload) == 8_000
    assert len(WireDecoder(format_type).decode(payload)) == 2 * 3 * 8_000


@pytest.mark.parametrize("format_type", G711)
@pytest.mark.parametrize("hz", [200.0, 1_000.0, 3_000.0])
def test_what_g711_can_carry_comes_back_as_loud(format_type: str, hz: float) -> None:
    payload = WireEncoder(format_type).encode(tone(500, hz=hz))
    back = samples_from_pcm(WireDecoder(format_type).decode(payload))[2_400:]
    assert level_dbfs(back) == pytest.approx(level_dbfs(samples_from_pcm(tone(500))), abs=0.5)
    spectrum = np.abs(np.fft.rfft(back * np.hanning(len(back))))
    assert np.argmax(spectrum) * 24_000 / len(back) == pytest.approx(hz, abs=5)


@pytest.mark.parametrize("format_type", G711)
@pytest.mark.parametrize("hz", [5_000.0, 7_000.0, 11_000.0])
def test_what_g711_cannot_carry_is_not_folded_into_it(format_type: str, hz: float) -> None:
    payload = WireEncoder(format_type).encode(tone(500, hz=hz))
    back = samples_from_pcm(WireDecoder(format_type).decode(payload))[2_400:]
    assert level_dbfs(back) < level_dbfs(samples_from_pcm(tone(500))) - 40


# --- the formats of a session ---


def session(input_format: object = None, output_format: object = None) -> JsonObject:
    return {"audio": {"input": {"format": input_format}, "output": {"format": output_format}}}


def delta(payload: bytes) -> JsonObject:
    return {"type": "response.output_audio.delta", "delta": base64.b64encode(payload).decode()}


def test_each_side_follows_its_own_format() -> None:
    audio = WireAudio()
    audio.follow(session({"type": "audio/pcmu"}, {"type": "audio/pcm", "rate": 24_000}))
    assert len(audio.encode(tone(100))) == 800
    assert audio.decode_delta(delta(tone(100))) == tone(100)


def test_a_format_that_stays_keeps_the_state_of_its_filter() -> None:
    audio, steady = WireAudio(), WireEncoder("audio/pcmu")
    pieces = []
    for start in range(0, 4_800, 480):
        audio.follow(session({"type": "audio/pcmu"}))
        pieces.append(audio.encode(tone(100)[start : start + 480]))
    assert b"".join(pieces) == steady.encode(tone(100))


@pytest.mark.parametrize("broken", [{}, {"audio": None}, {"audio": {"input": 5}}, session("pcm16")])
def test_a_session_that_names_no_format_has_pcm(broken: JsonObject) -> None:
    audio = WireAudio()
    audio.follow(broken)
    assert audio.encode(tone(20)) == tone(20)


def test_only_audio_deltas_have_audio() -> None:
    audio = WireAudio()
    assert audio.decode_delta({"type": "response.output_audio.done"}) is None
    assert audio.decode_delta({"type": "response.audio.delta", "delta": "AAA="}) == b"\0\0"


@pytest.mark.parametrize("payload", [5, None, "a", ["AAAA"]])
def test_a_delta_that_is_no_base64_has_no_audio(payload: object) -> None:
    event = {"type": "response.output_audio.delta", "delta": payload}
    assert WireAudio().decode_delta(event) == b""


@pytest.mark.parametrize(
    ("audio_format", "words"),
    [({"type": "audio/opus"}, "audio/opus"), ({"type": "audio/pcm", "rate": 16_000}, "16000 Hz")],
)
def test_a_format_that_cannot_be_made_is_refused_when_it_is_needed(
    audio_format: JsonObject, words: str
) -> None:
    audio = WireAudio()
    audio.follow(session(audio_format, audio_format))
    with pytest.raises(ConfigurationError, match=words):
        audio.encode(tone(20))
    with pytest.raises(ConfigurationError, match=words):
        audio.decode_delta(delta(tone(20)))
    audio.follow(session())
    assert audio.encode(tone(20)) == tone(20)
