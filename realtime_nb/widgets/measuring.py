"""What the views have in common that tell latencies of a session that goes on."""

from __future__ import annotations

from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.widgets.view import LiveSession, View

__all__ = ["MeasuringView"]


class MeasuringView(View):
    """A view with a meter of its own, or that of somebody who measures the session already."""

    _meter: LatencyMeter | None = None
    _measures = False

    def follow(self, session: LiveSession, meter: LatencyMeter | None = None) -> None:
        """Shows a session, and what it does from now on; no other before it goes on.

        Args:
            session: Any that is open.
            meter: What measures it already, and is told of its events before this view is; without
                it the view measures for itself what is said from now on.
        """
        self._measures = meter is None
        self._meter = meter or LatencyMeter(session.conversation)
        super().follow(session)

    def event(self, event: WireEvent) -> None:
        """Implements `View`; the meter knows of the event after this."""
        if self._measures and self._meter is not None:
            self._meter.event(event)
