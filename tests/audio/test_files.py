from __future__ import annotations

import struct
import wave
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio import pcm as audio
from realtime_nb.audio.files import GrowingWav, load_audio, read_wav_header, read_wav_pcm
from realtime_nb.errors import AudioError
from realtime_nb.testing import tone
from tests.paths import DATA

TONE = audio.samples_from_pcm(tone(100))


def write_wav(path: Path, pcm: bytes, sample_rate: int = 24_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)
    return path


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
    left = TONE
    path = tmp_path / f"stereo.{suffix}"
    soundfile.write(path, np.stack([left, 0.5 * left], axis=1), 24_000, subtype=subtype)
    np.testing.assert_allclose(load_audio(path), 0.75 * left, atol=0.05)


# Sizes that a writer leaves when it is killed, and those of buggy writers.
@pytest.mark.parametrize("data_size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 100, 4_798, 4_802, 90_000])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFF_FFFF])
def test_wrong_wav_sizes_are_ignored(tmp_path: Path, data_size: int, riff_size: int) -> None:
    pcm = tone(100)
    content = bytearray(write_wav(tmp_path / "x.wav", pcm).read_bytes())
    assert content[36:44] == b"data" + struct.pack("<I", len(pcm))
    content[4:8] = struct.pack("<I", riff_size)
    content[40:44] = struct.pack("<I", data_size)
    (tmp_path / "x.wav").write_bytes(content)
    assert audio.pcm_from_samples(load_audio(tmp_path / "x.wav")) == pcm
    assert read_wav_pcm(tmp_path / "x.wav") == (pcm, 24_000)


def test_a_header_tells_how_long_the_audio_was_meant_to_be(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", bytes(48_000))
    whole = read_wav_header(path)
    path.write_bytes(path.read_bytes()[:-12_000])
    cut = read_wav_header(path)

    assert whole is not None
    assert cut is not None
    assert (whole.start, whole.told_s, whole.missing_bytes) == (44, 1.0, 0)
    assert (cut.told_s, cut.missing_bytes, cut.found_bytes) == (1.0, 12_000, 36_000)


def test_a_header_that_a_pipe_was_given_tells_no_length(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", bytes(48_000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    path.write_bytes(content)

    header = read_wav_header(path)

    assert header is not None
    assert (header.told_s, header.missing_bytes, header.found_bytes) == (0.0, 0, 48_000)


def test_chunks_after_the_audio_are_not_taken_for_audio(tmp_path: Path) -> None:
    pcm = tone(100)
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
    soundfile.write(tmp_path / "x.wav", TONE, 24_000, format="WAVEX", subtype="PCM_16")
    pcm, sample_rate = read_wav_pcm(tmp_path / "x.wav")
    assert (len(pcm), sample_rate) == (2 * len(TONE), 24_000)


def test_a_growing_wav_is_valid_after_every_flush(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with closing(GrowingWav(path, 24_000)) as growing:
        assert read_wav_pcm(path) == (b"", 24_000)
        for i in range(1, 4):
            growing.append(bytes([i, 0]) * 1_000)
            growing.flush()
            with wave.open(str(path)) as file:  # trusts the header, unlike our own reader
                assert file.getparams()[:4] == (1, 2, 24_000, 1_000 * i)
                assert file.readframes(4_000)[-2:] == bytes([i, 0])
    growing.close()
    assert path.stat().st_size == 44 + 6_000


def test_audio_past_the_header_of_a_growing_wav_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with closing(GrowingWav(path, 24_000)) as growing:
        growing.append(b"\1\0" * 10)
        growing.flush()
        growing.append(b"\2\0" * 50_000)  # more than the write buffer holds, and no flush
        pcm, _ = read_wav_pcm(path)
        assert pcm[:22] == b"\1\0" * 10 + b"\2\0"


def test_padding_a_growing_wav(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with closing(GrowingWav(path, 8_000)) as growing:
        growing.append(b"\1\0" * 10)
        growing.pad_to(100_000)
        growing.pad_to(5)
        growing.append(b"\2\0")
    assert read_wav_pcm(path) == (b"\1\0" * 10 + bytes(2 * 99_990) + b"\2\0", 8_000)


def test_a_growing_wav_refuses_half_a_sample(tmp_path: Path) -> None:
    with closing(GrowingWav(tmp_path / "x.wav", 24_000)) as growing, pytest.raises(AudioError):
        growing.append(b"\0\0\0")
    assert read_wav_pcm(tmp_path / "x.wav") == (b"", 24_000)
