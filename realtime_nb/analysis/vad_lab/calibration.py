"""What some silence and some speech tell of a microphone, and of the threshold that suits it.

A threshold can't mend a microphone that is too quiet, clipped, or in the middle of other voices:
then none is proposed, and what to do is said instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.input_health import InputHealth, input_health
from realtime_nb.analysis.voices import TimeSpan, frame_levels_dbfs
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.levels import DIGITAL_SILENCE_DBFS, QUIET_PEAK_DBFS, PeakMeter
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, samples_from_pcm
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["Calibration", "Fires", "calibrate"]

_SHORTEST_S = 1.0
_LEAST_SPEECH_MS = 500
_VOICE_IN_QUIET_MS = 500
_MOST_CLIPPED = 0.001
_LEAST_SNR_DB = 3.0
_STEADY_DB = 6.0
_BURST_DB = 10.0
_DIP_DB = 15.0
"""So far below its loud moments a voice is between two stretches of it."""
_HEARD = 0.2
"""Probability from which on a frame is part of a noise."""
_WORD = 0.35
"""Probability from which on a frame is part of a word: 0.5 less the usual hysteresis."""
_APART_FRAMES = 2
_LATE_FRAMES = 2
_SHORTEST_FRAMES = 2
_STEPS = tuple(step / 100 for step in range(5, 100))

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fires:
    """How many noises and words reach a threshold."""

    threshold: float
    noises: int
    words: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a microphone was measured to be; NaN where that can't be known, with the reason.

    Attributes:
        noise_floor_dbfs: of the silence, 10th percentile of its 20-ms frames.
        speech_level_dbfs: of the speech, while there is a voice.
        peak_dbfs: of the loudest sample of the speech.
        snr_db: of voice over noise.
        clipping_share: of the samples of the speech.
        applied: what the browser made of the sound, as it reports: ``echo_cancellation``,
            ``noise_suppression``, ``auto_gain_control``.
        noises: what is heard in the silence, by the highest probability in each.
        words: stretches of voice in the speech, about a word each, likewise.
        at_current: what fires at the threshold in force.
        at_proposed: at the proposed one; None where none is proposed.
        problems: what to mend first, most important first.
        reasons: why a number is NaN, by its name.
    """

    noise_floor_dbfs: float
    speech_level_dbfs: float
    peak_dbfs: float
    snr_db: float
    clipping_share: float
    applied: dict[str, object]
    noises: tuple[float, ...]
    words: tuple[float, ...]
    at_current: Fires
    at_proposed: Fires | None
    problems: tuple[str, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """The proposed one; NaN where something else is to be mended first."""
        return math.nan if self.at_proposed is None else self.at_proposed.threshold

    @property
    def sentence(self) -> str:
        """The proposal with the count that argues for it, or what is to be mended first."""
        if self.at_proposed is None:
            return " ".join(self.problems)
        return _argument(self.at_current, self.at_proposed, len(self.noises), len(self.words))


def calibrate(
    quiet: bytes | Samples,
    speech: bytes | Samples,
    *,
    threshold: float = 0.5,
    applied: Mapping[str, object] | None = None,
    engine: str = "silero",
) -> Calibration:
    """Measures a microphone by some seconds of silence and some of speech.

    Args:
        quiet, speech: float samples or PCM16, mono at 24 kHz; three and five seconds are enough.
        threshold: the one in force.
        applied: what the browser reports of its processing.
        engine: by name, what makes the probabilities.

    Raises:
        ConfigurationError: There is less than a second of either, or the threshold is none.
    """
    if isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ConfigurationError(f"threshold is {threshold!r}; give a number from 0 to 1.")
    still, spoken = _samples("quiet", quiet), _samples("speech", speech)
    # One stream, as a microphone is: the detector knows the noise when the voice begins.
    both = speech_probabilities(np.concatenate([still, spoken]), engine=engine)
    border = len(still) * 1000 // SAMPLE_RATE // FRAME_MS
    heard_still, heard_spoken = both[:border], both[border:]
    voiced_ms = [
        (start * FRAME_MS, end * FRAME_MS) for start, end in _groups(heard_spoken >= _WORD, 0)
    ]
    noises = tuple(_noises(still, heard_still))
    words = tuple(_words(spoken, heard_spoken))
    health = input_health(spoken, voiced_ms)
    floor_dbfs, snr_db, reasons = _noise(still, health, voiced_ms)
    problems = tuple(_problems(spoken, heard_still, heard_spoken, snr_db))
    current = _fires(threshold, noises, words)
    if problems:
        reasons["threshold"] = problems[0]
    return Calibration(
        noise_floor_dbfs=floor_dbfs,
        speech_level_dbfs=health.level_dbfs,
        peak_dbfs=health.peak_dbfs,
        snr_db=snr_db,
        clipping_share=_clipped_share(spoken),
        applied=dict(applied or {}),
        noises=noises,
        words=words,
        at_current=current,
        at_proposed=None if problems else _proposed(current, noises, words),
        problems=problems,
        reasons=reasons,
    )


def _samples(name: str, sound: bytes | Samples) -> Samples:
    samples = samples_from_pcm(sound) if isinstance(sound, bytes) else np.asarray(sound, np.float32)
    if samples.ndim != 1 or len(samples) < _SHORTEST_S * SAMPLE_RATE:
        raise ConfigurationError(
            f"{name} has {samples.size / SAMPLE_RATE:.1f} s of mono audio; give "
            f"{_SHORTEST_S:g} s or more at 24 kHz: 3 s of silence, and 5 s of speech."
        )
    return samples


def _noise(
    still: Samples, health: InputHealth, voiced_ms: Sequence[TimeSpan]
) -> tuple[float, float, dict[str, str]]:
    """Returns the noise floor of the silence, how far the voice is above its noise, and what of
    that is unknown."""
    reasons: dict[str, str] = {}
    levels = frame_levels_dbfs(still)
    floor_dbfs = float(np.percentile(levels, 10))
    steady = levels[levels <= np.median(levels) + _STEADY_DB]  # a click is no noise floor
    noise = max(float(np.mean(10 ** (steady / 10))), 1e-12)
    voice = 10 ** (health.level_dbfs / 10) - noise
    snr_db = 10 * math.log10(voice / noise) if voice > 0 else -math.inf if voiced_ms else math.nan
    if not voiced_ms:
        reasons |= dict.fromkeys(("speech_level_dbfs", "snr_db"), "no voice was heard")
    elif floor_dbfs < DIGITAL_SILENCE_DBFS:
        snr_db = math.nan
        reasons["snr_db"] = (
            "the silence is digital: a gate or noise suppression takes the noise away between words"
        )
    return floor_dbfs, snr_db, reasons


def _problems(
    spoken: Samples, heard_still: Probabilities, heard_spoken: Probabilities, snr_db: float
) -> Iterator[str]:
    meter = PeakMeter()
    meter.take(spoken)
    peak_dbfs = meter.peak_dbfs
    if peak_dbfs < DIGITAL_SILENCE_DBFS:
        yield (
            "The microphone gives digital silence: it is muted, or another device. Choose it, or "
            "unmute it, then calibrate again."
        )
        return
    if peak_dbfs < QUIET_PEAK_DBFS:
        yield f"Peak {_db(peak_dbfs)} dBFS: raise the input first, then calibrate again."
    if meter.clipped_samples > _MOST_CLIPPED * len(spoken):
        share = 100 * meter.clipped_samples / len(spoken)
        yield f"{share:.1f} % of the samples are clipped: lower the input first."
    if int(np.count_nonzero(heard_spoken >= _WORD)) * FRAME_MS < _LEAST_SPEECH_MS:
        yield (
            "There is hardly any voice in the speech: speak for all five seconds, nearer to the "
            "microphone."
        )
    elif snr_db < _LEAST_SNR_DB:
        yield (
            f"The voice is only {max(snr_db, 0):.0f} dB above the noise: come nearer to the "
            "microphone, or quieten the room, first."
        )
    voiced_ms = int(np.count_nonzero(heard_still >= 0.5)) * FRAME_MS
    if voiced_ms >= _VOICE_IN_QUIET_MS:
        yield (
            f"{voiced_ms / 1000:.1f} s of the silence are a voice: no threshold tells one voice "
            "from another. Calibrate again while nobody speaks."
        )


def _noises(still: Samples, heard: Probabilities) -> Iterator[float]:
    """Yields the highest probability of each noise: what is louder than the rest, or heard."""
    levels = frame_levels_dbfs(still)
    loud = np.zeros(len(heard), np.bool_)
    for index in np.flatnonzero(levels > max(np.median(levels) + _BURST_DB, DIGITAL_SILENCE_DBFS)):
        frame = int(index) * 20 // FRAME_MS
        loud[frame : frame + 1] = True
    for start, end in _groups(loud | (heard >= _HEARD), _APART_FRAMES):
        yield float(heard[start : end + _LATE_FRAMES].max())


def _words(spoken: Samples, heard: Probabilities) -> Iterator[float]:
    """Yields the highest probability of each stretch of voice, which are about as long as words:
    in fluent speech there is hardly a pause, but its level dips."""
    frames = len(heard)
    powers = np.zeros(frames)
    size = SAMPLE_RATE * FRAME_MS // 1000
    whole = min(frames, len(spoken) // size)
    powers[:whole] = np.mean(np.square(spoken[: whole * size].reshape(whole, size)), axis=1)
    voiced = heard >= _WORD
    if not voiced.any():
        return
    loud = float(np.percentile(powers[voiced], 90))
    for start, end in _groups(voiced & (powers > loud * 10 ** (-_DIP_DB / 10)), 0):
        if end - start > _SHORTEST_FRAMES:
            # A detector says what it heard a little later than it was.
            yield float(heard[start : end + _LATE_FRAMES].max())


def _groups(flags: npt.NDArray[np.bool_], bridged: int) -> list[tuple[int, int]]:
    """Returns runs of true values, those with no more false ones between them together."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    runs = list(zip(changes[::2], changes[1::2], strict=True))
    if not runs:
        return []
    starts = [runs[0][0]]
    ends: list[int] = []
    for (_, end), (start, _) in pairwise(runs):
        if start - end > bridged:
            ends.append(end)
            starts.append(start)
    return list(zip(starts, [*ends, runs[-1][1]], strict=True))


def _fires(threshold: float, noises: Sequence[float], words: Sequence[float]) -> Fires:
    return Fires(
        threshold,
        sum(noise >= threshold for noise in noises),
        sum(word >= threshold for word in words),
    )


def _proposed(current: Fires, noises: Sequence[float], words: Sequence[float]) -> Fires:
    """Returns the threshold that the most noises are below and the most words above.

    Among those that do equally well it is the middle of the widest stretch, and the one in force
    if that does as well.
    """

    def right(fires: Fires) -> int:
        return fires.words - fires.noises

    tried = [_fires(step, noises, words) for step in _STEPS]
    best = max(map(right, tried))
    if right(current) == best:
        return current
    runs = _groups(np.array([right(one) == best for one in tried]), 0)
    start, end = max(runs, key=lambda run: run[1] - run[0])
    return tried[(start + end - 1) // 2]


def _argument(current: Fires, proposed: Fires, noises: int, words: int) -> str:
    voice = "stretches of your voice"
    said = (
        f"all {words} {voice}"
        if proposed.words == words
        else f"{proposed.words} of {words} {voice}"
    )
    if proposed.threshold == current.threshold:
        fired = f"{current.noises} of {noises} noises fire" if noises else "no noise was heard"
        return f"Keep {current.threshold:.2f}: {fired}, and {said} do."
    return (
        f"At {current.threshold:.2f}, {current.noises} of {noises} noises fire; at "
        f"{proposed.threshold:.2f}, {proposed.noises} of {noises}; {said} still fire."
    )


def _clipped_share(samples: Samples) -> float:
    meter = PeakMeter()
    meter.take(samples)
    return meter.clipped_samples / len(samples)


def _db(level: float) -> str:
    return f"{level:.0f}".replace("-", "−")
