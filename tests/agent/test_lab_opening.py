from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent import lab_opening, vad_lab
from realtime_nb.agent.lab_opening import LabOpening
from realtime_nb.agent.lab_subjects import TriedSubject
from realtime_nb.audio.files import load_audio
from tests.paths import DATA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three minutes: heard in three blocks."""
    one = np.append(load_audio(DATA / "austen_0880.wav"), np.zeros(24_000, np.float32))
    path = tmp_path / "long.wav"
    soundfile.write(path, np.resize(one, 180 * 24_000), 24_000, subtype="PCM_16")
    return path


def test_it_says_how_far_it_is(path: Path) -> None:
    said: list[str] = []
    over = threading.Event()
    opening = LabOpening(rt.load(path), "silero", said.append, over.set)
    subject = opening.wait()
    assert over.wait(5)
    assert subject is not None
    assert subject.lab.now_ms == 180_000
    assert said == [
        "Looking for the voice in 3 min of audio…",
        *(f"Listening to 3 min of audio: {share}" for share in ("33%", "67%", "100%")),
    ]


def test_a_cell_does_not_wait_for_a_long_recording_and_who_asks_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()

    def slow(*args: object) -> TriedSubject:
        assert let.wait(10)
        return TriedSubject(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(lab_opening, "TriedSubject", slow)
    monkeypatch.setattr(vad_lab, "_PATIENCE_S", 0.0)
    lab = rt.VADLab(path, ghosts={"first": {"threshold": 0.6}})
    assert "Looking for the voice" in repr(lab)
    lab.ghosts["then"] = {"silence_duration_ms": 900}  # counts as well
    let.set()
    assert list(lab.scores()["name"]) == ["yours", "first", "then"]
    assert lab.config is not None
    assert "Looking" not in repr(lab)


def test_what_goes_wrong_late_is_said_in_the_panel_and_to_who_asks(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()

    def fails(*_: object) -> TriedSubject:
        assert let.wait(10)
        raise rt.RecordingError("The disk is gone; mount it again.")

    monkeypatch.setattr(lab_opening, "TriedSubject", fails)
    monkeypatch.setattr(vad_lab, "_PATIENCE_S", 0.0)
    lab = rt.VADLab(path)
    let.set()
    for ask in (lab.scores, lambda: lab.update(threshold=0.4), lambda: lab.config):
        with pytest.raises(rt.RecordingError, match="mount it again"):
            ask()
    assert "The disk is gone" in repr(lab)
