from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import (
    FRAME_MS,
    SPEECH_STEPS,
    SpeechSpan,
    SpeechStart,
    SpeechState,
    SpeechStep,
    SpeechStop,
    TurnDetector,
    TurnSettings,
    find_speech_spans,
)

Event = SpeechStart | SpeechStop

settings_strategy = st.builds(
    TurnSettings,
    threshold=st.floats(0, 1),
    prefix_padding_ms=st.integers(0, 1000),
    silence_duration_ms=st.integers(0, 400),
    min_speech_ms=st.integers(0, 200),
    hysteresis=st.floats(0, 0.5),
)
# Few distinct values, so that runs, exact hits of a threshold and the hysteresis band all occur.
probabilities_strategy = st.lists(
    st.one_of(st.sampled_from([0.0, 0.005, 0.2, 0.35, 0.4, 0.5, 0.9, 1.0]), st.floats(0, 1)),
    max_size=150,
)
base_strategy = st.integers(0, 100_000)


def stream(detector: TurnDetector, probabilities: list[float]) -> list[Event]:
    events = [detector.step(p) for p in probabilities]
    return [event for event in events if event is not None]


def turns_of(events: list[Event], detector: TurnDetector) -> list[SpeechSpan]:
    turns = []
    end_ms, silence_ms = detector.now_ms, detector.silence_ms
    start: SpeechStart | None = None
    for event in events:
        if isinstance(event, SpeechStart):
            start = event
        else:
            assert start is not None
            turns.append(
                SpeechSpan(
                    start.audio_start_ms, start.onset_ms, event.offset_ms, event.audio_end_ms
                )
            )
            start = None
    if start is not None:
        offset_ms = end_ms - silence_ms
        turns.append(SpeechSpan(start.audio_start_ms, start.onset_ms, offset_ms, end_ms, cut=True))
    return turns


@given(probabilities_strategy, settings_strategy, base_strategy)
def test_streaming_and_batch_agree(
    probabilities: list[float], settings: TurnSettings, base_ms: int
) -> None:
    detector = TurnDetector(settings, base_ms)
    events = stream(detector, probabilities)
    assert turns_of(events, detector) == find_speech_spans(probabilities, settings, base_ms)


@given(probabilities_strategy, settings_strategy, base_strategy)
def test_events_keep_the_invariants(
    probabilities: list[float], settings: TurnSettings, base_ms: int
) -> None:
    detector = TurnDetector(settings, base_ms)
    events = stream(detector, probabilities)
    for i, event in enumerate(events):
        assert isinstance(event, SpeechStop if i % 2 else SpeechStart)
    assert detector.speaking == (len(events) % 2 == 1)
    for turn in turns_of(events, detector):
        assert base_ms <= turn.audio_start_ms <= turn.onset_ms < turn.offset_ms
        assert turn.onset_ms - turn.audio_start_ms <= settings.prefix_padding_ms
        assert turn.offset_ms <= turn.audio_end_ms
        assert (turn.audio_end_ms - base_ms) % FRAME_MS == 0
    for turn, following in pairwise(turns_of(events, detector)):
        assert turn.audio_end_ms <= following.audio_start_ms
        clamped = following.audio_start_ms == turn.audio_end_ms
        padding = following.onset_ms - following.audio_start_ms
        assert clamped or padding == settings.prefix_padding_ms


@given(
    st.lists(
        st.one_of(
            st.floats(0, 1),
            settings_strategy,
            st.integers(0, 100),  # end_turn this many ms after the last frame
        ),
        max_size=150,
    ),
    settings_strategy,
    base_strategy,
)
def test_invariants_survive_commits_and_changed_settings(
    script: list[float | int | TurnSettings], settings: TurnSettings, base_ms: int
) -> None:
    detector = TurnDetector(settings, base_ms)
    taken_ms = base_ms
    start: SpeechStart | None = None
    for action in script:
        if isinstance(action, TurnSettings):
            detector.configure(action)
        elif isinstance(action, int):
            taken_ms = max(taken_ms, detector.now_ms + action)
            detector.end_turn(detector.now_ms + action)
            start = None
        else:
            event = detector.step(action)
            if isinstance(event, SpeechStart):
                assert start is None
                assert taken_ms <= event.audio_start_ms <= event.onset_ms < event.at_ms
                start = event
            elif event is not None:
                assert start is not None
                assert start.onset_ms < event.offset_ms <= event.audio_end_ms == event.at_ms
                taken_ms = event.audio_end_ms
                start = None
        assert detector.speaking == (start is not None)
        assert detector.audio_start_ms == (start.audio_start_ms if start else None)


@given(probabilities_strategy, settings_strategy, st.integers(0, 150))
def test_configuring_the_same_settings_changes_nothing(
    probabilities: list[float], settings: TurnSettings, at: int
) -> None:
    plain, configured = TurnDetector(settings), TurnDetector(settings)
    expected = stream(plain, probabilities)
    events = stream(configured, probabilities[:at])
    configured.configure(replace(settings))
    assert expected == events + stream(configured, probabilities[at:])


def test_a_turn_as_the_server_reports_it() -> None:
    detector = TurnDetector(TurnSettings(silence_duration_ms=200))
    assert stream(detector, [0.1] * 48 + [0.9] * 20 + [0.0] * 7) == [
        SpeechStart(audio_start_ms=1536 - 300, onset_ms=1536, at_ms=1568),
        SpeechStop(audio_end_ms=(68 + 7) * 32, offset_ms=68 * 32, at_ms=(68 + 7) * 32),
    ]


def test_the_first_turn_is_clamped_at_the_base_and_the_next_at_the_end_of_the_last() -> None:
    settings = TurnSettings(prefix_padding_ms=300, silence_duration_ms=32)
    probabilities = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert find_speech_spans(probabilities, settings, base_ms=1000) == [
        SpeechSpan(1000, 1032, 1064, 1096),
        SpeechSpan(1096, 1128, 1160, 1192),
    ]


@pytest.mark.parametrize(
    ("silence_duration_ms", "frames"), [(0, 1), (1, 1), (32, 1), (33, 2), (200, 7), (500, 16)]
)
def test_silence_is_rounded_up_to_whole_frames(silence_duration_ms: int, frames: int) -> None:
    settings = TurnSettings(silence_duration_ms=silence_duration_ms)
    detector = TurnDetector(settings)
    detector.step(1.0)
    events = [detector.step(0.0) for _ in range(frames)]
    assert events[:-1] == [None] * (frames - 1)
    assert events[-1] == SpeechStop(32 + 32 * frames, 32, 32 + 32 * frames)


def test_the_band_below_the_threshold_keeps_a_turn_open_but_does_not_open_one() -> None:
    detector = TurnDetector(TurnSettings(silence_duration_ms=64))
    assert stream(detector, [0.4] * 10) == []
    assert stream(detector, [0.5, *[0.35] * 50]) == [SpeechStart(20, 320, 352)]
    assert detector.silence_ms == 0
    assert detector.step(0.349) is None
    assert detector.silence_ms == 32
    assert detector.step(0.35) is None
    assert detector.silence_ms == 0


def test_the_exit_threshold_has_a_floor() -> None:
    assert TurnSettings(threshold=0.1).exit_threshold == 0.01
    assert TurnSettings(threshold=0.5).exit_threshold == pytest.approx(0.35)


def test_min_speech_delays_the_start_and_drops_bursts() -> None:
    settings = TurnSettings(min_speech_ms=90, prefix_padding_ms=0)
    detector = TurnDetector(settings)
    assert stream(detector, [1.0, 1.0, 0.4, 1.0, 1.0]) == []
    assert detector.step(1.0) == SpeechStart(audio_start_ms=96, onset_ms=96, at_ms=192)


def test_settings_changed_within_a_turn_keep_the_silence_heard_so_far() -> None:
    detector = TurnDetector(TurnSettings(silence_duration_ms=500))
    stream(detector, [1.0, 0.0, 0.0, 0.0])
    detector.configure(TurnSettings(silence_duration_ms=96))
    assert detector.step(0.0) == SpeechStop(audio_end_ms=160, offset_ms=32, at_ms=160)
    stream(detector, [1.0, 0.0, 0.0])
    detector.configure(TurnSettings(silence_duration_ms=128))
    assert detector.step(0.0) is None
    assert detector.step(0.0) == SpeechStop(audio_end_ms=320, offset_ms=192, at_ms=320)


def test_settings_changed_before_a_turn_keep_the_speech_heard_so_far() -> None:
    detector = TurnDetector(TurnSettings(min_speech_ms=320, prefix_padding_ms=0))
    assert stream(detector, [1.0] * 5) == []
    detector.configure(TurnSettings(min_speech_ms=160, prefix_padding_ms=0))
    assert detector.step(1.0) == SpeechStart(audio_start_ms=0, onset_ms=0, at_ms=192)


def test_end_turn_closes_without_an_event_and_moves_the_floor() -> None:
    detector = TurnDetector(TurnSettings(silence_duration_ms=32))
    assert detector.step(1.0) == SpeechStart(audio_start_ms=0, onset_ms=0, at_ms=32)
    detector.end_turn(50)
    assert (detector.speaking, detector.audio_start_ms) == (False, None)
    # The frame that the commit cut may be loud with what was committed: it opens nothing. If
    # speech goes on, the next one does, and the padding reaches back to the commit.
    assert detector.step(1.0) is None
    assert detector.step(1.0) == SpeechStart(audio_start_ms=50, onset_ms=64, at_ms=96)


def test_frames_of_audio_that_was_committed_ahead_of_the_detector_open_no_turn() -> None:
    detector = TurnDetector()
    detector.end_turn(64)
    assert stream(detector, [1.0, 1.0]) == []
    assert detector.step(1.0) == SpeechStart(audio_start_ms=64, onset_ms=64, at_ms=96)


def test_stop_now_ends_the_turn_at_the_last_frame() -> None:
    detector = TurnDetector(TurnSettings(silence_duration_ms=8000))
    stream(detector, [1.0, 1.0, 0.0, 0.0, 0.0])
    assert detector.stop_now() == SpeechStop(audio_end_ms=160, offset_ms=64, at_ms=160)
    assert not detector.speaking
    with pytest.raises(RuntimeError, match="No turn is open"):
        detector.stop_now()


def test_an_unfinished_turn_ends_with_the_audio_and_its_speech_where_it_was_heard() -> None:
    assert find_speech_spans([0.0, 1.0, 0.0]) == [SpeechSpan(0, 32, 64, 96, cut=True)]
    assert find_speech_spans([0.0, 1.0, 1.0]) == [SpeechSpan(0, 32, 96, 96, cut=True)]
    assert find_speech_spans([]) == []


@given(
    st.integers(0, 30),
    st.lists(st.sampled_from([0.5, 0.9, 1.0]), min_size=1, max_size=40),
    st.lists(st.floats(0, 0.349), max_size=200),
    st.integers(100, 5_000),
)
def test_speech_does_not_depend_on_the_silence_that_follows(
    before: int, speech: list[float], silence: list[float], window_ms: int
) -> None:
    probabilities = [0.1] * before + speech + silence
    (span,) = find_speech_spans(probabilities, TurnSettings(silence_duration_ms=window_ms))
    assert (span.onset_ms, span.offset_ms) == (32 * before, 32 * (before + len(speech)))
    # Whole frames of silence, as many as the window needs.
    needed = -(-window_ms // 32)
    assert span.cut == (len(silence) < needed)
    assert span.audio_end_ms == span.offset_ms + 32 * min(len(silence), needed)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"hysteresis": -0.1},
        {"prefix_padding_ms": -1},
        {"silence_duration_ms": -1},
        {"min_speech_ms": -1},
        {"threshold": "0.5"},
        {"threshold": True},
        {"threshold": None},
        {"silence_duration_ms": 60_001},
        {"silence_duration_ms": float("inf")},
        {"prefix_padding_ms": "long"},
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    ((name, value),) = change.items()
    legal = "from 0 to 60000" if name.endswith("_ms") else "from 0 to 1"
    with pytest.raises(ConfigurationError, match=f"^{name} is {value!r}; give .* {legal}$"):
        TurnSettings(**change)


class Followed(TurnDetector):
    """Keeps every step that it takes."""

    def __init__(self, settings: TurnSettings) -> None:
        super().__init__(settings)
        self.taken: set[tuple[SpeechState, SpeechStep]] = set()

    def _goes(self, step: SpeechStep, floor_ms: int) -> None:
        self.taken.add((self._state, step))
        super()._goes(step, floor_ms)


@given(st.lists(st.sampled_from([0.0, 0.4, 1.0, "stop", "end"]), max_size=60), settings_strategy)
def test_it_goes_from_state_to_state_as_the_table_says(
    happens: list[float | str], settings: TurnSettings
) -> None:
    detector = Followed(settings)
    for what in happens:
        if isinstance(what, float):
            detector.step(what)
        elif what == "end":
            detector.end_turn()
        elif detector.speaking:
            detector.stop_now()
        else:
            with pytest.raises(RuntimeError):
                detector.stop_now()
        assert detector.speaking == (detector.audio_start_ms is not None)
        assert detector.speaking or not detector.silence_ms
    assert detector.taken <= SPEECH_STEPS.keys()


def test_every_step_of_the_table_is_taken() -> None:
    detector = Followed(TurnSettings(silence_duration_ms=32))
    detector.end_turn()
    stream(detector, [1.0, 0.0, 1.0])
    detector.end_turn()
    assert detector.taken == SPEECH_STEPS.keys()
