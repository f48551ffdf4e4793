"""``/v1/audio/transcriptions`` and ``/v1/audio/speech``: a server's engines without a session."""

from __future__ import annotations

import asyncio
import http
import io
import logging
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import msgspec

from realtime_nb.audio.files import read_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, int16_from_pcm, pcm_from_samples
from realtime_nb.errors import AudioError, RealtimeError
from realtime_nb.local.engines import Engines, patience
from realtime_nb.local.hearing import heard
from realtime_nb.local.plain_http import PlainRequest, PlainResponse, as_json, refusal
from realtime_nb.local.sentences import SentenceStream
from realtime_nb.local.voicing import voiced
from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.transcripts import Transcribe

__all__ = ["MAX_AUDIO_BYTES", "SPEECH", "TRANSCRIPTIONS", "AudioRest"]

logger = logging.getLogger(__name__)

SPEECH = "/v1/audio/speech"
TRANSCRIPTIONS = "/v1/audio/transcriptions"

MAX_AUDIO_BYTES = 8 * 1024 * 1024
"""Of a file to be transcribed; 25 MB at OpenAI."""

MOST_AT_ONCE = 4
MAX_INPUT_CHARS = 4_096
_SPEEDS = (0.25, 1.5)
_PCM = {"type": "audio/pcm"}
_FORMS = {
    "mp3": ("audio/mpeg", "MP3", "MPEG_LAYER_III"),
    "opus": ("audio/ogg", "OGG", "OPUS"),
    "flac": ("audio/flac", "FLAC", "PCM_16"),
    "wav": ("audio/wav", "WAV", "PCM_16"),
    "pcm": ("audio/pcm", "", ""),
}
_TEXTS = ("json", "text")


class AudioRest:
    """Answers requests that were let in, at most four at once.

    Args:
        engines: those of the server.
    """

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._at_work = 0

    async def answer(self, path: str, request: PlainRequest) -> PlainResponse:
        """Returns the answer to a POST to one of the two paths."""
        work: Callable[[PlainRequest], Coroutine[Any, Any, PlainResponse]]
        work = self._speech if path == SPEECH else self._transcription
        if self._at_work >= MOST_AT_ONCE:
            message = f"{MOST_AT_ONCE} requests are under way. Try again when one is done."
            busy = http.HTTPStatus.TOO_MANY_REQUESTS
            return refusal(busy, message, "rate_limit_exceeded")
        self._at_work += 1
        try:
            return await work(request)
        except Refused as refused:
            problem = refused.problem
            bad = http.HTTPStatus.BAD_REQUEST
            return refusal(bad, problem.message, problem.code, problem.param)
        except Exception as error:  # an engine may fail in any way
            logger.exception("A request to %s failed", path)
            ours = isinstance(error, RealtimeError)
            words = str(error) if ours else f"The engine failed ({type(error).__name__})."
            failed = http.HTTPStatus.INTERNAL_SERVER_ERROR
            return refusal(failed, words, "server_error")
        finally:
            self._at_work -= 1

    # --- speech ---

    async def _speech(self, request: PlainRequest) -> PlainResponse:
        asked = _object(request.body)
        text, form = asked.get("input"), asked.get("response_format", "mp3")
        voice, speed = asked.get("voice", "alloy"), asked.get("speed", 1.0)
        if not isinstance(text, str) or len(text) > MAX_INPUT_CHARS:
            raise _refused("input", f"Give a text of at most {MAX_INPUT_CHARS} characters.")
        if not isinstance(form, str) or form not in _FORMS:
            raise _refused("response_format", f"Supported values are: {_quoted(_FORMS)}.")
        voice = voice.get("id") if isinstance(voice, dict) else voice
        if not isinstance(voice, str) or not voice:
            raise _refused("voice", "Give the name of a voice, such as 'alloy'.")
        low, high = _SPEEDS
        if (
            isinstance(speed, bool)
            or not isinstance(speed, int | float)
            or not low <= speed <= high
        ):
            raise _refused("speed", f"Give a number from {low} to {high}.")
        pcm = b"".join([piece async for piece in self._spoken(text, voice, float(speed))])
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._engines.voicing, _encoded, pcm, form)
        return PlainResponse(http.HTTPStatus.OK, content, [("Content-Type", _FORMS[form][0])])

    async def _spoken(self, text: str, voice: str, speed: float) -> Any:
        stream = SentenceStream()
        for sentence in [*stream.push(text), *stream.close()]:
            pieces = voiced(sentence, voice, speed, _PCM["type"], self._engines)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece

    # --- transcriptions ---

    async def _transcription(self, request: PlainRequest) -> PlainResponse:
        loop, engines = asyncio.get_running_loop(), self._engines
        fields, file = await loop.run_in_executor(engines.hearing, _form, request)
        form = fields.get("response_format", "json")
        if form not in _TEXTS:
            raise _refused("response_format", f"Supported values are: {_quoted(_TEXTS)}.")
        if file is None:
            raise _refused("file", "Give the audio as a file.")
        pcm = await loop.run_in_executor(engines.hearing, _decoded, *file)
        async with patience("speech recognition", engines.timeout_s):
            text = await heard(Transcribe("file", 1, pcm, _PCM), engines)
        if form == "text":
            plain = [("Content-Type", "text/plain; charset=utf-8")]
            return PlainResponse(http.HTTPStatus.OK, f"{text}\n".encode(), plain)
        return as_json({"text": text})


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(Problem("invalid_json", f"The body is no JSON: {error}.")) from None
    if not isinstance(asked, dict):
        raise Refused(Problem("invalid_type", "The body must be a JSON object."))
    return asked


def _encoded(pcm: bytes, form: str) -> bytes:
    import soundfile

    _, container, subtype = _FORMS[form]
    if not container:
        return pcm
    file = io.BytesIO()
    samples = int16_from_pcm(pcm)
    soundfile.write(file, samples, SAMPLE_RATE, format=container, subtype=subtype)
    return file.getvalue()


def _form(request: PlainRequest) -> tuple[dict[str, str], tuple[str, bytes] | None]:
    """Returns the fields of a multipart body, and its file with its name. Blocks."""
    kind = next(iter(request.headers.get("content-type", [])), "")
    if not kind.lower().startswith("multipart/form-data"):
        raise Refused(Problem("invalid_type", "Send the file as multipart/form-data."))
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields: dict[str, str] = {}
    file: tuple[str, bytes] | None = None
    for part in message.iter_parts() if message.is_multipart() else ():
        content = part.get_payload(decode=True)
        name = str(part.get_param("name", header="content-disposition"))
        if not isinstance(content, bytes):
            continue
        if name == "file":
            file = (part.get_filename() or "", content)
        else:
            fields[name] = content.decode(errors="replace")
    return fields, file


def _decoded(name: str, content: bytes) -> bytes:
    """Returns a file of any form of audio as PCM16 at 24 kHz. Blocks."""
    suffix = Path(name).suffix
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"audio{suffix if suffix[1:].isalnum() and len(suffix) < 9 else ''}"
        path.write_bytes(content)
        try:
            return pcm_from_samples(read_audio(path, SAMPLE_RATE).samples)
        except AudioError as error:
            words = str(error).replace(str(path), "The file")
            raise _refused("file", words) from None


def _refused(param: str, message: str) -> Refused:
    return Refused(Problem("invalid_value", message, param))


def _quoted(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)
