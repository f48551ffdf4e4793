"""The two cores against each other, on a network with delays, on virtual time.

Whatever the user, the agent, its tools and the program do at whatever moment: the server finds
nothing wrong with what the client sends, remembers of its answers what was heard of them, and
answers what was typed.
"""

from __future__ import annotations

import base64
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol import client_actions as actions
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.conversation import FunctionCall
from realtime_nb.protocol.server import CancelResponse, Respond, ServerProtocol, Transcribe
from realtime_nb.testing import CountingIds
from tests.tried import tried

STEP_MS = 20
PER_MS = 8  # G.711, to keep the test quick
SILENCE, SPEECH = b"\xff" * STEP_MS * PER_MS, b"\x11" * STEP_MS * PER_MS
BENIGN = {"response_cancel_not_active", "conversation_already_has_active_response"}


class ByteDetector:
    """Takes a frame for speech when a byte of it is not silence."""

    def __init__(self, audio_format: object) -> None:
        self.rest = b""

    def push(self, payload: bytes) -> list[float]:
        audio = self.rest + payload
        frame = 32 * PER_MS
        end = len(audio) // frame * frame
        self.rest = audio[end:]
        frames = (audio[start : start + frame] for start in range(0, end, frame))
        return [float(bool(piece.strip(b"\xff"))) for piece in frames]

    def reset(self) -> None:
        self.rest = b""


@dataclass
class Link:
    """One direction of the network: events arrive late, but in order."""

    chance: random.Random
    events: deque[tuple[float, dict[str, Any]]] = field(default_factory=deque)
    arrives_ms: float = 0.0

    def put(self, now_ms: float, event: dict[str, Any]) -> None:
        self.arrives_ms = max(self.arrives_ms, now_ms + self.chance.uniform(0, 80))
        self.events.append((self.arrives_ms, event))

    def take(self, now_ms: float) -> list[dict[str, Any]]:
        taken = []
        while self.events and self.events[0][0] <= now_ms:
            taken.append(self.events.popleft()[1])
        return taken


@dataclass
class Track:
    item_id: str
    received_ms: float = 0.0
    played_ms: float = 0.0
    ended: bool = False


class Talk:
    """A user, a client, a network and a server, in steps of 20 ms."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now_ms = 0.0
        self.client = ClientProtocol(CountingIds(), answers=["look_up"])
        ids = CountingIds()
        self.server = ServerProtocol(
            model="local",
            new_id=lambda prefix: f"server_{ids(prefix)}",
            detector_for=ByteDetector,
            expires_at=0,
        )
        self.up, self.down = Link(self.chance), Link(self.chance)
        self.errors: list[str | None] = []
        self.speech_left_ms = 0.0
        self.answers: dict[str, list[str]] = {}  # response → what is still to come of it
        self.tracks: list[Track] = []
        self.heard_ms: dict[str, float] = {}
        self.later: list[tuple[float, Any]] = []
        self.typed: list[str] = []  # since the last interruption by hand
        self.server.start()
        g711 = {"type": "audio/pcmu"}
        audio = {"input": {"format": g711}, "output": {"format": g711}}
        self.client.update({"type": "realtime", "audio": audio})
        self.steps(20)

    # --- time ---

    def step(self) -> None:
        self.now_ms += STEP_MS
        self._speak()
        due = [work for when, work in self.later if when <= self.now_ms]
        self.later = [entry for entry in self.later if entry[0] > self.now_ms]
        for work in due:
            work()
        self._answer()
        for event in self.up.take(self.now_ms):
            self.server.receive(event)
            self._from_server()
        for event in self.down.take(self.now_ms):
            self._to_client(event)
        self._play()
        for event in self.client.events_to_send():
            self.client.sent(event, self.now_ms / 1000)
            self.up.put(self.now_ms, event)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    @property
    def calm(self) -> bool:
        client = self.client
        waiting = (
            client.busy or client.user_speaking or client.conversation.turn_ended_s is not None
        )
        coming = self.speech_left_ms > 0 or self.answers or self.tracks or self.later
        travelling = [event["type"] for _, event in (*self.up.events, *self.down.events)]
        return not (waiting or coming or set(travelling) - {"input_audio_buffer.append"})

    def settle(self) -> None:
        """Until nothing happened for a second: turns are noticed with a delay."""
        calm_steps = 0
        for _ in range(5_000):
            self.step()
            calm_steps = calm_steps + 1 if self.calm else 0
            if calm_steps == 50:
                return
        raise AssertionError("There is no end to it.")

    # --- the user's side ---

    def _speak(self) -> None:
        audio = SPEECH if self.speech_left_ms > 0 else SILENCE
        self.speech_left_ms -= STEP_MS
        payload = base64.b64encode(audio).decode()
        self.client.send({"type": "input_audio_buffer.append", "audio": payload})

    def _to_client(self, event: dict[str, Any]) -> None:
        if event["type"] == "error":
            self.errors.append(event["error"]["code"])
        pcm = base64.b64decode(event.get("delta", "")) if "audio.delta" in event["type"] else None
        self.client.receive(event, self.now_ms / 1000, pcm)
        for action in self.client.actions_to_run():
            match action:
                case actions.PlayAudio(item_id, pcm):
                    self._track(item_id).received_ms += len(pcm) / PER_MS
                case actions.EndAudio(item_id):
                    self._track(item_id).ended = True
                case actions.FlushPlayback():
                    self._flush()
                case actions.CallTool(call):
                    self._soon(lambda call=call: self._return(call), 600)

    def _return(self, call: FunctionCall) -> None:
        self.client.receive_tool_output(call, "42")

    def _soon(self, work: Any, within_ms: float) -> None:
        self.later.append((self.now_ms + self.chance.uniform(0, within_ms), work))

    def _track(self, item_id: str) -> Track:
        for track in self.tracks:
            if track.item_id == item_id:
                return track
        track = Track(item_id)
        if item_id not in self.heard_ms:
            self.tracks.append(track)
        return track

    def _play(self) -> None:
        left_ms = float(STEP_MS)
        while self.tracks and left_ms > 0:
            track = self.tracks[0]
            piece_ms = min(left_ms, track.received_ms - track.played_ms)
            track.played_ms += piece_ms
            left_ms -= piece_ms
            if track.played_ms < track.received_ms or not track.ended:
                return
            self.heard_ms[track.item_id] = track.played_ms
            del self.tracks[0]

    def _flush(self) -> None:
        """Playback stops at once; how much was heard is known a little later."""
        tracks, self.tracks = self.tracks, []
        for track in tracks:
            self.heard_ms[track.item_id] = track.played_ms
        self._soon(lambda: self._flushed(tracks), 60)

    def _flushed(self, tracks: list[Track]) -> None:
        for track in tracks:
            self.client.receive_flushed(track.item_id, track.played_ms)

    def say(self) -> None:
        self.typed.append(self.client.say("Hello"))

    def interrupt(self) -> None:
        self.typed.clear()
        self.client.interrupt()
        for action in self.client.actions_to_run():
            assert isinstance(action, actions.FlushPlayback)
            self._flush()

    # --- the agent's side ---

    def _from_server(self) -> None:
        for event in self.server.events_to_send():
            self.down.put(self.now_ms, event)
        for job in self.server.jobs_to_run():
            match job:
                case Transcribe():
                    self.server.receive_transcript(job.item_id, job.attempt, "words")
                    self._from_server()
                case Respond():
                    self.answers[job.response_id] = self._script()
                case CancelResponse():
                    self.answers.pop(job.response_id, None)

    def _script(self) -> list[str]:
        thinking = ["wait"] * self.chance.randrange(6)
        speaking = ["audio"] * self.chance.randrange(15)
        calling = ["call"] * self.chance.choice([0, 0, 0, 0, 1, 2])
        return [*thinking, *speaking, *calling]

    def _answer(self) -> None:
        """Speech comes at twice life's pace or more: 50 ms or more in every step."""
        for response_id, script in list(self.answers.items()):
            match script.pop(0) if script else "end":
                case "audio":
                    audio = b"\x22" * PER_MS * self.chance.choice([50, 100, 200])
                    self.server.receive_speech(response_id, "word ", audio)
                case "call":
                    self.server.receive_call(response_id, "look_up", "{}")
                case "end":
                    self.answers.pop(response_id)
                    self.server.receive_response_end(response_id)
            self._from_server()

    # --- what must hold ---

    def check(self) -> None:
        assert [code for code in self.errors if code not in BENIGN] == []
        remembered = self.server.conversation
        for item_id in remembered.order:
            item = remembered.items[item_id]
            if item.role != "assistant":
                continue
            kept_ms = item.audio_ms if item.truncated_ms is None else item.truncated_ms
            assert abs(kept_ms - self.heard_ms.get(item_id, 0.0)) <= 1, item
        steps = list(remembered.history)
        responses = [n for n, (step, _) in enumerate(steps) if step == "response"]
        for item_id in self.typed:
            assert steps.index(("added", item_id)) < responses[-1], "not answered"
        answered = {call.call_id for call in remembered.calls.values() if call.output}
        whole = {call.call_id for call in remembered.calls.values() if call.status == "completed"}
        assert answered == whole


def something_happens(talk: Talk) -> None:
    match talk.chance.choice(["speech", "speech", "speech", "say", "update", "interrupt", "ask"]):
        case "speech":
            talk.speech_left_ms = talk.chance.uniform(40, 600)
        case "say":
            talk.say()
        case "update":
            talk.client.update({"type": "realtime", "instructions": "Be brief."})
        case "interrupt":
            talk.interrupt()
        case "ask":
            talk.client.create_response()


@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), min_size=1, max_size=15))
@settings(max_examples=100, deadline=None)
def test_whatever_happens_when_the_server_finds_nothing_wrong(seed: int, pauses: list[int]) -> None:
    talk = Talk(seed)
    for pause in pauses:
        something_happens(talk)
        talk.steps(pause)
    talk.settle()
    talk.check()


def barge_ins(talk: Talk, count: int) -> None:
    """Keeps the agent talking and interrupts it, at a random moment of every answer."""
    while count > 0:
        if not (talk.tracks or talk.answers):
            talk.client.say("Go on")
        for _ in range(200):
            talk.step()
            if talk.tracks:
                break
        talk.steps(talk.chance.randrange(40))
        count -= bool(talk.tracks)
        talk.speech_left_ms = 60
        talk.steps(4)


def test_after_a_thousand_barge_ins_the_server_remembers_what_was_heard() -> None:
    for seed in range(tried(20, in_ci=5)):
        talk = Talk(seed)
        barge_ins(talk, 50)
        talk.settle()
        talk.check()
