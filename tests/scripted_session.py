"""A session written by hand, recorded and folded as a live one is.

Its times are round, so that what the tables should say can be worked out on paper. The microphone
sends 20 ms every 20 ms from t = 1 s, hence the audio at ``ms`` is from ``1 + ms / 1000`` s.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.dialect import client_to_ga, server_to_ga
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.wire import WireEvent
from tests.paths import DATA

SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
}
USAGE = {
    "total_tokens": 320,
    "input_tokens": 132,
    "output_tokens": 188,
    "input_token_details": {
        "text_tokens": 59,
        "audio_tokens": 73,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 64},
    },
    "output_token_details": {"text_tokens": 41, "audio_tokens": 147},
}


def session(**audio_format: str) -> dict[str, Any]:
    side: dict[str, Any] = {"format": audio_format or {"type": "audio/pcm", "rate": 24_000}}
    return {
        "type": "realtime",
        "id": "sess_1",
        "audio": {"input": {**side, "turn_detection": SERVER_VAD}, "output": side},
    }


class LiveSession:
    """Records and folds each event, in the order in which a session does."""

    def __init__(self, recorder: Recorder | None = None, dialect: str = "ga") -> None:
        self.conversation = Conversation()
        self.recorder = recorder
        self.dialect = dialect

    @property
    def clock(self) -> InputClock:
        return self.conversation.audio.clock

    def sent(
        self,
        t_s: float,
        type: str,
        pcm: bytes | None = None,
        captured_s: float | None = None,
        **fields: Any,
    ) -> None:
        raw = {"type": type, **fields}
        self._event(WireEvent("sent", raw, round(t_s, 6), pcm, captured_s))

    def received(self, t_s: float, type: str, pcm: bytes | None = None, **fields: Any) -> None:
        self._event(WireEvent("received", {"type": type, **fields}, round(t_s, 6), pcm))

    def _event(self, crossed: WireEvent) -> None:
        if self.recorder is not None:
            self.recorder.event(crossed)
        for event in self._typed(crossed.direction, crossed.raw):
            self.conversation.apply(event, crossed.t_s, crossed.captured_s, crossed.pcm)

    def _typed(self, direction: str, raw: dict[str, Any]) -> list[Any]:
        forms = [raw]
        if self.dialect == "beta":
            forms = client_to_ga(raw) if direction == "sent" else server_to_ga(raw)
        if direction == "received":
            return [ev.parse_server(form) for form in forms]
        try:
            return [ev.parse_client(form) for form in forms]
        except msgspec.ValidationError:
            return [ev.UnknownEvent(str(raw.get("type")), raw, "malformed")]

    def playback(self, item_id: str, played_ms: float, kind: Any, t_s: float) -> None:
        report = PlaybackReport(item_id, played_ms, kind, t_s)
        if self.recorder is not None:
            self.recorder.playback(report)
        self.conversation.apply_playback(report)

    def tool(self, report: ToolReport) -> None:
        if self.recorder is not None:
            self.recorder.tool(report)
        self.conversation.apply_tool(report)

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        if self.recorder is not None:
            self.recorder.played(item_id, pcm, t_s)

    def microphone(self, samples: np.ndarray, until_ms: int) -> None:
        """Sends chunks of 20 ms up to a position of the input-sample clock, in real time."""
        for begin_ms in range(round(self.conversation.input_ms), until_ms, 20):
            chunk = samples[begin_ms * 24 : (begin_ms + 20) * 24]
            pcm = pcm_from_samples(np.pad(chunk, (0, 480 - len(chunk))))
            self.sent(
                1 + (begin_ms + 20) / 1000,
                "input_audio_buffer.append",
                pcm,
                audio=base64.b64encode(pcm).decode(),
            )

    def user_item(self, t_s: float, item_id: str, text: str, previous: str | None = None) -> None:
        """A spoken message is committed, added and, a little later, transcribed."""
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed"}
        item["content"] = content  # type: ignore[assignment]
        self.received(t_s, "input_audio_buffer.committed", item_id=item_id)
        for step in ("added", "done"):
            self.received(t_s, f"conversation.item.{step}", item=item, previous_item_id=previous)
        self.received(
            t_s + 0.3,
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
        )

    def response_begins(self, t_s: float, response_id: str, conversation: str | None = "c") -> None:
        response = {"id": response_id, "status": "in_progress", "conversation_id": conversation}
        self.received(t_s, "response.created", response=response)

    def response_ends(
        self, t_s: float, response_id: str, status: str = "completed", reason: str | None = None
    ) -> None:
        response: dict[str, Any] = {"id": response_id, "status": status, "usage": USAGE}
        if reason is not None:
            response["status_details"] = {"type": status, "reason": reason}
        self.received(t_s, "response.done", response=response)

    def spoken_answer(
        self, t_s: float, response_id: str, item_id: str, text: str, samples: np.ndarray
    ) -> bytes:
        """An assistant message whose audio all arrives at ``t_s``, in deltas of 100 ms."""
        item: dict[str, Any] = {"id": item_id, "type": "message", "role": "assistant"}
        ids: dict[str, Any] = {"response_id": response_id, "item_id": item_id, "content_index": 0}
        added = {**item, "status": "in_progress", "content": []}
        self.received(
            t_s, "response.output_item.added", item=added, response_id=response_id, output_index=0
        )
        self.received(t_s, "conversation.item.added", item=added)
        self.received(t_s, "response.output_audio_transcript.delta", delta=text, **ids)
        pcm = pcm_from_samples(samples)
        for begin in range(0, len(pcm), 4_800):
            delta = base64.b64encode(pcm[begin : begin + 4_800]).decode()
            self.received(t_s, "response.output_audio.delta", delta=delta, **ids)
        self.received(t_s, "response.output_audio.done", **ids)
        content = [{"type": "output_audio", "transcript": text}]
        final = {**item, "status": "completed", "content": content}
        self.received(
            t_s, "response.output_item.done", item=final, response_id=response_id, output_index=0
        )
        return pcm


class _Script(LiveSession):
    """What happens, in the order in which it was written down."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[float, Callable[[LiveSession], None]]] = []

    def _event(self, crossed: WireEvent) -> None:
        super()._event(crossed)
        self._then(crossed.t_s, lambda live: live._event(crossed))

    def playback(self, item_id: str, played_ms: float, kind: Any, t_s: float) -> None:
        self._then(t_s, lambda live: live.playback(item_id, played_ms, kind, t_s))

    def played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        self._then(t_s, lambda live: live.played(item_id, pcm, t_s))

    def _then(self, t_s: float, step: Callable[[LiveSession], None]) -> None:
        self.steps.append((t_s, step))


VOICE_ENDS_S = 2.945
"""By the curve of the level of cards_001.wav: 23 dB below the loudest at 935 ms, 32 dB at 955."""

LATENCY_MS = (3.78 - VOICE_ENDS_S) * 1000
"""Of the first turn, whose answer is played from 3.78 s on."""


def three_turns(live: LiveSession) -> None:
    """Plays a spoken turn, a typed one with a function call, and one with a barge-in."""
    script = _Script()
    _write_three_turns(script)
    for _, step in sorted(script.steps, key=itemgetter(0)):
        step(live)


def _write_three_turns(live: LiveSession) -> None:
    one, two = (load_audio(DATA / f"cards_00{number}.wav")[:60_000] for number in (1, 2))
    agent = [load_audio(DATA / f"austen_08{number}.wav") for number in (70, 80, 90)]
    microphone = np.zeros(24 * 20_000, np.float32)
    for begin_ms, samples in ((1_000, one[:23_424]), (12_000, two[:48_000])):
        microphone[begin_ms * 24 : begin_ms * 24 + len(samples)] = samples

    live.received(0.2, "session.created", session=session())
    live.sent(0.21, "session.update", session={"type": "realtime", "instructions": "Be brief."})
    live.received(0.25, "session.updated", session=session())

    # Spoken: what the server takes for speech is from 1000 to 1976 ms of the input, that is until
    # t = 2.976; the voice has fallen into the noise of the room at VOICE_ENDS_S.
    live.microphone(microphone, 1_060)
    live.received(2.07, "input_audio_buffer.speech_started", audio_start_ms=700, item_id="user_1")
    live.microphone(microphone, 2_240)
    live.received(3.25, "input_audio_buffer.speech_stopped", audio_end_ms=2_200, item_id="user_1")
    live.user_item(3.251, "user_1", "Which slots are free?")
    live.response_begins(3.3, "resp_1")
    pcm = live.spoken_answer(3.7, "resp_1", "agent_1", "All of Tuesday.", agent[0][:48_000])
    live.response_ends(3.75, "resp_1")
    live.playback("agent_1", 0, "started", 3.78)
    live.played("agent_1", pcm[:48_000], 3.78)
    live.played("agent_1", pcm[48_000:], 4.79)
    live.microphone(microphone, 4_800)
    live.playback("agent_1", 2_000, "finished", 5.79)

    # Typed, with a function call, whose output is followed by a spoken answer.
    item: dict[str, Any] = {"id": "user_2", "type": "message", "role": "user"}
    item["content"] = [{"type": "input_text", "text": "Book ten o'clock."}]
    live.microphone(microphone, 6_000)
    live.sent(7.0, "conversation.item.create", item=item)
    live.sent(7.0, "response.create")
    live.received(7.05, "conversation.item.added", item=item, previous_item_id="agent_1")
    live.response_begins(7.1, "resp_2")
    call = {"id": "call_item", "type": "function_call", "name": "book", "call_id": "call_1"}
    begun = {**call, "arguments": "", "status": "in_progress"}
    ended = {**call, "arguments": '{"time": "10:00"}', "status": "completed"}
    in_response: dict[str, Any] = {"response_id": "resp_2", "output_index": 0}
    live.received(7.4, "response.output_item.added", item=begun, **in_response)
    live.received(7.4, "conversation.item.added", item=begun)
    live.received(7.5, "response.output_item.done", item=ended, **in_response)
    live.response_ends(7.55, "resp_2")
    output = {"type": "function_call_output", "call_id": "call_1", "output": '{"ok": true}'}
    live.microphone(microphone, 7_300)
    live.sent(8.3, "conversation.item.create", item=output)
    live.sent(8.3, "response.create")
    live.received(8.32, "conversation.item.added", item={**output, "id": "output_1"})
    live.response_begins(8.4, "resp_3")
    pcm = live.spoken_answer(8.8, "resp_3", "agent_2", "Booked for ten.", agent[1][:36_000])
    live.response_ends(8.85, "resp_3")
    live.playback("agent_2", 0, "started", 8.9)
    live.played("agent_2", pcm, 8.9)
    live.microphone(microphone, 9_400)
    live.playback("agent_2", 1_500, "finished", 10.4)
    live.response_begins(10.5, "resp_side", conversation=None)
    live.response_ends(10.6, "resp_side")

    # Spoken over an answer that nobody asked for in the meantime: cut after 1.2 of 4 seconds.
    live.microphone(microphone, 10_000)
    live.sent(11.0, "response.create")
    live.response_begins(11.1, "resp_4")
    text = "Is there anything else that I can do for you today?"
    pcm = live.spoken_answer(11.4, "resp_4", "agent_3", text, agent[2][:96_000])
    live.response_ends(11.5, "resp_4")
    live.playback("agent_3", 0, "started", 12.0)
    live.played("agent_3", pcm[: 48 * 1_200], 12.0)
    live.microphone(microphone, 12_180)
    live.received(
        13.19, "input_audio_buffer.speech_started", audio_start_ms=11_700, item_id="user_3"
    )
    live.playback("agent_3", 1_200, "flushed", 13.2)
    live.sent(
        13.2,
        "conversation.item.truncate",
        item_id="agent_3",
        content_index=0,
        audio_end_ms=1_200,
    )
    live.received(
        13.25,
        "conversation.item.truncated",
        item_id="agent_3",
        content_index=0,
        audio_end_ms=1_200,
    )
    live.received(
        13.3, "error", error={"code": "response_cancel_not_active", "message": "Nothing to cancel."}
    )
    live.microphone(microphone, 14_260)
    live.received(15.3, "input_audio_buffer.speech_stopped", audio_end_ms=14_240, item_id="user_3")
    live.user_item(15.3, "user_3", "No, thank you.", previous="agent_3")
    live.response_begins(15.35, "resp_5")
    live.received(15.4, "something.new", detail={"of": "a later version"})
    live.sent(15.5, "input_audio_buffer.append", audio=17)
    live.response_ends(15.6, "resp_5", "cancelled", "client_cancelled")
    live.microphone(microphone, 15_000)
