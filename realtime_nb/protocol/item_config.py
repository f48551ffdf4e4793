"""The items that a client may add to a conversation."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from realtime_nb.protocol.session_fields import ConfigStruct
from realtime_nb.protocol.wire import JsonObject

__all__ = ["FunctionCallItem", "FunctionCallOutputItem", "MessageItem", "check_item"]


class _Part(ConfigStruct, frozen=True, kw_only=True, tag_field="type"):
    pass


class InputText(_Part, frozen=True, kw_only=True, tag="input_text"):
    """Typed text of a user or system message."""

    text: str


class InputAudio(_Part, frozen=True, kw_only=True, tag="input_audio"):
    """Recorded speech of a user message, base64 in the session's input format."""

    audio: str
    transcript: str | None | UnsetType = UNSET


class InputImage(_Part, frozen=True, kw_only=True, tag="input_image"):
    """A picture as a data URI."""

    image_url: str
    detail: Literal["auto", "low", "high"] | UnsetType = UNSET


class OutputText(_Part, frozen=True, kw_only=True, tag="output_text"):
    """Text of an assistant message: history that a client restores."""

    text: str


_ItemStatus = Literal["in_progress", "completed", "incomplete"]


class _Item(ConfigStruct, frozen=True, kw_only=True, tag_field="type"):
    id: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET
    status: _ItemStatus | UnsetType = UNSET


class MessageItem(_Item, frozen=True, kw_only=True, tag="message"):
    """Something that the user, the assistant or the system says."""

    role: Literal["user", "assistant", "system"]
    content: list[InputText | InputAudio | InputImage | OutputText]


_CallId = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]+$", max_length=64)]


class FunctionCallItem(_Item, frozen=True, kw_only=True, tag="function_call"):
    """A call that the model made: history that a client restores."""

    name: str
    arguments: str
    call_id: _CallId | UnsetType = UNSET


class FunctionCallOutputItem(_Item, frozen=True, kw_only=True, tag="function_call_output"):
    """What a tool returned."""

    call_id: _CallId
    output: str


Item = MessageItem | FunctionCallItem | FunctionCallOutputItem


def check_item(item: JsonObject) -> Item:
    """Returns an item that a client wants to add; raises like :func:`check_session`."""
    checked: Item = msgspec.convert(item, Item)
    return checked
