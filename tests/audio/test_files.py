from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_nb.audio.files import load_audio, read_audio
from realtime_nb.audio.pcm import Samples, pcm_from_samples, samples_from_pcm
from realtime_nb.audio.wav import read_wav_pcm
from realtime_nb.errors import AudioError, ConfigurationError
from realtime_nb.testing import tone
from tests.audio.wav_files import long_wav, wav, write_wav
from tests.paths import DATA

TONE = samples_from_pcm(tone(100))


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


# Suffixes, the law that soundfile knows them by, and the rate that they mean.
@pytest.mark.parametrize(
    ("suffix", "subtype", "sample_rate"),
    [
        *((suffix, "ULAW", 8_000) for suffix in ("ulaw", "ul", "mulaw", "MU", "pcmu")),
        *((suffix, "ALAW", 8_000) for suffix in ("alaw", "al", "pcma")),
        *((suffix, "PCM_16", 24_000) for suffix in ("raw", "pcm", "s16le")),
        *(("sln", "PCM_16", 8_000), ("sln16", "PCM_16", 16_000), ("sln44", "PCM_16", 44_100)),
        ("SLN48", "PCM_16", 48_000),
    ],
)
def test_headerless_audio_by_its_suffix(
    tmp_path: Path, suffix: str, subtype: str, sample_rate: int
) -> None:
    path = tmp_path / f"x.{suffix}"
    sound = samples_from_pcm(tone(500, sample_rate=sample_rate))
    soundfile.write(path, sound, sample_rate, format="RAW", subtype=subtype)

    read = read_audio(path, sample_rate)

    assert read.sample_rate == sample_rate
    np.testing.assert_allclose(read.samples, sound, atol=0.011)
    assert len(load_audio(path, 8_000, raw_sample_rate=8_000)) == len(sound)


@pytest.mark.parametrize("suffix", ["pcm", "raw", "ulaw", "sln"])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF"])
def test_a_header_counts_more_than_a_suffix(tmp_path: Path, suffix: str, kind: str) -> None:
    soundfile.write(tmp_path / "x", TONE, 24_000, format=kind)
    (tmp_path / "x").rename(tmp_path / f"x.{suffix}")
    audio = read_audio(tmp_path / f"x.{suffix}", raw_sample_rate=8_000)
    assert (audio.sample_rate, len(audio.samples)) == (24_000, len(TONE))


def test_a_text_that_is_named_as_headerless_audio(tmp_path: Path) -> None:
    (tmp_path / "x.pcm").write_text("Hello, this is a text.\n" * 9)
    with pytest.raises(AudioError, match="is a text"):
        load_audio(tmp_path / "x.pcm")


# --- several in one ---


@pytest.mark.parametrize("size", [None, 0, 0xFFFF_FFFF, 0x7FFF_FFFF, 2_000_000_000])
@pytest.mark.parametrize("suffix", ["wav", "pcm"])
def test_wavs_one_after_the_other(tmp_path: Path, size: int | None, suffix: str) -> None:
    pieces = [tone(100, hz=hz) for hz in (300, 500, 700)]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(b"".join(wav(piece, size=size) for piece in pieces))

    audio = read_audio(path)

    assert pcm_from_samples(audio.samples) == b"".join(pieces)
    assert audio.notes == ("The file is 3 audio files, one after the other; they were joined.",)


def test_wavs_whose_first_header_tells_the_length_of_all(tmp_path: Path) -> None:
    later = wav(tone(100))
    content = bytearray(wav(tone(50)) + later)
    content[40:44] = struct.pack("<I", len(tone(50)) + len(later))
    (tmp_path / "x.wav").write_bytes(content)
    assert pcm_from_samples(load_audio(tmp_path / "x.wav")) == tone(50) + tone(100)


def test_wavs_of_other_rates_are_joined_in_time(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(
        wav(tone(300, sample_rate=8_000), 8_000) + wav(tone(500, sample_rate=48_000), 48_000)
    )
    assert len(load_audio(tmp_path / "x.wav")) == pytest.approx(0.8 * 24_000, abs=2)


def test_wavs_of_other_channels_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(tone(100)) + wav(bytes(800), channels=2))
    with pytest.raises(AudioError, match=r"2 audio files, one after the other.*take them apart"):
        load_audio(tmp_path / "x.wav")


@pytest.mark.parametrize(("kind", "suffix"), [("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3")])
def test_other_files_one_after_the_other(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, samples_from_pcm(tone(400)), 24_000, format=kind)
    path.write_bytes(2 * path.read_bytes())
    audio = read_audio(path)
    assert len(audio.samples) == 2 * 9_600
    assert audio.notes == ("The file is 2 audio files, one after the other; they were joined.",)


# --- channels ---

LEFT, RIGHT = (samples_from_pcm(tone(400, hz=hz)) for hz in (300, 700))
SILENT = np.zeros_like(LEFT)


def stereo(path: Path, *channels: Samples) -> Path:
    soundfile.write(path, np.column_stack(channels), 24_000, subtype="PCM_16")
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_channels_that_differ_are_not_averaged(tmp_path: Path, suffix: str) -> None:
    path = stereo(tmp_path / f"x.{suffix}", LEFT, RIGHT)

    audio = read_audio(path)

    np.testing.assert_allclose(audio.samples, LEFT, atol=1e-4)
    assert (audio.channels, audio.channel, audio.channels_differ) == (2, 0, True)
    assert audio.notes == (
        "Its 2 channels differ: channel 0 (left) was taken (channel: left, right or mix).",
    )


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        *((0, LEFT), ("0", LEFT), ("left", LEFT), (1, RIGHT), ("1", RIGHT), ("right", RIGHT)),
        ("mix", (LEFT + RIGHT) / 2),
    ],
)
def test_a_channel_that_is_asked_for(tmp_path: Path, channel: int | str, expected: Samples) -> None:
    audio = read_audio(stereo(tmp_path / "x.wav", LEFT, RIGHT), channel=channel)
    np.testing.assert_allclose(audio.samples, expected, atol=1e-4)
    assert audio.channels_differ
    assert audio.notes == ()


def test_channels_that_are_one(tmp_path: Path) -> None:
    audio = read_audio(stereo(tmp_path / "x.wav", LEFT, LEFT))
    np.testing.assert_allclose(audio.samples, LEFT, atol=1e-4)
    assert not audio.channels_differ
    assert audio.notes == ()


def test_a_silent_first_channel_is_not_taken(tmp_path: Path) -> None:
    audio = read_audio(stereo(tmp_path / "x.wav", SILENT, RIGHT))
    np.testing.assert_allclose(audio.samples, RIGHT, atol=1e-4)
    (note,) = audio.notes
    assert "channel 0 (left) is silent: channel 1 (right) was taken" in note


def test_opposite_phase_is_named(tmp_path: Path) -> None:
    path = stereo(tmp_path / "x.wav", LEFT, -LEFT)
    audio = read_audio(path)
    np.testing.assert_allclose(audio.samples, LEFT, atol=1e-4)
    assert "opposite phase" in audio.notes[0]
    mixed = read_audio(path, channel="mix")
    assert mixed.peak_dbfs < -80
    assert "opposite phase" in mixed.notes[0]


@pytest.mark.parametrize("channel", [2, "2", 7])
def test_channels_that_there_are_not(tmp_path: Path, channel: int | str) -> None:
    path = stereo(tmp_path / "x.wav", LEFT, RIGHT)
    with pytest.raises(ConfigurationError, match="has 2 channels, 0 to 1"):
        load_audio(path, channel=channel)
    with pytest.raises(ConfigurationError, match="has one channel"):
        load_audio(DATA / "austen_0880.wav", channel="right")


# --- what there is to say ---


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        *(("wav", "PCM_16"), ("wav", "FLOAT"), ("wav", "ULAW"), ("aiff", "PCM_24")),
        *(("au", "PCM_16"), ("flac", "PCM_16"), ("mp3", None)),
    ],
)
def test_files_that_are_cut_off(
    tmp_path: Path, suffix: str, subtype: str | None, share: float
) -> None:
    path = tmp_path / f"x.{suffix}"
    noise = np.random.default_rng(1).normal(0, 0.1, 10 * 24_000).astype(np.float32)
    soundfile.write(path, noise, 24_000, subtype=subtype)
    assert read_audio(path).missing_s == 0
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])

    audio = read_audio(path)

    found_s = len(audio.samples) / 24_000
    assert found_s == pytest.approx(share * 10, abs=0.4)  # libFLAC gives up two blocks early
    assert audio.missing_s == pytest.approx(10 - found_s, abs=0.2)
    assert "cut off: by its header it lasts" in audio.notes[0]


def test_an_ogg_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * 24_000).astype(np.float32)
    soundfile.write(path, noise, 24_000)
    assert read_audio(path).notes == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = read_audio(path)
    assert math.isnan(audio.missing_s) and audio.is_cut_off
    assert "may be cut off: nothing marks its end" in audio.notes[0]


def test_loudness_is_told(tmp_path: Path) -> None:
    def notes(samples: Samples, subtype: str = "PCM_16") -> str:
        soundfile.write(tmp_path / "x.wav", samples, 24_000, subtype=subtype)
        return " ".join(read_audio(tmp_path / "x.wav").level_notes)

    assert notes(LEFT) == ""
    assert "very quiet: its loudest sample is -50 dBFS" in notes(0.0105 * LEFT)
    assert "digital silence" in notes(SILENT)
    assert "clipped" in notes(8 * LEFT)
    assert "clipped" in notes(np.clip(8 * LEFT, -0.5, 0.5))
    assert "not scaled" in notes(32_768 * LEFT, "FLOAT")


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
    assert pcm_from_samples(load_audio(tmp_path / "x.wav")) == pcm
    assert read_wav_pcm(tmp_path / "x.wav") == (pcm, 24_000)


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


@pytest.mark.parametrize("size", [0, 2**64 - 1])
@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_long_wavs_that_were_streamed(tmp_path: Path, form: bytes, size: int) -> None:
    (tmp_path / "x.wav").write_bytes(long_wav(form, tone(100), size))
    audio = read_audio(tmp_path / "x.wav")
    assert pcm_from_samples(audio.samples) == tone(100)
    assert audio.notes == ()


WHOLE = wav(tone(200, sample_rate=16_000), 16_000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(WHOLE)),
    st.lists(st.integers(0, 8 * 64 - 1), max_size=6),
    st.sampled_from(["wav", "pcm", "flac", "mp3", "ulaw"]),
)
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, length: int, bits: list[int], suffix: str
) -> None:
    content = bytearray(WHOLE)
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content[:length])
    try:
        audio = read_audio(path)
    except AudioError as error:
        assert "\n" not in str(error)
    else:
        assert audio.samples.size and np.isfinite(audio.samples).all()
