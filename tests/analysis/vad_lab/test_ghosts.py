"""Ghosts are named, set, renamed and taken away; what can't be is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.analysis.vad_lab.ghosts import CANDIDATE, MOST_GHOSTS, Ghosts
from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import talk

LIVE = {
    "type": "server_vad",
    "threshold": 0.4,
    "prefix_padding_ms": 100,
    "silence_duration_ms": 300,
    "create_response": True,
    "interrupt_response": True,
}


@pytest.fixture
def ghosts() -> Ghosts:
    track = SpeechTrack(LoudnessDetector)
    track.push(talk(320, 640, 320, 320, 960))
    return Ghosts(track)


def test_settings_come_in_four_forms(ghosts: Ghosts) -> None:
    ghosts.put("dict", {"silence_duration_ms": 700}, LIVE)
    ghosts.put("none", {}, None)
    ghosts.put("struct", ServerVAD(threshold=0.7), LIVE)
    ghosts.put("machine", TurnSettings(0.3, 0, 96, min_speech_ms=64, hysteresis=0))
    of = {name: ghost.settings for name, ghost in ghosts.all.items()}
    assert of["dict"] == TurnSettings(0.4, 100, 700)
    assert of["none"] == TurnSettings(0.5, 300, 500)  # as clients of this package ask
    assert of["struct"] == TurnSettings(0.7, 300, 500)
    assert of["machine"] == TurnSettings(0.3, 0, 96, 64, 0)
    assert ghosts.get("dict").code == (
        "rt.ServerVAD(threshold=0.4, prefix_padding_ms=100, silence_duration_ms=700)"
    )


def test_one_that_is_added_late_counts_the_whole_stretch(ghosts: Ghosts) -> None:
    ghosts.put("eager", {"silence_duration_ms": 200})
    ghosts.put("patient", {"silence_duration_ms": 700})
    assert [len(ghosts.spans(name)) for name in ("eager", "patient")] == [2, 1]
    ghosts.put("eager", {"silence_duration_ms": 700})
    assert ghosts.spans("eager") == ghosts.spans("patient")


def test_six_at_most_and_one_beside_them(ghosts: Ghosts) -> None:
    for number in range(MOST_GHOSTS):
        ghosts.put(f"g{number}", {})
    with pytest.raises(ConfigurationError, match="'seventh' would be number 7; there are 6"):
        ghosts.put("seventh", {})
    ghosts.put("g3", {"threshold": 0.9})  # changing one is no seventh
    ghosts.put(CANDIDATE, {})
    assert next(iter(ghosts.all)) == CANDIDATE
    ghosts.remove("g0")
    ghosts.put("seventh", {})
    assert list(ghosts.all) == [CANDIDATE, "g1", "g2", "g3", "g4", "g5", "seventh"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, 3, None, "live"])
def test_a_name_is_a_short_text(ghosts: Ghosts, name: Any) -> None:
    with pytest.raises(ConfigurationError, match="ghost"):
        ghosts.put(name, {})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 2}, "threshold"),
        ({"silence_ms": 200}, "silence_ms"),
        ({"silence_duration_ms": -5}, "silence_duration_ms"),
        (SemanticVAD(), "semantic_vad"),
        ({"type": "semantic_vad"}, "semantic_vad"),
        (0.7, "rt.ServerVAD"),
        ("eager", "rt.ServerVAD"),
        (None, "rt.ServerVAD"),
    ],
)
def test_settings_that_are_none_change_nothing(ghosts: Ghosts, settings: Any, words: str) -> None:
    ghosts.put("a", {"threshold": 0.8})
    with pytest.raises(ConfigurationError, match=words):
        ghosts.put("a", settings)
    assert ghosts.get("a").detection["threshold"] == 0.8


def test_one_that_is_not_there_is_asked_for_in_vain(ghosts: Ghosts) -> None:
    ghosts.put("a", {})
    for ask in (ghosts.remove, ghosts.get, ghosts.spans):
        with pytest.raises(ConfigurationError, match="no ghost 'b'; there are: 'a'"):
            ask("b")
