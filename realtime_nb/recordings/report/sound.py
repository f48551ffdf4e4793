"""What was heard in a session, small enough for a page.

It is MP3 because every browser plays it. Encoding is most of the time that a report takes, 40 to
55 s of processor time for an hour, and no setting of the encoder makes that less: not its bit rates
nor its modes. Ogg Vorbis takes 35 s, Opus 60 s; FLAC takes 3 s, and makes a page of 80 MB, or of
170 MB where the microphone has any noise. So it is encoded beside the rest.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from realtime_nb.analysis.clips import RecordingClip
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.audio.pcm import SAMPLE_RATE

__all__ = ["encoded_beside", "sound_blocks", "sound_data_uri"]

_BLOCK_S = 120.0


@contextmanager
def encoded_beside(
    rec: Recorded, encoded: Callable[[], object] = lambda: None
) -> Iterator[Future[str | None]]:
    """Encodes the sound in a thread while the block runs; see :func:`sound_data_uri`.

    The thread ends with the block. If the block fails, it ends within the encoding of two minutes
    of sound.
    """
    given_up = Event()
    with ThreadPoolExecutor(1, "report sound") as pool:
        try:
            yield pool.submit(sound_data_uri, rec, given_up.is_set, encoded)
        except BaseException:
            given_up.set()
            raise


def sound_blocks(rec: Recorded) -> int:
    """Returns in how many steps the sound is encoded; 0 when nothing was recorded."""
    if not rec.duration_s > 0 or not (len(rec.sound("input")) or len(rec.sound("output"))):
        return 0
    return math.ceil((rec.duration_s - rec.input_clock.begins_s) / _BLOCK_S)


def sound_data_uri(
    rec: Recorded,
    given_up: Callable[[], bool] = lambda: False,
    encoded: Callable[[], object] = lambda: None,
) -> str | None:
    """Returns both voices as an MP3 in a ``data:`` URI, the user left and the agent right.

    It begins where the session begins, or what was said before that. None when nothing was
    recorded, or nobody wants it any more. ``encoded`` is called after each step.
    """
    import soundfile

    blocks = sound_blocks(rec)
    if not blocks:
        return None
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, channels=2, format="MP3") as mp3:
        begins_s = rec.input_clock.begins_s
        for block in range(blocks):
            if given_up():
                return None
            start_s = begins_s + block * _BLOCK_S
            end_s = min(rec.duration_s, start_s + _BLOCK_S)
            if end_s - start_s >= 1 / SAMPLE_RATE:
                mp3.write(RecordingClip(rec, start_s, end_s).stereo)
            encoded()
    return "data:audio/mpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
