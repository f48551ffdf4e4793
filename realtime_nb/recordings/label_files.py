"""Files of labels: where the turns of some audio really are."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from realtime_nb.analysis.what_if.label_text import turns_in_text
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.errors import ConfigurationError, RecordingError, at_call

__all__ = ["LABEL_SUFFIXES", "read_labels"]

LABEL_SUFFIXES = (".TextGrid", ".textgrid", ".rttm", ".json", ".txt")
"""Of files beside an audio file, in which its labels are looked for, in this order."""

_LARGEST_BYTES = 64 << 20


@at_call
def read_labels(
    path: str | os.PathLike[str],
    *,
    tier: str | None = None,
    speaker: str | None = None,
    channel: int | str | None = None,
) -> list[TrueTurn]:
    """Reads where the turns of some audio really are, for :func:`realtime_nb.sweep`.

    A label is one turn, pauses included. The kind of the file is told by its content: JSON (rows
    with ``start_s`` and ``end_s``, ``start_ms`` and ``end_ms``, or ``start`` and ``end`` in
    seconds, alone or as ``segments``), an Audacity label track, RTTM, or a Praat TextGrid, long or
    short.

    Args:
        path: The file, in UTF-8 or, with a byte order mark, UTF-16.
        tier: Which tier of a TextGrid; unless given, the only one, or ``user``.
        speaker: Whose turns of an RTTM file; unless given, the only one's, or ``user``'s.
        channel: Which channel of an RTTM file, as it counts them.

    Raises:
        RecordingError: There is no such file, or it can't be read.
        ConfigurationError: It holds no labels, or damaged ones; or which of several tiers, speakers
            or channels is meant is not told, or not there.
    """
    path = Path(path)
    return turns_in_text(_text(path), path.name, tier=tier, speaker=speaker, channel=channel)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise RecordingError(f"{path} is larger than labels are; is it the audio?")
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}.") from error
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path.name} is neither UTF-8 nor UTF-16 text; is it a file of labels?"
        ) from None
    if "\0" in text:
        raise ConfigurationError(f"{path.name} is no text; is it a file of labels?")
    return text
