from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.report.sound import encoded_beside, sound_data_uri
from tests.paths import DATA


@pytest.fixture
def recording() -> Recording:
    return load(DATA / "cards_001.wav")


def test_encoding_goes_on_beside_the_block(recording: Recording) -> None:
    with encoded_beside(recording) as encoding:
        (thread,) = (one for one in threading.enumerate() if one.name.startswith("report sound"))
        sound = encoding.result()

    assert sound == sound_data_uri(recording)
    assert sound is not None
    assert not thread.is_alive()


def test_a_report_that_fails_does_not_wait_for_its_sound(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_nb.recordings.report.sound._BLOCK_S", 0.1)
    begun, failed = threading.Event(), threading.Event()
    blocks: list[float] = []

    class Clip:
        def __init__(self, rec: Recording, start_s: float, end_s: float) -> None:
            blocks.append(start_s)
            begun.set()
            assert failed.wait(10)
            self.stereo = rec.clip(start_s, end_s).stereo

    class Waits(threading.Event):
        """The block fails while the first piece is encoded."""

        def set(self) -> None:
            super().set()
            failed.set()

    monkeypatch.setattr("realtime_nb.recordings.report.sound.RecordingClip", Clip)
    monkeypatch.setattr("realtime_nb.recordings.report.sound.Event", Waits)
    found: list[Future[str | None]] = []
    with pytest.raises(KeyboardInterrupt), encoded_beside(recording) as encoding:
        found.append(encoding)
        assert begun.wait(10)
        raise KeyboardInterrupt

    assert found[0].result() is None
    assert blocks == [0.0]
