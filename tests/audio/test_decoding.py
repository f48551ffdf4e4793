from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio.decoding import likelier_than_pcm16, open_parts
from realtime_nb.audio.files import load_audio, read_audio
from realtime_nb.errors import AudioError
from tests.audio.wav_files import wav
from tests.paths import DATA

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


VOICE = load_audio(DATA / "cards_001.wav", 8_000)


def written_as(folder: Path, form: str, subtype: str, endian: str) -> bytes:
    path = folder / "voice"
    soundfile.write(path, VOICE, 8_000, format=form, subtype=subtype, endian=endian)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("subtype", "endian", "said"),
    [
        ("PCM_16", "LITTLE", ""),
        ("PCM_16", "BIG", "It looks like big-endian PCM16: ffmpeg -f s16be -ar RATE"),
        ("FLOAT", "LITTLE", "It looks like 32-bit floats: ffmpeg -f f32le -ar RATE"),
        ("ULAW", "FILE", "It looks like G.711 µ-law: name it .ulaw."),
        ("ALAW", "FILE", "It looks like G.711 A-law: name it .alaw."),
    ],
)
def test_headerless_audio_that_is_something_else(
    tmp_path: Path, subtype: str, endian: str, said: str
) -> None:
    (tmp_path / "x.pcm").write_bytes(written_as(tmp_path, "RAW", subtype, endian))

    notes = read_audio(tmp_path / "x.pcm", raw_sample_rate=8_000).notes

    expected = f"As PCM16 it is noise. {said}"
    assert [note.startswith(expected) for note in notes] == ([True] if said else [])


@pytest.mark.parametrize("level", [0.0, 1e-5, 1e-4, 0.01, 0.3])
def test_silence_and_noise_are_what_they_are(level: float) -> None:
    noise = np.random.default_rng(3).normal(0, level, 200_000) * 32_767
    for samples in (noise, np.clip(noise * 9, -32_768, 32_767), noise + 5):
        assert likelier_than_pcm16(samples.astype("<i2").tobytes()) == ""
    assert likelier_than_pcm16(b"") == likelier_than_pcm16(b"\x01") == ""


@pytest.mark.parametrize(("form", "endian"), [("W64", "FILE"), ("NIST", "FILE"), ("WAV", "BIG")])
def test_more_headers_count_more_than_a_suffix(tmp_path: Path, form: str, endian: str) -> None:
    (tmp_path / "x.raw").write_bytes(written_as(tmp_path, form, "PCM_16", endian))

    sound = read_audio(tmp_path / "x.raw", 8_000)

    assert (sound.sample_rate, sound.notes) == (8_000, ())
    np.testing.assert_allclose(sound.samples, VOICE, atol=1e-4)


@pytest.mark.parametrize("size", [None, 0xFFFF_FFFF])
def test_a_header_whose_byte_rate_was_left_out(tmp_path: Path, size: int | None) -> None:
    content = bytearray(wav(b"\x01\x00" * 24_000 * 3, size=size))
    content[28:34] = bytes(6)  # bytes per second and per frame
    (tmp_path / "x.wav").write_bytes(content)

    sound = read_audio(tmp_path / "x.wav")

    assert (len(sound.samples), sound.is_cut_off) == (24_000 * 3, False)


@pytest.mark.parametrize(("field", "said"), [(22, "Channel count is zero"), (24, "not audio that")])
def test_a_header_that_tells_nothing_is_said_to(tmp_path: Path, field: int, said: str) -> None:
    content = bytearray(wav(b"\x01\x00" * 2_400))
    content[field : field + 2] = bytes(2)
    (tmp_path / "x.wav").write_bytes(content)

    with pytest.raises(AudioError, match=said):
        read_audio(tmp_path / "x.wav")
