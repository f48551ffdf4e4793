"""One sound and what turn detection makes of it: wave, speech probability, and turns."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.timeline import PlacedAudio
from realtime_nb.audio.files import read_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.given_samples import given_samples
from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.audio.speech_engines import SpeechEngine, speech_engine
from realtime_nb.errors import AudioError, ConfigurationError, at_call
from realtime_nb.plots import style
from realtime_nb.plots.timeline import envelope, quiet_scale
from realtime_nb.protocol.turn_detection import CLIENT_SILENCE_MS, SERVER_VAD
from realtime_nb.protocol.turns import FRAME_MS, SpeechSpan, TurnSettings, find_speech_spans
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_vad"]

_HEIGHT_IN = 2.6
_WAVE = 1.72
"""Middle of the wave; the probability lies below, from 0 to 1."""
_WAVE_HALF = 0.52
_TOP = _WAVE + _WAVE_HALF + 0.08
_MARKS = _TOP + 0.09
_APART = 0.14
"""Ticks of the probability are at least so far apart."""
_STEP_DOTS = 2
"""A step of the probability is at least so wide; there are two dots to a pixel."""
_RANGE = (np.minimum, np.maximum)
_MARK_PX = 14
"""Of turns closer than this, events are marked without lines."""
_SOLID: tuple[float, Sequence[float]] = (0, ())
_DASHED: tuple[float, Sequence[float]] = (0, (4, 2))
_SPEECH_ALPHA = 2 * style.SPEECH_ALPHA
_CLOSING_ALPHA = 0.22


@at_call
def plot_vad(
    source: str | os.PathLike[str] | Recorded | npt.ArrayLike,
    threshold: float = SERVER_VAD["threshold"].usual,
    silence_duration_ms: int = CLIENT_SILENCE_MS,
    prefix_padding_ms: int = SERVER_VAD["prefix_padding_ms"].usual,
    engine: str | SpeechEngine = "silero",
    ax: Axes | None = None,
    *,
    sample_rate: int | None = None,
    channel: int | str | None = None,
) -> Axes:
    """Draws where turns begin and end in a sound, and why: the wave, the speech probability of each
    32-ms frame, and the threshold that it has to reach.

    Turns are those that the local server reports for the same settings. ▶ is ``audio_start_ms`` of
    ``speech_started``, ■ is ``audio_end_ms`` of ``speech_stopped``; in between, what was taken for
    speech is darker than the padding before it, and the closing silence is grey.

    Args:
        source: path of an audio file or of a recording's folder; a recording, of which it is what
            the user said; or samples.
        threshold: speech probability from 0 to 1 that opens a turn.
        silence_duration_ms: silence that ends a turn.
        prefix_padding_ms: audio kept from before the detected start.
        engine: what hears speech; probabilities of one are not those of another.
        ax: where to draw; without it, a figure of its own.
        sample_rate: of samples, or of a headerless file; None: 24,000, or what the file's name
            tells.
        channel: of a file with several, as for ``session.play``.

    Raises:
        AudioError: the file is missing or not audio, or there are no samples.
        ConfigurationError: a setting outside its limits, no such engine, or no such channel.
    """
    settings = TurnSettings(threshold, prefix_padding_ms, silence_duration_ms)
    name = engine if isinstance(engine, str) else type(engine).__name__
    detector = FrameDetector(engine=speech_engine(engine) if isinstance(engine, str) else engine)
    sound, notes = _sound(source, sample_rate, channel)
    heard = detector.recording(pcm_from_samples(block) for block in blocks(sound)).tolist()
    spans = find_speech_spans(heard, settings)
    return _draw(_Heard(sound, np.array(heard), spans, settings, name, tuple(notes)), ax)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is drawn."""

    sound: LongSound
    probabilities: npt.NDArray[np.float64]
    spans: list[SpeechSpan]
    settings: TurnSettings
    engine: str
    notes: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        return len(self.sound) / SAMPLE_RATE


# --- what is given --------------------------------------------------------------------------------


def _sound(
    source: Any, sample_rate: int | None, channel: int | str | None
) -> tuple[LongSound, list[str]]:
    """Returns a sound at 24 kHz, and what there is to say of it."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if (path / "session.json").is_file():
            path = path / "input.wav"
        audio = read_audio(path, raw_sample_rate=sample_rate, channel=channel)
        return audio.sound, [*audio.notes, *audio.level_notes]
    if hasattr(source, "conversation") and hasattr(source, "sound"):
        sound = source.sound("input")
        if not len(sound):
            raise AudioError(f"There is no audio of a user in {source.path}.")
        return sound, []
    return _samples(source, SAMPLE_RATE if sample_rate is None else sample_rate), []


def _samples(given: Any, sample_rate: int) -> Samples:
    if np.asarray(given).dtype.kind not in "biuf":
        raise ConfigurationError(
            f"{type(given).__name__} is no sound; give a path, a recording, or samples from −1 "
            "to 1."
        )
    return given_samples(given, sample_rate, SAMPLE_RATE, "source")


# --- drawing --------------------------------------------------------------------------------------


@style.on_any_page
def _draw(heard: _Heard, ax: Axes | None = None) -> Axes:
    ax = style.axes_or_new(ax, _HEIGHT_IN)
    settings = heard.settings
    ax.set_ylim(-0.04, _MARKS + 0.1)
    ticks = {0.0: "0", 1.0: "1", settings.threshold: f"{settings.threshold:g}"}
    far = [at for at in ticks if at == settings.threshold or abs(at - settings.threshold) > _APART]
    ax.set_yticks([*far, _WAVE], [*(ticks[at] for at in far), "sound"])
    ax.set_ylabel(f"probability ({heard.engine})", loc="bottom", fontsize="small")
    style.strip_frame(ax, grid="x")
    style.settle(ax)
    duration_s = max(heard.duration_s, 0.1)
    style.time_axis(ax, duration_s)
    bins = int(max(200, style.size_px(ax)[0] * 2))
    _draw_turns(ax, heard, duration_s / bins)
    _draw_marks(ax, heard.spans)
    _draw_wave(ax, heard, duration_s, bins)
    _draw_probabilities(ax, heard, bins)
    _draw_thresholds(ax, settings, duration_s)
    style.legend_above(ax)
    style.caption(ax, _told(heard))
    return ax


def _draw_turns(ax: Axes, heard: _Heard, least_s: float) -> None:
    """Draws padding, speech and closing silence of each turn."""
    spans = heard.spans
    padding = [(span.audio_start_ms, span.onset_ms) for span in spans]
    speech = [(span.onset_ms, span.offset_ms) for span in spans]
    closing = [(span.offset_ms, span.audio_end_ms) for span in spans]
    for label, colour, alpha, edges in (
        ("padding", style.SPEECH_COLOUR, style.SPEECH_ALPHA, padding),
        ("speech", style.SPEECH_COLOUR, _SPEECH_ALPHA, speech),
        ("closing silence", style.NEUTRAL_COLOUR, _CLOSING_ALPHA, closing),
    ):
        there = np.array([edge for edge in edges if edge[1] > edge[0]]) / 1000
        if len(there):
            ends_s = np.fmax(there[:, 1], there[:, 0] + least_s)
            look = {"facecolors": colour, "alpha": alpha, "label": label}
            style.bars(ax, there[:, 0], ends_s, 0.0, _TOP, **look)


def _draw_marks(ax: Axes, spans: list[SpeechSpan]) -> None:
    """Draws where both events say that turns begin and end."""
    starts = [span.audio_start_ms for span in spans]
    stops = [span.audio_end_ms for span in spans if not span.cut]
    crowded = len(spans) * _MARK_PX > style.size_px(ax)[0]
    for label, marker, line, edges_ms in (
        ("speech_started", ">", _SOLID, starts),
        ("speech_stopped", "s", _DASHED, stops),
    ):
        if not edges_ms:
            continue
        at_s = np.array(edges_ms) / 1000
        if not crowded:
            ax.vlines(at_s, 0, _MARKS, colors=style.CALL_COLOUR, linewidth=1.2, linestyles=line)
        ax.plot(
            at_s,
            np.full(len(at_s), _MARKS),
            marker=marker,
            markersize=2.5 if crowded else 6,
            color=style.CALL_COLOUR,
            linestyle="",
            clip_on=False,
            label=label,
        )


def _draw_wave(ax: Axes, heard: _Heard, duration_s: float, bins: int) -> None:
    low, high = envelope([PlacedAudio(0.0, heard.sound)], duration_s, bins)
    scale = _WAVE_HALF * quiet_scale([(low, high)])
    times_s = (np.arange(bins) + 0.5) * duration_s / bins
    colour = style.user_wave_colour(style.ink())
    ax.fill_between(
        times_s,
        _WAVE + scale * low,
        _WAVE + scale * high,
        facecolor=colour,
        edgecolor=colour,
        linewidth=0.6,
    )


def _draw_probabilities(ax: Axes, heard: _Heard, bins: int) -> None:
    """Draws each frame as a step; where they are too narrow for that, the mean of a few, and
    between which values they lie."""
    values, frame_s = heard.probabilities, FRAME_MS / 1000
    if not len(values):
        return
    together = math.ceil(len(values) * _STEP_DOTS / bins)
    firsts = np.arange(0, len(values), together)
    edges_s = np.append(firsts, len(values)) * frame_s
    counts = np.diff(np.append(firsts, len(values)))
    means = np.add.reduceat(values, firsts) / counts
    if together > 1:
        low, high = (low_or_high.reduceat(values, firsts) for low_or_high in _RANGE)
        ax.stairs(high, edges_s, baseline=low, fill=True, color=style.AGENT_COLOUR, alpha=0.25)
    width_pt = 1.4 if together == 1 else 0.9
    ax.stairs(means, edges_s, baseline=None, color=style.AGENT_COLOUR, linewidth=width_pt)


def _draw_thresholds(ax: Axes, settings: TurnSettings, duration_s: float) -> None:
    for at, line, alpha, label in (
        (settings.threshold, (0, (5, 2)), 1.0, "threshold"),
        (settings.exit_threshold, (0, (1, 2)), 0.8, "silence below"),
    ):
        ax.hlines(
            at,
            0,
            duration_s,
            colors=style.ERROR_COLOUR,
            linewidth=1.5,
            linestyles=line,
            alpha=alpha,
            label=label,
        )


def _told(heard: _Heard) -> list[str]:
    """Returns what the picture shows, in sentences."""
    settings, spans = heard.settings, heard.spans
    told = [
        f"{counted(len(spans), 'turn')} at threshold {settings.threshold:g}, silence "
        f"{settings.silence_duration_ms:g} ms, padding {settings.prefix_padding_ms:g} ms."
    ]
    if not len(heard.probabilities):
        told.append(f"The sound is shorter than a frame of {FRAME_MS} ms.")
    elif not spans:
        highest = int(np.argmax(heard.probabilities))
        value, at_s = heard.probabilities[highest], highest * FRAME_MS / 1000
        told.append(f"The highest probability is {value:.2f}, at {at_s:.2f} s.")
    if spans and spans[-1].cut:
        told.append("The last turn is open: the sound ends before its closing silence does.")
    return [*told, *heard.notes]
