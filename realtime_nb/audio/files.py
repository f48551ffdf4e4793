"""Audio files: read as samples or as they are, and WAV files that grow while they are read.

The header of a WAV file is taken with care: it may be of a writer that was killed or still writes,
so that its sizes are missing, too small or too large.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, int16_from_pcm, samples_from_pcm
from realtime_nb.errors import AudioError

__all__ = [
    "GROWING_HEADER_BYTES",
    "GrowingWav",
    "WavHeader",
    "load_audio",
    "read_wav_header",
    "read_wav_pcm",
]

GROWING_HEADER_BYTES = 44
"""What is before the audio in a :class:`GrowingWav`."""

_RAW_SUFFIXES = (".raw", ".pcm")
_SIZE_UNKNOWN = 0xFFFFF000
"""What writes to a pipe gives such a size."""
_EXTENSIBLE = 0xFFFE
_PCM = 1


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

    header = read_wav_header(path)
    with path.open("rb") as file:
        source: BinaryIO = file
        if header is not None and header.told_bytes != header.found_bytes:
            source = BytesIO(_repaired_wav(file.read(), header))
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


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file says of its audio, and how much of that there is.

    Attributes:
        encoding: the format's tag; 1 is PCM.
        bytes_per_s: of the audio.
        start: where the audio begins in the file.
        told_bytes: how long it is by its size field; 0 where that does not tell.
        found_bytes: how long it is: as the size field says, where what follows proves it, else up
            to the file's end.
    """

    encoding: int
    channels: int
    sample_rate: int
    bytes_per_s: int
    bits: int
    start: int
    told_bytes: int
    found_bytes: int

    @property
    def is_mono_pcm16(self) -> bool:
        """Whether its bytes are what is called ``pcm`` here."""
        return (self.encoding, self.channels, self.bits) == (_PCM, 1, 16)

    @property
    def told_s(self) -> float:
        """How long the audio is by its size field; 0 where that does not tell."""
        return self.told_bytes / self.bytes_per_s if self.bytes_per_s else 0.0

    @property
    def missing_bytes(self) -> int:
        """How much the file lacks of what its size field tells."""
        return max(0, self.told_bytes - self.found_bytes)


def read_wav_header(path: Path) -> WavHeader | None:
    """Reads where the audio of a WAV file lies; None when it is none, or ends before its audio."""
    with path.open("rb") as file:
        file_size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(12)
        form = b""
        while (head[:4], head[8:]) == (b"RIFF", b"WAVE") and len(chunk := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            start = file.tell()
            end = start + size + size % 2
            if name == b"data" and len(form) < 16:
                break
            if name == b"data":
                told = size if size < _SIZE_UNKNOWN else 0
                found = size if _chunks_reach_end(file, end, file_size) else file_size - start
                return WavHeader(*_format(form), start, told, found)
            if name == b"fmt ":
                form = file.read(min(size, 40))
            file.seek(end)
    return None


def _format(chunk: bytes) -> tuple[int, int, int, int, int]:
    """Returns encoding, channels, sample rate, bytes per second and bits per sample."""
    encoding, channels, sample_rate, bytes_per_s, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if encoding == _EXTENSIBLE:  # the real one is the first field of the sub-format
        encoding = int.from_bytes(chunk[24:26], "little")
    return encoding, channels, sample_rate, bytes_per_s, bits


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


def _repaired_wav(content: bytes, header: WavHeader) -> bytes:
    size_field = slice(header.start - 4, header.start)
    repaired = bytearray(content)
    repaired[size_field] = struct.pack("<I", min(header.found_bytes, 0xFFFF_FFFF))
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
    header = read_wav_header(path)
    if header is None:
        raise AudioError(f"{path} is not a WAV file; load_audio reads other kinds.")
    if not header.is_mono_pcm16:
        raise AudioError(f"{path} is not mono PCM16; load_audio converts it.")
    with path.open("rb") as file:
        file.seek(header.start)
        return file.read(header.found_bytes // 2 * 2), header.sample_rate


class GrowingWav:
    """A mono PCM16 WAV file that is valid after every `flush`, even if the process is then killed.

    Not thread-safe: one thread owns it.
    """

    _SILENCE = bytes(1 << 16)

    def __init__(self, path: str | os.PathLike[str], sample_rate: int) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115 (closed by close)
        self._sample_rate = sample_rate
        self._samples = 0
        self._file.write(self._header())
        self._file.flush()

    def append(self, pcm: bytes) -> None:
        """Adds PCM16 at the end.

        Raises:
            AudioError: The number of bytes is odd.
        """
        self._samples += len(int16_from_pcm(pcm))
        self._file.write(pcm)

    def pad_to(self, sample_index: int) -> None:
        """Adds silence until the file is ``sample_index`` samples long; never shortens it."""
        missing = 2 * (sample_index - self._samples)
        while missing > 0:
            silence = self._SILENCE[:missing]
            self.append(silence)
            missing -= len(silence)

    def flush(self) -> None:
        """Hands everything to the operating system and brings the header up to date."""
        self._file.flush()  # audio first: a reader may find more of it than the header says
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Flushes and closes; closing twice does nothing."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()

    def _header(self) -> bytes:
        size = min(2 * self._samples, 0xFFFF_FFFF - GROWING_HEADER_BYTES)
        rate = self._sample_rate
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", size + GROWING_HEADER_BYTES - 8, b"WAVE"),
            *(b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
            *(b"data", size),
        )
