"""What a recording's timeline shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.connection_gaps import ended_s, gap_spans, gap_words
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.said import Said, item_span, said
from realtime_nb.analysis.user_speech import user_speech
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.audio.long_sound import LongSound, part_of
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["PlacedAudio", "TimelineData", "TimelineTurn", "timeline_data"]

_MARGIN_S = 0.5
"""So much is shown before a turn and after it."""


@dataclass(frozen=True, slots=True)
class PlacedAudio:
    """Samples (24 kHz) and where they begin on the time axis, in seconds.

    Those of a recording are read where they are drawn or heard: two hours of three sounds would
    take 2 GB.
    """

    start_s: float
    samples: LongSound = field(repr=False)

    @property
    def end_s(self) -> float:
        """Where they end."""
        return self.start_s + len(self.samples) / SAMPLE_RATE


class TimelineTurn(NamedTuple):
    """A turn of the user, and what came of it.

    Attributes:
        number: 1 for the first.
        start_s, end_s: From the user's first word, or the typed message, to the end of the answer.
        answer_s: When the answer began to sound; NaN where that is unknown.
        latency_ms: As ``rec.latency`` has it.
    """

    number: int
    start_s: float
    end_s: float
    answer_s: float = math.nan
    latency_ms: float = math.nan


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
        turns: the user's, with their latencies.
        said: the words of both.
        simulated: whether the latencies are the local server's.
        begin_s: the beginning of the axis: 0, or when the first of what was said before the session
            began was captured.
        settings: (when, what): settings that were changed while the session went on.
        gaps: (from, until, what): when there was no connection.
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
    turns: Sequence[TimelineTurn] = ()
    said: Sequence[Said] = ()
    simulated: bool = False
    begin_s: float = 0.0
    settings: Sequence[tuple[float, str]] = ()
    gaps: Sequence[tuple[float, float, str]] = ()

    @property
    def unreported(self) -> list[TimeSpan]:
        """Those of ``found`` of which no report of the server says anything."""
        return [
            (start_s, end_s)
            for start_s, end_s in self.found
            if not any(from_s < end_s and start_s < until_s for from_s, until_s in self.padded)
        ]

    def between(self, start_s: float, end_s: float) -> TimelineData:
        """Returns a part of it, with nothing that lies outside.

        Raises:
            ConfigurationError: The end is not after the start, or nothing of the session lies
                between them.
        """
        if not start_s < end_s:  # also NaN
            raise ConfigurationError(
                f"A timeline ends after it starts, not from {start_s:g} s to {end_s:g} s. "
                "Give the earlier moment as start_s."
            )
        first_s, last_s = max(start_s, self.begin_s), min(end_s, self.duration_s)
        if not first_s < last_s:
            raise ConfigurationError(
                f"Nothing lies between {start_s:g} s and {end_s:g} s: the session goes from "
                f"{self.begin_s:g} s to {self.duration_s:.3f} s. Choose a range inside it."
            )

        def reaches(begin_s: float, until_s: float | None) -> bool:
            return begin_s < last_s and (until_s is None or until_s >= first_s)

        def inside(clips: Sequence[PlacedAudio]) -> list[PlacedAudio]:
            return [clip for clip in clips if reaches(clip.start_s, clip.end_s)]

        return replace(
            self,
            begin_s=first_s,
            duration_s=last_s,
            user=inside(self.user),
            agent=inside(self.agent),
            unheard=inside(self.unheard),
            received=inside(self.received),
            padded=[span for span in self.padded if reaches(*span)],
            detected=[span for span in self.detected if reaches(*span)],
            found=[span for span in self.found if reaches(*span)],
            calls=[call for call in self.calls if reaches(*call[:2])],
            errors=[t_s for t_s in self.errors if reaches(t_s, t_s)],
            responses=[one for one in self.responses if reaches(*one[:2])],
            labels=[one for one in self.labels if reaches(one[0], one[0])],
            settings=[one for one in self.settings if reaches(one[0], one[0])],
            gaps=[gap for gap in self.gaps if reaches(*gap[:2])],
            turns=[turn for turn in self.turns if reaches(turn.start_s, turn.end_s)],
            said=[one for one in self.said if reaches(one.start_s, one.end_s)],
        )

    def part(
        self,
        start_s: float | None = None,
        end_s: float | None = None,
        turn: int | None = None,
    ) -> TimelineData:
        """Returns what lies between two moments, or about a turn; all of it without either.

        Args:
            start_s: The first moment, instead of the beginning.
            end_s: The last one, instead of the end.
            turn: The number of a turn of the user, instead of both.

        Raises:
            ConfigurationError: It is not one or the other, there is no such turn, nothing tells
                when it was, or nothing lies there.
        """
        if turn is not None:
            if start_s is not None or end_s is not None:
                raise ConfigurationError(
                    "turn= is a part of the session by itself: give it, or start_s= and end_s=."
                )
            start_s, end_s = self._about(turn)
        elif start_s is None and end_s is None:
            return self
        first_s = self.begin_s if start_s is None else start_s
        return self.between(first_s, self.duration_s if end_s is None else end_s)

    def _about(self, number: int) -> TimeSpan:
        turn = next((one for one in self.turns if one.number == number), None)
        if turn is None:
            known = ", ".join(str(one.number) for one in self.turns[:20]) or "none"
            more = ", …" if len(self.turns) > 20 else ""
            raise ConfigurationError(
                f"There is no turn {number!r} with a known time. There are: {known}{more}."
            )
        return turn.start_s - _MARGIN_S, turn.end_s + _MARGIN_S


def timeline_data(rec: Recorded, received: Mapping[str, LongSound]) -> TimelineData:
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
    sent, played = rec.sound("input"), rec.sound("output")
    user = [
        PlacedAudio(t_s, part_of(sent, _samples(start_ms), _samples(end_ms)))
        for t_s, start_ms, end_ms in clock.stretches()
    ]
    if not conversation.events_applied:
        user = [PlacedAudio(0.0, sent)]
    return TimelineData(
        duration_s=rec.duration_s,
        user=user,
        agent=[PlacedAudio(0.0, played)] if len(played) else [],
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
        errors=[error.t_s for error in conversation.refused if error.t_s is not None],
        responses=[
            (response.created_s, _end_of(conversation, response, rec.duration_s), response.status)
            for response in conversation.responses.values()
            if response.created_s is not None
        ],
        labels=list(zip(rec.labels["t_s"], rec.labels["text"], strict=True)),
        turns=list(_turns(rec)),
        said=list(said(conversation, clock)),
        simulated=rec.simulated,
        begin_s=clock.begins_s,
        settings=[
            (change.t_s, change.words)
            for change in conversation.settings.all
            if change.t_s is not None
        ],
        gaps=[
            (lost_s, min(until_s, rec.duration_s), gap_words(conversation, gap))
            for gap, (lost_s, until_s) in zip(
                conversation.reconnections, gap_spans(conversation), strict=True
            )
        ],
    )


def _turns(rec: Recorded) -> Iterator[TimelineTurn]:
    """Yields the turns whose beginning is known."""
    conversation, clock = rec.conversation, rec.input_clock
    if not conversation.events_applied:
        return
    for row, moments in zip(records(rec.turns), records(rec.latency), strict=True):
        heard_ms = row["audio_start_ms"] if math.isnan(row["onset_ms"]) else row["onset_ms"]
        start_s = moments["commit_s"] if math.isnan(heard_ms) else clock.onset(heard_ms)
        if math.isnan(start_s):
            continue
        ends_s = [moments["commit_s"]]
        for item_id in row["agent_items"]:
            item = conversation.items.get(item_id)
            ends_s += [] if item is None else item_span(conversation, clock, item)
        known_s = [end_s for end_s in ends_s if end_s >= start_s]
        yield TimelineTurn(
            row["turn"],
            start_s,
            min(max(known_s, default=start_s), rec.duration_s),
            moments["played_s"],
            moments["latency_ms"],
        )


def _end_of(conversation: Conversation, response: Response, end_s: float) -> float:
    """Returns when it was over; one that never was went on until the session ended."""
    known_s = ended_s(conversation, response)
    return end_s if known_s is None else known_s


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
    conversation: Conversation, received: Mapping[str, LongSound]
) -> Iterator[tuple[float, LongSound]]:
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
        rest = part_of(samples, _samples(played_ms), len(samples))
        begin_s = _silent_from_s(item, played_ms)
        if begin_s is not None and len(rest):
            following_s = (other for other in starts_s if other > begin_s)
            room_s = next(following_s, math.inf) - begin_s
            yield begin_s, part_of(rest, 0, round(min(room_s, len(rest)) * SAMPLE_RATE))


def _unplaced_audio(
    conversation: Conversation, received: Mapping[str, LongSound]
) -> Iterator[tuple[float, LongSound]]:
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
        yield begin_s, part_of(samples, 0, round(min(room_s, len(samples)) * SAMPLE_RATE))


def _silent_from_s(item: Item, played_ms: float) -> float | None:
    """Tells from when on an item was silent, or would have been heard; None where unknown."""
    if item.stopped_s is not None:
        return item.stopped_s
    return item.first_audio_s if item.played_s is None else item.played_s + played_ms / 1000
