from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turn_detection import EAGERNESS, SERVER_VAD
from realtime_nb.widgets.agent_panel import AgentPanel
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.timing import Timing
from realtime_nb.widgets.transcript import Transcript
from tests.widgets.conftest import FakePage

Wish = tuple[str, Any]


class Shown:
    """A panel and what the person wanted."""

    def __init__(self, **settings: Any) -> None:
        self.wishes: list[Wish] = []
        self.parts = (Transcript(), EventInspector(), Timeline(), CallInspector(), Timing())
        transcript, events, timeline, calls, timing = self.parts
        self.microphone = Microphone()
        self.panel = AgentPanel(
            lambda name, value: self.wishes.append((name, value)),
            transcript=transcript,
            events=events,
            timeline=timeline,
            calls=calls,
            timing=timing,
            microphone=self.microphone,
            **settings,
        )

    def close(self) -> None:
        for widget in (self.panel, self.microphone, *self.parts):
            widget.close()


@pytest.fixture
def shown() -> Iterator[Shown]:
    made = Shown(endpoint="local")
    yield made
    made.close()


def test_it_refers_to_its_parts_as_pages_find_them(shown: Shown) -> None:
    transcript, events, timeline, calls, timing = shown.parts
    assert shown.panel.children == {
        "transcript": f"anywidget:{transcript.model_id}",
        "events": f"anywidget:{events.model_id}",
        "timeline": f"anywidget:{timeline.model_id}",
        "calls": f"anywidget:{calls.model_id}",
        "timing": f"anywidget:{timing.model_id}",
        "microphone": f"anywidget:{shown.microphone.model_id}",
    }


def test_it_hands_on_what_the_person_wants_and_nothing_else(shown: Shown) -> None:
    page = FakePage(shown.panel)
    page.send({"kind": "command", "name": "say", "value": "Hello"})
    page.send({"kind": "command", "name": "talk"})
    page.send({"kind": "something"})
    assert shown.wishes == [("say", "Hello"), ("talk", None)]


def test_setting_what_is_already_so_sends_nothing(shown: Shown) -> None:
    sent = shown.panel.comm.sent
    shown.panel.set(state="listening", connected=True)
    count = len(sent)
    shown.panel.set(state="listening", connected=True)
    assert len(sent) == count
    assert shown.panel.state == "listening"


def test_settings_are_shown_again_although_they_are_the_same(shown: Shown) -> None:
    sent = shown.panel.comm.sent
    shown.panel.show_settings({"voice": "sage"})
    count = len(sent)
    shown.panel.show_settings({"voice": "sage"})
    assert len(sent) == count + 1


def test_after_closing_it_can_still_be_told(shown: Shown) -> None:
    shown.panel.close()
    shown.panel.set(state="disconnected", error="gone")
    assert shown.panel.error == "gone"


def test_a_saved_notebook_says_what_was_here(shown: Shown) -> None:
    shown.panel.set(error="<b>something</b>")
    assert shown.panel.summary() == "Agent (local). Run the cell to talk to it."
    bundle = shown.panel._repr_mimebundle_()
    assert bundle is not None
    assert "Agent (local)" in str(bundle[0]["text/html"])
    shown.panel.tell_of_session("a session of 3.0 s.")
    assert shown.panel.summary().startswith("Agent (local): a session of 3.0 s.\nRun the cell")


def test_a_closed_agents_panel_says_one_thing_of_what_to_do(shown: Shown) -> None:
    for facts in ("", "a session of 3.0 s."):
        shown.panel.tell_of_session(facts)
        shown.panel.tell_of_closing("It was closed. Make a new one.")
        assert shown.panel.summary().count("Make a new one") == 1
        assert "Run the cell" not in shown.panel.summary()


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="endpont"):
        Shown(endpont="local")


def test_its_code_needs_nothing_from_elsewhere() -> None:
    assert "\nimport " not in f"\n{AgentPanel._esm}"
    assert "innerHTML" not in str(AgentPanel._esm)


def test_sliders_show_the_defaults_and_keep_to_the_limits(shown: Shown) -> None:
    for slider in shown.panel.turn_table["sliders"]:
        low, high, usual, step = (slider[name] for name in ("min", "max", "usual", "step"))
        limits = SERVER_VAD[slider["name"]]
        asked = {"silence_duration_ms": 500}  # by the agent, where nobody says
        assert usual == asked.get(slider["name"], limits.usual)
        assert limits.low <= low < usual < high <= limits.high
        assert (usual - low) / step == pytest.approx(round((usual - low) / step))


def test_every_choice_is_explained_in_one_sentence(shown: Shown) -> None:
    choices = [one for group in shown.panel.turn_table.values() for one in group]
    assert len(choices) == 3 + 3 + len(EAGERNESS) + 2
    for one in choices:
        assert re.fullmatch(r"[^.]+\.", one["does"].replace("0.", "0")), one
    assert {one["name"] for one in shown.panel.turn_table["eagerness"]} == set(EAGERNESS)


def test_what_is_asked_for_is_pending_until_it_is_answered(shown: Shown) -> None:
    with shown.panel.asking({"voice": "sage"}):
        with shown.panel.asking({"voice": "ash", "instructions": "Be brief."}):
            assert shown.panel.pending == {"voice": "ash", "instructions": "Be brief."}
        assert shown.panel.pending == {"voice": "sage"}
    with pytest.raises(ZeroDivisionError), shown.panel.asking({"turn_detection": None}):
        assert shown.panel.pending == {"turn_detection": None}
        raise ZeroDivisionError
    assert shown.panel.pending == {}
