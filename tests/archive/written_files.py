"""What a recorder wrote, as it lies on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtime_nb.archive.recorder import Recorder
from realtime_nb.protocol.wire import WireEvent

__all__ = ["lines", "recorded", "stored"]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def stored(path: Path) -> list[dict[str, Any]]:
    return [line["event"] for line in lines(path / "events.jsonl")]


def recorded(path: Path, *events: dict[str, Any], pcm: bytes | None = None) -> Path:
    recorder = Recorder(path, {})
    for event in events:
        recorder.event(WireEvent("received", event, 0.5, pcm))
    recorder.close()
    return recorder.path
