from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio.decoding import open_parts
from realtime_nb.errors import AudioError
from tests.audio.wav_files import wav

NOISE = np.random.default_rng(5).normal(0, 0.1, (200_000, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype", "atol"),
    [
        *(("wav", "PCM_16", 1e-4), ("wav", "FLOAT", 0), ("wav", "ULAW", 0.02), ("w64", None, 1e-4)),
        *(("flac", None, 1e-4), ("aiff", None, 1e-4), ("rf64", None, 1e-4), ("caf", None, 1e-4)),
        ("au", "ALAW", 0.02),
    ],
)
def test_blocks_are_the_file(tmp_path: Path, suffix: str, subtype: str | None, atol: float) -> None:
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, NOISE, 16_000, subtype=subtype)

    (part,) = open_parts(path)

    assert (part.sample_rate, part.channels) == (16_000, 2)
    for _ in range(2):  # as often as one likes
        np.testing.assert_allclose(np.concatenate(list(part.blocks())), NOISE, atol=atol)
    assert part.told_frames in (0, 200_000)


def test_a_codec_that_can_only_be_read_forwards(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, NOISE[:16_000, 0], 8_000, subtype="GSM610")
    (part,) = open_parts(path)
    assert sum(len(block) for block in part.blocks()) == pytest.approx(16_000, abs=320)


@pytest.mark.parametrize("sample_rate", [0, 1, 900, 0x4000_3E80])
def test_sample_rates_of_a_damaged_header(tmp_path: Path, sample_rate: int) -> None:
    (tmp_path / "x.wav").write_bytes(wav(bytes(4_000), sample_rate))
    with pytest.raises(AudioError, match=r"by its header, which is damaged|not audio"):
        open_parts(tmp_path / "x.wav")


def test_a_flac_that_was_streamed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, NOISE, 16_000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the number of samples is 36 bits long
    content[22:26] = bytes(4)
    path.write_bytes(content)
    (part,) = open_parts(path)
    assert sum(len(block) for block in part.blocks()) == len(NOISE)
    assert part.told_frames == 0


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF, 2_000_000_000])
def test_an_au_file_that_was_streamed_is_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.au"
    soundfile.write(path, NOISE, 16_000, subtype="ULAW")
    content = bytearray(path.read_bytes())
    content[8:12] = size.to_bytes(4)
    path.write_bytes(content)
    (part,) = open_parts(path)
    assert sum(len(block) for block in part.blocks()) == part.told_frames == len(NOISE)


def test_damage_at_the_very_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, NOISE, 16_000)
    path.write_bytes(path.read_bytes()[:3_000])
    with pytest.raises(AudioError, match="damaged, and nothing of it can be read"):
        [list(part.blocks()) for part in open_parts(path)]


def test_a_file_that_names_itself_in_its_audio_is_one(tmp_path: Path) -> None:
    """Only a whole beginning is one; four letters may well be samples."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav(b"RIFF" * 1_000 + b"RF64WAVE" * 100))
    assert len(open_parts(path)) == 1
