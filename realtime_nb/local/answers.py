"""What engines give, looked at before it is used: anybody may have written them.

What is wrong is told in words, to the client too; the server goes on. Half a letter (a surrogate
that has lost its other half, as in JSON that a tool gave) can neither be sent nor spoken: U+FFFD
takes its place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any

from realtime_nb.errors import RealtimeError
from realtime_nb.local.llm import LLM, Call, Text, Usage
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.wire import encodable

__all__ = ["piece_of", "speech_of", "stream_of", "words_of"]


def words_of(stt: STT, answer: object) -> str:
    """Returns what a speech recognition gave.

    Raises:
        RealtimeError: that is no text.
    """
    if isinstance(answer, str):
        return str(encodable(answer))
    raise _wrong("speech recognition", stt.name, answer, 'text, "" where there are no words')


def speech_of(tts: TTS, answer: Any) -> bytes:
    """Returns what a voice gave.

    Raises:
        RealtimeError: that is not PCM16.
    """
    if isinstance(answer, bytes | bytearray):
        return bytes(answer)
    raise _wrong("voice", tts.name, answer, "bytes of PCM16, mono and little-endian")


def stream_of(llm: LLM, answer: Any) -> AsyncIterator[object]:
    """Returns what a language model's ``reply`` gave.

    Raises:
        RealtimeError: that is no asynchronous stream.
    """
    if hasattr(answer, "__aiter__"):
        stream: AsyncIterator[object] = aiter(answer)
        return stream
    raise _wrong("language model", llm.name, answer, "an asynchronous stream of Text and Call")


def piece_of(llm: LLM, piece: Any) -> Text | Call | Usage:
    """Returns a piece of what a language model gave.

    Raises:
        RealtimeError: that is neither text nor a call, nor whole numbers of tokens.
    """
    match piece:
        case Text(str() as delta):
            return Text(encodable(delta))
        case Call(str() as name, str() as arguments, str() | None as call_id):
            return Call(encodable(name), encodable(arguments), call_id)
        case Usage(read, written, cached) if all(map(_is_count, (read, written, cached))):
            return piece
    raise _wrong("language model", llm.name, piece, "Text(str), Call(str, str), Usage(int, int)")


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 1 << 53)


def _wrong(what: str, name: str, answer: object, instead: str) -> RealtimeError:
    given = type(answer).__name__
    if isinstance(answer, Coroutine):
        answer.close()  # it would complain later that nobody awaited it
    if isinstance(answer, Text | Call | Usage):
        fields = (getattr(answer, field) for field in answer.__match_args__)
        given += f"({', '.join(type(field).__name__ for field in fields)})"
    return RealtimeError(
        f"The {what} {name!r} gave {given}; needed is {instead}. "
        "Whoever wrote that engine has to change it."
    )
