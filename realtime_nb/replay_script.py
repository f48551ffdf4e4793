"""What the user of a recorded session did and when, to be done again in a new one."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from realtime_nb.audio import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.config import session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.recording import Recording
from realtime_nb.recording_files import typed
from realtime_nb.served_recording import StoredAudio

__all__ = ["Ask", "Audio", "Interrupt", "Script", "Send", "Step", "read_script", "session_options"]

_SAMPLES_PER_MS = SAMPLE_RATE // 1000
_ROUNDING_S = 1e-4  # more than a sample
_SPEECH_INTERRUPTS_S = 1.0
_EMPTY_COMMIT = "input_audio_buffer_commit_empty"


@dataclass(frozen=True, slots=True)
class Audio:
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
class _Commit:
    """A turn ended after ``position_ms`` of input; ``answered``: the server answered by itself."""

    due_s: float
    position_ms: float
    answered: bool


@dataclass(frozen=True, slots=True)
class _Settings:
    """The session's settings changed."""

    due_s: float
    options: JsonObject


Step = Audio | Send | Ask | Interrupt
_Action = Send | Ask | Interrupt | _Commit | _Settings


@dataclass(slots=True)
class Script:
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
    stretches: list[tuple[float, float, float]]
    actions: list[_Action]
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
    ) -> list[Step]:
        """What to do, in the order of doing it.

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
        done: list[tuple[float, int, Step]] = []
        by_hand, latest_s = not hands_free, 0.0
        for number, action in enumerate(self._whole_actions(by_hand), start=1):
            if isinstance(action, _Commit) and by_hand:
                ends_ms.add(action.position_ms)
            if isinstance(action, _Settings):
                changed = {} if "turn_detection" in overridden else action.options
                by_hand = changed.get("turn_detection", None if by_hand else {}) is None
            for step in _as_steps(action, by_hand, overridden):
                latest_s = max(latest_s, step.due_s)  # never before what came before it
                done.append((latest_s, number, step))
        # Who turns detection on for a push-to-talk recording needs the silence after the words.
        pieces = self._pieces(chunk_ms, ends_ms, fill=hands_free and not self.hands_free)
        said: list[tuple[float, int, Step]] = [(piece.due_s, 0, piece) for piece in pieces]
        # With the time by which they were put in order, which may be later than a step's own.
        return [
            replace(step, due_s=due_s)
            for due_s, _, step in sorted(said + done, key=lambda entry: entry[:2])
        ]

    def _whole_actions(self, by_hand: bool) -> Iterator[_Action]:
        committed = False
        for action in self.actions:
            if isinstance(action, _Commit):
                committed = True
                yield replace(action, due_s=max(action.due_s, self._sent_s(action.position_ms)))
            else:
                yield action
        if by_hand and not committed and self.stretches:
            _, _, end_ms = self.stretches[-1]
            yield _Commit(self._sent_s(end_ms), end_ms, answered=True)

    def _sent_s(self, position_ms: float) -> float:
        """When all audio up to there will have been sent."""
        for t_s, start_ms, end_ms in self.stretches:
            if start_ms < position_ms <= end_ms:
                return t_s + (position_ms - start_ms) / 1000 + _ROUNDING_S
        return 0.0

    def _pieces(self, chunk_ms: float, ends_ms: set[float], *, fill: bool) -> Iterator[Audio]:
        end_s: float | None = None
        for t_s, start_ms, end_ms in self.stretches:
            if fill and end_s is not None and t_s > end_s:
                pause: Samples = np.zeros(round((t_s - end_s) * SAMPLE_RATE), np.float32)
                yield from _cut(pause, end_s, chunk_ms)
            inner = sorted(ms for ms in ends_ms if start_ms < ms < end_ms)
            for begin_ms, stop_ms in zip([start_ms, *inner], [*inner, end_ms], strict=True):
                begin, stop = (round(ms * _SAMPLES_PER_MS) for ms in (begin_ms, stop_ms))
                samples = self.samples[begin:stop]
                missing = stop - begin - len(samples)  # of a recording whose process was killed
                yield from _cut(
                    np.pad(samples, (0, missing)), t_s + (begin_ms - start_ms) / 1000, chunk_ms
                )
            end_s = t_s + (end_ms - start_ms) / 1000


def _cut(samples: Samples, begin_s: float, chunk_ms: float) -> Iterator[Audio]:
    size = max(1, round(chunk_ms * _SAMPLES_PER_MS))
    for begin in range(0, len(samples), size):
        piece = samples[begin : begin + size]
        yield Audio(begin_s + (begin + len(piece)) / SAMPLE_RATE, pcm_from_samples(piece))


def _as_steps(action: _Action, by_hand: bool, overridden: Sequence[str]) -> Iterator[Step]:
    match action:
        case _Commit(due_s, _, answered) if by_hand:
            yield Send(due_s, {"type": "input_audio_buffer.commit"})
            if answered:
                yield Ask(due_s, {}, answers_turn=True)
        case _Settings(due_s, options):
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


# --- reading ---


def read_script(recording: Recording) -> Script:
    """What its user did in a recording.

    Raises:
        ConfigurationError: nothing that could be done again.
    """
    reader = _Reader(recording)
    if not recording.input_clock.times_s and len(recording.input):
        whole_ms = len(recording.input) / _SAMPLES_PER_MS  # bare audio
        return Script({}, [], True, recording.input, [(0.0, 0.0, whole_ms)], [])
    reader.read()
    options = session_options(reader.first_session)
    script = Script(
        options=options,
        tools=[
            tool
            for tool in reader.first_session.get("tools") or []
            if isinstance(tool, dict) and tool.get("type") == "function"
        ],
        hands_free=not reader.first_session or _detection(reader.first_session) is not None,
        samples=recording.input,
        stretches=recording.input_clock.stretches(),
        actions=reader.actions,
        notes=[
            f"The recorded {name} is of a kind that can't be asked for, and was left out."
            for name in sorted(_settings(reader.first_session).keys() - options.keys())
        ],
    )
    if reader.first_session.get("type") == "transcription":
        raise ConfigurationError(
            f"{recording.path} is of a transcription session; only conversations are replayed. "
            "Its audio alone can be: rt.replay(rt.load(path / 'input.wav'))."
        )
    if not script.stretches and not any(isinstance(a, Send | Ask) for a in script.actions):
        raise ConfigurationError(
            f"There is nothing to replay in {recording.path}: its user neither spoke nor wrote."
        )
    return script


class _Reader:
    """Goes through a recording's events and notes what the user did."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._audio = StoredAudio(recording)
        self._session: JsonObject = {}
        self._begun = False
        self._appends = 0
        self._heard_s: float | None = None  # when the server last heard speech begin
        self._own_commits = 0  # sent and not yet confirmed
        self._after_tools = False  # outputs were posted, which the session does by itself
        self._turn_open = False  # a turn was committed that the server does not answer by itself
        self._calls: set[str] = set()  # that the client itself put into the conversation
        self._refused: set[str] = set()
        self.first_session: JsonObject = {}
        self.actions: list[_Action] = []

    def read(self) -> None:
        """Reads it all."""
        dialect = self._recording.header.get("dialect")
        for line in self._recording.raw_events():
            for event in typed(line, dialect):
                if isinstance(event, ev.ErrorEvent) and event.caused_by:
                    self._refused.add(event.caused_by)
        for line in self._recording.raw_events():
            for event in typed(line, dialect):
                if line.direction == "received":
                    self._received(event, line.t_s)
                elif event.event_id is None or event.event_id not in self._refused:
                    self._sent(event, line.t_s)
        if not self._begun:
            self.first_session = self._session

    def _begin(self) -> None:
        if not self._begun:
            self._begun, self.first_session = True, self._session

    def _do(self, action: _Action) -> None:
        self._begin()
        self.actions.append(action)

    @property
    def _position_ms(self) -> float:
        totals_ms = self._recording.input_clock.totals_ms
        return totals_ms[self._appends - 1] if self._appends else 0.0

    @property
    def _answered(self) -> bool:
        """Whether the recorded server answered turns by itself."""
        detection = _detection(self._session)
        return detection is not None and detection.get("create_response") is not False

    def _received(self, event: object, t_s: float) -> None:
        match event:
            case ev.SessionCreated() | ev.SessionUpdated():
                before, self._session = self._session, event.session
                changed = _changed(session_options(before), session_options(event.session))
                if self._begun and changed:
                    self._do(_Settings(t_s, changed))
            case ev.SpeechStarted():
                self._heard_s = t_s
            case ev.AudioBufferCommitted() if self._own_commits:
                self._own_commits -= 1
            case ev.AudioBufferCommitted():
                self._commit(t_s)
            case ev.ErrorEvent() if event.code == _EMPTY_COMMIT and event.caused_by is None:
                self._own_commits = max(0, self._own_commits - 1)
            case _:
                pass

    def _commit(self, t_s: float) -> None:
        answered = self._answered
        self._do(_Commit(t_s, self._position_ms, answered))
        self._turn_open, self._after_tools = not answered, False

    def _sent(self, event: object, t_s: float) -> None:
        match event:
            case ev.AudioBufferAppend():
                self._begin()
                self._appends += 1
            case ev.AudioBufferCommit():
                self._own_commits += 1
                self._commit(t_s)
            case ev.AudioBufferClear():
                self._do(Send(t_s, {"type": event.type}))
            case ev.ItemCreate():
                self._item(event, t_s)
            case ev.ResponseCreate():
                if not self._after_tools:
                    self._do(Ask(t_s, event.response or {}, answers_turn=self._turn_open))
                self._after_tools = self._turn_open = False
            case ev.ResponseCancel():
                self._do(Interrupt(t_s, by_speaking=False))
            case ev.ItemTruncate():
                quiet_s = math.inf if self._heard_s is None else t_s - self._heard_s
                by_speaking = quiet_s < _SPEECH_INTERRUPTS_S or _detection(self._session) is None
                self._do(Interrupt(t_s, by_speaking))
            case _:
                pass

    def _item(self, event: ev.ItemCreate, t_s: float) -> None:
        item = event.item
        call_id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            self._calls.add(call_id)
        elif item.get("type") == "function_call_output" and call_id not in self._calls:
            self._after_tools = True
            return
        else:
            self._after_tools = self._turn_open = False
        again = self._audio({"type": event.type, "item": copy.deepcopy(item)})
        if event.previous_item_id == "root":
            again["previous_item_id"] = "root"
        self._do(Send(t_s, again))


def _changed(before: JsonObject, after: JsonObject) -> JsonObject:
    return {name: after[name] for name in after if after[name] != before.get(name)}


def _side(session: JsonObject, side: str) -> JsonObject:
    audio = session.get("audio")
    values = audio.get(side) if isinstance(audio, dict) else None
    return values if isinstance(values, dict) else {}


def _detection(session: JsonObject) -> JsonObject | None:
    detection = _side(session, "input").get("turn_detection")
    return detection if isinstance(detection, dict) else None


_FIELDS = (
    *("instructions", "output_modalities", "tool_choice", "parallel_tool_calls", "reasoning"),
    *("max_output_tokens", "truncation"),
)
_MAY_BE_OFF = ("turn_detection", "transcription", "noise_reduction")


def session_options(session: JsonObject) -> JsonObject:
    """An effective session as keywords of ``rt.connect`` and ``Session.update``.

    Settings that are off stay away, but for those whose being off is a setting; so does what a
    server says in a form that the protocol doesn't know.
    """
    found = _settings(session)
    return {name: value for name, value in found.items() if _possible(name, value)}


def _settings(session: JsonObject) -> JsonObject:
    audio_input, audio_output = _side(session, "input"), _side(session, "output")
    found = {name: session.get(name) for name in _FIELDS}
    found |= {"voice": audio_output.get("voice"), "speed": audio_output.get("speed")}
    found |= {"input_format": audio_input.get("format")}
    found |= {"output_format": audio_output.get("format")}
    there = {name: value for name, value in found.items() if value is not None}
    return there | {name: audio_input[name] for name in _MAY_BE_OFF if name in audio_input}


def _possible(name: str, value: Any) -> bool:
    try:
        session_config(**{name: value})
    except ConfigurationError:
        return False
    return True
