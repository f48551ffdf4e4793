"""A booking in the panel, with small talk of a real language model before and in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.e2e.conftest import OpenPage
from tests.local.llama_here import needs_llama

pytestmark = needs_llama

AGENT = """
import json, tempfile, realtime_nb as rt
from realtime_nb.commands.appointments import AppointmentBook
book = AppointmentBook(f"{tempfile.mkdtemp()}/book.sqlite")
agent = rt.Agent("local", llm="rules+smollm2", tools=book.tools())
"""
SAID = (
    "Hello, how are you today?",
    "I want to make an appointment for a cleaning.",
    "Do you like music?",
    "Next Tuesday at 10.",
    "Ada Lovelace.",
    "Tell me a joke.",
)
FACTS = """
print(json.dumps({
    "said": agent.conversation.transcript(),
    "calls": [[c.name, json.loads(c.arguments)] for c in agent.conversation.calls.values()],
    "errors": [str(error) for error in agent.conversation.errors],
}))
"""


def test_booking_works_and_small_talk_is_the_models(open_page: OpenPage, screenshots: Path) -> None:
    page = open_page(size=(1100, 1300))
    page.run(AGENT)
    page.show("agent")
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    field = page.page.get_by_role("textbox", name="Message")
    for text in SAID:
        field.fill(text)
        field.press("Enter")
        page.page.get_by_role("log").get_by_text(text).first.wait_for()
        page.wait_for("agent.settled(60).result(70)", timeout_s=80)
    page.page.locator(".rtnb-panel").first.screenshot(path=screenshots / "rules_and_smollm2.png")
    told = json.loads(page.run(FACTS))
    print(json.dumps(told, indent=1))
    assert told["errors"] == []
    ((name, arguments),) = told["calls"]
    assert name == "book_appointment"
    assert (arguments["time"], arguments["patient_name"]) == ("10:00", "Ada Lovelace")
    answers: dict[str, str] = {}
    asked = ""
    for role, text in told["said"]:
        if role == "user":
            asked = text
        else:
            answers[asked] = f"{answers.get(asked, '')} {text}".strip()
    assert answers[SAID[1]] == "All right. On which day, at what time and under what name?"
    assert answers[SAID[4]].startswith("Done. Ada Lovelace is booked")
    for text in (SAID[0], SAID[2], SAID[5]):  # neither the rules' politeness nor their echo
        assert re.search(r"\w", answers[text])
        assert not re.match(r"I am fine|I know none|I heard you|Hello there! I can", answers[text])
    assert answers[SAID[2]].endswith("On which day, at what time and under what name?")
