from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from realtime_nb.errors import RealtimeError
from realtime_nb.local.engines import Engines
from realtime_nb.local.llm import LLM, Call, Reply, Request, ScriptedLLM, Text
from realtime_nb.local.speaking import SpeechPace, respond
from realtime_nb.local.threads import WorkThreads
from realtime_nb.protocol.server import Respond, ServerProtocol
from realtime_nb.testing import CountingIds, LoudnessDetector, tone
from tests.local.fake_engines import WatchedTTS, fake_engines
from tests.local.raw_client import become_true

Event = dict[str, Any]


class Stage:
    """A core with one response to run, and what comes out of it with the time at which it came."""

    def __init__(self, **response: Any) -> None:
        self.core = ServerProtocol(
            model="local", new_id=CountingIds(), detector_for=LoudnessDetector, expires_at=0
        )
        self.core.receive({"type": "response.create", "response": response})
        (job,) = self.core.jobs_to_run()
        assert isinstance(job, Respond)
        self.job = job
        self.core.events_to_send()
        self.events: list[Event] = []
        self.times: list[float] = []
        self.news = asyncio.Event()

    def pump(self) -> None:
        for event in self.core.events_to_send():
            self.events.append(event)
            self.times.append(asyncio.get_running_loop().time())
        self.news.set()

    async def room(self, plays_until_s: float) -> None:
        """Waits for a client that reads: not at all."""

    async def run(self, engines: Engines, pace: SpeechPace | None = None) -> None:
        await respond(self.job, self.core, self.pump, engines, pace or SpeechPace(), self.room)

    async def until(self, kind: str) -> None:
        async with asyncio.timeout(20):
            while kind not in self.kinds:
                self.news.clear()
                await self.news.wait()

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def deltas(self, kind: str) -> list[Any]:
        return [event["delta"] for event in self.events if event["type"] == f"response.{kind}"]

    @property
    def audio(self) -> bytes:
        return b"".join(base64.b64decode(delta) for delta in self.deltas("output_audio.delta"))


class WaitingLLM:
    """Says the first piece at once and the others when it is let."""

    name = "waiting"

    def __init__(self, *pieces: Text | Call) -> None:
        self.pieces = pieces
        self.go_on = asyncio.Event()
        self.closed = False
        self.asked = 0

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        try:
            for index, piece in enumerate(self.pieces):
                if index:
                    await self.go_on.wait()
                self.asked += 1
                yield piece
        finally:
            self.closed = True


async def test_first_audio_leaves_before_the_last_sentence_exists() -> None:
    llm = WaitingLLM(Text("First. Now"), Text(" the second."))
    stage = Stage()
    running = asyncio.create_task(stage.run(fake_engines(llm=llm)))
    await stage.until("response.output_audio.delta")
    assert llm.asked == 1
    llm.go_on.set()
    await running
    assert stage.events[-2]["response"]["status"] == "completed"
    assert "".join(stage.deltas("output_audio_transcript.delta")) == "First. Now the second."
    assert stage.audio == 2 * tone(500)


async def test_words_are_sent_when_their_sentence_is_heard() -> None:
    stage = Stage()
    await stage.run(fake_engines(llm=ScriptedLLM(["One two. Three four."])))
    names = [kind for kind in stage.kinds if kind.endswith(".delta")]
    words, sound = "response.output_audio_transcript.delta", "response.output_audio.delta"
    assert [words, words, *[sound] * 5, words, words, *[sound] * 5] == names


async def test_a_call_between_sentences_keeps_its_place() -> None:
    script: Reply = ["Let me see. ", Call("look", '{"at": 1}', "call_9"), "Here it is."]
    stage = Stage()
    await stage.run(fake_engines(llm=ScriptedLLM([script])))
    output = stage.events[-2]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert output[1]["call_id"] == "call_9"
    assert output[1]["arguments"] == '{"at": 1}'
    assert output[0]["content"][0]["transcript"].strip() == "Let me see."


async def test_text_answers_need_no_voice() -> None:
    tts = WatchedTTS()
    stage = Stage(output_modalities=["text"])
    script: Reply = ["Plain text.", Call("look", "{}")]
    await stage.run(fake_engines(llm=ScriptedLLM([script]), tts=tts))
    assert "".join(stage.deltas("output_text.delta")) == "Plain text."
    assert "response.function_call_arguments.done" in stage.kinds
    assert tts.calls == []


async def test_a_model_that_never_waits_leaves_room_for_others() -> None:
    class Endless:
        name = "endless"

        async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
            while True:
                yield Text("on and ")

    stage = Stage(output_modalities=["text"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await stage.run(fake_engines(llm=Endless()))
    assert stage.deltas("output_text.delta")


@pytest.mark.parametrize(
    ("format_type", "sample_rate", "expected_bytes"),
    [
        ("audio/pcm", 24_000, 24_000),
        ("audio/pcm", 16_000, 24_000),
        ("audio/pcmu", 24_000, 4_000),
        ("audio/pcma", 22_050, 4_000),
    ],
)
async def test_audio_has_the_format_that_was_asked_for(
    format_type: str, sample_rate: int, expected_bytes: int
) -> None:
    form = {"type": format_type} | ({"rate": 24_000} if format_type == "audio/pcm" else {})
    stage = Stage(audio={"output": {"format": form}})
    tts = WatchedTTS(audio_ms=500, sample_rate=sample_rate)
    await stage.run(fake_engines(llm=ScriptedLLM(["Half a second."]), tts=tts))
    assert abs(len(stage.audio) - expected_bytes) <= expected_bytes // 500


async def test_the_voice_gets_name_and_speed_of_the_session() -> None:
    stage = Stage(audio={"output": {"voice": "marin"}})
    tts = WatchedTTS()
    await stage.run(fake_engines(llm=ScriptedLLM(["Hi."]), tts=tts))
    assert tts.calls == [("Hi.", "marin", 1.0)]


async def test_a_sentence_without_sound_still_has_its_words() -> None:
    stage = Stage()
    await stage.run(fake_engines(llm=ScriptedLLM(["***"]), tts=WatchedTTS(audio_ms=0)))
    assert stage.deltas("output_audio_transcript.delta") == ["***"]
    assert stage.events[-2]["response"]["status"] == "completed"


# --- SpeechPace ---


def lead_ms(stage: Stage, since: float, speed: float, first: int = 0) -> list[float]:
    """How far ahead of its playing time the audio was at each delta, from delta ``first`` on."""
    deltas = [
        (time, len(base64.b64decode(event["delta"])) / 48)
        for time, event in zip(stage.times, stage.events, strict=True)
        if event["type"] == "response.output_audio.delta"
    ][first:]
    sent, leads = 0.0, []
    for time, audio_ms in deltas:
        sent += audio_ms
        leads.append(sent - (time - since) * 1_000 * speed)
    return leads


@pytest.mark.parametrize("ahead_ms", [0.0, 300.0, 1_000.0])
async def test_audio_runs_ahead_no_further_than_the_lead(ahead_ms: float) -> None:
    speed = 40.0
    stage = Stage()
    engines = fake_engines(llm=ScriptedLLM(["One. Two. Three. Four."]), tts=WatchedTTS(1_500))
    began = asyncio.get_running_loop().time()
    await stage.run(engines, SpeechPace(ahead_ms, speed))
    first = stage.times[stage.kinds.index("response.output_audio.delta")]
    leads = lead_ms(stage, first, speed)
    assert len(leads) == 60
    assert max(leads) <= ahead_ms + 101
    assert stage.times[-1] - began >= (6_000 - ahead_ms - 100) / 1_000 / speed


async def test_without_a_lead_audio_leaves_as_soon_as_it_is_made() -> None:
    stage = Stage()
    engines = fake_engines(llm=ScriptedLLM(["One. Two. Three."]), tts=WatchedTTS(40_000))
    began = asyncio.get_running_loop().time()
    await stage.run(engines, SpeechPace())
    assert sum(len(base64.b64decode(d)) for d in stage.deltas("output_audio.delta")) == 120_000 * 48
    assert stage.events[-2]["response"]["status"] == "completed"
    assert stage.times[-1] - began < 12  # of two minutes


@pytest.mark.parametrize("lead_ms", [None, 60_000.0])
async def test_no_more_is_made_than_the_client_has_room_for(lead_ms: float | None) -> None:
    """Nobody else waits for that, and it can be cancelled."""
    stage = Stage()

    async def room(plays_until_s: float) -> None:
        if stage.deltas("output_audio.delta"):
            await asyncio.Event().wait()

    stage.room = room  # type: ignore[method-assign]
    tts = WatchedTTS(1_000)
    engines = fake_engines(llm=ScriptedLLM(["One. Two. Three. Four. Five. Six. Seven."]), tts=tts)
    running = asyncio.create_task(stage.run(engines, SpeechPace(lead_ms)))
    await stage.until("response.output_audio.delta")
    await asyncio.sleep(0.3)
    assert len(stage.deltas("output_audio.delta")) == 1
    assert len(tts.calls) < 6
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_long_answer_lets_others_begin_before_it_goes_on() -> None:
    """One voice for everybody: who waits for a first sentence comes before who has a minute."""
    gate = threading.Event()
    tts = WatchedTTS(15_000, gate=gate, gated_from=1)
    llm = ScriptedLLM(["One. Two. Three.", "Hello. Goodbye."])
    engines = replace(fake_engines(llm=llm, tts=tts), voicing=WorkThreads(1, "test"))
    long, other = Stage(), Stage()
    first = asyncio.create_task(long.run(engines))
    await long.until("response.output_audio.delta")
    await become_true(lambda: len(tts.calls) == 2)  # it is being spoken
    assert engines.voicing.waiting_s == 0
    second = asyncio.create_task(other.run(engines))
    await become_true(lambda: engines.voicing.waiting_s > 0)
    gate.set()
    await asyncio.gather(first, second)
    said = [text.strip() for text, _, _ in tts.calls]
    assert said[:3] == ["One.", "Two.", "Hello."]
    assert sorted(said[3:]) == ["Goodbye.", "Three."]
    engines.voicing.shutdown()


async def test_after_a_stall_no_burst_makes_up_for_it() -> None:
    speed, gate = 40.0, threading.Event()
    tts = WatchedTTS(2_000, gate=gate, gated_from=1)
    stage = Stage()
    running = asyncio.create_task(
        stage.run(fake_engines(llm=ScriptedLLM(["One. Two."]), tts=tts), SpeechPace(300.0, speed))
    )
    async with asyncio.timeout(20):
        while len(stage.deltas("output_audio.delta")) < 20:
            stage.news.clear()
            await stage.news.wait()
    await asyncio.sleep(0.2)  # eight seconds of playing: the client has nothing left
    resumed = asyncio.get_running_loop().time()
    gate.set()
    await running
    leads = lead_ms(stage, resumed, speed, first=20)
    assert len(leads) == 20
    assert max(leads) <= 300 + 101


# --- Failure and cancellation ---


class FailingLLM:
    name = "failing"

    def __init__(self, at: str) -> None:
        self.at = at

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        if self.at == "once":
            raise ValueError("no stream")
        return self._stream()

    async def _stream(self) -> AsyncIterator[Text | Call]:
        yield Text("So far so good. And")
        raise ValueError("broken off")


def only(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


@pytest.mark.parametrize("modality", ["audio", "text"])
@pytest.mark.parametrize("at", ["once", "later"])
async def test_a_failing_model_is_told_to_the_caller(modality: str, at: str) -> None:
    stage = Stage(output_modalities=[modality])
    with pytest.raises(Exception) as failure:
        await stage.run(fake_engines(llm=FailingLLM(at)))
    assert isinstance(only(failure.value), ValueError)
    assert "response.done" not in stage.kinds


async def test_a_failing_voice_closes_the_model() -> None:
    llm = WaitingLLM(Text("First. Now"), Text(" never."))
    stage = Stage()
    with pytest.raises(ExceptionGroup) as failure:
        await stage.run(fake_engines(llm=llm, tts=WatchedTTS(error=OSError("no voice"))))
    assert isinstance(only(failure.value), OSError)
    assert llm.closed


@pytest.mark.parametrize("modality", ["audio", "text"])
async def test_a_hanging_model_fails(modality: str) -> None:
    llm = WaitingLLM(Text("First. Now"), Text(" never."))
    stage = Stage(output_modalities=[modality])
    with pytest.raises(Exception) as failure:
        await stage.run(fake_engines(llm=llm, timeout_s=0.05))
    assert isinstance(only(failure.value), RealtimeError)
    assert "language model gave nothing for 0.05 s" in str(only(failure.value))
    assert llm.closed


async def test_a_hanging_voice_fails() -> None:
    gate = threading.Event()
    stage = Stage()
    engines = fake_engines(llm=ScriptedLLM(["Hi."]), tts=WatchedTTS(gate=gate), timeout_s=0.05)
    with pytest.raises(ExceptionGroup) as failure:
        await stage.run(engines)
    gate.set()
    assert "voice gave nothing" in str(only(failure.value))


class CountingLLM:
    """Goes on for ever and counts what is taken from it."""

    name = "counting"

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        try:
            while True:
                self.taken += 1
                yield Text(f"Sentence number {self.taken}. ")
        finally:
            self.closed = True


async def test_the_model_s_stream_is_closed_even_where_somebody_else_holds_it() -> None:
    class Holding(CountingLLM):
        def reply(self, request: Request) -> AsyncIterator[Text | Call]:
            self.stream = super().reply(request)
            return self.stream

    llm = Holding()
    stage = Stage()
    running = asyncio.create_task(stage.run(fake_engines(llm=llm), SpeechPace(lead_ms=0, speed=1)))
    await stage.until("response.output_audio.delta")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert llm.closed


@pytest.mark.parametrize("llm_kind", [CountingLLM, None])
async def test_cancelling_stops_all_stages(llm_kind: type[CountingLLM] | None) -> None:
    llm: LLM = llm_kind() if llm_kind else WaitingLLM(Text("First. Now"), Text(" never."))
    tts = WatchedTTS()
    stage = Stage()
    running = asyncio.create_task(
        stage.run(fake_engines(llm=llm, tts=tts), SpeechPace(lead_ms=0, speed=1))
    )
    await stage.until("response.output_audio.delta")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert isinstance(llm, CountingLLM | WaitingLLM)
    assert llm.closed
    spoken, sent = len(tts.calls), len(stage.events)
    assert spoken <= 4  # one is sent, two wait, one is being spoken
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for _ in range(5):
        await asyncio.sleep(0)
    assert (spoken, sent) == (len(tts.calls), len(stage.events))


async def test_the_model_runs_ahead_of_the_voice_by_a_few_sentences_only() -> None:
    gate = threading.Event()
    llm, tts = CountingLLM(), WatchedTTS(gate=gate)
    running = asyncio.create_task(Stage().run(fake_engines(llm=llm, tts=tts)))
    await asyncio.to_thread(tts.called.wait, 20)
    for _ in range(100):
        await asyncio.sleep(0)
    assert llm.taken <= 8
    running.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
