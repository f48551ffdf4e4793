"""What the local server tells of its own stages: hearing, thinking, speaking.

An event of this package, no part of the protocol: it is sent to a client that asked for it at the
handshake, by a header, and to nobody else. Recorded, it is an event like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from realtime_nb.protocol.wire import ServerEvent

__all__ = ["STAGES_HEADER", "Stages", "wants_stages"]

STAGES_HEADER = "Realtime-NB-Stages"
"""The header of the handshake by which a client asks for :class:`Stages`; its value is 1."""

_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Amount = Annotated[float, Meta(ge=0)]


def wants_stages(headers: Mapping[str, list[str]]) -> bool:
    """Tells whether a client asked for them.

    Args:
        headers: of its handshake; names in lower case.
    """
    return any(value.strip() == "1" for value in headers.get(STAGES_HEADER.lower(), ()))


class Stages(ServerEvent, frozen=True, kw_only=True, tag="realtime_nb.stages"):
    """When the stages of one response were done, and how much went through them.

    Moments are in ms on the server's own clock (monotonic, from the beginning of the connection);
    only differences between them mean anything. None: it did not come to that, or nobody knows.

    Attributes:
        response_id: whose.
        item_id: the user's item that is answered, where it was heard here.
        stt, llm, tts: names of the engines.
        committed_ms: when the user's turn was taken for over.
        heard_from_ms, heard_ms: when the recognition that counted began and ended. It begins
            within the silence that is waited for.
        asked_ms: when the language model was asked.
        first_token_ms: when the first of what it says came.
        thinking_ms: how long it was waited for in all, from the request to its last token; what the
            voice kept it waiting is not in it. None where it was cut off before.
        sentence_ms: when its first sentence was whole, which is when the voice is given it.
        sent_ms: when the first audio of that was handed to the socket.
        stt_audio_ms: audio that was given to the recognition, in all attempts at the item.
        input_tokens, cached_tokens, output_tokens: as the language model's engine counts them;
            cached ones are part of the input.
        tts_characters, tts_audio_ms: what was given to the voice, and what it made of it.
    """

    response_id: str
    item_id: str | None = None
    stt: str | None = None
    llm: str | None = None
    tts: str | None = None
    committed_ms: _Amount | None = None
    heard_from_ms: _Amount | None = None
    heard_ms: _Amount | None = None
    asked_ms: _Amount | None = None
    first_token_ms: _Amount | None = None
    thinking_ms: _Amount | None = None
    sentence_ms: _Amount | None = None
    sent_ms: _Amount | None = None
    stt_audio_ms: _Amount | None = None
    input_tokens: _Count | None = None
    cached_tokens: _Count | None = None
    output_tokens: _Count | None = None
    tts_characters: _Count | None = None
    tts_audio_ms: _Amount | None = None
