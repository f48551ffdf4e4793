"""The ``server_vad`` state machine: speech probabilities in, turns out.

One machine serves the local server, the lab's what-if runs and the tests. It comes in two forms
that agree on every input: `TurnDetector` takes one probability at a time, `find_speech_spans` takes
a whole recording.

Frame ``t`` covers ``[32·t, 32·t + 32)`` ms of the audio that was appended; the clock is audio time,
never wall time. A turn opens once ``min_speech_ms`` of consecutive frames reach ``threshold``, and
closes once ``silence_duration_ms`` of consecutive frames lie below ``threshold − hysteresis``.
Durations are rounded up to whole frames, so 200 ms of silence are 224 and 500 ms are 512.

Thirty-two milliseconds, the clamp of the first turn at 0 and silence as part of ``audio_end_ms``
are taken from positions that OpenAI's server reported. Hysteresis and the clamp to the end of the
previous turn are assumptions, in line with Silero's own iterator.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import Literal

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turn_detection import SERVER_VAD

__all__ = [
    "FRAME_MS",
    "LONGEST_MS",
    "SPEECH_STEPS",
    "Runs",
    "SpeechSpan",
    "SpeechStart",
    "SpeechState",
    "SpeechStep",
    "SpeechStop",
    "TurnDetector",
    "TurnSettings",
    "find_speech_spans",
    "frame_count",
    "spans_from_runs",
]

FRAME_MS = 32
"""Length of one detector frame: 512 samples at 16 kHz, 768 at 24 kHz."""

SpeechState = Literal["quiet", "open"]
SpeechStep = Literal["open", "close", "drop"]

SPEECH_STEPS: dict[tuple[SpeechState, SpeechStep], SpeechState] = {
    ("quiet", "open"): "open",  # enough frames of speech in a row
    ("open", "close"): "quiet",  # enough frames of silence in a row, or a turn model's word
    ("open", "drop"): "quiet",  # the client committed or cleared its audio
    ("quiet", "drop"): "quiet",
}
"""What a turn is to the state machine, and what becomes of it."""

_LOWEST_EXIT_THRESHOLD = 0.01

LONGEST_MS = round(SERVER_VAD["silence_duration_ms"].high)
"""No padding, silence or least speech is longer: what servers take, too."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What decides where turns begin and end.

    The first three are those of ``turn_detection``. The last two exist only in the lab and the
    local server.

    Attributes:
        threshold: Probability in 0..1 from which a frame counts as speech.
        prefix_padding_ms: Audio before the first speech frame that belongs to the turn.
        silence_duration_ms: Silence that ends a turn. OpenAI's live default is 200; its
            documentation says 500.
        min_speech_ms: Speech that it takes to open a turn.
        hysteresis: How far below ``threshold`` a frame must fall to count as silence.
    """

    threshold: float = SERVER_VAD["threshold"].usual
    prefix_padding_ms: int = SERVER_VAD["prefix_padding_ms"].usual
    silence_duration_ms: int = SERVER_VAD["silence_duration_ms"].usual
    min_speech_ms: int = 0
    hysteresis: float = 0.15

    def __post_init__(self) -> None:
        for name in ("threshold", "hysteresis"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise ConfigurationError(f"{name} is {value!r}; give a number from 0 to 1")
        for name in ("prefix_padding_ms", "silence_duration_ms", "min_speech_ms"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= LONGEST_MS:
                raise ConfigurationError(
                    f"{name} is {value!r}; give milliseconds from 0 to {LONGEST_MS}"
                )

    @property
    def exit_threshold(self) -> float:
        """Probability below which a frame of an open turn counts as silence."""
        return max(self.threshold - self.hysteresis, _LOWEST_EXIT_THRESHOLD)

    @property
    def silence_frames(self) -> int:
        """Consecutive silent frames that close a turn."""
        return max(1, frame_count(self.silence_duration_ms))

    @property
    def min_speech_frames(self) -> int:
        """Consecutive speech frames that open a turn."""
        return max(1, frame_count(self.min_speech_ms))


def _is_number(value: object) -> bool:
    """Returns whether it is a number: of Python or numpy, and no flag."""
    return isinstance(value, Real) and not isinstance(value, bool)


def frame_count(duration_ms: float) -> int:
    """Returns how many frames hold a window whole."""
    return math.ceil(duration_ms / FRAME_MS)


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """A turn opened.

    Attributes:
        audio_start_ms: Start of the turn's audio, padding included.
        onset_ms: Start of the first speech frame.
        at_ms: Audio time at which it was known.
    """

    audio_start_ms: int
    onset_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStop:
    """A turn closed.

    Attributes:
        audio_end_ms: End of the turn's audio, closing silence included.
        offset_ms: End of speech as detected, without the closing silence.
        at_ms: Audio time at which it was known.
    """

    audio_end_ms: int
    offset_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """One stretch of speech, in milliseconds of appended audio.

    Speech as detected is ``[onset_ms, offset_ms)``; the turn's audio, with the padding before and
    the silence after it, is ``[audio_start_ms, audio_end_ms)``. Where the audio ended before the
    silence did that ends a turn, the span is ``cut``; a server would still wait.
    """

    audio_start_ms: int
    onset_ms: int
    offset_ms: int
    audio_end_ms: int
    cut: bool = False


class TurnDetector:
    """The streaming form: one `step` per frame.

    Args:
        settings: May be changed at any time with `configure`.
        base_ms: Audio appended before the first frame.
    """

    def __init__(self, settings: TurnSettings | None = None, base_ms: int = 0) -> None:
        self.configure(settings or TurnSettings())
        self._now_ms = base_ms
        self._floor_ms = base_ms  # audio before it belongs to earlier turns
        self._state: SpeechState = "quiet"
        self._audio_start_ms = base_ms
        self._speech_frames = 0
        self._silent_frames = 0

    @property
    def settings(self) -> TurnSettings:
        """The settings in force."""
        return self._settings

    @property
    def now_ms(self) -> int:
        """End of the last frame."""
        return self._now_ms

    @property
    def speaking(self) -> bool:
        """Whether a turn is open."""
        return self._state == "open"

    @property
    def audio_start_ms(self) -> int | None:
        """Start of the open turn's audio; None between turns."""
        return self._audio_start_ms if self._state == "open" else None

    @property
    def silence_ms(self) -> int:
        """Silence at the end of the open turn; 0 between turns."""
        return self._silent_frames * FRAME_MS

    def configure(self, settings: TurnSettings) -> None:
        """Applies new settings from the next frame on; an open turn and the counters stay."""
        self._settings = settings
        self._threshold = settings.threshold
        self._exit_threshold = settings.exit_threshold
        self._silence_frames = settings.silence_frames
        self._min_speech_frames = settings.min_speech_frames

    def step(self, probability: float) -> SpeechStart | SpeechStop | None:
        """Takes the next frame's speech probability; return what changed, if anything did."""
        self._now_ms += FRAME_MS
        if self._state == "quiet":
            return self._step_idle(probability)
        self._silent_frames = self._silent_frames + 1 if probability < self._exit_threshold else 0
        return self.stop_now() if self._silent_frames >= self._silence_frames else None

    def _step_idle(self, probability: float) -> SpeechStart | None:
        # A frame that begins before the floor holds audio that was committed or cleared.
        heard = probability >= self._threshold and self._now_ms - FRAME_MS >= self._floor_ms
        self._speech_frames = self._speech_frames + 1 if heard else 0
        if self._speech_frames < self._min_speech_frames:
            return None
        onset_ms = self._now_ms - self._speech_frames * FRAME_MS
        start_ms = max(self._floor_ms, onset_ms - self._settings.prefix_padding_ms)
        self._audio_start_ms = start_ms
        self._goes("open", self._floor_ms)
        return SpeechStart(audio_start_ms=start_ms, onset_ms=onset_ms, at_ms=self._now_ms)

    def stop_now(self) -> SpeechStop:
        """Closes the open turn at the last frame, as when a turn model decided so.

        Raises:
            RuntimeError: No turn is open.
        """
        if self._state != "open":
            raise RuntimeError("No turn is open; look at `speaking` before stopping one.")
        now_ms, silence_ms = self._now_ms, self.silence_ms
        self._goes("close", now_ms)
        return SpeechStop(audio_end_ms=now_ms, offset_ms=now_ms - silence_ms, at_ms=now_ms)

    def end_turn(self, now_ms: int | None = None) -> None:
        """Gives up the open turn, if there is one: the client committed or cleared the audio.

        Args:
            now_ms: End of the audio that is gone. It may lie after the last frame, as a commit
                can come in the middle of one. Later turns start no earlier.
        """
        self._goes("drop", self._now_ms if now_ms is None else now_ms)

    def _goes(self, step: SpeechStep, floor_ms: int) -> None:
        """Goes to the next state; turns to come start no earlier than ``floor_ms``."""
        self._state = SPEECH_STEPS[self._state, step]
        self._floor_ms = max(self._floor_ms, floor_ms)
        self._speech_frames = 0
        self._silent_frames = 0


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of consecutive frames: ``[starts[i], ends[i])``, ascending, none touching the next."""

    starts: Sequence[int]
    ends: Sequence[int]


def find_speech_spans(
    probabilities: Iterable[float], settings: TurnSettings | None = None, base_ms: int = 0
) -> list[SpeechSpan]:
    """Finds speech in a whole recording, as the streaming form does.

    A turn still open at the end of the audio ends there; its speech, where it last was heard.

    Args:
        probabilities: One per 32-ms frame.
        settings: Defaults to `TurnSettings()`.
        base_ms: Audio appended before the first frame.
    """
    settings = settings or TurnSettings()
    frames = [float(p) for p in probabilities]  # float32 would round the thresholds, too
    speech = _runs(p >= settings.threshold for p in frames)
    quiet = _runs(p < settings.exit_threshold for p in frames)
    return spans_from_runs(speech, quiet, len(frames), settings, base_ms)


def _runs(flags: Iterable[bool]) -> Runs:
    starts: list[int] = []
    ends: list[int] = []
    inside = False
    # The last, false flag closes a run that reaches the end.
    for frame, flag in enumerate(chain(flags, (False,))):
        if flag != inside:
            (starts if flag else ends).append(frame)
            inside = flag
    return Runs(starts, ends)


def spans_from_runs(
    speech: Runs, quiet: Runs, frames: int, settings: TurnSettings, base_ms: int = 0
) -> list[SpeechSpan]:
    """Finds speech by run lengths, in time that grows with the number of turns, not of frames.

    Args:
        speech: Runs of frames at or above ``settings.threshold``. Runs shorter than
            ``settings.min_speech_frames`` may be left out.
        quiet: Runs of frames below ``settings.exit_threshold``. Runs shorter than
            ``settings.silence_frames`` may be left out, but for one that reaches the end.
        frames: How many the recording has.
        settings: The settings that both were made with.
        base_ms: Audio appended before the first frame.
    """
    found: list[SpeechSpan] = []
    speech_frames, silence_frames = settings.min_speech_frames, settings.silence_frames
    padding_ms = settings.prefix_padding_ms
    end_ms = base_ms + frames * FRAME_MS
    frame, floor_ms = 0, base_ms
    while (opened := _first_run(speech, frame, speech_frames)) is not None:
        onset_ms = base_ms + opened[0] * FRAME_MS
        start_ms = onset_ms - padding_ms
        if start_ms < floor_ms:
            start_ms = floor_ms
        closed = _first_run(quiet, opened[1], silence_frames)
        if closed is None:
            offset_ms = base_ms + _last_loud_end(quiet, opened[1], frames) * FRAME_MS
            found.append(SpeechSpan(start_ms, onset_ms, offset_ms, end_ms, cut=True))
            break
        frame = closed[1]
        floor_ms = base_ms + frame * FRAME_MS
        found.append(SpeechSpan(start_ms, onset_ms, base_ms + closed[0] * FRAME_MS, floor_ms))
    return found


def _first_run(runs: Runs, frame: int, length: int) -> tuple[int, int] | None:
    """Finds ``length`` frames of a run from ``frame`` on: where they start and end."""
    for i in range(bisect_right(runs.ends, frame), len(runs.ends)):
        start = max(frame, runs.starts[i])
        if runs.ends[i] - start >= length:
            return start, start + length
    return None


def _last_loud_end(quiet: Runs, frame: int, frames: int) -> int:
    """Returns where the silence at the end begins, from ``frame`` on; the end if there is none."""
    if quiet.ends and quiet.ends[-1] == frames:
        return max(frame, quiet.starts[-1])
    return frames
