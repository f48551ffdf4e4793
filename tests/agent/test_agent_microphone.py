"""What a recording says of the page's microphone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comm
import pytest

import realtime_nb as rt
from realtime_nb.agent.audio import BrowserAudio
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.testing import MemoryServer
from tests.widgets.conftest import FakeComm, FakePage

WAIT_S = 10.0
WANTED = {"echo_cancellation": True, "noise_suppression": True, "auto_gain_control": None}


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[IoThread]:
    monkeypatch.setattr(comm, "create_comm", FakeComm)
    made = IoThread("test-io")
    yield made
    made.stop()


def tell(page: FakePage, **applied: Any) -> None:
    made = {"device": "Ann's headset", **WANTED, **applied} if applied else {}
    page.send({"kind": "state", "status": "on", "error": "", "devices": [], "applied": made})


def test_the_recording_says_what_the_browser_made_of_the_settings(
    thread: IoThread, tmp_path: Path
) -> None:
    audio = BrowserAudio(thread, lambda words: None, lambda: None)
    page = FakePage(audio.microphone)
    page.hello()

    async def talk(before: dict[str, Any], *then: dict[str, Any]) -> rt.Recording:
        tell(page, **before)
        async with (
            MemoryServer() as server,
            rt.connect(transport=server.transport, record=tmp_path) as session,
        ):
            await audio.start(session)
            for applied in then:
                tell(page, **applied)
            taken = asyncio.Event()
            thread.call(taken.set)  # after what the page told
            await taken.wait()
            await audio.stop()
        assert session.recording is not None
        return rt.load(session.recording)

    def noted(*steps: dict[str, Any]) -> object:
        return thread.run(talk(*steps)).result(WAIT_S).header.get("microphone")

    assert noted({}) is None
    assert noted({"sample_rate": 48_000}) == {**WANTED, "sample_rate": 48_000}
    changed = {"sample_rate": 44_100, "echo_cancellation": False}
    assert noted({"sample_rate": 48_000}, changed) == {**WANTED, **changed}
    audio.close()
