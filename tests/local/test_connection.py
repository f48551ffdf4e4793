"""A session on the local server: its turns, engines that fail, cancelling, its end."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from realtime_nb.local import connection, engines, speaking, voicing
from realtime_nb.local.llm import Call, Request, ScriptedLLM, Text
from realtime_nb.local.server import serve
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.protocol.server import ServerProtocol
from realtime_nb.testing import silence, tone
from tests.local.connections import COMPLETED, TRANSCRIBED, all_work_done, connection_of, session
from tests.local.fake_engines import WatchedSTT, WatchedTTS, fake_server
from tests.local.raw_client import become_true, joined, turn

# --- Turns ---


async def test_a_spoken_turn() -> None:
    stt = WatchedSTT("What is it?")
    llm = ScriptedLLM([lambda request: str(request.items[-1]["content"][0]["transcript"])])
    async with session(stt=stt, llm=llm) as client:
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        done = await client.until("response.done")
    assert client.of(COMPLETED)[0]["transcript"] == "What is it?"
    (item,) = done["response"]["output"]
    assert item["content"][0]["transcript"] == "What is it?"
    client.ledger.check_settled()


async def test_a_response_waits_for_the_words_of_the_turn() -> None:
    gate = threading.Event()
    requests: list[Request] = []

    def answer(request: Request) -> str:
        requests.append(request)
        return "Yes."

    async with session(stt=WatchedSTT("Late words.", gate), llm=ScriptedLLM([answer])) as client:
        await client.append(turn())
        await client.until("response.created")
        assert requests == []
        gate.set()
        await client.until("response.done")
    assert requests[0].items[-1]["content"][0]["transcript"] == "Late words."


@pytest.mark.parametrize(
    ("format_type", "rate"), [("audio/pcm", 24_000), ("audio/pcmu", 8_000), ("audio/pcma", 8_000)]
)
async def test_the_speech_engine_gets_the_audio_at_the_format_s_rate(
    format_type: str, rate: int
) -> None:
    from realtime_nb.audio.pcm import encode

    stt = WatchedSTT()
    form = {"type": format_type} | ({"rate": 24_000} if rate == 24_000 else {})
    async with session(stt=stt) as client:
        await client.update(
            audio={
                "input": {"format": form, "turn_detection": None, **TRANSCRIBED["audio"]["input"]}
            }
        )
        await client.append(encode(format_type, tone(500, sample_rate=rate)))
        await client.send("input_audio_buffer.commit")
        completed = await client.until(COMPLETED)
    assert stt.calls == [(rate, rate)]  # half a second of 16-bit samples
    assert completed["usage"] == {"type": "duration", "seconds": 0.5}


@pytest.mark.parametrize(("speech_ms", "heard"), [(100, ""), (400, "you")])
async def test_where_nobody_speaks_no_words_are_found(speech_ms: int, heard: str) -> None:
    stt = WatchedSTT("you")
    async with session(stt=stt) as client:
        await client.update(**TRANSCRIBED)
        await client.append(turn(speech_ms))
        while not client.of(COMPLETED):
            await client.receive()
    assert client.of(COMPLETED)[0]["transcript"] == heard
    assert len(stt.calls) >= 1 if heard else stt.calls == []


async def test_a_superseded_transcription_is_not_run() -> None:
    gate = threading.Event()
    stt = WatchedSTT(gate=gate)
    async with session(stt=stt) as client:
        await client.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
        await client.append(silence(100) + 6 * (tone(300) + silence(200)))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        gate.set()
        await client.ask()
    assert len(stt.calls) <= 2  # that which ran when the others came, and the last one


async def test_many_transcriptions_do_not_take_all_threads() -> None:
    gate = threading.Event()
    gated, free = WatchedSTT(gate=gate), "others"

    def hears(pcm: bytes) -> str:
        return "mine" if len(pcm) == len(tone(600)) else free

    gated.says = hears
    async with fake_server(stt=gated) as server, joined(server) as greedy:
        await greedy.update(audio={"input": {"turn_detection": None}})
        for _ in range(20):
            await greedy.append(tone(500))
            await greedy.send("input_audio_buffer.commit")
        await asyncio.to_thread(gated.called.wait, 20)
        async with joined(server) as modest:
            await modest.update(audio={"input": {"turn_detection": None}})
            gated.called.clear()
            await modest.append(tone(600))
            await modest.send("input_audio_buffer.commit")
            assert await asyncio.to_thread(gated.called.wait, 20)
            lengths = [length for length, _ in gated.calls]
            gate.set()
    assert lengths == [len(tone(500)), len(tone(600))]


# --- Engines that fail ---


async def test_a_failing_speech_engine(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def fails_first(pcm: bytes) -> str:
        calls.append(pcm)
        if len(calls) == 1:
            raise ValueError("secret details")
        return "heard"

    async with session(stt=WatchedSTT(fails_first), llm=ScriptedLLM(["One.", "Two."])) as client:
        await client.update(
            audio={"input": {"turn_detection": None, **TRANSCRIBED["audio"]["input"]}}
        )
        for answer in ("failed", "completed"):
            await client.append(tone(500))
            await client.send("input_audio_buffer.commit")
            event = await client.until(f"conversation.item.input_audio_transcription.{answer}")
        assert event["transcript"] == "heard"
        assert (await client.ask())["status"] == "completed"
    error = client.of("conversation.item.input_audio_transcription.failed")[0]["error"]
    assert "ValueError" in error["message"]
    assert "secret" not in error["message"]
    assert "secret details" in caplog.text


def impatient(monkeypatch: pytest.MonkeyPatch, *rooms: ModuleType) -> list[float]:
    """Gives engines that these modules wait for the time in the list, for as long as one is there;
    the others have theirs, however busy the machine is."""
    limits_s = [0.05]

    def patience(engine: str, seconds: float) -> AbstractAsyncContextManager[None]:
        return engines.patience(engine, limits_s[0] if limits_s else seconds)

    for room in rooms:
        monkeypatch.setattr(room, "patience", patience)
    return limits_s


async def test_a_speech_engine_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    impatient(monkeypatch, connection)
    async with session(stt=WatchedSTT(gate=gate)) as client:
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        done = await client.until("response.done")
        gate.set()
    assert done["response"]["status"] == "completed"
    (failed,) = client.of("conversation.item.input_audio_transcription.failed")
    assert "gave nothing for 0.05 s" in failed["error"]["message"]


@pytest.mark.parametrize("broken", ["model", "voice", "hanging voice", "hanging model"])
async def test_a_failing_answer_fails_alone(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    limits_s = impatient(monkeypatch, speaking, voicing) if "hanging" in broken else []

    class Model:
        name = "model"
        asked = 0

        async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
            self.asked += 1
            if self.asked == 1 and broken == "model":
                raise ValueError("secret")
            if self.asked == 1 and broken == "hanging model":
                await asyncio.Event().wait()
            yield Text("Hello.")

    tts = WatchedTTS(error=OSError("secret") if broken == "voice" else None)
    tts.gate = gate if broken == "hanging voice" else None
    async with session(llm=Model(), tts=tts) as client:
        failed = await client.ask()
        limits_s.clear()
        tts.error = tts.gate = None
        gate.set()
        completed = await client.ask()
    assert failed["status"] == "failed"
    assert failed["status_details"]["type"] == "failed"
    error = failed["status_details"]["error"]
    assert error["code"] == "server_error"
    assert "secret" not in json.dumps(failed)
    assert completed["status"] == "completed"
    assert client.of("error") == []
    client.ledger.check_settled()


# --- Cancelling ---


async def test_a_cancelled_response_stops_its_engines() -> None:
    tts = WatchedTTS(audio_ms=2_000)
    script = " ".join(f"Sentence number {number}." for number in range(50))
    server = fake_server(llm=ScriptedLLM([script, "Next."]), tts=tts, pace=SpeechPace(200, speed=1))
    async with server, joined(server) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        await all_work_done(connection_of(server))
        spoken = len(tts.calls)
        assert spoken <= 5
        assert (await client.ask())["status"] == "completed"
    assert [text for text, _, _ in tts.calls[spoken:]] == ["Next."]
    assert all(text.startswith("Sentence") for text, _, _ in tts.calls[:spoken])


async def test_a_response_that_is_cancelled_at_once_never_asks_the_model() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> str:
        asked.append(request)
        return "No."

    async with fake_server(llm=ScriptedLLM([answer])) as server, joined(server) as client:
        connection = connection_of(server)
        connection.core.receive({"type": "response.create"})
        connection.core.receive({"type": "response.cancel"})
        connection._pump()
        done = await client.until("response.done")
        await all_work_done(connection_of(server))
    assert done["response"]["status_details"]["reason"] == "client_cancelled"
    assert asked == []


async def test_the_output_budget_ends_a_response() -> None:
    script = " ".join(["Many words follow here."] * 30)
    async with fake_server(llm=ScriptedLLM([script, "Next."])) as server, joined(server) as client:
        done = await client.ask(max_output_tokens=20)
        assert done["status"] == "incomplete"
        assert done["status_details"]["reason"] == "max_output_tokens"
        await all_work_done(connection_of(server))
        assert (await client.ask())["status"] == "completed"


async def test_a_client_that_leaves_stops_everything() -> None:
    gate = threading.Event()
    tts = WatchedTTS(gate=gate)
    async with fake_server(llm=ScriptedLLM(["One. Two. Three."]), tts=tts) as server:
        async with joined(server) as client:
            await client.send("response.create")
            await asyncio.to_thread(tts.called.wait, 20)
            tasks = connection_of(server)._tasks.copy()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks, return_exceptions=True)
        gate.set()
        async with joined(server):
            assert server.connections == 1
    assert len(tts.calls) == 1


# --- The end ---


async def test_a_session_that_is_over_leaves_nothing() -> None:
    async with fake_server() as server:
        async with joined(server) as client:
            await client.append(turn())
            await client.until("response.done")
            reference = weakref.ref(connection_of(server))
        await become_true(lambda: server.connections == 0)
        gc.collect()
        assert reference() is None


async def test_after_its_end_a_session_starts_nothing() -> None:
    llm = ScriptedLLM([lambda request: pytest.fail("asked")])
    async with fake_server(llm=llm) as server:
        async with joined(server):
            connection = connection_of(server)
            connection.finish(1000, "")
            connection.core.receive({"type": "response.create"})
            assert connection._pump() == []
        await become_true(lambda: server.connections == 0)
        assert connection._tasks == set()


async def test_a_session_that_is_over_holds_nothing_while_its_client_stays(
    request: pytest.FixtureRequest,
) -> None:
    gc.disable()  # what goes only when circles are looked for may stay for long
    request.addfinalizer(gc.enable)
    async with fake_server() as server, joined(server) as client:
        held = weakref.ref(connection_of(server).core._items)
        client.socket.transport.pause_reading()  # so it never answers the CLOSE
        connection_of(server).finish(1013, "")
        await become_true(lambda: held() is None)
        assert server.connections == 1
        client.socket.transport.abort()


async def test_a_session_expires() -> None:
    async with session(session_s=0.2) as client:
        assert await client.close_code() == (
            1001,
            "Your session hit the maximum duration of 0.00333333 minutes.",
        )


async def test_a_fault_in_the_core_ends_only_its_session(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receive = ServerProtocol.receive_frame

    def faulty(core: ServerProtocol, frame: str | bytes) -> None:
        if "fault" in str(frame):
            raise AssertionError("a fault")
        receive(core, frame)

    monkeypatch.setattr(ServerProtocol, "receive_frame", faulty)
    async with fake_server() as server, joined(server) as one, joined(server) as two:
        await one.send("fault")
        assert (await one.close_code())[0] == 1011
        assert (await two.ask())["status"] == "completed"
    assert "a fault" in caplog.text


async def test_a_fault_while_an_answer_is_taken_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(core: ServerProtocol, item_id: str, attempt: int, text: str) -> None:
        raise AssertionError("a fault")

    monkeypatch.setattr(ServerProtocol, "receive_transcript", faulty)
    async with session() as client:
        await client.append(turn())
        assert (await client.close_code())[0] == 1011


async def test_a_detector_that_gives_nonsense_ends_its_session_with_the_reason() -> None:
    class Loud:
        def reset(self) -> None: ...

        def probabilities(self, samples: Any) -> Any:
            return np.full(len(samples) // 512, 7.0)

    fakes: dict[str, Any] = {"stt": WatchedSTT(), "tts": WatchedTTS()}
    async with serve(vad=Loud, token="a-token", max_connections=9, **fakes) as server:
        async with joined(server) as client:
            await client.append(turn())
            code, reason = await client.close_code()
            assert code == 1011
            assert reason == "engine 'Loud' answers with the probability 7.0; from 0 to 1 is legal."
        async with joined(server) as client:
            await client.write()  # the server goes on


@pytest.mark.parametrize(
    ("audio_format", "per_ms"),
    [({"type": "audio/pcm", "rate": 24_000}, 48), ({"type": "audio/pcmu"}, 8)],
)
async def test_what_was_done_long_ago_is_cut_where_it_was_heard(
    audio_format: dict[str, object], per_ms: int
) -> None:
    """All of a long answer has come; the client cancels too late, then says what it played."""
    requests: list[Request] = []

    def answer(request: Request) -> str:
        requests.append(request)
        return "One, two, three. Four, five, six. Seven, eight, nine."

    llm = ScriptedLLM([answer, answer])
    server = fake_server(llm=llm, tts=WatchedTTS(10_000), pace=SpeechPace())
    async with server, joined(server) as client:
        await client.update(audio={"output": {"format": audio_format}})
        done = await client.ask()
        item_id = done["output"][0]["id"]
        sent = b"".join(
            base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta")
        )
        assert len(sent) == 30_000 * per_ms
        await client.send("response.cancel", response_id=done["id"])
        error = (await client.until("error"))["error"]
        assert error["code"] == "response_cancel_not_active"
        truncate = {"item_id": item_id, "content_index": 0}
        await client.send("conversation.item.truncate", **truncate, audio_end_ms=14_000)
        assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 14_000
        await client.send("conversation.item.retrieve", item_id=item_id)
        (part,) = (await client.until("conversation.item.retrieved"))["item"]["content"]
        assert base64.b64decode(part["audio"]) == sent[: 14_000 * per_ms]
        assert "transcript" not in part
        await client.send("conversation.item.truncate", **truncate, audio_end_ms=14_001)
        assert "already shorter" in (await client.until("error"))["error"]["message"]
        await client.ask()
    said = [i["content"][0] for i in requests[1].items if i.get("role") == "assistant"]
    (heard,) = [part["transcript"] for part in said]
    assert heard.startswith("One, two, three.")
    assert "Seven" not in heard
