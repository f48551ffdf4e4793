"""The local server's engines by name: ours, those that a package brings, and what is none."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio import named_engines
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.speech_engines import EnergyVAD
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.llm import LLM, Request, Text
from realtime_nb.local.registry import check_engines, engine_names, engines_of, llm_names
from realtime_nb.local.rules import RuleLLM
from realtime_nb.local.server import serve
from realtime_nb.local.stt import MoonshineSTT
from realtime_nb.local.tts import HibariTTS
from realtime_nb.testing import FakeSTT, FakeTTS
from tests.local.raw_client import joined
from tests.plug_ins import PlugIns

PLUG_IN = """
class Hears:
    name = "theirs"
    def transcribe(self, pcm, sample_rate):
        return "words"

class Thinks:
    name = "theirs"
    closed = 0
    async def reply(self, request):
        yield "no Text"
    def close(self):
        Thinks.closed += 1

class Speaks:
    name = "theirs"
    sample_rate = 16000
    def speak(self, text, voice, speed=1.0):
        return b""

class NoRate(Speaks):
    sample_rate = None

class SlowRate(Speaks):
    sample_rate = 100

class NoName(Hears):
    name = ""

class Mute:
    name = "mute"

def broken():
    raise OSError("no model here")
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlugIns:
    made = PlugIns(tmp_path, monkeypatch)
    made.write("plugged", PLUG_IN)
    bad = {"broken": "plugged:broken", "mute": "plugged:Mute", "absent": "nowhere:X"}
    made.install(
        "plugged",
        {
            "realtime_nb.stt_engines": {
                **{"mine": "plugged:Hears", "unnamed": "plugged:NoName", "whisper": "plugged:Mute"},
                **bad,
            },
            "realtime_nb.llm_engines": {"mine": "plugged:Thinks", **bad},
            "realtime_nb.tts_engines": {
                **{"mine": "plugged:Speaks", "norate": "plugged:NoRate"},
                **{"slow": "plugged:SlowRate", **bad},
            },
        },
    )
    return made


class RulesFirst:
    """Stands for the rules before another model."""

    def __init__(self, other: LLM) -> None:
        self.other = other
        self.name = f"rules+{other.name}"

    async def reply(self, request: Request) -> AsyncIterator[Text]:
        yield Text("")


@pytest.fixture
def rules_first(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("rules_first")
    module.RulesFirst = RulesFirst  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "realtime_nb.local.rules_first", module)


def test_the_defaults() -> None:
    engines = engines_of()
    assert isinstance(engines.stt, MoonshineSTT)
    assert isinstance(engines.llm, RuleLLM)
    assert isinstance(engines.tts, HibariTTS)
    names = {"vad": "silero", "stt": "moonshine-tiny-en", "llm": "rules", "tts": "hibari"}
    assert engines.names == names
    assert engines.made == (engines.stt, engines.llm, engines.tts)


def test_those_of_a_package_are_found_and_ours_keep_their_names(
    plug_ins: PlugIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = engines_of("energy", "mine", "mine", "mine")
    assert engines.names == {"vad": "energy", "stt": "theirs", "llm": "theirs", "tts": "theirs"}
    names = engine_names()
    assert names["stt"][0] == "moonshine" and "mine" in names["stt"]
    assert names["stt"].count("whisper") <= 1
    assert names["llm"][0] == "rules" and "rules+mine" in names["llm"]
    assert "rules+rules" not in names["llm"]
    assert names["tts"][0] == "hibari" and "mine" in names["tts"]
    assert names["vad"][0] == "silero"
    monkeypatch.setattr(named_engines, "find_spec", lambda module: None)
    assert "smollm2" not in llm_names() and "rules" in llm_names()


def test_rules_before_another_model(plug_ins: PlugIns, rules_first: None) -> None:
    llm = engines_of(llm="rules+mine").llm
    assert isinstance(llm, RulesFirst) and llm.other.name == "theirs"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"stt": "Moonshine"}, r"Unknown stt 'Moonshine'; choose from moonshine, .*'moonshine'\?"),
        ({"stt": ""}, "Unknown stt ''"),
        ({"stt": 3}, r"stt is 3, which has no method transcribe\(\); an STT has a name and"),
        ({"stt": FakeSTT}, r"stt is FakeSTT, which is a class; .* Give an object of it: FakeSTT"),
        ({"stt": FakeTTS()}, r"stt is an object of FakeTTS, which has no method transcribe"),
        ({"llm": "rule"}, r"Unknown llm 'rule'; .* Did you mean 'rules'\?"),
        ({"llm": "rules+"}, r"Unknown llm 'rules\+'; choose from rules, .*rules\+mine"),
        ({"llm": "rules+rules"}, "llm is 'rules\\+rules': rules comes before another one. Choose"),
        ({"llm": "rules+moon"}, r"Unknown llm 'rules\+moon'; .*rules\+mine"),
        ({"llm": "mine+rules"}, r"Unknown llm 'mine\+rules'; .*rules\+mine"),
        ({"stt": "rules+moonshine"}, r"Unknown stt 'rules\+moonshine'; choose from moonshine, "),
        ({"llm": lambda request: ""}, r"llm is an object of function, which has no method reply"),
        ({"tts": "espeek"}, r"Unknown tts 'espeek'; .* Did you mean 'espeak'\?"),
        ({"tts": FakeSTT()}, r"has no method speak\(\); a TTS has a name, a sample_rate and"),
        ({"vad": "sylero"}, r"Unknown vad 'sylero'; .* Did you mean 'silero'\?"),
        ({"vad": EnergyVAD()}, "vad is an object of EnergyVAD, which follows one stream"),
        ({"vad": 0.5}, "vad is 0.5; give a name"),
        ({"vad": dict}, r"vad is dict, and what it makes has no method probabilities\(\)"),
        ({"stt": "broken"}, "stt is 'broken', and plugged:broken of plugged .*no model here"),
        ({"llm": "absent"}, "llm is 'absent', and nowhere:X of plugged .*ModuleNotFoundError"),
        ({"llm": "mute"}, r"llm is 'mute', and what plugged:Mute .* has no method reply\(\)"),
        ({"stt": "unnamed"}, "stt is 'unnamed', .* has no name, or one that is no text"),
        ({"tts": "norate"}, "tts is 'norate', .* has sample_rate None; a whole number from 8000"),
        ({"tts": "slow"}, "tts is 'slow', .* has sample_rate 100; a whole number from 8000"),
    ],
)
def test_what_is_no_engine(plug_ins: PlugIns, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        serve(**given)
    assert re.search(told, str(refused.value)), refused.value


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_engines, "find_spec", lambda module: None)
    with pytest.raises(ConfigurationError, match=r"vad is 'webrtc', which needs .*\[vad\]'"):
        engines_of(vad="webrtc")


def test_checking_makes_nothing(plug_ins: PlugIns) -> None:
    check_engines("silero", "broken", "rules+broken", "broken")
    check_engines(None, None, None, None)
    check_engines(EnergyVAD, FakeSTT(), RuleLLM(), FakeTTS())


def test_each_stream_has_its_own_detector() -> None:
    made: list[EnergyVAD] = []

    def make() -> EnergyVAD:
        made.append(EnergyVAD())
        return made[-1]

    engines = engines_of(vad=make, stt=FakeSTT(), tts=FakeTTS())
    assert engines.names["vad"] == "make" and engines.made == (engines.llm,)
    detectors = [engines.detector_for({"type": "audio/pcm"}) for _ in range(2)]
    assert len(made) == 3  # one to see whether it can be made
    loud = pcm_from_samples(np.full(768, 0.5, np.float32))
    for detector in detectors:
        (probability,) = detector.push(loud)
        assert probability > 0.9


async def test_what_is_made_by_name_ends_with_the_server_and_what_is_given_does_not(
    plug_ins: PlugIns,
) -> None:
    fakes: dict[str, Any] = {"stt": FakeSTT(), "tts": FakeTTS(), "max_connections": 3}
    async with serve(llm="mine", **fakes) as server:
        thinks: Any = server.engines.llm
        assert "llm=theirs" in repr(server)
    assert type(thinks).closed == 1
    given = type(thinks)()
    async with serve(llm=given, **fakes):
        pass
    assert type(thinks).closed == 1


async def test_a_client_is_told_what_it_speaks_with(plug_ins: PlugIns) -> None:
    async with (
        serve(vad=EnergyVAD, stt="mine", llm="rules", tts=FakeTTS(), token="a-token") as server,
        joined(server) as client,
    ):
        created = client.events[0]
    told = {"vad": "EnergyVAD", "stt": "theirs", "llm": "rules", "tts": "fake"}
    assert created["engines"] == told
    assert "engines" not in created["session"]
