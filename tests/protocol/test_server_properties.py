"""What holds over any client, any engines and any cutting of the audio."""

from __future__ import annotations

import base64
import random
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol.events import CLIENT_EVENTS
from realtime_nb.protocol.server import CancelResponse, Respond, ServerProtocol, Transcribe
from realtime_nb.testing import CountingIds, LoudnessDetector, silence, tone
from tests.protocol.peer import Event, Peer, encoded, types
from tests.tried import tried

# --- any cutting ---


def heard(audio: bytes, cuts: list[int], detection: Event | None) -> tuple[object, ...]:
    """Turn events, jobs and committed audio for one cutting of the audio."""
    core = ServerProtocol(
        model="local",
        new_id=CountingIds(),
        detector_for=LoudnessDetector,
        expires_at=0,
    )
    patch = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    core.receive({"type": "session.update", "session": patch})
    for start, end in zip([0, *cuts], [*cuts, len(audio)], strict=True):
        core.receive({"type": "input_audio_buffer.append", "audio": encoded(audio[start:end])})
    core.receive({"type": "input_audio_buffer.commit"})
    events = [e for e in core.events_to_send() if not e["type"].startswith("session.")]
    return events, core.jobs_to_run(), core.conversation.order


def test_a_thousand_cuttings_of_the_same_audio_are_heard_the_same() -> None:
    rng = random.Random(7)
    parts = [silence(330), tone(500), silence(150), tone(70), silence(410), tone(900), silence(777)]
    audio = b"".join(parts) + b"\1"
    detections: list[Event | None] = [
        {"type": "server_vad", "create_response": False},
        {"type": "server_vad", "silence_duration_ms": 500, "prefix_padding_ms": 40},
        {"type": "semantic_vad", "eagerness": "high"},
        None,
    ]
    for detection in detections:
        whole = heard(audio, [], detection)
        for _ in range(tried(250, in_ci=60)):
            count = rng.choice([1, 3, 20, 150])
            cuts = sorted(rng.randrange(len(audio) + 1) for _ in range(count))
            assert heard(audio, cuts, detection) == whole


# --- any client, any engines ---


class Walk:
    """A client and engines that do anything at any time."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.peer = Peer()
        self.seen: Counter[str] = Counter()
        self.hearing: list[Transcribe] = []
        self.answering: list[str] = []
        self.refusals: Counter[str] = Counter()

    def step(self) -> None:
        """One event of the client, or one result of an engine."""
        action = self.rng.choice(
            [self.append] * 6
            + [self.transcript] * 3
            + [self.produce] * 5
            + [self.respond] * 2
            + [self.add, self.edit, self.commit, self.update, self.end, self.odd]
        )
        action()
        self.note(self.peer.collect())

    def note(self, events: list[Event]) -> None:
        self.seen.update(types(events))
        self.refusals.update(e["error"]["code"] for e in events if e["type"] == "error")
        self.hearing += self.peer.take(Transcribe)
        self.answering += [job.response_id for job in self.peer.take(Respond)]
        self.peer.take(CancelResponse)  # the engines here do not obey, so that stale results come

    def append(self) -> None:
        audio = b"".join(
            self.rng.choice([silence, tone])(self.rng.choice([20, 100, 333]))
            for _ in range(self.rng.randrange(1, 4))
        )
        cut = self.rng.randrange(0, 3)
        self.note(self.peer.append(audio[: len(audio) - cut], piece_bytes=len(audio)))

    def transcript(self) -> None:
        if not self.hearing:
            return
        job = self.rng.choice(self.hearing)
        assert len(job.audio) % 2 == 0 or job.audio_format["type"] != "audio/pcm"
        if self.rng.random() < 0.7:
            self.hearing.remove(job)  # else its result comes twice
        if self.rng.random() < 0.2:
            self.peer.core.receive_transcript_failure(job.item_id, job.attempt, "no")
        else:
            text = self.rng.choice(["", "yes.", "and then the", "one two three"])
            self.peer.core.receive_transcript(job.item_id, job.attempt, text)

    def produce(self) -> None:
        if not self.answering:
            return
        response_id = self.rng.choice(self.answering)
        writes = self.peer.core.conversation.responses[response_id].output_modalities == ["text"]
        if self.rng.random() < 0.15:
            arguments = self.rng.choice(["", "{}", '{"a": "' + "b" * 40 + '"}'])
            self.peer.core.receive_call(response_id, "f", arguments, self.rng.choice([None, "c"]))
        elif writes:
            self.peer.core.receive_text(response_id, self.rng.choice(["", "word ", "x" * 50]))
        else:
            audio = tone(self.rng.choice([0, 0, 40, 501]))
            text = self.rng.choice(["", " ", "one ", "two three "])
            self.peer.core.receive_speech(response_id, text, audio)

    def respond(self) -> None:
        fields: Event = {}
        if self.rng.random() < 0.4:
            fields["conversation"] = "none"
        if self.rng.random() < 0.3:
            fields["output_modalities"] = [self.rng.choice(["text", "audio"])]
        if self.rng.random() < 0.3:
            fields["max_output_tokens"] = self.rng.choice([1, 5, 30])
        if self.rng.random() < 0.2:
            fields["input"] = [{"type": "item_reference", "id": self.item()}]
        self.note(self.peer.send("response.create", response=fields))

    def add(self) -> None:
        parts: list[Event] = [{"type": "input_text", "text": "hi"}]
        if self.rng.random() < 0.3:
            parts.append({"type": "input_audio", "audio": encoded(tone(120))})
        item: Event = {"type": "message", "role": "user", "content": parts}
        if self.rng.random() < 0.3:
            calls = list(self.peer.core.conversation.calls) or ["none"]
            item = {"type": "function_call_output", "call_id": self.rng.choice(calls), "output": ""}
        if self.rng.random() < 0.3:
            item["id"] = f"mine_{self.rng.randrange(20)}"
        after = self.rng.choice([None, None, "root", self.item()])
        self.note(self.peer.send("conversation.item.create", item=item, previous_item_id=after))

    def edit(self) -> None:
        fields: Event = {"item_id": self.item()}
        verb = self.rng.choice(["truncate", "truncate", "delete", "retrieve"])
        if verb == "truncate":
            items = self.peer.core.conversation.in_order()
            said = [item.id for item in items if item.role == "assistant" and item.audio_ms]
            fields["item_id"] = self.rng.choice([*said, "gone"])
            fields |= {"content_index": 0, "audio_end_ms": self.rng.randrange(600)}
        self.note(self.peer.send(f"conversation.item.{verb}", **fields))

    def commit(self) -> None:
        verb = self.rng.choice(["commit", "commit", "clear"])
        self.note(self.peer.send(f"input_audio_buffer.{verb}"))

    def update(self) -> None:
        law = self.rng.choice(["audio/pcmu", "audio/pcm"])
        detection = self.rng.choice(
            [
                None,
                {"type": "server_vad"},
                {"type": "server_vad", "interrupt_response": False},
                {"type": "server_vad", "create_response": False, "idle_timeout_ms": 5_000},
                {"type": "semantic_vad", "eagerness": "high"},
            ]
        )
        fields: Event = {"turn_detection": detection}
        if self.rng.random() < 0.3:
            fields["format"] = (
                {"type": law} if law == "audio/pcmu" else {"type": law, "rate": 24_000}
            )
        if self.rng.random() < 0.5:
            fields["transcription"] = self.rng.choice([None, {"model": "whisper-1"}])
        self.note(self.peer.update_input(**fields))

    def end(self) -> None:
        if not self.answering:
            return
        response_id = self.rng.choice(self.answering)
        match self.rng.randrange(4):
            case 0:
                self.note(self.peer.send("response.cancel", response_id=response_id))
            case 1:
                self.peer.core.receive_response_failure(response_id, "server_error", "broken")
            case _:
                self.peer.core.receive_response_end(response_id)
        if self.rng.random() < 0.6:
            self.answering.remove(response_id)

    def odd(self) -> None:
        self.note(self.peer.send(self.rng.choice(list(CLIENT_EVENTS)), item_id=self.item()))

    def item(self) -> str:
        return self.rng.choice([*self.peer.core.conversation.order[-6:], "gone"])

    def settle(self) -> None:
        """The engines end whatever is still running."""
        for _ in range(2):
            for job in self.hearing:
                self.peer.core.receive_transcript(job.item_id, job.attempt, "end.")
                self.note(self.peer.collect())
            for response_id in list(self.peer.ledger.runs):
                self.peer.core.receive_response_end(response_id)
                self.note(self.peer.collect())


def test_any_order_of_events_and_results_keeps_the_chains_whole() -> None:
    """The peer's ledger checks every event; here are 6,000 random steps in 10 connections."""
    seen: Counter[str] = Counter()
    for seed in range(10):
        walk = Walk(seed)
        for _ in range(600):
            walk.step()
        walk.settle()
        walk.peer.ledger.check_settled()
        seen += walk.seen
    assert seen["response.created"] == seen["response.done"] > 100
    assert seen["conversation.item.truncated"] > 10
    assert seen["input_audio_buffer.speech_stopped"] > 50
    assert seen["response.function_call_arguments.done"] > 20


# --- anything at all ---

_WORDS = """
    type event_id session item item_id audio response input content role text id call_id output
    realtime transcription message user assistant function_call function_call_output input_text
    input_audio input_image item_reference auto none inf audio/pcm rate format turn_detection
    server_vad semantic_vad tools tool_choice voice metadata conversation root previous_item_id
    content_index audio_end_ms output_modalities max_output_tokens
"""
words = st.sampled_from(_WORDS.split())
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    words,
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(words, st.text(max_size=4)), inner, max_size=5),
    ),
    max_leaves=12,
)
nearly_events = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*CLIENT_EVENTS, "session.close"]),
    st.dictionaries(words, trees, max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(nearly_events, trees), min_size=1, max_size=4))
def test_any_json_is_answered_and_harms_nothing(events: list[Any]) -> None:
    peer = Peer()
    session_id = peer.core.session["id"]
    for event in events:
        before = peer.core.session
        peer.core.receive(event)
        answers = peer.collect()
        if any(e["type"] == "session.updated" for e in answers):
            continue
        assert peer.core.session == before
    assert peer.core.session["id"] == session_id
    if not peer.ledger.runs:
        peer.take(Respond)  # of responses that were cancelled meanwhile
        peer.answer()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_any_frame_is_answered_and_harms_nothing(frame: str | bytes) -> None:
    peer = Peer()
    before = peer.state()
    answers = peer.send_frame(frame)
    assert types(answers) == ["error"]
    assert peer.state() == before


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=6_000), st.lists(st.integers(0, 6_000), max_size=6))
def test_any_bytes_are_audio(audio: bytes, cuts: list[int]) -> None:
    peer = Peer()
    edges = [0, *sorted(cut for cut in cuts if cut <= len(audio)), len(audio)]
    for start, end in pairwise(edges):
        payload = base64.b64encode(audio[start:end]).decode()
        assert "error" not in types(peer.send("input_audio_buffer.append", audio=payload))
    assert peer.core.conversation.input_ms * 48 == len(audio) or len(audio) % 3
