from __future__ import annotations

import math
import struct
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio import pcm as audio
from realtime_nb.audio.pcm import GrowingWav, Resampler, load_audio, read_wav_pcm
from realtime_nb.errors import AudioError, ConfigurationError
from tests.paths import DATA

EVERY_SAMPLE = np.arange(65_536, dtype=np.uint16).tobytes()


def tone(seconds: float = 0.1, sample_rate: int = 24_000) -> audio.Samples:
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def write_wav(path: Path, pcm: bytes, sample_rate: int = 24_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)
    return path


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
    assert audio.format_sample_rate("audio/pcm") == 24_000
    assert audio.format_sample_rate("audio/pcma") == 8_000
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


def test_loading_changes_the_rate() -> None:
    samples = load_audio(DATA / "austen_0880.wav")
    native = load_audio(DATA / "austen_0880.wav", sample_rate=16_000)
    assert samples.dtype == np.float32
    assert len(native) == (95_724 - 44) // 2
    assert len(samples) == pytest.approx(len(native) * 1.5, abs=1)


def test_loading_headerless_audio() -> None:
    samples = load_audio(str(DATA / "goforward.raw"), raw_sample_rate=16_000)
    assert len(samples) == pytest.approx(89_160 / 2 * 1.5, abs=1)


def test_loading_headerless_audio_drops_half_a_sample(tmp_path: Path) -> None:
    (tmp_path / "x.pcm").write_bytes(struct.pack("<hhb", 16_384, -16_384, 1))
    assert load_audio(tmp_path / "x.pcm").tolist() == [0.5, -0.5]


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("flac", "PCM_24"), ("ogg", None), ("wav", "ULAW")]
)
def test_loading_averages_channels(tmp_path: Path, suffix: str, subtype: str | None) -> None:
    left = tone()
    path = tmp_path / f"stereo.{suffix}"
    soundfile.write(path, np.stack([left, 0.5 * left], axis=1), 24_000, subtype=subtype)
    np.testing.assert_allclose(load_audio(path), 0.75 * left, atol=0.05)


# Sizes that a writer leaves when it is killed, and those of buggy writers.
@pytest.mark.parametrize("data_size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 100, 4_798, 4_802, 90_000])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFF_FFFF])
def test_wrong_wav_sizes_are_ignored(tmp_path: Path, data_size: int, riff_size: int) -> None:
    pcm = audio.pcm_from_samples(tone())
    content = bytearray(write_wav(tmp_path / "x.wav", pcm).read_bytes())
    assert content[36:44] == b"data" + struct.pack("<I", len(pcm))
    content[4:8] = struct.pack("<I", riff_size)
    content[40:44] = struct.pack("<I", data_size)
    (tmp_path / "x.wav").write_bytes(content)
    assert audio.pcm_from_samples(load_audio(tmp_path / "x.wav")) == pcm
    assert read_wav_pcm(tmp_path / "x.wav") == (pcm, 24_000)


def test_chunks_after_the_audio_are_not_taken_for_audio(tmp_path: Path) -> None:
    pcm = audio.pcm_from_samples(tone())
    path = write_wav(tmp_path / "x.wav", pcm)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 5) + b"hello\0")
    assert read_wav_pcm(path) == (pcm, 24_000)
    assert len(load_audio(path)) == len(pcm) // 2


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"nothing\.wav does not exist"):
        load_audio(tmp_path / "nothing.wav")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a directory; name an audio file"):
        load_audio(tmp_path)


@pytest.mark.parametrize("name", ["x.wav", "x.pcm", "x.mp3"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(AudioError, match="is empty"):
        load_audio(tmp_path / name)


def test_a_file_without_samples(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", b"")
    with pytest.raises(AudioError, match="holds no audio"):
        load_audio(path)
    assert read_wav_pcm(path) == (b"", 24_000)


@pytest.mark.parametrize(
    "content", [b"hello, this is text\n" * 9, b"RIFF", b"RIFF\0\0\0\0WAVEdata"]
)
def test_not_audio(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match="is not audio that can be read") as caught:
        load_audio(tmp_path / "x.wav")
    assert "ffmpeg" in str(caught.value)
    with pytest.raises(AudioError, match="not a WAV"):
        read_wav_pcm(tmp_path / "x.wav")


def test_samples_that_are_not_numbers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.array([0.0, np.nan]), 24_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        load_audio(tmp_path / "x.wav")


def test_reading_pcm_refuses_what_would_need_converting(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not mono PCM16"):
        read_wav_pcm(write_wav(tmp_path / "x.wav", bytes(8), channels=2))


def test_reading_pcm_from_an_extensible_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", tone(), 24_000, format="WAVEX", subtype="PCM_16")
    pcm, sample_rate = read_wav_pcm(tmp_path / "x.wav")
    assert (len(pcm), sample_rate) == (2 * len(tone()), 24_000)


def test_a_growing_wav_is_valid_after_every_flush(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with GrowingWav(path, 24_000) as growing:
        assert read_wav_pcm(path) == (b"", 24_000)
        for i in range(1, 4):
            growing.append(bytes([i, 0]) * 1_000)
            growing.flush()
            with wave.open(str(path)) as file:  # trusts the header, unlike our own reader
                assert file.getparams()[:4] == (1, 2, 24_000, 1_000 * i)
                assert file.readframes(4_000)[-2:] == bytes([i, 0])
            assert growing.samples == 1_000 * i
    growing.close()
    assert path.stat().st_size == 44 + 6_000


def test_audio_past_the_header_of_a_growing_wav_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with GrowingWav(path, 24_000) as growing:
        growing.append(b"\1\0" * 10)
        growing.flush()
        growing.append(b"\2\0" * 50_000)  # more than the write buffer holds, and no flush
        pcm, _ = read_wav_pcm(path)
        assert pcm[:22] == b"\1\0" * 10 + b"\2\0"


def test_padding_a_growing_wav(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with GrowingWav(path, 8_000) as growing:
        growing.append(b"\1\0" * 10)
        growing.pad_to(100_000)
        growing.pad_to(5)
        growing.append(b"\2\0")
        assert growing.samples == 100_001
    assert read_wav_pcm(path) == (b"\1\0" * 10 + bytes(2 * 99_990) + b"\2\0", 8_000)


def test_a_growing_wav_refuses_half_a_sample(tmp_path: Path) -> None:
    with GrowingWav(tmp_path / "x.wav", 24_000) as growing:
        with pytest.raises(AudioError):
            growing.append(b"\0\0\0")
        assert growing.samples == 0
