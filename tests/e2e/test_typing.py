"""Messages typed in the panel while the agent speaks, and many at once, in a real page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator

from realtime_nb.commands.bench.lab_page import LabPage
from tests.e2e.conftest import OpenPage

COUNT = "Please count to twenty"
MESSAGES = [f"The number is {number}." for number in range(20)]
FACTS = """
import json
conversation = agent.conversation
print(json.dumps({
    "said": conversation.transcript(),
    "whole": [item.text for item in conversation.in_order()
              if (item.role, item.status) == ("assistant", "completed") and not item.interrupted],
    "cut": [[item.heard_text, item.text] for item in conversation.in_order() if item.interrupted],
    "errors": [str(error) for error in conversation.errors],
}))
"""


def shown_agent(page: LabPage, arguments: str) -> Locator:
    """Shows a connected agent; returns the field to type into."""
    page.run(
        f"import realtime_nb as rt\\nagent = rt.Agent('local'{arguments})".replace("\\n", "\n")
    )
    page.show("agent")
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    return page.page.get_by_role("textbox", name="Message")


def type_in(field: Locator, text: str) -> None:
    field.fill(text)
    field.press("Enter")


def facts(page: LabPage) -> dict[str, Any]:
    """What the kernel knows, once all is answered and heard."""
    page.wait_for("agent.settled(60).result(70)", timeout_s=80)
    found: dict[str, Any] = json.loads(page.run(FACTS))
    return found


@pytest.mark.parametrize("typing", ["interrupts", "waits"])
def test_typing_while_the_agent_speaks(open_page: OpenPage, screenshots: Path, typing: str) -> None:
    page = open_page(size=(1100, 1000))
    field = shown_agent(page, "" if typing == "interrupts" else ", typing='waits'")
    type_in(field, COUNT)
    page.page.locator(".rtnb-panel [data-state=speaking]").first.wait_for()
    page.wait_for(  # all of its text has come, which runs ahead, and a word or two were heard
        "any(item.role == 'assistant' and 'twenty' in item.text.lower()"
        " and agent._audio.page_speaker.played_ms(id) >= 1_500"
        " for id, item in agent.conversation.items.items())",
        timeout_s=60,
    )
    type_in(field, "What can you do?")
    log = page.page.get_by_role("log")
    log.get_by_text("What can you do?").first.wait_for()  # answers say it, too
    told = facts(page)
    assert told["errors"] == []
    assert [text for role, text in told["said"] if role == "user"] == [COUNT, "What can you do?"]
    assert [role for role, _ in told["said"]] == ["user", "assistant"] * 2
    [*_, (_, answer)] = told["said"]
    log.get_by_text(answer[:40]).first.wait_for()
    if typing == "interrupts":
        [(heard, whole)] = told["cut"]
        assert heard
        assert whole.startswith(heard)
        assert "twenty" in whole.lower()
        assert "twenty" not in heard.lower()
    else:
        assert told["cut"] == []
        assert "twenty" in told["said"][1][1].lower()
    page.page.screenshot(path=screenshots / f"typing_{typing}.png")


@pytest.mark.parametrize(("typing", "answers"), [("interrupts", 1), ("waits", 2)])
def test_typing_many_messages_quickly(
    open_page: OpenPage, screenshots: Path, typing: str, answers: int
) -> None:
    page = open_page(size=(1100, 1000))
    field = shown_agent(page, "" if typing == "interrupts" else ", typing='waits'")
    for message in MESSAGES:
        type_in(field, message)
    log = page.page.get_by_role("log")
    for message in MESSAGES:
        log.get_by_text(message, exact=True).first.wait_for()
    told = facts(page)
    assert told["errors"] == []
    assert [text for role, text in told["said"] if role == "user"] == MESSAGES
    # Heard to its end, which is less than completed: a server is done long before the voice is.
    assert 1 <= len(told["whole"]) <= answers
    assert typing == "interrupts" or told["cut"] == []
    role, last = told["said"][-1]
    assert role == "assistant"
    assert "19" in last
    assert log.get_by_text(last[:40]).count() == 1
    assert field.input_value() == ""
    page.page.screenshot(path=screenshots / f"typing_many_{typing}.png")
