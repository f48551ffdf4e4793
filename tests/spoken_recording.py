"""A recorded session whose microphone never stops.

The sample at ``ms`` of the input is captured at ``1 + ms / 1000`` s and sent with its 20-ms chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime_nb.analysis.voices import TimeSpan, Voices
from tests.made_recording import MadeRecording

SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
}


def begun(detection: dict[str, Any] | None = SERVER_VAD) -> MadeRecording:
    """A session of 60 s, silent so far."""
    rec = MadeRecording()
    turn_detection = {"audio": {"input": {"turn_detection": detection}}}
    rec.got(0.1, "session.created", session=turn_detection)
    for number in range(2_950):
        rec.input_clock.add(1 + (number + 1) * 0.02, (number + 1) * 20.0)
    rec.input = np.zeros(59_000 * 24, np.float32)
    rec.output = np.zeros(60_000 * 24, np.float32)
    return rec


def voiced(rec: MadeRecording, *spans_ms: TimeSpan, agent: tuple[TimeSpan, ...] = ()) -> None:
    """What the offline detector shall find: the user in ms of the input, the agent in s."""
    spans_s = [(1 + start_ms / 1000, 1 + end_ms / 1000) for start_ms, end_ms in spans_ms]
    rec.voices = Voices(spans_s, list(agent), list(spans_ms))


def spoken(
    rec: MadeRecording, item_id: str, onset_ms: int, offset_ms: int, stopped_s: float
) -> None:
    """Speech as the server reports it: 200 ms after its onset, and at ``stopped_s``."""
    onset_s = 1 + onset_ms / 1000
    # The window of 200 ms is seven frames of 32 ms.
    rec.got(
        round(onset_s + 0.2, 6),
        "input_audio_buffer.speech_started",
        audio_start_ms=onset_ms - 300,
        item_id=item_id,
    )
    rec.got(
        stopped_s,
        "input_audio_buffer.speech_stopped",
        audio_end_ms=offset_ms + 224,
        item_id=item_id,
    )
