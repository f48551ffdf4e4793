"""A lab over a recording finds what its server did, settings changed on the way included."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.rehearing import lab_of
from realtime_nb.audio.vad import find_speech
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.recordings.recording import load
from tests.paths import DATA


@pytest.fixture(scope="module")
def lab() -> TurnLab:
    return lab_of(load(DATA / "written_before"))


def test_its_server_and_the_emulator_agree_wholly(lab: TurnLab) -> None:
    agreement = lab.agreement()
    assert (agreement.share, agreement.offset_ms, agreement.spread_ms) == (1, 0, 0)
    reported = [(one.start_ms, one.end_ms) for one in lab.server_spans()]
    assert reported == [(one.start_ms, one.end_ms) for one in lab.live_spans()]
    assert len(reported) == 2
    assert not lab.is_pending


def test_marks_lie_where_the_server_took_them(lab: TurnLab) -> None:
    (mark,) = lab.marks
    assert mark.words == "threshold 0.5 → 0.6, silence_duration_ms 200 → 300"
    # The second turn begins before the change, the end of the first is by the first window.
    assert mark.position_ms == 2_600


def test_bare_audio_has_ghosts_and_no_server() -> None:
    path: Path = DATA / "cards_005.wav"
    lab = lab_of(load(path))
    settings = TurnSettings(threshold=0.4, silence_duration_ms=300)
    lab.set_ghost("a", settings)
    spans = [
        (one.start_ms, one.onset_ms, one.offset_ms, one.end_ms) for one in lab.ghost_spans("a")
    ]
    assert spans == [
        (one.audio_start_ms, one.onset_ms, one.offset_ms, one.audio_end_ms)
        for one in find_speech(path, settings)
    ]
    assert [one.name for one in lab.scores()] == ["a"]
    assert not lab.server_spans()
    assert not lab.live_spans()
    assert lab.deafness() is None


def test_labels_of_a_recording_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    shutil.copytree(DATA / "written_before", folder)
    clock = load(folder).input_clock
    for at_ms, text in ((350, "speech start"), (1_300, "speech end")):
        load(folder).label(clock.wall(at_ms), text)
    (label,) = lab_of(load(folder)).labels
    assert (label.start_ms, label.end_ms) == pytest.approx((350, 1_300), abs=0.01)
