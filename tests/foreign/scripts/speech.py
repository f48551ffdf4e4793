"""Recorded speech as a microphone would send it, for the Python clients; needs nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

__all__ = ["clip", "heard", "new_told", "streamed", "tell"]

BYTES_PER_MS = 48  # 24 kHz PCM16
PIECE_MS = 40

heard = bytearray()
"""All audio that came from the server."""


def clip(name: str) -> bytes:
    """Returns a clip between silences, as it was put there."""
    return (Path(os.environ["CLIPS"]) / name.replace(".wav", ".pcm")).read_bytes()


async def streamed(pcm: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
    """Sends pieces at the pace of life, which is what timings of libraries are made for."""
    step = PIECE_MS * BYTES_PER_MS
    begun = time.monotonic()
    for start in range(0, len(pcm), step):
        await send(pcm[start : start + step])
        due = begun + (start + step) / BYTES_PER_MS / 1000
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def new_told() -> dict[str, Any]:
    """Returns what every script tells, with nothing in it yet."""
    return {"said": [], "heard": [], "calls": [], "errors": []}


def tell(told: dict[str, Any]) -> None:
    """Writes what happened, and what was heard, for the test to read."""
    told["audio_ms"] = len(heard) / BYTES_PER_MS
    Path("heard.pcm").write_bytes(heard)
    Path("told.json").write_text(json.dumps(told), encoding="utf-8")
