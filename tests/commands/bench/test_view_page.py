from __future__ import annotations

import shutil

import pytest

from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.view_page import open_view
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import ItemAdded
from realtime_nb.widgets.transcript import Transcript


def test_a_widget_and_its_page_talk() -> None:
    pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    conversation = Conversation()
    content = [{"type": "input_text", "text": "Hello."}]
    item = {"id": "a", "type": "message", "role": "user", "content": content}
    conversation.apply(ItemAdded(item=item), 1.0)
    transcript = Transcript()
    with (
        start_playwright() as playwright,
        open_browser(playwright) as browser,
        open_view(browser, transcript) as view,
    ):
        transcript.update(conversation)
        view.until("document.querySelector('[role=log]').textContent.includes('Hello.')")
        assert view.posted >= 1
        assert view.page.evaluate("window.isSecureContext")
    transcript.close()
