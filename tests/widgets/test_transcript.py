from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.recordings.recording import load
from realtime_nb.widgets.transcript import Transcript
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession


def say(live: LiveSession, t_s: float, item_id: str, text: str, after: str | None = None) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"id": item_id, "type": "message", "role": "user", "content": content}
    live.received(t_s, "conversation.item.added", item=item, previous_item_id=after)


def test_only_what_changed_is_sent() -> None:
    live = LiveSession()
    transcript = Transcript(live.conversation)
    page = ListeningPage(transcript)
    say(live, 1.0, "a", "One.")
    page.say("show")
    row = {"id": "a", "kind": "user", "text": "One.", "t_s": 1.0}
    assert page.take() == [{"kind": "rows", "changed": [row], "order": ["a"]}]
    transcript.update()
    assert page.take() == []
    say(live, 2.0, "b", "Two.")
    [message] = page.take()
    assert [row["id"] for row in message["changed"]] == ["b"]
    assert message["order"] == ["a", "b"]
    say(live, 2.5, "between", "One and a half.", after="a")
    assert page.take()[0]["order"] == ["a", "between", "b"]
    live.received(3.0, "conversation.item.deleted", item_id="a")
    assert page.take() == [{"kind": "rows", "changed": [], "order": ["between", "b"]}]
    transcript.close()


def test_streamed_words_come_without_the_order() -> None:
    live = LiveSession()
    item = {"id": "a", "type": "message", "role": "assistant", "content": []}
    live.received(1.1, "conversation.item.added", item={**item, "status": "in_progress"})
    transcript = Transcript(live.conversation)
    page = ListeningPage(transcript)
    page.say("show")
    page.take()
    delta: dict[str, Any] = {"response_id": "r", "item_id": "a", "content_index": 0, "delta": "One"}
    live.received(1.2, "response.output_text.delta", **delta)
    [message] = page.take()
    assert "order" not in message
    assert [row["text"] for row in message["changed"]] == ["One"]
    transcript.close()


def test_a_page_that_comes_back_gets_all() -> None:
    live = LiveSession()
    three_turns(live)
    transcript = Transcript(live)
    page = ListeningPage(transcript)
    page.say("show")
    first = page.take()
    page.say("show")
    assert page.take() == first
    assert len(first[0]["changed"]) == 7
    transcript.close()


def test_another_conversation_takes_its_place() -> None:
    live = LiveSession()
    say(live, 1.0, "a", "One.")
    transcript = Transcript(live.conversation)
    page = ListeningPage(transcript)
    page.say("show")
    page.take()
    transcript.update(Conversation())
    assert page.take() == [{"kind": "rows", "changed": [], "order": []}]
    transcript.close()


def test_a_conversation_that_grows_meanwhile() -> None:
    """Reading goes on while another thread adds items, responses and calls."""
    live = LiveSession()
    transcript = Transcript(live.conversation)
    page = ListeningPage(transcript)
    page.say("show")
    total = 2_000

    def talk() -> None:
        for n in range(total):
            say(live, float(n), f"u{n}", "Word.")
            live.response_begins(float(n), f"r{n}")
            live.response_ends(float(n), f"r{n}", "failed")

    talker = threading.Thread(target=talk)
    talker.start()
    shown: dict[str, Any] = {}
    while talker.is_alive():
        for message in page.take():
            shown |= {row["id"]: row for row in message["changed"]}
    talker.join()
    for message in page.take():
        shown |= {row["id"]: row for row in message["changed"]}
    assert f"u{total - 1}" in shown
    transcript.close()


def test_a_session_is_followed() -> None:
    session = ToldSession()
    transcript = Transcript(session)
    page = ListeningPage(transcript)
    content = [{"type": "input_text", "text": "Hello."}]
    item = {"id": "a", "type": "message", "role": "user", "content": content}
    session.received(1.0, "conversation.item.added", item=item)
    assert page.changes == 1
    page.say("show")
    assert [row["text"] for row in page.take()[0]["changed"]] == ["Hello."]
    session.playback(PlaybackReport("a", 0, "started", 2.0))
    assert page.changes == 3
    transcript.close()


def test_a_recording(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    transcript = Transcript(load(recorder.path))
    lines = transcript.summary().splitlines()
    assert lines[0] == "0:03  you: Which slots are free?"
    assert lines[5].startswith("0:12  agent: Is there [not heard: anything else")
    transcript.close()


def test_the_saved_notebook() -> None:
    live = LiveSession()
    say(live, 1.0, "a", "<img src=x onerror=alert(1)>")
    transcript = Transcript(live.conversation)
    bundle = transcript._repr_mimebundle_()
    assert bundle is not None
    assert "&lt;img src=x" in str(bundle[0]["text/html"])
    assert "<img" not in str(bundle[0]["text/html"])
    assert "onerror" not in json.dumps(transcript.get_state(), default=str)
    assert Transcript().summary() == "Transcript: no words yet"
    transcript.close()


def test_an_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="max_rows"):
        Transcript(max_rows=3)
