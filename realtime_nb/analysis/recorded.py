"""What analyses and plots take: a session as it was recorded, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from realtime_nb.archive.lines import PlaybackLine, RecordedEvent
from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_clock import InputClock

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.cost.prices import PriceTable
    from realtime_nb.analysis.cost.summary import Cost
    from realtime_nb.analysis.voices import Voices

__all__ = ["Recorded", "SoundName", "refuse_unrecorded"]

SoundName = Literal["input", "output", "received"]


class Recorded(Protocol):
    """A recorded session; :class:`realtime_nb.recordings.recording.Recording` is one.

    All audio is float32 (n,) at 24 kHz; times in seconds count from the beginning of the session.
    """

    @property
    def path(self) -> Path:
        """Where it comes from."""

    @property
    def header(self) -> JsonObject:
        """Endpoint, model, dialect and so on, as far as they are known."""

    @property
    def simulated(self) -> bool:
        """Whether its answers came from the local server, whose latencies are its own."""

    @property
    def duration_s(self) -> float:
        """How long the session was."""

    @property
    def conversation(self) -> Conversation:
        """The fold over all its events."""

    @property
    def input_clock(self) -> InputClock:
        """When the audio at each position of the input was sent."""

    @property
    def playback(self) -> Sequence[PlaybackLine]:
        """What the playing device reported, in order."""

    @property
    def voices(self) -> Voices:
        """Who is audible when, as an offline detector finds it."""

    @property
    def input(self) -> Samples:
        """What was sent, on the input-sample clock."""

    @property
    def output(self) -> Samples:
        """What was played, on the session's time axis."""

    @property
    def received(self) -> Samples:
        """The agent's audio as it arrived."""

    def sound(self, name: SoundName) -> LongSound:
        """Returns one of these three, to be read where it is asked for."""

    @property
    def events(self) -> pd.DataFrame:
        """One row per event."""

    @property
    def turns(self) -> pd.DataFrame:
        """One row per user turn."""

    @property
    def calls(self) -> pd.DataFrame:
        """One row per function call."""

    @property
    def speech(self) -> pd.DataFrame:
        """One row per stretch that turn detection took for speech."""

    @property
    def usage(self) -> pd.DataFrame:
        """One row per response."""

    @property
    def latency(self) -> pd.DataFrame:
        """One row per user turn."""

    @property
    def stages(self) -> pd.DataFrame:
        """One row per user turn that was answered."""

    @property
    def reconnections(self) -> pd.DataFrame:
        """One row per loss of the connection."""

    @property
    def labels(self) -> pd.DataFrame:
        """One row per mark made by a person."""

    def interruptions(self) -> pd.DataFrame:
        """Returns one row per interruption and per missed barge-in."""

    def metrics(self) -> pd.DataFrame:
        """Returns one row per metric."""

    def cost(self, prices: PriceTable | None = None, model: str | None = None) -> Cost:
        """Returns what it cost; see :func:`realtime_nb.analysis.cost.costs.cost_summary`."""

    def raw_events(self) -> Iterator[RecordedEvent]:
        """Returns all events in order."""


def refuse_unrecorded(*given: object) -> None:
    """Refuses what is no recording, such as the path of one.

    Raises:
        ConfigurationError: One of them is none.
    """
    for one in given:
        if not hasattr(one, "conversation"):
            raise ConfigurationError(f"{one!r} is no recording; rt.load(path) opens one.")
