"""Sessions that are recorded to be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording
from tests.recordings.replayed import Record
from tests.scripted_session import LiveSession, session

Act = Callable[[LiveSession], None]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    def recorded(act: Act, settings: dict[str, Any] | None = None) -> Recording:
        live = LiveSession(Recorder(tmp_path, {"dialect": "ga"}))
        assert live.recorder is not None
        live.received(0.2, "session.created", session=settings or session())
        act(live)
        live.recorder.close()
        return rt.load(live.recorder.path)

    yield recorded
