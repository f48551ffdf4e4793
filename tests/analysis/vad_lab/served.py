"""A lab beside a session with the server's core, all in memory: no socket, no clock, no model."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import ConnectionKind, ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.listening import JudgeTurn
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.testing import CountingIds, LoudnessDetector, silence, tone

__all__ = ["PCM_PER_MS", "Model", "Served", "talk"]

PCM_PER_MS = 48


class Model:
    """Says what it is told to, question by question, and keeps what it was asked."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.known: dict[bytes, float] = {}
        self.asked: list[tuple[bytes, str]] = []

    def of(self, audio: bytes) -> float:
        """Returns the answer, the same each time."""
        if audio not in self.known:
            self.known[audio] = self.answers.pop(0)
        return self.known[audio]

    def __call__(self, audio: bytes, format_type: str) -> float:
        self.asked.append((audio, format_type))
        return self.of(audio)


class Served:
    """A session whose every event, sent and received, goes to a lab.

    What the server answers waits in ``held`` until it is received, as on a slow line.
    """

    def __init__(
        self,
        detector_for: Callable[[JsonObject], SpeechDetector] = LoudnessDetector,
        voiced_ms: Sequence[tuple[float, float]] | None = (),
        completeness: Callable[[bytes, str], float] | None = None,
        same_model: bool = True,
    ) -> None:
        self.completeness, self.same_model = completeness, same_model
        self.server = ServerProtocol(
            model="local",
            new_id=CountingIds(),
            detector_for=detector_for,
            expires_at=1_800_000_000,
            turn_model=completeness is not None,
        )
        self.conversation = Conversation()
        self.detector_for = detector_for
        self.voiced_ms = voiced_ms
        self.t_s = 0.0
        self.held: list[JsonObject] = []
        self.log: list[WireEvent | ConnectionReport] = []
        self.lab = self.new_lab()
        self.server.start()
        self.receive()

    def new_lab(self) -> TurnLab:
        """One that hears from now on."""
        return TurnLab(
            self.conversation,
            detector_for=self.detector_for,
            voiced_ms=self.voiced_ms,
            completeness=self.completeness,
            same_model=self.same_model,
        )

    def receive(self, count: int | None = None) -> None:
        """Lets the session have what the server has said, or the first of it."""
        self.collect()
        count = len(self.held) if count is None else count
        arrived, self.held = self.held[:count], self.held[count:]
        for raw in arrived:
            self.conversation.apply(ev.parse_server(raw), self.t_s)
            self.tell(WireEvent("received", raw, self.t_s))

    def tell(self, event: WireEvent) -> None:
        """Lets the lab have an event that was folded, and keeps it in ``log``."""
        self.log.append(event)
        self.lab.event(event)

    def report(self, kind: ConnectionKind) -> None:
        """Says something of the connection."""
        report = ConnectionReport(kind, self.t_s)
        self.log.append(report)
        self.conversation.apply_connection(report)
        self.lab.connection(report)

    def collect(self) -> None:
        """Puts what the server says on the line."""
        jobs = self.server.jobs_to_run()
        while jobs:
            for job in jobs:
                if isinstance(job, JudgeTurn) and self.completeness is not None:
                    self.server.receive_completeness(job.question, self._said_of(job))
            jobs = self.server.jobs_to_run()
        self.held += self.server.events_to_send()

    def _said_of(self, job: JudgeTurn) -> float:
        """The server has an answer of the same model without asking for the lab's."""
        model = self.completeness
        assert model is not None
        if isinstance(model, Model):
            return model.of(job.audio)
        return model(job.audio, job.audio_format["type"])

    def send(self, kind: str, pcm: bytes | None = None, **fields: Any) -> None:
        """Sends an event; the server has it at once."""
        raw = {"type": kind, **fields}
        self.conversation.apply(ev.parse_client(raw), self.t_s)
        self.tell(WireEvent("sent", raw, self.t_s, pcm))
        self.server.receive_frame(json.dumps(raw))
        self.collect()

    def set(self, detection: JsonObject | None, **fields: Any) -> None:
        """Asks for a turn detection."""
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        self.send("session.update", session=session, **fields)

    def append(self, pcm: bytes) -> None:
        """Sends one chunk."""
        audio = base64.b64encode(pcm).decode()
        self.send("input_audio_buffer.append", pcm, audio=audio)
        self.t_s += len(pcm) / PCM_PER_MS / 1000

    def say(self, pcm: bytes, chunk_ms: int = 20) -> None:
        """Sends audio in chunks, and lets the server's words arrive after each."""
        step = chunk_ms * PCM_PER_MS
        for start in range(0, len(pcm), step):
            self.append(pcm[start : start + step])
            self.receive()


def talk(*lengths_ms: int) -> bytes:
    """Silence and tone by turns, silence first."""
    sounds = (silence, tone)
    return b"".join(sounds[i % 2](length_ms) for i, length_ms in enumerate(lengths_ms))
