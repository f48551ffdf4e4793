"""Text to speech over HTTP: what is asked, and every form in which speech may come back."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.local.http_tts import HttpTTS
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.tts import WaitingTTS
from realtime_nb.testing import tone
from tests.local.connections import session
from tests.local.scripted_http import service

SPEECH = tone(600)
AUDIO = "response.output_audio.delta"


def wav(pcm: bytes, rate: int, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A file of another library's making."""
    file = io.BytesIO()
    samples = np.frombuffer(pcm, np.int16)
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def streamed_wav(pcm: bytes, rate: int) -> bytes:
    """With sizes that its writer did not know, as OpenAI's server and ffmpeg's pipes have them."""
    file = bytearray(wav(pcm, rate))
    file[4:8] = file[40:44] = b"\xff\xff\xff\xff"
    return bytes(file)


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


async def spoken(tts: HttpTTS, text: str = "Hello there.", speed: float = 1.0) -> bytes:
    return b"".join([piece async for piece in tts.speak_async(text, "alloy", speed)])


@pytest.mark.parametrize("size", [7, 301, 100_000])
@pytest.mark.parametrize("form", [bytes, lambda pcm: wav(pcm, 24_000)])
async def test_speech_comes_whole_however_it_is_cut(form: Any, size: int) -> None:
    async with service(*cut(form(SPEECH[:700]), size), content_type="audio/x") as served:
        assert await spoken(HttpTTS(served.url, "m")) == SPEECH[:700]


class Response:
    """The part of an answer that is read, cut in any way."""

    def __init__(self, content: bytes, cuts: list[int], kind: str) -> None:
        ends = [*sorted(set(cuts)), len(content)]
        self.pieces = [content[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        self.headers = {"Content-Type": kind}

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


@settings(max_examples=60, deadline=None)
@given(
    pcm=st.binary(min_size=20, max_size=120).map(lambda data: data[: len(data) // 2 * 2]),
    cuts=st.lists(st.integers(0, 170), max_size=12),
    form=st.sampled_from(["pcm", "wav", "streamed", "longer"]),
)
def test_any_audio_cut_anywhere_is_the_same_audio(pcm: bytes, cuts: list[int], form: str) -> None:
    assume(form != "pcm" or pcm[:4] not in (b"RIFF", b"RF64", b"BW64", b"OggS", b"fLaC"))
    made = {
        "pcm": lambda: pcm,
        "wav": lambda: wav(pcm, 24_000),
        "streamed": lambda: streamed_wav(pcm, 24_000),
        "longer": lambda: wav(pcm, 24_000) + b"LIST\x02\0\0\0ab",
    }[form]()
    response: Any = Response(made, cuts, "audio/pcm")
    tts = HttpTTS("http://a", "m")

    async def read() -> list[bytes]:
        return [piece async for piece in tts._pcm(response)]

    pieces = asyncio.run(read())
    assert b"".join(pieces) == pcm
    assert not any(len(piece) % 2 for piece in pieces)


async def test_a_wav_whose_sizes_are_not_known_and_one_with_something_behind_its_audio() -> None:
    behind = wav(SPEECH, 24_000) + b"LIST\x04\0\0\0abcd"
    for content in (streamed_wav(SPEECH, 24_000), behind):
        async with service(*cut(content, 999)) as served:
            tts = HttpTTS(served.url, "m", response_format="wav")
            served.content_type = "audio/wav"
            assert await spoken(tts) == SPEECH
        assert json.loads(served.asked[0].body)["response_format"] == "wav"


@pytest.mark.parametrize(
    ("content", "content_type", "rate"),
    [
        (wav(tone(600, hz=440, sample_rate=16_000), 16_000), "audio/wav", 24_000),
        (wav(tone(600, hz=440, sample_rate=44_100), 44_100), "audio/wav", 24_000),
        (tone(600, hz=440, sample_rate=16_000), "audio/pcm;rate=16000", 24_000),
        (tone(600, hz=440, sample_rate=22_050), "audio/pcm", 22_050),
    ],
)
async def test_other_rates_are_the_same_tone(content: bytes, content_type: str, rate: int) -> None:
    async with service(*cut(content, 3_001), content_type=content_type) as served:
        pcm = await spoken(HttpTTS(served.url, "m", sample_rate=rate))
    samples = samples_from_pcm(pcm)
    assert len(samples) / rate == pytest.approx(0.6, abs=0.002)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=3)


async def test_what_is_asked() -> None:
    async with service(SPEECH) as served:
        served.content_type = "audio/pcm"
        tts = HttpTTS(served.url, "tts-1", api_key="a-key")
        await spoken(tts)
        await spoken(HttpTTS(served.url, "tts-1", voice="nova"), speed=1.5)
    first, second = served.asked
    assert (first.method, first.path) == ("POST", "/v1/audio/speech")
    assert first.headers["authorization"] == "Bearer a-key"
    asked = {"model": "tts-1", "input": "Hello there.", "response_format": "pcm"}
    assert json.loads(first.body) == {**asked, "voice": "alloy"}
    assert json.loads(second.body) == {**asked, "voice": "nova", "speed": 1.5}


async def test_it_is_what_openai_s_sdk_asks() -> None:
    async with service(SPEECH) as served:
        served.content_type = "audio/pcm"
        await spoken(HttpTTS(served.url, "tts-1", api_key="a-key"))
        async with AsyncOpenAI(api_key="a-key", base_url=served.url) as client:
            await client.audio.speech.create(
                model="tts-1", input="Hello there.", voice="alloy", response_format="pcm"
            )
    ours, theirs = served.asked
    assert ours.path == theirs.path
    assert json.loads(ours.body) == json.loads(theirs.body)
    for header in ("authorization", "content-type"):
        assert ours.headers[header] == theirs.headers[header]


@pytest.mark.parametrize("text", ["", " ", "…", "?!", "👋"])
async def test_what_cannot_be_spoken_is_not_asked(text: str) -> None:
    async with service(SPEECH) as served:
        assert await spoken(HttpTTS(served.url, "m"), text) == b""
    assert served.asked == []


@pytest.mark.parametrize(
    ("content", "content_type", "told"),
    [
        (b"", "audio/pcm", "answered with no audio"),
        (b"\0\0", "audio/pcm", "answered with no audio"),
        (b'{"audio": "abcdefg"}', "application/json", "application/json, which is no audio"),
        (b"<html>A page of it</html>", "text/html; charset=utf-8", "text/html, which is no audio"),
        (b"ID3\x04" + bytes(99), "audio/mpeg", "audio/mpeg where pcm was asked for"),
        (b"\xff\xf3" + bytes(99), "audio/mpeg", "audio/mpeg where pcm"),
        (b"fLaC" + bytes(99), "application/octet-stream", "octet-stream where pcm"),
        (wav(SPEECH, 24_000, subtype="FLOAT"), "audio/wav", "1 channels, 32 bits, 24000 Hz"),
        (wav(SPEECH, 24_000, subtype="ULAW"), "audio/wav", r"8 bits.*\(format 7\)"),
        (b"RIFF" + bytes(4) + b"WAVE" + b"JUNK" * 20_000, "audio/wav", "WAV without audio"),
        (b"RIFF" + bytes(4) + b"WAVEfmt ", "audio/wav", "answered with no audio"),
    ],
)
async def test_answers_that_are_no_speech(content: bytes, content_type: str, told: str) -> None:
    async with service(content, content_type=content_type) as served:
        with pytest.raises(RealtimeError, match=told):
            await spoken(HttpTTS(served.url, "m"))


async def test_it_blocks_beside_a_running_loop() -> None:
    async with service(SPEECH, content_type="audio/pcm") as served:
        tts = HttpTTS(served.url, "m")
        assert isinstance(tts, WaitingTTS)
        assert await asyncio.to_thread(tts.speak, "Hello.") == SPEECH


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_url": "a"}, "base_url must start"),
        ({"model": ""}, "model is ''"),
        ({"voice": ""}, "voice is ''; give the name"),
        ({"response_format": "mp3"}, "response_format is 'mp3'; give 'pcm' or 'wav'"),
        ({"sample_rate": 0}, "sample_rate is 0; give a whole number from 8000 to 192000"),
        ({"sample_rate": True}, "sample_rate is True"),
        ({"sample_rate": 16_000.0}, "sample_rate is 16000.0"),
        ({"sample_rate": "24k"}, "sample_rate is '24k'"),
        ({"timeout_s": 0}, "timeout_s is 0"),
    ],
)
def test_what_cannot_be_used(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        HttpTTS(**{"base_url": "http://a", "model": "m", **options})


def test_it_shows_no_key() -> None:
    shown = repr(HttpTTS("http://a/v1", "m", voice="v", api_key="sk-secret"))
    assert shown == "HttpTTS('http://a/v1', 'm', voice='v')"


async def test_it_is_heard_while_it_still_comes_and_stops_at_once() -> None:
    async with (
        service(SPEECH, content_type="audio/pcm", hold=True) as served,
        session(tts=HttpTTS(served.url, "m"), llm=ScriptedLLM(["Hello there."])) as client,
    ):
        await client.send("response.create")
        await client.until(AUDIO)  # though the service goes on
        assert not served.left.is_set()
        began_s = time.perf_counter()
        await client.send("response.cancel")
        done = await client.until("response.done")
        async with asyncio.timeout(5):
            await served.left.wait()
        assert done["response"]["status"] == "cancelled"
        assert served.left_s - began_s < 0.1


async def test_a_session_is_told_why_not_and_goes_on() -> None:
    async with (
        service(b'{"error": {"message": "No credit."}}', status="402 Pay") as served,
        session(tts=HttpTTS(served.url, "m"), llm=ScriptedLLM(["One.", "Two."])) as client,
    ):
        for _ in range(2):
            done = await client.ask()
            assert done["status"] == "failed"
            assert "402: No credit." in done["status_details"]["error"]["message"]
