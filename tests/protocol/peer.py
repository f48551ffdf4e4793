"""A client of the server's core: sends events, runs no engine, checks everything that comes."""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec

from realtime_nb.protocol.server import (
    CancelResponse,
    Job,
    JudgeTurn,
    Respond,
    ServerProtocol,
    Transcribe,
)
from realtime_nb.testing import CountingIds, LoudnessDetector, appends, silence, tone
from tests.conformance.ledger import Ledger
from tests.conformance.validate import validate

__all__ = ["Event", "Peer", "encoded", "types"]

Event = dict[str, Any]


def types(events: list[Event]) -> list[str]:
    """Just the names."""
    return [event["type"] for event in events]


class Peer:
    """A connection with a fresh core; every event it receives is validated."""

    def __init__(
        self,
        dialect: Literal["ga", "beta", "auto"] = "ga",
        session_type: Literal["realtime", "transcription"] = "realtime",
        *,
        turn_model: bool = False,
    ) -> None:
        self.core = ServerProtocol(
            model="local",
            new_id=CountingIds(),
            detector_for=LoudnessDetector,
            expires_at=1_800_000_000,
            dialect=dialect,
            session_type=session_type,
            turn_model=turn_model,
        )
        self.session_type = session_type
        self.ledger = Ledger()
        self.log: list[Event] = []
        self.jobs: list[Job] = []
        self.core.start()
        self.greeting = self.collect()

    # --- events ---

    def collect(self) -> list[Event]:
        """What the core has to send, checked."""
        events = self.core.events_to_send()
        self.jobs += self.core.jobs_to_run()
        if self.core.dialect == "ga":
            for event in events:
                validate(event)
                self.ledger.check(event)
            assert self.core.conversation.order == self.ledger.order
            assert self.core.conversation.unknown_events == 0
        self.log += events
        return events

    def send(self, kind: str, **fields: Any) -> list[Event]:
        """Sends an event as a frame; returns the answers."""
        return self.send_frame(msgspec.json.encode({"type": kind, **fields}).decode())

    def send_frame(self, frame: str | bytes) -> list[Event]:
        """Sends a frame of any content."""
        self.core.receive_frame(frame)
        return self.collect()

    def refused(self, kind: str, **fields: Any) -> Event:
        """Sends an event that must be refused, and checks that it changed nothing."""
        before = self.state()
        events = self.send(kind, event_id="c-17", **fields)
        assert types(events) == ["error"]
        assert self.state() == before
        error: Event = events[0]["error"]
        assert error["event_id"] == "c-17"
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        return error

    def state(self) -> object:
        """All that an event could change."""
        conversation = self.core.conversation
        return (
            self.core.session,
            list(conversation.order),
            repr(conversation.items),
            list(self.ledger.runs),
            conversation.input_ms,
            len(self.jobs),
        )

    def update(self, **session: Any) -> list[Event]:
        """Sends a ``session.update``."""
        return self.send("session.update", session={"type": self.session_type, **session})

    def update_input(self, **audio_input: Any) -> list[Event]:
        """Sends a ``session.update`` of ``audio.input``."""
        return self.update(audio={"input": audio_input})

    def append(self, audio: bytes, piece_bytes: int = 960) -> list[Event]:
        """Appends audio in pieces."""
        events = []
        for event in appends(audio, piece_bytes):
            events += self.send(**{"kind": event["type"], "audio": event["audio"]})
        return events

    def say(self, duration_ms: float = 640, pause_ms: float = 320) -> list[Event]:
        """Says something and falls silent."""
        return self.append(tone(duration_ms) + silence(pause_ms))

    def write(self, text: str = "Hello", **fields: Any) -> str:
        """Adds a text item of the user; returns its id."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content, **fields}
        events = self.send("conversation.item.create", item=item)
        assert types(events) == ["conversation.item.added", "conversation.item.done"]
        return str(events[0]["item"]["id"])

    def call(self, response_id: str, name: str = "look_up", arguments: str = "{}") -> str:
        """Lets the model call a function; returns the call id."""
        self.core.receive_call(response_id, name, arguments)
        done = next(e for e in reversed(self.collect()) if e["type"] == "response.output_item.done")
        return str(done["item"]["call_id"])

    # --- engines ---

    def take(self, kind: type[Any]) -> list[Any]:
        """The jobs of a kind that came since the last look."""
        taken = [job for job in self.jobs if isinstance(job, kind)]
        self.jobs = [job for job in self.jobs if not isinstance(job, kind)]
        return taken

    def hear(self, text: str = "hello there") -> list[Event]:
        """Answers all open transcription jobs."""
        for job in self.take(Transcribe):
            self.core.receive_transcript(job.item_id, job.attempt, text)
        return self.collect()

    def judge(self, probability: float) -> list[Event]:
        """Answers all open questions to the turn model."""
        for job in self.take(JudgeTurn):
            self.core.receive_completeness(job.question, probability)
        return self.collect()

    def responding(self) -> Respond:
        """The one response that was asked for."""
        (job,) = self.take(Respond)
        assert isinstance(job, Respond)
        return job

    def cancelled(self) -> list[str]:
        """Ids of the responses to stop."""
        return [job.response_id for job in self.take(CancelResponse)]

    def speak(self, response_id: str, text: str = "Hi there.", audio_ms: int = 400) -> list[Event]:
        """Lets the agent speak."""
        self.core.receive_speech(response_id, text, tone(audio_ms))
        return self.collect()

    def finish(self, response_id: str) -> list[Event]:
        """Ends a response."""
        self.core.receive_response_end(response_id)
        return self.collect()

    def answer(self, text: str = "Hi there.", audio_ms: int = 400) -> str:
        """Says a whole spoken answer to nothing in particular; returns the item's id."""
        self.send("response.create")
        job = self.responding()
        self.speak(job.response_id, text, audio_ms)
        done = self.finish(job.response_id)
        return str(done[-2]["response"]["output"][0]["id"])


def peer_with_something_to_lose() -> Peer:
    """A session with an item, and audio that is not committed."""
    peer = Peer()
    peer.write("something to lose", id="text")
    peer.append(silence(96))
    return peer


def encoded(audio: bytes) -> str:
    """Base64."""
    return base64.b64encode(audio).decode("ascii")
