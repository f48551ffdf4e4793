from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime_nb.analysis.exports import marks
from realtime_nb.analysis.user_speech import Spoken, user_speech
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from realtime_nb.plots import plot_timeline
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.timeline import Timeline
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns
from tests.spoken_recording import begun, spoken, voiced
from tests.widgets.pages import ListeningPage


def placed(*parts: tuple[int, Samples]) -> Samples:
    """Audio that begins at these ms of 9 s of silence."""
    whole = np.zeros(9_000 * 24, np.float32)
    for begin_ms, samples in parts:
        whole[begin_ms * 24 : begin_ms * 24 + len(samples)] = samples
    return whole


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Push-to-talk: words that are committed, then words that never are."""
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {"dialect": "ga"})
    live = LiveSession(recorder)
    words = load_audio(DATA / "cards_001.wav")[:23_424]
    microphone = placed((1_000, words), (6_000, words))
    live.received(0.2, "session.created", session={"type": "realtime", "id": "sess_1"})
    live.microphone(microphone, 3_000)
    item = {"id": "user_1", "type": "message", "role": "user", "status": "completed"}
    live.received(4.0, "input_audio_buffer.committed", item_id="user_1")
    live.received(4.0, "conversation.item.added", item={**item, "content": []})
    live.received(
        4.01,
        "conversation.item.input_audio_transcription.completed",
        item_id="user_1",
        content_index=0,
        transcript="Ten of clubs.",
    )
    live.microphone(microphone, 8_000)
    recorder.close(duration_s=10.0)
    return load(recorder.path)


def test_push_to_talk_is_what_the_offline_detector_hears(pushed: Recording) -> None:
    (turn,) = pushed.turns.to_dict("records")
    assert turn["offset_source"] == "offline_vad"

    first, second = user_speech(pushed)

    assert first == Spoken(
        pytest.approx(1 + turn["onset_ms"] / 1000),  # type: ignore[arg-type]
        pytest.approx(1 + turn["offset_ms"] / 1000),  # type: ignore[arg-type]
        "offline_vad",
        "Ten of clubs.",
    )
    assert (second.source, second.text) == ("offline_vad", "")
    assert 6.9 < second.start_s < second.end_s < 8.2


def test_labels_of_push_to_talk_say_what_was_said(pushed: Recording) -> None:
    assert [mark.text for mark in marks(pushed) if mark.lane == "user"] == [
        "Ten of clubs.",
        "speech",
    ]


def test_bands_of_push_to_talk_say_where_they_come_from(pushed: Recording) -> None:
    data = pushed.timeline_data
    assert (list(data.padded), list(data.detected)) == ([], [])
    assert list(data.found) == [(one.start_s, one.end_s) for one in user_speech(pushed)]

    legend = plot_timeline(data).get_legend()

    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["speech, found offline"]


def test_the_page_shows_them_too(pushed: Recording) -> None:
    timeline = Timeline(pushed)
    page = ListeningPage(timeline)
    page.say("show")
    marks = [mark for mark in page.take()[0]["marks"] if mark["kind"] == "speech"]
    timeline.close()

    assert [(mark["t_s"], mark["end_s"], mark["source"]) for mark in marks] == [
        (round(start_s, 4), round(end_s, 4), "offline_vad")
        for start_s, end_s in pushed.timeline_data.found
    ]


def test_what_the_server_reports_is_its_own(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close()
    rec = load(recorder.path)

    assert [(one.source, one.text) for one in user_speech(rec)] == [
        ("server", "Which slots are free?"),
        ("server", rec.turns["user_text"][2]),
    ]
    assert rec.timeline_data.found == []


def test_where_the_server_detects_its_silence_counts() -> None:
    rec = begun()
    voiced(rec, (1_000, 2_000), (5_000, 6_000))
    spoken(rec, "user_1", 1_000, 2_000, 3.3)

    assert [(one.start_s, one.source) for one in user_speech(rec)] == [(2.0, "server")]


def test_speech_that_never_ended_has_no_place() -> None:
    rec = begun()
    rec.got(2.2, "input_audio_buffer.speech_started", audio_start_ms=700, item_id="user_1")
    assert user_speech(rec) == []
    assert user_speech(MadeRecording()) == []
