"""What a server says of a response when it begins and when it is done."""

from __future__ import annotations

from realtime_nb.protocol.records import Response
from realtime_nb.protocol.wire import JsonObject, object_of, text_of

__all__ = ["is_apart", "take_end", "take_told"]


def is_apart(raw: JsonObject) -> bool:
    """Tells whether a response is said to belong to no conversation."""
    return raw.get("conversation_id", "") is None


def take_told(response: Response, raw: JsonObject, *, done: bool) -> None:
    """Brings a response up to what is said of it; what is left out stays as it was.

    Args:
        done: whether it is said at its end.
    """
    response.status = str(raw.get("status") or response.status)
    if done and response.active:  # it does not say how it ended
        response.status = "completed" if raw.get("status") is None else "incomplete"
    response.metadata = object_of(raw, "metadata") or response.metadata
    modalities = raw.get("output_modalities")
    if isinstance(modalities, list):
        response.output_modalities = [str(modality) for modality in modalities]
    audio = object_of(object_of(raw, "audio") or {}, "output")
    if audio is not None:
        response.audio_format = object_of(audio, "format") or response.audio_format
    if "conversation_id" in raw:
        response.conversation_id = text_of(raw, "conversation_id", None)
        response.in_conversation = not is_apart(raw)


def take_end(response: Response, raw: JsonObject, *, mixed: bool) -> None:
    """Takes what is known at its end only: tokens, and why it ended.

    Args:
        mixed: whether it is not known what is of this and what of an earlier one of its id.
    """
    usage = object_of(raw, "usage")
    response.repeated |= response.done and (usage != response.usage or not response.id)
    response.done = True
    response.usage = None if mixed else usage
    details = raw.get("status_details")
    if isinstance(details, dict):
        response.reason = text_of(details, "reason", None)
        response.error = object_of(details, "error")
    elif isinstance(details, str):
        response.reason = details
