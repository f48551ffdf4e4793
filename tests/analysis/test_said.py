"""Which words were said when."""

from __future__ import annotations

import math

from realtime_nb.analysis.said import said
from realtime_nb.analysis.transcript import transcript_rows
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns


def test_words_lie_where_they_were_heard() -> None:
    live = LiveSession()
    three_turns(live)
    conversation = live.conversation
    found = list(said(conversation, live.clock))
    rows = {row.id: row for row in transcript_rows(conversation)}
    for item in conversation.items.values():
        if item.played_s is None or not item.text:
            continue
        [one] = [one for one in found if one.who == "agent" and one.start_s == item.played_s]
        assert math.isclose(one.end_s - one.start_s, item.audio_ms / 1000)
        assert one.text.startswith(rows[item.id].text)
        assert ("not heard" in one.text) == bool(rows[item.id].unheard)
    spans = [(heard.onset_ms, heard.offset_ms) for heard in conversation.speech]
    for onset_ms, offset_ms in spans:
        assert onset_ms is not None
        assert offset_ms is not None
        start_s, end_s = live.clock.wall(onset_ms), live.clock.wall(offset_ms)
        assert any((one.who, one.start_s, one.end_s) == ("user", start_s, end_s) for one in found)


def test_where_nobody_reports_playback_words_lie_with_the_audio_that_came() -> None:
    rec = MadeRecording(duration_s=10.0)
    rec.answer(1.0, "resp_1", 1_000, "One.")
    [one] = said(rec.conversation, rec.input_clock)
    assert (one.who, one.text) == ("agent", "One.")
    assert math.isclose(one.start_s, 1.1)
    assert math.isclose(one.end_s, 2.1)
