"""The player of a clip."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.clip_view import ClipView
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture
def player(recording: Recording) -> Iterator[ClipView]:
    widget = ClipView(recording.clip(2.0, 14.5).audio())
    yield widget
    widget.close()


@pytest.fixture
def page(player: ClipView) -> ListeningPage:
    page = ListeningPage(player)
    page.say("show")
    return page


def expected(recording: Recording, start_s: float, end_s: float) -> bytes:
    """Both voices as the recording has them; the microphone began at 1 s."""
    first, last = round(start_s * 24_000), round(end_s * 24_000)
    user, agent = recording.input[first - 24_000 : last - 24_000], recording.output[first:last]
    sides = np.stack([np.pad(one, (0, last - first - len(one))) for one in (user, agent)], axis=1)
    return np.clip(np.round(sides * 32_768), -32_768, 32_767).astype("<i2").tobytes()


def test_the_page_is_told_what_there_is_and_no_sound(
    page: ListeningPage, recording: Recording
) -> None:
    [message] = page.take()
    json.dumps(message, allow_nan=False)
    assert message["range"] == (2.0, 14.5)
    assert message["name"] == f"{recording.path.name}: 2.00 s to 14.50 s"
    assert not any(page.buffers)


def test_the_sound_is_the_clips_ten_seconds_at_a_time(
    page: ListeningPage, recording: Recording
) -> None:
    page.take()
    for start_s, end_s, last_s in [(2.0, 14.5, 12.0), (12.0, 14.5, 14.5), (3.5, 4.0, 4.0)]:
        page.say("audio", run=1, start_s=start_s, end_s=end_s)
        [message] = page.take()
        assert (message["run"], message["start_s"]) == (1, start_s)
        heard = np.frombuffer(page.buffers[-1], "<i2").astype(int)
        wanted = np.frombuffer(expected(recording, start_s, last_s), "<i2").astype(int)
        assert len(heard) == len(wanted)
        assert wanted.any()
        assert abs(heard - wanted).max() <= 1


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"start_s": 5.0, "end_s": 2.0},
        {"start_s": "now", "end_s": 4.0},
        {"start_s": 3.0, "end_s": None},
        {"start_s": math.nan, "end_s": 4.0},
        {"start_s": 14.5, "end_s": 16.0},
        {"start_s": 0.0, "end_s": 1.0},
    ],
)
def test_what_is_not_in_the_clip_is_not_heard(page: ListeningPage, asked: dict[str, Any]) -> None:
    page.take()
    page.say("audio", run=1, **asked)
    assert page.take() == []


CELLS = """
import realtime_nb as rt; rec = rt.load({path!r}); clip = rec.clip(0.5, 16)
clip.audio()
display(clip.audio())
clip
rec.findings()
rt.Timeline(rec)
rec
[clip.audio()]
"""


@pytest.mark.live
def test_a_saved_notebook_has_no_sound(recording: Recording, tmp_path: Path) -> None:
    sources = CELLS.format(path=str(recording.path)).strip().splitlines()
    cells = [nbformat.v4.new_code_cell(one) for one in sources]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    saved = tmp_path / "saved.ipynb"
    nbformat.write(notebook, saved)  # type: ignore[no-untyped-call]

    text = saved.read_text("utf-8")
    assert "audio/" not in text
    assert "base64" not in text
    cell_sizes = [len(json.dumps(cell.outputs)) for cell in notebook.cells]
    assert max(*cell_sizes[1:4], cell_sizes[7]) < 3_000  # 15.5 s of sound: 2,000,000 in base64
    assert sum(cell_sizes) < 60_000
    assert len(text) < 400_000  # most of it is the state of three views: their code
    for shown in notebook.cells[1:3]:
        [summary, view] = shown.outputs
        assert "its sound is not here" in summary.data["text/html"].lower()
        assert "application/vnd.jupyter.widget-view+json" in view.data
