from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.timing import MAX_TURNS, Timing, timing_row
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return load(recorder.path)


def typed(session: ToldSession, n: int) -> None:
    content = [{"type": "input_text", "text": "<b>Hello</b>"}]
    item = {"id": f"u{n}", "type": "message", "role": "user", "content": content}
    session.received(float(n), "conversation.item.added", item=item)


def test_the_turns_of_a_recording_are_those_of_its_table(recording: Recording) -> None:
    timing = Timing(recording)
    page = ListeningPage(timing)
    page.say("show")
    [message] = page.take()
    assert (message["kind"], message["afresh"], message["count"]) == ("turns", True, 3)
    assert message["over"] is True
    assert message["parts"][0] == "uplink"
    table = recording.latency
    assert [row["turn"] for row in message["rows"]] == table.turn.tolist()
    for row, latency_ms, note in zip(
        message["rows"], table.latency_ms, table.latency_note, strict=True
    ):
        assert row["note"] == (note if isinstance(note, str) else "")
        if row["latency_ms"] is None:
            assert math.isnan(latency_ms) and row["note"]
        else:
            assert row["latency_ms"] == pytest.approx(latency_ms, abs=0.001)
            assert sum(row["parts_ms"]) == pytest.approx(row["latency_ms"], abs=0.01)
    assert table.latency_ms.notna().sum() >= 1
    assert page.take() == []
    assert timing.summary().startswith("Timing: 3 turns, the last latency ")
    assert timing.picture().count("<tr>") == 4
    timing.close()
    opened = Timing(str(recording.path))
    assert opened.summary() == timing.summary()
    opened.close()


def test_only_what_changed_is_sent_and_the_last_turns_are_kept() -> None:
    timing, session = Timing(), ToldSession()
    timing.follow(session)
    page = ListeningPage(timing)
    page.say("show")
    [message] = page.take()
    assert (message["rows"], message["over"]) == ([], False)
    typed(session, 1)
    [message] = page.take()
    [row] = message["rows"]
    assert (row["turn"], row["awaited"], row["latency_ms"]) == (1, True, None)
    assert row["said"] == ["typed"] * 3 + ["it has not come yet"] * 2
    typed(session, 2)
    [message] = page.take()
    assert [row["turn"] for row in message["rows"]] == [1, 2]  # nobody waits for the first now
    for n in range(3, MAX_TURNS + 11):
        typed(session, n)
    [message] = page.take()
    assert (message["first"], message["count"]) == (11, MAX_TURNS + 10)
    assert len(timing._told) == MAX_TURNS
    page.say("show")
    assert len(page.take()[0]["rows"]) == MAX_TURNS
    assert "<b>" not in timing.picture()
    timing.close()


def test_another_session_begins_anew_and_a_closed_one_awaits_nothing() -> None:
    timing, session = Timing(), ToldSession()
    timing.follow(session)
    page = ListeningPage(timing)
    page.say("show")
    typed(session, 1)
    page.take()
    session.closed = True  # type: ignore[attr-defined]
    timing.session_over()
    [message] = page.take()
    assert [(row["awaited"], row["note"]) for row in message["rows"]] == [(False, "typed")]
    timing.follow(ToldSession())
    [message] = page.take()
    assert (message["afresh"], message["rows"], message["count"]) == (True, [], 0)
    timing.close()


def test_sound_alone_asks_for_nothing_to_be_sent() -> None:
    timing, session = Timing(), ToldSession()
    timing.follow(session)
    page = ListeningPage(timing)
    page.say("show")
    page.take()
    before = page.changes
    for n in range(20):
        session.sent(n / 10, "input_audio_buffer.append", pcm=bytes(4800), audio="")
        session.received(n / 10, "response.output_audio.delta", delta="")
    assert page.changes == before
    typed(session, 3)
    assert page.changes == before + 1
    timing.close()


def test_a_fast_session_has_no_latency_that_is_a_measure() -> None:
    timing, session = Timing(), ToldSession()
    session.pace = 4.0  # type: ignore[attr-defined]
    timing.follow(session)
    three_turns(session.script)
    assert timing._meter is not None
    timing._meter._turns.look()
    assert [row["latency_ms"] for row in timing._current()] == [None] * 3
    timing.close()


def test_what_is_missing_is_none_with_a_reason() -> None:
    columns = [
        *("latency_ms", "uplink_ms", "endpoint_wait_ms", "commit_wait_ms"),
        *("model_first_audio_ms", "playout_ms", "speech_end_s", "sent_s", "stop_s"),
        *("response_s", "first_audio_s", "played_s", "parts_note", "latency_note"),
    ]
    row: dict[str, Any] = dict.fromkeys(columns) | {"turn": 3, "latency_note": "no voice"}
    found = timing_row(row | {"had_calls": False, "interrupted": True})
    assert found["parts_ms"] == [None] * 5 and found["said"] == ["no voice"] * 5
    assert (found["note"], found["interrupted"]) == ("no voice", True)


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Timing shows a session, an agent"):
        Timing(5)  # type: ignore[arg-type]
