"""The local server's engines over plain HTTP: by OpenAI's SDK, by our own engines, by hand."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import Any

import numpy as np
import pytest
import soundfile
from openai import AsyncOpenAI, BadRequestError, InternalServerError, RateLimitError

from realtime_nb.local import audio_rest
from realtime_nb.local.audio_rest import MAX_AUDIO_BYTES
from realtime_nb.local.http_stt import HttpSTT
from realtime_nb.local.http_tts import HttpTTS
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.testing import FakeTTS, silence, tone
from tests.local.connections import COMPLETED, TRANSCRIBED, session
from tests.local.fake_engines import WatchedSTT, WatchedTTS, fake_server
from tests.local.raw_client import become_true, turn
from tests.local.test_rest import asked, key, openai_of

SAID = tone(400, hz=440)


def wav(pcm: bytes, form: str = "WAV", rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm, np.int16), rate, format=form)
    return file.getvalue()


def base_of(server: LocalServer) -> str:
    return f"http://127.0.0.1:{server.port}/v1"


@pytest.mark.parametrize(("form", "name"), [("WAV", "a.wav"), ("FLAC", "a.flac"), ("MP3", "a.mp3")])
async def test_a_file_is_transcribed_for_the_sdk(form: str, name: str) -> None:
    stt = WatchedSTT("Hello there.")
    async with fake_server(stt=stt) as server, openai_of(server) as client:
        file = (name, wav(silence(100) + SAID, form))
        heard = await client.audio.transcriptions.create(file=file, model="m")
        assert heard.text == "Hello there."
        text: Any = await client.audio.transcriptions.create(
            file=file, model="m", response_format="text"
        )
        assert text == "Hello there.\n"
    ((size, rate), _) = stt.calls
    assert rate == 24_000 and size / 2 / rate == pytest.approx(0.5, abs=0.06)


async def test_a_file_in_which_nobody_speaks() -> None:
    stt = WatchedSTT("You")
    async with fake_server(stt=stt) as server, openai_of(server) as client:
        file = ("a.wav", wav(silence(1_000)))
        assert (await client.audio.transcriptions.create(file=file, model="m")).text == ""
    assert stt.calls == []


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "wav", "pcm"])
async def test_speech_for_the_sdk(form: Any) -> None:
    tts = FakeTTS(100)  # of every word
    async with fake_server(tts=tts) as server, openai_of(server) as client:
        answer = await client.audio.speech.create(
            model="m", voice="alloy", input="One two. Three four.", response_format=form
        )
    if form == "pcm":
        samples, rate = np.frombuffer(answer.content, np.int16), 24_000
    else:
        samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert len(samples) / rate == pytest.approx(0.4, abs=0.1)
    assert answer.response.headers["content-type"].startswith("audio/")


async def test_a_voice_and_a_pace_reach_the_engine() -> None:
    tts = WatchedTTS(100)
    async with fake_server(tts=tts) as server, openai_of(server) as client:
        await client.audio.speech.create(
            model="m", voice="sage", input="One.", speed=1.5, response_format="pcm"
        )
    assert tts.calls == [("One.", "sage", 1.5)]


@pytest.mark.parametrize(
    ("asked_for", "param"),
    [
        ({"input": 3}, "input"),
        ({"input": "x" * 5_000}, "input"),
        ({"response_format": "aac"}, "response_format"),
        ({"response_format": ["wav"]}, "response_format"),
        ({"voice": ""}, "voice"),
        ({"voice": {"name": "x"}}, "voice"),
        ({"speed": 4}, "speed"),
        ({"speed": True}, "speed"),
        ({"speed": "fast"}, "speed"),
    ],
)
async def test_speech_that_cannot_be_asked_for(asked_for: dict[str, Any], param: str) -> None:
    async with fake_server() as server:
        body = json.dumps({"model": "m", "voice": "alloy", "input": "Hi.", **asked_for}).encode()
        status, _, answer = await asked(server, "POST", "/v1/audio/speech", body, key())
        assert (status, answer["error"]["param"]) == (400, param)
        assert answer["error"]["message"].endswith(".")
        for nothing in (b"{", b"[]", b"\xff"):
            status, _, _ = await asked(server, "POST", "/v1/audio/speech", nothing, key())
            assert status == 400


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"{}", "application/json", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=b", "as a file"),
        (b"nonsense", "multipart/form-data", "as a file"),
        (b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", "as a file"),
    ],
)
async def test_bodies_without_a_file(body: bytes, kind: str, told: str) -> None:
    async with fake_server() as server:
        path, header = "/v1/audio/transcriptions", f"Content-Type: {kind}"
        status, _, answer = await asked(server, "POST", path, body, key(), header)
        assert status == 400 and told in answer["error"]["message"]


async def test_files_that_are_no_audio_and_forms_that_there_are_not() -> None:
    async with fake_server() as server, openai_of(server) as client:
        for name in ("a.wav", "a", "../a.wav", "a.mp3"):
            with pytest.raises(BadRequestError) as refused:
                await client.audio.transcriptions.create(file=(name, b"no audio"), model="m")
            assert refused.value.param == "file"
            assert "/tmp" not in str(refused.value)
        with pytest.raises(BadRequestError, match="'json', 'text'"):
            await client.audio.transcriptions.create(
                file=("a.wav", wav(SAID)), model="m", response_format="srt"
            )


async def test_an_engine_that_fails_is_told() -> None:
    def fails(pcm: bytes) -> str:
        raise KeyError("no")

    stt, tts = WatchedSTT(fails), WatchedTTS(error=OSError("no"))
    async with fake_server(stt=stt, tts=tts) as server, openai_of(server) as client:
        with pytest.raises(InternalServerError, match="KeyError"):
            await client.audio.transcriptions.create(file=("a.wav", wav(SAID)), model="m")
        with pytest.raises(InternalServerError, match="OSError"):
            await client.audio.speech.create(model="m", voice="alloy", input="Hi.")


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/transcriptions"])
async def test_who_may_not_come_in(path: str) -> None:
    async with fake_server() as server:
        for headers, status in (
            ([], 401),
            ([key("wrong")], 401),
            ([key(), "Origin: http://a"], 403),
        ):
            got, _, answer = await asked(server, "POST", path, b"{}", *headers)
            assert got == status and answer["error"]["message"].endswith(".")
        assert (await asked(server, "PUT", path, b"", key()))[0] == 405
        _, _, made = await asked(server, "POST", "/v1/realtime/client_secrets", b"{}", key())
        assert (await asked(server, "POST", path, b"{}", key(made["value"])))[0] == 401
        # Who may not send a file is told before it is sent, who may is told what is too long.
        for given, status in ((key("wrong"), 401), (key(), 413)):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            long = f"Host: 127.0.0.1\r\n{given}\r\nContent-Length: {MAX_AUDIO_BYTES + 1}"
            writer.write(f"POST {path} HTTP/1.1\r\n{long}\r\n\r\n".encode())
            async with asyncio.timeout(5):
                first = await reader.readline()
            writer.close()
            assert str(status if "transcriptions" in path else 413).encode() in first


async def test_so_many_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_rest, "MOST_AT_ONCE", 1)
    gate = threading.Event()
    tts = WatchedTTS(gate=gate)
    async with fake_server(tts=tts) as server, openai_of(server) as client:
        first = asyncio.create_task(
            client.audio.speech.create(model="m", voice="alloy", input="Hi.")
        )
        await asyncio.to_thread(tts.called.wait, 5)
        with pytest.raises(RateLimitError):
            await client.audio.speech.create(model="m", voice="alloy", input="Hi.")
        gate.set()
        await first
        await client.audio.speech.create(model="m", voice="alloy", input="Hi.")


async def test_whoever_leaves_is_no_longer_at_work() -> None:
    gate = threading.Event()
    tts = WatchedTTS(gate=gate)
    async with fake_server(tts=tts) as server:
        async with AsyncOpenAI(api_key="a-token", base_url=base_of(server)) as client:
            asking = asyncio.create_task(
                client.audio.speech.create(model="m", voice="alloy", input="Hi.")
            )
            await asyncio.to_thread(tts.called.wait, 5)
            asking.cancel()
        await become_true(lambda: not server._rest._audio._at_work)
        assert server._sharing.memory.held == 0
        gate.set()


async def test_one_server_speaks_and_hears_for_another() -> None:
    stt, tts = WatchedSTT("What is it?"), FakeTTS(100)
    async with fake_server(stt=stt, tts=tts) as server:
        base = base_of(server)
        by_http: dict[str, Any] = {
            "stt": HttpSTT(base, "m", "a-token"),
            "tts": HttpTTS(base, "m", api_key="a-token"),
        }
        async with session(**by_http, llm=ScriptedLLM(["It is noon now."])) as client:
            await client.update(**TRANSCRIBED)
            await client.append(turn())
            done = await client.until("response.done")
            assert client.of(COMPLETED)[0]["transcript"] == "What is it?"
    assert done["response"]["status"] == "completed"
    sizes = [len(event["delta"]) for event in client.of("response.output_audio.delta")]
    assert sum(sizes) * 3 / 4 / 48_000 == pytest.approx(0.4, abs=0.01)
