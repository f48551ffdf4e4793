from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio import named_engines, speech_engines, vad
from realtime_nb.audio import pcm as audio
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import (
    FRAME_SAMPLES,
    EnergyVAD,
    speech_engine,
    vad_engine_names,
)
from realtime_nb.errors import ConfigurationError
from tests.audio.clips import noise
from tests.plug_ins import PlugIns


def test_loudness_as_contrast() -> None:
    engine = EnergyVAD()
    levels = np.repeat(np.array([1, 0.1, 0.01, 0.001, 0], np.float32), FRAME_SAMPLES)
    assert engine.probabilities(levels).tolist() == pytest.approx([1, 1, 0.5, 0, 0], abs=1e-3)
    assert min(speech_probabilities(noise(0.1), engine="energy")) > 0.9
    assert max(speech_probabilities(noise(0.1))) < 0.5


def test_engines_by_name() -> None:
    assert isinstance(speech_engine(), SileroVAD)
    assert isinstance(speech_engine("energy"), EnergyVAD)
    assert vad_engine_names()[0] == "silero" and "energy" in vad_engine_names()
    with pytest.raises(ConfigurationError, match="Unknown engine 'ten'; choose from silero, "):
        speech_engine("ten")
    with pytest.raises(ConfigurationError, match="Did you mean 'silero'"):
        speech_engine("Silero")
    for wrong in (None, 3, ["silero"]):
        with pytest.raises(ConfigurationError, match="Unknown engine"):
            speech_engine(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["earshot", "webrtc"])
def test_one_that_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_engines, "find_spec", lambda module: None)
    with pytest.raises(ConfigurationError, match=r"not installed\. Run: pip install 'realtime_nb"):
        speech_engine(name)
    assert name not in vad_engine_names()


PLUG_IN = """
import numpy as np

class Fine:
    def reset(self):
        self.seen = 0
    def probabilities(self, samples):
        return np.abs(samples.reshape(-1, 512)).max(axis=1).clip(0, 1)

class Mute:
    def reset(self): ...

class Short(Fine):
    def probabilities(self, samples):
        return np.zeros(len(samples) // 256)

class Loud(Fine):
    def probabilities(self, samples):
        return np.full(len(samples) // 512, 7.0)

class NoNumber(Fine):
    def probabilities(self, samples):
        return np.full(len(samples) // 512, np.nan)

def broken():
    raise OSError("no model here")
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs packages: a module and the folder in which their entry points are."""
    plug_ins = PlugIns(tmp_path, monkeypatch)
    plug_ins.write("plugged_vad", PLUG_IN)
    return lambda package, **engines: plug_ins.install(
        package, {speech_engines.ENTRY_POINTS: engines}
    )


def test_an_installed_package_brings_one(plug_in: Callable[..., None]) -> None:
    plug_in("plugged", mine="plugged_vad:Fine", silero="plugged_vad:Mute")
    assert "mine" in vad_engine_names() and vad_engine_names().count("silero") == 1
    assert isinstance(speech_engine("silero"), SileroVAD)  # a name of ours stays ours
    levels = np.repeat(np.array([0.25, 1, 0.5], np.float32), FRAME_SAMPLES)
    assert speech_probabilities(levels, 16_000, "mine").tolist() == [0.25, 1, 0.5]
    engine = speech_engine("mine")
    engine.reset()
    pcm = audio.pcm_from_samples(np.full(3 * 768, 0.25, np.float32))
    assert FrameDetector(engine=engine).push(pcm) == pytest.approx([0.25, 0.25, 0.25], abs=0.02)
    (span,) = vad.find_speech(np.full(24_000, 0.9, np.float32), engine="mine")
    assert span.cut


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("plugged_vad:broken", "OSError: no model here. Update that package"),
        ("plugged_vad:Nothing", "AttributeError"),
        ("no_such_module:Fine", "ModuleNotFoundError"),
        ("plugged_vad:Mute", r"no method probabilities\(\)"),
    ],
)
def test_one_that_cannot_be_made(plug_in: Callable[..., None], place: str, told: str) -> None:
    plug_in("plugged", theirs=place)
    with pytest.raises(ConfigurationError, match=rf"engine is 'theirs', .* of plugged .*{told}"):
        speech_engine("theirs")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("Short", r"shape \(4,\); one prob"),
        ("Loud", "7.0; from 0"),
        ("NoNumber", "nan; from 0"),
    ],
)
def test_one_that_answers_nonsense(plug_in: Callable[..., None], made: str, told: str) -> None:
    plug_in("plugged", theirs=f"plugged_vad:{made}")
    with pytest.raises(ConfigurationError, match=f"engine 'theirs' answers .*{told}"):
        speech_probabilities(np.zeros(1_024, np.float32), 16_000, "theirs")


def test_one_name_of_two_packages(plug_in: Callable[..., None]) -> None:
    plug_in("plugged", theirs="plugged_vad:Fine")
    plug_in("other", theirs="plugged_vad:Loud")
    with pytest.raises(ConfigurationError, match=r"Fine of plugged, .*Loud of other\. Uninstall"):
        speech_engine("theirs")
