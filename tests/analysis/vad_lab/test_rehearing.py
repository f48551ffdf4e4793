"""A lab over a recording finds what its server did, settings changed on the way included."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.rehearing import lab_of
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.vad import find_speech
from realtime_nb.audio.wire import WireEncoder
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import Served, talk
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
    assert not lab.settings.is_pending


def test_marks_lie_where_the_server_took_them(lab: TurnLab) -> None:
    (mark,) = lab.settings.marks
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


def test_telephone_sound_is_heard_as_it_was_sent(tmp_path: Path) -> None:
    served = Served(LoudnessDetector)
    session = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    served.send("session.update", session=session)
    served.receive()
    encoder = WireEncoder("audio/pcmu")
    pcm = talk(700, 900, 500, 400, 800)
    for start in range(0, len(pcm), 960):
        piece = pcm[start : start + 960]
        audio = base64.b64encode(encoder.encode(piece)).decode()
        served.send("input_audio_buffer.append", piece, audio=audio)
        served.t_s += 0.02
        served.receive()
    lab = lab_of(recorded(served, tmp_path), detector_for=LoudnessDetector)
    # The filter rings for a millisecond after the tone's end at 1600, into the next frame.
    assert [one.end_ms for one in served.lab.server_spans()] == [1_856, 2_752]
    assert lab.live_spans() == served.lab.live_spans()
    assert lab.server_spans() == served.lab.server_spans()
    assert lab.frames().probabilities.tolist() == served.lab.frames().probabilities.tolist()


def test_a_connection_that_was_lost_is_lost_again(tmp_path: Path) -> None:
    served = Served()
    served.say(talk(300, 500, 500))
    served.set({"type": "server_vad", "threshold": 0.9})  # and never confirmed
    served.held.clear()
    served.report("lost")
    served.server = Served().server
    served.server.start()
    served.receive()
    served.report("resumed")
    served.say(talk(300, 500, 500))
    lab = lab_of(recorded(served, tmp_path), detector_for=LoudnessDetector)
    assert not lab.settings.is_pending
    assert lab.settings.marks == served.lab.settings.marks == []
    assert len(lab.live_spans()) == 2
    assert lab.live_spans() == served.lab.live_spans()
    assert lab.agreement().share == 1


def recorded(served: Served, folder: Path) -> Recording:
    """What was said so far, written down and read again."""
    recorder = Recorder(folder, {"dialect": "ga"})
    for event in served.log:
        if isinstance(event, WireEvent):
            recorder.event(event)
        else:
            recorder.connection(event)
    recorder.close()
    return load(recorder.path)
