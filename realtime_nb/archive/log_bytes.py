"""The bytes of a log's file as text in UTF-8: unpacked, and whatever alphabet they are in."""

from __future__ import annotations

import codecs
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from realtime_nb.archive.checked_files import MOST_LOG_BYTES
from realtime_nb.errors import RecordingError

__all__ = ["Unpacked", "in_utf8", "looks_like_log", "unpacked", "unpacked_file"]

_GZIP = b"\x1f\x8b"
_PACKED = {
    b"PK\x03\x04": ("zip", "unzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\0": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"7z\xbc\xaf": ("7z", "7z x"),
}
"""How files begin that have to be unpacked by somebody else: the name of the kind, and by what."""

_MARKS = (
    *((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)
_PROBE_BYTES = 1 << 16
_EVENT = re.compile(
    rb"""type[\\"']*\s*[:=]\s*[\\"']+"""
    rb"(?:session|conversation|response|rate_limits|input_audio_buffer)\.[a-z_.]*[a-z][\\\"']"
)


_PROGRAMS = (".py", ".ipynb", ".js", ".mjs", ".ts", ".tsx", ".html", ".go", ".rs", ".java", ".cs")
"""What names events in these is no log."""


class Unpacked(NamedTuple):
    """What a file holds, and whether its end is missing."""

    content: bytes
    cut_off: bool = False


def unpacked_file(path: Path, most: int = MOST_LOG_BYTES) -> Unpacked:
    """Reads a file; one of gzip, or several in one, is unpacked.

    Raises:
        RecordingError: It is packed in another way, is damaged, or too large when it is unpacked.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}.") from error
    for begins, (kind, command) in _PACKED.items():
        if content.startswith(begins):
            raise RecordingError(f"{path} is packed ({kind}). Unpack it first: {command} {path}")
    try:
        found = unpacked(content, most)
    except zlib.error as error:
        raise RecordingError(
            f"{path} is packed (gzip) and damaged, so that it can't be unpacked ({error}). Fetch "
            "it again."
        ) from error
    if len(found.content) > most:
        raise RecordingError(
            f"{path} has more than {most / 1e6:,.0f} MB when it is unpacked, and no session gives "
            "so much. It is damaged, or several sessions in one; take them apart."
        )
    return found


def unpacked(content: bytes, most: int) -> Unpacked:
    """Returns what is packed by gzip, other content as it is; little more than ``most`` bytes.

    Raises:
        zlib.error: It is damaged, but for a missing end.
    """
    parts: list[bytes] = []
    left = most + 1
    while content.startswith(_GZIP):
        reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        parts.append(reader.decompress(content, left))
        left -= len(parts[-1])
        if not reader.eof or not left:
            return Unpacked(b"".join(parts), cut_off=left > 0)
        content = reader.unused_data.lstrip(b"\0")
    return Unpacked(b"".join(parts)) if parts else Unpacked(content)


def in_utf8(content: bytes) -> bytes:
    """Returns text in UTF-8, without a mark of its alphabet; UTF-16 and UTF-32 need none."""
    for mark, alphabet in _MARKS:
        if content.startswith(mark):
            return content.decode(alphabet, "replace").encode().removeprefix(codecs.BOM_UTF8)
    unmarked = _unmarked(content[:_PROBE_BYTES])
    return content if unmarked is None else content.decode(unmarked, "replace").encode()


def looks_like_log(path: Path) -> bool:
    """Tells whether a file of any name is text in which Realtime events are named, or gzip."""
    try:
        if path.suffix.lower() in _PROGRAMS or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_PROBE_BYTES)
    except OSError:
        return False
    if head.startswith(_GZIP):
        try:
            head = unpacked(head, _PROBE_BYTES).content
        except zlib.error:
            return False
    head = in_utf8(head)
    return b"\0" not in head[:512] and _EVENT.search(head) is not None


def _unmarked(head: bytes) -> str | None:
    """Returns UTF-16 or UTF-32 where every other letter shows it."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half < 2 or max(even, odd) < 0.7 * half:
        return None
    if min(even, odd) > 0.4 * half:
        return "utf-32-le" if head[:1] != b"\0" else "utf-32-be"
    return "utf-16-le" if odd > even else "utf-16-be"
