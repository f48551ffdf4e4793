"""Audio files as mono samples, with what there is to say of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from realtime_nb.audio.channels import Channel, ChannelSurvey, mono, parse_channel
from realtime_nb.audio.decoding import AudioPart, Block, open_parts, told_length_s
from realtime_nb.audio.levels import (
    DIGITAL_SILENCE_DBFS,
    QUIET_PEAK_DBFS,
    UNSCALED_DBFS,
    PeakMeter,
)
from realtime_nb.audio.long_sound import LongSound, spooled
from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler, Samples
from realtime_nb.audio.wav import check_is_file
from realtime_nb.errors import AudioError, ConfigurationError

__all__ = ["LONGEST_S", "AudioFile", "level_notes", "load_audio", "read_audio"]

LONGEST_S = 12 * 3600.0
"""What is longer is no recording of one conversation, and rather damaged or made to do harm."""

_CLIPPING_SHARE = 0.0001
"""Of the samples; one in ten thousand is more than a peak or two."""
_LEAST_MISSING_S = 0.002
_BEYOND_SOUND = 1e9


@dataclass(frozen=True, slots=True)
class AudioFile:
    """What an audio file holds.

    Attributes:
        sound: one channel, or the average of several; what is longer than ten minutes lies in a
            temporary file.
        sample_rate: of the file, in Hz.
        channels: how many the file has.
        channel: which of them ``sound`` is.
        channels_differ: whether another would have been another sound.
        peak_dbfs: the loudest sample; −inf in digital silence.
        clipped_samples: how many, in the file's rate, are flat at the largest or smallest value.
        clipping_share: of all its samples.
        missing_s: how much the file lacks of what its header tells; NaN where it lacks something
            and does not tell how much.
        notes: what is wrong with the file, or was decided about it, in sentences.
    """

    sound: LongSound = field(repr=False)
    sample_rate: int
    channels: int
    channel: Channel
    channels_differ: bool
    peak_dbfs: float
    clipped_samples: int
    clipping_share: float
    missing_s: float
    notes: tuple[str, ...]

    @property
    def samples(self) -> Samples:
        """All of it at once: float32 (n,), n > 0."""
        return self.sound[:]

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ends before its sound does."""
        return self.missing_s != 0

    @property
    def level_notes(self) -> list[str]:
        """What there is to say of its loudness, in sentences."""
        return level_notes(self.peak_dbfs, self.clipping_share)


def level_notes(peak_dbfs: float, clipping_share: float) -> list[str]:
    """Returns what there is to say of the loudness of a sound, in sentences; see `AudioFile`."""
    notes = []
    if peak_dbfs <= DIGITAL_SILENCE_DBFS:
        notes.append("It is digital silence: check that the right file or channel was taken.")
    elif peak_dbfs < QUIET_PEAK_DBFS:
        notes.append(f"It is very quiet: its loudest sample is {peak_dbfs:.0f} dBFS.")
    if peak_dbfs > UNSCALED_DBFS:
        notes.append(f"It is not scaled to −1..1: its loudest sample is {peak_dbfs:+.0f} dBFS.")
    if clipping_share >= _CLIPPING_SHARE:
        share = 100 * clipping_share
        notes.append(f"It is clipped: {share:.2g} % of its samples are flat at the largest.")
    return notes


def load_audio(
    path: str | os.PathLike[str],
    sample_rate: int = SAMPLE_RATE,
    *,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> Samples:
    """Reads an audio file as mono float samples; arguments and errors as of :func:`read_audio`.

    Returns:
        Float32 array of shape (n,), n > 0.
    """
    return read_audio(path, sample_rate, raw_sample_rate=raw_sample_rate, channel=channel).samples


def read_audio(
    path: str | os.PathLike[str],
    sample_rate: int = SAMPLE_RATE,
    *,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> AudioFile:
    """Reads an audio file: its sound, and what there is to say of it.

    WAV, FLAC, OGG, MP3 and whatever else libsndfile reads, also where their headers were never
    completed, or where several are in one file, one after the other. Headerless are, by their
    suffix, PCM16 (``.raw``, ``.pcm``, ``.sln`` and its kin) and G.711 (``.ulaw``, ``.alaw`` and
    other names), unless they have a header all the same.

    Args:
        path: The file.
        sample_rate: Rate of the result.
        raw_sample_rate: Rate of headerless audio. Unless given, 24,000 for ``.raw`` and ``.pcm``,
            8,000 for G.711 and ``.sln``, what its name says for ``.sln16`` and the like.
        channel: A number from 0, "left", "right", or "mix" for the average. Unless given, the
            first that is not silent.

    Raises:
        AudioError: The file is missing, empty or not audio.
        ConfigurationError: It has no such channel.
    """
    path, asked = Path(path), parse_channel(channel)
    if raw_sample_rate is not None and raw_sample_rate < 1:
        raise ConfigurationError(f"raw_sample_rate is {raw_sample_rate}; give samples per second.")
    check_is_file(path)
    try:
        _check_length(path, told_length_s(path, raw_sample_rate))
        parts = open_parts(path, raw_sample_rate)
        return _read(path, parts, sample_rate, asked)
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror or error}.") from error


def _read(path: Path, parts: list[AudioPart], sample_rate: int, asked: Channel | None) -> AudioFile:
    survey = _survey(path, parts, asked)
    channel = survey.usual if asked is None else asked
    meter = PeakMeter(coarse=all(part.coarse for part in parts))
    found_frames: list[int] = []

    def pieces() -> Iterator[Samples]:
        for part in parts:
            resampler = Resampler(part.sample_rate, sample_rate)
            found_frames.append(0)
            for block in _blocks(path, part):
                samples = mono(block, channel)
                found_frames[-1] += len(samples)
                _check_length(path, found_frames[-1] / part.sample_rate)
                meter.take(samples)
                yield resampler.process(samples)
            yield resampler.process(np.zeros(0, np.float32), last=True)

    sound = spooled(pieces())
    frames = sum(found_frames)
    if not frames:
        raise AudioError(f"{path} holds no audio; record it again or choose another file.")
    lengths_s = [n / part.sample_rate for n, part in zip(found_frames, parts, strict=True)]
    found_s, missing_s = sum(lengths_s), sum(map(_missing_s, parts, lengths_s))
    return AudioFile(
        sound=sound,
        sample_rate=parts[0].sample_rate,
        channels=survey.channels,
        channel=channel,
        channels_differ=survey.differ,
        peak_dbfs=meter.peak_dbfs,
        clipped_samples=meter.clipped_samples,
        clipping_share=meter.clipped_samples / frames,
        missing_s=missing_s,
        notes=tuple(_notes(parts, survey, channel, asked is not None, found_s, missing_s)),
    )


def _check_length(path: Path, seconds: float) -> None:
    if seconds > LONGEST_S:
        raise AudioError(
            f"{path} is longer than {LONGEST_S / 3600:.0f} hours, which is more than can be read "
            "at once. Cut it into pieces, or look whether it is damaged."
        )


def _survey(path: Path, parts: list[AudioPart], asked: Channel | None) -> ChannelSurvey:
    """Compares the channels, where there are several; that takes a reading of its own."""
    channels = parts[0].channels
    if any(part.channels != channels for part in parts):
        raise AudioError(
            f"{path} is {len(parts)} audio files, one after the other, with different numbers of "
            "channels; take them apart."
        )
    if isinstance(asked, int) and asked >= channels:
        held = "one channel" if channels == 1 else f"{channels} channels, 0 to {channels - 1}"
        raise ConfigurationError(f"{path} has {held}; there is no channel {asked}.")
    survey = ChannelSurvey(channels)
    if channels > 1:
        for part in parts:
            for block in _blocks(path, part):
                survey.take(block)
    return survey


def _blocks(path: Path, part: AudioPart) -> Iterator[Block]:
    for block in part.blocks():
        if not (np.abs(block) < _BEYOND_SOUND).all():
            raise AudioError(
                f"{path} holds samples that are not finite numbers, or far from −1..1; "
                "export it again."
            )
        yield block


def _missing_s(part: AudioPart, found_s: float) -> float:
    """Returns how much a part lacks of what it tells; NaN where that is not known."""
    missing_s = part.told_frames / part.sample_rate - found_s
    return 0.0 if missing_s < _LEAST_MISSING_S else missing_s


def _notes(
    parts: list[AudioPart],
    survey: ChannelSurvey,
    channel: Channel,
    asked: bool,
    found_s: float,
    missing_s: float,
) -> Iterator[str]:
    if math.isnan(missing_s):
        yield f"The file may be cut off: nothing marks its end, and {found_s:.2f} s are there."
    elif missing_s:
        yield (
            f"The file is cut off: by its header it lasts {found_s + missing_s:.2f} s, and "
            f"{found_s:.2f} s are there."
        )
    yield from (part.doubt for part in parts if part.doubt)
    if len(parts) > 1:
        yield f"The file is {len(parts)} audio files, one after the other; they were joined."
    if note := survey.note(channel, asked):
        yield note
