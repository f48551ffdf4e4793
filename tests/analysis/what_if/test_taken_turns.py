from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_nb.analysis.what_if.taken_turns import Taken, taken_turns
from realtime_nb.protocol.turns import SpeechSpan, TurnDetector, TurnSettings, find_speech_spans

SETTINGS = st.builds(
    TurnSettings,
    threshold=st.sampled_from([0.0, 0.005, 0.01, 0.1, 0.5, 0.6, 1.0]),
    prefix_padding_ms=st.sampled_from([0, 31, 300, 5000]),
    silence_duration_ms=st.sampled_from([0, 32, 33, 64, 200, 500]),
    min_speech_ms=st.sampled_from([0, 0, 0, 64]),
)
RUNS = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([0.0, 0.005, 0.3, 0.4, 0.5, 0.61, 1.0])),
    max_size=20,
)


@given(RUNS, st.lists(SETTINGS, max_size=5))
@example([(2, 1.0), (3, 0.0)], [TurnSettings(0.5, 0, 500)])
@example([(3, 0.0)], [TurnSettings(0.5, 0, 0)])
def test_they_are_those_of_the_state_machine(
    runs: list[tuple[int, float]], settings: list[TurnSettings]
) -> None:
    frames = [p for count, p in runs for _ in range(count)]

    found = taken_turns(frames, settings)

    assert [one.spans() for one in found] == [find_speech_spans(frames, one) for one in settings]


def test_they_are_those_of_a_stream() -> None:
    frames = np.random.default_rng(5).choice([0.0, 0.4, 0.9], 2_000, p=[0.6, 0.1, 0.3])
    settings = TurnSettings(0.5, 100, 96)
    (found,) = taken_turns(frames, [settings])
    detector = TurnDetector(settings)
    events = [event for p in frames if (event := detector.step(float(p))) is not None]

    ends = [event.audio_end_ms for event in events if hasattr(event, "audio_end_ms")]
    starts = [event.audio_start_ms for event in events if hasattr(event, "audio_start_ms")]
    assert len(ends) > 50
    assert found.end_ms[~found.cut].tolist() == ends
    assert found.start_ms.tolist() == starts


def test_spans_and_arrays_are_the_same() -> None:
    spans = [SpeechSpan(0, 32, 64, 96), SpeechSpan(96, 128, 160, 192, cut=True)]

    assert Taken.of(spans).spans() == spans
    assert Taken.of([]).spans() == []
