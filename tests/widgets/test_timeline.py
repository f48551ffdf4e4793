from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.long_session import write_session
from realtime_nb.errors import ConfigurationError
from realtime_nb.plots import (
    AGENT_COLOUR,
    CALL_COLOUR,
    ERROR_COLOUR,
    SPEECH_COLOUR,
    USER_COLOUR,
    plot_timeline,
    style,
)
from realtime_nb.plots.still import timeline_svg
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.testing import silence, tone
from realtime_nb.widgets import timeline as timeline_module
from realtime_nb.widgets.live import LiveWidget
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.timeline_sound import Sound
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession


@pytest.fixture
def timeline() -> Iterator[Timeline]:
    widget = Timeline()
    yield widget
    widget.close()


def taken(page: ListeningPage) -> dict[str, Any]:
    [message] = page.take()
    assert len(page.buffers[0]) == 4 * sum(wave["count"] for wave in message["waves"])
    return message


def marks(message: dict[str, Any]) -> dict[str, Any]:
    return {mark["id"]: mark for mark in message["marks"]}


def test_the_microphone_as_it_streams(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    for n in range(5):
        timeline.add_input(tone(40), 1.0 + (n + 1) * 0.04)
    message = taken(page)
    assert (message["kind"], message["live"], message["now_s"]) == ("reset", True, 1.2)
    [wave] = message["waves"]
    assert (wave["lane"], wave["start_s"], wave["count"]) == ("user", 1.0, 20)
    timeline.add_input(tone(40), 1.24)
    message = taken(page)
    assert (message["kind"], message["waves"][0]["count"]) == ("more", 4)
    assert message["waves"][0]["id"] == wave["id"]


def test_marks_and_waves_are_where_audio_was_captured(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    live = LiveSession()
    live.received(0.1, "session.created", session={"audio": {"input": {"turn_detection": VAD}}})
    for n in range(50):
        captured_s = 2.0 + (n + 1) / 50
        timeline.add_input(silence(20), captured_s + 0.1, captured_s)
    live.received(2.9, "input_audio_buffer.speech_started", audio_start_ms=200, item_id="u")
    timeline.update(live.conversation)
    message = taken(page)
    assert message["waves"][0]["start_s"] == 2.0
    assert marks(message)["speech 0"]["onset_s"] == 2.5


def test_what_a_session_tells_of_its_microphone_is_followed() -> None:
    session = ToldSession()
    widget = Timeline(session)
    page = ListeningPage(widget)
    page.say("show")
    session.sent(1.5, "input_audio_buffer.append", tone(100), captured_s=1.2, audio="AAAA")
    assert taken(page)["waves"][0]["start_s"] == pytest.approx(1.1)
    widget.close()


def test_after_a_pause_a_clip_of_its_own(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    timeline.add_input(tone(100), 1.1)
    timeline.add_input(tone(100), 1.3)
    timeline.add_input(tone(100), 5.1)
    assert [wave["start_s"] for wave in taken(page)["waves"]] == [1.0, 5.0]


def test_the_agents_voice_is_where_it_is_played(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    conversation = Conversation()
    timeline.add_output("a", tone(1_000))
    timeline.update(conversation, 3.0)
    assert taken(page)["waves"] == []
    conversation.apply_playback(PlaybackReport("a", 0, "started", 3.2))
    timeline.add_output("a", tone(500))
    timeline.update(conversation, 3.3)
    [wave] = taken(page)["waves"]
    assert (wave["lane"], wave["start_s"], wave["heard_s"], wave["count"]) == (
        *("agent", 3.2, None),
        150,
    )
    conversation.apply_playback(PlaybackReport("a", 400, "flushed", 3.6))
    [wave] = taken(page)["waves"]
    assert (wave["start_s"], wave["heard_s"], wave["count"]) == (3.2, 0.4, 0)


def test_marks_of_a_live_session(timeline: Timeline) -> None:
    """Speech is where the audio of its position was sent, as the recording's tables have it."""
    page = ListeningPage(timeline)
    page.say("show")
    live = LiveSession()
    live.received(0.1, "session.created", session={"audio": {"input": {"turn_detection": VAD}}})
    for n in range(50):
        timeline.add_input(silence(20), 2.0 + (n + 1) / 50)
    live.received(2.9, "input_audio_buffer.speech_started", audio_start_ms=200, item_id="u")
    timeline.update(live.conversation)
    speech = marks(taken(page))["speech 0"]
    assert (speech["t_s"], speech["onset_s"], speech["end_s"]) == (2.2, 2.5, None)
    live.received(3.0, "input_audio_buffer.speech_stopped", audio_end_ms=960, item_id="u")
    live.received(3.1, "error", error={"code": "x", "message": "No <b>way</b>."})
    message = taken(page)
    assert marks(message)["speech 0"]["end_s"] == 2.96
    assert marks(message)["speech 0"]["offset_s"] == pytest.approx(2.96 - 0.224)
    assert marks(message)["error 0"]["name"] == "No <b>way</b>."
    timeline.update(live.conversation)
    assert taken(page)["marks"] == []


VAD = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}


def test_functions(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    live = LiveSession()
    item = {"id": "c", "type": "function_call", "name": "f", "call_id": "x", "arguments": "{}"}
    live.response_begins(1.0, "r")
    live.received(1.1, "response.output_item.done", item=item, response_id="r", output_index=0)
    timeline.update(live.conversation)
    call = marks(taken(page))["call 0"]
    assert (call["t_s"], call["end_s"], call["name"]) == (1.1, None, "f")
    output = {"type": "function_call_output", "call_id": "x", "output": "1"}
    live.sent(1.4, "conversation.item.create", item=output)
    assert marks(taken(page))["call 0"]["end_s"] == 1.4


def test_a_session_is_followed() -> None:
    session = ToldSession()
    timeline = Timeline(session)
    page = ListeningPage(timeline)
    page.say("show")
    session.sent(1.1, "input_audio_buffer.append", tone(100), audio="AAAA")
    ids: dict[str, Any] = {"response_id": "r", "item_id": "a", "content_index": 0}
    session.received(1.2, "response.output_audio.delta", tone(200), delta="AAAA", **ids)
    session.playback(PlaybackReport("a", 0, "started", 1.3))
    message = taken(page)
    assert (message["live"], message["now_s"]) == (True, 1.3)
    assert [(wave["lane"], wave["start_s"], wave["count"]) for wave in message["waves"]] == [
        ("user", 1.0, 10),
        ("agent", 1.3, 20),
    ]
    timeline.close()


def test_a_page_that_comes_back_gets_all(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    timeline.add_input(tone(100), 1.1)
    taken(page)
    timeline.add_input(tone(100), 1.2)
    page.say("show")
    message = taken(page)
    assert (message["kind"], message["waves"][0]["count"]) == ("reset", 20)


def test_after_clear_it_begins_anew(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    timeline.add_input(tone(100), 100.0)
    timeline.clear()
    message = taken(page)
    assert (message["kind"], message["waves"], message["now_s"]) == ("reset", [], 0.0)


def test_the_oldest_audio_goes(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MAX_POINTS", 100)
    page = ListeningPage(timeline)
    page.say("show")
    for n in range(20):
        timeline.add_input(tone(100), 10.0 * (n + 1))
        timeline.add_output(f"item{n}", tone(100))
    kept = taken(page)["waves"]
    assert sum(wave["count"] for wave in kept) <= 110
    assert max(wave["start_s"] for wave in kept) == pytest.approx(199.9)
    assert len(timeline._by_item) <= len(timeline._stretches) <= 12


def test_a_long_stretch_is_kept_in_pieces(timeline: Timeline) -> None:
    """Else an open microphone would be one clip, of which nothing can be dropped."""
    page = ListeningPage(timeline)
    page.say("show")
    for n in range(130):
        timeline.add_input(silence(1_000), float(n + 1))
    starts = [wave["start_s"] for wave in taken(page)["waves"]]
    assert starts == pytest.approx([0.0, 61.0 - 0.01, 121.0 - 0.01])


@pytest.mark.parametrize("chunk_samples", [480, 512, 777, 1_152])
def test_pieces_of_one_stretch_touch(timeline: Timeline, chunk_samples: int) -> None:
    """Whatever the microphone's chunks: each begins with the last point of the one before."""
    page = ListeningPage(timeline)
    page.say("show")
    count = 150 * 24_000 // chunk_samples
    samples = (np.arange(count * chunk_samples) % 30_000).astype("<i2")
    for n in range(count):
        pcm = samples[n * chunk_samples : (n + 1) * chunk_samples].tobytes()
        timeline.add_input(pcm, 5 + (n + 1) * chunk_samples / 24_000)
    message = taken(page)
    points = np.frombuffer(page.buffers[0], "<i2").reshape(-1, 2)
    assert len(message["waves"]) == 3
    at, ends_s, last = 0, 5.0, None
    for wave in message["waves"]:
        first = points[at]
        if last is not None:
            np.testing.assert_array_equal(first, last)
            assert wave["start_s"] == pytest.approx(ends_s - 0.01, abs=2e-6)
        # Each point is of the samples that lie there.
        place = round((wave["start_s"] - 5) * 24_000)
        assert first.tolist() == [samples[place], samples[place : place + 240].max()]
        at += wave["count"]
        ends_s, last = wave["start_s"] + wave["count"] / 100, points[at - 1]


def test_a_recording_is_drawn_as_its_plot_is(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    recording = load(recorder.path)
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    page.say("show")
    message = taken(page)
    assert (message["live"], message["now_s"]) == (False, round(recording.duration_s, 4))
    lanes = [(wave["lane"], wave["heard_s"]) for wave in message["waves"]]
    assert set(lanes) == {("user", None), ("agent", None), ("agent", 0.0)}
    kinds = [mark["kind"] for mark in message["marks"]]
    table = {
        **{"speech": 2, "call": 1, "turn": len(recording.turns)},
        **{"response": len(recording.usage), "words": len(recording.timeline_data.said)},
    }
    assert {kind: kinds.count(kind) for kind in kinds} == table
    assert timeline.summary().endswith("2 stretches of speech, 1 function call, 0 errors")
    timeline.close()


def test_what_is_not_known_is_null() -> None:
    data = TimelineData(
        2.0,
        user=[PlacedAudio(0.0, np.zeros(2_400, np.float32))],
        padded=[(0.5, float("nan")), (float("nan"), 1.0)],
        detected=[(0.6, float("nan"))],
    )
    timeline = Timeline(data)
    page = ListeningPage(timeline)
    page.say("show")
    message = taken(page)
    json.dumps(message, allow_nan=False)
    assert [mark["id"] for mark in message["marks"]] == ["speech 0"]
    timeline.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return load(recorder.path)


def answers(page: ListeningPage, kind: str) -> list[tuple[dict[str, Any], bytes]]:
    page.take()
    pairs = zip(page.messages, page.buffers, strict=True)
    return [(message, pcm) for message, pcm in pairs if message["kind"] == kind]


def test_audio_comes_when_it_is_asked_for_and_in_bounded_pieces(recording: Recording) -> None:
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    page.say("show")
    [message] = page.take()
    assert message["audible"]
    assert len(page.buffers[0]) < 30_000  # outlines
    page.say("audio", run=3, start_s=3.78, end_s=4.78)
    [(block, pcm)] = answers(page, "audio")
    assert (block["run"], block["start_s"]) == (3, 3.78)
    samples = np.frombuffer(pcm, "<i2").reshape(-1, 2) / 32_768
    clip = recording.output[round(3.78 * 24_000) :][:24_000]
    assert np.abs(samples[:, 1] - clip).max() < 1e-4
    page.say("audio", run=4, start_s=0.0, end_s=99.0)
    [(_, pcm)] = answers(page, "audio")
    assert len(pcm) == 10 * 24_000 * 4
    timeline.close()


def test_stop_cancels_what_is_not_yet_sent(recording: Recording) -> None:
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    page.say("show")
    page.take()
    page.say("audio", run=1, start_s=0.0, end_s=10.0)
    page.say("detail", start_s=0.0, end_s=1.0, points=10)
    page.say("stop")
    assert [message["kind"] for message in page.take()] == ["detail"]
    timeline.close()


def test_finer_waves_for_what_is_in_sight(recording: Recording) -> None:
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    page.say("show")
    page.take()
    page.say("detail", start_s=2.0, end_s=3.0, points=2_000)
    [(detail, points)] = answers(page, "detail")
    assert (detail["start_s"], detail["end_s"], detail["step"]) == (2.0, 3.0, 12)
    assert len(points) == 4 * sum(wave["count"] for wave in detail["waves"])
    assert {wave["lane"] for wave in detail["waves"]} == {"user", "agent"}
    timeline.close()


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "audio", "run": 1},
        {"kind": "audio", "run": 1, "start_s": "0", "end_s": 2},
        {"kind": "audio", "run": 1, "start_s": 9, "end_s": 2},
        {"kind": "audio", "run": 1, "start_s": 900, "end_s": 902},
        {"kind": "detail", "start_s": 0, "end_s": 2, "points": "many"},
        {"kind": "detail", "start_s": float("nan"), "end_s": 2, "points": 3},
    ],
)
def test_what_makes_no_sense_gets_nothing(recording: Recording, request_: dict[str, Any]) -> None:
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    page.say("show")
    page.take()
    page.say(**request_)
    assert [one for one in page.take() if one["kind"] != "more"] == []
    timeline.close()


def test_a_live_session_has_no_sound(timeline: Timeline) -> None:
    page = ListeningPage(timeline)
    page.say("show")
    timeline.add_input(tone(100), 1.1)
    assert not taken(page)["audible"]
    page.say("audio", run=1, start_s=0.0, end_s=1.0)
    assert answers(page, "audio") == []


def test_all_is_there_before_a_page_can_ask(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page asks once, and a recording tells of no change later."""
    clips: list[int] = []
    usual = LiveWidget.__init__

    def watched(widget: Timeline, **settings: object) -> None:
        clips.append(len(widget._stretches))
        usual(widget, **settings)

    monkeypatch.setattr(LiveWidget, "__init__", watched)
    timeline = Timeline(recording)
    assert clips == [len(timeline._stretches)]
    timeline.close()


def test_the_selection_and_its_clip(recording: Recording) -> None:
    timeline = Timeline(recording)
    page = ListeningPage(timeline)
    with pytest.raises(ConfigurationError, match=r"Drag over the waves first, or .* rec\.clip"):
        timeline.clip()
    page.say("select", range=[3.5, 5.25])
    assert timeline.selection == (3.5, 5.25)
    clip = timeline.clip()
    assert (clip.start_s, clip.end_s, len(clip.agent)) == (3.5, 5.25, 42_000)
    page.say("show")
    [message] = page.take()
    assert message["selection"] == (3.5, 5.25)  # a page that comes back shows it
    page.say("select", range=[15.0, 99.0])
    assert timeline.selection == (15.0, recording.duration_s)
    assert timeline.clip().end_s == recording.duration_s
    page.say("select", range=None)
    with pytest.raises(ConfigurationError, match="Nothing is selected"):
        timeline.clip()
    timeline.close()


def test_without_a_recording_there_is_no_clip(timeline: Timeline) -> None:
    timeline.add_input(tone(100), 10.0)
    timeline.on_message({"kind": "select", "range": [1.0, 2.0]}, [])
    assert timeline.selection == (1.0, 2.0)
    with pytest.raises(ConfigurationError, match="Only a recording's timeline has clips"):
        timeline.clip()


def test_a_click_is_reported() -> None:
    clicks: list[float] = []
    timeline = Timeline(on_click=clicks.append)
    page = ListeningPage(timeline)
    page.say("show")
    page.say("click", t_s=3.5)
    page.say("click", t_s="soon")
    page.take()
    assert clicks == [3.5]
    timeline.close()


PLOTTED = (USER_COLOUR, SPEECH_COLOUR, AGENT_COLOUR, CALL_COLOUR, ERROR_COLOUR)


def test_its_colours_are_those_of_the_plots() -> None:
    text = module_text("timeline.js")
    css = (Path(timeline_module.__file__).parent / "views.css").read_text("utf-8")
    assert f"SPEECH_ALPHA = {style.SPEECH_ALPHA};" in text
    assert f"USER_SHARE = {style.USER_SHARE};" in text
    for colour in (*PLOTTED, style.NEUTRAL_COLOUR):
        assert f'"{colour}"' in text
    for colour in (USER_COLOUR, AGENT_COLOUR, CALL_COLOUR):
        assert colour.lower() in css


def test_the_saved_notebook(timeline: Timeline) -> None:
    timeline.add_input(tone(100), 1.1)
    bundle = timeline._repr_mimebundle_()
    assert bundle is not None
    assert bundle[0]["text/plain"] == (
        "Timeline: 1.1 s, 0 stretches of speech, 0 function calls, 0 errors"
    )


def test_a_saved_recording_keeps_its_picture_and_no_audio(recording: Recording) -> None:
    timeline = Timeline(recording)
    bundle = timeline._repr_mimebundle_()
    assert bundle is not None
    page = str(bundle[0]["text/html"])
    assert page.startswith("<svg")
    assert "Timeline: 16.0 s, 2 stretches of speech" in page
    assert len(page) < 60_000
    for kept_away in ("<script", "base64", "<audio"):
        assert kept_away not in page
    assert not any(isinstance(value, bytes) for value in timeline.get_state().values())
    timeline.close()


def test_an_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="window"):
        Timeline(window_s=3)


def test_speech_is_matched_by_where_it_lies() -> None:
    """Also when some of it has no known place, or is from the offline detector."""
    data = TimelineData(
        20.0,
        padded=[(0.5, 2.0), (3.0, 5.0), (7.0, 9.0)],
        detected=[(3.3, 4.7)],
        found=[(7.4, 8.8), (11.0, 12.0)],
    )
    timeline = Timeline(data)
    page = ListeningPage(timeline)
    page.say("show")
    found = [(one["t_s"], one["onset_s"], one["source"]) for one in taken(page)["marks"]]
    assert found == [
        (0.5, None, "server"),
        (3.0, 3.3, "server"),
        (7.0, 7.4, "offline_vad"),
        (11.0, 11.0, "offline_vad"),
    ]
    assert "4 stretches of the user&#x27;s speech; 2 of them from" in timeline.picture()
    timeline.close()


@pytest.fixture(scope="module")
def long_one(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Twelve minutes, of whose three sounds 57 MB would be in memory twice over."""
    return load(write_session(tmp_path_factory.mktemp("long"), 12.0).path)


def test_a_long_recording_is_shown_without_being_held(long_one: Recording) -> None:
    _ = long_one.turns  # what is heard in it takes memory of its own

    def peak_mb(show: Callable[[], object]) -> float:
        tracemalloc.start()
        show()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        return peak

    def shown() -> None:
        timeline = Timeline(long_one)
        assert timeline.picture()
        timeline.close()

    assert peak_mb(shown) < 30
    assert peak_mb(lambda: plot_timeline(long_one.timeline_data)) < 30
    plt.close()


def test_a_long_recording_has_the_waves_of_its_samples(long_one: Recording) -> None:
    from_disk = long_one.timeline_data
    in_memory = replace(
        from_disk, user=[PlacedAudio(clip.start_s, clip.samples[:]) for clip in from_disk.user]
    )
    waves = [Sound(data).overview() for data in (from_disk, in_memory)]
    assert [wave.points for wave in waves[0]] == [wave.points for wave in waves[1]]
    assert timeline_svg(from_disk) == timeline_svg(in_memory)


def test_hours_of_a_live_session_cost_a_few_megabytes(timeline: Timeline) -> None:
    tracemalloc.start()
    second = bytes(48_000)
    for t_s in range(2 * 3_600):
        timeline.add_input(second, t_s)
        timeline.add_output(f"item_{t_s // 20}", second)
    held_mb = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    assert held_mb < 8  # of each voice half an hour to an hour, 1.4 MB for an hour of one


def test_a_session_that_ends_is_whole_until_another_begins() -> None:
    session = ToldSession()
    timeline = Timeline(session)
    page = ListeningPage(timeline)
    page.say("show")
    session.sent(1.1, "input_audio_buffer.append", tone(100), audio="AAAA")
    assert taken(page)["live"] is True
    session.closed = True  # type: ignore[attr-defined]
    timeline.session_over()
    message = taken(page)
    assert (message["kind"], message["live"], message["now_s"]) == ("more", False, 1.1)
    assert page.take() == []  # it is known
    page.say("show")
    assert taken(page)["live"] is False  # to a page that comes back, too
    timeline.follow(ToldSession())
    message = taken(page)
    assert (message["kind"], message["live"], message["now_s"]) == ("reset", True, 0.0)
    timeline.close()
