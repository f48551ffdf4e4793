"""A recorded session served to client code."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError, ServerError
from realtime_nb.local.llm import LLM, Call, ScriptedLLM
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import ItemRetrieved, JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.recordings.recording import Recording
from realtime_nb.session.recorded_transport import RecordedTransport
from realtime_nb.session.served_recording import recorded_endpoint
from realtime_nb.testing import MemoryServer, ScriptedServer, run_on_virtual_clock, silence, tone
from tests.paths import DATA
from tests.scripted_session import LiveSession, session
from tests.virtual import virtual

LONG_ANSWER = " ".join(["word"] * 20)  # 5 s of humming

# A client that speaks no audio leaves the input-sample clock at 0; ids of its events are its own.
SENT = ("floor_ms", "changed_ms")

CLIENT_SIDE = {"input_ms", "events_applied", "first_ids", "updated_s", "races"}


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} is a word"


async def recorded(
    folder: Path, llm: LLM, *speech: tuple[float, bytes], **options: Any
) -> Recording:
    """Speaks clips, each so long after the beginning; what came of it."""
    async with (
        MemoryServer(llm) as server,
        rt.connect(transport=server.transport, record=folder, **options) as live,
    ):
        tasks = []
        for at_s, pcm in speech:
            await asyncio.sleep(at_s - live.clock())
            tasks.append(asyncio.create_task(live.speak(pcm)))
        await asyncio.gather(*tasks)
        assert await live.settled()
    assert live.recording is not None
    return rt.load(live.recording)


async def served(recording: Recording, **options: Any) -> tuple[Conversation, RecordedTransport]:
    """What a client makes of a recording that listens to its end."""
    connection = rt.connect(recording, **options)
    async with connection as live:
        async for _ in live:
            pass
    assert isinstance(connection.transport, RecordedTransport)
    return live.conversation, connection.transport


def fold(conversation: Conversation) -> dict[str, Any]:
    """The conversation as plain values, with times to the millisecond."""
    values = dataclasses.asdict(conversation)
    # Where the user's audio lies is the sender's, too; what was heard of it is the server's.
    heard = values.pop("audio")["speech"]
    values["speech"] = [{name: one[name] for name in one if name not in SENT} for one in heard]
    return {name: _rounded(values[name]) for name in values if name not in CLIENT_SIDE}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value


@virtual
async def test_a_served_recording_folds_to_the_recorded_conversation(tmp_path: Path) -> None:
    llm = ScriptedLLM([Call("look_up", '{"word": "vox"}'), "A voice.", LONG_ANSWER, "Bye."])
    speech = [(0.5, tone(800)), (5.0, tone(800)), (7.5, tone(600))]
    recording = await recorded(tmp_path, llm, *speech, tools=[look_up])
    assert [call.output for call in recording.conversation.calls.values()] == ["vox is a word"]
    assert [i.interrupted for i in recording.conversation.in_order() if i.role == "assistant"] == [
        False,
        True,
        False,
    ]

    conversation, transport = await served(recording, tools=[look_up])

    assert fold(conversation) == fold(recording.conversation)
    assert (transport.unexpected, transport.unsent) == ([], [])


@virtual
async def test_a_session_over_a_recording_is_recorded_as_any_other(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["Good morning."]), (0.5, tone(800)))

    async with rt.connect(recording, record=tmp_path / "again") as live:
        await live.wait_for("response.done")
        assert await live.settled()
    assert live.recording is not None
    again = rt.load(live.recording)

    assert again.transcript() == recording.transcript()
    assert again.header["endpoint"] == {
        "kind": "recording",
        "of": "local",
        "url": f"ws://recording/{recording.path.name}",
    }
    assert again.simulated
    np.testing.assert_array_equal(again.received, recording.received)
    np.testing.assert_array_equal(again.output, recording.output)


@pytest.mark.parametrize(
    ("endpoint", "of"),
    [
        ({"kind": "openai"}, "openai"),
        ({"kind": "recording", "of": "local"}, "local"),
        ("a word of somebody else", None),
        (None, None),
    ],
)
def test_what_answered_then_is_told_also_of_a_recording_of_a_recording(
    tmp_path: Path, endpoint: object, of: str | None
) -> None:
    header = {} if endpoint is None else {"endpoint": endpoint}
    recorder = Recorder(tmp_path, header)
    recorder.event(WireEvent("received", {"type": "session.created", "session": {}}, 0.1))
    recorder.close()

    recording = rt.load(recorder.path)

    assert recorded_endpoint(recording).of == of
    assert recording.simulated == (of == "local")


@pytest.mark.parametrize("speed", [10.0, math.inf])
def test_it_can_be_served_faster(tmp_path: Path, speed: float) -> None:
    async def conversation() -> tuple[float, list[tuple[str, str]]]:
        recording = await recorded(tmp_path, ScriptedLLM(["Hello."]), (30.0, tone(800)))
        began_s = asyncio.get_running_loop().time()
        async with rt.connect(recording, speed=speed) as live:
            await live.wait_for("response.done")
            return asyncio.get_running_loop().time() - began_s, live.conversation.transcript()

    took_s, transcript = run_on_virtual_clock(conversation())

    assert transcript == [("user", "hello"), ("assistant", "Hello.")]
    assert took_s == pytest.approx(30.0 / speed, abs=2.0 / speed + 0.01)


@virtual
async def test_g711_comes_back_as_g711(tmp_path: Path) -> None:
    recording = await recorded(
        tmp_path, ScriptedLLM(["Good morning."]), (0.5, tone(800)), output_format="g711_ulaw"
    )

    conversation, _ = await served(recording)

    assert fold(conversation) == fold(recording.conversation)


@virtual
async def test_a_beta_server_is_served_in_beta(tmp_path: Path) -> None:
    endpoint = rt.Endpoint("ws://memory", dialect="beta")
    async with (
        MemoryServer(ScriptedLLM(["Hi."]), dialect="beta") as server,
        rt.connect(endpoint, transport=server.transport, record=tmp_path) as live,
    ):
        await live.speak(tone(800))
        assert await live.settled()
    assert live.recording is not None
    recording = rt.load(live.recording)

    conversation, _ = await served(recording)

    assert fold(conversation) == fold(recording.conversation)


@virtual
async def test_audio_inside_items_is_served_too(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    live = LiveSession(recorder)
    live.received(0.1, "session.created", session=session())
    audio = {"type": "input_audio", "audio": "AAABAAIAAwA=", "transcript": "hello"}
    item = {"id": "item_1", "type": "message", "role": "user", "content": [audio]}
    live.received(0.2, "conversation.item.retrieved", item=item)
    recorder.close()
    transport = rt.connect(rt.load(recorder.path))

    async with transport as client:
        event = await client.wait_for("conversation.item.retrieved")

    assert isinstance(event, ItemRetrieved)
    assert event.item == item


@virtual
async def test_a_refused_update_is_refused_again(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(transport=server.transport, record=tmp_path).__aenter__()
        )
        await server.greet()
        live = await opening
        changing = asyncio.create_task(live.update(voice="ash"))
        event = await server.expect("session.update")
        refusal = {"message": "Too late.", "event_id": event["event_id"]}
        await server.emit({"type": "error", "error": refusal})
        with pytest.raises(ServerError):
            await changing
        await live.close()
    assert live.recording is not None

    async with rt.connect(rt.load(live.recording)) as again:
        with pytest.raises(ServerError, match="Too late"):
            await again.update(voice="ash")


@virtual
async def test_a_plain_log_can_be_served(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    events: list[JsonObject] = [
        {"type": "session.created", "session": session()},
        {"type": "response.created", "response": {"id": "r", "status": "in_progress"}},
        {"type": "response.output_audio.delta", "item_id": "i", "response_id": "r"},
        {"type": "response.done", "response": {"id": "r", "status": "completed"}},
    ]
    events[2] |= {"delta": "AAAA" * 320, "content_index": 0, "output_index": 0}
    path.write_text("\n".join(json.dumps(event) for event in events))

    async with rt.connect(rt.load(path)) as live:
        assert await live.settled()

    assert live.conversation.responses["r"].status == "completed"
    assert live.conversation.items["i"].played_ms == 20.0


@pytest.mark.parametrize(
    "options",
    [{"model": "other"}, {"api_key": "key"}, {"speed": 0}, {"speed": math.nan}, {"wobble": 1}],
)
@virtual
async def test_what_cant_be_meant_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    recording = await recorded(tmp_path, ScriptedLLM([]))

    with pytest.raises(ConfigurationError):
        rt.connect(recording, **options)


@virtual
async def test_audio_alone_is_no_server() -> None:
    audio = rt.load(DATA / "cards_001.wav")

    with pytest.raises(ConfigurationError, match=r"rt\.replay"):
        await rt.connect(audio)


def test_something_else_is_no_endpoint() -> None:
    with pytest.raises(ConfigurationError, match="no endpoint"):
        rt.connect(17)  # type: ignore[arg-type]


@virtual
async def test_silence_spoken_to_it_is_fine(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["Hi."]), (0.5, tone(800)))

    async with rt.connect(recording) as live:
        await live.speak(silence(500))
        assert await live.settled()

    assert live.conversation.transcript() == recording.conversation.transcript()
