"""Speech to text behind any OpenAI-compatible ``/audio/transcriptions``.

Speaches, LocalAI, vLLM, whisper.cpp's server and the hosted services all have one::

    rt.serve(stt=rt.HttpSTT("http://localhost:8000/v1", "Systran/faster-whisper-small"))
"""

from __future__ import annotations

import io
import json
import wave

from realtime_nb.errors import RealtimeError
from realtime_nb.local.http_service import HttpService, usable_name
from realtime_nb.local.threads import run_apart

__all__ = ["HttpSTT"]


class HttpSTT:
    """Has another machine write down what is said.

    The local server asks it ahead, in the pauses of a turn, and stops the request if speech goes
    on: a service that bills by request sees more of them than there are turns.

    Args:
        base_url: up to and including the version: ``https://api.openai.com/v1``.
        model: the model's name there.
        api_key: sent as a bearer token; never shown.
        language: of the speech, as the service names it (``"en"``); None leaves it to the service.
        timeout_s: how long the service may be silent before a transcription fails.

    Raises:
        MissingExtraError: httpx is not installed.
        ConfigurationError: something of it can't be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        language: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self.language = language if language is None else usable_name("language", language)
        self._service = HttpService(base_url, "/audio/transcriptions", model, api_key, timeout_s)
        self.name = self.model = self._service.model

    def __repr__(self) -> str:
        return f"HttpSTT({self._service.shown_url!r}, {self.model!r})"

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the words of PCM16 mono audio, ``""`` where there are none. Blocks.

        Raises:
            RealtimeError: the service can't be reached, refuses, or answers with something else.
        """
        return run_apart(self.transcribe_async(pcm, sample_rate))

    async def transcribe_async(self, pcm: bytes, sample_rate: int) -> str:
        """Does the same without blocking; cancelling it ends the request."""
        language = {} if self.language is None else {"language": self.language}
        answer = await self._service.text(
            data={"model": self.model, "response_format": "json", **language},
            files={"file": ("speech.wav", _wav(pcm, sample_rate), "audio/wav")},
        )
        return self._words(answer)

    def _words(self, answer: str) -> str:
        try:
            said = json.loads(answer)
        except ValueError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("text"), str):
            raise RealtimeError(
                f"{self._service.shown_url} answered with no transcript: "
                f"{self._service.without_key(answer[:80])!r}. Check base_url and model."
            )
        return str(said["text"]).strip()


def _wav(pcm: bytes, sample_rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(sample_rate)
        written.writeframes(pcm)
    return file.getvalue()
