from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.local.stt import load_stt
from realtime_nb.testing import FakeSTT, FakeTTS
from tests.paths import DATA

QUIET = np.zeros(24_000, np.float32)


def test_what_is_heard_is_held_to_the_words() -> None:
    found = rt.transcription_quality(
        FakeSTT("ten of clubs", "five of hearts"),
        [(QUIET, "10 of clubs"), (QUIET, "four of hearts")],
    )

    assert found.word_error_rate == pytest.approx(1 / 6)
    assert list(found.table.word_error_share) == [0, pytest.approx(1 / 3)]
    assert list(found.table.audio_s) == [1.0, 1.0]
    assert "fake: 16.7% of 6 words wrong (1 misheard, 0 left out, 0 made up) in 2 texts" in repr(
        found
    )


def test_a_voice_is_judged_by_what_is_understood_of_it() -> None:
    found = rt.voice_quality(FakeTTS(), ["Good morning."], stt=FakeSTT("good warning"))

    assert found.word_error_rate == 0.5
    assert found.engine == "fake, heard by fake"


def test_real_engines_hear_recorded_people_and_each_other() -> None:
    clips = [
        (DATA / "cards_001.wav", "ten of clubs"),
        (DATA / "cards_003.wav", "seven of clubs"),
    ]
    stt = load_stt()
    heard = rt.transcription_quality(stt, clips)
    voice = rt.voice_quality(texts=["The clinic opens at half past eight."], stt=stt)

    assert heard.word_error_rate <= 1 / 3
    assert voice.word_error_rate <= 1 / 7


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rt.transcription_quality("nobody"), "nobody"),
        (lambda: rt.transcription_quality(FakeSTT(), []), r"clips is \[\]"),
        (lambda: rt.transcription_quality(FakeSTT(), [DATA / "cards_001.wav"]), "pairs of a file"),  # type: ignore[list-item]
        (lambda: rt.transcription_quality(FakeSTT(), [(QUIET, 3)]), "pairs of a file"),  # type: ignore[list-item]
        (lambda: rt.voice_quality(FakeTTS(), "one text", stt=FakeSTT()), "texts is 'one text'"),
        (lambda: rt.voice_quality(FakeTTS(), [3], stt=FakeSTT()), "texts holds 3"),  # type: ignore[list-item]
        (lambda: rt.voice_quality("nobody", stt=FakeSTT()), "nobody"),
    ],
)
def test_what_can_not_be_used_is_refused(call: Any, says: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=says):
        call()
