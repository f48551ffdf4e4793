from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.patches import StepPatch

from realtime_nb.archive.recorder import Recorder
from realtime_nb.plots import plot_lanes
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.recordings.recording import load
from tests.plots import pictures, sessions
from tests.scripted_session import LiveSession, three_turns


def lanes(ax: Axes) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def frame(*rows: tuple[float, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["t_s", "direction", "type"])


@pytest.mark.parametrize(
    ("kind", "lane"),
    [
        ("session.updated", "session"),
        ("input_audio_buffer.append", "input audio"),
        ("input_audio_buffer.cleared", "input audio"),
        ("input_audio_buffer.speech_started", "speech"),
        ("input_audio_buffer.committed", "speech"),
        ("conversation.item.added", "items"),
        ("conversation.item.input_audio_transcription.delta", "transcripts"),
        ("response.output_audio_transcript.delta", "transcripts"),
        ("response.audio_transcript.delta", "transcripts"),
        ("response.output_text.delta", "transcripts"),
        ("response.output_audio.delta", "agent's audio"),
        ("response.audio.delta", "agent's audio"),
        ("response.done", "responses"),
        ("response.output_item.added", "responses"),
        ("response.function_call_arguments.delta", "function calls"),
        ("rate_limits.updated", "rate limits"),
        ("error", "errors"),
        ("something.new", "other"),
        (None, "other"),
    ],
)
def test_each_event_has_its_lane(kind: str | None, lane: str) -> None:
    assert lanes(plot_lanes(frame((1.0, "received", kind)))) == [f"{lane}  1"]


def test_a_recording(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    events = load(recorder.path).events

    ax = plot_lanes(events)

    counts = {name.rsplit("  ")[0]: int(name.rsplit("  ")[1]) for name in lanes(ax)}
    assert sum(counts.values()) == len(events)
    assert counts["speech"] == 6
    assert counts["errors"] == counts["other"] == 1


def test_sent_points_up_and_received_down() -> None:
    ax = plot_lanes(frame((1.0, "sent", "session.update"), (2.0, "received", "session.updated")))
    ticks = [
        np.asarray(segment)
        for part in ax.collections
        if isinstance(part, LineCollection)
        for segment in part.get_segments()
    ]
    (sent,), (received,) = ([tick for tick in ticks if (tick[:, 0] == at).all()] for at in (1, 2))
    assert sent[1, 1] < sent[0, 1] == 0.0  # the axis points down
    assert received[1, 1] > received[0, 1] == 0.0


def test_a_hundred_thousand_events_are_drawn_at_once() -> None:
    events = sessions.events(370, 80)
    assert len(events) > 95_000
    begun_s = time.process_time()

    ax = plot_lanes(events)
    ax.figure.canvas.draw()

    assert time.process_time() - begun_s < 1.5
    assert "agent's audio  29,600" in lanes(ax)


def test_where_there_are_too_many_their_number_is_the_height() -> None:
    often = [(0.01 * k, "received", "response.output_audio.delta") for k in range(1_000)]
    twice = [(5.0 + 0.005 * k, "received", "response.output_audio.delta") for k in range(1_000)]

    ax = plot_lanes(frame(*often, *twice))

    (drawn,) = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    heights, edges_s, _ = drawn.get_data()
    assert edges_s[-1] == pytest.approx(9.995)
    first, second = heights[edges_s[:-1] < 4.9], heights[edges_s[:-1] > 5.1]
    assert second.mean() / first.mean() == pytest.approx(3.0, rel=0.1)
    assert heights.max() == pytest.approx(0.42)


def test_no_events() -> None:
    ax = plot_lanes(frame())
    ax.figure.canvas.draw()
    assert lanes(ax) == []


@pytest.mark.parametrize("page", pictures.STYLES)
@pytest.mark.parametrize("turns", [3, 200])
def test_it_looks_as_it_did(turns: int, page: str, tmp_path: Path) -> None:
    events = sessions.events(turns)
    pictures.check(lambda ax: plot_lanes(events, ax), f"lanes_{turns}", page, tmp_path)


WHOLE = sessions.events(3)
CHANGED = {
    "a direction": WHOLE.assign(direction="received"),
    "a lane": WHOLE[~WHOLE["type"].str.startswith("response.function_call")],
    "an answer's audio": WHOLE[
        (WHOLE["type"] != "response.output_audio.delta") | (WHOLE["t_s"] < 20)
    ],
}


@pytest.mark.parametrize("missing", CHANGED)
def test_a_missing_part_is_noticed(missing: str, tmp_path: Path) -> None:
    rms = pictures.difference(
        lambda ax: plot_lanes(CHANGED[missing], ax), "lanes_3", "light", tmp_path
    )
    assert rms > pictures.TOLERANCE


def test_lost_races_are_no_errors(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    session = LiveSession(recorder)
    three_turns(session)
    late = {"code": "response_cancel_not_active", "message": "No response.", "event_id": "late"}
    wrong = {"code": "invalid_value", "message": "No such voice.", "event_id": "wrong"}
    cancel = {"type": "response.cancel", "event_id": "late"}
    recorder.event(WireEvent("sent", cancel, 16.2))
    recorder.event(WireEvent("received", {"type": "error", "error": late}, 16.3))
    recorder.event(WireEvent("received", {"type": "error", "error": wrong}, 16.4))
    recorder.event(WireEvent("received", {"type": "error", "error": late}, 16.5))
    recorder.close(duration_s=17)

    ax = load(recorder.path).plot_lanes()
    assert [lane for lane in lanes(ax) if "error" in lane or "race" in lane] == [
        "errors  1",
        "lost races  3",  # with the one among the three turns
    ]
    (crosses,) = [one for one in ax.collections if isinstance(one, PathCollection)]
    assert crosses.get_offsets().tolist() == [[16.4, lanes(ax).index("errors  1")]]  # type: ignore[union-attr]


def test_only_lost_races_have_their_lane() -> None:
    events = frame((1.0, "received", "error")).assign(seq=[5])
    assert lanes(plot_lanes(events, lost_races=[5])) == ["lost races  1"]
    assert lanes(plot_lanes(events, lost_races=[6])) == ["errors  1"]
