"""``openai-agents``' realtime runner, unmodified, against the local server.

That client reads what it is sent by strict types and tells of every frame it does not know, so the
absence of errors says something.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.events import RealtimeSessionEvent
from agents.realtime.model_inputs import RealtimeModelSendRawMessage

import realtime_nb as rt
from realtime_nb.audio.pcm import level_dbfs, samples_from_pcm
from realtime_nb.local.llm import Call, Reply, Request, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.tts import load_tts
from realtime_nb.testing import silence
from tests.conformance.sdk_client import recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORY = " ".join(f"This is sentence number {n} of the long weather report." for n in range(20))


class Model:
    """Calls the tool for a question about the weather, tells its result at length, then agrees."""

    name = "weather-model"

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def reply(self, request: Request) -> Any:
        self.requests.append(request)
        last = request.items[-1]
        script: Reply = "All right."
        if last["type"] == "function_call_output":
            script = f"It is {last['output']}. {STORY}"
        elif "weather" in _words(last):
            script = Call("get_weather", '{"city": "London"}')
        return ScriptedLLM([script]).reply(request)


def _words(item: dict[str, Any]) -> str:
    parts = item.get("content", [])
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts).lower()


class Listener:
    """All events of a session, gathered."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[RealtimeSessionEvent] = []
        self.audio = b""

    async def until(self, kind: str, times: int = 1) -> Any:
        async with asyncio.timeout(40):
            async for event in self.session:
                self.events.append(event)
                if event.type == "audio":
                    self.audio += event.audio.data
                if event.type == kind:
                    times -= 1
                    if not times:
                        return event
        raise AssertionError(f"The session ended before {kind}.")

    async def until_raw(self, kind: str) -> Any:
        """The next event of the model layer of this kind."""
        while True:
            event = (await self.until("raw_model_event")).data
            if event.type == kind:
                return event

    async def hear(self, text: str) -> None:
        """Speech and the silence after it, five times as fast as life.

        ``semantic_vad``, which is what the client asks for, waits up to four seconds.
        """
        audio = silence(300) + load_tts().speak(text, "alloy") + silence(5_000)
        for start in range(0, len(audio), 4_800):
            await self.session.send_audio(audio[start : start + 4_800])
            await asyncio.sleep(0.02)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(event.type for event in self.events)

    @property
    def raw(self) -> Counter[str]:
        return Counter(e.data.type for e in self.events if e.type == "raw_model_event")

    def server_events(self, kind: str) -> list[dict[str, Any]]:
        """What the server sent, as the client passes it on."""
        raw = (e.data for e in self.events if e.type == "raw_model_event")
        return [e.data for e in raw if e.type == "raw_server_event" and e.data["type"] == kind]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(model: Model) -> AsyncIterator[LocalServer]:
    async with rt.serve(llm=model, lead_ms=300) as running:
        yield running


@asynccontextmanager
async def session_of(server: LocalServer, **settings: Any) -> AsyncIterator[Listener]:
    cities: list[str] = []

    @function_tool
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        cities.append(city)
        return "rainy with some wind"

    agent = RealtimeAgent(
        name="Forecaster", instructions="Talk about the weather.", tools=[get_weather]
    )
    config: Any = {"tracing_disabled": True, "model_settings": settings}
    runner = RealtimeRunner(agent, config=config)
    # docs
    url = f"{server.url}?model=gpt-realtime-2.1"
    async with await runner.run(model_config={"api_key": server.token, "url": url}) as session:
        # docs: end
        yield Listener(session)


@pytest.mark.holds("openai-agents", "audio")
@pytest.mark.holds("openai-agents", "tool")
@pytest.mark.holds("openai-agents", "interruption")
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="its own settings"),
        pytest.param(
            {
                "turn_detection": {
                    "type": "server_vad",
                    "silence_duration_ms": 500,
                    "interrupt_response": True,
                }
            },
            id="server_vad",
        ),
    ],
)
async def test_a_tool_a_spoken_answer_and_an_interruption(
    server: LocalServer, model: Model, settings: dict[str, Any]
) -> None:
    model.requests.clear()
    async with session_of(server, **settings) as listener:
        speaking = asyncio.create_task(listener.hear("What is the weather in London?"))
        ended = await listener.until("tool_end")
        assert ended.output == "rainy with some wind"
        await listener.until("audio", times=8)
        await speaking
        before = len(listener.audio)
        speaking = asyncio.create_task(listener.hear("Thank you, that is enough."))
        interrupted = await listener.until("audio_interrupted")
        await listener.until_raw("turn_ended")
        while len(listener.server_events("response.done")) < 3:
            await listener.until("raw_model_event")
        # It asks for its truncated item at the end of the next turn.
        while not listener.server_events("conversation.item.truncated"):
            await listener.until("raw_model_event")
        await speaking
        history = listener.session._history

    assert listener.kinds["error"] == 0
    assert listener.server_events("error") == []
    assert "exception" not in listener.raw
    assert before >= 8 * 4_800
    assert level_dbfs(samples_from_pcm(listener.audio)) > -40
    statuses = [e["response"]["status"] for e in listener.server_events("response.done")]
    assert statuses == ["completed", "cancelled", "completed"]
    cut = listener.server_events("response.done")[1]["response"]
    assert cut["status_details"]["reason"] == "turn_detected"
    (truncated,) = listener.server_events("conversation.item.truncated")
    assert truncated["item_id"] == interrupted.item_id == cut["output"][0]["id"]
    # The client waits for the answer to the call before it asks for the next response.
    kinds = ["message", "function_call", "function_call_output"]
    assert [item["type"] for item in model.requests[1].items] == kinds
    assert "london" in _words(model.requests[0].items[-1])
    assert "enough" in _words(model.requests[2].items[-1])
    assert {item.type for item in history} == {"message", "function_call"}


@pytest.mark.holds("openai-agents", "text")
async def test_a_typed_turn(server: LocalServer, model: Model) -> None:
    async with session_of(server) as listener:
        await listener.session.send_message("Hello there.")
        await listener.until_raw("turn_ended")
        await listener.session.send_message("Once more.")
        await listener.until_raw("turn_ended")
    assert listener.kinds["error"] == 0
    assert listener.kinds["audio"] > 0
    assert len(listener.server_events("response.done")) == 2


async def test_interrupting_by_hand(server: LocalServer, model: Model) -> None:
    """``interrupt()`` is ``response.cancel``; one that comes too late is a harmless error."""
    detection = {"type": "server_vad", "interrupt_response": False}
    async with session_of(server, turn_detection=detection) as listener:
        await listener.session.send_message("What is the weather?")
        await listener.until("tool_end")
        await listener.until("audio", times=2)
        await listener.session.interrupt()
        while len(listener.server_events("response.done")) < 2:
            await listener.until("raw_model_event")
    last = listener.server_events("response.done")[-1]["response"]
    assert last["status_details"]["reason"] == "client_cancelled"
    codes = {e["error"]["code"] for e in listener.server_events("error")}
    assert codes <= {"response_cancel_not_active"}


async def _send(listener: Listener, kind: str, **data: Any) -> None:
    """What its session has no verb for goes through its model."""
    message: Any = {"type": kind, "other_data": data}
    await listener.session.model.send_event(RealtimeModelSendRawMessage(message=message))


@pytest.mark.holds("openai-agents", "push_to_talk")
async def test_push_to_talk(server: LocalServer, model: Model) -> None:
    model.requests.clear()
    async with session_of(server, turn_detection=None) as listener:
        await listener.session.send_audio(recorded("cards_001.wav"), commit=True)
        await _send(listener, "response.create")
        await listener.until_raw("turn_ended")
    assert listener.kinds["error"] == 0
    assert listener.server_events("input_audio_buffer.speech_started") == []
    assert len(listener.server_events("input_audio_buffer.committed")) == 1
    assert _words(model.requests[0].items[-1]).startswith("ten of clubs")
    assert level_dbfs(samples_from_pcm(listener.audio)) > -40


@pytest.mark.holds("openai-agents", "out_of_band")
async def test_out_of_band(server: LocalServer, model: Model) -> None:
    model.requests.clear()
    async with session_of(server) as listener:
        await listener.session.send_message("Hello there.")
        await listener.until_raw("turn_ended")
        content = [{"type": "input_text", "text": "Is this a complaint?"}]
        response = {
            "conversation": "none",
            "metadata": {"topic": "aside"},
            "output_modalities": ["text"],
            "input": [{"type": "message", "role": "user", "content": content}],
        }
        await _send(listener, "response.create", response=response)
        await listener.until_raw("turn_ended")
        await listener.session.send_message("Once more.")
        await listener.until_raw("turn_ended")
    assert listener.kinds["error"] == 0
    aside = listener.server_events("response.done")[1]["response"]
    assert (aside["metadata"], aside["conversation_id"]) == ({"topic": "aside"}, None)
    assert aside["output"][0]["content"][0]["text"] == "All right."
    assert [len(request.items) for request in model.requests] == [1, 1, 3]


async def test_what_the_user_said_is_in_its_history(server: LocalServer, model: Model) -> None:
    """It opens no transcription sessions; what it is told of the user's words it keeps."""
    detection = {"type": "server_vad", "silence_duration_ms": 500}
    settings = {"turn_detection": detection, "input_audio_transcription": {"model": "whisper-1"}}
    async with session_of(server, **settings) as listener:
        await listener.session.send_audio(recorded("austen_0930.wav"))
        await listener.until_raw("input_audio_transcription_completed")
        await listener.until_raw("turn_ended")
        history = [item.model_dump() for item in listener.session._history]
    (user,) = [item for item in history if item.get("role") == "user"]
    assert "have been made amiable" in user["content"][0]["transcript"].lower()
