from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent.lab_judging import LabJudging, judged_later
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.pause_answers import LATER
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.turn_model import SpokenAudio, turn_model
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.semantic_turns import find_semantic_spans, semantic_settings
from realtime_nb.testing import LoudnessDetector, silence, tone
from tests.paths import DATA


class Slow:
    """A model that answers when it is let."""

    def __init__(self, fails: bool = False) -> None:
        self.asked = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.fails = fails

    def completeness_of(self, audio: bytes, format_type: str) -> float:
        self.asked.release()
        assert self.let.acquire(timeout=10)
        if self.fails:
            raise OSError("no memory")
        return 0.9


def until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@pytest.mark.parametrize("fails", [False, True])
def test_a_lab_is_fed_while_the_model_thinks(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    model = Slow(fails)
    monkeypatch.setattr("realtime_nb.agent.lab_judging.turn_model", lambda: model)
    lock = threading.RLock()
    lab = TurnLab(Conversation(), detector_for=LoudnessDetector, completeness=LATER)
    lab.set_ghost("a", {"type": "semantic_vad"})
    answered = threading.Semaphore(0)
    judging = LabJudging(lab, lock, answered.release)
    judging.look()
    with lock:
        lab.audio(silence(320) + tone(640) + silence(320))
    judging.look()
    assert model.asked.acquire(timeout=10)
    with lock:  # which nobody holds meanwhile
        lab.audio(silence(640))
        assert [one.how for one in lab.ghost_spans("a")] == ["open"]
    judging.look()  # one at a time
    assert not model.asked.acquire(blocking=False)
    model.let.release()
    assert answered.acquire(timeout=10)
    with lock:
        spans = lab.ghost_spans("a")
    # From 320 - 300 on; 224 ms after 960, or, where nobody answers, not before 4 s.
    assert [(one.start_ms, one.how) for one in spans] == [(20, "open" if fails else "stopped")]
    assert spans[0].end_ms == (1_920 if fails else 1_184)
    judging.stop()
    with lock:
        lab.audio(tone(640) + silence(640))
    judging.look()
    assert not model.asked.acquire(blocking=False)


def test_a_semantic_ghost_of_a_recording_is_what_the_server_would_do(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    voice, pause = tmp_path / "joined.wav", np.zeros(14_400, np.float32)
    clips = [load_audio(DATA / f"cards_00{number}.wav") for number in (1, 2, 3)]
    soundfile.write(
        voice, np.concatenate([part for clip in clips for part in (clip, pause)]), 24_000
    )
    lab = rt.VADLab(voice, ghosts={"words": rt.SemanticVAD(eagerness="high")})
    samples = load_audio(voice)
    model = turn_model()
    assert model is not None
    spans, decisions = find_semantic_spans(
        speech_probabilities(samples).tolist(),
        semantic_settings("high"),
        SpokenAudio(samples, model).completeness,
    )
    inner = lab._lab_now()
    assert inner is not None

    def found() -> list[tuple[float, float]]:
        with lab._lock:
            return [(one.start_ms, one.end_ms) for one in inner.ghost_spans("words")]

    until(lambda: found() == [(one.audio_start_ms, one.audio_end_ms) for one in spans])
    assert len(decisions) >= 2
    assert "SemanticVAD" in lab.scores()["settings"][1]


def test_without_a_model_semantic_ghosts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.agent.lab_judging.has_turn_model", lambda: False)
    assert judged_later() is None
    with pytest.raises(rt.ConfigurationError, match=r"realtime_nb\[local\]"):
        rt.VADLab(ghosts={"words": rt.SemanticVAD()})
