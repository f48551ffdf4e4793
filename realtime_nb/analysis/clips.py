"""A stretch of a recording: both voices on one time axis, what was said in it, what happened."""

from __future__ import annotations

import html
import io
import math
import os
import wave
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.said import item_span
from realtime_nb.analysis.transcript import item_line
from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.errors import ConfigurationError, at_call

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ClipSound", "RecordingClip", "cut", "interleaved"]


def cut(pieces: Iterable[tuple[float, LongSound]], start_s: float, end_s: float) -> Samples:
    """Returns what lies between two moments; silence where nothing lies.

    Args:
        pieces: (when its first sample is heard in seconds, samples at 24 kHz). Where two overlap,
            the later one is heard.
        start_s: The first moment.
        end_s: The last one.

    Returns:
        float32 (n,) with ``n = round((end_s - start_s) * 24000)``.
    """
    found = np.zeros(max(0, round((end_s - start_s) * SAMPLE_RATE)), np.float32)
    for begin_s, samples in pieces:
        offset = round((begin_s - start_s) * SAMPLE_RATE)
        first, last = max(0, offset), min(len(found), offset + len(samples))
        if first < last:
            found[first:last] = samples[first - offset : last - offset]
    return found


def interleaved(left: Samples, right: Samples) -> bytes:
    """Returns 16-bit stereo, left and right in turn."""
    return pcm_from_samples(np.stack([left, right], axis=1).reshape(-1))


@at_call
class RecordingClip:
    """What was heard between two moments of a recording.

    ::

        clip = rec.clip(31.0, 36.5)
        clip.save("odd.wav")                # stereo: the user on the left, the agent on the right
        print(clip.transcript())
        clip.audio()                        # a player; no sound gets into the notebook's file

    Args:
        recording: What it is cut from.
        start_s: Its first moment, in seconds since the session began; what was said before that,
            while the session was being opened, is before 0.
        end_s: Its last one.

    Raises:
        ConfigurationError: The end is not after the start, or one of them is outside the session.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, recording: Recorded, start_s: float, end_s: float) -> None:
        duration_s, begins_s = recording.duration_s, recording.input_clock.begins_s
        if not start_s < end_s:  # also NaN
            raise ConfigurationError(
                f"A clip ends after it starts, not from {start_s:g} s to {end_s:g} s. "
                "Give the earlier moment first."
            )
        if start_s < begins_s - 1e-6 or end_s > duration_s + 1e-6:
            first = f"{begins_s:.3f} s" if begins_s else "0"
            raise ConfigurationError(
                f"{start_s:g} s to {end_s:g} s is not within the session, which goes from {first} "
                f"to {duration_s:.3f} s. Choose a range inside it."
            )
        self.recording = recording
        self.start_s = float(start_s)
        self.end_s = float(end_s)

    def __repr__(self) -> str:
        return f"<RecordingClip {self.name}; .audio() plays it, .save(path) keeps it>"

    @property
    def name(self) -> str:
        """The recording's name, and from when to when it goes."""
        return f"{self.recording.path.name}: {self.start_s:.2f} s to {self.end_s:.2f} s"

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    # --- audio ---

    @cached_property
    def user(self) -> Samples:
        """The user's voice when it was sent: float32 (n,) at 24 kHz."""
        return cut(self._user_pieces(), self.start_s, self.end_s)

    def _user_pieces(self) -> Iterator[tuple[float, LongSound]]:
        """Yields what of each stretch may lie in the clip, and when it begins."""
        per_ms, audio = SAMPLE_RATE / 1000, self.recording.sound("input")
        stretches = self.recording.input_clock.stretches()
        if not stretches:
            yield 0.0, audio
        for t_s, start_ms, end_ms in stretches:
            first, last = round(start_ms * per_ms), round(end_ms * per_ms)
            before = max(0, math.floor((self.start_s - t_s) * SAMPLE_RATE) - 1)
            until = min(last, first + math.ceil((self.end_s - t_s) * SAMPLE_RATE) + 1)
            if first + before < until:
                yield t_s + before / SAMPLE_RATE, audio[first + before : until]

    @cached_property
    def agent(self) -> Samples:
        """The agent's voice as it was played: float32 (n,) at 24 kHz."""
        return cut([(0.0, self.recording.sound("output"))], self.start_s, self.end_s)

    @property
    def stereo(self) -> npt.NDArray[np.float32]:
        """Both: float32 (n, 2), the user on the left and the agent on the right."""
        return np.stack([self.user, self.agent], axis=1)

    @property
    def wav(self) -> bytes:
        """A WAV file of it: 16 bit, stereo, 24 kHz."""
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(2)
            writer.setsampwidth(2)
            writer.setframerate(SAMPLE_RATE)
            writer.writeframes(interleaved(self.user, self.agent))
        return file.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes :attr:`wav` to a file and returns its path."""
        path = Path(path)
        path.write_bytes(self.wav)
        return path

    def audio(self) -> ClipSound:
        """Returns a player for the notebook, which fetches the sound while it is heard."""
        return ClipSound(self)

    # --- what happened ---

    @property
    def events(self) -> pd.DataFrame:
        """The rows of the recording's events within it."""
        events = self.recording.events
        return events[(events["t_s"] >= self.start_s) & (events["t_s"] < self.end_s)]

    def transcript(self) -> str:
        """Returns who said what within it, a line each; messages that reach out of it are whole."""
        return "\n".join(filter(None, self._lines()))

    def _lines(self) -> Iterator[str]:
        conversation = self.recording.conversation
        for item in conversation.in_order():
            begin_s, end_s = item_span(conversation, self.recording.input_clock, item)
            # A moment counts as inside, too. NaN, an unknown time, never does.
            if not (begin_s < self.end_s and max(end_s, begin_s) >= self.start_s):
                continue
            yield item_line(conversation, item, begin_s, unheard=False)


class ClipSound:
    """A clip to be listened to.

    In a notebook it is a player. Elsewhere, and in a notebook that was saved, it is a line of text:
    the sound stays where the recording is.

    Args:
        clip: What is to be heard.
    """

    def __init__(self, clip: RecordingClip) -> None:
        self.clip = clip

    def __repr__(self) -> str:
        return f"<ClipSound {self.statement()}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.statement())}</p>"

    def statement(self) -> str:
        """Returns what it is, and how to hear it."""
        return (
            f"{self.clip.name}. Its sound is not here: run the cell in a notebook to listen, or "
            'make a file with rec.clip(…).save("clip.wav").'
        )
