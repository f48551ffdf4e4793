"""Client frames of every kind of wrongness, and right ones in any order, from a seed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

from realtime_nb.testing import silence, tone

__all__ = ["HostileClient"]

_KINDS = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
]
_BYTES = [b"", b"\0", b"\xff\xfe", b"{", b'{"type"', b"\x00\xd8" * 50, bytes(range(256))]
_TEXTS = [
    "",
    " ",
    "null",
    "{}",
    "[]",
    "0",
    '"',
    "{",
    '{"type"}',
    '{"type": "response.create"',
    '{"type": "response.create"} {}',
    "NaN",
    '{"type": NaN}',
    '{"type": 1e999}',
    '{"type": "\\ud800"}',
    '{"type": "response.create", "response": {"metadata": {"\\ud800": "\\udfff"}}}',
    "[" * 5_000,
    '{"a":' * 5_000,
    '{"type": "session.update", "session": ' + "[" * 3_000 + "]" * 3_000 + "}",
    '{"type": "response.cancel", "type": "input_audio_buffer.clear"}',
    "\ufeff{}",
    "𝕳𝖎" * 100,
]
_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**63,
    -(2**80),
    0.5,
    1e308,
    "",
    "auto",
    "none",
    "root",
    "alloy",
    "realtime",
    "x" * 600,
    "\u0000",
    "日本\u202e",
    [],
    {},
    [[]],
    [None],
    {"type": "server_vad"},
    {"": ""},
]


_PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}


class HostileClient:
    """An endless source of frames.

    Args:
        seed: of everything it does.
        ids: the ids that the server has shown so far, so that some frames are about real things.
    """

    def __init__(self, seed: int, ids: list[str]) -> None:
        self.random = random.Random(seed)
        self.ids = ids

    def frame(self) -> str | bytes:
        """The next frame: sometimes bytes, sometimes no JSON, sometimes quite in order."""
        dice = self.random.random()
        if dice < 0.04:
            return self.random.choice(_BYTES)
        if dice < 0.12:
            return self.random.choice(_TEXTS)
        event = self._event()
        if dice < 0.45:
            self._spoil(event)
        text = json.dumps(event)
        if dice < 0.15:
            text = text[: self.random.randrange(len(text) + 1)]
        return text

    def _id(self) -> str:
        return self.random.choice([*self.ids[-30:], "item_unknown"])

    def _event(self) -> dict[str, Any]:
        kind = self.random.choice(_KINDS)
        make: dict[str, Callable[[], dict[str, Any]]] = {
            "session.update": self._session,
            "input_audio_buffer.append": self._append,
            "conversation.item.create": self._item,
            "conversation.item.retrieve": lambda: {"item_id": self._id()},
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": lambda: {"item_id": self._id()},
            "response.create": self._response,
            "response.cancel": lambda: self._maybe(response_id=self._id()),
        }
        event = {"type": kind, **make.get(kind, dict)()}
        if self.random.random() < 0.3:
            event["event_id"] = f"mine-{self.random.randrange(100)}"
        return event

    def _maybe(self, **fields: Any) -> dict[str, Any]:
        return {key: value for key, value in fields.items() if self.random.random() < 0.5}

    def _append(self) -> dict[str, Any]:
        audio = self.random.choice(
            [
                tone(self.random.choice([40, 300, 700])),
                silence(self.random.choice([40, 300, 700])),
                self.random.randbytes(self.random.randrange(2_000)),
            ]
        )
        return {"audio": base64.b64encode(audio).decode()}

    def _truncate(self) -> dict[str, Any]:
        end_ms = self.random.choice([-1, 0, 1, 100, 200, 10**6])
        return {"item_id": self._id(), "content_index": 0, "audio_end_ms": end_ms}

    def _item(self) -> dict[str, Any]:
        role = self.random.choice(["user", "assistant", "system"])
        text = {"type": "output_text" if role == "assistant" else "input_text", "text": "hm"}
        sound = {"type": "input_audio", **self._append()}
        item: dict[str, Any] = self.random.choice(
            [
                {"type": "message", "role": role, "content": [text]},
                {"type": "message", "role": "user", "content": [text, sound, sound]},
                {"type": "function_call", "name": "f", "arguments": "{}", "call_id": self._id()},
                {"type": "function_call_output", "call_id": self._id(), "output": "1"},
                {"type": "message", "role": "user", "content": [_PICTURE]},
                self._of_tool_server(),
            ]
        )
        return {
            "item": {**item, **self._maybe(id=self._id())},
            **self._maybe(previous_item_id=self.random.choice([None, "root", self._id()])),
        }

    def _of_tool_server(self) -> dict[str, Any]:
        named = {"id": f"mcp-{self.random.randrange(1_000_000)}", "server_label": "s", "name": "f"}
        item: dict[str, Any] = self.random.choice(
            [
                {"type": "mcp_call", **named, "arguments": "{}"},
                {"type": "mcp_approval_request", **named, "arguments": "{}"},
                {
                    "type": "mcp_approval_response",
                    "id": named["id"],
                    "approval_request_id": self._id(),
                    "approve": True,
                },
                {"type": "mcp_list_tools", "server_label": "s", "tools": []},
            ]
        )
        return item

    def _session(self) -> dict[str, Any]:
        side = {"type": "audio/pcm", "rate": 24_000}
        detection = self.random.choice(
            [
                None,
                {"type": "server_vad", "silence_duration_ms": 200, "idle_timeout_ms": 5_000},
                {"type": "server_vad", "create_response": False},
                {"type": "semantic_vad", "eagerness": "high"},
            ]
        )
        audio = {
            "input": self._maybe(
                format=self.random.choice([side, {"type": "audio/pcmu"}, {"type": "audio/pcma"}]),
                turn_detection=detection,
                transcription={"model": self.random.choice(["whisper-1", "gpt-4o-transcribe"])},
                noise_reduction={"type": "far_field"},
            ),
            "output": self._maybe(format=side, voice=self._voice(), speed=1.2),
        }
        rest = self._maybe(
            audio=audio,
            instructions="Be hostile.",
            output_modalities=self.random.choice([["text"], ["audio"], ["audio", "text"]]),
            tools=self._tools(),
            tool_choice=self.random.choice(["required", {"type": "function", "name": "f"}]),
            max_output_tokens=self.random.choice([1, 30, "inf"]),
            truncation={"type": "retention_ratio", "retention_ratio": 0.5},
            prompt={"id": "p", "variables": {"a": "b"}},
            tracing=self.random.choice([None, None, "auto"]),
            include=["item.input_audio_transcription.logprobs"],
            reasoning={"effort": "low"},
        )
        return {"session": {"type": "realtime", **rest}}

    def _voice(self) -> Any:
        return self.random.choice(["marin", {"id": "voice_1"}])

    def _tools(self) -> list[dict[str, Any]]:
        number = self.random.randrange(3)
        server = {"type": "mcp", "server_label": f"s{number}", "server_url": "https://x.example"}
        function = {"type": "function", "name": "f", "parameters": {}}
        return [self.random.choice([function, function, server])]

    def _response(self) -> dict[str, Any]:
        response = self._maybe(
            audio={"output": self._maybe(voice=self._voice())},
            tools=self._tools(),
            conversation=self.random.choice(["auto", "none"]),
            output_modalities=self.random.choice([["text"], ["audio"]]),
            metadata={"a": "b"},
            input=[{"type": "item_reference", "id": self._id()}, self._item()["item"]],
        )
        return self._maybe(response=response)

    def _spoil(self, event: dict[str, Any]) -> None:
        """Changes, adds or removes something somewhere."""
        node: Any = event
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                return
            key = self.random.choice(keys)
            if isinstance(node[key], dict | list) and self.random.random() < 0.7:
                node = node[key]
                continue
            action = self.random.random()
            if action < 0.6:
                node[key] = self.random.choice(_VALUES)
            elif action < 0.8:
                del node[key]
            elif isinstance(node, dict):
                node[self.random.choice(["more", "type", "id", "\u2028"])] = self.random.choice(
                    _VALUES
                )
            return
