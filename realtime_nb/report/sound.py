"""What was heard in a session, small enough for a page."""

from __future__ import annotations

import base64
import io
import math

from realtime_nb.analysis.clips import RecordingClip
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.audio import SAMPLE_RATE

__all__ = ["sound_data_uri"]

_BLOCK_S = 60.0


def sound_data_uri(rec: Recorded) -> str | None:
    """Return both voices as an MP3 in a ``data:`` URI, the user left and the agent right.

    It begins where the session begins. None when nothing was recorded.
    """
    import soundfile

    if not rec.duration_s > 0 or not (len(rec.input) or len(rec.output)):
        return None
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, channels=2, format="MP3") as mp3:
        for block in range(math.ceil(rec.duration_s / _BLOCK_S)):
            start_s = block * _BLOCK_S
            end_s = min(rec.duration_s, start_s + _BLOCK_S)
            if end_s - start_s >= 1 / SAMPLE_RATE:
                mp3.write(RecordingClip(rec, start_s, end_s).stereo)
    return "data:audio/mpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
