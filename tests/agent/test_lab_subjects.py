from __future__ import annotations

import asyncio
import concurrent.futures
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent.lab_subjects import TriedSubject, pending_of
from realtime_nb.audio.files import load_audio
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.session.asked import Asked
from tests.paths import DATA


def recorded(path: Path, quiet_s: float, voice_s: float) -> TriedSubject:
    voice = np.resize(load_audio(DATA / "austen_0880.wav"), round(24_000 * voice_s))
    sound = np.concatenate([np.zeros(round(24_000 * quiet_s), np.float32), voice])
    soundfile.write(path, sound, 24_000, subtype="PCM_16")
    return TriedSubject(rt.load(path), "silero")


def test_a_recording_is_calibrated_on_its_silence_and_its_speech(tmp_path: Path) -> None:
    subject = recorded(tmp_path / "a.wav", 5, 12)
    quiet, speech = subject.calibration_audio()
    assert (len(quiet), len(speech)) == (3_000 * BYTES_PER_MS, 5_000 * BYTES_PER_MS)
    assert not any(quiet)
    assert any(speech)
    with pytest.raises(rt.ConfigurationError, match=r"5 s of speech, .* in a session"):
        recorded(tmp_path / "b.wav", 5, 3).calibration_audio()


def test_settings_that_are_tried_can_be_undone_in_any_order(tmp_path: Path) -> None:
    subject = recorded(tmp_path / "a.wav", 1, 4)
    first = subject.settings.detection
    assert first is not None
    assert [subject.settings.can_undo, subject.settings.can_redo] == [False, False]
    for threshold in (0.6, 0.7):
        subject.ask({**first, "threshold": threshold}).result(1)
    subject.ask(subject.settings.undo()).result(1)
    assert subject.settings.detection == {**first, "threshold": 0.6}
    assert [subject.settings.can_undo, subject.settings.can_redo] == [True, True]
    subject.ask(subject.settings.undo()).result(1)
    assert [subject.settings.detection, subject.settings.can_undo] == [first, False]
    subject.ask(subject.settings.redo()).result(1)
    subject.ask({**first, "threshold": 0.9}).result(1)
    assert [subject.settings.can_undo, subject.settings.can_redo] == [True, False]
    assert [row["change"] for row in subject.history()][-1] == "threshold 0.6 → 0.9"


@pytest.mark.parametrize("ending", ["well", "badly", "not"])
def test_what_a_session_was_asked_for_can_be_waited_for_elsewhere(ending: str) -> None:
    async def asked() -> Any:
        future = asyncio.get_running_loop().create_future()
        pending = pending_of(Asked(future))
        if ending == "well":
            future.set_result(None)
        elif ending == "badly":
            future.set_exception(ValueError("no"))
        else:
            future.cancel()
        return await pending

    if ending == "well":
        assert asyncio.run(asked()) is None
    else:
        error = ValueError if ending == "badly" else asyncio.CancelledError
        with pytest.raises((error, concurrent.futures.CancelledError)):
            asyncio.run(asked())
