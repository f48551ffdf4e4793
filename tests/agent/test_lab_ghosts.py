from __future__ import annotations

import threading

import pytest

import realtime_nb as rt
from realtime_nb.agent.lab_ghosts import LabGhosts, ghost_name
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.testing import LoudnessDetector


def blank() -> TurnLab:
    return TurnLab(Conversation(), detector_for=LoudnessDetector)


def test_what_is_set_runs_and_what_is_refused_is_not_kept() -> None:
    lab, changes = blank(), []
    ghosts = LabGhosts(lambda: lab, threading.RLock(), lambda: changes.append(1))
    ghosts["a"] = {"threshold": 0.3}
    ghosts["b"] = rt.ServerVAD(silence_duration_ms=900)
    ghosts["a"] = {"threshold": 0.4}
    assert [*ghosts] == [*lab.ghosts] == ["a", "b"]
    assert lab.ghosts["a"].detection["threshold"] == 0.4
    for name, settings in (("c", {"threshold": 2}), ("c", {"loudness": 1}), ("", {}), ("live", {})):
        with pytest.raises(rt.ConfigurationError):
            ghosts[name] = settings
    with pytest.raises(KeyError):
        del ghosts["c"]
    del ghosts["a"]
    assert [*ghosts] == [*lab.ghosts] == ["b"]
    assert len(changes) == 4
    assert "silence_duration_ms" in repr(ghosts)


def test_they_run_in_the_next_lab_too() -> None:
    lab = blank()
    ghosts = LabGhosts(lambda: lab, threading.RLock(), lambda: None)
    ghosts.update({"a": {}, "b": {"threshold": 0.9}})
    other = blank()
    ghosts.run_in(other)
    assert [*other.ghosts] == ["a", "b"]


def test_settings_have_a_name_that_no_other_has() -> None:
    lab = blank()
    ghosts = LabGhosts(lambda: lab, threading.RLock(), lambda: None)
    name = ghost_name({"threshold": 0.35, "silence_duration_ms": 700})
    assert name == "0.35/700 ms"
    assert ghost_name({"type": "semantic_vad", "eagerness": "low"}) == "semantic low"
    for wanted in (name, f"{name} 2", f"{name} 3"):
        assert ghosts.free_name(name) == wanted
        ghosts[wanted] = {}
    assert ghosts.free_name("yours") == "yours 2"
