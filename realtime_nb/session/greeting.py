"""What an agent says before anybody has spoken to it."""

from __future__ import annotations

from collections.abc import Mapping

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.serving import WORD_FOR_WORD

__all__ = ["Greeting", "greeting_response"]

Greeting = str | Mapping[str, str]
"""A text that is said word for word, or ``{"instructions": …}``."""


def greeting_response(greeting: object) -> JsonObject:
    """Returns the fields of the response that greets; it calls no function.

    Raises:
        ConfigurationError: the greeting is empty, or something else.
    """
    words = greeting.get("instructions") if isinstance(greeting, Mapping) else greeting
    only = not isinstance(greeting, Mapping) or set(greeting) == {"instructions"}
    if not (only and isinstance(words, str) and words.strip()):
        raise ConfigurationError(
            f"greeting is {greeting!r}; give what is to be said, as a text, or instructions for "
            'it: greeting={"instructions": "Greet the caller in French."}.'
        )
    said_as_it_is = not isinstance(greeting, Mapping)
    return {
        "instructions": f"{WORD_FOR_WORD} {words.strip()}" if said_as_it_is else words,
        "tool_choice": "none",
    }
