"""What a conversation can be restored from, when a new server session takes over from a lost one.

A server can be told texts, calls and their outputs. It can't be given back audio of its own, so an
answer becomes the text that was heard of it, and a user's turn its transcript; where that had not
come, its audio. What has been restored as text is text to the server: it can't be truncated any
more.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Protocol

from realtime_nb.protocol.records import UNHEARD_MS, FunctionCall, Item
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "MAX_RESTORED_ITEMS",
    "MAX_SUMMARY_CHARACTERS",
    "History",
    "history_items",
    "is_spoken",
    "remembered_text",
    "spoken_message",
    "summary_of",
    "why_not_restored",
]

MAX_RESTORED_ITEMS = 200
"""Items that are restored one by one; of a longer conversation, what came before is a summary."""

MAX_SUMMARY_CHARACTERS = 12_000
"""How long a summary may be; what is oldest is left out."""

_UNHEARD = "unheard"

AudioOf = Callable[[str], str | None]
"""Returns the audio of a user's turn as the wire has it, where it is still known."""


def _no_audio(item_id: str) -> None:
    """Knows none of any."""


class History(Protocol):
    """A conversation, as far as it can be told again; see
    :class:`realtime_nb.protocol.conversation.Conversation`."""

    items: dict[str, Item]
    order: list[str]
    calls: dict[str, FunctionCall]


def remembered_text(item: Item) -> str:
    """Returns what the user heard of an agent's message, or will when it has been played.

    Up to where it was cut, where its playback was dropped, or where its audio breaks off.
    """
    if item.audio_ms == 0:
        # Words that were to be spoken may have come, but no sound.
        return item.written_text if item.status == "incomplete" else item.text
    end_ms = item.audio_ms
    if item.truncated_ms is not None:
        end_ms = min(end_ms, item.truncated_ms)
    if item.playback == "flushed" and item.played_ms is not None:
        end_ms = min(end_ms, item.played_ms)
    whole = item.spoken_whole and end_ms >= item.audio_ms - UNHEARD_MS
    return item.text if whole else item.text_until(end_ms)


def spoken_message(audio: str) -> JsonObject:
    """Returns the item of what a user said, as audio."""
    content = [{"type": "input_audio", "audio": audio}]
    return {"type": "message", "role": "user", "content": content}


def is_spoken(item: JsonObject) -> bool:
    """Tells whether an item to create is audio."""
    content = item.get("content")
    return isinstance(content, list) and any("audio" in part for part in content)


def history_items(
    conversation: History, skip: Container[str] = (), audio_of: AudioOf = _no_audio
) -> list[JsonObject]:
    """Returns the conversation as items to create, in order, with the ids that they have.

    Args:
        conversation: as it was when its connection was lost.
        skip: ids that are told otherwise.
        audio_of: tells the audio of turns whose transcripts had not come.
    """
    items = (item for item in _items(conversation) if item.id not in skip)
    told = (_told(item, conversation.calls, audio_of) for item in items)
    return [item for item in told if isinstance(item, dict)]


def why_not_restored(item: Item, call: FunctionCall | None) -> str | None:
    """Returns why an item can't be told to another session; None where it can, or need not."""
    told = _told(item, {} if call is None else {call.call_id: call}, _no_audio)
    return told if isinstance(told, str) and told != _UNHEARD else None


def _items(conversation: History) -> Iterable[Item]:
    return (conversation.items[item_id] for item_id in conversation.order)


def _told(item: Item, calls: Mapping[str, FunctionCall], audio_of: AudioOf) -> JsonObject | str:
    """Returns an item as it is created, or why that can't be."""
    match item.type:
        case "message":
            return _message(item, audio_of)
        case "function_call":
            return _call(item, calls)
        case "function_call_output":
            return _output(item, calls)
        case _:
            return f"a server makes {item.type} itself"


def _message(item: Item, audio_of: AudioOf) -> JsonObject | str:
    if any(part.get("type") == "input_image" for part in item.content):
        return "images are not kept"
    if item.role == "user" and item.transcript != "completed":
        audio = audio_of(item.id)
        if audio is not None:
            return {"id": item.id, **spoken_message(audio)}
    kind = "input_text"
    text = item.text
    if item.role == "assistant":
        kind, text = "output_text", remembered_text(item)
    if text:
        content = [{"type": kind, "text": text}]
        return {"id": item.id, "type": "message", "role": item.role or "user", "content": content}
    if item.role == "assistant":
        return _UNHEARD
    return "audio without a transcript"


def _is_whole(call: FunctionCall | None) -> bool:
    # Servers without events for items never say that it is completed; that it ran does.
    if call is None or not call.name:
        return False
    return call.status == "completed" or call.run_started_s is not None or call.output is not None


def _call(item: Item, calls: Mapping[str, FunctionCall]) -> JsonObject | str:
    call = calls.get(item.call_id or "")
    if call is None or not _is_whole(call):
        return "the call was never whole"
    return {
        "id": item.id,
        "type": "function_call",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _output(item: Item, calls: Mapping[str, FunctionCall]) -> JsonObject | str:
    call = calls.get(item.call_id or "")
    if call is None or not _is_whole(call):
        return "it answers a call that was never whole"
    output = call.output if call.output is not None else item.output or ""
    return {
        "id": item.id,
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": output,
    }


# --- as a text ------------------------------------------------------------------------------------


def summary_of(items: Iterable[JsonObject]) -> str:
    """Returns items as lines of text, for a model's instructions; the newest that there is room
    for. Empty without any."""
    names: dict[str, str] = {}
    lines = [line for item in items if (line := _line(item, names))]
    kept: list[str] = []
    room = MAX_SUMMARY_CHARACTERS
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            kept.append("(What came before is left out.)")
            break
        kept.append(line)
    if not kept:
        return ""
    head = "The conversation so far, which goes on now. Don't greet again:"
    return "\n".join([head, *reversed(kept)])


def _line(item: JsonObject, names: dict[str, str]) -> str:
    match item["type"]:
        case "message":
            text = " ".join(str(part.get("text", "")) for part in item["content"])
            return f"{item['role']}: {text}" if text else ""
        case "function_call":
            names[item["call_id"]] = item["name"]
            return f"(called {item['name']} with {item['arguments']})"
        case "function_call_output":
            return f"({names.get(item['call_id'], 'it')} returned {item['output']})"
        case _:
            return ""
