"""What a server hears: turns, commits, the idle timeout, and the user items that come of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from realtime_nb.protocol.audio_formats import format_of
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import InputBuffer, SpeechDetector
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.semantic_turns import TurnQuestion
from realtime_nb.protocol.transcripts import Transcripts
from realtime_nb.protocol.turn_detection import EAGERNESS
from realtime_nb.protocol.turns import SpeechStart, SpeechStop

__all__ = ["JudgeTurn", "Listening"]

MAX_HELD_MS = 15 * 60_000
"""Audio that a client may append without ever committing it."""

MIN_COMMIT_MS = 100
"""The shortest audio that can be committed."""

_LISTEN_AHEAD_MS = 96
"""Silence after which a turn is transcribed ahead of its end, for a sooner answer."""


@dataclass(frozen=True, slots=True)
class JudgeTurn:
    """Ask the turn model whether the turn is over; answer with ``receive_completeness``."""

    question: TurnQuestion
    audio: bytes
    audio_format: JsonObject


class Listening:
    """The input side of one connection.

    Time is audio time, so what happens does not depend on how the audio is cut into appends.

    Args:
        audio_input: the session's ``audio.input``.
        items: where user items go.
        transcripts: asked for the text of every item.
        new_id: makes ids: ``new_id("item")``.
        detector_for: makes a speech detector for an audio format.
        emit: takes the events for the client.
        speech_began: called after ``speech_started`` was emitted.
        turn_ended: called after a turn became an item.
        judge_turn: takes the questions for the turn model; None: there is no such model.
    """

    def __init__(
        self,
        audio_input: JsonObject,
        *,
        items: ItemStore,
        transcripts: Transcripts,
        new_id: Callable[[str], str],
        detector_for: Callable[[JsonObject], SpeechDetector],
        emit: Callable[[JsonObject], None],
        speech_began: Callable[[], None],
        turn_ended: Callable[[], None],
        judge_turn: Callable[[JudgeTurn], None] | None = None,
    ) -> None:
        self._items = items
        self._transcripts = transcripts
        self._new_id = new_id
        self._detector_for = detector_for
        self._emit = emit
        self._speech_began = speech_began
        self._turn_ended = turn_ended
        self._judge_turn = judge_turn
        self._format: JsonObject = audio_input["format"]
        self._detection: JsonObject | None = audio_input["turn_detection"]
        self._buffer = self._new_buffer()
        self._buffer.configure(self._detection)
        self._turn_start_ms = 0
        self._idle_from_ms: int | None = None

    def _new_buffer(self, base_ms: int = 0) -> InputBuffer:
        has_model = self._judge_turn is not None
        return InputBuffer(self._format, self._detector_for, base_ms, turn_model=has_model)

    @property
    def now_ms(self) -> int:
        """Audio appended so far, in whole ms."""
        return self._buffer.now_ms

    @property
    def held_bytes(self) -> int:
        """Audio that was not committed."""
        return self._buffer.held_bytes

    def configure(self, audio_input: JsonObject) -> None:
        """Takes the changed ``audio.input`` of the session; an open turn goes on if it can."""
        self._settle()
        if audio_input["format"] != self._format:
            # Positions go on; audio in the old format that nobody committed can't be mixed in.
            self._drop_turn()
            self._format = audio_input["format"]
            self._buffer = self._new_buffer(self.now_ms)
        before, self._detection = self._detection, audio_input["turn_detection"]
        if self._detection is None:
            self._drop_turn()
        if _idle_timeout(self._detection) != _idle_timeout(before):
            self.restart_idle()
        self._buffer.configure(self._detection)

    # --- what the client asks for ---

    def append(self, audio: bytes) -> None:
        """Adds audio and does whatever becomes due in it."""
        if self._buffer.held_ms > MAX_HELD_MS:
            message = (
                f"The input audio buffer holds {MAX_HELD_MS // 60_000} minutes of audio that was "
                "never committed. Commit or clear it; this append was not added."
            )
            raise Refused(Problem("input_audio_buffer_full", message))
        self._hear(self._buffer.append(audio))

    def _hear(self, turn_events: Iterable[SpeechStart | SpeechStop | None]) -> None:
        for turn_event in turn_events:
            match turn_event:
                case SpeechStart():
                    self._speech_started(turn_event)
                case SpeechStop():
                    self._speech_stopped(turn_event)
                case None:
                    self._watch_frame()
            self._ask_at_pause()
            self._decide_at_pause()

    def commit(self) -> None:
        """Makes an item of the open turn, or of everything held where there is none."""
        self._settle()
        turn_ms = self._buffer.turn_ms
        if turn_ms < MIN_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {turn_ms:.2f}ms of audio."
            )
            raise Refused(Problem("input_audio_buffer_commit_empty", message))
        item_id = self._items.announced or self._new_id("item")
        self._transcripts.void_ahead()
        self.pause_idle()
        self._add_item(item_id, self._buffer.take_all())

    def clear(self) -> None:
        """Drops what was not committed, and the open turn with it."""
        self._settle()
        self._drop_turn()
        self._buffer.take_all()
        self.restart_idle()
        self._emit({"type": "input_audio_buffer.cleared"})

    # --- idle timeout ---

    def pause_idle(self) -> None:
        """Stops the idle timeout: somebody speaks, or is about to."""
        self._idle_from_ms = None

    def idle_from(self, position_ms: int) -> None:
        """Starts the idle timeout where the last response's audio is over."""
        self._idle_from_ms = position_ms

    def restart_idle(self) -> None:
        """Counts the silence from now on: somebody is there."""
        if self._idle_from_ms is not None:
            self._idle_from_ms = max(self._idle_from_ms, self.now_ms)

    def voice_stopped(self) -> None:
        """Counts the silence from now on, where the agent was still to be heard."""
        if self._idle_from_ms is not None:
            self._idle_from_ms = min(self._idle_from_ms, self.now_ms)

    def _check_idle(self, now_ms: int) -> None:
        timeout_ms, start_ms = _idle_timeout(self._detection), self._idle_from_ms
        if timeout_ms is None or start_ms is None or now_ms < start_ms + timeout_ms:
            return
        self.pause_idle()
        item_id = self._new_id("item")
        self._emit(
            {
                "type": "input_audio_buffer.timeout_triggered",
                "audio_start_ms": start_ms,
                "audio_end_ms": now_ms,
                "item_id": item_id,
            }
        )
        audio = self._buffer.cut(start_ms, now_ms)
        self._buffer.take_until(now_ms)
        if self._buffer.turns is not None:
            self._buffer.turns.end_turn(now_ms)
        self._add_item(item_id, audio)
        self._turn_ended()

    # --- turns ---

    def _speech_started(self, start: SpeechStart) -> None:
        self._items.announced = self._new_id("item")
        self._turn_start_ms = start.audio_start_ms
        self._transcripts.void_ahead()
        self._emit(
            {
                "type": "input_audio_buffer.speech_started",
                "audio_start_ms": start.audio_start_ms,
                "item_id": self._items.announced,
            }
        )
        self._speech_began()
        self.pause_idle()

    def _speech_stopped(self, stop: SpeechStop) -> None:
        item_id = self._items.announced
        assert item_id is not None
        self._emit(
            {
                "type": "input_audio_buffer.speech_stopped",
                "audio_end_ms": stop.audio_end_ms,
                "item_id": item_id,
            }
        )
        audio = self._buffer.cut(self._turn_start_ms, stop.audio_end_ms)
        self._buffer.take_until(stop.audio_end_ms)
        self._add_item(item_id, audio)
        self._turn_ended()

    def _watch_frame(self) -> None:
        """Does what may be due at a frame that starts or stops nothing."""
        turns = self._buffer.turns
        if turns is None:
            return
        if not turns.speaking:
            self._check_idle(turns.now_ms)
        elif turns.silence_ms == 0:
            self._transcripts.void_ahead()
        elif turns.silence_ms == _LISTEN_AHEAD_MS:
            self._listen_ahead(turns.now_ms)
        elif self._sounds_finished(turns.silence_ms):
            self._speech_stopped(turns.stop_now())

    def _listen_ahead(self, now_ms: int) -> None:
        assert self._items.announced is not None
        audio = self._buffer.cut(self._turn_start_ms, now_ms)
        self._transcripts.request_ahead(self._items.announced, audio, self._format)

    def _sounds_finished(self, silence_ms: int) -> bool:
        """Tells whether ``semantic_vad`` may end the turn, where no turn model is to say so."""
        detection = self._detection
        if detection is None or detection["type"] != "semantic_vad" or self._buffer.judge:
            return False
        enough_ms = EAGERNESS[detection["eagerness"]].whole_ms
        return silence_ms >= enough_ms and _is_whole(self._transcripts.ahead_text)

    # --- the turn model ---

    @property
    def question(self) -> TurnQuestion | None:
        """What the turn model was asked and is still to answer."""
        return None if self._buffer.judge is None else self._buffer.judge.question

    @property
    def waits(self) -> bool:
        """Whether audio is held back until the turn model has answered."""
        return self._buffer.waits

    def receive_completeness(self, question: TurnQuestion, probability: float) -> None:
        """Takes the turn model's answer, NaN where it failed; a superseded one changes nothing."""
        if self._buffer.judge is None:
            return
        self._buffer.judge.answer(question, probability)
        self._decide_at_pause()
        self._hear(self._buffer.go_on())

    def _settle(self) -> None:
        """Goes on without the answers that are still to come, as the client does."""
        while self.waits and self.question is not None:
            self.receive_completeness(self.question, math.nan)

    def _ask_at_pause(self) -> None:
        judge = self._buffer.judge
        question = None if judge is None else judge.after_frame()
        if question is not None and self._judge_turn is not None:
            audio = self._buffer.cut(question.start_ms, question.end_ms)
            self._judge_turn(JudgeTurn(question, audio, self._format))

    def _decide_at_pause(self) -> None:
        judge, turns = self._buffer.judge, self._buffer.turns
        decision = None if judge is None else judge.decide()
        if decision is not None and decision.complete and turns is not None:
            self._speech_stopped(turns.stop_now())

    def _drop_turn(self) -> None:
        self._transcripts.drop_turn(self._items.announced)
        self._items.announced = None

    def _add_item(self, item_id: str, audio: bytes) -> None:
        """Makes a user item of audio and sees to its transcript."""
        self._items.announced = None
        previous = self._items.last_id
        self._emit(
            {
                "type": "input_audio_buffer.committed",
                "previous_item_id": previous,
                "item_id": item_id,
            }
        )
        wire: JsonObject = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        self._items.add(wire, audio, len(audio) / format_of(self._format).bytes_per_ms)
        for name in ("conversation.item.added", "conversation.item.done"):
            self._emit({"type": name, "previous_item_id": previous, "item": wire})
        self._transcripts.committed(item_id, audio, self._format)


def _idle_timeout(detection: JsonObject | None) -> int | None:
    timeout_ms: int | None = (detection or {}).get("idle_timeout_ms")
    return timeout_ms


_DANGLING = frozenset(
    """a an the and or but so because if um uh er to of for with at in on my your is are was that
    """.split()  # noqa: SIM905 - a list of words reads better as words
)


def _is_whole(text: str | None) -> bool:
    """Tells whether a transcript reads like a finished sentence: no open ending, no trailing
    filler."""
    words = (text or "").lower().split()
    if not words or words[-1].endswith((",", "-", "…", "...")):
        return False
    return words[-1].rstrip(".?!") not in _DANGLING
