"""How long the local server's answers take, in a spoken conversation at the pace of life."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.commands.samples import SAMPLES
from realtime_nb.commands.talk import heard_items, until_heard_for
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.protocol.fields import ServerVAD
from realtime_nb.protocol.turns import FRAME_MS, TurnSettings
from realtime_nb.recordings.recording import load
from realtime_nb.session.connect import connect
from realtime_nb.session.session import Session

__all__ = ["TARGET_MS", "run"]

TARGET_MS = 150
"""Median that the first sample played is to reach after the end of speech that the server detects
and its silence window."""

SILENCE_MS = 200
_PAUSE_MS = 400
_LISTEN_S = 0.3
_STAGES = {
    "latency_ms": "end of the voice → first sample played",
    "detected_ms": "  end of the voice → end that the server detects",
    "beyond_window_ms": "  that end + silence window → first sample played",
    "report_ms": "    that end + window → speech_stopped received",
    "announce_ms": "    speech_stopped → response.created",
    "first_audio_ms": "    response.created → first audio",
    "playout_ms": "    first audio → first sample played",
    "transcript_ms": "commit → transcript",
}


def run(turns: int = 20, audio: Sequence[Path] | None = None) -> dict[str, float]:
    """Talks, prints a table and returns the figures.

    A recorded voice takes its turns over a real WebSocket; each answer is interrupted once it
    has begun. The end of the voice is that of the recording's latency, found in the audio; the
    server's own detector reports another, at the time at which that sample was sent. The silence
    window is the configured one in whole frames.

    Args:
        turns: How often the voice speaks.
        audio: Files to use instead of the two that come with the package, each with one turn.

    Returns:
        ``turns`` and ``target_ms``, and of each stage the median and the 95th percentile, in ms:
        ``…_p50_ms``, ``…_p95_ms``.

    Raises:
        RealtimeError: Turns were not heard or not answered.
    """
    if turns < 1:
        raise ConfigurationError(f"turns is {turns}; give 1 or more.")
    clips = [_spoken(path) for path in audio or SAMPLES]
    with tempfile.TemporaryDirectory() as folder:
        recording = asyncio.run(_converse(list(islice(cycle(clips), turns)), folder))
        stages = _stages(recording)
    answered = len(stages["latency_ms"])
    if answered < turns:
        raise RealtimeError(
            f"Only {answered} of {turns} turns were answered. Is the machine very busy?"
        )
    figures: dict[str, float] = {"turns": answered, "target_ms": TARGET_MS}
    for name, values in stages.items():
        for percentile in (50, 95):
            key = name.replace("_ms", f"_p{percentile}_ms")
            figures[key] = round(float(np.percentile(values, percentile)), 1)
    _print_table(figures)
    return figures


def _spoken(path: Path) -> bytes:
    """Returns a file as PCM, with a pause before it, as between people."""
    pause: Samples = np.zeros(SAMPLE_RATE * _PAUSE_MS // 1000, np.float32)
    return pcm_from_samples(np.concatenate([pause, load_audio(path)]))


async def _converse(clips: Sequence[bytes], folder: str) -> Path:
    detection = ServerVAD(silence_duration_ms=SILENCE_MS)
    async with connect("local", record=folder, turn_detection=detection) as session:
        for clip in clips:
            await _take_turn(session, clip)
    assert session.recording is not None
    return session.recording


async def _take_turn(session: Session, clip: bytes) -> None:
    """Speaks, hears the answer begin, and stops it."""
    heard_before = heard_items(session)
    await session.speak(clip)
    await until_heard_for(session, heard_before, _LISTEN_S, timeout_s=60.0)
    await session.interrupt()
    await session.settled()


def _stages(recording: Path) -> dict[str, list[float]]:
    """Returns the durations of each stage, of the turns that were answered."""
    rec = load(recording)
    table = rec.latency
    window_s = TurnSettings(silence_duration_ms=SILENCE_MS).silence_frames * FRAME_MS / 1000
    detected_s = rec.turns["server_offset_ms"].map(rec.input_clock.wall)
    window_end_s = detected_s + window_s
    columns = {
        "latency_ms": table["latency_ms"],
        "detected_ms": (detected_s - table["speech_end_s"]) * 1000,
        "beyond_window_ms": (table["played_s"] - window_end_s) * 1000,
        "report_ms": (table["stop_s"] - window_end_s) * 1000,
        "announce_ms": (table["response_s"] - table["stop_s"]) * 1000,
        "first_audio_ms": (table["first_audio_s"] - table["response_s"]) * 1000,
        "playout_ms": table["playout_ms"],
        "transcript_ms": table["transcript_ms"],
    }
    return {
        name: [float(value) for value in column if not math.isnan(value)]
        for name, column in columns.items()
    }


def _print_table(figures: dict[str, float]) -> None:
    print(f"answers of the local server, {figures['turns']:.0f} spoken turns in real time")
    print(f"{'':54}{'p50':>8}{'p95':>8}  ms")
    for name, words in _STAGES.items():
        median, high = (figures[name.replace("_ms", f"_p{p}_ms")] for p in (50, 95))
        print(f"  {words:<52}{median:>8.0f}{high:>8.0f}")
    reached = "reached" if figures["beyond_window_p50_ms"] <= TARGET_MS else "missed"
    print(f"  target: {TARGET_MS} ms beyond the silence window (p50): {reached}")
