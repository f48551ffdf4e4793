"""A client core and the events of a server, for tests that play the server by hand."""

from __future__ import annotations

import base64
from typing import Any

from realtime_nb.protocol import client_actions as actions
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.testing import CountingIds, silence

SERVER_VAD = {
    "type": "server_vad",
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}


class Client(ClientProtocol):
    """A client core that is told in one line what the server sends, and says what it sends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CountingIds(), **options)
        self.t_s = 0.0

    def hears(self, event_type: str, pcm: bytes | None = None, /, **fields: Any) -> list[Any]:
        self.t_s += 0.01
        return self.receive({"type": event_type, **fields}, self.t_s, pcm)

    def configured(self, detection: Any = SERVER_VAD, **audio_format: str) -> None:
        side = {"format": audio_format} if audio_format else {}
        audio = {"input": {"turn_detection": detection, **side}, "output": side}
        self.hears("session.created", session={"type": "realtime", "audio": audio})

    def sends(self) -> list[dict[str, Any]]:
        """What goes out now, folded in as the driver does; without the ids of the events."""
        events = self.events_to_send()
        for event in events:
            self.sent(event, self.t_s)
        return [{key: event[key] for key in event if key != "event_id"} for event in events]

    def sends_types(self) -> list[str]:
        return [event["type"] for event in self.sends()]

    def does(self) -> list[actions.ClientAction]:
        return self.actions_to_run()

    # --- what a server says in several events ---

    def response_begins(self, response_id: str, conversation: str | None = "conv") -> None:
        response = {
            "id": response_id,
            "status": "in_progress",
            "conversation_id": conversation,
            "output_modalities": ["audio"],
        }
        self.hears("response.created", response=response)

    def item_begins(self, response_id: str, item_id: str, **fields: Any) -> None:
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress"}
        item |= fields
        self.hears("response.output_item.added", response_id=response_id, item=item)

    def audio(self, response_id: str, item_id: str, duration_ms: int) -> None:
        pcm = silence(duration_ms)
        delta = base64.b64encode(pcm).decode()
        ids = {"response_id": response_id, "item_id": item_id, "content_index": 0}
        self.hears("response.output_audio.delta", pcm, delta=delta, **ids)

    def item_ends(
        self, response_id: str, item_id: str, status: str = "completed", **fields: Any
    ) -> None:
        item = {"id": item_id, "type": "message", "role": "assistant", "status": status}
        item |= fields
        self.hears("response.output_item.done", response_id=response_id, item=item)

    def response_ends(self, response_id: str, status: str = "completed", **fields: Any) -> None:
        self.hears("response.done", response={"id": response_id, "status": status, **fields})

    def speaks(self, response_id: str = "resp", item_id: str = "agent", ms: int = 1_000) -> None:
        """A response begins and its audio arrives."""
        self.response_begins(response_id)
        self.item_begins(response_id, item_id)
        self.audio(response_id, item_id, ms)

    def spoken_whole(self, response_id: str = "resp", item_id: str = "agent") -> None:
        self.speaks(response_id, item_id)
        self.item_ends(response_id, item_id)
        self.response_ends(response_id)

    def call(self, response_id: str, call_id: str, name: str, status: str = "completed") -> None:
        """A function call, reported by all the events that report one, but for the last."""
        item = {"id": f"item_{call_id}", "type": "function_call", "name": name, "call_id": call_id}
        ids = {"response_id": response_id, "item_id": item["id"], "call_id": call_id}
        self.hears(
            "response.output_item.added",
            response_id=response_id,
            item={**item, "arguments": "", "status": "in_progress"},
        )
        self.hears("response.function_call_arguments.delta", delta='{"x":', **ids)
        self.hears("response.function_call_arguments.done", arguments='{"x": 1}', name=name, **ids)
        done = {**item, "arguments": '{"x": 1}', "status": status}
        self.hears("conversation.item.done", item=done)
        self.hears("response.output_item.done", response_id=response_id, item=done)

    def refuses(self, code: Any, cause: str | None, message: str = "No.", **fields: Any) -> None:
        error = {"code": code, "message": message, "event_id": cause, **fields}
        self.hears("error", error=error)

    def user_starts(self, audio_start_ms: int = 0) -> None:
        self.hears("input_audio_buffer.speech_started", audio_start_ms=audio_start_ms, item_id="u")

    def user_stops(self, audio_end_ms: int = 900) -> None:
        self.hears("input_audio_buffer.speech_stopped", audio_end_ms=audio_end_ms, item_id="u")
        self.hears("input_audio_buffer.committed", item_id="u")
