"""Speech to text over HTTP: what is sent, by an independent parser and beside OpenAI's SDK."""

from __future__ import annotations

import asyncio
import io
import json
import time
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
import soundfile
from openai import AsyncOpenAI

from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.local.http_stt import HttpSTT
from realtime_nb.local.stt import WaitingSTT
from realtime_nb.testing import silence, tone
from tests.local.connections import COMPLETED, TRANSCRIBED, session
from tests.local.raw_client import become_true, turn
from tests.local.scripted_http import Asked, service

WORDS = json.dumps({"text": " Grüß Gott. ", "usage": {"type": "duration", "seconds": 1}}).encode()
FAILED = "conversation.item.input_audio_transcription.failed"


def form(asked: Asked) -> dict[str, tuple[str | None, str, bytes]]:
    """File name, type and content of each field of a multipart body, by the standard library."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + asked.body)
    assert message.is_multipart() and not message.defects
    fields = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = (part.get_filename(), part.get_content_type(), bytes(content))
    return fields


@pytest.mark.parametrize("sample_rate", [24_000, 16_000, 8_000])
async def test_the_form_that_is_sent(sample_rate: int) -> None:
    pcm = tone(300, sample_rate=sample_rate)
    async with service(WORDS) as served:
        stt = HttpSTT(served.url, "whisper-1", "a-key", language="de")
        assert await stt.transcribe_async(pcm, sample_rate) == "Grüß Gott."
    (asked,) = served.asked
    assert (asked.method, asked.path) == ("POST", "/v1/audio/transcriptions")
    fields = form(asked)
    assert set(fields) == {"file", "model", "language", "response_format"}
    assert fields["model"][2] == b"whisper-1"
    assert fields["language"][2] == b"de"
    assert fields["response_format"][2] == b"json"
    name, kind, content = fields["file"]
    assert (name, kind) == ("speech.wav", "audio/wav")
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert (samples.tobytes(), rate) == (pcm, sample_rate)


async def test_the_form_is_that_of_openai_s_sdk() -> None:
    async with service(WORDS) as served:
        await HttpSTT(served.url, "whisper-1", "a-key").transcribe_async(tone(300), 24_000)
        ours = form(served.asked[0])
        async with AsyncOpenAI(api_key="a-key", base_url=served.url) as client:
            await client.audio.transcriptions.create(
                file=("speech.wav", ours["file"][2], "audio/wav"),
                model="whisper-1",
                response_format="json",
            )
    first, second = served.asked
    assert form(second) == ours
    for header in ("authorization",):
        assert first.headers[header] == second.headers[header]
    assert first.path == second.path


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"text": 3}', b'{"words": []}', b"\xff", b"null", b'"text"']
)
async def test_answers_without_a_transcript(body: bytes) -> None:
    async with service(body) as served:
        with pytest.raises(RealtimeError, match="answered with no transcript"):
            await HttpSTT(served.url, "m").transcribe_async(tone(300), 24_000)


async def test_it_blocks_beside_a_running_loop() -> None:
    async with service(WORDS) as served:
        stt = HttpSTT(served.url, "m")
        assert isinstance(stt, WaitingSTT)
        words = await asyncio.to_thread(stt.transcribe, tone(300), 24_000)
    assert words == "Grüß Gott."


async def test_cancelling_ends_the_request_at_once() -> None:
    async with service(hold=True, more="\r\nContent-Length: 9") as served:
        asking = asyncio.create_task(HttpSTT(served.url, "m").transcribe_async(tone(300), 24_000))
        await served.came.wait()
        began_s = time.perf_counter()
        asking.cancel()
        async with asyncio.timeout(5):
            await served.left.wait()
    assert served.left_s - began_s < 0.1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("localhost", "m"), "base_url must start"),
        (("http://a", ""), "model is ''"),
        (("http://a", None), "model is None"),
        (("http://a", "m", "a\nb"), "api_key holds"),
    ],
)
def test_what_cannot_be_used(arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        HttpSTT(*arguments)
    with pytest.raises(ConfigurationError, match="language is 3"):
        HttpSTT("http://a", "m", language=3)  # type: ignore[arg-type]


def test_it_shows_no_key() -> None:
    assert repr(HttpSTT("http://a/v1", "m", "sk-secret")) == "HttpSTT('http://a/v1', 'm')"


async def test_a_session_hears_by_it() -> None:
    async with (
        service(WORDS) as served,
        session(stt=HttpSTT(served.url, "m"), max_connections=None) as client,
    ):
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        await client.until("response.done")
        assert client.of(COMPLETED)[0]["transcript"] == "Grüß Gott."


async def test_a_session_is_told_why_not_and_goes_on() -> None:
    async with (
        service(b'{"error": "No such model."}', status="404 Not Found") as served,
        session(stt=HttpSTT(served.url, "m")) as client,
    ):
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        failed = await client.until(FAILED)
        assert "404: No such model." in failed["error"]["message"]
        await client.until("response.done")


async def test_whoever_hangs_up_stops_it() -> None:
    async with service(hold=True, more="\r\nContent-Length: 9") as served:
        async with session(stt=HttpSTT(served.url, "m")) as client:
            await client.append(turn())
            await served.came.wait()
        async with asyncio.timeout(5):
            await served.left.wait()


async def test_speech_that_goes_on_stops_what_was_asked_ahead() -> None:
    async with service(hold=True, more="\r\nContent-Length: 9") as served:
        async with session(stt=HttpSTT(served.url, "m")) as client:
            detection = {"type": "server_vad", "silence_duration_ms": 1_000}
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.append(tone(400) + silence(400))
            await served.came.wait()
            assert not served.left.is_set()
            await client.append(tone(400) + silence(400))  # the same turn, which is longer now
            async with asyncio.timeout(5):
                await served.left.wait()
            await become_true(lambda: len(served.asked) == 2)
        first, second = (form(one)["file"][2] for one in served.asked)
    assert len(second) > len(first)
