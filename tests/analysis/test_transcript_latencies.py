from __future__ import annotations

from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.transcript import TranscriptRow, transcript_rows
from realtime_nb.analysis.transcript_latencies import with_latencies
from tests.made_recording import MadeRecording


def rows(rec: MadeRecording) -> list[TranscriptRow]:
    meter = LatencyMeter(rec.conversation)
    meter._turns.look()
    return with_latencies(transcript_rows(rec.conversation), meter.latest(10))


def test_a_latency_stands_before_the_answer_that_was_heard() -> None:
    rec = MadeRecording()
    rec.user(1.0, "u", "words")
    rec.answer(1.2, "r", 300, "an answer")
    assert [row.kind for row in rows(rec)] == ["user", "agent"]
    rec.played("r_item", 0.0, "started", 1.5)
    found = rows(rec)
    assert [row.kind for row in found] == ["user", "latency", "agent"]
    assert (found[1].id, found[1].duration_ms) == ("latency r_item", None)
    assert found[1].note  # nobody heard the words: it is unknown, and says why


def test_a_typed_message_has_none() -> None:
    rec = MadeRecording()
    content = [{"type": "input_text", "text": "Hello"}]
    item = {"id": "t", "type": "message", "role": "user", "content": content}
    rec.got(1.0, "conversation.item.added", item=item)
    rec.answer(1.2, "r", 300, "an answer")
    rec.played("r_item", 0.0, "started", 1.5)
    assert [row.kind for row in rows(rec)] == ["user", "agent"]
