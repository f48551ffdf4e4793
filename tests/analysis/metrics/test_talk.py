"""Metrics of who spoke when, as paper has them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.metrics.talk import talk_figures
from realtime_nb.analysis.voices import Voices, audible_spans
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.protocol import events as ev
from tests.analysis.metrics.made_calls import reasons
from tests.made_recording import MadeRecording
from tests.protocol.spoken_voice import ANSWERS, Voice, answer_events
from tests.spoken_recording import begun, spoken, voiced


def cut_turn(next_onset_ms: int, text: str, following: str, **answer: Any) -> MadeRecording:
    """A turn that ends at 4.3 s and is answered from 5 s on, and the next one."""
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", text)
    rec.answer(4.5, "resp_1", 2_000, "Well.", **answer)
    rec.played("resp_1_item", 0.0, "started", 5.0)
    spoken(rec, "user_2", next_onset_ms, next_onset_ms + 1_000, stopped_s=9.0)
    rec.user(9.1, "user_2", following)
    return rec


@pytest.mark.parametrize(
    ("next_onset_ms", "text", "following", "answer", "cuts"),
    [
        (4_400, "My number is", "five five five.", {}, 1),  # 5.4 s, after 400 ms of the reply
        (4_400, "My number is five.", "five five.", {}, 1),
        (4_400, "My number is five.", "Five five.", {}, 0),  # a new sentence, and not cut
        (4_400, "My number is five.", "Five five.", {"status": "cancelled"}, 1),
        (4_400, "My number is", "", {}, 0),
        (4_499, "My number is", "five.", {}, 1),
        (4_500, "My number is", "five.", {}, 0),  # 500 ms of the reply were heard
        (3_299, "My number is", "five.", {}, 0),  # where it begins is not known
    ],
)
def test_premature_cuts(
    next_onset_ms: int, text: str, following: str, answer: dict[str, Any], cuts: int
) -> None:
    rec = cut_turn(next_onset_ms, text, following, **answer)

    assert talk_figures(rec)["premature_cuts"].value == cuts


def test_a_cut_is_noticed_within_1200_ms() -> None:
    for next_onset_ms, cuts in ((4_499, 1), (4_501, 0)):
        rec = begun()
        spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
        rec.user(4.35, "user_1", "My number is")
        spoken(rec, "user_2", next_onset_ms, 6_000, stopped_s=9.0)
        rec.user(9.1, "user_2", "five.")

        assert talk_figures(rec)["premature_cuts"].value == cuts


def test_agent_that_talks_over_the_user() -> None:
    rec = cut_turn(4_400, "One.", "Two.")
    for span_ms, times in (((3_900, 4_100), 1), ((4_000, 4_100), 1), ((3_900, 4_000), 0)):
        voiced(rec, span_ms)
        assert talk_figures(rec)["agent_over_user"].value == times


def test_how_long_the_device_was_dry() -> None:
    rec = begun()
    for t_s, response_id, late_s in ((10.0, "resp_1", 0.3), (20.0, "resp_2", 0.1)):
        rec.answer(t_s, response_id, 1_000, "Hello.")
        rec.played(f"{response_id}_item", 0.0, "started", t_s + 0.2)
        if late_s > 0.2:
            rec.played(f"{response_id}_item", 500.0, "underrun", t_s + 0.7)
        rec.played(f"{response_id}_item", 1_000.0, "finished", t_s + 1.2 + late_s)
    rec.answer(30.0, "resp_3", 1_000, "Hello.")
    rec.played("resp_3_item", 0.0, "started", 30.2)
    rec.played("resp_3_item", 500.0, "underrun", 30.7)  # and never again

    found = talk_figures(rec)

    assert found["underruns"].value == 2
    assert found["underrun_ms"].value == pytest.approx(300)
    assert len(found["underrun_ms"].values) == 1


def test_phantom_turns() -> None:
    rec = begun()
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "Thank you.")
    spoken(rec, "user_2", 6_000, 7_000, stopped_s=8.3)
    rec.user(8.35, "user_2", "Hello.")
    rec.user(12.0, "user_3", "By hand.")  # committed without turn detection: from 8.35 on
    rec.user(13.0, "user_4", "By hand.")
    rec.sent(14.0, "conversation.item.create", item={"type": "message", "role": "user"})
    voiced(rec, (2_000, 2_149), (6_000, 6_150), (9_000, 9_200))

    found = talk_figures(rec)

    assert found["phantom_turns"].value == 2
    assert found["phantom_share"].value == 0.5
    assert found["phantom_turns"].source == "offline_vad"


def test_no_long_silence_is_zero_of_them_and_no_longest() -> None:
    rec = begun()
    rec.duration_s = 4.0
    voiced(rec, (1_000, 2_000))

    assert reasons(rec)["longest_silence_s"] == "no gap is longer than 2 s"
    assert metrics(rec).value[["long_silences", "silence_share"]].tolist() == [0, 0]


def pace_of_a_voice(order: str, seed: int, *, cut: bool) -> float:
    """Words a minute of twelve answers of one voice, each heard to its end or for 3 s."""
    rec, voice = MadeRecording(), Voice(seed)
    chooser, output, t_s = random.Random(seed), b"", 0.0
    for number in range(12):
        sentences = [voice.speak(text) for text in ANSWERS[number % len(ANSWERS)]]
        pcm = b"".join(sentence.pcm for sentence in sentences)
        length_ms = len(pcm) // 48
        played_ms = 3_000 if cut else length_ms
        name, received_ms = f"item_{number}", min(length_ms, played_ms + 1_000)
        for raw, audio in answer_events(
            sentences, order, received_ms, item_id=name, chooser=chooser
        ):
            rec.conversation.apply(ev.parse_server(raw), t_s, pcm=audio)
        status = "cancelled" if cut else "completed"
        rec.got(t_s, "response.done", response={"id": f"resp_of_{name}", "status": status})
        rec.played(name, 0.0, "started", t_s)
        t_s += played_ms / 1_000
        rec.played(name, played_ms, "flushed" if cut else "finished", t_s)
        output += pcm[: played_ms * 48]
    rec.duration_s, rec.output = t_s, samples_from_pcm(output)
    rec.voices = Voices(user=[], agent=audible_spans(rec.output))
    rec.input = np.zeros(240, np.float32)
    return float(metrics(rec).value["speech_rate_wpm"])


@pytest.mark.parametrize("order", ["sentences", "first", "ahead"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_pace_of_a_voice_that_is_interrupted_is_its_pace(order: str, seed: int) -> None:
    whole = pace_of_a_voice(order, seed, cut=False)
    assert pace_of_a_voice(order, seed, cut=True) == pytest.approx(whole, rel=0.1)
