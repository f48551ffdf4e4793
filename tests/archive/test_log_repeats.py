"""What a log holds twice counts once."""

from __future__ import annotations

from typing import Any

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_repeats import once

SOUND = "q80AEjRWeJq8"


def entry(name: str, time_s: float | None = 1.25, **fields: Any) -> LogEntry:
    sent = name == "input_audio_buffer.append"
    return LogEntry(1, {"type": name, **fields}, "sent" if sent else "received", time_s)


def delta(event_id: str | None, text: str, time_s: float = 1.25) -> LogEntry:
    named = {} if event_id is None else {"event_id": event_id}
    return entry("response.output_audio.delta", time_s, item_id="a", delta=text, **named)


def test_one_event_id_is_one_event() -> None:
    found = once([delta("e1", "AAAA"), delta("e2", "AAAA"), delta("e1", "AAAA", 1.5)])

    assert [one.event["event_id"] for one in found.entries] == ["e1", "e2"]
    assert found.notes == ["1 event were logged twice and count once."]


def test_of_a_whole_and_a_shortened_copy_the_whole_counts() -> None:
    found = once([delta("e1", "AA…"), delta("e1", SOUND)])

    assert [one.event["delta"] for one in found.entries] == [SOUND]


def test_an_event_id_of_two_events_leaves_both_in_doubt() -> None:
    other = entry("response.done", event_id="e1", response={"id": "r"})

    found = once([delta("e1", SOUND), other])

    assert len(found.entries) == 2
    assert found.doubted == {"a", "r"}
    assert "came again with another event" in found.notes[0]


def test_a_server_that_counts_anew_in_each_session() -> None:
    sessions = [entry("session.created", event_id="e1", session={"id": n}) for n in ("s1", "s2")]

    found = once([sessions[0], delta("e2", SOUND), sessions[1], delta("e2", "AAAA")])

    assert (len(found.entries), found.notes, found.doubted) == (4, [], frozenset())


def test_audio_sent_twice_is_in_doubt_unless_the_log_repeats() -> None:
    append = entry("input_audio_buffer.append", audio=SOUND)

    alone = once([append, append])
    assert len(alone.entries) == 2 and alone.input_doubted is not None
    beside = once([append, append, delta("e1", "AAAA"), delta("e1", "AAAA")])
    assert len(beside.entries) == 2 and beside.input_doubted is None
    silence = entry("input_audio_buffer.append", audio="AAAAAAAAAAAA")
    assert once([silence, silence]).input_doubted is None


def test_deltas_without_ids_that_all_stand_in_pairs() -> None:
    texts = ("I ", "am ", "here")
    plain = [entry("response.output_text.delta", None, delta=text) for text in texts]

    found = once([one for one in plain for _ in range(2)])

    assert [one.event["delta"] for one in found.entries] == list(texts)
    assert len(once(plain).entries) == 3
