"""What views have in common whose page fetches sound."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from realtime_nb.widgets.sound_view import SoundView
from realtime_nb.widgets.view import Outgoing
from tests.widgets.pages import ListeningPage


class Tone(SoundView):
    """Has sound for ten seconds; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []
        super().__init__()

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        return iter(())

    def _block(self, start_s: float, end_s: float) -> bytes | None:
        self.asked.append((start_s, end_s))
        return b"tone" if start_s < 10 else None


@pytest.fixture
def tone() -> Iterator[Tone]:
    widget = Tone()
    yield widget
    widget.close()


def test_what_is_asked_for_comes_with_the_run_that_asked(tone: Tone) -> None:
    page = ListeningPage(tone)
    page.say("audio", run=3, start_s=2, end_s=5.5)
    [message] = page.take()
    assert message == {"kind": "audio", "run": 3, "start_s": 2}
    assert page.buffers == [b"tone"]


def test_where_there_is_no_sound_nothing_comes(tone: Tone) -> None:
    page = ListeningPage(tone)
    page.say("audio", run=3, start_s=10.0, end_s=12.0)
    assert page.take() == []


def test_who_stops_needs_nothing_more(tone: Tone) -> None:
    page = ListeningPage(tone)
    page.say("audio", run=1, start_s=0.0, end_s=5.0)
    tone.on_message({"kind": "stop"}, [])
    assert page.take() == []
    assert tone.asked == []


@pytest.mark.parametrize(
    "request_of_page",
    [
        {},
        {"start_s": 5.0, "end_s": 2.0},
        {"start_s": 3.0, "end_s": 3.0},
        {"start_s": "now", "end_s": 4.0},
        {"start_s": 3.0, "end_s": None},
        {"start_s": math.nan, "end_s": 4.0},
        {"start_s": 1.0, "end_s": math.nan},
    ],
)
def test_what_makes_no_sense_is_not_looked_for(
    tone: Tone, request_of_page: dict[str, object]
) -> None:
    page = ListeningPage(tone)
    page.say("audio", run=1, **request_of_page)
    assert page.take() == []
    assert tone.asked == []
