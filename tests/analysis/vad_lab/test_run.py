"""A run over a track says what the state machine says of its probabilities in one go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.analysis.vad_lab.run import Run
from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans


class Given:
    """A detector that hears what the bytes say, a frame each."""

    def __init__(self, audio_format: JsonObject | None = None) -> None:
        pass

    def push(self, payload: bytes) -> list[float]:
        return [byte / 10 for byte in payload]

    def reset(self) -> None:
        pass


PROBABILITIES = st.lists(st.integers(0, 10), max_size=80)
SETTINGS = st.builds(
    TurnSettings,
    threshold=st.sampled_from([0.3, 0.5, 0.8]),
    prefix_padding_ms=st.sampled_from([0, 100, 300]),
    silence_duration_ms=st.sampled_from([0, 64, 200]),
    min_speech_ms=st.sampled_from([0, 64]),
)


@settings(max_examples=150, deadline=None)
@given(PROBABILITIES, SETTINGS, st.lists(st.integers(0, 80), max_size=4))
def test_a_ghost_is_the_whole_form_of_the_state_machine(
    heard: list[int], setting: TurnSettings, looks: list[int]
) -> None:
    track = SpeechTrack(Given)
    run = Run(track, setting)
    done = 0
    for place in [*sorted(looks), len(heard)]:
        track.push(bytes(heard[done:place]))
        done = max(done, place)
        run.advance()
    spans = find_speech_spans([value / 10 for value in heard], setting)
    got = [(s.start_ms, s.onset_ms, s.offset_ms, s.end_ms, s.how == "open") for s in run.spans()]
    assert got == [
        (s.audio_start_ms, s.onset_ms, s.offset_ms, s.audio_end_ms, s.cut) for s in spans
    ]
    assert run.count == len(spans)


@settings(max_examples=150, deadline=None)
@given(PROBABILITIES, st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["cut", "settings"]))))
def test_a_step_that_is_known_late_is_as_if_it_had_been_known(
    heard: list[int], steps: list[tuple[int, str]]
) -> None:
    detections = [None, {"type": "server_vad", "threshold": 0.7}]
    filled = [
        one and {"prefix_padding_ms": 300, "silence_duration_ms": 64} | one for one in detections
    ]
    late, early = SpeechTrack(Given), SpeechTrack(Given)
    run = Run(late)
    late.push(bytes(heard))
    run.advance()
    for number, (frame, kind) in enumerate(steps, 1):
        frame = min(frame, len(heard))
        step = Step(frame, number, kind, frame * 32, 0.0, filled[number % 2])  # type: ignore[arg-type]
        run.rewind(late.place(step), frame)
        run.advance()
        early.place(step)
    early.push(bytes(heard))
    afresh = Run(early)
    afresh.advance()
    assert run.spans() == afresh.spans()


def test_hours_are_gone_back_in_by_no_more_than_a_state() -> None:
    track = SpeechTrack(Given)
    run = Run(track, TurnSettings())
    track.push(bytes([0, 9, 9, 0, 0, 0, 0, 0, 0, 0]) * 1_000)
    run.advance()
    before = run.spans()
    step = Step(9_990, 1, "cut", 9_990 * 32)
    run.rewind(track.place(step), 9_990)
    assert run._frame == 9 * 1_024
    run.advance()
    assert run.spans()[:-1] == before[:-1]


def test_only_what_ends_later_is_asked_for() -> None:
    track = SpeechTrack(Given)
    run = Run(track, TurnSettings(silence_duration_ms=64))
    track.push(bytes([9, 0, 0, 0] * 3 + [9]))
    run.advance()
    assert [span.how for span in run.spans()] == ["stopped"] * 3 + ["open"]
    assert [span.end_ms for span in run.spans(97)] == [224, 352, 416]
    assert [span.known_ms for span in run.spans(400)] == [416]
