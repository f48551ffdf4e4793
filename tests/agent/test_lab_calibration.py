from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.agent.lab_calibration import QUIET_MS, SPEECH_MS, Calibrating, calibration_facts
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.testing import silence
from tests.paths import DATA

VOICE = pcm_from_samples(np.resize(load_audio(DATA / "austen_0880.wav"), 24 * SPEECH_MS))


def heard(*pieces: bytes, **options: object) -> Calibrating:
    calibrating = Calibrating(0.5, "silero", options)
    for piece in pieces:
        calibrating.push(piece)
    return calibrating


def test_it_waits_for_silence_then_for_speech_and_takes_no_more() -> None:
    assert (heard().phase, heard().left_s) == ("quiet", QUIET_MS / 1000)
    assert "Talk" in heard().told()["words"]
    begun = heard(silence(1_000))
    assert (begun.phase, begun.left_s, begun.told()["words"]) == ("quiet", 2.0, "")
    half = heard(silence(QUIET_MS), VOICE[: 48 * 2_000])
    assert (half.phase, half.left_s, half.result()) == ("speech", 3.0, None)
    whole = heard(silence(QUIET_MS), VOICE)
    assert whole.told() == heard(silence(QUIET_MS), VOICE, silence(60_000)).told()


def test_it_says_what_it_came_to_and_what_the_browser_did() -> None:
    found = heard(silence(QUIET_MS), VOICE, noise_suppression=True, echo_cancellation=False)
    told = found.told()
    assert told["phase"] == "done"
    assert 0 < told["threshold"] < 1
    assert str(round(told["threshold"], 2)) in told["words"]
    assert told["facts"][-1] == "the browser applies noise suppression"
    assert any(fact.startswith("speech −") or fact.startswith("speech -") for fact in told["facts"])


def test_a_bad_microphone_gets_no_threshold_but_advice() -> None:
    faint = pcm_from_samples(np.resize(load_audio(DATA / "austen_0880.wav"), 24 * SPEECH_MS) / 300)
    told = heard(silence(QUIET_MS), faint).told()
    assert told["threshold"] is None
    assert told["words"]
    loud = np.clip(np.resize(load_audio(DATA / "austen_0880.wav"), 24 * SPEECH_MS) * 50, -1, 1)
    clipped = heard(silence(QUIET_MS), pcm_from_samples(loud)).result()
    assert clipped is not None
    assert any("clipped" in fact for fact in calibration_facts(clipped))


@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=12))
def test_the_phase_depends_on_how_much_was_heard_alone(lengths_ms: list[int]) -> None:
    calibrating = heard(*(silence(ms) for ms in lengths_ms))
    total_ms = sum(lengths_ms)
    wanted = "quiet" if total_ms < 3_000 else "speech" if total_ms < 8_000 else "done"
    assert calibrating.phase == wanted
