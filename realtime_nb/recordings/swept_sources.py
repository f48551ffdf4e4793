"""What a sweep works on: audio from anywhere, with its labels and the settings it was made with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.turn_moments import SPEECH_END_LABEL
from realtime_nb.analysis.vad_lab.labels import (
    NOT_FINISHED_LABEL,
    NOT_ME_LABEL,
    Labels,
    true_spans,
)
from realtime_nb.analysis.what_if.candidates import told_settings
from realtime_nb.analysis.what_if.true_turns import (
    TrueTurn,
    checked_turns,
    given_turns,
    marked_turns,
)
from realtime_nb.archive.lines import LabelLine
from realtime_nb.audio.files import level_notes, read_audio
from realtime_nb.audio.given_samples import check_sample_rate, given_samples
from realtime_nb.audio.levels import PeakMeter
from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import ServerVAD
from realtime_nb.protocol.turn_detection import SERVER_VAD
from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.label_files import LABEL_SUFFIXES, read_labels
from realtime_nb.recordings.recording import Recording, load

__all__ = ["Swept", "swept_sources"]

Source: TypeAlias = (
    "str | os.PathLike[str] | Recording | Recordings | npt.NDArray[Any] | Sequence[Any]"
)

_KEYS_NOTE = (
    "its labels are keys pressed in the lab, which are about turns that its server took: what that "
    "server did not hear is labelled by nobody, and counts as a false start where a setting hears "
    "it."
)
_AUDIO_SUFFIXES = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".raw", ".pcm"),
    *(".ulaw", ".alaw", ".sln", ".au", ".caf"),
}


@dataclass(frozen=True, slots=True)
class Swept:
    """One piece of audio.

    Attributes:
        name: what to call it.
        sound: at 24 kHz.
        truth: its turns; None where nobody labelled them.
        in_use: the settings of its session when that ended; None where there were none.
        notes: what to know of it, in sentences.
    """

    name: str
    sound: LongSound = field(repr=False)
    truth: list[TrueTurn] | None = None
    in_use: ServerVAD | None = None
    notes: tuple[str, ...] = ()

    @property
    def duration_ms(self) -> float:
        """How long it is."""
        return len(self.sound) * 1000 / SAMPLE_RATE

    def level_notes(self) -> list[str]:
        """Returns what there is to say of its loudness, in sentences."""
        meter = PeakMeter()
        for block in blocks(self.sound):
            meter.take(block)
        return level_notes(meter.peak_dbfs, meter.clipped_samples / max(1, len(self.sound)))


def swept_sources(
    source: object, labels: object, sample_rate: int, channel: int | str | None
) -> list[Swept]:
    """Returns all audio that is meant.

    Args:
        source: A recording, several, a path of one, of an audio file or of a folder of either, or
            samples; or a list of these.
        labels: Of one piece of audio: a path, or a list; of several: by their names, or a list of
            these. None: those that lie with it.
        sample_rate: Of samples.
        channel: Of audio files.

    Raises:
        ConfigurationError: It is none of these, or labels are not what they must be.
        RecordingError, AudioError: There is no audio.
    """
    check_sample_rate(sample_rate)
    found = list(_pieces(source, sample_rate, channel))
    own = _labels_of(labels, [piece.name for piece in found])
    return [_labelled(piece, given) for piece, given in zip(found, own, strict=True)]


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    sound: LongSound
    kept: Callable[[], list[TrueTurn] | None] | None = None
    in_use: ServerVAD | None = None
    notes: tuple[str, ...] = ()


def _labelled(piece: _Piece, given: list[TrueTurn] | None) -> Swept:
    duration_ms = len(piece.sound) * 1000 / SAMPLE_RATE
    if given is None and piece.kept is not None:
        given = piece.kept()
    truth = None if given is None else checked_turns(given, duration_ms, piece.name)
    return Swept(piece.name, piece.sound, truth, piece.in_use, piece.notes)


def _labels_of(labels: object, names: Sequence[str]) -> list[list[TrueTurn] | None]:
    """Returns what was given of each piece of audio; None where nothing was."""
    if labels is None:
        return [None] * len(names)
    if isinstance(labels, Mapping) and "segments" not in labels:
        unknown = [str(name) for name in labels if name not in names]
        if unknown:
            raise ConfigurationError(
                f"labels has {', '.join(unknown)}, and the audio is {', '.join(names)}; name "
                "labels as the audio is named."
            )
        return [_read(labels[name]) if name in labels else None for name in names]
    if len(names) == 1:
        return [_read(labels)]
    if isinstance(labels, list | tuple) and len(labels) == len(names):
        return [None if one is None else _read(one) for one in labels]
    raise ConfigurationError(
        f"There are {len(names)} pieces of audio ({', '.join(names[:3])}, …); give labels by "
        "their names, {name: labels, …}, or a list of as many."
    )


def _read(given: Any) -> list[TrueTurn]:
    return read_labels(given) if isinstance(given, str | os.PathLike) else given_turns(given)


# --- where audio comes from -----------------------------------------------------------------------


def _pieces(source: object, sample_rate: int, channel: int | str | None) -> Iterator[_Piece]:
    if isinstance(source, Recording):
        yield _of_recording(source)
    elif isinstance(source, str | os.PathLike):
        yield from _of_path(Path(source), channel)
    elif isinstance(source, np.ndarray):
        yield _Piece("samples", given_samples(source, sample_rate, SAMPLE_RATE, "source"))
    elif isinstance(source, Recordings | list | tuple) and len(source):
        if all(isinstance(one, int | float) for one in source):
            raise ConfigurationError("source is a list of numbers; give samples as a NumPy array.")
        found = [piece for one in source for piece in _pieces(one, sample_rate, channel)]
        yield from _with_names_apart(found)
    else:
        raise ConfigurationError(
            f"source is {source!r}; give a recording, a path, samples as a NumPy array, or a "
            "list of these."
        )


def _of_recording(rec: Recording) -> _Piece:
    sound = rec.sound("input")
    name = rec.path.name
    if not len(sound):
        raise RecordingError(
            f"{name} holds no audio of the user, so that nothing can be tried on it: its input.wav "
            "is missing or empty, or it is a log that leaves audio out."
        )
    detection = rec.conversation.turn_detection
    duration_ms = len(sound) * 1000 / SAMPLE_RATE
    notes = [*rec.problems, *_detection_notes(rec, detection)]
    if _by_keys(rec):
        notes.append(_KEYS_NOTE)
    return _Piece(
        *(name, sound, lambda: _own_labels(rec, duration_ms), _in_use(detection), tuple(notes))
    )


def _own_labels(rec: Recording, duration_ms: float) -> list[TrueTurn] | None:
    """Returns the turns that the marks of a recording tell, or else the keys of the lab."""
    if not len(rec.labels):
        return None
    pressed = _by_keys(rec)
    if pressed is None:
        return marked_turns(rec, rec.voices.user_ms) or None
    spans_ms = true_spans(pressed, rec.conversation.speech, sorted(rec.voices.user_ms))
    return [
        TrueTurn(start_ms, min(end_ms, duration_ms), onset_told=False)
        for start_ms, end_ms in spans_ms
        if start_ms < duration_ms
    ]


def _by_keys(rec: Recording) -> Labels | None:
    """Returns what was said by keys of a recording's turns; None where a person marked speech."""
    texts = set(rec.labels.text)
    if SPEECH_END_LABEL in texts or not texts & {NOT_FINISHED_LABEL, NOT_ME_LABEL}:
        return None
    pressed = Labels()
    pressed.take_lines(
        (LabelLine(row["t_s"], row["text"]) for row in records(rec.labels)),
        *(rec.conversation.speech, rec.input_clock),
    )
    return pressed if pressed.all else None


def _in_use(detection: JsonObject | None) -> ServerVAD | None:
    """Returns the settings of a session; None where they are none of this kind."""
    if detection is None or detection.get("type", "server_vad") != "server_vad":
        return None
    told = {
        name: detection[name]
        for name in ("threshold", "prefix_padding_ms", "silence_duration_ms")
        if isinstance(detection.get(name), int | float)
    }
    try:
        return told_settings(ServerVAD(**told), SERVER_VAD["silence_duration_ms"].usual)
    except ConfigurationError:  # a server may have what no client may ask for
        return None


def _detection_notes(rec: Recording, detection: JsonObject | None) -> Iterator[str]:
    if detection is not None and detection.get("type") == "semantic_vad":
        yield "its session used semantic_vad, which is not among the settings here."
    changes = rec.conversation.settings.all
    names = {"turn_detection", *SERVER_VAD}
    if any(change.name in names for change in changes):
        yield "turn detection was changed in its session; in use is what was so at the end."
    if rec.conversation.audio.cuts_ms:
        yield "its client committed or cleared audio by itself, which is left out here."


def _of_path(path: Path, channel: int | str | None) -> Iterator[_Piece]:
    if path.is_dir() and not (path / "session.json").exists():
        yield from _of_folder(path, channel)
    elif path.suffix.lower() in _AUDIO_SUFFIXES and path.exists():
        audio = read_audio(path, channel=channel)
        yield _Piece(path.name, audio.sound, lambda: _beside(path), None, audio.notes)
    else:
        yield _of_recording(load(path, channel=channel))


def _of_folder(folder: Path, channel: int | str | None) -> Iterator[_Piece]:
    if any(folder.rglob("session.json")):
        yield from _pieces(Recordings(folder), SAMPLE_RATE, channel)
        return
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _AUDIO_SUFFIXES)
    if not paths:
        raise RecordingError(f"There is neither a recording nor an audio file in {folder}.")
    for path in paths:
        yield from _of_path(path, channel)


def _beside(path: Path) -> list[TrueTurn] | None:
    """Returns the labels in the file of the same name beside an audio file, where there is one."""
    for suffix in LABEL_SUFFIXES:
        if (file := path.with_suffix(suffix)).exists():
            return read_labels(file) or None
    return None


def _with_names_apart(pieces: list[_Piece]) -> Iterator[_Piece]:
    names = [piece.name for piece in pieces]
    for index, piece in enumerate(pieces):
        same = names[: index + 1].count(piece.name)
        if names.count(piece.name) == 1:
            yield piece
        else:
            name = f"{piece.name} {same}"
            yield _Piece(name, piece.sound, piece.kept, piece.in_use, piece.notes)
