"""Text to speech behind any OpenAI-compatible ``/audio/speech``.

Speaches, Kokoro-FastAPI, LocalAI and the hosted services all have one::

    rt.serve(tts=rt.HttpTTS("http://localhost:8880/v1", "kokoro", voice="af_heart"))
"""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.audio.wav import WAV_FORMS, find_wav_header
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.local.http_service import HttpService, usable_name
from realtime_nb.local.threads import run_apart

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTTS"]

_RATES = range(8_000, 192_001)
_RATE = re.compile(r"\brate=(\d{4,6})\b")
_OTHER_FORMS = (b"ID3\x03", b"ID3\x04", b"OggS", b"fLaC")
_MPEG = ("audio/mpeg", "audio/mp3", "audio/aac")
_TELLS_BYTES = 12
_LONGEST_HEAD = 64 * 1024
_ENDLESS = 1 << 62


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the audio of an answer begins, at which rate, and how long it is."""

    start: int
    sample_rate: int
    audio_bytes: int


class HttpTTS:
    """Has another machine speak; its speech is heard while it still comes.

    Args:
        base_url: up to and including the version: ``https://api.openai.com/v1``.
        model: the model's name there.
        voice: one of the service's; None: whichever the session asks for.
        api_key: sent as a bearer token; never shown.
        response_format: what is asked for: ``"pcm"`` or ``"wav"``. A WAV is taken as one either
            way, at the rate that it tells.
        sample_rate: of ``pcm``, which tells none.
        timeout_s: how long the service may be silent before a sentence fails.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: something of it can't be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        voice: str | None = None,
        api_key: str | None = None,
        response_format: Literal["pcm", "wav"] = "pcm",
        sample_rate: int = SAMPLE_RATE,
        timeout_s: float = 30.0,
    ) -> None:
        if response_format not in ("pcm", "wav"):
            raise ConfigurationError(
                f"response_format is {response_format!r}; give 'pcm' or 'wav'."
            )
        if type(sample_rate) is not int or sample_rate not in _RATES:
            raise ConfigurationError(
                f"sample_rate is {sample_rate!r}; give a whole number from {_RATES[0]} to "
                f"{_RATES[-1]}."
            )
        self.voice = voice if voice is None else usable_name("voice", voice)
        self.sample_rate = sample_rate
        self.response_format = response_format
        self._service = HttpService(base_url, "/audio/speech", model, api_key, timeout_s)
        self.name = self.model = self._service.model

    def __repr__(self) -> str:
        voice = f", voice={self.voice!r}" if self.voice else ""
        return f"HttpTTS({self._service.shown_url!r}, {self.model!r}{voice})"

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> bytes:
        """Returns ``text`` as PCM16 mono, ``b""`` when nothing in it can be spoken. Blocks.

        Raises:
            RealtimeError: the service can't be reached, refuses, or answers with something else.
        """
        return run_apart(self._whole(text, voice, speed))

    async def speak_async(
        self, text: str, voice: str = "alloy", speed: float = 1.0
    ) -> AsyncIterator[bytes]:
        """Yields the same in pieces, as they come; closing it ends the request."""
        if not any(map(str.isalnum, text)):
            return
        asked: dict[str, Any] = {
            "model": self.model,
            "input": text,
            "voice": self.voice or voice,
            "response_format": self.response_format,
        }
        if speed != 1.0:  # some services know none
            asked["speed"] = speed
        async with aclosing(self._service.streamed(self._pcm, json=asked)) as came:
            async for pcm in came:
                yield pcm

    async def _whole(self, text: str, voice: str, speed: float) -> bytes:
        return b"".join([pcm async for pcm in self.speak_async(text, voice, speed)])

    async def _pcm(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yields the audio of an answer as PCM16 at the engine's rate, in whole samples."""
        content_type = response.headers.get("Content-Type", "").lower()
        head: _Head | None = None
        left, rest = 0, b""
        async for piece in response.aiter_bytes():
            rest += piece
            if head is None:
                head = self._head(rest, content_type)
                if head is None:
                    continue
                resampler = Resampler(head.sample_rate, self.sample_rate)
                rest, left = rest[head.start :], head.audio_bytes
            rest = rest[:left]  # a WAV may go on with what is no audio
            whole = len(rest) // 2 * 2
            left -= whole
            if pcm := resampler.process_pcm(rest[:whole]):
                yield pcm
            rest = rest[whole:]
        if head is None:
            raise RealtimeError(f"{self._service.shown_url} answered with no audio. Check model.")
        if pcm := resampler.process_pcm(b"", last=True):
            yield pcm

    def _head(self, came: bytes, content_type: str) -> _Head | None:
        """Returns where the audio begins and what it is; None as long as that can't be told.

        Raises:
            RealtimeError: it is none that can be taken.
        """
        shown, kind = self._service.shown_url, content_type.partition(";")[0].strip()
        if kind.startswith("text/") or kind.endswith("json"):
            raise RealtimeError(
                f"{shown} answered with {kind}, which is no audio. Check base_url and model."
            )
        if len(came) < _TELLS_BYTES:
            return None
        if came[:4] in WAV_FORMS:
            return self._wav_head(came)
        if came[:4] in _OTHER_FORMS or (kind in _MPEG and came[0] == 0xFF):
            raise RealtimeError(
                f"{shown} answered with {kind or 'another form of audio'} where "
                f"{self.response_format} was asked for. Try response_format='wav', or ask for "
                "PCM in the service's settings."
            )
        told = _RATE.search(content_type)
        return _Head(0, int(told[1]) if told else self.sample_rate, _ENDLESS)

    def _wav_head(self, came: bytes) -> _Head | None:
        header, shown = find_wav_header(io.BytesIO(came)), self._service.shown_url
        if header is None:
            if len(came) > _LONGEST_HEAD:
                raise RealtimeError(f"{shown} answered with a WAV without audio. Check model.")
            return None
        if not header.is_mono_pcm16 or header.sample_rate not in _RATES:
            raise RealtimeError(
                f"{shown} answered with a WAV of {header.channels} channels, {header.bits} bits, "
                f"{header.sample_rate} Hz (format {header.encoding}); needed is PCM, mono, 16 bit. "
                "Try response_format='pcm'."
            )
        return _Head(header.start, header.sample_rate, header.told_bytes or _ENDLESS)
