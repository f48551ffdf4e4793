"""Findings that can be listened to."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.analysis.clips import interleaved
from realtime_nb.analysis.findings.evidence import Finding
from realtime_nb.analysis.findings.findings import Findings
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.findings_view import FindingsView
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage

FOUND = [
    Finding("slow-answer", "error", 1, 3.0, 5.0, "<b>It took long.</b>", {}, "Do less."),
    Finding("clipping", "warning", None, 0.2, math.nan, "It clips."),
    Finding("no-cache", "note", None, math.nan, math.nan, "Nothing was cached."),
    Finding("cut-short", "note", 3, 15.9, 20.0, "The end."),
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture
def shown(recording: Recording) -> Iterator[FindingsView]:
    widget = FindingsView(Findings(FOUND, recording=recording))
    yield widget
    widget.close()


def test_each_with_a_place_can_be_heard(shown: FindingsView) -> None:
    page = ListeningPage(shown)
    page.say("show")
    [message] = page.take()
    json.dumps(message, allow_nan=False)
    ranges = {row["id"]: row["range"] for row in message["rows"]}
    assert ranges == {
        "slow-answer": (2.5, 5.5),
        "clipping": (0.0, 2.2),
        "no-cache": None,
        "cut-short": (15.4, 16.2),
    }


def test_its_audio_is_the_recordings_clip(shown: FindingsView, recording: Recording) -> None:
    page = ListeningPage(shown)
    page.say("show")
    page.take()
    page.say("audio", run=3, start_s=2.5, end_s=5.5)
    [message] = page.take()
    clip = recording.clip(2.5, 5.5)
    assert (message["kind"], message["run"], message["start_s"]) == ("audio", 3, 2.5)
    heard = page.buffers[-1]
    assert heard == interleaved(clip.user, clip.agent)
    assert np.frombuffer(heard, "<i2").any()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"start_s": 5.0, "end_s": 2.0},
        {"start_s": "now", "end_s": 2.0},
        {"start_s": 1.0, "end_s": None},
        {"start_s": math.nan, "end_s": 1.0},
    ],
)
def test_what_makes_no_sense_gets_nothing(shown: FindingsView, asked: dict[str, object]) -> None:
    page = ListeningPage(shown)
    page.say("show")
    page.take()
    page.say("audio", run=1, **asked)
    assert page.take() == []


def test_a_saved_notebook_has_the_table_and_no_sound(
    shown: FindingsView, recording: Recording
) -> None:
    bundle = shown._repr_mimebundle_()
    assert bundle is not None
    found = Findings(FOUND, recording=recording)
    assert bundle[0]["text/html"] == found._repr_html_()
    assert bundle[0]["text/plain"] == repr(found)
    state = shown.get_state()
    assert not any(isinstance(value, bytes) for value in state.values())


def test_without_audio_there_is_nothing_to_hear() -> None:
    silent = MadeRecording(duration_s=10.0)
    widget = FindingsView(Findings(FOUND, recording=silent))
    page = ListeningPage(widget)
    page.say("show")
    [message] = page.take()
    assert {row["range"] for row in message["rows"]} == {None}
    widget.close()


def test_findings_keep_their_recording_but_take_it_to_no_other_process(
    recording: Recording, tmp_path: Path
) -> None:
    found = recording.findings()
    parts = (found, found[:1], found.of("slow-answer"))
    assert [part.recording for part in parts] == [recording] * 3
    sent = pickle.loads(pickle.dumps(found))
    assert sent.recording is None
    assert repr(sent) == repr(found)
