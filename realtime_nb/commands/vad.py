"""``realtime-nb vad``: where speech is in a file, and what there is to say of the file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realtime_nb.audio.files import AudioFile, read_audio
from realtime_nb.audio.levels import QUIET_PEAK_DBFS
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.speech_engines import speech_engine
from realtime_nb.audio.vad import speech_as_heard
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import SpeechSpan, TurnSettings
from realtime_nb.recordings.progress import progress_bar

__all__ = ["FoundSpeech", "check_picture", "speech_in_file", "write_picture"]

PICTURES = (".png", ".svg", ".pdf")

_READ_MS = 60_000
_BAR = "{percentage:3.0f}% |{bar:40}| {elapsed}, about {remaining} to go"
_CREST_DB = 16.0
"""By so much are the peaks of speech above its level."""


@dataclass(frozen=True, slots=True)
class FoundSpeech:
    """Speech in a file.

    Attributes:
        spans: where it is.
        speech_level_dbfs: how loud it is there; NaN where there is none.
    """

    audio: AudioFile
    spans: list[SpeechSpan]
    speech_level_dbfs: float

    @property
    def duration_ms(self) -> int:
        """Length of the file's audio."""
        return round(len(self.audio.sound) * 1000 / SAMPLE_RATE)

    @property
    def notes(self) -> list[str]:
        """What may have made the result another one, in sentences."""
        notes = [*self.audio.notes, *self.audio.level_notes]
        quiet = self.speech_level_dbfs < QUIET_PEAK_DBFS - _CREST_DB
        if quiet and self.audio.peak_dbfs >= QUIET_PEAK_DBFS:
            notes.append(f"Its speech is very quiet: {self.speech_level_dbfs:.0f} dBFS.")
        if self.spans and self.spans[-1].cut:
            notes.append("The last speech is cut: the file ends before its closing silence does.")
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON can hold it."""
        audio = self.audio
        return {
            "duration_ms": self.duration_ms,
            "segments": [
                {
                    "start_ms": span.onset_ms,
                    "end_ms": span.offset_ms,
                    "audio_start_ms": span.audio_start_ms,
                    "audio_end_ms": span.audio_end_ms,
                    "cut": span.cut,
                }
                for span in self.spans
            ],
            "sample_rate": audio.sample_rate,
            "channels": audio.channels,
            "channel": audio.channel,
            "channels_differ": audio.channels_differ,
            "peak_dbfs": _known(audio.peak_dbfs, 1),
            "speech_level_dbfs": _known(self.speech_level_dbfs, 1),
            "clipped_samples": audio.clipped_samples,
            "clipping_share": round(audio.clipping_share, 6),
            "cut_off": audio.is_cut_off,
            "missing_ms": _known(1000 * audio.missing_s),
            "notes": self.notes,
        }


def speech_in_file(
    path: Path,
    settings: TurnSettings,
    engine: str = "silero",
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
    on_span: Callable[[SpeechSpan], None] = lambda _: None,
) -> FoundSpeech:
    """Finds the speech in a file.

    Args:
        path, raw_sample_rate, channel: as for :func:`realtime_nb.audio.files.read_audio`.
        settings, engine: as for :func:`realtime_nb.audio.vad.find_speech`.
        on_span: is told of each span as soon as it is found, long before the end of a long file.

    Raises:
        AudioError: It is not audio.
        ConfigurationError: There is no such engine or channel.
    """
    detector = speech_engine(engine)
    audio = read_audio(path, raw_sample_rate=raw_sample_rate, channel=channel)
    per_ms = SAMPLE_RATE // 1000
    spans: list[SpeechSpan] = []
    energy, count = 0.0, 0
    with progress_bar(len(audio.sound), "samples", bar_format=_BAR) as bar:
        for span in speech_as_heard(audio.sound, settings, detector, bar.update):
            spans.append(span)
            bar.clear()  # the span's row comes in its place
            on_span(span)
            for first in range(span.onset_ms, span.offset_ms, _READ_MS):
                last = min(first + _READ_MS, span.offset_ms)
                heard = audio.sound[first * per_ms : last * per_ms]
                energy += float(np.square(heard, dtype=np.float64).sum())
                count += len(heard)
    level = 10 * math.log10(energy / count) if energy else -math.inf if count else math.nan
    return FoundSpeech(audio, spans, level)


def check_picture(path: Path) -> None:
    """Refuses a path that no picture can be written to, before a long file is listened to.

    Raises:
        ConfigurationError: another ending than those of pictures, or a place that can't be written.
    """
    if path.suffix.lower() not in PICTURES:
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        known = f"{', '.join(PICTURES[:-1])} or {PICTURES[-1]}"
        raise ConfigurationError(f"--plot {path} {ending}; give a path that ends in {known}.")
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = f"there is no folder {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        why = "permission denied"
    else:
        return
    raise _unwritable(path, why)


def write_picture(
    path: Path,
    audio: Path,
    settings: TurnSettings,
    engine: str = "silero",
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
) -> None:
    """Draws what :func:`speech_in_file` finds, as :func:`realtime_nb.plots.vad.plot_vad` does.

    Raises:
        ConfigurationError: the picture can't be written.
    """
    import matplotlib as mpl

    mpl.use("agg")  # no window is opened
    import matplotlib.pyplot as plt

    from realtime_nb.plots.vad import plot_vad

    ax = plot_vad(
        audio,
        settings.threshold,
        settings.silence_duration_ms,
        settings.prefix_padding_ms,
        engine,
        sample_rate=raw_sample_rate,
        channel=channel,
    )
    ax.set_title(audio.name, fontsize="small", loc="left", pad=18, parse_math=False)
    try:
        plt.savefig(path, dpi=150)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    finally:
        plt.close(ax.figure.canvas.figure)


def _unwritable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The picture {path} can't be written: {why}. Give --plot another path."
    )


def _known(value: float, digits: int | None = None) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
