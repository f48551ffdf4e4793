"""The server's copy of the conversation's items: wire form, audio, and what was understood."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Set

import msgspec

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, Item
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import check_item, check_reference
from realtime_nb.protocol.nulls import item_without_nulls
from realtime_nb.protocol.problems import Problem, Refused, problem_from, unsupported

__all__ = ["MAX_KEPT_AUDIO_BYTES", "ItemStore", "decode_audio"]

MAX_KEPT_AUDIO_BYTES = 16 * 1024 * 1024
"""Audio kept for ``conversation.item.retrieve``: some six minutes; the oldest goes first."""

MAX_ITEM_AUDIO_BYTES = 4 * 1024 * 1024
"""Audio of one item that is kept, almost a minute and a half: it is sent as one event, which takes
everybody's time. Of a longer one none is."""

_PARTS_OF_ROLE = {
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
    "system": ("input_text",),
}

_PICTURES = tuple(f"data:image/{kind};base64" for kind in ("png", "jpeg", "jpg"))


def decode_audio(payload: str, param: str) -> bytes:
    """Returns the bytes of a base64 payload; ``Refused`` where it is none."""
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        message = f"Invalid '{param}'. Expected base64-encoded audio bytes."
        raise Refused(Problem("invalid_value", message, param)) from None


class ItemStore:
    """Items by id; their order and texts are those of the conversation it is given.

    Attributes:
        audio_bytes: how much audio is kept.
        heard: what the speech engine understood of user items, by id.
        announced: id that the user item being spoken will have, None between turns.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._wires: dict[str, JsonObject] = {}
        self._audio: dict[str, bytearray] = {}
        self._too_long: set[str] = set()
        self.audio_bytes = 0
        self.heard: dict[str, str] = {}
        self._heard_apart: set[str] = set()  # of them, those that the conversation does not hold
        self.announced: str | None = None

    @property
    def last_id(self) -> str | None:
        """Id of the conversation's last item, None while it is empty."""
        return self._conversation.order[-1] if self._conversation.order else None

    # --- changing ---

    def add(self, wire: JsonObject, audio: bytes, duration_ms: float) -> None:
        """Takes in an item, before it is announced."""
        item_id = wire["id"]
        self._wires[item_id] = wire
        if audio:
            self._conversation.measure(item_id, duration_ms)
            self.keep_audio(item_id, audio)

    def update(self, wire: JsonObject) -> None:
        """Takes an item of a response as it is by now."""
        self._wires[wire["id"]] = wire

    def keep_audio(self, item_id: str, audio: bytes) -> None:
        """Adds audio to an item of the conversation; the oldest audio of all makes room for it."""
        item = self._conversation.items.get(item_id)
        if item_id not in self._wires or item is None or item.interrupted:
            return
        if item_id in self._too_long:
            return
        self._audio.setdefault(item_id, bytearray()).extend(audio)
        self.audio_bytes += len(audio)
        if len(self._audio[item_id]) > MAX_ITEM_AUDIO_BYTES:
            self._too_long.add(item_id)
            self._forget_audio(item_id)
        while self.audio_bytes > MAX_KEPT_AUDIO_BYTES:
            self._forget_audio(next(iter(self._audio)))

    def _forget_audio(self, item_id: str) -> None:
        self.audio_bytes -= len(self._audio.pop(item_id, b""))

    def truncate(self, event: ev.ItemTruncate) -> None:
        """Cuts an assistant item at what was heard of it."""
        item = self._conversation.items.get(event.item_id)
        if item is None or not self._conversation.holds(event.item_id):
            message = f"Item with item_id not found: {event.item_id}"
            raise Refused(Problem("item_truncate_invalid_item_id", message, "item_id"))
        if item.role != "assistant" or not item.audio_ms or event.content_index != 0:
            message = "Only model output audio messages can be truncated"
            raise Refused(Problem("unsupported_content_type", message))
        if event.audio_end_ms < 0:
            message = (
                "Invalid 'audio_end_ms': integer below minimum value. "
                f"Expected a value >= 0, but got {event.audio_end_ms} instead."
            )
            raise Refused(Problem("integer_below_min_value", message, "audio_end_ms"))
        have_ms = item.remembered_ms
        if event.audio_end_ms > have_ms:
            message = (
                f"Audio content of {int(have_ms)}ms is already shorter than {event.audio_end_ms}ms"
            )
            raise Refused(Problem("invalid_value", message, "audio_end_ms"))
        audio = self._audio.get(event.item_id)
        if audio is not None and have_ms:
            keep = round(len(audio) * event.audio_end_ms / have_ms)
            self.audio_bytes -= len(audio)
            del audio[keep - keep % 2 :]
            self.audio_bytes += len(audio)

    def delete(self, item_id: str) -> None:
        """Forgets an item."""
        if not self._conversation.holds(item_id):
            message = f"Error deleting item: the item with id '{item_id}' does not exist."
            raise Refused(Problem("item_delete_invalid_item_id", message, "item_id"))
        self._wires.pop(item_id, None)
        self._too_long.discard(item_id)
        self._forget_audio(item_id)
        if item_id in self.heard:
            self._heard_apart.add(item_id)

    def hear(self, item_id: str, text: str) -> None:
        """Takes what was understood of a user item, which may be of one response only."""
        self.heard[item_id] = text
        if item_id not in self._wires:
            self._heard_apart.add(item_id)

    def forget_unheard_of(self, kept: Set[str]) -> None:
        """Drops texts of items that are neither in the conversation nor among ``kept``."""
        for item_id in self._heard_apart - kept:
            self.heard.pop(item_id, None)
        self._heard_apart &= kept

    # --- reading ---

    def retrieve(self, item_id: str) -> JsonObject:
        """Returns the item as the server has it, with its audio and without a transcript once
        truncated."""
        if not self._conversation.holds(item_id) or item_id not in self._wires:
            message = f"Error retrieving item: the item with id '{item_id}' does not exist."
            raise Refused(Problem("item_retrieve_invalid_item_id", message, "item_id"))
        wire = dict(self._wires[item_id])
        if "content" in wire:
            wire["content"] = [self._with_audio(part, item_id) for part in wire["content"]]
        return wire

    def _with_audio(self, part: JsonObject, item_id: str) -> JsonObject:
        if part["type"] not in ("input_audio", "output_audio"):
            return part
        full = dict(part)
        if part["type"] == "input_audio":
            full["transcript"] = self.heard.get(item_id) or part.get("transcript")
        elif self._conversation.items[item_id].interrupted:
            full.pop("transcript", None)
        audio = self._audio.get(item_id)
        if audio is not None:
            full["audio"] = base64.b64encode(audio).decode("ascii")
        return full

    def audio_part_index(self, item_id: str) -> int | None:
        """Returns which content part of a user item is its audio, None where none is."""
        content = self._wires.get(item_id, {}).get("content", [])
        indices = (i for i, part in enumerate(content) if part["type"] == "input_audio")
        return next(indices, None)

    def audio_ms(self, item_id: str) -> float:
        """Returns how much audio an item of the conversation has."""
        return self._conversation.items[item_id].audio_ms

    # --- what a client wants to add ---

    def position(self, previous_item_id: str | None) -> str | None:
        """Returns the id that a new item will follow, None for the first place."""
        if previous_item_id is None:
            return self.last_id
        if previous_item_id == "root":
            return None
        if not self._conversation.holds(previous_item_id):
            message = (
                f"Error adding item: the previous item with id '{previous_item_id}' does not exist."
            )
            raise Refused(Problem("invalid_value", message, "previous_item_id"))
        return previous_item_id

    def checked(
        self, raw: JsonObject, new_id: Callable[[str], str], path: str = "item"
    ) -> tuple[JsonObject, bytes]:
        """Returns a client's item in wire form, without its audio, and that audio."""
        raw = _checked(raw, path)
        item_id = raw.get("id") or new_id("item")
        if self._is_taken(item_id):
            message = f"Error adding item: an item with id '{item_id}' already exists."
            raise Refused(Problem("invalid_value", message, f"{path}.id"))
        if raw["type"] == "function_call_output":
            self._check_call_id(raw["call_id"])
        wire = {**raw, "id": item_id, "object": "realtime.item", "status": "completed"}
        if raw["type"] == "function_call":
            wire.setdefault("call_id", new_id("call"))
        return self._split_audio(wire, path)

    def _is_taken(self, item_id: str) -> bool:
        """Tells whether an id is somebody's, or still spoken of: of a deleted item its response
        tells to its end."""
        deleted = self._conversation.deleted.get(item_id)
        said = deleted is not None and deleted.status == "in_progress"
        return said or item_id in self._conversation.items or item_id == self.announced

    def _check_call_id(self, call_id: str) -> None:
        calls = (
            self._conversation.items[item_id].call_id
            for item_id in reversed(self._conversation.order)
            if self._conversation.items[item_id].type == "function_call"
        )
        if call_id not in calls:
            message = f"Tool call ID '{call_id}' not found in conversation."
            raise Refused(Problem("invalid_tool_call_id", message))

    @staticmethod
    def _split_audio(wire: JsonObject, path: str) -> tuple[JsonObject, bytes]:
        audio = b""
        parts = []
        for index, part in enumerate(wire.get("content", [])):
            if part["type"] == "input_audio":
                audio += decode_audio(part["audio"], f"{path}.content[{index}].audio")
                parts.append({"type": "input_audio", "transcript": part.get("transcript")})
            else:
                parts.append(part)
        return ({**wire, "content": parts} if parts else wire), audio

    # --- what a response has in front of it ---

    def context(self) -> list[JsonObject]:
        """Returns the conversation so far, without what is still being said."""
        wires = (self._wires[item_id] for item_id in self._conversation.order)
        return [wire for wire in wires if wire["status"] != "in_progress"]

    def checked_input(
        self, raw: list[JsonObject], new_id: Callable[[str], str]
    ) -> tuple[list[JsonObject], dict[str, bytes]]:
        """Returns a response's own ``input``: items, or references to items of the conversation.

        Returns:
            The items in wire form, and the audio of the new ones by id.
        """
        items: list[JsonObject] = []
        audio: dict[str, bytes] = {}
        for index, entry in enumerate(raw):
            path = f"response.input[{index}]"
            if entry.get("type") == "item_reference":
                items.append(self._referenced(entry, path))
                continue
            wire, sound = self._checked_entry(entry, new_id, path)
            items.append(wire)
            if sound:
                audio[wire["id"]] = sound
        return items, audio

    def _referenced(self, entry: JsonObject, path: str) -> JsonObject:
        try:
            item_id = check_reference(entry).id
        except msgspec.ValidationError as error:
            raise Refused(problem_from(error, entry, path)) from None
        wire = self._wires.get(item_id)
        if wire is None:
            message = f"Item with id '{item_id}' not found in conversation."
            raise Refused(Problem("invalid_value", message, f"{path}.id"))
        return wire

    def _checked_entry(
        self, entry: JsonObject, new_id: Callable[[str], str], path: str
    ) -> tuple[JsonObject, bytes]:
        """Returns an item that only this response sees."""
        entry = _checked(entry, path)
        # Its own id could be that of an item of the conversation, which is another one.
        item_id = new_id("item")
        entry = {**entry, "id": item_id}
        if entry["type"] == "function_call_output":
            # Its call may be in this list rather than in the conversation.
            return entry, b""
        return self.checked(entry, new_id, path)

    def records(self, wires: list[JsonObject]) -> list[Item]:
        """Returns the items as records, those of the conversation and others."""
        apart = Conversation()
        found = []
        for wire in wires:
            item = self._conversation.items.get(wire["id"])
            if item is None:
                apart.apply(ev.ItemAdded(item=wire))
                item = apart.items[wire["id"]]
            found.append(item)
        return found

    def with_text(self, items: list[JsonObject]) -> list[JsonObject]:
        """Returns the items as a text model reads them: user audio as understood, answers as
        heard, and nothing of MCP servers."""
        return [self._as_text(wire) for wire in items if not wire["type"].startswith("mcp_")]

    def _as_text(self, wire: JsonObject) -> JsonObject:
        if wire["type"] != "message":
            return wire
        item = self._conversation.items.get(wire["id"])
        heard = self.heard.get(wire["id"])
        content = []
        for part in wire["content"]:
            if part["type"] == "input_audio":
                content.append({**part, "transcript": heard or part.get("transcript") or ""})
                heard = None  # one text for all of an item's audio
            elif part["type"] == "output_audio" and item is not None:
                content.append({**part, "transcript": item.heard_text})
            else:
                content.append(part)
        return {**wire, "content": content}


def _checked(raw: JsonObject, path: str) -> JsonObject:
    """Returns an item without nulls; ``Refused`` where it is none."""
    raw = item_without_nulls(raw)
    _check_parts(raw, path)
    try:
        check_item(raw)
    except msgspec.ValidationError as error:
        raise Refused(problem_from(error, raw, path)) from None
    if raw.get("id") == "root":
        message = f"Invalid '{path}.id': 'root' stands for the beginning of the conversation."
        raise Refused(Problem("invalid_value", message, f"{path}.id"))
    for index, part in enumerate(raw.get("content", ())):
        if part["type"] == "input_image":
            _check_picture(part["image_url"], f"{path}.content[{index}].image_url")
    return raw


def _check_picture(url: str, param: str) -> None:
    """Refuses what is no PNG or JPEG: other kinds, and addresses, are not taken by the hosted
    server either."""
    head, comma, payload = url.partition(",")
    try:
        base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        comma = ""
    if not (comma and payload and head.lower() in _PICTURES):
        message = (
            f"Invalid '{param}'. Expected a PNG or JPEG image as a base64-encoded data URI, "
            "such as 'data:image/png;base64,…'."
        )
        raise Refused(Problem("invalid_value", message, param))


def _check_parts(raw: JsonObject, path: str) -> None:
    """Refuses parts that are not of a message's role; what else is wrong is found later."""
    role, content = raw.get("role"), raw.get("content")
    allowed = _PARTS_OF_ROLE.get(role) if isinstance(role, str) else None
    if raw.get("type") != "message" or allowed is None or not isinstance(content, list):
        return
    for index, part in enumerate(content):
        name = part.get("type") if isinstance(part, dict) else None
        if isinstance(name, str) and name not in allowed:
            message = unsupported(name, allowed)
            raise Refused(Problem("invalid_value", message, f"{path}.content[{index}].type"))
