"""Recorded human speech in packages of Debian, and how a clip of it is read.

Nothing of it comes with this package: a command fetches it, and where each clip lies, by whom it
is and under which licence is told here. A clip is taken only if its bytes are those that were
labelled.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import soundfile
import soxr

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.errors import AudioError

__all__ = [
    "HOW_TO_GET_THEM",
    "SOURCES",
    "SPEECH_VARIABLE",
    "Archive",
    "SpeechPackage",
    "clip_digest",
    "clip_samples",
    "missing_packages",
    "read_clip",
    "speech_folder",
]

SPEECH_VARIABLE = "REALTIME_NB_SPEECH"
"""Environment variable that names the folder that the packages were unpacked into."""


@dataclass(frozen=True, slots=True)
class SpeechPackage:
    """A package that carries recorded speech.

    Attributes:
        package: name and version.
        path: of its folder of clips, or of the archive that holds them.
        licence: and whose work it is.
    """

    package: str
    path: str
    licence: str


_PROMPTS = "usr/share/asterisk/sounds"

SOURCES = {
    "queen": SpeechPackage(
        "flight-of-the-amazon-queen 1.0.0-9",
        "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c",
        "freeware, may be handed on unchanged; © John Passfield and Steven Stamatiadis",
    ),
    "austen": SpeechPackage(
        "pocketsphinx-testdata 0.8+5prealpha+1-15",
        "usr/share/pocketsphinx/test/data/librivox",
        "public domain (LibriVox)",
    ),
    "allison": SpeechPackage(
        "asterisk-core-sounds-en-wav 1.6.1-1",
        f"{_PROMPTS}/en_US_f_Allison",
        "CC-BY-SA-3.0, Allison Smith",
    ),
    "june": SpeechPackage(
        "asterisk-core-sounds-fr-wav 1.6.1-1",
        f"{_PROMPTS}/fr_CA_f_June",
        "CC-BY-SA-3.0, June Wallack",
    ),
    "carlo": SpeechPackage(
        "asterisk-core-sounds-it-wav 1.6.1-1",
        f"{_PROMPTS}/it_IT_m_Carlo",
        "CC-BY-SA-3.0, Carlo Flora",
    ),
    "topal": SpeechPackage(
        "asterisk-core-sounds-ru-wav 1.6.1-1",
        f"{_PROMPTS}/ru_RU_f_IvrvoiceRU",
        "CC-BY-3.0, provided by Maxim Topal",
    ),
}
"""Where the clips lie, below the folder of the packages."""

HOW_TO_GET_THEM = (
    "The recordings are in packages of Debian. In an empty folder: apt-get download "
    + " ".join(one.package.split()[0] for one in SOURCES.values())
    + ' && for f in *.deb; do dpkg-deb -x "$f" .; done; then '
    f'export {SPEECH_VARIABLE}="$PWD" and run this again.'
)


def speech_folder() -> Path:
    """Returns where packages are unpacked: the root of the file system unless told otherwise."""
    return Path(os.environ.get(SPEECH_VARIABLE) or "/")


def missing_packages() -> list[str]:
    """Returns the packages that are not there."""
    folder = speech_folder()
    return [one.package for one in SOURCES.values() if not (folder / one.path).exists()]


class Archive:
    """The files in an archive of Flight of the Amazon Queen.

    ``QTBL``, a version, and then a table: for each file its name (12 bytes), one byte, its place
    and its length, both big-endian.

    Raises:
        AudioError: the file is no such archive.
    """

    _HEAD, _ENTRY = 15, 21

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        if self._content[:4] != b"QTBL" or len(self._content) < self._HEAD:
            raise AudioError(f"{path} is not the archive that {SOURCES['queen'].package} carries.")
        (count,) = struct.unpack_from(">H", self._content, self._HEAD - 2)
        table = self._content[self._HEAD : self._HEAD + count * self._ENTRY]
        if len(table) < count * self._ENTRY:
            raise AudioError(f"{path} ends within its table; unpack the package again.")
        self._places = {
            name.rstrip(b"\0 ").decode("latin-1"): (start, length)
            for name, start, length in struct.iter_unpack(">12sxII", table)
        }

    @property
    def names(self) -> list[str]:
        """All names."""
        return list(self._places)

    def read(self, name: str) -> bytes:
        """Returns a file; nothing where there is none of that name."""
        start, length = self._places.get(name, (0, 0))
        return self._content[start : start + length]


def read_clip(source: str, clip: str, archives: dict[str, Archive]) -> bytes | None:
    """Returns a clip's bytes; None where its package is not there.

    Args:
        archives: those that are open already, by source.
    """
    path = speech_folder() / SOURCES[source].path
    if source == "queen":
        if source not in archives:
            if not path.exists():
                return None
            archives[source] = Archive(path)
        return archives[source].read(clip)
    file = path / clip
    return file.read_bytes() if file.exists() else None


def clip_digest(content: bytes) -> str:
    """Returns what tells a clip from another one."""
    return hashlib.sha256(content).hexdigest()[:12]


def clip_samples(content: bytes) -> Samples:
    """Returns a clip as a session would send it."""
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    resampled: Samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return resampled
