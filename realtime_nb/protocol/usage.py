"""Token counts as the local server reports them.

Audio follows the hosted service's rule: one token per 100 ms of user audio, one per 50 ms of
assistant audio. Text is estimated at four characters a token. Cached tokens are the part of the
input that the previous response already had in front of it, in whole blocks of 64 as seen on the
wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from realtime_nb.protocol.conversation import Item
from realtime_nb.protocol.events import JsonObject

__all__ = [
    "CHARS_PER_TOKEN",
    "MS_PER_AUDIO_TOKEN",
    "InputTokens",
    "audio_output_tokens",
    "count_input",
    "text_tokens",
    "transcription_usage",
    "usage_object",
]

CHARS_PER_TOKEN = 4
MS_PER_AUDIO_TOKEN = 50
"""Of assistant audio; a token of user audio lasts twice as long."""

_CACHE_BLOCK = 64


@dataclass(frozen=True, slots=True)
class InputTokens:
    """Input tokens by modality."""

    text: int = 0
    audio: int = 0

    def cached_of(self, previous: InputTokens) -> InputTokens:
        """Returns the part that a cache filled by ``previous`` can serve."""
        return InputTokens(
            min(self.text, previous.text) // _CACHE_BLOCK * _CACHE_BLOCK,
            min(self.audio, previous.audio) // _CACHE_BLOCK * _CACHE_BLOCK,
        )


def text_tokens(text: str) -> int:
    """Returns estimated tokens of a text."""
    return -(-len(text) // CHARS_PER_TOKEN)


def audio_output_tokens(audio_ms: float) -> int:
    """Tokens of assistant audio."""
    return round(audio_ms / MS_PER_AUDIO_TOKEN)


def count_input(items: Iterable[Item], instructions: str, tools: list[JsonObject]) -> InputTokens:
    """Tokens of everything that a response has in front of it."""
    text = text_tokens(instructions)
    if tools:
        text += text_tokens(msgspec.json.encode(tools).decode())
    audio = 0
    for item in items:
        text += text_tokens(item.arguments) + text_tokens(item.output or "")
        if item.role == "user" and item.audio_ms:
            audio += round(item.audio_ms / (2 * MS_PER_AUDIO_TOKEN))
        elif item.role == "assistant" and item.audio_ms:
            audio += audio_output_tokens(item.remembered_ms)
            text += text_tokens(item.heard_text)
        else:
            text += text_tokens(item.text)
    return InputTokens(text, audio)


def usage_object(
    tokens: InputTokens, cached: InputTokens, output_text: int, output_audio: int
) -> JsonObject:
    """Returns the ``usage`` of a ``response.done``; cached tokens are a subset of the input's."""
    return {
        "total_tokens": tokens.text + tokens.audio + output_text + output_audio,
        "input_tokens": tokens.text + tokens.audio,
        "output_tokens": output_text + output_audio,
        "input_token_details": {
            "text_tokens": tokens.text,
            "audio_tokens": tokens.audio,
            "image_tokens": 0,
            "cached_tokens": cached.text + cached.audio,
            "cached_tokens_details": {
                "text_tokens": cached.text,
                "audio_tokens": cached.audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": output_text, "audio_tokens": output_audio},
    }


_PRICED_BY_TOKENS = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""What the names of such transcribers begin with; all others are billed by duration."""


def transcription_usage(transcription: JsonObject, audio_ms: float, text: str) -> JsonObject:
    """Returns the ``usage`` of a transcript, as the model that was asked for is billed."""
    model = transcription.get("model")
    if not isinstance(model, str) or not model.startswith(_PRICED_BY_TOKENS):
        return {"type": "duration", "seconds": round(audio_ms / 1000, 3)}
    asked = text_tokens(transcription.get("prompt") or "")
    heard = round(audio_ms / (2 * MS_PER_AUDIO_TOKEN))
    said = text_tokens(text)
    return {
        "type": "tokens",
        "total_tokens": asked + heard + said,
        "input_tokens": asked + heard,
        "input_token_details": {"text_tokens": asked, "audio_tokens": heard},
        "output_tokens": said,
    }
