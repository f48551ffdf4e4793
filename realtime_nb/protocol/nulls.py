"""Where a client's ``null`` says no more than leaving the field out.

The hosted server takes it so in ``response.create`` (LiveKit's plug-in sends ``instructions:
null``), and in what an item need not have. In a session it has a meaning where it is documented
(``turn_detection: null`` is push-to-talk) and is refused elsewhere: ``speed: null`` is an
``invalid_type`` there, too. Fields that nobody knows, and those that are required, keep theirs, so
that whoever validates complains of them.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from realtime_nb.protocol.fields import (
    ItemFields,
    ItemPart,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseConfig,
)
from realtime_nb.protocol.wire import JsonObject

__all__ = ["item_without_nulls", "response_without_nulls"]

_Shape = type[msgspec.Struct]


def _optional(shape: _Shape) -> frozenset[str]:
    return frozenset(f.encode_name for f in msgspec.structs.fields(shape) if not f.required)


def _by_tag(union: object) -> dict[object, frozenset[str]]:
    return {shape.__struct_config__.tag: _optional(shape) for shape in get_args(union)}


_RESPONSE = _optional(ResponseConfig)
_AUDIO, _OUTPUT = _optional(ResponseAudio), _optional(ResponseAudioOutput)
_ITEMS, _PARTS = _by_tag(ItemFields), _by_tag(ItemPart)


def response_without_nulls(response: JsonObject) -> JsonObject:
    """Returns ``response.create.response`` with nothing where it says null."""
    fields = _without(response, _RESPONSE)
    if isinstance(audio := fields.get("audio"), dict):
        audio = fields["audio"] = _without(audio, _AUDIO)
        if isinstance(output := audio.get("output"), dict):
            audio["output"] = _without(output, _OUTPUT)
    return fields


def item_without_nulls(item: JsonObject) -> JsonObject:
    """Returns a client's item with nothing where it says null."""
    fields = _without(item, _of_type(item, _ITEMS))
    if isinstance(content := fields.get("content"), list):
        fields["content"] = [
            _without(part, _of_type(part, _PARTS)) if isinstance(part, dict) else part
            for part in content
        ]
    return fields


def _of_type(fields: JsonObject, shapes: dict[object, frozenset[str]]) -> frozenset[str]:
    name = fields.get("type")
    return shapes.get(name, frozenset()) if isinstance(name, str) else frozenset()


def _without(fields: JsonObject, optional: frozenset[str]) -> JsonObject:
    return {key: held for key, held in fields.items() if held is not None or key not in optional}
