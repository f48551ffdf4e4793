"""What the user of a recorded session did and when, to be done again in a new one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.protocol.audio_formats import SAMPLES_PER_MS
from realtime_nb.protocol.config import session_config
from realtime_nb.protocol.events import JsonObject

__all__ = [
    "Ask",
    "Commit",
    "Interrupt",
    "ReplayScript",
    "ReplayStep",
    "Send",
    "Settings",
    "SpokenPiece",
    "Stretch",
    "UserAction",
    "sent_by",
]

_ROUNDING_S = 1e-4  # more than a sample


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """Microphone audio, due when its last sample was recorded (PCM16, 24 kHz)."""

    due_s: float
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """A client event, sent as it is."""

    due_s: float
    event: JsonObject


@dataclass(frozen=True, slots=True)
class Ask:
    """A response is asked for.

    Attributes:
        fields: of ``response.create.response``.
        answers_turn: whether it answers a turn that was committed just before; a server that
            answers turns by itself needs no such request.
    """

    due_s: float
    fields: JsonObject
    answers_turn: bool = False


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user stops the agent.

    Attributes:
        by_speaking: it was speech that did, which turn detection sees to by itself.
    """

    due_s: float
    by_speaking: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """A turn ended after ``position_ms`` of input; ``answered``: the server answered by itself."""

    due_s: float
    position_ms: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """The session's settings changed."""

    due_s: float
    options: JsonObject


Stretch = tuple[float, float, float]
ReplayStep = SpokenPiece | Send | Ask | Interrupt
UserAction = Send | Ask | Interrupt | Commit | Settings


@dataclass(slots=True)
class ReplayScript:
    """A recorded session from its user's side.

    Attributes:
        options: the session's settings when the user first did something, as keywords of
            ``rt.connect``.
        tools: the function definitions in force then.
        hands_free: whether turn detection was on then.
        samples: what was said, on the input-sample clock.
        stretches: when it was: (t_s, start_ms, end_ms) of audio without a pause.
        actions: what was done besides, in order.
        notes: what could not be taken over.
    """

    options: JsonObject
    tools: list[JsonObject]
    hands_free: bool
    samples: Samples = field(repr=False)
    stretches: list[Stretch]
    actions: list[UserAction]
    notes: list[str] = field(default_factory=list)

    @property
    def begins_s(self) -> float:
        """When the first audio was there to be sent, or the first thing was done."""
        return min(
            [t_s for t_s, _, _ in self.stretches] + [action.due_s for action in self.actions],
            default=0.0,
        )

    def steps(
        self, detection: Mapping[str, Any] | None, chunk_ms: float, overridden: Sequence[str] = ()
    ) -> Iterator[ReplayStep]:
        """Yields what to do, in the order of doing it; audio is cut as it is asked for.

        With turn detection, no turn is committed and none of their answers is asked for. Without,
        every turn that was committed in the recording, by whomever, is committed after the same
        audio, and answered.

        Args:
            detection: turn detection of the new session.
            chunk_ms: length of a piece of audio.
            overridden: settings that later changes must leave alone.
        """
        hands_free = detection is not None
        ends_ms: set[float] = set()
        done: list[tuple[float, int, ReplayStep]] = []
        by_hand, latest_s = not hands_free, 0.0
        for number, action in enumerate(self._whole_actions(by_hand), start=1):
            if isinstance(action, Commit) and by_hand:
                ends_ms.add(action.position_ms)
            if isinstance(action, Settings):
                changed = {} if "turn_detection" in overridden else action.options
                by_hand = changed.get("turn_detection", None if by_hand else {}) is None
            for step in _as_steps(action, by_hand, overridden):
                latest_s = max(latest_s, step.due_s)  # never before what came before it
                done.append((latest_s, number, step))
        # Who turns detection on for a push-to-talk recording needs the silence after the words.
        pieces = self._pieces(chunk_ms, ends_ms, fill=hands_free and not self.hands_free)
        said = ((piece.due_s, 0, piece) for piece in pieces)
        for due_s, _, step in heapq.merge(said, done, key=lambda entry: entry[:2]):
            # The time by which they were put in order, which may be later than a step's own.
            yield replace(step, due_s=due_s)

    def _whole_actions(self, by_hand: bool) -> Iterator[UserAction]:
        committed = False
        for action in self.actions:
            if isinstance(action, Commit):
                committed = True
                sent_s = sent_by(self.stretches, action.position_ms) + _ROUNDING_S
                yield replace(action, due_s=max(action.due_s, sent_s))
            else:
                yield action
        if by_hand and not committed and self.stretches:
            _, _, end_ms = self.stretches[-1]
            yield Commit(sent_by(self.stretches, end_ms) + _ROUNDING_S, end_ms, answered=True)

    def _pieces(self, chunk_ms: float, ends_ms: set[float], *, fill: bool) -> Iterator[SpokenPiece]:
        end_s: float | None = None
        for t_s, start_ms, end_ms in self.stretches:
            if fill and end_s is not None and t_s > end_s:
                pause: Samples = np.zeros(round((t_s - end_s) * SAMPLE_RATE), np.float32)
                yield from _cut(pause, end_s, chunk_ms)
            inner = sorted(ms for ms in ends_ms if start_ms < ms < end_ms)
            for begin_ms, stop_ms in zip([start_ms, *inner], [*inner, end_ms], strict=True):
                begin, stop = (round(ms * SAMPLES_PER_MS) for ms in (begin_ms, stop_ms))
                samples = self.samples[begin:stop]
                missing = stop - begin - len(samples)  # of a recording whose process was killed
                if missing:
                    samples = np.pad(samples, (0, missing))
                yield from _cut(samples, t_s + (begin_ms - start_ms) / 1000, chunk_ms)
            end_s = t_s + (end_ms - start_ms) / 1000


def sent_by(stretches: Sequence[Stretch], position_ms: float) -> float:
    """Returns when all audio up to a position of the input was there to be sent."""
    for t_s, start_ms, end_ms in stretches:
        if start_ms < position_ms <= end_ms:
            return t_s + (position_ms - start_ms) / 1000
    return 0.0


def _cut(samples: Samples, begin_s: float, chunk_ms: float) -> Iterator[SpokenPiece]:
    size = max(1, round(chunk_ms * SAMPLES_PER_MS))
    for begin in range(0, len(samples), size):
        piece = samples[begin : begin + size]
        yield SpokenPiece(begin_s + (begin + len(piece)) / SAMPLE_RATE, pcm_from_samples(piece))


def _as_steps(action: UserAction, by_hand: bool, overridden: Sequence[str]) -> Iterator[ReplayStep]:
    match action:
        case Commit(due_s, _, answered) if by_hand:
            yield Send(due_s, {"type": "input_audio_buffer.commit"})
            if answered:
                yield Ask(due_s, {}, answers_turn=True)
        case Settings(due_s, options):
            left = {name: options[name] for name in options if name not in overridden}
            if left:
                yield Send(due_s, {"type": "session.update", "session": session_config(**left)})
        case Ask() if by_hand or not action.answers_turn:
            yield action
        case Interrupt() if by_hand or not action.by_speaking:
            yield action
        case Send():
            yield action
        case _:
            pass
