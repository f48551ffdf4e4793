"""What can't be: marks of events that a log lost, and what can't be known for that.

A log that begins late, or that lost some of its lines, still reads as a session; only that a server
can't have heard what was never sent, nor end what it never began, shows that something is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from realtime_nb.archive.fold import Gap
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.dialect import ga_name
from realtime_nb.protocol.records import Speech
from realtime_nb.protocol.words import counted

__all__ = ["Checked", "check"]

_STARTED, _STOPPED, _COMMITTED = (
    f"input_audio_buffer.{step}" for step in ("speech_started", "speech_stopped", "committed")
)
_APPEND, _COMMIT = "input_audio_buffer.append", "input_audio_buffer.commit"
_CREATE, _ADDED = "conversation.item.create", "conversation.item.added"
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
_CREATED, _DONE = "response.created", "response.done"
_ITEM_ADDED, _ITEM_DONE = "response.output_item.added", "response.output_item.done"
_AUDIO_DONE = "response.output_audio.done"
_DELTAS = (
    *("response.output_audio.delta", "response.output_audio_transcript.delta"),
    *(_AUDIO_DONE, "response.output_audio_transcript.done", "response.output_text.delta"),
)
_OF_A_SESSION = ("session.", "conversation.", "response.", "input_audio_buffer.")

_UNEVEN_MS = 40.0
"""By so much may an append be logged after the server's answer to it."""
_PAUSE_MS = 500.0
"""The next report of the server tells of a longer gap in the audio whether it was a pause: nothing
is under way for longer."""
_STEADY_S = 1.0
_EARLY = "its end was reported before the silence window was over"


@dataclass(slots=True)
class Checked:
    """What a log can't have as it is.

    Attributes:
        ids: responses and items of which events are lost, and why their times are unknown.
        speech: stretches of speech, by their number, that can't be placed in the audio, and why.
        problems: all of it, in sentences.
    """

    ids: dict[str, str] = field(default_factory=dict)
    speech: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check(
    events: Sequence[RecordedEvent], conversation: Conversation, unknown: Mapping[Gap, str]
) -> Checked:
    """Checks a log whose events were folded.

    Args:
        events: in their order, audio replaced by where it is.
        conversation: what they add up to.
        unknown: what the log does not tell throughout.
    """
    found = Checked()
    steps = [_Step(ga_name(str(line.event["type"])), line) for line in events]
    _check_chains(found, steps)
    _check_settings(found, steps)
    if "input" not in unknown:
        connections = list(_connections(steps))
        _check_beginning(found, steps, connections)
        for connection in connections:
            _check_positions(found, connection)
            if "times" not in unknown:
                _check_pace(found, connection)
        _check_waits(found, conversation)
        if sum(len(one.speech) for one in connections) != len(conversation.speech):
            reason = "some reports of speech can't be understood"
            found.speech |= dict.fromkeys(range(len(conversation.speech)), reason)
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    """An event under the name that GA gives it."""

    name: str
    line: RecordedEvent

    @property
    def received(self) -> bool:
        return self.line.direction == "received"

    @property
    def item_id(self) -> str | None:
        item = self.line.event.get("item")
        return _text(self.line.event.get("item_id")) or _text(_field(item, "id"))

    @property
    def response_id(self) -> str | None:
        response = self.line.event.get("response")
        return _text(self.line.event.get("response_id")) or _text(_field(response, "id"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _field(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, dict) else None


# --- chains of events -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Chains:
    """The names of the events that each response and each item has.

    Attributes:
        seen: by id.
        own: the items of each response.
        asked: messages that the client committed by itself.
        spoken: messages that hold audio of the user.
        completed: responses that came to their end.
        unplaced: responses of which it is not known what they answer: the message before them is
            lost.
    """

    seen: dict[str, set[str]] = field(default_factory=dict)
    own: dict[str, set[str]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)
    unplaced: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    _commits: int = 0
    _typed: int = 0

    def take(self, step: _Step) -> None:
        """Takes the next event."""
        if not step.received:
            self._commits += step.name == _COMMIT
            self._typed += step.name == _CREATE and _is_users(step.line.event.get("item"))
            return
        self._take_user(step)
        if step.name == _CREATED and self._typed and step.response_id:
            self.unplaced.add(step.response_id)
        if step.response_id and _field(step.line.event.get("response"), "status") == "completed":
            self.completed.add(step.response_id)
        for one in (step.item_id, step.response_id):
            if one is not None:
                self.seen.setdefault(one, set()).add(step.name)
        if step.item_id and step.response_id:
            self.own.setdefault(step.response_id, set()).add(step.item_id)

    def _take_user(self, step: _Step) -> None:
        item, item_id = step.line.event.get("item"), step.item_id
        if step.name == _COMMITTED and item_id:
            self._typed = 0
            if self._commits:
                self._commits -= 1
                self.asked.add(item_id)
        elif step.name == "error":
            self._typed = max(0, self._typed - 1)
        elif step.name == _ADDED and _is_users(item):
            self._typed = max(0, self._typed - 1)
            if item_id and _is_spoken(item):
                self.spoken.add(item_id)

    def lost(self) -> Iterator[tuple[str, str]]:
        """Yields the ids of which a step is lost that others of the same log have, and which."""
        names = set().union(*self.seen.values()) if self.seen else set()
        for one, has in self.seen.items():
            step = self._lost_of_response(one, has, names) or self._lost_of_item(one, has, names)
            if step is not None:
                yield one, step
        if _ADDED in names:
            yield from ((one, "the message that it answers") for one in self.unplaced)

    def _lost_of_response(self, one: str, has: set[str], names: set[str]) -> str | None:
        if _DONE in has and _CREATED in names and _CREATED not in has:
            return _CREATED
        if _CREATED in has and _DONE not in has:
            items = [self.seen.get(item_id, set()) for item_id in self.own.get(one, ())]
            whole = items and all(item & {_ITEM_DONE, _AUDIO_DONE} for item in items)
            if _DONE in names or not whole:
                return _DONE
        return None

    def _lost_of_item(self, one: str, has: set[str], names: set[str]) -> str | None:
        if _ITEM_DONE in has and _ITEM_ADDED in names and _ITEM_ADDED not in has:
            return _ITEM_ADDED
        whole = any(response in self.completed for response in self._responses_of(one))
        if _ITEM_ADDED in has and _ITEM_DONE in names and _ITEM_DONE not in has and whole:
            return _ITEM_DONE
        if _STOPPED in has and _STARTED not in has:
            return _STARTED
        heard = _STARTED in names and one not in self.asked and _COMMITTED in has
        if heard and _STARTED not in has:
            return _STARTED
        if heard and _STOPPED in names and _STOPPED not in has:
            return _STOPPED
        if one in self.spoken and _COMMITTED in names and _COMMITTED not in has:
            return _COMMITTED
        return None

    def _responses_of(self, item_id: str) -> Iterator[str]:
        return (response for response, items in self.own.items() if item_id in items)

    def begun_before(self) -> Iterator[tuple[str, str]]:
        """Yields, of a log that begins late, what was under way when it began."""
        first = "what came before the log began"
        for marks, start in (
            ({_ITEM_ADDED, _ITEM_DONE, _DONE, *_DELTAS}, _CREATED),
            ({_COMMITTED, _STOPPED}, _STARTED),
        ):
            known = ((one, has) for one, has in self.seen.items() if has & {*marks, start})
            one, has = next(known, ("", {start}))
            if start not in has:
                yield one, first

    def undone(self) -> int:
        """Returns how many responses were not done."""
        return sum(_CREATED in has and _DONE not in has for has in self.seen.values())

    def unended(self) -> int:
        """Returns how many stretches of speech have no end."""
        return sum(
            _STARTED in has and not has & {_STOPPED, _COMMITTED} for has in self.seen.values()
        )

    def untranscribed(self) -> int:
        """Returns how many messages have no transcript, where others have one."""
        names = set().union(*self.seen.values()) if self.seen else set()
        if _TRANSCRIBED not in names:
            return 0
        ends = {_TRANSCRIBED, _TRANSCRIBED.replace("completed", "failed")}
        return sum(_COMMITTED in has and not has & ends for has in self.seen.values())


def _check_chains(found: Checked, steps: Sequence[_Step]) -> None:
    """Finds responses and items that lack a step which others of the same log have."""
    chains = _Chains()
    for step in steps:
        chains.take(step)
    late = _begins_late(steps)
    if late:
        found.problems.append(
            "The log does not begin with session.created: what was sent and said before is not "
            "known, and so not where in the audio anything lies."
        )
    for one, step_name in (*chains.lost(), *(chains.begun_before() if late else ())):
        found.ids[one] = f"the log does not hold {step_name}"
        found.ids |= dict.fromkeys(chains.own.get(one, ()), found.ids[one])
    if found.ids:
        some = ", ".join(sorted(found.ids)[:5]) + (" and more" if len(found.ids) > 5 else "")
        found.problems.append(
            f"The log does not hold all events of {some}: what is measured of them is not known."
        )
    for count, what, noun in (
        (chains.undone(), "the response.done of {}", "response"),
        (chains.unended(), "the end of {} of speech", "stretch"),
        (chains.untranscribed(), "the transcript of {}", "message"),
    ):
        if count:
            some = counted(count, noun, "stretches" if noun == "stretch" else None)
            found.problems.append(f"The log does not hold {what.format(some)}.")


def _begins_late(steps: Sequence[_Step]) -> bool:
    """Tells whether the first that a log holds of a session is not what a server says first."""
    first = next((s.name for s in steps if s.received and s.name.startswith(_OF_A_SESSION)), None)
    return first is not None and not first.startswith(("session.created", "conversation.created"))


def _is_users(item: object) -> bool:
    return _field(item, "role") == "user"


def _is_spoken(item: object) -> bool:
    content = _field(item, "content")
    parts = content if isinstance(content, list) else ()
    return any(_field(part, "type") == "input_audio" for part in parts)


def _check_settings(found: Checked, steps: Sequence[_Step]) -> None:
    """Finds speech under settings that were asked for and never confirmed."""
    waiting, number, doubted = 0, -1, False
    for step in steps:
        if step.name == "session.update" and not step.received:
            waiting += _sets_listening(step.line.event.get("session"))
        elif step.received and step.name in ("session.updated", "error"):
            waiting = max(0, waiting - 1)
        elif step.received and step.name == _STARTED:
            number += 1
            if waiting:
                doubted = True
                found.speech[number] = "the log does not tell which settings were in force"
    if doubted:
        found.problems.append(
            "A session.update has no session.updated: by which settings the speech after it was "
            "heard is not known."
        )


def _sets_listening(session: object) -> bool:
    return isinstance(session, dict) and bool(
        session.keys() & {"audio", "turn_detection", "input_audio_format"}
    )


# --- audio ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Connection:
    """One connection's audio and what its server says of it.

    Attributes:
        appends: (when, all audio up to and with it in ms, its own length in ms); NaN where it is
            not known when.
        reports: (all audio before it, position that the server tells, number of the speech).
        speech: the numbers of its speech.
    """

    appends: list[tuple[float, float, float]] = field(default_factory=list)
    reports: list[tuple[float, float, int]] = field(default_factory=list)
    speech: list[int] = field(default_factory=list)


def _connections(steps: Sequence[_Step]) -> Iterator[_Connection]:
    current, total_ms, number = _Connection(), 0.0, -1
    begun = False
    for step in steps:
        event = step.line.event
        if step.name == "session.created" and step.received:
            if begun:
                yield current
                current, total_ms = _Connection(), 0.0
            begun = True
        elif step.name == _APPEND:
            length_ms = _samples(event.get("audio")) / 24
            total_ms += length_ms
            current.appends.append((step.line.t_s, total_ms, length_ms))
        elif step.received and step.name in (_STARTED, _STOPPED):
            position = event.get("audio_start_ms" if step.name == _STARTED else "audio_end_ms")
            if not isinstance(position, int | float):
                continue
            if step.name == _STARTED:
                number += 1
                current.speech.append(number)
            current.reports.append((total_ms, float(position), number))
    yield current


def _samples(reference: object) -> int:
    samples = _field(reference, "samples")
    return samples if isinstance(samples, int) else 0


def _check_beginning(
    found: Checked, steps: Sequence[_Step], connections: Sequence[_Connection]
) -> None:
    if _begins_late(steps):
        reason = "the log begins after its session did"
        found.speech |= dict.fromkeys(connections[0].speech, reason)


def _check_positions(found: Checked, connection: _Connection) -> None:
    """Finds reports of audio that was not sent yet, as far as the log has it."""
    beyond_ms = [
        position - sent_ms for sent_ms, position, _ in connection.reports if connection.appends
    ]
    worst_ms = max(beyond_ms, default=0.0)
    if worst_ms <= _UNEVEN_MS:
        return
    reason = "the log lost some of the audio that was sent"
    found.speech |= dict.fromkeys(connection.speech, reason)
    found.problems.append(
        f"The server reports speech {worst_ms:.0f} ms beyond the audio that was sent by then: the "
        "log lost some of it, and where in the rest anything lies is not known."
    )


def _check_pace(found: Checked, connection: _Connection) -> None:
    """Finds where audio that came steadily left out a little: lost, or never sent."""
    appends = [one for one in connection.appends if not math.isnan(one[0]) and one[2] > 0]
    if len(appends) < 3:
        return
    usual_ms = median(length_ms for _, _, length_ms in appends)
    least_ms = max(0.6 * usual_ms, 10.0)
    for index, ((before_s, _, _), (t_s, total_ms, length_ms)) in enumerate(pairwise(appends), 1):
        if (t_s - before_s) * 1000 - length_ms < least_ms:
            continue
        gap_ms = _lag_ms(appends[index:]) - _lag_ms(appends[:index][::-1])
        if least_ms < gap_ms <= _PAUSE_MS:
            sent_ms = total_ms - length_ms
            later = {number for sent, _, number in connection.reports if sent > sent_ms}
            if later:
                reason = "the log may have lost some of the audio that was sent"
                found.speech |= dict.fromkeys(later, reason)
                found.problems.append(
                    f"After {sent_ms / 1000:.2f} s of audio {gap_ms:.0f} ms are missing, not sent "
                    "or lost: where in the audio anything after it lies is not known."
                )
            return


def _lag_ms(appends: Sequence[tuple[float, float, float]]) -> float:
    """Returns by how much audio lags behind the clock, from the first of some appends on."""
    near = [one for one in appends[:200] if abs(one[0] - appends[0][0]) <= _STEADY_S]
    return min(t_s * 1000 - total_ms for t_s, total_ms, _ in near)


def _check_waits(found: Checked, conversation: Conversation) -> None:
    """Finds speech whose end was reported before the silence window can have been over."""
    early = 0
    for number, speech in enumerate(conversation.speech):
        if _ends_early(speech, conversation):
            early += 1
            found.speech[number] = found.ids[speech.item_id] = _EARLY
    if early:
        found.problems.append(
            f"The end of speech was reported before its silence window was over, "
            f"{counted(early, 'time')}: the log's times, or its audio, are not whole."
        )


def _ends_early(speech: Speech, conversation: Conversation) -> bool:
    clock, offset_ms = conversation.audio.clock, speech.offset_ms
    if offset_ms is None or speech.audio_end_ms is None or speech.stopped_s is None:
        return False
    if not clock.real_time(speech.audio_start_ms, offset_ms):
        return False
    waited_ms = (speech.stopped_s - clock.wall(offset_ms)) * 1000
    return waited_ms < speech.audio_end_ms - offset_ms - _UNEVEN_MS
