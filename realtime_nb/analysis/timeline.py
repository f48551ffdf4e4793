"""What a recording's timeline shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.user_speech import user_speech
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["PlacedAudio", "TimelineData", "timeline_data"]


@dataclass(frozen=True, slots=True)
class PlacedAudio:
    """Samples (24 kHz) and where they begin on the time axis, in seconds."""

    start_s: float
    samples: Samples


@dataclass(frozen=True, slots=True)
class TimelineData:
    """What a timeline shows. All times are seconds since the session began.

    Attributes:
        duration_s: the end of the axis.
        user: what the microphone sent.
        agent: what was played.
        unheard: the agent's audio that was not, from where it would have been.
        received: the agent's audio from when it came, where nothing tells what of it was played.
        padded: speech as the server reported it, padding and silence window included.
        detected: the same without them.
        found: speech of which turn detection says nothing, as the offline detector hears it.
        calls: (arguments whole, output sent or None, name).
        errors: when the server refused something.
        responses: (``response.created``, ``response.done``, status).
        labels: (when, text): marks made by people.
        begin_s: the beginning of the axis: 0, or when the first of what was said before the session
            began was captured.
        settings: (when, what): settings that were changed while the session went on.
    """

    duration_s: float
    user: Sequence[PlacedAudio] = ()
    agent: Sequence[PlacedAudio] = ()
    unheard: Sequence[PlacedAudio] = ()
    received: Sequence[PlacedAudio] = ()
    padded: Sequence[TimeSpan] = ()
    detected: Sequence[TimeSpan] = ()
    found: Sequence[TimeSpan] = ()
    calls: Sequence[tuple[float, float | None, str]] = ()
    errors: Sequence[float] = ()
    responses: Sequence[tuple[float, float, str]] = ()
    labels: Sequence[tuple[float, str]] = ()
    begin_s: float = 0.0
    settings: Sequence[tuple[float, str]] = ()

    @property
    def unreported(self) -> list[TimeSpan]:
        """Those of ``found`` of which no report of the server says anything."""
        return [
            (start_s, end_s)
            for start_s, end_s in self.found
            if not any(from_s < end_s and start_s < until_s for from_s, until_s in self.padded)
        ]


def timeline_data(rec: Recorded, received: Mapping[str, Samples]) -> TimelineData:
    """Returns audio, speech, calls and errors on one time axis.

    Args:
        rec: The recording. One without events shows its audio from 0 s on.
        received: The audio received for each of the agent's items.

    Raises:
        RecordingError: It has no times.
    """
    if math.isnan(rec.duration_s):
        raise RecordingError(
            f"{rec.path} has no times, so nothing in it has a place on a time axis; "
            "look at its transcript() and its tables."
        )
    conversation, clock = rec.conversation, rec.input_clock
    spoken = user_speech(rec) if conversation.events_applied else []
    user = [
        PlacedAudio(t_s, rec.input[_samples(start_ms) : _samples(end_ms)])
        for t_s, start_ms, end_ms in clock.stretches()
    ]
    if not conversation.events_applied:
        user = [PlacedAudio(0.0, rec.input)]
    return TimelineData(
        duration_s=rec.duration_s,
        user=user,
        agent=[PlacedAudio(0.0, rec.output)] if len(rec.output) else [],
        unheard=[
            PlacedAudio(t_s, samples) for t_s, samples in _unheard_audio(conversation, received)
        ],
        received=[
            PlacedAudio(t_s, samples) for t_s, samples in _unplaced_audio(conversation, received)
        ],
        padded=_placed(
            clock, ((heard.audio_start_ms, heard.audio_end_ms) for heard in conversation.speech)
        ),
        detected=[(one.start_s, one.end_s) for one in spoken if one.source == "server"],
        found=[(one.start_s, one.end_s) for one in spoken if one.source != "server"],
        calls=[
            (call.done_s, call.output_s, call.name)
            for call in conversation.calls.values()
            if call.done_s is not None
        ],
        errors=[error.t_s for error in conversation.errors if error.t_s is not None],
        responses=[
            (response.created_s, _ended_s(response, rec.duration_s), response.status)
            for response in conversation.responses.values()
            if response.created_s is not None
        ],
        labels=list(zip(rec.labels["t_s"], rec.labels["text"], strict=True)),
        begin_s=clock.begins_s,
        settings=[
            (change.t_s, change.words)
            for change in conversation.settings.all
            if change.t_s is not None
        ],
    )


def _ended_s(response: Response, end_s: float) -> float:
    """Returns when it was done; one that never was went on until the session ended."""
    return end_s if response.done_s is None else response.done_s


def _placed(clock: InputClock, stretches: Iterable[tuple[float, float | None]]) -> list[TimeSpan]:
    """Returns stretches of the input on the time axis; those without an end or a time left out."""
    spans = [
        (clock.onset(start_ms), clock.wall(end_ms))
        for start_ms, end_ms in stretches
        if end_ms is not None
    ]
    return [span for span in spans if not math.isnan(sum(span))]


def _samples(ms: float) -> int:
    return round(ms * SAMPLE_RATE / 1000)


def _unheard_audio(
    conversation: Conversation, received: Mapping[str, Samples]
) -> Iterator[tuple[float, Samples]]:
    """Yields the agent's audio that was never played, from when it would have been.

    Where nothing tells whether it was, it is left out.
    """
    if not conversation.playback_known:
        return
    starts_s = sorted(
        item.played_s for item in conversation.items.values() if item.played_s is not None
    )
    for item_id, samples in received.items():
        item = conversation.items.get(item_id)
        played_ms = 0.0 if item is None else item.played_ms or 0.0
        if item is None or math.isnan(played_ms):
            continue
        rest = samples[_samples(played_ms) :]
        begin_s = _silent_from_s(item, played_ms)
        if begin_s is not None and len(rest):
            following_s = (other for other in starts_s if other > begin_s)
            room_s = next(following_s, math.inf) - begin_s
            yield begin_s, rest[: round(min(room_s, len(rest)) * SAMPLE_RATE)]


def _unplaced_audio(
    conversation: Conversation, received: Mapping[str, Samples]
) -> Iterator[tuple[float, Samples]]:
    """Yields the agent's audio where nothing tells what of it was played, each message from when it
    came to the next."""
    if conversation.playback_known:
        return
    begun_s = {
        item_id: item.first_audio_s
        for item_id, item in conversation.items.items()
        if item.first_audio_s is not None and item_id in received
    }
    for item_id, begin_s in begun_s.items():
        room_s = min((s for s in begun_s.values() if s > begin_s), default=math.inf) - begin_s
        samples = received[item_id]
        yield begin_s, samples[: round(min(room_s, len(samples)) * SAMPLE_RATE)]


def _silent_from_s(item: Item, played_ms: float) -> float | None:
    """Tells from when on an item was silent, or would have been heard; None where unknown."""
    if item.stopped_s is not None:
        return item.stopped_s
    return item.first_audio_s if item.played_s is None else item.played_s + played_ms / 1000
