"""What a server refuses of an agent's settings, explained with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_nb.errors import ServerError

__all__ = ["VOICE_LOCKED", "explained"]

VOICE_LOCKED = "cannot_update_voice"


def explained(error: ServerError, settings: Mapping[str, Any]) -> ServerError:
    """Returns the error with what it means for the settings that were asked for.

    Of a voice after the agent has spoken it says that the next session takes it: whoever raises
    this keeps it for then.
    """
    if error.code == VOICE_LOCKED:
        words = (
            "A voice can't change once the agent has spoken. Press Disconnect, then Connect: "
            f"the next session speaks with {settings.get('voice')!r}."
        )
    elif error.code is None and error.param is None:  # it was not refused, but never answered
        return error
    else:
        names = ", ".join(settings)
        words = (
            f"The server refused this and changed nothing: {error} "
            f"What was in force before ({names}) stays; choose another value."
        )
    return ServerError(words, error.code, error.param, error.event_id)
