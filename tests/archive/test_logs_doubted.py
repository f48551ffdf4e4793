"""Of a damaged log every number is the right one, or unknown, and the damage is said.

The right ones are those of the same log before it was damaged.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.archive.logs import LogSource
from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import Recording
from tests.archive.good_log import good_lines, numbers
from tests.archive.wire_logs import written

Line = dict[str, Any]
GOOD = good_lines()
EXAMPLES = 25
"""Each damages a log, reads it and makes all its tables: 60 ms of processor time."""


def opened(folder: Path, lines: list[Line]) -> Recording:
    return Recording(LogSource(written(folder / "log.jsonl", lines)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[tuple[str, str, str], float]:
    whole = opened(folder, GOOD)
    assert whole.problems == []
    return numbers(whole)


def differences(
    found: dict[tuple[str, str, str], float], truth: dict[tuple[str, str, str], float]
) -> tuple[list[str], bool]:
    """Return what is another number than the right one, and whether anything is not as it was."""
    wrong, changed = [], False
    for key, value in found.items():
        if key not in truth and key[2].endswith(")"):
            changed = True
            continue
        right = truth.get(key, math.nan)
        if math.isnan(value):
            changed |= not math.isnan(right)
        elif value != pytest.approx(right, abs=0.2):
            wrong.append(f"{key}: {value} instead of {right}")
    return wrong, changed


def check(folder: Path, lines: list[Line], truth: dict[tuple[str, str, str], float]) -> None:
    recording = opened(folder, lines)
    wrong, changed = differences(numbers(recording), truth)
    assert not wrong, "\n".join([*wrong[:10], *recording.problems])
    assert recording.problems or not changed


def is_append(line: Line) -> bool:
    return bool(line["event"]["type"] == "input_audio_buffer.append")


def is_delta(line: Line) -> bool:
    return str(line["event"]["type"]).endswith(".delta")


APPENDS = [index for index, line in enumerate(GOOD) if is_append(line)]
STEPS = [
    index
    for index, line in enumerate(GOOD)
    if not is_append(line) and not is_delta(line) and line["direction"] == "received"
]


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_a_log_that_begins_late(folder: Path, truth: Any, data: st.DataObject) -> None:
    check(folder, GOOD[data.draw(st.integers(1, len(GOOD) - 5)) :], truth)


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_a_log_that_ends_early(folder: Path, truth: Any, data: st.DataObject) -> None:
    """One that ends between two turns is whole; what is there of a turn is right or unknown."""
    recording = opened(folder, GOOD[: data.draw(st.integers(1, len(GOOD) - 1))])
    assert differences(numbers(recording), truth)[0] == []


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_lost_appends(folder: Path, truth: Any, data: st.DataObject) -> None:
    # That a microphone began later is as good a reason for a missing beginning.
    first = data.draw(st.integers(1, len(APPENDS) - 1))
    count = data.draw(st.integers(1, 40))
    some = set(APPENDS[first : first + count])
    if data.draw(st.booleans()):
        some |= set(data.draw(st.lists(st.sampled_from(APPENDS[1:]), max_size=20)))
    check(folder, [line for index, line in enumerate(GOOD) if index not in some], truth)


@pytest.mark.parametrize("index", STEPS)
def test_a_lost_step(folder: Path, truth: Any, index: int) -> None:
    check(folder, GOOD[:index] + GOOD[index + 1 :], truth)


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_events_logged_twice(folder: Path, truth: Any, data: st.DataObject) -> None:
    twice = data.draw(st.sets(st.integers(0, len(GOOD) - 1), min_size=1, max_size=30))
    later = data.draw(st.sampled_from([0, 1, 5]))
    lines: list[Line] = []
    due: list[tuple[int, Line]] = []
    for index, line in enumerate(GOOD):
        lines.append(line)
        due += [(index + later, line)] if index in twice else []
        lines += [again for at, again in due if at == index]
    check(folder, lines, truth)


@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_times_that_were_shuffled(folder: Path, truth: Any, data: st.DataObject) -> None:
    some = sorted(data.draw(st.sets(st.integers(0, len(GOOD) - 1), min_size=2, max_size=40)))
    order = data.draw(st.permutations(some))
    lines = list(GOOD)
    for index, other in zip(some, order, strict=True):
        lines[index] = {**GOOD[index], "time": GOOD[other]["time"]}
    check(folder, lines, truth)


def test_newest_first(folder: Path, truth: Any) -> None:
    recording = opened(folder, GOOD[::-1])

    assert differences(numbers(recording), truth) == ([], False)
    assert recording.problems == ["The log's newest event comes first; it is read from its end."]


@given(data=st.data())
@settings(max_examples=20)
def test_lines_in_any_order(folder: Path, truth: Any, data: st.DataObject) -> None:
    check(folder, data.draw(st.permutations(GOOD)), truth)


# --- several sessions -----------------------------------------------------------------------------

OTHER = good_lines("_2", seed=2, began_s=0.7)
AFTER = good_lines("_2", seed=2, began_s=30.0)


def named(lines: list[Line], name: str) -> list[Line]:
    return [{**line, "session_id": name} for line in lines]


def merged(one: list[Line], other: list[Line]) -> list[Line]:
    return sorted([*one, *other], key=lambda line: float(line["time"]))


def test_sessions_at_the_same_time_are_refused(folder: Path) -> None:
    with pytest.raises(RecordingError, match=r"2 sessions that ran at the same time.*session_id"):
        opened(folder, merged(GOOD, OTHER))


@given(data=st.data())
@settings(max_examples=20)
def test_sessions_in_any_mixture_are_refused(folder: Path, data: st.DataObject) -> None:
    """Each in its order; both go on after both have begun."""
    turns = [0] * (len(GOOD) - 20) + [1] * (len(OTHER) - 20)
    order = [0, 1] * 20 + data.draw(st.permutations(turns))
    rest = [iter(GOOD), iter(OTHER)]
    with pytest.raises(RecordingError, match="at the same time"):
        opened(folder, [next(rest[which]) for which in order])


def test_sessions_that_the_log_names_are_told_apart(folder: Path, truth: Any) -> None:
    recording = opened(folder, merged(named(GOOD, "a"), named(OTHER, "b")))

    assert recording.problems == [
        "The log holds 2 sessions, at the same time; this is the first. rec.sessions has each by "
        "itself."
    ]
    assert differences(numbers(recording), truth) == ([], False)
    assert numbers(recording).keys() == truth.keys()
    second = numbers(opened(folder, OTHER))
    for part, right in zip(recording.sessions, (truth, second), strict=True):
        assert part.problems == []
        assert numbers(part).keys() == right.keys()
        assert differences(numbers(part), right) == ([], False)


def test_sessions_one_after_the_other(folder: Path, truth: Any) -> None:
    second = numbers(opened(folder, AFTER))

    recording = opened(folder, GOOD + AFTER)

    assert recording.problems == [
        "The log holds 2 sessions, one after the other. rec.sessions has each by itself."
    ]
    assert len(recording.turns) == 6
    for part, right in zip(recording.sessions, (truth, second), strict=True):
        assert part.problems == []
        assert differences(numbers(part), right) == ([], False)
    whole = opened(folder, GOOD)
    assert whole.sessions == [whole]


def test_a_log_that_was_written_twice_is_one_session(folder: Path, truth: Any) -> None:
    recording = opened(folder, GOOD + GOOD)

    assert differences(numbers(recording), truth) == ([], False)
    assert recording.problems == [f"{len(GOOD)} events were logged twice and count once."]
