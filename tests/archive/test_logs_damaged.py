"""Logs with unknown events, lines that can't be read, damage; and what is no log at all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import load
from tests.archive.wire_logs import WRAPPED, Kept, iso, written
from tests.scripted_session import three_turns


def test_unknown_events_pass_through(tmp_path: Path) -> None:
    lines = [
        {"time": 1.7e9, "dir": "out", "event": {"type": "vendor.ping", "n": 1}},
        {"time": 1.7e9 + 0.5, "dir": "in", "event": {"type": "vendor.pong", "n": 1}},
        {"time": 1.7e9 + 1.5, "event": {"type": "response.create", "later": True}},
    ]

    recording = load(written(tmp_path / "log.jsonl", lines))

    assert list(recording.events.direction) == ["sent", "received", "sent"]
    assert recording.conversation.unknown_events == 3
    assert recording.problems == []


def test_events_that_can_not_be_understood_are_counted(tmp_path: Path) -> None:
    delta = {"type": "response.output_audio.delta", "delta": "AAAA", "response_id": "r"}
    lines = [
        {"time": iso(0.5), "source": "server", "event": {"type": "session.created", "session": {}}},
        {"time": iso(1.5), "source": "server", "event": delta},
        {"time": iso(1.6), "source": "server", "event": delta},
    ]

    recording = load(written(tmp_path / "log.jsonl", lines))

    assert recording.problems == [
        "2 response.output_audio.delta events can't be understood (it names no item), and what "
        "they told is missing."
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello\n",
        '{"level": "info"}\n',
        "[1, 2]",
        "null",
        '{"type": "http.request"}\n',
        "[" * 9_999,
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)

    with pytest.raises(RecordingError, match=r"is empty|holds no Realtime event") as caught:
        load(path)
    assert "one JSON object per line" in str(caught.value)


DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from([b"", b"{", b'"', b"\n", b"\xff", b"[", b"9", b"null"])
    ),
    min_size=1,
    max_size=6,
)


@given(damage=DAMAGE, cut=st.floats(0.2, 1), form=st.sampled_from(list(WRAPPED)))
@settings(max_examples=80, deadline=None)
def test_damaged_log_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    damage: list[tuple[float, bytes]],
    cut: float,
    form: str,
) -> None:
    wire = [sent for sent in SHORT.wire if sent[1]["type"] != "input_audio_buffer.append"]
    path = written(tmp_path_factory.mktemp("damaged") / "x.log", (WRAPPED[form](*s) for s in wire))
    content = bytearray(path.read_bytes())
    for place, inserted in damage:
        index = int(place * len(content))
        content[index : index + 1] = inserted
    path.write_bytes(content[: int(cut * len(content))])

    try:
        recording = load(path)
    except RecordingError:
        return
    assert len(recording.events) <= len(wire) + len(damage)
    assert len(recording.turns) <= 3
    recording.transcript()
    for durations in (recording.calls.run_ms, recording.latency.answer_ms):
        assert not (durations < 0).any()


SHORT = Kept()
three_turns(SHORT)


# --- what was billed ------------------------------------------------------------------------------

HEARD = "conversation.item.input_audio_transcription.completed"
USAGE = {
    "input_tokens": 1_000,
    "output_tokens": 100,
    "input_token_details": {"text_tokens": 1_000, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 100, "audio_tokens": 0},
}
BILL = [
    {"type": "session.created", "session": {"model": "gpt-realtime"}},
    {"type": "response.created", "response": {"id": "r1", "status": "in_progress"}},
    {"type": "response.done", "response": {"id": "r1", "status": "completed", "usage": USAGE}},
]
BILL_USD = (1_000 * 4 + 100 * 16) / 1e6


def with_line(folder: Path, line: str) -> Path:
    path = folder / "log.jsonl"
    path.write_text("\n".join([*map(json.dumps, BILL), line]) + "\n")
    return path


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "response.done", "response": {"id": "r2", "usage": {"input_to',
        '{"event_id": "e", "type": "response.done", "response": {"output": [{"type": "message",',
        '{"t_ms": 1, "event": {"type": "' + HEARD + '", "item',
        "{'type': 'response.done', 'response': <Response r2>}",
        '{"t_ms": 1, "text": "{\\"type\\": \\"response.done\\", \\"resp',
        '{"t_ms": 5, "ev',
    ],
)
def test_a_line_that_may_tell_what_was_billed_leaves_the_cost_unknown(
    tmp_path: Path, line: str
) -> None:
    cost = load(with_line(tmp_path, line)).cost()

    assert math.isnan(cost.total_usd)
    assert cost.priced_usd == pytest.approx(BILL_USD)
    assert cost.reason == "line 4 of the log can't be read, and may tell what was billed"


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "response.output_audio.delta", "delta": "AAAA',
        '{"type": "rate_limits.updated", "rate_limits": [{"name": "tok',
        json.dumps({"level": "info", "message": "closed"}),
        "closed",
    ],
)
def test_a_line_of_something_else_does_not(tmp_path: Path, line: str) -> None:
    assert load(with_line(tmp_path, line)).cost().total_usd == pytest.approx(BILL_USD)


def test_a_log_whose_answers_are_all_unreadable_has_no_cost(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    cut = [json.dumps(event)[:60] for event in BILL[1:]]
    path.write_text("\n".join([json.dumps(BILL[0]), *cut]))

    cost = load(path).cost()

    assert math.isnan(cost.total_usd)
    assert math.isnan(cost.priced_usd)
    assert repr(cost).startswith("cost: not known")
