"""A report, and the recording that it is of."""

from __future__ import annotations

import matplotlib
import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.report import report_html
from tests.scripted_session import LiveSession, three_turns

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    header = {"endpoint": {"kind": "local"}, "model": "<b>echo</b>", "dialect": "ga"}
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), header)
    live = LiveSession(recorder)
    three_turns(live)
    live.user_item(15.4, "user_x", "<script>alert(1)</script> & <img src=x onerror=alert(2)>")
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture(scope="module")
def page(recording: Recording) -> str:
    return report_html(recording)
