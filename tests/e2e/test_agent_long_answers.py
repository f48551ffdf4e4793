"""Answers that are done long before they were heard, in a real page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import agent_page
from tests.e2e.agent_page import AMIABLE, ask, connect, press, show_agent, wait_for_words
from tests.e2e.conftest import OpenPage
from tests.e2e.played_sound import TAP, interrupted_ms, played

says = agent_page.says


@pytest.mark.alone
def test_speech_stops_an_answer_that_was_done_long_before(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    """All of it is in the kernel, the page has a part, and what is remembered is what sounded."""
    page = open_page(says(5.0, AMIABLE), own=True)
    page.page.evaluate(TAP)
    show_agent(page)
    connect(page)
    press(page, "Talk")
    field = page.page.get_by_role("textbox", name="Message")
    field.fill("Please count to thirty")
    field.press("Enter")
    page.wait_for("any(r.status == 'completed' for r in agent.conversation.responses.values())")
    in_page = ask(
        page,
        "[(one.written / 24, one.sent / 24, one.played / 24)"
        " for one in agent._audio.page_speaker._items.values()]",
    )
    assert isinstance(in_page, list)
    ((written_ms, sent_ms, before_ms),) = in_page
    page.wait_for("any(one.interrupted for one in agent.conversation.items.values())")
    gaps_ms = ask(page, "agent._audio.page_speaker.statistics.silent_ms")
    assert isinstance(gaps_ms, float)
    wait_for_words(page, "amiable himself")
    heard = played(page)
    page.run(
        """
recording = rt.load(agent.disconnect().result(20) or agent.recording)
lines = [(line.t_s, line.event) for line in recording.raw_events()]
truncated_s, truncated = next(
    (t, e) for t, e in lines if e["type"] == "conversation.item.truncate")
done_s = next(t for t, e in lines if e["type"] == "response.done")
item = recording.conversation.items[truncated["item_id"]]"""
    )
    facts = ask(
        page,
        "{'after_done_s': truncated_s - done_s, 'truncated_ms': truncated['audio_end_ms'],"
        " 'audio_ms': item.audio_ms, 'words': item.heard_text, 'text': item.text,"
        " 'errors': [str(one) for one in recording.conversation.errors]}",
    )
    assert isinstance(facts, dict)
    first = interrupted_ms(heard, rest_s=2.5) - gaps_ms  # before a sentence that takes long
    print(f"wrote {written_ms:.0f} ms, sent {sent_ms:.0f}, played {before_ms:.0f}")
    print(f"played {first:.0f} ms, gaps of {gaps_ms:.0f} ms; {facts}")
    assert written_ms == facts["audio_ms"] > 15_500
    assert sent_ms - before_ms <= 15_000
    assert facts["after_done_s"] > 1
    assert abs(first - facts["truncated_ms"]) <= 100
    assert facts["errors"] == []
    assert facts["text"].startswith(facts["words"].rstrip(","))
    assert "thirty" in facts["text"].lower()
    assert "thirty" not in facts["words"].lower()
