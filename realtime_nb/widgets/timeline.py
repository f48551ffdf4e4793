"""What was said, heard and called, on one time axis."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Protocol, TypeVar

from realtime_nb.analysis.clips import RecordingClip
from realtime_nb.analysis.connection_gaps import ended_s, gap_words
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.said import Said, said
from realtime_nb.analysis.timeline import TimelineData
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.errors import ConfigurationError, RealtimeError, at_call
from realtime_nb.plots.still import timeline_svg
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.protocol.words import counted
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sources import SessionSource, find_source
from realtime_nb.widgets.timeline_sound import MAX_DETAIL_POINTS, Sound, VoiceLane
from realtime_nb.widgets.view import LiveSession, Outgoing, View
from realtime_nb.widgets.waves import POINT_BYTES, POINT_SAMPLES, POINTS_PER_S, Outline

__all__ = ["Timeline"]

MAX_POINTS = 3600 * POINTS_PER_S * 2
"""Points of all waves that are kept: an hour of both voices. The oldest stretches go first."""

MAX_MARKS = 1_000
"""Marks of each kind that are kept in sight: the last."""

_KINDS = 9
_LONGEST_TEXT = 600
_LONGEST_CLIP_S = 60.0

_COUNTED = (
    ("speech", "stretch of speech", "stretches of speech"),
    ("call", "function call", "function calls"),
    ("error", "error", "errors"),
)
_T = TypeVar("_T")
TimelineMark = dict[str, object]


class _TimelineSource(Recorded, Protocol):
    @property
    def timeline_data(self) -> TimelineData: ...


@dataclass(slots=True)
class _Stretch:
    """A stretch of audio.

    Attributes:
        start_s: Where it begins; None while that is not known.
        heard_s: How much of it was played; None for all there is up to now.
        number, offset_s: Of which stretch of the clock it is a part, and from where on.
        step: Samples to a point.
        posted: Points that the page has.
        told: (start_s, heard_s) as the page knows them.
    """

    id: int
    lane: VoiceLane
    start_s: float | None = None
    heard_s: float | None = None
    number: int | None = None
    offset_s: float = 0.0
    outline: Outline = field(default_factory=Outline)
    step: int = POINT_SAMPLES
    posted: int = 0
    told: tuple[float | None, float | None] | None = None


class Timeline(View):
    """The user's voice with the speech in it, the agent's as it was played, functions, errors.

    ::

        rt.Timeline(session)                                # from now on: the last 20 s
        timeline = rt.Timeline(rt.load("recordings/…"))     # whole: zoom in, click to listen,
        timeline.selection                                  # drag to select
        timeline.clip().save("odd.wav")

        timeline = rt.Timeline()                            # what is added
        timeline.add_input(pcm, t_s)
        timeline.add_output(item_id, pcm)
        timeline.update(session.conversation)

    The page asks for a recording's audio while it is listened to, the user on the left and the
    agent on the right. Audio is in no saved notebook.

    Args:
        source: A session or an agent, whose session is followed from now on; a recording, or the
            path of one; or what ``plot_timeline`` takes.
        on_click: Called with a position in seconds when it is clicked, on a thread of its own.

    Raises:
        ConfigurationError: It is something else.
        RecordingError: The recording has no times.
    """

    _esm = module_text("timeline.js")

    @at_call
    def __init__(
        self,
        source: SessionSource | _TimelineSource | TimelineData | None = None,
        *,
        on_click: Callable[[float], None] | None = None,
        **settings: object,
    ) -> None:
        self._on_click = on_click
        self._adding = threading.Lock()
        self._stretches: list[_Stretch] = []
        self._by_item: dict[str, _Stretch] = {}
        self._next_id = 0
        self._clock = InputClock()
        self._now_s = 0.0
        found = None
        if source is not None and not isinstance(source, TimelineData):
            found = find_source(source, "Timeline", "timeline_data", ", or TimelineData")
        self._told_live = True
        self._over = source is not None and (found is None or found.session is None)
        self._session: LiveSession | None = None
        self._conversation: Conversation | None = None
        self._marks: dict[str, TimelineMark] = {}
        self._told_marks: dict[str, TimelineMark] = {}
        self._selection: TimeSpan | None = None
        self._sound: Sound | None = None
        self._data: TimelineData | None = None
        self._recording: Recorded | None = None
        # Before there is a page that could ask for it.
        if isinstance(source, TimelineData):
            self._fill(source)
        elif found is not None and found.recording is not None:
            self._recording = found.recording
            self._fill(found.recording.timeline_data)
        super().__init__(**settings)
        if found is not None and found.session is not None:
            self.follow(found.session)
        elif found is not None and found.known is not None:
            self._place(found.known)
            self._note_that(found.note)

    @property
    def selection(self) -> TimeSpan | None:
        """What is selected in the page: (start, end) in seconds; None for nothing."""
        return self._selection

    def clip(self) -> RecordingClip:
        """Returns the selected part of the recording.

        Raises:
            ConfigurationError: Nothing is selected, or this is not the timeline of a recording.
        """
        if self._recording is None:
            raise ConfigurationError(
                "Only a recording's timeline has clips: rt.Timeline(rt.load('recordings/…'))."
            )
        if self._selection is None:
            raise ConfigurationError(
                "Nothing is selected. Drag over the waves first, or name the seconds: "
                "rec.clip(start_s, end_s)."
            )
        return RecordingClip(self._recording, *self._selection)

    def add_input(self, pcm: bytes, t_s: float, captured_s: float | None = None) -> None:
        """Adds what the microphone sent.

        Args:
            pcm: PCM16 mono at 24 kHz.
            t_s: When it was sent.
            captured_s: When its last sample was captured; when it was sent, unless this is given.
        """
        before_ms = self._clock.totals_ms[-1] if self._clock.totals_ms else 0.0
        self._clock.add(t_s, before_ms + len(pcm) / BYTES_PER_MS, captured_s)
        self._add_voice(pcm, t_s)

    def _add_voice(self, pcm: bytes, t_s: float) -> None:
        """Adds what the clock holds already."""
        with self._adding:
            self._user_stretch(len(pcm) / BYTES_PER_MS / 1000).outline.push(pcm)
            self._now_s = max(self._now_s, t_s)
        self._feed.changed()

    def _user_stretch(self, chunk_s: float) -> _Stretch:
        """Returns what the clock's latest chunk belongs to, where the clock has it."""
        number, begin_s, there_s = self._clock.latest
        same = [one for one in self._stretches if one.number == number]
        for stretch in same:
            stretch.start_s = begin_s + stretch.offset_s
        if same and same[-1].outline.duration_s <= _LONGEST_CLIP_S:
            return same[-1]
        outline, begun_s = same[-1].outline.cut_off() if same else (Outline(), 0.0)
        offset_s = there_s - chunk_s - begun_s
        made = self._new_stretch("user", begin_s + offset_s)
        made.number, made.offset_s, made.outline = number, offset_s, outline
        return made

    def add_output(self, item_id: str, pcm: bytes) -> None:
        """Adds audio of the agent, as soon as it is there; :meth:`update` says when it is played.

        Args:
            item_id: The assistant item.
            pcm: PCM16 mono at 24 kHz, which follows what came of that item before.
        """
        with self._adding:
            stretch = self._by_item.get(item_id)
            if stretch is None:
                stretch = self._by_item[item_id] = self._new_stretch("agent", None)
            stretch.outline.push(pcm)
        self._feed.changed()

    def update(self, conversation: Conversation, t_s: float | None = None) -> None:
        """Shows the speech, playback, functions and errors of a conversation; cheap.

        Args:
            conversation: The live one; it may go on changing.
            t_s: The present, in seconds since the session began. Without it the present is the
                time of the last input.
        """
        self._conversation = conversation
        self._go_on(self._now_s if t_s is None else t_s)

    def clear(self) -> None:
        """Begins anew."""
        with self._adding:
            self._stretches.clear()
            self._by_item.clear()
            self._marks.clear()
            self._clock = InputClock()
            self._now_s = 0.0
            self._conversation = None
        self._start_afresh()

    def follow(self, session: LiveSession) -> None:
        """Shows a session from now on."""
        self.clear()
        self._over = False
        self._session, self._conversation = session, session.conversation
        self._clock = session.conversation.audio.clock  # the session adds to it, nobody here
        super().follow(session)

    def summary(self) -> str:
        """Returns what there is on it, in numbers."""
        if not self._stretches and not self._marks:
            return f"Timeline: {self._note or 'nothing yet'}"
        kinds = [mark["kind"] for mark in self._marks.values()]
        facts = [f"{self._now_s:.1f} s"]
        for kind, noun, plural in _COUNTED:
            facts.append(counted(kinds.count(kind), noun, plural))
        if "gap" in kinds:
            facts.append(counted(kinds.count("gap"), "lost connection"))
        return "Timeline: " + ", ".join(facts) + (f". {self._note}" if self._note else "")

    def picture(self) -> str:
        """Returns a still of a whole session, for the saved notebook."""
        return "" if self._data is None else timeline_svg(self._data)

    # --- what is on it ---

    def _new_stretch(self, lane: VoiceLane, start_s: float | None) -> _Stretch:
        stretch = _Stretch(self._next_id, lane, start_s)
        self._next_id += 1
        self._stretches.append(stretch)
        total = sum(one.outline.count for one in self._stretches)
        while total > MAX_POINTS and len(self._stretches) > 1:
            dropped = self._stretches.pop(0)
            total -= dropped.outline.count
        if len(self._by_item) > len(self._stretches):
            kept = {one.id for one in self._stretches}
            self._by_item = {key: one for key, one in self._by_item.items() if one.id in kept}
        return stretch

    def _fill(self, data: TimelineData) -> None:
        """Takes a whole session."""
        self._data, self._sound = data, Sound(data)
        for wave in self._sound.overview():
            made = self._new_stretch(wave.lane, wave.start_s)
            made.outline.points += wave.points
            made.heard_s, made.step = wave.heard_s, wave.step
        self._now_s = data.duration_s
        spoken = sorted(
            [(*span, "server") for span in data.detected]
            + [(*span, "offline_vad") for span in data.found]
        )
        for index, (start_s, end_s) in enumerate(data.padded):
            at = bisect_left(spoken, (start_s,))
            inside = at < len(spoken) and spoken[at][0] <= end_s
            onset_s, offset_s, source = spoken[at] if inside else (None, None, "server")
            found = {"onset_s": onset_s, "offset_s": offset_s, "source": source}
            self._mark("speech", index, start_s, end_s, **found)
        for index, (start_s, end_s) in enumerate(data.unreported, start=len(data.padded)):
            found = {"onset_s": start_s, "offset_s": end_s, "source": "offline_vad"}
            self._mark("speech", index, start_s, end_s, **found)
        for index, (start_s, output_s, name) in enumerate(data.calls):
            self._mark("call", index, start_s, output_s, name=name)
        for index, t_s in enumerate(data.errors):
            self._mark("error", index, t_s)
        for index, (start_s, end_s, status) in enumerate(data.responses):
            self._mark("response", index, start_s, end_s, name=status)
        for index, (t_s, text) in enumerate(data.labels):
            self._mark("label", index, t_s, name=text[:_LONGEST_TEXT])
        for number, start_s, end_s, answer_s, latency_ms in data.turns:
            facts = {"answer_s": answer_s, "latency_ms": latency_ms}
            self._mark("turn", number, start_s, end_s, name=str(number), **facts)
        self._mark_words(data.said)
        for index, (t_s, words) in enumerate(data.settings):
            self._mark("setting", index, t_s, t_s, name=words)
        for index, (start_s, end_s, words) in enumerate(data.gaps):
            self._mark("gap", index, start_s, end_s, name=words[:_LONGEST_TEXT])

    def _mark_words(self, said: Iterable[Said]) -> None:
        for index, (start_s, end_s, who, text) in enumerate(said):
            self._mark("words", index, start_s, end_s, lane=who, name=text[:_LONGEST_TEXT])

    def _place(self, conversation: Conversation) -> None:
        """Takes a session that is over and of which only the fold is left."""
        self._clock = conversation.audio.clock
        moments = [call.output_s or call.done_s for call in conversation.calls.values()]
        moments += [item.stopped_s or item.done_s for item in conversation.items.values()]
        moments += [heard.stopped_s for heard in conversation.speech]
        self._fold(conversation)
        self._now_s = max((moment for moment in moments if moment is not None), default=0.0)

    def _mark(
        self, kind: str, index: int, t_s: float | None, end_s: float | None = None, **facts: object
    ) -> None:
        if t_s is None or math.isnan(t_s):
            return
        mark: TimelineMark = {"id": f"{kind} {index}", "kind": kind, "t_s": round(t_s, 4)}
        mark["end_s"] = _known(end_s)
        mark |= {key: _known(value) for key, value in facts.items()}
        self._marks[f"{kind} {index}"] = mark

    def _fold(self, conversation: Conversation) -> None:
        """Brings marks and stretches up to what the conversation says."""
        wall = self._clock.wall
        for index, heard in _last(conversation.speech):
            end_ms, onset_ms, offset_ms = heard.audio_end_ms, heard.onset_ms, heard.offset_ms
            self._mark(
                "speech",
                index,
                self._clock.onset(heard.audio_start_ms),
                None if end_ms is None else wall(end_ms),
                onset_s=None if onset_ms is None else self._clock.onset(onset_ms),
                offset_s=None if offset_ms is None else wall(offset_ms),
            )
        for index, call in _last(list(conversation.calls.values())):
            begin_s = call.started_s if call.done_s is None else call.done_s
            self._mark("call", index, begin_s, call.output_s, name=call.name)
        for index, error in _last(conversation.refused):
            self._mark("error", index, error.t_s, name=error.message[:_LONGEST_TEXT])
        for index, change in _last(conversation.settings.all):
            self._mark("setting", index, change.t_s, change.t_s, name=change.words)
        for index, gap in _last(conversation.reconnections):
            words = gap_words(conversation, gap)[:_LONGEST_TEXT]
            self._mark("gap", index, gap.lost_s, gap.resumed_s, name=words)
        for index, response in _last(list(conversation.responses.values())):
            times_s = response.created_s, ended_s(conversation, response)
            self._mark("response", index, *times_s, name=response.status)
        self._mark_words(said(conversation, self._clock))
        for item_id, stretch in self._by_item.items():
            item = conversation.items.get(item_id)
            if item is None:  # not there yet, or deleted
                if stretch.start_s is not None and stretch.heard_s is None:
                    stretch.heard_s = max(0.0, self._now_s - stretch.start_s)
                continue
            stretch.start_s = item.played_s if item.played_s is not None else item.stopped_s
            if item.stopped_s is not None:
                stretch.heard_s = (item.played_ms or 0.0) / 1000
        while len(self._marks) > _KINDS * MAX_MARKS:
            self._marks.pop(next(iter(self._marks)))

    def event(self, event: WireEvent) -> None:
        """Implements `View`."""
        raw, pcm = event.raw, event.pcm
        if pcm is not None and raw.get("type") == "input_audio_buffer.append":
            self._add_voice(pcm, event.t_s)
        elif pcm is not None and isinstance(raw.get("item_id"), str):
            self.add_output(raw["item_id"], pcm)
        self._go_on(event.t_s)

    def playback(self, report: PlaybackReport) -> None:
        """Implements `View`."""
        self._go_on(report.t_s)

    def connection(self, report: ConnectionReport) -> None:
        """Implements `View`."""
        self._go_on(report.t_s)

    @property
    def _begin_s(self) -> float:
        """When what is shown begins: with the session, or with what was said before that."""
        return self._clock.begins_s if self._data is None else self._data.begin_s

    @property
    def _live(self) -> bool:
        """Whether more may come: neither of what was over, nor of a session that has ended."""
        return not self._over and not getattr(self._session, "closed", False)

    def _go_on(self, t_s: float) -> None:
        self._now_s = max(self._now_s, t_s)
        self._feed.changed()

    # --- what the page is told ---

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        with self._adding:
            if self._conversation is not None:
                self._read(partial(self._fold, self._conversation), None)
            if afresh:
                self._told_marks = {}
                for stretch in self._stretches:
                    stretch.posted, stretch.told = 0, None
            marks = [mark for key, mark in self._marks.items() if self._told_marks.get(key) != mark]
            self._told_marks = dict(self._marks)
            parts = [part for stretch in self._stretches if (part := _part(stretch)) is not None]
            now_s, begin_s = self._now_s, self._begin_s
            live, told_live = self._live, self._told_live
            self._told_live = live
        if not (afresh or marks or parts or live or told_live):
            return
        message: PageMessage = {
            "kind": "reset" if afresh else "more",
            "begin_s": round(begin_s, 4),
            "now_s": round(now_s, 4),
            "live": live,
            "audible": self._sound is not None,
            "clips": self._recording is not None,
            "marks": marks,
            "waves": [facts for facts, _ in parts],
        }
        if afresh:
            message["selection"] = self._selection
        yield message, [b"".join(points for _, points in parts)]

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes a message of the page; what is selected is known at once."""
        if message["kind"] == "select":
            self._selection = self._range_of(message.get("range"))
        elif message["kind"] == "stop":
            self._withdraw("audio")
        else:
            super().on_message(message, buffers)

    def _answer(self, request: PageMessage) -> Iterator[Outgoing]:
        kind, t_s = request["kind"], request.get("t_s")
        if kind == "click" and isinstance(t_s, int | float) and self._on_click:
            self._on_click(float(t_s))
        if kind == "save":
            yield {"kind": "saved", "words": self._saved()}, []
        asked = self._range_of([request.get("start_s"), request.get("end_s")])
        if self._sound is None or asked is None:
            return
        if kind == "audio":
            pcm = self._sound.block(*asked)
            yield {"kind": "audio", "run": request.get("run"), "start_s": asked[0]}, [pcm]
        points = request.get("points")
        if kind == "detail" and isinstance(points, int):
            yield _detail(self._sound, asked, min(points, MAX_DETAIL_POINTS))

    def _saved(self) -> str:
        """Saves the selected part beside the notebook; returns what came of it, in words."""
        try:
            clip = self.clip()
            span = f"{clip.start_s:.3f}-{clip.end_s:.3f} s"
            return f"Saved {clip.save(_free_path(f'{clip.recording.path.stem} {span}'))}"
        except (OSError, RealtimeError) as error:
            return f"Not saved: {error}"

    def _range_of(self, given: object) -> TimeSpan | None:
        """Returns two numbers from the page as a range within the session; None if they are
        none."""
        match given:
            case [int() | float() as first, int() | float() as last] if first < last:
                start_s, end_s = max(self._begin_s, float(first)), min(self._now_s, float(last))
                return (start_s, end_s) if start_s < end_s else None
            case _:
                return None


def _detail(sound: Sound, asked: TimeSpan, points: int) -> Outgoing:
    step, waves = sound.detail(*asked, points)
    parts = [
        {
            "lane": wave.lane,
            "start_s": wave.start_s,
            "heard_s": wave.heard_s,
            "count": wave.count,
        }
        for wave in waves
    ]
    message: PageMessage = {"kind": "detail", "start_s": asked[0], "end_s": asked[1], "step": step}
    return {**message, "waves": parts}, [b"".join(wave.points for wave in waves)]


def _free_path(name: str) -> Path:
    """Returns a path in the current folder at which there is nothing yet."""
    folder = Path.cwd()
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(path for one in names if not (path := folder / f"{one}.wav").exists())


def _part(stretch: _Stretch) -> tuple[dict[str, object], bytes] | None:
    """Returns what the page doesn't know of a stretch, which begins somewhere."""
    told = (stretch.start_s, stretch.heard_s)
    if stretch.start_s is None or (
        stretch.posted == stretch.outline.count and stretch.told == told
    ):
        return None
    points = bytes(stretch.outline.points[stretch.posted * POINT_BYTES :])
    stretch.posted, stretch.told = stretch.outline.count, told
    facts = {
        "id": stretch.id,
        "lane": stretch.lane,
        "start_s": round(stretch.start_s, 6),  # a pixel of 0.1 s is less than a tenth of a ms
        "step": stretch.step,
    }
    return {**facts, "heard_s": stretch.heard_s, "count": len(points) // POINT_BYTES}, points


def _last(values: list[_T]) -> Iterator[tuple[int, _T]]:
    """Returns the last of them, with their places."""
    first = max(0, len(values) - MAX_MARKS)
    return ((place, values[place]) for place in range(first, len(values)))


def _known(value: object) -> object:
    """Returns the value, rounded; None for NaN, which JSON has no word for."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
