from __future__ import annotations

import pickle
from typing import Any

import pytest

from realtime_nb.analysis.transcript import (
    MAX_ROWS,
    TranscriptRow,
    row_text,
    transcript_rows,
    transcript_text,
)
from realtime_nb.protocol.conversation import Conversation, ToolReport
from tests.scripted_session import LiveSession, session, three_turns


@pytest.fixture
def live() -> LiveSession:
    return LiveSession()


def transcribing() -> dict[str, Any]:
    described = session()
    described["audio"]["input"] = {**described["audio"]["input"], "transcription": {"model": "m"}}
    return described


def user_item(item_id: str) -> dict[str, Any]:
    content = [{"type": "input_audio", "transcript": None}]
    return {"id": item_id, "type": "message", "role": "user", "content": content}


def test_a_whole_session(live: LiveSession) -> None:
    three_turns(live)
    said = [
        (row.kind, row.text, row.unheard, row.note) for row in transcript_rows(live.conversation)
    ]
    assert said == [
        ("user", "Which slots are free?", "", ""),
        ("agent", "All of Tuesday.", "", ""),
        ("user", "Book ten o'clock.", "", ""),
        ("call", 'time="10:00"', "", ""),
        ("agent", "Booked for ten.", "", ""),
        (
            "agent",
            "Is there",
            "anything else that I can do for you today?",
            "interrupted after 1.2 s",
        ),
        ("user", "No, thank you.", "", ""),
    ]
    call = transcript_rows(live.conversation)[3]
    assert (call.name, call.output, call.pending) == ("book", '{"ok": true}', False)
    assert call.duration_ms == pytest.approx(800)
    assert not any(row.pending for row in transcript_rows(live.conversation))


def test_the_users_row_from_the_first_sound_to_the_words(live: LiveSession) -> None:
    def row() -> tuple[str, str, bool, str]:
        [only] = transcript_rows(live.conversation)
        return only.id, only.text, only.pending, only.note

    live.received(0.1, "session.created", session=transcribing())
    live.received(1.0, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
    assert row() == ("u", "", True, "speaking")
    live.received(2.0, "input_audio_buffer.speech_stopped", audio_end_ms=900, item_id="u")
    live.received(2.0, "input_audio_buffer.committed", item_id="u")
    assert row() == ("u", "", True, "transcribing")
    live.received(2.0, "conversation.item.added", item=user_item("u"))
    assert row() == ("u", "", True, "transcribing")
    name = "conversation.item.input_audio_transcription"
    live.received(2.1, f"{name}.delta", item_id="u", content_index=0, delta="Hel")
    assert row() == ("u", "Hel", True, "")
    live.received(2.2, f"{name}.completed", item_id="u", content_index=0, transcript="Hello.")
    assert row() == ("u", "Hello.", False, "")


@pytest.mark.parametrize(
    ("event", "note", "failed"),
    [
        ({"type": "completed", "transcript": ""}, "no words", False),
        ({"type": "failed", "error": {"message": "?"}}, "could not be transcribed", True),
    ],
)
def test_speech_without_words(
    live: LiveSession, event: dict[str, Any], note: str, failed: bool
) -> None:
    live.received(0.1, "session.created", session=transcribing())
    live.received(2.0, "conversation.item.added", item=user_item("u"))
    kind = f"conversation.item.input_audio_transcription.{event.pop('type')}"
    live.received(2.5, kind, item_id="u", content_index=0, **event)
    [row] = transcript_rows(live.conversation)
    assert (row.text, row.pending, row.note, row.failed) == ("", False, note, failed)


def test_nobody_waits_for_words_that_the_session_does_not_ask_for(live: LiveSession) -> None:
    described = session()
    described["audio"]["input"] = {**described["audio"]["input"], "transcription": None}
    live.received(0.1, "session.created", session=described)
    live.received(2.0, "conversation.item.added", item=user_item("u"))
    [row] = transcript_rows(live.conversation)
    assert (row.pending, row.note) == (False, "spoken; transcription is off")


def test_the_agents_words_as_they_come(live: LiveSession) -> None:
    item = {"id": "a", "type": "message", "role": "assistant", "status": "in_progress"}
    live.response_begins(1.0, "r")
    live.received(1.1, "conversation.item.added", item={**item, "content": []})
    assert [(row.text, row.pending) for row in transcript_rows(live.conversation)] == [("", True)]
    delta: dict[str, Any] = {
        "response_id": "r",
        "item_id": "a",
        "content_index": 0,
        "delta": "One ",
    }
    live.received(1.2, "response.output_audio_transcript.delta", **delta)
    live.received(1.3, "response.output_audio_transcript.delta", **{**delta, "delta": "two"})
    assert [(row.text, row.pending) for row in transcript_rows(live.conversation)] == [
        ("One two", True)
    ]


def test_a_call_while_it_runs_and_when_it_failed(live: LiveSession) -> None:
    item = {"id": "c", "type": "function_call", "name": "f", "call_id": "x", "arguments": "{}"}
    live.response_begins(1.0, "r")
    place: dict[str, Any] = {"response_id": "r", "output_index": 0}
    live.received(1.1, "conversation.item.added", item=item)
    live.received(1.1, "response.output_item.done", item=item, **place)
    [row] = transcript_rows(live.conversation)
    assert (row.kind, row.text, row.output, row.pending) == ("call", "", None, True)
    live.tool(ToolReport("x", "started", 1.1))
    assert transcript_rows(live.conversation)[0].note == ""
    live.tool(ToolReport("x", "progress", 1.15, progress="half of it"))
    assert transcript_rows(live.conversation)[0].note == "half of it"
    output = {"type": "function_call_output", "call_id": "x", "output": '{"error": "Full."}'}
    live.sent(1.2, "conversation.item.create", item=output)
    live.received(1.3, "conversation.item.added", item={**output, "id": "o"})
    [row] = transcript_rows(live.conversation)
    assert (row.output, row.pending, row.failed) == ('{"error": "Full."}', False, True)
    assert row.note == ""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"day": "Tuesday", "seats": 2}', 'day="Tuesday", seats=2'),
        ('{"day": "Tu', '{"day": "Tu'),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 4_000),
    ],
)
def test_arguments(live: LiveSession, arguments: str, shown: str) -> None:
    item = {"id": "c", "type": "function_call", "name": "f", "call_id": "x"}
    live.received(1.1, "conversation.item.added", item={**item, "arguments": arguments})
    [row] = transcript_rows(live.conversation)
    assert row.text.startswith(shown)
    assert len(row.text) < 4_100


def test_failed_responses_are_noted_where_they_happened(live: LiveSession) -> None:
    for n, item_id in enumerate(("u1", "u2")):
        text = [{"type": "input_text", "text": item_id}]
        item = {"id": item_id, "type": "message", "role": "user", "content": text}
        live.received(1.0 + 10 * n, "conversation.item.added", item=item)
    live.response_begins(2.0, "r1")
    details = {"type": "failed", "error": {"message": "Too many requests."}}
    response = {"id": "r1", "status": "failed", "status_details": details}
    live.received(2.5, "response.done", response=response)
    assert [(row.kind, row.text) for row in transcript_rows(live.conversation)] == [
        ("user", "u1"),
        ("note", "The response failed: Too many requests."),
        ("user", "u2"),
    ]
    alone = LiveSession()
    alone.response_begins(2.0, "r1")
    alone.response_ends(2.5, "r1", "incomplete", "content_filter")
    assert [row.text for row in transcript_rows(alone.conversation)] == [
        "The response is cut short: content_filter"
    ]


def test_only_the_last_of_a_long_conversation() -> None:
    live = LiveSession()
    for n in range(MAX_ROWS + 5):
        text = [{"type": "input_text", "text": str(n)}]
        item = {"id": f"u{n}", "type": "message", "role": "system", "content": text}
        live.received(float(n), "conversation.item.added", item=item)
    shown = transcript_rows(live.conversation)
    assert (len(shown), shown[0].text, shown[-1].text) == (MAX_ROWS, "5", str(MAX_ROWS + 4))


def test_nothing_said() -> None:
    assert transcript_rows(Conversation()) == []


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (TranscriptRow("a", "user", "Hi.", t_s=61.0), "1:01  you: Hi."),
        (
            TranscriptRow("a", "agent", "Yes", unheard="and no", note="interrupted"),
            "agent: Yes [not heard: and no] (interrupted)",
        ),
        (TranscriptRow("a", "call", "x=1", name="f"), "tool: f(x=1) → no output"),
        (TranscriptRow("a", "call", "x=1", name="f", note="half"), "tool: f(x=1) → half …"),
        (TranscriptRow("a", "note", "The response failed."), "The response failed."),
    ],
)
def test_rows_as_text(row: TranscriptRow, text: str) -> None:
    assert row_text(row) == text


def test_the_text_is_a_text_and_shown_as_a_table(live: LiveSession) -> None:
    three_turns(live)
    text = transcript_text(live.conversation)

    assert isinstance(text, str) and text.splitlines()[0].endswith("user: Which slots are free?")
    assert str(text) == text == pickle.loads(pickle.dumps(text))
    page = text._repr_html_()
    assert page.count("<tr>") == len(text.splitlines()) == 7
    assert pickle.loads(pickle.dumps(text))._repr_html_() == page
    assert "book({&quot;time&quot;: &quot;10:00&quot;})" in page
