"""WAV files made byte by byte, right and wrong ones."""

from __future__ import annotations

import struct
import wave
from pathlib import Path


def write_wav(path: Path, pcm: bytes, sample_rate: int = 24_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)
    return path


def fmt(sample_rate: int = 24_000, channels: int = 1) -> bytes:
    frame = 2 * channels
    return struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, frame * sample_rate, frame, 16
    )


def wav(pcm: bytes, sample_rate: int = 24_000, size: int | None = None, channels: int = 1) -> bytes:
    """A WAV file; ``size`` stands in both its size fields, where it is given."""
    told = len(pcm) if size is None else size
    whole = 36 + len(pcm) if size is None else size
    head = b"RIFF" + struct.pack("<I", whole) + b"WAVE" + fmt(sample_rate, channels)
    return head + b"data" + struct.pack("<I", told) + pcm


def long_wav(form: bytes, pcm: bytes, size: int) -> bytes:
    """A file of the kind that may be longer than 4 GB, of mono PCM16 at 24 kHz."""
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, size, size, size // 2, 0)
    head = form + b"\xff" * 4 + b"WAVE" + sizes + fmt()
    return head + b"data" + b"\xff" * 4 + pcm
