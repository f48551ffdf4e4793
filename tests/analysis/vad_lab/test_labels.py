"""Labels stamp the last turn, survive in a recording's lines, and tell what is true."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.vad_lab.labels import (
    NOT_FINISHED_LABEL,
    NOT_ME_LABEL,
    Label,
    Labels,
    judged_spans,
    label_lines,
    place_of,
    true_spans,
)
from realtime_nb.archive.lines import LabelLine
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.records import Speech

VAD = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}


def clock(pause_s: float = 0.0) -> InputClock:
    """20 ms every 20 ms from t = 1 s on, with a pause of the microphone at 10 s of audio."""
    made = InputClock()
    for number in range(1, 1001):
        at_s = 1 + number * 0.02 + (pause_s if number > 500 else 0)
        made.add(at_s, number * 20.0)
    return made


def turn(item_id: str, start_ms: float, end_ms: float | None) -> Speech:
    """A turn of which the events arrived 0.3 s after their places."""
    return Speech(
        item_id,
        start_ms,
        end_ms,
        VAD,
        VAD,
        started_s=1.3 + start_ms / 1000,
        stopped_s=None if end_ms is None else 1.3 + end_ms / 1000,
    )


TURNS = [turn("a", 700, 2_000), turn("b", 3_000, 4_000), turn("c", 6_000, 7_000)]
VOICES = [(1_000.0, 1_200.0), (1_400.0, 1_800.0), (3_300.0, 3_800.0), (6_300.0, 6_800.0)]


def test_a_key_stamps_the_last_end_or_the_last_start() -> None:
    labels = Labels()
    ended = labels.of_last("not_finished", 4.5, TURNS)  # b has begun, not ended
    assert (ended.item_id, ended.start_ms, ended.end_ms) == ("a", 2_000, 2_000)
    begun = labels.of_last("not_me", 4.5, TURNS)
    assert (begun.item_id, begun.start_ms, begun.end_ms) == ("b", 3_000, 4_000)
    assert labels.all == [ended, begun]


def test_a_key_pressed_twice_says_it_once() -> None:
    labels = Labels()
    first = labels.of_last("not_me", 4.5, TURNS)
    assert labels.of_last("not_me", 4.9, TURNS) is first
    assert len(labels.all) == 1


def test_before_anything_there_is_nothing_to_stamp() -> None:
    with pytest.raises(ConfigurationError, match="No turn has ended by 3 s"):
        Labels().of_last("not_finished", 3.0, TURNS)
    with pytest.raises(ConfigurationError, match="No turn has begun by 0 s"):
        Labels().of_last("not_me", 0.0, [])


@pytest.mark.parametrize(
    ("start_ms", "end_ms"), [(-1, 5), (5, 5), (9, 5), (0, 20_001), (math.nan, 5), (0, math.inf)]
)
def test_speech_lies_within_the_audio(start_ms: float, end_ms: float) -> None:
    with pytest.raises(ConfigurationError, match=r"start_ms .* end_ms .* where the audio ends"):
        Labels().of_speech(start_ms, end_ms, 20_000)


def test_speech_by_hand_does_not_overlap() -> None:
    labels = Labels()
    labels.of_speech(1_000, 2_000, 20_000)
    labels.of_speech(2_000, 3_000, 20_000)
    with pytest.raises(ConfigurationError, match="overlaps the speech that is marked from 2000"):
        labels.of_speech(2_500, 4_000, 20_000)


def test_a_label_can_be_taken_away_once() -> None:
    labels = Labels()
    label = labels.of_speech(1_000, 2_000, 20_000)
    labels.remove(label)
    assert labels.all == []
    with pytest.raises(ConfigurationError, match="not there any more"):
        labels.remove(label)


def test_truth_is_the_voice_of_each_turn() -> None:
    labels = Labels()
    assert true_spans(labels, TURNS, VOICES) == []
    labels.of_last("not_me", 100, TURNS)
    assert true_spans(labels, TURNS, VOICES) == [(1_000, 1_800), (3_300, 3_800)]


def test_who_was_not_finished_goes_on_in_the_next_turn() -> None:
    labels = Labels()
    labels.of_last("not_finished", 3.4, TURNS)
    assert true_spans(labels, TURNS, VOICES) == [(1_000, 3_800), (6_300, 6_800)]
    labels.of_last("not_finished", 5.4, TURNS)
    assert true_spans(labels, TURNS, VOICES) == [(1_000, 6_800)]
    labels.of_last("not_finished", 99, TURNS)
    assert true_spans(labels, TURNS, VOICES) == [(1_000, math.inf)]


def test_a_noise_between_two_halves_is_left_out_of_them() -> None:
    labels = Labels()
    labels.of_last("not_finished", 3.4, TURNS)
    labels.of_last("not_me", 4.4, TURNS)
    assert true_spans(labels, TURNS, VOICES) == [(1_000, 6_800)]


def test_a_turn_without_a_voice_is_as_the_server_has_it() -> None:
    labels = Labels()
    labels.of_last("not_finished", 3.4, TURNS[:2])
    # 2000 less 7 frames of 32 ms, 700 and 300 ms of padding.
    assert true_spans(labels, TURNS[:1], []) == [(1_000, math.inf)]
    labels.of_last("not_me", 99, TURNS[:2])
    assert true_spans(Labels(), TURNS, []) == []


def test_speech_by_hand_is_all_there_is() -> None:
    labels = Labels()
    labels.of_last("not_me", 99, TURNS)
    labels.of_speech(900, 3_900, 20_000)
    assert true_spans(labels, TURNS, VOICES) == [(900, 3_900)]


def test_labels_survive_as_lines_of_a_recording() -> None:
    made = clock(pause_s=2.5)
    labels = Labels()
    labels.of_last("not_finished", 4.5, TURNS)
    labels.of_last("not_me", 8.0, TURNS)
    labels.of_speech(1_010, 1_990, 20_000)
    labels.of_speech(9_900, 10_100, 20_000)  # on both sides of the pause
    lines = [line for label in labels.all for line in label_lines(label, made)]
    assert sorted(line.text for line in lines) == sorted(
        [NOT_FINISHED_LABEL, NOT_ME_LABEL, *("speech start", "speech end") * 2]
    )
    again = Labels()
    again.take_lines([LabelLine(1.0, "my remark"), *lines], TURNS, made)
    for one, other in zip(labels.all, again.all, strict=True):
        assert (one.kind, one.item_id) == (other.kind, other.item_id)
        assert one.start_ms == pytest.approx(other.start_ms, abs=0.01)
        assert one.end_ms == pytest.approx(other.end_ms, abs=0.01)


def test_lines_that_fit_nothing_are_left_out() -> None:
    labels = Labels()
    lines = [
        LabelLine(0.5, NOT_FINISHED_LABEL),  # before any turn
        LabelLine(1.5, "speech end"),  # of no start
        LabelLine(3.0, "speech start"),
        LabelLine(3.0, "speech end"),  # no length
        LabelLine(9.0, "speech start"),  # of no end
    ]
    labels.take_lines(lines, TURNS, clock())
    assert labels.all == []


def test_lines_of_bare_audio_are_on_its_own_time() -> None:
    label = Label("speech", math.nan, 500, 1_500)
    lines = label_lines(label, InputClock())
    assert [(line.t, line.text) for line in lines] == [(0.5, "speech start"), (1.5, "speech end")]
    labels = Labels()
    labels.take_lines(lines, [], InputClock())
    assert [(one.start_ms, one.end_ms) for one in labels.all] == [(500, 1_500)]


@given(st.floats(0, 19_999))
def test_a_place_is_found_again_by_its_time(at_ms: float) -> None:
    made = clock(pause_s=3)
    assert place_of(made, made.wall(at_ms)) == pytest.approx(at_ms, abs=1e-6)


def test_labels_stay_in_the_order_of_their_places() -> None:
    labels = Labels()
    for start_ms in (5_000, 1_000, 3_000):
        labels.of_speech(start_ms, start_ms + 500, 20_000)
    labels.of_last("not_finished", 3.4, TURNS)
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(labels.all))


def test_keys_judge_the_servers_turns_and_hands_all_from_the_first_to_the_last() -> None:
    labels = Labels()

    def judged() -> list[tuple[float, float]]:
        return judged_spans(labels, TURNS, true_spans(labels, TURNS, VOICES))

    assert judged() == []
    labels.of_last("not_me", 100, TURNS)
    assert judged() == [(700, 2_000), (3_000, 4_000), (6_000, 7_000)]
    labels.of_last("not_finished", 3.4, TURNS)  # the first two are one, with what is between them
    assert judged() == [(700, 4_000), (6_000, 7_000)]
    labels.of_speech(900, 1_900, 20_000)
    labels.of_speech(8_000, 9_000, 20_000)
    assert judged() == [(900, 9_000)]


def test_a_turn_without_an_end_is_judged_as_far_as_it_goes() -> None:
    labels = Labels()
    turns = [*TURNS[:2], turn("c", 6_000, None)]
    labels.of_last("not_me", 4.5, turns)
    judged = judged_spans(labels, turns, true_spans(labels, turns, VOICES))
    assert judged == [(700, 2_000), (3_000, 4_000), (6_000, math.inf)]
