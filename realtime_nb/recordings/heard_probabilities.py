"""Speech probabilities of audio, each worked out once: kept by the audio's content.

They are those that the local server has for the same audio (of half an hour and more to 1e-5: see
`realtime_nb.audio.silero_stretches`). What is kept is bounded
(:data:`MOST_FRAMES`): what was asked for longest ago goes first.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.audio.speech_engines import speech_engine

__all__ = ["MOST_FRAMES", "forget", "probabilities_of", "voice_ends_of"]

Values = npt.NDArray[np.float64] | npt.NDArray[np.float32]

MOST_FRAMES = 8_000_000
"""Of all that is kept together: 32 MB, or 70 hours of audio."""

_VOICES = "\0voices"
_kept: OrderedDict[tuple[str, str], Values] = OrderedDict()
_lock = threading.Lock()


def probabilities_of(sound: LongSound, engine: str = "silero") -> npt.NDArray[np.float32]:
    """Returns one probability for each whole 32-ms frame of 24-kHz sound.

    Raises:
        ConfigurationError: There is no such engine.
    """
    made = speech_engine(engine)
    key = (_digest(sound), engine)
    kept = _find(key)
    if kept is None:
        kept = _keep(key, FrameDetector(engine=made).recording(_pcm(sound)))
    return np.asarray(kept, np.float32)


def voice_ends_of(sound: LongSound) -> npt.NDArray[np.float64]:
    """Returns where voices end in 24-kHz sound, in ms; see
    :class:`realtime_nb.audio.speech_ends.SpeechListener`."""
    key = (_digest(sound), _VOICES)
    kept = _find(key)
    if kept is None:
        listener = SpeechListener()
        for pcm in _pcm(sound):
            listener.push(pcm)
        listener.cut()
        kept = _keep(key, np.array([end for _, end in listener.spans_ms], np.float64))
    return np.asarray(kept, np.float64)


def forget() -> None:
    """Forgets all that is kept."""
    with _lock:
        _kept.clear()


def _pcm(sound: LongSound) -> Iterator[bytes]:
    return (pcm_from_samples(block) for block in blocks(sound))


def _digest(sound: LongSound) -> str:
    """Returns a name for the audio as the server would hear it."""
    digest = hashlib.blake2b(digest_size=20)
    for pcm in _pcm(sound):
        digest.update(pcm)
    return digest.hexdigest()


def _find(key: tuple[str, str]) -> Values | None:
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def _keep(key: tuple[str, str], values: Values) -> Values:
    values.flags.writeable = False
    with _lock:
        _kept[key] = values
        while len(_kept) > 1 and sum(map(len, _kept.values())) > MOST_FRAMES:
            _kept.popitem(last=False)
    return values
