from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio import pcm as audio
from realtime_nb.audio.pcm import Resampler
from realtime_nb.errors import AudioError, ConfigurationError

EVERY_SAMPLE = np.arange(65_536, dtype=np.uint16).tobytes()


def tone(seconds: float = 0.1, sample_rate: int = 24_000) -> audio.Samples:
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def test_pcm_survives_the_way_to_samples_and_back() -> None:
    samples = audio.samples_from_pcm(EVERY_SAMPLE)
    assert samples.dtype == np.float32
    assert (samples.min(), samples.max()) == (-1.0, 32767 / 32768)
    assert audio.pcm_from_samples(samples) == EVERY_SAMPLE


def test_samples_outside_the_range_are_clipped() -> None:
    assert audio.pcm_from_samples([2.0, -2.0, 0.0]) == struct.pack("<3h", 32767, -32768, 0)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioError, match="3 bytes"):
        audio.samples_from_pcm(b"\0\0\0")


def test_level() -> None:
    assert audio.level_dbfs(np.ones(100)) == 0
    assert audio.level_dbfs(tone()) == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
    assert audio.level_dbfs(np.zeros(100)) == -math.inf
    assert math.isnan(audio.level_dbfs([]))


# Pairs of 16-bit value and code from the tables of ITU-T G.711, outermost and around zero.
@pytest.mark.parametrize(
    ("value", "code"), [(0, 0xFF), (-1, 0x7E), (32_767, 0x80), (-32_768, 0x00), (1_000, 0xCE)]
)
def test_ulaw_codes(value: int, code: int) -> None:
    assert audio.ulaw_encode(struct.pack("<h", value)) == bytes([code])


@pytest.mark.parametrize(
    ("value", "code"), [(0, 0xD5), (-1, 0x55), (32_767, 0xAA), (-32_768, 0x2A), (1_000, 0xFA)]
)
def test_alaw_codes(value: int, code: int) -> None:
    assert audio.alaw_encode(struct.pack("<h", value)) == bytes([code])


def test_decoded_extremes() -> None:
    assert struct.unpack("<2h", audio.ulaw_decode(b"\x00\x80")) == (-32_124, 32_124)
    assert struct.unpack("<2h", audio.alaw_decode(b"\x2a\xaa")) == (-32_256, 32_256)
    assert struct.unpack("<2h", audio.alaw_decode(b"\xd5\x55")) == (8, -8)


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_g711_decoded_values_encode_to_their_own_codes(law: str) -> None:
    codes = bytes(range(256))
    again = audio.encode(law, audio.decode(law, codes))
    # µ-law has a second code for zero, which nothing encodes to.
    assert [c for c, d in zip(codes, again, strict=True) if c != d] == (
        [0x7F] if law == "audio/pcmu" else []
    )


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="audioop left the standard library in 3.13")
@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_g711_equals_audioop_on_every_value() -> None:
    import audioop

    codes = bytes(range(256))
    assert audio.ulaw_encode(EVERY_SAMPLE) == audioop.lin2ulaw(EVERY_SAMPLE, 2)
    assert audio.alaw_encode(EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE, 2)
    assert audio.ulaw_decode(codes) == audioop.ulaw2lin(codes, 2)
    assert audio.alaw_decode(codes) == audioop.alaw2lin(codes, 2)


def test_formats() -> None:
    assert audio.encode("audio/pcm", b"ab") == audio.decode("audio/pcm", b"ab") == b"ab"
    with pytest.raises(ConfigurationError, match="audio/opus"):
        audio.decode("audio/opus", b"")


@given(st.lists(st.integers(0, 2_000), max_size=8))
def test_resampling_in_pieces_equals_resampling_at_once(cuts: list[int]) -> None:
    samples = tone(0.2)
    resampler = Resampler(24_000, 16_000)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(resampler.process(samples[at : at + cut]))
        at += cut
    pieces.append(resampler.process(samples[at:], last=True))
    expected = soxr.resample(samples, 24_000, 16_000)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


def test_a_drained_resampler_starts_anew() -> None:
    resampler = Resampler(24_000, 8_000)
    first = resampler.process(tone(), last=True)
    np.testing.assert_array_equal(first, resampler.process(tone(), last=True))


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(24_000, 24_000)
    assert resampler.process_pcm(b"abcd") == b"abcd"
    np.testing.assert_array_equal(resampler.process(tone()), tone())


def test_resampling_pcm() -> None:
    pcm = Resampler(24_000, 48_000).process_pcm(audio.pcm_from_samples(tone(0.1)), last=True)
    np.testing.assert_allclose(audio.samples_from_pcm(pcm), tone(0.1, 48_000), atol=0.02)


@pytest.mark.parametrize(
    ("function", "given", "words"),
    [
        (audio.pcm_from_samples, np.array([1, 2], np.int16), "are int16; give floats .*tobytes"),
        (audio.pcm_from_samples, ["loud"], "give floats in −1..1"),
        (audio.pcm_from_samples, [0.5, np.nan], "NaN"),
        (audio.samples_from_pcm, np.zeros(4, np.float32), "Audio is ndarray; give bytes"),
        (audio.samples_from_pcm, "AAAA", "Audio is str; give bytes"),
        (audio.ulaw_encode, np.zeros(4, np.float32), "Audio is ndarray; give bytes"),
        (audio.alaw_encode, [0.5], "Audio is list; give bytes"),
        (audio.ulaw_decode, np.zeros(4), "Audio is ndarray; give bytes"),
        (audio.alaw_decode, "AAAA", "Audio is str; give bytes"),
    ],
)
def test_what_is_no_sound_is_refused(
    function: Callable[[Any], object], given: Any, words: str
) -> None:
    with pytest.raises(AudioError, match=words):
        function(given)


def test_nothing_is_no_sound_either_way() -> None:
    assert audio.pcm_from_samples([]) == b""
    assert audio.samples_from_pcm(b"").tolist() == []
