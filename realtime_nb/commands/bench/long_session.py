"""A long conversation as a recording, made without waiting for it.

Its words and answers repeat; its events come as often, in the order and with the fields that a
session in a notebook has them: 25 chunks of microphone audio a second, deltas, transcripts,
function calls, interruptions.
"""

from __future__ import annotations

import base64
import heapq
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.commands.samples import AUSTEN, CARDS
from realtime_nb.protocol.audio_formats import BYTES_PER_MS, PCM
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.usage import InputTokens, usage_object
from realtime_nb.protocol.wire import WireEvent

__all__ = ["LongSession", "write_session"]

TURN_S = 9.0
_CHUNK_MS = 40
_DELTA_MS = 100
_MICROPHONE_FROM_S = 1.0
_QUEUE_ROOM_BYTES = 16_000_000
_SESSION = merge_session(
    {"type": "realtime", "id": "sess_long", "model": "gpt-realtime-2"},
    {
        "audio": {
            "input": {"format": PCM.fields, "turn_detection": {"type": "server_vad"}},
            "output": {"format": PCM.fields},
        }
    },
)

_Direction = Literal["sent", "received", "report", "played", "tool"]


@dataclass(frozen=True, slots=True)
class LongSession:
    """A session that was written.

    Attributes:
        path: its recording.
        events: how many it has.
        turns: how many times the user spoke.
        cpu_s: processor time that recording it took, waiting and encoding included, its making not.
    """

    path: Path
    events: int
    turns: int
    cpu_s: float


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """Something that the recorder takes at ``t_s``."""

    t_s: float
    place: int
    direction: _Direction
    event: JsonObject
    pcm: bytes | None = None


def write_session(folder: Path, minutes: float = 60.0) -> LongSession:
    """Writes a conversation of that length into a new recording in ``folder``."""
    turns = max(1, int(minutes * 60 / TURN_S))
    steps = list(heapq.merge(_microphone(turns), _conversation(turns), key=lambda s: s.t_s))
    header = {"endpoint": {"kind": "openai", "url": "wss://example"}, "model": "gpt-realtime-2"}
    began_s = time.process_time()
    recorder = Recorder(folder, {**header, "dialect": "ga"})
    events = 0
    for count, step in enumerate(steps):
        events += _take(recorder, step)
        if count % 2_000 == 0:
            while recorder.statistics().queued_bytes > _QUEUE_ROOM_BYTES:
                time.sleep(0.01)  # it is written faster here than life would bring it
    recorder.close(duration_s=steps[-1].t_s)
    return LongSession(recorder.path, events, turns, time.process_time() - began_s)


def _take(recorder: Recorder, step: _Step) -> int:
    match step.direction:
        case "report":
            recorder.playback(PlaybackReport(**step.event, t_s=step.t_s))
            return 0
        case "tool":
            recorder.tool(ToolReport(**step.event, t_s=step.t_s))
            return 0
        case "played":
            recorder.played(step.event["item_id"], step.pcm or b"", step.t_s)
            return 0
        case direction:
            recorder.event(WireEvent(direction, step.event, step.t_s, step.pcm))
            return 1


def _microphone(turns: int) -> Iterator[_Step]:
    """Yields what the microphone brings: the same 2.5 s of speech, 0.5 s into every turn."""
    chunk_bytes = _CHUNK_MS * BYTES_PER_MS
    words = pcm_from_samples(np.resize(load_audio(AUSTEN), 60_000))
    turn = bytearray(round(TURN_S * 1000) * BYTES_PER_MS)
    turn[500 * BYTES_PER_MS : 500 * BYTES_PER_MS + len(words)] = words
    chunks = [bytes(turn[at : at + chunk_bytes]) for at in range(0, len(turn), chunk_bytes)]
    payloads = [base64.b64encode(chunk).decode() for chunk in chunks]
    for number in range(turns * len(chunks)):
        t_s = _MICROPHONE_FROM_S + (number + 1) * _CHUNK_MS / 1000
        chunk = number % len(chunks)
        event = {"type": "input_audio_buffer.append", "audio": payloads[chunk]}
        yield _Step(round(t_s, 6), number, "sent", event, chunks[chunk])


def _conversation(turns: int) -> Iterator[_Step]:
    talk = _Talk()
    talk.received(0.2, "session.created", session=_SESSION)
    talk.received(0.3, "session.updated", session=_SESSION)
    for number in range(turns):
        talk.turn(number)
    return iter(sorted(talk.steps, key=lambda step: (step.t_s, step.place)))


class _Talk:
    """Everything but the microphone."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []
        self._context = InputTokens()
        answer = load_audio(CARDS)
        self._pcm = pcm_from_samples(np.resize(answer, SAMPLE_RATE * 10))

    def sent(self, t_s: float, type: str, **fields: object) -> None:
        self._add(t_s, "sent", {"type": type, **fields})

    def received(self, t_s: float, type: str, **fields: object) -> None:
        event_id = f"event_{len(self.steps)}"
        self._add(t_s, "received", {"type": type, "event_id": event_id, **fields})

    def _add(
        self,
        t_s: float,
        direction: _Direction,
        event: JsonObject,
        pcm: bytes | None = None,
    ) -> None:
        self.steps.append(_Step(round(t_s, 6), len(self.steps), direction, event, pcm))

    def turn(self, number: int) -> None:
        """Adds a turn: a third of them calls a function, an eighth is talked over."""
        begin_s = _MICROPHONE_FROM_S + number * TURN_S
        begin_ms = round(number * TURN_S * 1000)
        user = f"item_user_{number}"
        audio_start_ms = max(0, begin_ms + 500 - 300)
        self.received(
            begin_s + 0.6,
            "input_audio_buffer.speech_started",
            audio_start_ms=audio_start_ms,
            item_id=user,
        )
        if number and (number - 1) % 8 == 7:
            self._cut(begin_s + 0.62, number - 1, begin_s)
        end_s = begin_s + 3.0 + 0.224
        end_ms = begin_ms + 3_000 + 224
        self.received(end_s, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=user)
        self._user_item(end_s, user)
        at_s = end_s + 0.08
        if number % 3 == 2:
            at_s = self._call(at_s, number)
        self._answer(at_s, number)

    def _user_item(self, at_s: float, user: str) -> None:
        self.received(at_s, "input_audio_buffer.committed", item_id=user)
        item = {"id": user, "type": "message", "role": "user", "status": "completed"}
        whole = {**item, "content": [{"type": "input_audio", "transcript": None}]}
        self.received(at_s, "conversation.item.added", item=whole)
        self.received(at_s, "conversation.item.done", item=whole)
        ids: JsonObject = {"item_id": user, "content_index": 0}
        name = "conversation.item.input_audio_transcription"
        words = ["He", "was", "not", "an", "ill", "disposed", "young", "man"]
        for place, word in enumerate(words):
            self.received(at_s + 0.2 + place / 100, f"{name}.delta", delta=f"{word} ", **ids)
        self.received(at_s + 0.4, f"{name}.completed", transcript=" ".join(words), **ids)

    def _response(self, at_s: float, name: str) -> None:
        response = {"id": name, "status": "in_progress", "conversation_id": "conv_long"}
        self.received(at_s, "response.created", response=response)

    def _done(self, at_s: float, name: str, text: int, audio: int) -> None:
        before = self._context
        self._context = InputTokens(before.text + text + 20, before.audio + audio + 30)
        usage = usage_object(self._context, self._context.cached_of(before), text, audio)
        response = {"id": name, "status": "completed", "usage": usage}
        self.received(at_s, "response.done", response=response)

    def _call(self, at_s: float, number: int) -> float:
        response, call_id, item_id = f"resp_call_{number}", f"call_{number}", f"item_call_{number}"
        self._response(at_s, response)
        item: JsonObject = {"id": item_id, "type": "function_call", "name": "check_appointments"}
        item |= {"call_id": call_id, "arguments": "", "status": "in_progress"}
        place: JsonObject = {"response_id": response, "output_index": 0}
        self.received(at_s + 0.1, "response.output_item.added", item=item, **place)
        self.received(at_s + 0.1, "conversation.item.added", item=item)
        arguments = json.dumps({"date": "2026-11-24"})
        for step in range(0, len(arguments), 6):
            self.received(
                at_s + 0.11,
                "response.function_call_arguments.delta",
                call_id=call_id,
                item_id=item_id,
                delta=arguments[step : step + 6],
                **place,
            )
        self.received(
            at_s + 0.12,
            "response.function_call_arguments.done",
            call_id=call_id,
            item_id=item_id,
            arguments=arguments,
            **place,
        )
        whole = {**item, "arguments": arguments, "status": "completed"}
        self.received(at_s + 0.12, "response.output_item.done", item=whole, **place)
        self.received(at_s + 0.12, "conversation.item.done", item=whole)
        self._add(at_s + 0.121, "tool", {"call_id": call_id, "kind": "started"})
        self._done(at_s + 0.13, response, 15, 0)
        ended = {"call_id": call_id, "kind": "ended", "outcome": "ok"}
        self._add(at_s + 0.195, "tool", ended)
        output = {
            "type": "function_call_output",
            "call_id": call_id,
            "output": '{"free": ["10:00"]}',
        }
        self.sent(at_s + 0.2, "conversation.item.create", item=output)
        self.sent(at_s + 0.2, "response.create")
        added = {**output, "id": f"item_output_{number}"}
        self.received(at_s + 0.22, "conversation.item.added", item=added)
        self.received(at_s + 0.22, "conversation.item.done", item=added)
        return at_s + 0.25

    def _answer(self, at_s: float, number: int) -> None:
        response, item_id = f"resp_{number}", f"item_agent_{number}"
        length_ms = 9_000 if number % 8 == 7 else 4_000
        self._response(at_s, response)
        item: JsonObject = {"id": item_id, "type": "message", "role": "assistant"}
        begun = {**item, "status": "in_progress", "content": []}
        place: JsonObject = {"response_id": response, "output_index": 0}
        ids: JsonObject = {**place, "item_id": item_id, "content_index": 0}
        first_s = at_s + 0.25
        self.received(first_s, "response.output_item.added", item=begun, **place)
        self.received(first_s, "conversation.item.added", item=begun)
        part = {"type": "output_audio", "transcript": ""}
        self.received(first_s, "response.content_part.added", part=part, **ids)
        for step in range(length_ms // _DELTA_MS):
            delta_s = first_s + step * 0.02
            if step % 2 == 0:
                name = "response.output_audio_transcript.delta"
                self.received(delta_s, name, delta=f"word{step} ", **ids)
            payload = base64.b64encode(self._audio(step * _DELTA_MS, _DELTA_MS)).decode()
            self.received(delta_s, "response.output_audio.delta", delta=payload, **ids)
        last_s = first_s + length_ms / _DELTA_MS * 0.02
        text = " ".join(f"word{step}" for step in range(0, length_ms // _DELTA_MS, 2))
        self.received(last_s, "response.output_audio.done", **ids)
        name = "response.output_audio_transcript.done"
        self.received(last_s, name, transcript=text, **ids)
        final = {**item, "status": "completed", "content": [{**part, "transcript": text}]}
        self.received(last_s, "response.output_item.done", item=final, **place)
        self.received(last_s, "conversation.item.done", item=final)
        self._done(last_s + 0.01, response, length_ms // 200, length_ms // 50)
        self._playback(first_s + 0.06, number, item_id, length_ms)

    def _playback(self, start_s: float, number: int, item_id: str, length_ms: int) -> None:
        self._add(start_s, "report", {"item_id": item_id, "played_ms": 0.0, "kind": "started"})
        cut_s = _MICROPHONE_FROM_S + (number + 1) * TURN_S + 0.61
        played_ms = min(length_ms, round((cut_s - start_s) * 1000))
        for at_ms in range(0, played_ms, 500):
            pcm = self._audio(at_ms, min(500, played_ms - at_ms))
            self._add(start_s + at_ms / 1000, "played", {"item_id": item_id}, pcm)
        if played_ms == length_ms:
            report = {"item_id": item_id, "played_ms": float(length_ms), "kind": "finished"}
            self._add(start_s + length_ms / 1000, "report", report)

    def _cut(self, at_s: float, number: int, begin_s: float) -> None:
        """Lets the user speak up while the answer to turn ``number`` is played."""
        item_id = f"item_agent_{number}"
        started_s = next(
            step.t_s
            for step in reversed(self.steps)
            if step.direction == "report" and step.event["item_id"] == item_id
        )
        played_ms = round((begin_s + 0.61 - started_s) * 1000)
        report = {"item_id": item_id, "played_ms": float(played_ms), "kind": "flushed"}
        self._add(at_s, "report", report)
        cut: JsonObject = {"item_id": item_id, "content_index": 0, "audio_end_ms": played_ms}
        self.sent(at_s, "conversation.item.truncate", **cut)
        self.received(at_s + 0.03, "conversation.item.truncated", **cut)

    def _audio(self, at_ms: int, length_ms: int) -> bytes:
        return self._pcm[at_ms * BYTES_PER_MS :][: length_ms * BYTES_PER_MS]
