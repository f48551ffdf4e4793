from __future__ import annotations

import math

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.analysis.findings.audio import (
    clipping,
    noisy_room,
    quiet_microphone,
    underruns,
    unheard_audio,
)
from realtime_nb.analysis.findings.evidence import Evidence, Finding, Rule
from tests.analysis.cost.priced_session import two_turns
from tests.made_recording import MadeRecording


def test_audio_that_was_paid_for_and_never_heard() -> None:
    (finding,) = unheard_audio(Evidence(two_turns()))

    assert finding.text == "38% of the agent's audio was never heard (3.0 s): about $0.007."
    assert finding.evidence["item_ids"] == ["resp_2_item"]
    assert finding.evidence["unheard_ms"] == 3_000
    assert finding.severity == "note"
    assert finding.suggestion == (
        "ask for shorter answers in the instructions: most of the unheard audio was cut off"
    )


def test_audio_unheard_because_answers_began_in_a_pause_asks_for_no_shorter_ones() -> None:
    """Two answers of "Thank you. What else?", 1.4 s each, that the user went on over."""
    rec = rt.samples("cut_short")

    (finding,) = unheard_audio(Evidence(rec))

    assert finding.text.startswith("25% of the agent's audio")
    assert finding.suggestion == (
        "let the user finish (premature-cut): most of the unheard audio belongs to answers that "
        "began in a pause"
    )


def test_audio_that_was_never_begun() -> None:
    rec = MadeRecording()
    rec.answer(1.0, "resp_1", 4_000, "Hello.")
    rec.played("resp_1_item", 4_000, "finished", 6.0)
    rec.answer(7.0, "resp_2", 4_000, "Good-bye.")

    (finding,) = unheard_audio(Evidence(rec))

    assert finding.text.startswith("50% of")
    assert finding.suggestion.startswith("let answers play to their end")


def test_unheard_audio_without_a_price() -> None:
    (finding,) = unheard_audio(Evidence(two_turns(model="unknown")))

    assert finding.text == "38% of the agent's audio was never heard (3.0 s)."


@pytest.mark.parametrize("played_ms", [3_200, 3_900, None])
def test_little_or_nothing_known_of_what_was_heard(played_ms: float | None) -> None:
    rec = MadeRecording()
    rec.answer(1.0, "resp_1", 4_000, "Hello.")
    if played_ms is not None:
        rec.played("resp_1_item", played_ms, "flushed", 5.0)

    assert not list(unheard_audio(Evidence(rec)))


def test_playback_that_ran_dry() -> None:
    rec = MadeRecording()
    for number in (1, 2):
        rec.answer(number * 10.0, f"resp_{number}", 4_000, "Hello.")
        rec.played(f"resp_{number}_item", 0, "started", number * 10.0 + 1)
    rec.played("resp_1_item", 500, "underrun", 11.5)
    rec.played("resp_1_item", 900, "underrun", 12.5)
    rec.played("resp_1_item", 4_000, "finished", 16.0)

    (finding,) = underruns(Evidence(rec))

    assert finding.text.startswith("playback ran dry 2 times in 1 answer:")
    assert (finding.start_s, finding.end_s) == (11.0, 16.0)
    assert not list(underruns(Evidence(MadeRecording())))


@pytest.mark.parametrize(
    ("rule", "figures", "text"),
    [
        (quiet_microphone, {"input_peak_dbfs": -46.0}, "its loudest moment is -46 dBFS"),
        (quiet_microphone, {"input_peak_dbfs": -math.inf}, "nothing but digital silence"),
        (quiet_microphone, {"input_peak_dbfs": -12.0}, None),
        (quiet_microphone, {"input_peak_dbfs": math.nan}, None),
        (clipping, {"clipping_share": 0.004}, "clips: 0.4% of its samples"),
        (clipping, {"clipping_share": 0.0005}, None),
        (noisy_room, {"snr_db": 9.0, "noise_floor_dbfs": -31.0}, "9 dB above the noise (noise"),
        (noisy_room, {"snr_db": 9.0}, "only 9 dB above the noise."),
        (noisy_room, {"snr_db": 40.0}, None),
        (noisy_room, {}, None),
    ],
)
def test_health_of_the_input(rule: Rule, figures: dict[str, float], text: str | None) -> None:
    evidence = Evidence(MadeRecording())
    evidence.metrics = pd.DataFrame({"value": figures})

    found: list[Finding] = list(rule(evidence))

    assert len(found) == (text is not None)
    assert all(text is not None and text in finding.text for finding in found)
