"""Whether somebody has finished speaking, by how it sounds: Smart Turn v3.2.

The model hears up to 8 s that end in a pause and says how probable it is that the turn is over.
``scripts/extract_smart_turn.py`` takes it from the BSD-2-licensed wheel that it comes in. It runs
on onnxruntime, on one thread that never spins; where that is not installed there is no model.

What it hears are the log-mel features that Whisper was trained on, of audio brought to mean 0 and
variance 1, and laid at the end of the 8 s. Equal bytes give equal probabilities, so what a kernel
finds in a recording is what the server found.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr

from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, decode, pcm_from_samples, samples_from_pcm
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.protocol.semantic_turns import TurnQuestion

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = [
    "MODEL_PATH",
    "NO_TURN_MODEL",
    "SmartTurn",
    "SpokenAudio",
    "has_turn_model",
    "log_mel",
    "turn_model",
]

MODEL_PATH = Path(__file__).parent / "models" / "smart_turn_v3.2.onnx"
"""The published model."""

NO_TURN_MODEL = (
    "semantic_vad goes by the words (an open ending such as “and” or a comma waits longest), not "
    "by the turn model Smart Turn: onnxruntime is not installed. pip install 'realtime_nb[local]'"
)
"""What is so without onnxruntime."""

_RATE = 16_000
_HEARD_S = 8
_WINDOW = 400
_HOP = 160
_BANDS = 80
_PIECE = 8  # frames
_LOADING = threading.Lock()

_Wide = npt.NDArray[np.float64]


@cache
def _hann() -> _Wide:
    """Returns the window, periodic."""
    wave: _Wide = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    return wave


def _hertz(mel: _Wide) -> _Wide:
    """Returns hertz of mel by Slaney: linear to 1 kHz, which is 15, then 27 for a factor 6.4."""
    hertz: _Wide = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    return hertz


@cache
def _bands() -> _Wide:
    """Returns weights (201 bins, 80 bands): triangles of area 1, from peak to peak."""
    highest_mel = 15 + 27 * np.log(_RATE / 2 / 1000) / np.log(6.4)
    corners = _hertz(np.linspace(0, highest_mel, _BANDS + 2))
    bins = np.linspace(0, _RATE / 2, _WINDOW // 2 + 1)[:, None]
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - low) / (peak - low), (high - bins) / (high - peak)
    weights: _Wide = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    return weights


def log_mel(samples: Samples) -> Samples:
    """Returns what the model hears of audio at 16 kHz: its last 8 s, shape (80, 800)."""
    count = _HEARD_S * _RATE
    heard = np.zeros(count, np.float32)
    last = samples[-count:]
    heard[count - len(last) :] = last
    heard = (heard - heard.mean()) / np.sqrt(heard.var() + np.float32(1e-7))
    padded = np.pad(heard.astype(np.float64), _WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:count:_HOP]
    spectra = np.fft.rfft(windows * _hann())
    powers = spectra.real**2 + spectra.imag**2
    # In pieces, each too small for BLAS to spread over threads that would then spin.
    bands = np.matmul(powers.reshape(-1, _PIECE, powers.shape[1]), _bands()).reshape(-1, _BANDS)
    levels = np.log10(np.maximum(bands, 1e-10))
    levels = np.maximum(levels, levels.max() - 8)
    features: Samples = ((levels.T + 4) / 4).astype(np.float32)
    return features


class SmartTurn:
    """Smart Turn v3.2; may be asked from several threads at once."""

    name = "smart-turn-v3.2"

    def __init__(self) -> None:
        self._session = _session()

    def completeness(self, samples: Samples) -> float:
        """Returns the probability that who speaks in audio at 16 kHz has finished. Blocks."""
        (answer,) = self._session.run(None, {"input_features": log_mel(samples)[None]})
        return float(answer.reshape(-1)[0])

    def completeness_of(self, audio: bytes, format_type: str = "audio/pcm") -> float:
        """Returns the same of bytes as a session appends them."""
        samples = samples_from_pcm(decode(format_type, audio))
        return self.completeness(_resampled(samples, wire_format(format_type).sample_rate))

    def warm_up(self) -> None:
        """Runs the model once on silence."""
        self.completeness(np.zeros(_RATE, np.float32))


def _session() -> InferenceSession:
    from onnxruntime import ExecutionMode, InferenceSession, SessionOptions

    options = SessionOptions()
    options.execution_mode = ExecutionMode.ORT_SEQUENTIAL
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return InferenceSession(str(MODEL_PATH), options, providers=["CPUExecutionProvider"])


def _resampled(samples: Samples, sample_rate: int) -> Samples:
    heard = samples[-_HEARD_S * sample_rate :]
    resampled: Samples = soxr.resample(heard, sample_rate, _RATE)
    return resampled


def has_turn_model() -> bool:
    """Tells whether the model can be loaded: whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


def turn_model() -> SmartTurn | None:
    """Returns the model, loaded once per process; None where onnxruntime is not installed."""
    if not has_turn_model():
        return None
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> SmartTurn:
    return SmartTurn()


class SpokenAudio:
    """Audio that a turn model is asked about; each question is answered once.

    Args:
        samples: at 24 kHz, as a session appends them.
        model: what is asked.
    """

    def __init__(self, samples: Samples | LongSound, model: SmartTurn) -> None:
        self._samples = samples
        self._model = model
        self._known: dict[TurnQuestion, float] = {}

    def completeness(self, question: TurnQuestion) -> float:
        """Returns the probability that a turn is over."""
        if question not in self._known:
            per_ms = SAMPLE_RATE // 1000
            heard = self._samples[question.start_ms * per_ms : question.end_ms * per_ms]
            self._known[question] = self._model.completeness_of(pcm_from_samples(heard))
        return self._known[question]
