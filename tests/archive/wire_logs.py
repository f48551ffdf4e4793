"""A session as other programs log it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from realtime_nb.archive.recorder import Recorder
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.protocol.wire import WireEvent
from tests.scripted_session import LiveSession

__all__ = ["BEGAN", "WRAPPED", "Kept", "iso", "written"]

BEGAN = 1_760_000_000.0
Sent = tuple[str, dict[str, Any], float]


class Wire:
    """Keeps every event as it was on the wire."""

    def __init__(self) -> None:
        self.events: list[Sent] = []

    def event(self, event: WireEvent) -> None:
        self.events.append((event.direction, event.raw, event.t_s))

    def playback(self, report: PlaybackReport) -> None:
        """A wire does not carry it."""

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """A wire does not carry it."""


class Kept(LiveSession):
    """A session of which every event is kept as it was on the wire."""

    def __init__(self) -> None:
        wire = Wire()
        super().__init__(cast(Recorder, wire))
        self.wire = wire.events


def written(path: Path, lines: Iterable[object]) -> Path:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return path


def iso(t_s: float) -> str:
    return datetime.fromtimestamp(BEGAN + t_s, UTC).isoformat(timespec="microseconds")


WRAPPED: dict[str, Callable[[str, dict[str, Any], float], object]] = {
    "web console": lambda way, raw, t_s: {
        "time": iso(t_s).replace("+00:00", "Z"),
        "source": "client" if way == "sent" else "server",
        "event": raw,
    },
    "epoch in seconds": lambda way, raw, t_s: {
        "timestamp": BEGAN + t_s,
        "direction": way,
        "data": raw,
    },
    "epoch in milliseconds, JSON in a string": lambda way, raw, t_s: {
        "ts": round((BEGAN + t_s) * 1000, 3),
        "direction": {"sent": "↑", "received": "↓"}[way],
        "payload": json.dumps(raw),
    },
    "browser's network tab": lambda way, raw, t_s: {
        "type": {"sent": "send", "received": "receive"}[way],
        "time": BEGAN + t_s,
        "opcode": 1,
        "data": json.dumps(raw),
    },
    "agent library": lambda way, raw, t_s: {
        "t_ms": t_s * 1000,
        "type": "raw_model_event",
        "data": {"type": "raw_server_event", "data": raw},
    },
    "time inside the event": lambda way, raw, t_s: {**raw, "timestamp": BEGAN + t_s},
    "logger": lambda way, raw, t_s: (
        f"{iso(t_s)[:26].replace('T', ' ').replace('.', ',')} DEBUG [ws{{1}}] "
        f"{'->' if way == 'sent' else '<-'} {json.dumps(raw)} [{len(raw)} keys]"
    ),
    "time of day": lambda way, raw, t_s: (
        f"[12:00:{t_s:09.6f}] {'SEND' if way == 'sent' else 'RECV'}: {json.dumps(raw)}"
    ),
}
