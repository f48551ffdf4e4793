from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.widgets.measuring import MeasuringView
from realtime_nb.widgets.view import Outgoing
from tests.widgets.pages import ToldSession


class Measured(MeasuringView):
    """Shows nothing."""

    _esm = "export default {}"

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        yield from ()


class Counting(LatencyMeter):
    """Counts what it is told."""

    told = 0

    def event(self, event: WireEvent) -> None:
        self.told += 1


@pytest.mark.parametrize("own", [True, False])
def test_a_meter_is_told_of_each_event_once(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.widgets.measuring.LatencyMeter", Counting)
    view, session = Measured(), ToldSession()
    others = None if own else Counting(session.conversation)
    view.follow(session, others)
    session.received(1.0, "session.updated", session={})
    assert isinstance(view._meter, Counting)
    assert view._meter.told == own  # who else measures tells it
    view.close()
