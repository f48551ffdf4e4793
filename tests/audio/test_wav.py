from __future__ import annotations

import struct
import wave
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.audio.wav import (
    GrowingWav,
    find_wav_header,
    read_wav_header,
    read_wav_pcm,
    repaired_wav_head,
)
from realtime_nb.errors import AudioError
from realtime_nb.testing import tone
from tests.audio.wav_files import fmt, long_wav, write_wav

TONE = samples_from_pcm(tone(100))


def test_a_header_tells_how_long_the_audio_was_meant_to_be(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", bytes(48_000))
    whole = read_wav_header(path)
    path.write_bytes(path.read_bytes()[:-12_000])
    cut = read_wav_header(path)

    assert whole is not None
    assert cut is not None
    assert (whole.start, whole.told_bytes, whole.missing_bytes) == (44, 48_000, 0)
    assert (cut.told_bytes, cut.missing_bytes, cut.found_bytes) == (48_000, 12_000, 36_000)


# What programs write that don't know yet how much there will be.
@pytest.mark.parametrize(
    "size",
    [
        *(0, 0xFFFF_FFFF, 0xFFFF_FFFF - 36, 0x7FFF_FFFF, 0x7FFF_F000, 0x7FFF_FFDB, 0x8000_0000),
        *(2_000_000_000, 0x3FFF_FFFF, 1_000_000_000),
    ],
)
def test_a_header_that_a_pipe_was_given_tells_no_length(tmp_path: Path, size: int) -> None:
    path = write_wav(tmp_path / "x.wav", bytes(48_000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)

    header = read_wav_header(path)

    assert header is not None
    assert (header.told_bytes, header.missing_bytes, header.found_bytes) == (0, 0, 48_000)


@pytest.mark.parametrize("size", [0, 48_000, 2**64 - 1, 2**63 - 1])
@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_sizes_of_64_bits(tmp_path: Path, form: bytes, size: int) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(long_wav(form, bytes(48_000), size))

    header = read_wav_header(path)

    assert header is not None
    assert (header.start, header.found_bytes, header.missing_bytes) == (80, 48_000, 0)
    assert read_wav_pcm(path) == (bytes(48_000), 24_000)


@given(st.integers(0, 0xFFFF_FFFF), st.integers(0, 4_800))
def test_a_repaired_head_has_the_sizes_of_what_is_there(size: int, found: int) -> None:
    head = b"RIFF" + bytes(4) + b"WAVE" + fmt() + b"data" + struct.pack("<I", size)
    file = BytesIO(head + b"\x01\x80" * (found // 2))
    header = find_wav_header(file)
    assert header is not None

    repaired = repaired_wav_head(file, header)

    assert len(repaired) == header.start == 44
    assert struct.unpack("<I", repaired[4:8]) == (36 + header.found_bytes,)
    assert struct.unpack("<I", repaired[40:44]) == (header.found_bytes,)
    assert repaired[8:40] == head[8:40]


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
