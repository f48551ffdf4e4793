"""PCM16, G.711 and float samples; files, levels, resampling.

Two forms of audio are used throughout. ``pcm`` is ``bytes``: signed 16-bit little-endian mono.
``samples`` is a one-dimensional float32 array in −1..1. PCM converts to samples and back without
loss.
"""

from __future__ import annotations

import math
import os
import struct
from functools import cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import soxr

from realtime_nb.errors import AudioError, ConfigurationError

__all__ = [
    "SAMPLE_RATE",
    "GrowingWav",
    "Resampler",
    "Samples",
    "alaw_decode",
    "alaw_encode",
    "decode",
    "encode",
    "format_sample_rate",
    "level_dbfs",
    "load_audio",
    "pcm_from_samples",
    "read_wav_pcm",
    "samples_from_pcm",
    "ulaw_decode",
    "ulaw_encode",
]

SAMPLE_RATE = 24_000
"""Samples per second of the protocol's ``audio/pcm``."""

Samples = npt.NDArray[np.float32]
"""Float32 mono samples of shape (n,) in −1..1."""

_FULL_SCALE = 32_768
_RAW_SUFFIXES = (".raw", ".pcm")
_FORMAT_SAMPLE_RATES = {"audio/pcm": SAMPLE_RATE, "audio/pcmu": 8_000, "audio/pcma": 8_000}


def samples_from_pcm(pcm: bytes) -> Samples:
    """Converts PCM16 to float samples.

    Raises:
        AudioError: The number of bytes is odd.
    """
    return _int16_from_pcm(pcm).astype(np.float32) / np.float32(_FULL_SCALE)


def pcm_from_samples(samples: npt.ArrayLike) -> bytes:
    """Converts float samples to PCM16; what lies outside −1..1 is clipped."""
    scaled = np.rint(np.asarray(samples, np.float32) * _FULL_SCALE)
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()


def _int16_from_pcm(pcm: bytes) -> npt.NDArray[np.int16]:
    if len(pcm) % 2:
        raise AudioError(
            f"PCM16 has two bytes per sample, so {len(pcm)} bytes can't be right; "
            "keep an odd last byte for the next chunk."
        )
    return np.frombuffer(pcm, "<i2")


def level_dbfs(samples: npt.ArrayLike) -> float:
    """Returns root mean square in decibels; 0 is a full-scale square wave.

    Silence is −inf; no samples at all are NaN.
    """
    values = np.asarray(samples, np.float64)
    if values.size == 0:
        return math.nan
    power = float(np.mean(np.square(values)))
    return 10 * math.log10(power) if power > 0 else -math.inf


# G.711 (ITU-T Recommendation G.711, 11/88): a table per direction and law.


def ulaw_encode(pcm: bytes) -> bytes:
    """Encodes PCM16 as G.711 µ-law, one byte per sample."""
    return _ulaw_codes()[_int16_from_pcm(pcm).view(np.uint16)].tobytes()


def ulaw_decode(payload: bytes) -> bytes:
    """Decodes G.711 µ-law to PCM16."""
    return _ulaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def alaw_encode(pcm: bytes) -> bytes:
    """Encodes PCM16 as G.711 A-law, one byte per sample."""
    return _alaw_codes()[_int16_from_pcm(pcm).view(np.uint16)].tobytes()


def alaw_decode(payload: bytes) -> bytes:
    """Decodes G.711 A-law to PCM16."""
    return _alaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def _every_int16() -> npt.NDArray[np.int32]:
    """Returns all sample values, in the order of their unsigned 16-bit patterns."""
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _bit_length(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


@cache
def _ulaw_codes() -> npt.NDArray[np.uint8]:
    value = _every_int16() >> 2  # the law is defined on 14 bits
    magnitude = np.minimum(np.abs(value), 8_158) + 33
    segment = _bit_length(magnitude) - 6
    code: npt.NDArray[np.int32] = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return (code ^ np.where(value < 0, 0x7F, 0xFF)).astype(np.uint8)


@cache
def _ulaw_values() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code & 0x70) >> 4)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


@cache
def _alaw_codes() -> npt.NDArray[np.uint8]:
    value = _every_int16() >> 3  # the law is defined on 13 bits
    magnitude = np.where(value < 0, -value - 1, value).astype(np.int32)
    segment = np.maximum(_bit_length(magnitude) - 5, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return (code ^ np.where(value < 0, 0x55, 0xD5)).astype(np.uint8)


@cache
def _alaw_values() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + np.where(segment == 0, 8, 0x108)
    magnitude <<= np.maximum(segment - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


def format_sample_rate(format_type: str) -> int:
    """Samples per second of a protocol audio format such as ``"audio/pcmu"``.

    Raises:
        ConfigurationError: The protocol has no such format.
    """
    try:
        return _FORMAT_SAMPLE_RATES[format_type]
    except KeyError:
        known = ", ".join(_FORMAT_SAMPLE_RATES)
        raise ConfigurationError(
            f"Unknown audio format {format_type!r}; use one of {known}."
        ) from None


def decode(format_type: str, payload: bytes) -> bytes:
    """Turns bytes of a protocol audio format into PCM16 at that format's own rate."""
    format_sample_rate(format_type)
    if format_type == "audio/pcmu":
        return ulaw_decode(payload)
    return alaw_decode(payload) if format_type == "audio/pcma" else payload


def encode(format_type: str, pcm: bytes) -> bytes:
    """Turns PCM16 at the format's own rate into bytes of a protocol audio format."""
    format_sample_rate(format_type)
    if format_type == "audio/pcmu":
        return ulaw_encode(pcm)
    return alaw_encode(pcm) if format_type == "audio/pcma" else pcm


class Resampler:
    """Changes the sample rate of a stream that arrives piece by piece.

    The pieces that come out, joined, are what resampling the joined input at once gives. They lag
    behind by the filter's delay until ``last=True`` drains it; then a new stream may begin.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._rates = (source_rate, target_rate)
        self._stream = self._new_stream()

    def _new_stream(self) -> soxr.ResampleStream | None:
        source_rate, target_rate = self._rates
        if source_rate == target_rate:
            return None
        return soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32")

    def process(self, samples: Samples, last: bool = False) -> Samples:
        """Takes float samples at the source rate; return those now ready at the target rate."""
        if self._stream is None:
            return samples
        samples = np.ascontiguousarray(samples, np.float32)
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        if last:
            self._stream = self._new_stream()
        return resampled

    def process_pcm(self, pcm: bytes, last: bool = False) -> bytes:
        """Does the same on PCM16."""
        if self._stream is None:
            return pcm
        return pcm_from_samples(self.process(samples_from_pcm(pcm), last))


def load_audio(
    path: str | os.PathLike[str],
    sample_rate: int = SAMPLE_RATE,
    *,
    raw_sample_rate: int = SAMPLE_RATE,
) -> Samples:
    """Reads an audio file as mono float samples.

    WAV, FLAC, OGG, MP3 and whatever else libsndfile reads. Channels are averaged. A WAV file whose
    header was never completed, because its writer was killed, is read up to the end of the file.

    Args:
        path: The file. ``.raw`` and ``.pcm`` are taken as headerless PCM16 mono.
        sample_rate: Rate of the result.
        raw_sample_rate: Rate of a headerless file.

    Returns:
        Float32 array of shape (n,), n > 0.

    Raises:
        AudioError: The file is missing, empty or not audio.
    """
    path = Path(path)
    _check_file(path)
    try:
        if path.suffix.lower() in _RAW_SUFFIXES:
            samples, source_rate = _read_raw(path), raw_sample_rate
        else:
            samples, source_rate = _read_with_soundfile(path)
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror or error}.") from error
    if samples.size == 0:
        raise AudioError(f"{path} holds no audio; record it again or choose another file.")
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} holds samples that are not finite numbers; export it again.")
    if source_rate == sample_rate:
        return samples
    resampled: Samples = soxr.resample(samples, source_rate, sample_rate)
    return resampled


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path} is a directory; name an audio file in it.")
    if not path.exists():
        raise AudioError(f"{path} does not exist; check the path (working directory: {Path.cwd()})")
    if path.is_file() and path.stat().st_size == 0:
        raise AudioError(f"{path} is empty; record it again or choose another file.")


def _read_raw(path: Path) -> Samples:
    payload = path.read_bytes()
    return samples_from_pcm(payload[: len(payload) // 2 * 2])


def _read_with_soundfile(path: Path) -> tuple[Samples, int]:
    import soundfile

    with path.open("rb") as file:
        layout = _wav_layout(file)
        file.seek(0)
        source: BinaryIO = file
        if layout is not None and layout.declared_size != layout.size:
            source = BytesIO(_repaired_wav(file.read(), layout))
        try:
            channels, sample_rate = soundfile.read(source, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            reason = str(error).split(": ", 1)[-1]
            raise AudioError(
                f"{path} is not audio that can be read ({reason.rstrip('.')}). Give a WAV, FLAC, "
                "OGG or MP3 file, or name headerless PCM16 .raw or .pcm; "
                "for others: ffmpeg -i FILE out.wav"
            ) from error
    mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(mono), int(sample_rate)


class _WavLayout:
    """Where a WAV file's audio lies, whatever its size fields say."""

    __slots__ = ("declared_size", "format", "size", "start")

    def __init__(self, format_: bytes, start: int, declared_size: int, size: int) -> None:
        self.format = format_
        self.start = start
        self.declared_size = declared_size
        self.size = size


def _wav_layout(file: BinaryIO) -> _WavLayout | None:
    """Finds the ``data`` chunk; None when this is not a WAV file or it ends before one."""
    file_size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    format_ = b""
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        start = file.tell()
        if name == b"data":
            trusted = _chunks_reach_end(file, start + size + size % 2, file_size)
            return _WavLayout(format_, start, size, size if trusted else file_size - start)
        if name == b"fmt ":
            format_ = file.read(min(size, 40))
        file.seek(start + size + size % 2)
    return None


def _chunks_reach_end(file: BinaryIO, position: int, file_size: int) -> bool:
    """Tells whether whole chunks, and nothing else, follow up to the end of the file.

    A size field that was never completed fails this test: what follows it is audio.
    """
    while position < file_size:
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or not (chunk[:4].isascii() and chunk[:4].decode().isprintable()):
            return False
        size = int.from_bytes(chunk[4:], "little")
        position += 8 + size + size % 2
    # The pad byte after an odd-sized last chunk is often left out.
    return position <= file_size + 1


def _repaired_wav(content: bytes, layout: _WavLayout) -> bytes:
    size_field = slice(layout.start - 4, layout.start)
    repaired = bytearray(content)
    repaired[size_field] = struct.pack("<I", min(layout.size, 0xFFFF_FFFF))
    repaired[4:8] = struct.pack("<I", min(len(content) - 8, 0xFFFF_FFFF))
    return bytes(repaired)


def read_wav_pcm(path: str | os.PathLike[str]) -> tuple[bytes, int]:
    """Reads a mono PCM16 WAV file without decoding it, even one that is still being written.

    Returns:
        The PCM up to the end of the file, and its sample rate. No samples give ``b""``.

    Raises:
        AudioError: The file is missing or not mono PCM16 WAV.
    """
    path = Path(path)
    _check_file(path)
    with path.open("rb") as file:
        layout = _wav_layout(file)
        if layout is None or len(layout.format) < 16:
            raise AudioError(f"{path} is not a WAV file; load_audio reads other kinds.")
        tag, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", layout.format[:16])
        if tag == 0xFFFE:  # extensible: the real tag is the first field of the sub-format
            tag = int.from_bytes(layout.format[24:26], "little")
        if (tag, channels, bits) != (1, 1, 16):
            raise AudioError(f"{path} is not mono PCM16; load_audio converts it.")
        file.seek(layout.start)
        return file.read(layout.size // 2 * 2), sample_rate


class GrowingWav:
    """A mono PCM16 WAV file that is valid after every `flush`, even if the process is then killed.

    Not thread-safe: one thread owns it.
    """

    _HEADER_SIZE = 44
    _SILENCE = bytes(1 << 16)

    def __init__(self, path: str | os.PathLike[str], sample_rate: int) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115 (closed by close)
        self._sample_rate = sample_rate
        self._samples = 0
        self._file.write(self._header())
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def samples(self) -> int:
        """Number of samples appended so far, silence included."""
        return self._samples

    def append(self, pcm: bytes) -> None:
        """Adds PCM16 at the end.

        Raises:
            AudioError: The number of bytes is odd.
        """
        self._samples += len(_int16_from_pcm(pcm))
        self._file.write(pcm)

    def pad_to(self, sample_index: int) -> None:
        """Adds silence until the file is ``sample_index`` samples long; never shortens it."""
        missing = 2 * (sample_index - self._samples)
        while missing > 0:
            silence = self._SILENCE[:missing]
            self.append(silence)
            missing -= len(silence)

    def flush(self) -> None:
        """Hands everything to the operating system and bring the header up to date."""
        self._file.flush()  # audio first: a reader may find more of it than the header says
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Flushes and close; closing twice does nothing."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()

    def _header(self) -> bytes:
        size = min(2 * self._samples, 0xFFFF_FFFF - self._HEADER_SIZE)
        rate = self._sample_rate
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", size + self._HEADER_SIZE - 8, b"WAVE"),
            *(b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
            *(b"data", size),
        )
