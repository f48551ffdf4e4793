"""WAV files by their headers, which are taken with care, and WAV files that grow.

A header may be of a writer that was killed, still writes or wrote to a pipe, so that its sizes are
missing, too small, too large or a mere "very long".
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from realtime_nb.audio.pcm import int16_from_pcm
from realtime_nb.errors import AudioError

__all__ = [
    "GROWING_HEADER_BYTES",
    "SIZE_UNKNOWN",
    "WAV_FORMS",
    "GrowingWav",
    "WavHeader",
    "check_is_file",
    "find_wav_header",
    "read_wav_header",
    "read_wav_pcm",
    "repaired_wav_head",
]

GROWING_HEADER_BYTES = 44
"""What is before the audio in a :class:`GrowingWav`."""

WAV_FORMS = (b"RIFF", b"RF64", b"BW64")
"""What WAV files begin with; the last two have sizes of 64 bits."""

SIZE_UNKNOWN = 1_900_000_000
"""From here on a size that the file does not have is a stand-in, as 0xFFFFFFFF, 0x7FFFF000 or
2,000,000,000: what writes to a pipe gives such."""
_LONG = 500_000_000
_HARDLY_BEGUN = 0.1
"""Of a long file this much would be left; then its size is rather a stand-in, too."""
_EXTENSIBLE = 0xFFFE
_PCM = 1
_UNCODED = (_PCM, 3, 6, 7)
"""PCM, floats and G.711: whose samples all have as many bytes as the header says."""


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
        sizes_right: whether the size field is as it should be.
    """

    encoding: int
    channels: int
    sample_rate: int
    bytes_per_s: int
    bits: int
    start: int
    told_bytes: int
    found_bytes: int
    sizes_right: bool

    @property
    def is_mono_pcm16(self) -> bool:
        """Whether its bytes are what is called ``pcm`` here."""
        return (self.encoding, self.channels, self.bits) == (_PCM, 1, 16)

    @property
    def missing_bytes(self) -> int:
        """How much the file lacks of what its size field tells."""
        return max(0, self.told_bytes - self.found_bytes)


def read_wav_header(path: Path) -> WavHeader | None:
    """Reads where the audio of a WAV file lies; None when it is none, or ends before its audio."""
    with path.open("rb") as file:
        return find_wav_header(file)


def find_wav_header(file: BinaryIO) -> WavHeader | None:
    """Does what :func:`read_wav_header` does, of an open file."""
    file_size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    form, long_size = b"", None
    while head[:4] in WAV_FORMS and head[8:] == b"WAVE" and len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        start = file.tell()
        if name == b"data":
            if len(form) < 16:
                break
            size = size if long_size is None else long_size
            end = start + size + size % 2
            found = size if _chunks_reach_end(file, end, file_size) else file_size - start
            told = size if _tells(size, found) else 0
            return WavHeader(*_format(form), start, told, found, sizes_right=size == found)
        if name == b"fmt ":
            form = file.read(min(size, 40))
        if name == b"ds64" and head[:4] != b"RIFF":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        file.seek(start + size + size % 2)
    return None


def _tells(size: int, found: int) -> bool:
    """Tells whether a size field is meant, and no stand-in for what its writer did not know."""
    if size == found:
        return True
    return size < (_LONG if found < _HARDLY_BEGUN * size else SIZE_UNKNOWN)


def _format(chunk: bytes) -> tuple[int, int, int, int, int]:
    """Returns encoding, channels, sample rate, bytes per second and bits per sample."""
    encoding, channels, sample_rate, bytes_per_s, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if encoding == _EXTENSIBLE:  # the real one is the first field of the sub-format
        encoding = int.from_bytes(chunk[24:26], "little")
    if encoding in _UNCODED:  # what some writers leave at 0
        bytes_per_s = sample_rate * channels * -(-bits // 8)
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


def repaired_wav_head(file: BinaryIO, header: WavHeader) -> bytes:
    """Returns what is before the audio of a file, with the sizes that it really has."""
    file.seek(0)
    head = bytearray(file.read(header.start))
    size = header.start + header.found_bytes - 8
    long = head[:4] != b"RIFF" and head[12:16] == b"ds64"
    if long:
        head[20:36] = struct.pack("<QQ", size, header.found_bytes)
    if head[:4] == b"BW64":
        head[:4] = b"RF64"
    head[4:8] = struct.pack("<I", 0xFFFF_FFFF if long else min(size, 0xFFFF_FFFF))
    found = 0xFFFF_FFFF if long else min(header.found_bytes, 0xFFFF_FFFF)
    head[header.start - 4 :] = struct.pack("<I", found)
    return bytes(head)


def check_is_file(path: Path) -> None:
    """Looks whether there is a file that holds anything.

    Raises:
        AudioError: There is none, it is empty, or it may not be looked at.
    """
    try:
        if os.path.isdir(path):
            raise AudioError(f"{path} is a directory; name an audio file in it.")
        if not os.path.exists(path):
            raise AudioError(
                f"{path} does not exist; check the path (working directory: {Path.cwd()})"
            )
        if not path.is_file():
            raise AudioError(
                f"{path} is no regular file. Write what it gives to a file and name that."
            )
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty; record it again or choose another file.")
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror or error}.") from error


def read_wav_pcm(path: str | os.PathLike[str]) -> tuple[bytes, int]:
    """Reads a mono PCM16 WAV file without decoding it, even one that is still being written.

    Returns:
        The PCM up to the end of the file, and its sample rate. No samples give ``b""``.

    Raises:
        AudioError: The file is missing or not mono PCM16 WAV.
    """
    path = Path(path)
    check_is_file(path)
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

    Args:
        file: its path, or the empty file, opened for writing; it is closed with this.
        sample_rate: of the audio, in Hz.
    """

    _SILENCE = bytes(1 << 16)

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, sample_rate: int) -> None:
        self._file: BinaryIO = (
            Path(file).open("wb")  # noqa: SIM115 (closed by close)
            if isinstance(file, str | os.PathLike)
            else file
        )
        self._sample_rate = sample_rate
        self._samples = 0
        try:
            self._file.write(self._header())
            self._file.flush()
        except OSError:
            with suppress(OSError):
                self._file.close()
            raise

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
