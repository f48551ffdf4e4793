"""Audio files as blocks of samples, channel by channel, in the file's own rate.

Whatever libsndfile reads, and headerless audio by the file's suffix. A file may be several, one
after the other, as what is received in pieces and written as it came; each is a part.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.pcm import SAMPLE_RATE, alaw_decode, samples_from_pcm, ulaw_decode
from realtime_nb.audio.wav import SIZE_UNKNOWN, WAV_FORMS, find_wav_header, repaired_wav_head
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    import soundfile

__all__ = ["AudioPart", "Block", "likelier_than_pcm16", "open_parts", "told_length_s"]

Block = npt.NDArray[np.float32]
"""Float32 samples, shape (frames, channels)."""

_BLOCK_FRAMES = 1 << 16
_TELEPHONE_RATE = 8_000

_PCM_RATES = {
    **dict.fromkeys((".raw", ".pcm", ".s16", ".s16le"), SAMPLE_RATE),
    ".sln": _TELEPHONE_RATE,
    **{f".sln{kilohertz}": 1_000 * kilohertz for kilohertz in (8, 12, 16, 24, 32, 48, 96, 192)},
    ".sln44": 44_100,
}
"""Suffixes of headerless PCM16, and their usual sample rates; Asterisk's name theirs."""
_ULAW = (".ulaw", ".mulaw", ".ul", ".mu", ".pcmu")
_ALAW = (".alaw", ".al", ".pcma")

_RATES = range(1_000, 1_000_001)
"""Other sample rates are a damaged header's."""
_ENDLESS = 1 << 40
"""Frames that a file is said to have where nothing tells."""
_PADDING_FRAMES = 2 * 1_152
"""By so much may the header of an MP3 file be wrong about its length."""
_MISCOUNTED_BYTES = 64
"""A size field that is wrong by less counts the header in."""
_PROBE_BYTES = 4_096
_SHORTEST_TEXT = 16
_GUESSED_BYTES = 1 << 20
_SOUND, _SMOOTHER = 0.9, 0.75
_LAW_SOUND, _LAW_SMOOTHER, _SAME_ROUGHNESS = 0.8, 0.85, 0.1
_NOT_ANY = 2.0
_UNSCALED = 8.0
_HEADERS = (b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3", b"NIST_1A")
_WAVE64 = b"riff\x2e\x91\xcf\x11"
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]*")
_AU_SIZE = slice(8, 12)
_WRONG_SIZE = re.compile(r"(\d+) \(should be (\d+)\)")
_MP3_INDEX = re.compile(rb"\xff[\xe2-\xff].{2}(?:.{9}|.{17}|.{32})\Z", re.DOTALL)


class AudioPart(ABC):
    """One audio file, or one of several in a file.

    Attributes:
        sample_rate: in Hz.
        channels: how many.
        told_frames: how long it is by its header; 0 where there is none that tells, NaN where it
            tells nothing but that there should be more.
        coarse: whether samples next to each other are often equal because there are few values.
        doubt: what its bytes rather are than what they were taken for, in a sentence.
    """

    sample_rate: int
    channels: int
    told_frames: float = 0.0
    coarse = False
    doubt = ""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Decodes it from its beginning, up to its end or to where it can't be read any more."""


def open_parts(path: Path, raw_sample_rate: int | None = None) -> list[AudioPart]:
    """Returns what a file consists of, in order.

    Args:
        path: of the file.
        raw_sample_rate: of headerless audio; by its suffix unless given.

    Raises:
        AudioError: It is not audio that can be read.
        OSError: It can't be read at all.
    """
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(_PROBE_BYTES)
        if suffix in (*_PCM_RATES, *_ULAW, *_ALAW) and not _has_header(head):
            if len(head) >= _SHORTEST_TEXT and _TEXT.fullmatch(head):
                raise AudioError(f"{path} is a text, not headerless audio; name an audio file.")
            return [_HeaderlessPart(path, suffix, raw_sample_rate)]
        starts = [0, *_later_starts(file, head)]
        size = file.seek(0, os.SEEK_END)
    ends = [*starts[1:], size]
    return [_FilePart(path, start, end) for start, end in zip(starts, ends, strict=True)]


def told_length_s(path: Path, raw_sample_rate: int | None = None) -> float:
    """Returns how long a WAV file or headerless audio is, without reading it; 0 of other files."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        header = find_wav_header(file)
        if header is not None:
            return header.found_bytes / header.bytes_per_s if header.bytes_per_s else 0.0
        if suffix not in (*_PCM_RATES, *_ULAW, *_ALAW):
            return 0.0
        bytes_per_s = 2 * _PCM_RATES[suffix] if suffix in _PCM_RATES else _TELEPHONE_RATE
        if raw_sample_rate is not None:
            bytes_per_s = (2 if suffix in _PCM_RATES else 1) * raw_sample_rate
        return file.seek(0, os.SEEK_END) / bytes_per_s


def _has_header(head: bytes) -> bool:
    if head[:4] in (*WAV_FORMS, b"RIFX"):
        return head[8:12] == b"WAVE"
    return head.startswith((*_HEADERS, _WAVE64))


# --- files in files ---


def _later_starts(file: BinaryIO, head: bytes) -> list[int]:
    """Returns where further files of the same kind begin in a file."""
    if not file.seek(0, os.SEEK_END) or not file.seekable():
        return []
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if head[:4] in WAV_FORMS:
            found = [
                at
                for form in WAV_FORMS
                for at in _places(content, form)
                if content[at + 8 : at + 12] == b"WAVE"
                and find_wav_header(_window(file, at, len(content))) is not None
            ]
        elif head.startswith(b"fLaC"):
            found = list(_places(content, b"fLaC\0\0\0\x22"))
        elif head.startswith(b"OggS"):
            found = _ogg_starts(content)
        elif head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1:2] >= b"\xe2"):
            found = _mp3_starts(content)[1:]
        else:
            found = []
    return sorted(found)


def _places(content: mmap.mmap, name: bytes) -> Iterator[int]:
    """Yields where a name is, but for the very beginning."""
    at = content.find(name, 1)
    while at >= 0:
        yield at
        at = content.find(name, at + 1)


def _ogg_starts(content: mmap.mmap) -> list[int]:
    """Returns where streams begin anew, not beside one that has just begun."""
    starts: list[int] = []
    fresh = True
    for at in _places(content, b"OggS\0"):
        begins = bool(content[at + 5] & 2) if at + 5 < len(content) else False
        if begins and not fresh:
            starts.append(at)
        fresh = begins
    return starts


def _mp3_starts(content: mmap.mmap) -> list[int]:
    """Returns where frames lie that hold the index of a file, its first included."""
    starts = []
    for name in (b"Xing", b"Info"):
        for at in _places(content, name):
            frame = _MP3_INDEX.search(content[max(0, at - 36) : at])
            if frame is not None:
                starts.append(at - (frame.end() - frame.start()))
    return sorted(starts)


# --- headerless audio ---


class _HeaderlessPart(AudioPart):
    """PCM16 or G.711 without a header, mono."""

    channels = 1

    def __init__(self, path: Path, suffix: str, sample_rate: int | None) -> None:
        self._path = path
        law = suffix not in _PCM_RATES
        usual = _TELEPHONE_RATE if law else _PCM_RATES[suffix]
        self.sample_rate = sample_rate or usual
        self.coarse = law
        self._decode = (ulaw_decode if suffix in _ULAW else alaw_decode) if law else bytes
        if not law:
            with path.open("rb") as file:
                self.doubt = likelier_than_pcm16(file.read(_GUESSED_BYTES))

    def blocks(self) -> Iterator[Block]:
        """Implements :class:`AudioPart`."""
        with self._path.open("rb") as file:
            while payload := file.read(2 * _BLOCK_FRAMES):
                pcm = self._decode(payload)
                yield samples_from_pcm(pcm[: len(pcm) // 2 * 2])[:, None]


def likelier_than_pcm16(payload: bytes) -> str:
    """Returns in a sentence what headerless audio rather is, where another way to read it gives a
    sound and PCM16 gives noise; nothing else.

    In speech each sample is near the one before, whatever its rate. Of G.711, whose samples are
    single bytes, both orders of the bytes of PCM16 are equally rough.
    """
    payload = payload[: len(payload) // 8 * 8]
    if not payload:
        return ""
    little, big = (_roughness(np.frombuffer(payload, order)) for order in ("<i2", ">i2"))
    name = ""
    if _is_smoother(big, little):
        name = "big-endian PCM16: ffmpeg -f s16be -ar RATE -ac 1 -i FILE out.wav"
    elif _is_smoother(_roughness_of_floats(payload), little):
        name = "32-bit floats: ffmpeg -f f32le -ar RATE -ac 1 -i FILE out.wav"
    elif abs(big - little) < _SAME_ROUGHNESS * little:
        micro, a = (_roughness(samples_from_pcm(d(payload))) for d in (ulaw_decode, alaw_decode))
        if min(micro, a) < min(_LAW_SOUND, _LAW_SMOOTHER * little):
            letter, suffix = ("µ", ".ulaw") if micro < a else ("A", ".alaw")
            name = f"G.711 {letter}-law: name it {suffix}"
    return f"As PCM16 it is noise. It looks like {name}." if name else ""


def _is_smoother(other: float, little: float) -> bool:
    return other < min(_SOUND, _SMOOTHER * little)


def _roughness_of_floats(payload: bytes) -> float:
    """Returns the same of 32-bit floats; that of noise where they are none."""
    floats = np.frombuffer(payload, "<f4")
    scaled = np.isfinite(floats).all() and float(np.abs(floats).max()) < _UNSCALED
    return _roughness(floats) if scaled else _NOT_ANY


def _roughness(samples: npt.NDArray[np.generic]) -> float:
    """Returns how much samples differ from those before, by how large they are: 0 to 2. Speech
    has 0.2 to 0.9, noise 1.4."""
    values = samples.astype(np.float64)
    values -= values.mean()
    size = float(np.sqrt(np.mean(np.square(values))))
    return float(np.sqrt(np.mean(np.square(np.diff(values))))) / size if size else _NOT_ANY


# --- what libsndfile reads ---


class _FilePart(AudioPart):
    """A file with a header, or such a stretch of one."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._path, self._start, self._end = path, start, end
        with path.open("rb") as file, self._opened(file) as sound:
            self.sample_rate, self.channels = sound.samplerate, sound.channels
            self.told_frames = self._told(file, sound)
            self.coarse = sound.subtype in ("ULAW", "ALAW", "PCM_U8", "PCM_S8")
        if self.sample_rate not in _RATES:
            raise AudioError(
                f"{path} has {self.sample_rate:,} samples per second by its header, which is "
                "damaged; export it again."
            )

    def blocks(self) -> Iterator[Block]:
        """Implements :class:`AudioPart`."""
        import soundfile

        with self._path.open("rb") as file, self._opened(file) as sound:
            position = 0
            while True:
                room = np.full((_BLOCK_FRAMES, self.channels), np.nan, np.float32)
                try:
                    block = sound.read(out=room)
                except (soundfile.SoundFileError, ValueError) as error:
                    block = room[: int(np.argmax(np.isnan(room[:, 0])))]  # up to the fault
                    if not position + len(block):
                        raise AudioError(
                            f"{self._path} is damaged, and nothing of it can be read; "
                            "export it again."
                        ) from error
                position += len(block)
                if len(block):
                    yield block
                if len(block) < _BLOCK_FRAMES:
                    return

    def _opened(self, file: BinaryIO) -> soundfile.SoundFile:
        import soundfile

        content = _window(file, self._start, self._end)
        header = find_wav_header(content)
        if header is not None and not header.sizes_right:
            content = _window(file, self._start, self._end, repaired_wav_head(content, header))
        content.seek(0)
        start = content.read(_AU_SIZE.stop)
        if start[:4] == b".snd" and not 0 < int.from_bytes(start[_AU_SIZE]) < SIZE_UNKNOWN:
            content = _window(file, self._start, self._end, start[: _AU_SIZE.start] + b"\xff" * 4)
        content.seek(0)
        try:
            return soundfile.SoundFile(content)
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            reason = str(error).split(": ", 1)[-1]
            raise AudioError(
                f"{self._path} is not audio that can be read ({reason.rstrip('.')}). Give a WAV, "
                "FLAC, OGG or MP3 file, or name headerless PCM16 .raw or .pcm and G.711 .ulaw or "
                ".alaw; for others: ffmpeg -i FILE out.wav"
            ) from error

    def _told(self, file: BinaryIO, sound: soundfile.SoundFile) -> float:
        content = _window(file, self._start, self._end)
        known = sound.seekable() and sound.frames < _ENDLESS
        frames = float(sound.frames) if known else 0.0
        header = find_wav_header(content)
        if header is not None:
            missing = header.missing_bytes
            if missing < _MISCOUNTED_BYTES or not header.found_bytes:
                return 0.0
            return frames * header.told_bytes / header.found_bytes
        if sound.format == "OGG":
            return frames if _ogg_ends(content) else math.nan
        for told, found in _WRONG_SIZE.findall(sound.extra_info)[-1:]:
            if 0 < int(found) < int(told) < SIZE_UNKNOWN:
                return frames * int(told) / int(found)
        return frames - _PADDING_FRAMES if sound.format == "MP3" else frames


def _ogg_ends(file: BinaryIO) -> bool:
    """Tells whether the last page of an Ogg file is its stream's."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 17)))  # two of the largest pages
    tail = file.read()
    last = tail.rfind(b"OggS")
    return last >= 0 and len(tail) > last + 5 and bool(tail[last + 5] & 4)


def _window(file: BinaryIO, start: int, end: int, head: bytes = b"") -> io.BufferedReader:
    return io.BufferedReader(_Window(file, start, end, head), 1 << 16)


class _Window(io.RawIOBase):
    """A stretch of a file as a file of its own; ``head`` stands in place of its first bytes."""

    def __init__(self, file: BinaryIO, start: int, end: int, head: bytes) -> None:
        self._file = file
        self._start, self._size = start, end - start
        self._head = head
        self._at = 0

    def readable(self) -> bool:
        """Implements a file."""
        return True

    def seekable(self) -> bool:
        """Implements a file."""
        return True

    def tell(self) -> int:
        """Implements a file."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Implements a file; what lies before the beginning is the beginning."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Implements a file."""
        self._file.seek(self._start + self._at)
        payload = self._file.read(min(len(buffer), max(0, self._size - self._at)))
        told = self._head[self._at : self._at + len(payload)]
        buffer[: len(payload)] = told + payload[len(told) :]
        self._at += len(payload)
        return len(payload)
