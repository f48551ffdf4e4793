"""The recordings that come with the package: short real sessions, to look at without making any.

They are kept with their audio as FLAC, and unpacked to what :func:`realtime_nb.load` opens.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import overload

import soundfile

from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.recording import Recording, load

__all__ = ["SAMPLE_RECORDINGS", "pack", "samples"]

_PACKED = Path(__file__).parents[1] / "samples" / "recordings"

SAMPLE_RECORDINGS = {
    "first_conversation": "two questions, two answers",
    "interrupted": "the user talks over the agent, which stops",
    "parallel_tools": "three functions at once: one fails, one takes three seconds",
    "cut_short": "300 ms of silence end a turn, so that some are cut in two; marks tell where they "
    "really end",
    "lost_connection": "the connection is lost in the middle of an answer, and comes back",
}
"""What there is, and what happens in it."""


@overload
def samples(name: None = None, *, folder: str | os.PathLike[str] | None = None) -> Recordings: ...
@overload
def samples(name: str, *, folder: str | os.PathLike[str] | None = None) -> Recording: ...


@at_call
def samples(
    name: str | None = None, *, folder: str | os.PathLike[str] | None = None
) -> Recordings | Recording:
    """Returns the recordings that come with the package, or one of them by its name.

    ``first_conversation``, ``interrupted``, ``parallel_tools``, ``cut_short``,
    ``lost_connection``: recorded human voices and the agent of the local server.

    Args:
        name: of one.
        folder: where copies of them are put, which stay; where a recording is there already, that
            one is opened. None: into a temporary folder, which goes with this process, and so do
            marks that you set.

    Raises:
        ConfigurationError: none has this name.
    """
    if name is not None and name not in SAMPLE_RECORDINGS:
        known = ", ".join(SAMPLE_RECORDINGS)
        raise ConfigurationError(
            f"There is no recording {name!r} in the package. There are {known}."
        )
    place = _temporary() if folder is None else Path(folder)
    if name is not None:
        return load(_unpacked(name, place))
    return Recordings([_unpacked(one, place) for one in SAMPLE_RECORDINGS])


def pack(recording: Path, packed: Path) -> None:
    """Copies a recording, with its audio as FLAC, which loses nothing."""
    packed.mkdir(parents=True)
    for path in sorted(recording.iterdir()):
        if path.suffix == ".wav":
            pcm, rate = soundfile.read(path, dtype="int16")
            soundfile.write(packed / f"{path.stem}.flac", pcm, rate, subtype="PCM_16")
        else:
            shutil.copyfile(path, packed / path.name)


@cache
def _temporary() -> Path:
    place = Path(tempfile.mkdtemp(prefix="realtime_nb_samples_"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def _unpacked(name: str, place: Path) -> Path:
    """Returns the folder of a recording, which is made if it is not there yet."""
    folder = place / name
    if folder.exists():
        return folder
    place.mkdir(parents=True, exist_ok=True)
    # Made under another name: what was interrupted is not taken for a recording.
    with tempfile.TemporaryDirectory(prefix=f".{name}_", dir=place) as making:
        made = Path(making) / name
        made.mkdir()
        for path in (_PACKED / name).iterdir():
            if path.suffix == ".flac":
                pcm, rate = soundfile.read(path, dtype="int16")
                soundfile.write(made / f"{path.stem}.wav", pcm, rate, subtype="PCM_16")
            else:
                shutil.copyfile(path, made / path.name)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():  # somebody else was faster
                raise
    return folder
